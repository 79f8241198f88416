/* admin_private.h -- between admin.c (connections) and admin_routes.c (answers). */
#ifndef ALB_ADMIN_PRIVATE_H
#define ALB_ADMIN_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct balancer;
struct http_message;

enum { ADMIN_BODY_MAX = 8 * 1024 * 1024 };

struct admin_answer {
    int status;
    const char *type;      /* Content-Type; a literal */
    const char *fields;    /* as in struct http_reply; a literal or NULL */
    struct buf body;       /* owned by whoever asked */
    bool after_publishing; /* true only once every loop has the new configuration */
};

/* Find the route and run it. `is_control`: it came over the control socket;
 * else `port` is the admin port, for the check of Host. The answer is empty and
 * initialised by this. */
void admin_route(struct balancer *b, const struct http_message *request, bool is_control,
                 uint16_t port, struct admin_answer *answer);

#endif
