/*
 * cutter.h -- ending the tunnels of a target whose delay is over, of peers that have had their time
 * since they left the edge set, or all when the process ends: a
 * few in each turn of the loop, so that thousands do not hold up the others'.
 *
 * Those that were there when it began are ended, no others. Until it is done, the drain that it
 * ends (if there is one) is not: it counts those that were not told. By the balancer's
 * `cutting` and `cut_slices` the end of the process sees who is not done, and that it gets on.
 */
#ifndef ALB_CUTTER_H
#define ALB_CUTTER_H

struct drain;
struct target;
struct worker;

enum { CUTTER_SLICE = 64 };

/* `target` is a reference, taken over, or NULL for all, then those that come meanwhile too; `drain`
 * is borrowed, and may be NULL. */
void cutter_start(struct worker *w, struct target *target, struct drain *drain);

/* Those of leavers (leavers.h). */
void cutter_start_leavers(struct worker *w, struct drain *drain);

/* Cut what is left of all, now. */
void cutter_finish(struct worker *w);

#endif
