/* admin_private.h -- between admin_conn.c (connections) and admin_routes.c (answers). */
#ifndef ALB_ADMIN_PRIVATE_H
#define ALB_ADMIN_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

struct audit_entry;
struct balancer;
struct caller;
struct http_message;
struct json_t;
struct order_answer;
struct reload_order;

enum { ADMIN_BODY_MAX = 16 * 1024 * 1024 };

/* The Server field here, where nobody takes us for the managed balancer. */
#define ADMIN_SERVER "postern-alb"

struct admin_request {
    const struct http_message *head;
    struct span body;
    const struct caller *caller;
    struct audit_entry *audit; /* of the change that it asks for; the asker ends it */
    uint16_t port;             /* the admin port's, for the check of Host */
};

struct admin_pending;

struct admin_answer {
    int status;
    const char *type;              /* Content-Type; a literal */
    const char *fields;            /* as in struct http_reply; a literal or NULL */
    struct buf body;               /* owned by whoever asked */
    uint64_t in_force;             /* true only once this publication is; 0: it is true now */
    bool is_later;                 /* none yet: ask again when what is under way is in force */
    struct admin_pending *pending; /* none yet, but on its way; else NULL. Owned as the body */
};

/* An answer that takes more than a turn. Whoever makes it embeds this, and calls `ready` once,
 * from a turn of its own; then `finish` fills in the answer, which is empty and initialised. */
struct admin_pending {
    void (*finish)(struct admin_pending *p, struct admin_answer *answer); /* frees it */
    void (*give_up)(struct admin_pending *p);                             /* instead; the same */
    void (*ready)(void *user);                                            /* set by who asked */
    void *user;
};

typedef void admin_handler(struct balancer *b, const struct admin_request *request,
                           struct admin_answer *answer);

/* Find the route and run it. The answer is empty and initialised by this, its body by
 * admin_answer_init() as well. */
void admin_route(struct balancer *b, const struct admin_request *request,
                 struct admin_answer *answer);

void admin_answer_init(struct admin_answer *answer);

/* admin_register.c: {"target_group": G, "target": T, "weight": N}; the weight may be
 * left out, and deregister has none. */
admin_handler admin_post_register, admin_post_deregister;

/* admin_edge.c: who may connect, who may not; {"block": CIDR, "for": TIME}, {"block": CIDR}. */
admin_handler admin_get_edge, admin_get_refused, admin_get_edge_check;
admin_handler admin_post_edge_add, admin_post_edge_remove;

/* admin_upgrades.c: those that failed last. */
admin_handler admin_get_failed_upgrades;

/* The answer is this JSON, which is taken. */
void admin_answer_json(struct admin_answer *a, int status, struct json_t *json);

/* For a page without parameters: true when there are some, and that was answered. */
bool admin_refuses_query(const struct admin_request *r, struct admin_answer *a);

/* What an order has come to, as JSON; the caller may add to it. */
struct json_t *admin_order_json(const struct order_answer *order);

/* admin_tunnels.c: live ones, and those that ended last. */
admin_handler admin_get_tunnels, admin_get_closed;
/* admin_upgrade.c: {"binary": PATH}, or no body. */
admin_handler admin_post_upgrade;

/* admin_drain.c: {"target_group": G, "target": T}, {"target_group": G} or {"all": true}. */
admin_handler admin_post_drain, admin_post_undrain;

/* admin_reload.c: POST /reload?dry_run=1. */
void admin_dry_run(struct balancer *b, const struct reload_order *order, struct admin_answer *a);

#endif
