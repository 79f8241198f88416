/*
 * upgrade_case.h -- one request that asked for a WebSocket, and what became of it.
 *
 * Made when it is known where the request goes, in one block; filled in as it goes on;
 * kept (upgrade_ring.h) when it failed.
 */
#ifndef ALB_UPGRADE_CASE_H
#define ALB_UPGRADE_CASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/ip.h"

#include "alb/upgrade_failures.h"

struct access_client;
struct http_message;
struct listener;
struct route;
struct target_key;
struct upgrade_signs;

struct upgrade_case {
    uint64_t when_us; /* wall clock: when it came */
    uint64_t id[2];   /* conn_trace_id of the client's connection */
    const struct listener *listener;
    struct target_key *target; /* a reference: the last that was tried; or NULL */
    const char *detail;        /* a literal, or in the block; or NULL */
    const char *group;         /* "" when none was chosen; in the block, as the next two */
    const char *host, *path;   /* as asked, cut; the path without its query */
    int32_t rule;              /* its priority, 0: the default; ACCESS_RULE_NONE, _ERROR */
    struct ip client;
    uint16_t port;
    uint16_t status, target_status; /* what the client got, what the target said; 0: nothing */
    uint32_t retry_after_s;         /* 0: nothing is said of that */
    uint8_t failure;                /* enum upgrade_failure; of one that runs, what it will be if
                                     * it gets any answer, or UPGRADE_FINE */
    bool behind_edge;               /* it has Via or X-Amz-Cf-Id */
    uint8_t misses;                 /* enum rules_miss; as in struct upgrade_symptoms */
    bool offers_protocol;           /* it has Sec-WebSocket-Protocol */
};

/* Does it ask for a WebSocket by any sign: Upgrade: websocket, some Sec-WebSocket-* field, or
 * upgrade in Connection without another protocol in Upgrade? */
bool upgrade_is_asked(const struct http_message *m);

/* `route` is NULL when no rule was looked for. */
struct upgrade_case *upgrade_case_new(const struct access_client *client,
                                      const struct listener *listener, const struct http_message *m,
                                      const struct route *route, uint64_t wall_us);
/* Of a head that was refused. */
struct upgrade_case *upgrade_case_unread(const struct access_client *client,
                                         const struct listener *listener,
                                         const struct upgrade_signs *signs, uint64_t wall_us);
void upgrade_case_free(struct upgrade_case **c); /* NULL is fine */

/* With these texts, copied and cut, and all else as it is there; takes over its target. */
struct upgrade_case_texts {
    struct span host, path, group, detail; /* empty: no detail */
};
struct upgrade_case *upgrade_case_of(const struct upgrade_case *facts,
                                     const struct upgrade_case_texts *texts);

struct upgrade_symptoms upgrade_case_symptoms(const struct upgrade_case *c);

/* As a JSON object; false when there is no room. */
bool upgrade_case_put(struct buf *to, const struct upgrade_case *c);

#endif
