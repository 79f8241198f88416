/*
 * transform.h -- host-header-rewrite and url-rewrite: what a rule changes in a
 * request before it is forwarded.
 *
 * The rule is chosen already; rules are not tried again. The first match of the
 * regex is replaced, with $0 to $9 for what its groups matched and $$ for a '$';
 * what stands around it stays. url-rewrite sees the path and the query
 * ("/a?b=c"), host-header-rewrite the host without its port, which stays unless the
 * replacement brings one.
 */
#ifndef ALB_TRANSFORM_H
#define ALB_TRANSFORM_H

#include <stdbool.h>

#include "http/message.h"

struct regex;
struct regex_scratch;
struct route;
struct rule;

enum { REWRITE_TEXT_MAX = 1024 }; /* regex and replacement, each */

struct rewrite {
    char *text; /* owned; as the file has it */
    struct regex *regex;
    char *replacement; /* owned */
};

/* NULL with a sentence in `why`. `is_host`: the replacement makes a host. */
struct rewrite *rewrite_new(const char *regex, const char *replacement, bool is_host, char *why,
                            size_t why_size);
void rewrite_free(struct rewrite **rewrite);

/* Where the new texts are kept while a request is read: one a thread. */
struct transform_texts {
    char host[512];
    char uri[HTTP_LINE_MAX];
};

/* Apply the rule's transforms to the message and tell the route what came of it.
 * False: one matched, but its result cannot be sent; answer 500. */
bool transform_apply(const struct rule *rule, struct http_message *m, bool strictest,
                     struct regex_scratch *scratch, struct transform_texts *texts,
                     struct route *route);

#endif
