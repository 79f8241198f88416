/* explain_private.h -- what explain.c (what is asked), explain_print.c (what comes of it)
 * and explain_hash.c (whose a key is) share. */
#ifndef ALB_EXPLAIN_PRIVATE_H
#define ALB_EXPLAIN_PRIVATE_H

#include <stdbool.h>

#include "http/message.h"

#include "alb/access_log.h"
#include "alb/config.h"
#include "alb/edge_secret.h"

struct explanation {
    const char *file;
    const struct config *config;
    const struct listener_config *listener;
    const char *listener_why; /* how it was chosen, in words */
    struct http_message *message;
    struct access_client client; /* its address, and what it says of the viewer */
    bool has_peer;               /* --from was said */
    bool viewer_is_readable;     /* what is said there */
    enum secret_verdict secret;  /* if the configuration asks for one */
};

/* Print all of it. True when a rule or the default answers. */
bool explain_print(const struct explanation *x);

/* Whose the request's key is, of the group's targets in the file. */
void explain_print_hash(const struct explanation *x, const struct group_config *g);

/* For a request that the parser refuses. */
void explain_print_refused(const struct explanation *x);

#endif
