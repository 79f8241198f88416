/*
 * balancer.h -- the running whole: the control thread and all that it owns.
 *
 *     control thread   configuration, registry of targets, health checks,
 *                      admin port, control socket, signals
 *     workers          loops that carry connections (worker.h)
 *     greeters         threads that do TLS handshakes (greeter.h)
 *     logs             a thread for each log's file (log_file.h)
 *
 * A configuration, and the members of its groups, are published by posting them to
 * every thread's loop; each swaps and acknowledges; the old ones are freed when all
 * have.
 */
#ifndef ALB_BALANCER_H
#define ALB_BALANCER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/problems.h"
#include "net/addr.h"
#include "net/loop.h"
#include "net/service.h"

#include "alb/audit.h"
#include "alb/counters.h"
#include "alb/door_kind.h"
#include "alb/drain_plan.h"
#include "alb/log_buffer.h"
#include "alb/log_file.h"
#include "alb/manage_access.h"
#include "alb/registrations.h"
#include "alb/strangers.h"
#include "alb/target.h"
#include "alb/tunnel_ring.h"
#include "alb/upgrade_ring.h"

struct acceptor;
struct admin;
struct balancer;
struct caller;
struct config;
struct doors;
struct edge_filter;
struct edge_view;
struct greeter;
struct health;
struct leaving;
struct listener_config;
struct members;
struct names;
struct seal_ring;
struct upgrade;
struct inherit;
struct worker;

/* A listening address; lives until the process ends, so that connections may
 * point to it and any thread may read it. */
struct listener {
    char *name, *bind;          /* owned; as configured */
    int protocol;               /* enum protocol */
    struct addr bound;          /* what the kernel gave: port 0 is resolved */
    struct edge_filter *filter; /* of its sockets: one of the balancer's; it never changes */
    struct list link;
    uint16_t number; /* of listener_take_number(); 0: none */
    struct balancer *balancer;
    atomic_bool is_unwanted; /* by the process that takes over: whoever has connected stays here */
    atomic_size_t closing;   /* loops that have yet to close its sockets, after `leaving` */
    bool is_open;            /* control thread, as all below */
    ev_timer leaving;        /* runs from when it is removed until it is closed */
    uint64_t left_at_ms;
    int *sockets; /* owned: the descriptors that the threads accept from */
    size_t socket_count;
};

/* Each has a number as long as there are some, from 1. The control thread gives it, before it tells
 * any other of the listener. Those without one are all the same: "-". */
void listener_take_number(struct listener *l);
const struct listener *listener_of_number(uint16_t number);

/* The snapshot's part for this listener, NULL when it was removed: the one with
 * its address and protocol, whatever it is called now. (Port 0 is a port of its
 * own each time, so those go by name.) */
struct listener_config *listener_config_of(const struct config *config,
                                           const struct listener *listener);

/* A snapshot and the members of its groups, on their way to the loops. */
struct publication {
    struct balancer *balancer;
    uint64_t number; /* from 1 */
    struct config *config;
    struct members *members;
    struct config *old_config; /* NULL when only the members are new */
    struct members *old_members;
    struct leaving *leaving, *old_leaving; /* may be NULL */
    struct edge_view *edge, *old_edge;     /* the old one is NULL when it is not new */
    atomic_uint leavers;                   /* WebSockets of peers that it has no longer */
    atomic_int waiting;                    /* loops that have not swapped yet */
    ev_async swapped;                      /* all have; unlike an inbox it is never full */
};

/* By a loop, after it swapped. */
void publication_acknowledge(struct publication *p);

/* Somebody on the control thread who waits until a publication is in force. Embed it
 * and list_init() its link; list_remove() is the way to give up. */
struct waiter {
    struct list link;
    uint64_t number;                /* of the publication */
    void (*wake)(struct waiter *w); /* by then it is in no list; may wait again */
};

/* Whom a listening socket is for, each with a filter of its own. */
enum filter_kind {
    FILTER_EDGE,
    FILTER_DOORS /* enum door_kind on */,
    FILTERS = FILTER_DOORS + DOOR_KINDS
};

/* WAITING: told to stop, but all is served as before (balancer_delay.c). LEAVING: another process
 * has taken over (upgrade.h). */
enum run_state { RUN_SERVING, RUN_WAITING, RUN_LEAVING, RUN_DRAINING, RUN_CUTTING };

/* Something that the balancer is to do. Control thread. */
typedef void balancer_order_fn(struct balancer *b);

struct balancer {
    const char *path; /* the configuration file, or NULL for `quick` */
    struct span text; /* for `quick` */
    struct loop control;
    enum run_state state;
    struct worker *workers; /* array */
    int worker_count;
    struct greeter *greeters; /* array */
    int greeter_count;
    struct list listeners;
    struct edge_filter *filters[FILTERS]; /* whoever is not in their sets gets no answer */
    struct registry registry;
    struct names *names;              /* the addresses that DNS gives targets */
    char *state_path;                 /* owned: where `said` is kept; "": nowhere */
    struct registrations said;        /* by commands; in the state file too */
    struct config *config;            /* the newest; loops may still be on the one before */
    struct members *members;          /* of its groups, just so */
    struct leaving *leaving;          /* beside both; NULL: no listener was removed of late */
    ev_timer leaving_timer;           /* until the first of them is to be forgotten */
    struct edge_view *edge;           /* who may connect, as published last */
    ev_timer edge_timer;              /* until the next temporary addition ends */
    struct strangers strangers;       /* who may not; any thread */
    ev_timer strangers_timer;         /* asks the kernel whom it has dropped */
    ev_timer certificates_timer;      /* until the log is to say again which end soon */
    uint64_t strangers_seen[FILTERS]; /* how many, when it was asked last */
    struct publication *publishing;   /* NULL when nothing is on its way to the loops */
    uint64_t published, in_force;     /* the numbers of the newest, and of the newest in force */
    bool reload_wanted;               /* SIGHUP came while something was under way: */
    struct service_signal reload_signal;
    bool members_changed;    /* the next publication has that */
    bool edge_changed;       /* and this */
    atomic_bool leaver_came; /* the loops are to look for leavers again, soon */
    ev_timer leavers_timer;  /* then */
    struct list drains;      /* those that run: drain.h */
    uint64_t drains_begun;
    struct list waiters;
    struct seal_ring *ring; /* for a configuration without a key file; until the end */
    struct audit audit;     /* of changes by command */
    struct log_file access_log, connection_log, health_log;
    struct log_buffer health_rows;       /* of the control thread, on their way to health_log */
    struct upgrade_ring failed_upgrades; /* any thread */
    struct tunnel_ring closed;           /* the tunnels that ended last; any thread */
    struct list listings;                /* of tunnels: tunnel_listing.h */
    uint64_t listings_begun;
    struct health *health;
    struct admin *admin;
    struct doors *doors;      /* [health], [management] */
    struct counters counters; /* of the greeters and the control thread */
    struct service_signals signals;
    struct upgrade *upgrade; /* NULL: none is under way */
    struct inherit *inherit; /* NULL: nobody was here before */
    ev_timer drain_timer;
    ev_timer delay_timer; /* runs while /ready is 503 and all is served (balancer_delay.c) */
    balancer_order_fn *delay_over; /* what it is for; NULL: it does not run */
    uint64_t started_ms, drain_began_ms;
    atomic_uint cutting;      /* loops that have not cut all yet, at the end (cutter.h) */
    atomic_uint cut_slices;   /* of all loops: it gets on */
    uint32_t cut_seen;        /* `cut_slices` when a cut was looked at last */
    uint32_t cut_stands;      /* looks since it changed */
    uint32_t drain_window_ms; /* then all is cut */
    unsigned stops;           /* how often a signal said so */
    int stop_page; /* of the pace of a stop, for all processes of a chain of upgrades: pace.h */
    uint64_t reloads, reloads_failed;
    atomic_uint connections;      /* client connections, all workers */
    atomic_uint connection_limit; /* a reload changes it */
};

/* Reads the configuration, binds, starts every thread, serves until told to
 * end. Returns the exit code. `ready_file` may be NULL; so may `state_file`, else it is used
 * whatever the configuration names. */
int balancer_run(const char *path, struct span text, const char *ready_file,
                 const char *state_file);

/* A new configuration from the same file. False when it was refused: nothing
 * has changed then, and `problems` says why. Not while something is under way. */
bool balancer_reload(struct balancer *b, struct problems *problems);

/* A reload by command. */
struct reload_order {
    const struct span *text;   /* of a new configuration; NULL: the file as it is */
    struct manage_sender from; /* it must not shut him out at [management] */
};

/* The same by command. A new text is checked whole, taken, and then in the file's place; when it
 * cannot be written, or is not taken, the file is what it was. */
bool balancer_reload_by(struct balancer *b, const struct reload_order *order,
                        struct problems *problems);

/* What such a reload would bring: all is read and checked, nothing changes. NULL when it would be
 * refused. */
struct config *balancer_look(struct balancer *b, const struct reload_order *order,
                             struct problems *problems);

/* What an order by command comes to. */
struct order_answer {
    int status;          /* 200, or an HTTP status for why not */
    char text[1024];     /* a sentence */
    const char *warning; /* NULL, or one: a literal */
};

/* A target is to come (or to get another weight), or to go. */
struct register_order {
    bool is_register;
    const char *group, *target; /* as they were written */
    bool has_weight;
    uint32_t weight; /* 0-999; the default when it has none */
};

struct register_outcome {
    struct order_answer answer;
    uint64_t in_force; /* once this publication is; 0: nothing has changed */
};

void balancer_register(struct balancer *b, const struct register_order *order,
                       struct register_outcome *outcome);

/* Drain a target, a group, or all; or undo it. */
struct drain_request {
    bool is_drain;
    const char *group, *target; /* as they were written; NULL: all */
};

struct drain_outcome {
    struct order_answer answer;
    struct drain_outlook outlook; /* of all drains that began */
};

void balancer_drain(struct balancer *b, const struct drain_request *order,
                    struct drain_outcome *outcome);

/* Somebody may connect for a while, or (seconds 0) no longer so. */
struct edge_order {
    const char *block; /* as it was written */
    uint32_t seconds;
};

struct edge_outcome {
    struct order_answer answer;
    uint64_t in_force; /* as in struct register_outcome */
};

void balancer_edge(struct balancer *b, const struct edge_order *order,
                   struct edge_outcome *outcome);

/* Note whom the kernel has dropped since this was called last. */
void balancer_look_for_strangers(struct balancer *b);

/* Who is in the groups has changed: publish it, at once or (together with what changes
 * until then) when what is under way is in force. Returns that publication's number. */
uint64_t balancer_change_members(struct balancer *b);

/* Wake this one when that publication is in force. */
void balancer_wait(struct balancer *b, struct waiter *waiter, uint64_t number);

/* From a loop: it accepts no more (worker_accept(), greeter_accept()). */
void upgrade_report_quiet(struct balancer *b);

/* shutdown_delay runs, before a stop or a drain of all: no new work should be sent here. */
bool balancer_delays(const struct balancer *b);

/* There are targets, and commands have drained all of them that some action forwards to. */
bool balancer_is_drained(const struct balancer *b);

/* The registered targets, for health checks and status. */
void balancer_status(struct balancer *b, struct buf *json);
void balancer_metrics(struct balancer *b, struct buf *text);

/* --- for the workers and greeters: any thread ------------------------------- */

/* The keys of this configuration; without a file, those that this process has. */
/* A WebSocket has begun whose peer the edge set has no longer: leavers.h. */
void balancer_leaver_came(struct balancer *b);

const struct seal_ring *balancer_seal_ring(const struct balancer *b, const struct config *config);

/* Its listener was removed: acceptor_leave(), and if that cannot be say so once. */
void balancer_acceptor_leaves(struct acceptor *acceptor);

/* Count a new connection in; false when the limit is reached. */
bool balancer_connection_opened(struct balancer *b);
void balancer_connection_closed(struct balancer *b, struct worker *w);

/* The worker that should have the next connection: the least loaded, or `self`
 * (NULL for a greeter) unless it has clearly more than that. Its load is
 * counted up already. */
struct worker *balancer_pick_worker(struct balancer *b, struct worker *self);

#endif
