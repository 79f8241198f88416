/*
 * upgrade.h -- another process takes over: the old one's part (handing.h; inherit.h is the new
 * one's). `alb upgrade`.
 *
 *     STARTING ---> READYING ---> MOVING ---> LEAVING ---> (the process ends with its last
 *        |             |            |                       connection)
 *        +-------------+------------+--> (this one carries on; the new one is killed)
 *
 *   STARTING  the new program runs, reads its configuration and takes the sockets
 *   READYING  it polls them: from here on this process accepts nothing
 *   MOVING    a first round over all loops: what can go goes
 *   LEAVING   the command is answered. What comes to an end later, or could not go (TLS), stays
 *             here until it ends; what can go after all goes
 *
 * Here are the stages. upgrade_process.h has the process, upgrade_tell.h what it is told,
 * upgrade_rounds.h how connections go; upgrade_report.h, upgrade_list.h, past.h and upgrade_obey.h
 * are for LEAVING. On the control thread.
 */
#ifndef ALB_UPGRADE_H
#define ALB_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct balancer;
struct upgrade;

/* What came of it: a sentence. Told once, to who started it: upgrade_forget() when that one is
 * gone. */
typedef void upgrade_told_fn(void *user, bool ok, const char *text);

/* Start it; `binary` is NULL for the file that this process was started from. False with a
 * sentence: nothing has happened, and nothing will be told. */
bool upgrade_start(struct balancer *b, const char *binary, upgrade_told_fn *told, void *user,
                   char *why, size_t why_size);
void upgrade_forget(struct balancer *b, const void *user);

/* One is running: nothing else may change meanwhile. */
bool upgrade_is_running(const struct balancer *b);

/* This process is told to stop. An upgrade that has only begun is called off; one that is further
 * is finished first, and the new process told to stop: true then. */
bool upgrade_takes_stop(struct balancer *b);

/* The other process has taken over; this one only waits for its last connections. */
bool upgrade_is_leaving(const struct balancer *b);

/* That one knows all that there is to know of what has been here. */
bool upgrade_is_told(const struct balancer *b);

/* Its process. */
long upgrade_successor(const struct balancer *b);

void upgrade_free(struct upgrade **upgrade);

#endif
