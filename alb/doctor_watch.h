/*
 * doctor_watch.h -- the first second of a tunnel whose upgrade came from an edge without a
 * Sec-WebSocket-Protocol: an application that needs one hangs up at once.
 */
#ifndef ALB_DOCTOR_WATCH_H
#define ALB_DOCTOR_WATCH_H

#include "alb/tunnel_ends.h"

struct doctor_watch;
struct upgrade_case;
struct worker;

enum { DOCTOR_WATCH_MS = 1000 };

/* Takes the case and clears it; NULL, and those that need no watch, are fine. `*slot` points to
 * the watch while it lasts: NULL before and after. */
void doctor_watch_begin(struct worker *w, struct upgrade_case **c, void **slot);

/* The tunnel is over. If that is within its first second, and not by us, its upgrade failed. */
void doctor_watch_end(struct worker *w, void **slot, enum tunnel_end end);

#endif
