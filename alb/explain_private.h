/* explain_private.h -- what explain.c (what is asked) and explain_print.c (what comes
 * of it) share. */
#ifndef ALB_EXPLAIN_PRIVATE_H
#define ALB_EXPLAIN_PRIVATE_H

#include <stdbool.h>

#include "base/ip.h"
#include "http/message.h"

#include "alb/config.h"

struct explanation {
    const char *file;
    const struct config *config;
    const struct listener_config *listener;
    const char *listener_why; /* how it was chosen, in words */
    struct http_message *message;
    struct ip peer;
    bool has_peer; /* --from was said */
};

/* Print all of it. True when a rule or the default answers. */
bool explain_print(const struct explanation *x);

/* For a request that the parser refuses. */
void explain_print_refused(const struct explanation *x);

#endif
