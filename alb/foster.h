/*
 * foster.h -- whose child the process is that an upgrade starts.
 *
 * A service manager hears at once of the end of its own children only, and the old process, which
 * starts the new one, wants to hear of a start that fails. So there is one between them:
 *
 *     old ---> foster parent ---> new
 *              ends as the new one does; goes when that serves, which is then the child of
 *              whom the orphans of the machine (or of the service manager) go to
 *
 * Until then the end of the foster parent is that of the new process.
 */
#ifndef ALB_FOSTER_H
#define ALB_FOSTER_H

/* First in main(), while there is one thread: in the process that an upgrade has started, returns
 * in the new one only. */
void foster_begin(void);

/* It serves. Returns when the foster parent has gone. */
void foster_end(void);

#endif
