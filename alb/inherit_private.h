/* inherit_private.h -- between inherit.c (the start), inherit_sockets.c, inherit_state.c,
 * inherit_take.c (connections), inherit_past.c (what has been), inherit_report.c (what is still
 * there), inherit_list.c and inherit_order.c. */
#ifndef ALB_INHERIT_PRIVATE_H
#define ALB_INHERIT_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "net/addr.h"
#include "net/handover.h"

#include "alb/inherit.h"
#include "alb/inherit_sockets.h"
#include "alb/inherit_state.h"
#include "alb/past_record.h"
#include "alb/worker.h"

enum { ELDERS_MAX = 64 };

struct inherit {
    struct balancer *balancer;
    struct handover *link; /* NULL once the old process is gone */
    uint64_t version;      /* that the old one speaks; 0: it has not said yet */
    uint64_t takes;        /* a sum of enum TAKES_... */
    struct inherited_sockets sockets;
    struct inherited_state state;
    int page;      /* while a target is told: of the pace of its drain; -1 */
    bool has_left; /* it has told what it still has: it serves no more */
    int waiting;   /* loops that may not listen yet */
    bool is_gone, is_bad, is_ready;
    bool is_called_off; /* it stops as soon as it could serve */
    struct elder elders[ELDERS_MAX];
    size_t elder_count;

    /* The batch that was TAKEN and waits for its GO. */
    struct tunnel *tunnels[HANDOVER_FDS_MAX];
    struct arrival *clients[HANDOVER_FDS_MAX];
    size_t tunnel_count, client_count;
};

/* The listener that something belonged to. */
struct inherited_from {
    const char *name, *bind;
    int protocol;
    struct addr bound;
};

/* One that this configuration does not have is made, and closed: its clients get what those of a
 * removed listener get. */
struct listener *inherit_origin(struct balancer *b, const struct inherited_from *from);

/* PAST. */
void inherit_past(struct inherit *in, struct span bytes);

/* REPORT, and that there will be no more. */
void inherit_report(struct inherit *in, struct span bytes);
void inherit_forget_report(struct inherit *in);

/* LISTED. */
void inherit_listed(struct inherit *in, struct span bytes);

/* For past_record.h: whom it names. The key is a reference, NULL when no target is named. */
const struct listener *inherit_listener_of(struct balancer *b, const struct past_names *names);
struct target_key *inherit_key_of(struct balancer *b, const struct past_names *names);

/* MOVE and GO. */
void inherit_take(struct inherit *in, struct handover_message *m);

/* The GO will not come: what was taken is the old process's. */
void inherit_drop_batch(struct inherit *in);

#endif
