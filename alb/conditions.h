/*
 * conditions.h -- what a rule asks of a request: the six conditions.
 *
 * Each has values of which one must fit; a rule's conditions must all hold.
 * Texts are compared as they were sent, after the percent-encoding of odd bytes:
 * nothing is decoded or normalised (but see rules_read_otherwise() in rules.h).
 *
 *   host-header          any case, without the port; wildcards or regex
 *   path-pattern         minds case, never sees the query; wildcards or regex
 *   http-request-method  exactly so, minds case
 *   source-ip            CIDR blocks; the peer, or the viewer behind it (viewer.h)
 *   http-header          any case; wildcards or regex; every field of the name in turn
 *   query-string         any case; key=value or a value alone; wildcards, \* and \?
 */
#ifndef ALB_CONDITIONS_H
#define ALB_CONDITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/span.h"
#include "http/message.h"

struct regex;
struct regex_scratch;

enum condition_kind {
    CONDITION_HOST,
    CONDITION_PATH,
    CONDITION_METHOD,
    CONDITION_SOURCE_IP,
    CONDITION_HEADER,
    CONDITION_QUERY,
};

struct condition_value {
    char *text;          /* owned; as written, without quotes. query-string: the value alone */
    char *key;           /* owned; query-string: the key, or NULL for a value alone */
    struct regex *regex; /* owned; NULL: `text` has wildcards, or none */
    struct cidr block;   /* source-ip */
};

struct condition {
    enum condition_kind kind;
    const char *setting;            /* as the file calls it: "http-header-regex" */
    char *name;                     /* owned; http-header: the field's name */
    struct condition_value *values; /* owned */
    size_t count;                   /* at least 1 */
};

/* A request as conditions look at it. */
struct condition_request {
    const struct http_message *message;
    struct span host;      /* without its port */
    struct span path;      /* the message's, or another reading of it */
    const struct ip *peer; /* or who it speaks for; of family 0 no block fits */
    struct regex_scratch *scratch;
    uint32_t left; /* of CONDITION_BUDGET */
};

/* What all conditions of all rules together may cost a request, in comparisons of a
 * character: 10 milliseconds or less. A request that uses it up cannot be routed: from then on
 * nothing holds. */
enum { CONDITION_BUDGET = 2 * 1024 * 1024 };

void condition_request_init(struct condition_request *r, const struct http_message *message,
                            const struct ip *peer, struct regex_scratch *scratch);

bool condition_holds(const struct condition *c, struct condition_request *r);

static inline bool condition_request_is_spent(const struct condition_request *r)
{
    return r->left == 0;
}

static inline void condition_request_charge(struct condition_request *r, uint64_t cost)
{
    r->left = cost < r->left ? r->left - (uint32_t)cost : 0;
}

/* The next parameter of a query: "a=1&b" is a with 1, and b with nothing; "&&" has none. False
 * at the end. */
bool condition_next_pair(struct span *query, struct span *key, struct span *value);

/* What Content-Length or Transfer-Encoding says, which is no field of a message. False: the
 * request has none, or it is another name, or it is a 0 of a GET or HEAD. */
enum { CONDITION_FRAMING_MAX = 24 };
bool condition_framing(const struct http_message *m, enum http_name id,
                       char out[CONDITION_FRAMING_MAX]);

void condition_done(struct condition *c);

/* "[::1]:80" -> "[::1]", "example.com:8080" -> "example.com" */
struct span condition_host(struct span host);

#endif
