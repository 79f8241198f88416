/*
 * access_log.h -- one row per exchange, in the managed balancer's field order.
 *
 * While an exchange runs, what the row will need is gathered in an entry: one block,
 * with one copy of each text (the request's bytes are gone by the time the row is
 * written). In the managed balancer's form, what a request says stands together in a
 * row: the copies are made in that form, with what is between them. At the end the row
 * is formatted into the loop's buffer (log_buffer.h), from where the file's own thread
 * takes it.
 */
#ifndef ALB_ACCESS_LOG_H
#define ALB_ACCESS_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/span.h"

#include "alb/announced.h"
#include "alb/log_put.h"
#include "alb/viewer_text.h"

struct tls_peer_cert;
struct http_message;
struct route;
struct target;
struct worker;

enum {
    ACCESS_AGENT_MAX = 8192,  /* a user agent is cut there, as the managed balancer does */
    ACCESS_TUNNEL_MAX = 1024, /* each text of a tunnel's entry, which may live for days */
};

/* Facts about the client's connection that every row repeats. */
struct access_client {
    struct ip ip, local; /* local: the address of ours that it connected to */
    uint16_t port;
    uint16_t listener_port;
    bool is_https;
    const char *cipher, *protocol, *sni; /* NULL or "" without TLS; live as long as it does */
    const char *chosen_cert; /* its file as configured; NULL or "" as those; of a resumed one too */
    bool resumed;
    const struct tls_peer_cert *certificate; /* NULL without one; lives as long */
    uint64_t conn_id[2];                     /* conn_trace_id */
    struct announced announced;              /* by whom `ip` and `port` are; or by nobody */

    /* Of the request that it has now, by viewer_learn() (viewer.h). */
    bool is_believed;     /* what the peer says of the viewer */
    uint8_t viewer_proto; /* enum viewer_proto */
    struct viewer viewer;

    /* What every row of the connection has, written for the first: the peer with its
     * port, the address of ours, conn_trace_id. Empty before. Behind each are LOG_PAD
     * bytes that may be read. */
    uint8_t peer_len, node_len, id_len;
    char peer[IP_TEXT_MAX + 8], node[IP_TEXT_MAX], id[36 + LOG_PAD];
};

enum access_action { ACCESS_NONE, ACCESS_FORWARD, ACCESS_REDIRECT, ACCESS_FIXED_RESPONSE };

/* The texts of an entry, as they came. */
enum access_text {
    ACCESS_METHOD, /* empty when the request was not understood */
    ACCESS_HOST,
    ACCESS_TARGET, /* as the request line had it: a path or an absolute form */
    ACCESS_AGENT,
    ACCESS_TRACE,
    ACCESS_GROUP,
    ACCESS_REDIRECT_URL,
    ACCESS_TRANSFORMED_HOST,
    ACCESS_TRANSFORMED_URI,
    ACCESS_TEXTS
};

/* No rule was looked for; to find one failed. */
enum { ACCESS_RULE_NONE = -1, ACCESS_RULE_ERROR = -2 };

struct access_entry {
    const struct access_client *client; /* borrowed; owned by the entry of a tunnel */
    uint64_t created_wall_us;           /* the head was complete */
    /* By loop_mono_us(), so that a clock that is set changes nothing: */
    uint64_t created_us;    /* the same moment */
    uint64_t dispatched_us; /* the request went to the target; 0: never */
    uint64_t answered_us;   /* the target's head came; 0: never */
    uint64_t begun_us;      /* the response began to go to the client; 0: when it was answered */
    uint64_t received, sent;
    uint16_t elb_status, target_status; /* 0: none */
    int32_t rule_priority;              /* 0: the default; or one of the next two */
    uint8_t action;                     /* enum access_action */
    uint8_t class_;                     /* enum http_class */
    uint8_t reason;                     /* enum http_reason */
    uint8_t minor;                      /* of the HTTP version, as it was said */
    bool is_absolute;                   /* ACCESS_TARGET has the host */
    bool is_websocket, is_spare, owns_client;
    struct target *target;  /* a reference, or NULL */
    const char *transform;  /* request_transform_status, a literal or NULL */
    const char *error;      /* error_reason, a literal or NULL */
    const char *end;        /* why it ended, for our own fields; a literal or NULL */
    uint16_t close_code[2]; /* of a tunnel: from the client, from the target */
    uint32_t frames[2];
    uint32_t texts_len; /* bytes of `texts`; of a new one those of its texts */
    uint32_t ahead_len; /* so many of them are a part of the row (access_row_ahead()); or 0 */
    struct span text[ACCESS_TEXTS]; /* in `texts` */
    char texts[];                   /* and LOG_PAD bytes that mean nothing */
};

/* NULL when the log is off. The client must stay, unless access_entry_shrink() is
 * called. `m` is the request; of one that is not http_is_understood() only the class is
 * told, and of NULL nothing. `route` is NULL when it did not come so far as to the
 * rules. `trace` is the X-Amzn-Trace-Id that went to the target, or would have, or empty. */
struct access_entry *access_entry_new(struct worker *w, struct access_client *client,
                                      const struct http_message *m, const struct route *route,
                                      struct span trace);

/* It goes into a tunnel: make it as small as it can be, texts cut with a mark. */
void access_entry_shrink(struct worker *w, struct access_entry **entry);

/* A tunnel's entry with these numbers (and the pointers beside them) and texts. */
struct access_entry *access_entry_of(const struct access_entry *numbers,
                                     const struct span texts[ACCESS_TEXTS]);

/* Without a row: it goes on elsewhere. NULL is fine. */
void access_entry_free(struct worker *w, struct access_entry **entry);

/* Write the row for this entry and free it. NULL is fine. */
void access_log_row(struct worker *w, struct access_entry **entry);

#endif
