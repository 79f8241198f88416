/*
 * upgrade_process.h -- the process that takes over, as its parent sees it: started from a file,
 * with one end of a socket (handing.h), and ended, when it is not to take over after all.
 *
 * What is started is our child. Once it serves it may have become somebody else's (foster.h): it
 * says so, and is followed. On the control thread; the calls that wait do so for less than half a
 * second.
 */
#ifndef ALB_UPGRADE_PROCESS_H
#define ALB_UPGRADE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct upgrade_process {
    pid_t pid;
    int pidfd; /* of one that is not our child; -1 */
};

/* This process as it was started: for the next one. Call first in main(). */
void upgrade_remember(char **argv);

/* The file that it was started from. */
const char *upgrade_own_path(void);

/* Start `path` as this process was started; it gets `fd`, which stays ours. 0 or an errno. */
int upgrade_process_start(struct upgrade_process *p, const char *path, int fd);
void upgrade_process_done(struct upgrade_process *p);

/* It says that it is this one by now; 0 or the same: it is not. */
void upgrade_process_follow(struct upgrade_process *p, pid_t pid);

void upgrade_process_signal(const struct upgrade_process *p, int number);

/* Has it ended, or does it within a moment? Its socket may be closed a little before. */
bool upgrade_process_is_dead(const struct upgrade_process *p);

/* It is to be gone: by itself within a moment, else it is killed. `how` gets words on how it ended,
 * with a space in front, or nothing. */
void upgrade_process_end(const struct upgrade_process *p, char *how, size_t size);

/* It has ended: leave no zombie. */
void upgrade_process_collect(const struct upgrade_process *p);

#endif
