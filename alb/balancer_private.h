/* balancer_private.h -- between the balancer*.c files. */
#ifndef ALB_BALANCER_PRIVATE_H
#define ALB_BALANCER_PRIVATE_H

#include "net/edge_filter.h"

#include "alb/balancer.h"
#include "alb/drain_plan.h"
#include "alb/members.h"

struct listener_config;

/* Make the filters, or take those of the process before this one; and then give up all privileges
 * that are not needed any more: first of all. The last ones when the listeners are open, before
 * there is a second thread. */
void balancer_make_filters(struct balancer *b);
bool balancer_drop_privileges(struct balancer *b, struct problems *problems);
bool balancer_drop_last_privileges(struct problems *problems);
void balancer_free_filters(struct balancer *b);

/* Has the kernel room for the edge set of this configuration? Changes nothing. */
bool balancer_may_filter(const struct balancer *b, const struct config *config,
                         struct problems *problems);

/* Let in whoever comes with this configuration; false when the kernel has no room for it, and
 * nothing has changed. Then, when that is in force: whoever goes with it is not let in any more. */
bool balancer_extend_filters(struct balancer *b, const struct config *config,
                             struct problems *problems);
/* The same for what was added for a while; false with a sentence. */
bool balancer_extend_edge_filter(struct balancer *b, const struct config *config,
                                 const struct edge_additions *additions, char *why, size_t size);
void balancer_settle_filters(struct balancer *b);

/* The process that was to take over has failed: the sets are ours again. */
void balancer_reclaim_filters(struct balancer *b);

/* Open every listener of the configuration that is not open yet and order the
 * threads to accept from it. What was opened stays open when one fails. */
bool balancer_open_listeners(struct balancer *b, const struct config *config,
                             struct problems *problems);

/* Could they be opened? Opens nothing for longer than the call. */
bool balancer_may_listen(struct balancer *b, const struct config *config,
                         struct problems *problems);

/* Close the listeners that the configuration no longer names. */
void balancer_close_listeners(struct balancer *b, const struct config *config);

/* Are sockets of one of these not closed yet? Whoever connected in time is taken until then. */
bool balancer_is_closing_listeners(const struct balancer *b);

/* The process that takes over has no use for the listener of this address, or has it after all: the
 * upgrade failed. */
void balancer_mark_unwanted(struct balancer *b, const struct addr *bound, int protocol);
void balancer_want_listeners(struct balancer *b);

/* It has taken over: close those that are marked, as if a reload had removed them. */
void balancer_close_unwanted(struct balancer *b);

/* Post to one loop, to every worker, to every greeter; waits when an inbox is
 * full. */
void balancer_must_post(struct loop *loop, loop_fn *run, void *arg);
void balancer_tell_workers(struct balancer *b, loop_fn *run, void *arg);
void balancer_tell_greeters(struct balancer *b, loop_fn *run, void *arg);

uint32_t balancer_connection_limit(const struct config *config);

/* The logs' files: before anything else but the control loop, and when no other thread has
 * rows any more. */
void balancer_init_logs(struct balancer *b);
void balancer_end_logs(struct balancer *b);

/* From now on each health check is a row. */
void balancer_log_health(struct balancer *b);

/* Those that the configuration has elsewhere than now. */
bool balancer_open_logs(struct balancer *b, const struct config *config, struct problems *problems);

/* Could they be opened? Makes no file. */
bool balancer_may_log(struct balancer *b, const struct config *config, struct problems *problems);

/* All of them again: somebody may have moved them away. False when one could not be opened. */
bool balancer_reopen_logs(struct balancer *b);

/* SIGHUP: the configuration and the logs' files again; SIGUSR1: those; SIGTERM or SIGINT: stop.
 * Each has its rows in the audit log. The one that had to wait is carried out, if there is one. */
service_signal_fn balancer_on_signal;
void balancer_on_late_signal(struct balancer *b);

/* SIGTERM or SIGINT. */
void balancer_stop(struct balancer *b);

/* Nobody has been told to go, and no other process has taken over. */
static inline bool balancer_serves(const struct balancer *b)
{
    return b->state == RUN_SERVING || b->state == RUN_WAITING;
}

/* Call `over` when shutdown_delay has passed; in the place of what was to be done then, if that
 * time runs already. False when there is nothing to wait for: it is 0, or nobody new would be
 * served as all targets are drained. `what` is for the log. */
bool balancer_delay_begin(struct balancer *b, const char *what, balancer_order_fn *over);

/* It has passed now, if it runs; or what was to be done then is not to be done. */
void balancer_delay_end(struct balancer *b);
void balancer_delay_cancel(struct balancer *b);

/* The process that took over has been told to stop, to cut, or has ended: so do we. */
void balancer_stop_with(struct balancer *b, uint32_t window_ms);
void balancer_cut_with(struct balancer *b);

/* Drain these targets, all of one group (but at a stop); one that is part of another drain
 * leaves that. */
struct drain_outlook balancer_drain_begin(struct balancer *b, struct target *const *targets,
                                          size_t count, const struct drain_plan *plan);

/* For drains that begin together: the rate of [alb] is that of all of them. To be given back
 * with pace_unref(&plan->shared). */
void balancer_share_pace(struct balancer *b, struct drain_plan *plan,
                         const struct tunnel_options *options);

/* The process before this one has drained it by command: go on for so long, if it is drained here
 * too. Its tunnels are to come. */
void balancer_drain_on(struct balancer *b, struct target *t, uint32_t delay_ms);

/* Is it drained by command, and is the delay not over yet? */
bool balancer_drains_for_ms(const struct target *t, uint32_t *left_ms);

/* The target is part of no drain any more: what was not told yet stays as it is. */
void balancer_drain_leave(struct balancer *b, struct target *t);

/* The process before this one has taken to its end: it is to drain what drains here. */
void balancer_order_drains(struct balancer *b);

/* So many WebSockets are of peers that the edge set has no longer, and that are to end. */
void balancer_drain_leavers(struct balancer *b, uint32_t count);

/* The process stops: drain all that there is, within this time. */
void balancer_drain_all(struct balancer *b, uint32_t delay_ms);

/* When the health of one of a group's targets has changed; `user` is the balancer. */
void balancer_review_health(void *user, const struct group *g);

/* The loops have ended: forget the drains that still run. */
void balancer_end_drains(struct balancer *b);

/* An order that cannot be followed, and why. Returns false. */
__attribute__((format(printf, 3, 4))) bool balancer_refuse(struct order_answer *answer, int status,
                                                           const char *format, ...);

/* What came of one that was followed. Returns true. */
__attribute__((format(printf, 2, 3))) bool balancer_say(struct order_answer *answer,
                                                        const char *format, ...);

/* What commands said, before it counts: to the state file, if there is one. Else false, and
 * the answer says why; there may be a warning in it. */
bool balancer_keep(const struct balancer *b, const struct registrations *next,
                   struct order_answer *answer);

/* Another process has taken over: end with the last connection. */
void balancer_leave(struct balancer *b);

/* A target that is no member begins its delay of so long; nothing when it has. */
void balancer_depart(struct balancer *b, struct target *t, uint32_t delay_ms);

/* Does its delay run, and how much of it is left? */
bool balancer_departs_in_ms(const struct target *t, uint32_t *left_ms);

/* What members are made of now. */
struct members_sources balancer_sources(const struct balancer *b);

/* Post this configuration (the one of now, or a new one) to all loops, with members
 * that are made now. Nothing else is under way. */
void balancer_publish(struct balancer *b, struct config *config);

/* What the state file says; false when it is damaged, which was printed. */
bool balancer_read_state(struct balancer *b);

/* A new configuration: what was said of targets that it names no more lapses. */
void balancer_follow_config(struct balancer *b, const struct config *config);

/* balancer_edge.c. Who may connect at the start: the configuration and what was said before. */
void balancer_begin_edge(struct balancer *b);

/* From now on ask the kernel now and then whom it has dropped. */
void balancer_watch_strangers(struct balancer *b);

/* Say which certificates end soon, now and once a day: at the start, and when they are new. */
void balancer_watch_certificates(struct balancer *b);

/* The members that are about to be published: start and change health checks; a
 * deregistration delay that runs for one of them ends, it is back. */
void balancer_welcome_members(struct balancer *b);

/* Every loop has the members of now: the others begin to drain, for the delay that
 * their group has now; if it has gone, for what `old`, the configuration before, says. Not
 * sooner: a loop that still has the old members would find nobody to send a request to. */
void balancer_dismiss_others(struct balancer *b, const struct config *old);

#endif
