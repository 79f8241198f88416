/* admin_private.h -- between admin.c (connections) and admin_routes.c (answers). */
#ifndef ALB_ADMIN_PRIVATE_H
#define ALB_ADMIN_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

struct balancer;
struct http_message;

enum { ADMIN_BODY_MAX = 8 * 1024 * 1024 };

/* The Server field here, where nobody takes us for the managed balancer. */
#define ADMIN_SERVER "postern-alb"

struct admin_request {
    const struct http_message *head;
    struct span body;
    bool is_control; /* it came over the control socket */
    uint16_t port;   /* else the admin port's, for the check of Host */
};

struct admin_answer {
    int status;
    const char *type;   /* Content-Type; a literal */
    const char *fields; /* as in struct http_reply; a literal or NULL */
    struct buf body;    /* owned by whoever asked */
    uint64_t in_force;  /* true only once this publication is; 0: it is true now */
    bool is_later;      /* none yet: ask again when what is under way is in force */
};

typedef void admin_handler(struct balancer *b, const struct admin_request *request,
                           struct admin_answer *answer);

/* Find the route and run it. The answer is empty and initialised by this. */
void admin_route(struct balancer *b, const struct admin_request *request,
                 struct admin_answer *answer);

/* admin_register.c: {"target_group": G, "target": T, "weight": N}; the weight may be
 * left out, and deregister has none. */
admin_handler admin_post_register, admin_post_deregister;

#endif
