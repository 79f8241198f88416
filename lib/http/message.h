/*
 * message.h -- one request or response head, as meaning.
 *
 * The spans of a message point into the bytes that were parsed, or into the
 * message's own scratch (an encoded target, an unfolded value): both must stay
 * while it is read. The struct is large (about 90 KB): have one a thread and
 * use it again; a parse sets every field that it promises.
 *
 * Content-Length and Transfer-Encoding are never among the fields. What they
 * said is in `framing`, `has_length` and `content_length`, and is written
 * again from there (canonical.h).
 */
#ifndef HTTP_MESSAGE_H
#define HTTP_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum {
    HTTP_FIELDS_MAX = 256,
    HTTP_LINE_MAX = 16384,          /* a request line, or one field with its folds */
    HTTP_HEAD_MAX = 65536,          /* a whole request head */
    HTTP_RESPONSE_HEAD_MAX = 32768, /* a whole response head */
};

/* How well formed a request is; what to do with it depends on the mode. */
enum http_class { HTTP_COMPLIANT, HTTP_ACCEPTABLE, HTTP_AMBIGUOUS, HTTP_SEVERE };

/* routing.http.desync_mitigation_mode. */
enum http_desync_mode { HTTP_MONITOR, HTTP_DEFENSIVE, HTTP_STRICTEST };

/* The first thing that put a request into its class. */
enum http_reason {
    HTTP_R_NONE,
    /* Acceptable */
    HTTP_R_NON_COMPLIANT_HEADER,
    HTTP_R_SPACE_IN_URI,
    HTTP_R_NON_COMPLIANT_VERSION,
    HTTP_R_GET_HEAD_ZERO_CONTENT_LENGTH,
    HTTP_R_NON_CRLF_LINE_TERMINATION,
    /* Ambiguous */
    HTTP_R_EMPTY_HEADER,
    HTTP_R_AMBIGUOUS_URI,
    HTTP_R_UNDEFINED_CONTENT_LENGTH_SEMANTICS,
    HTTP_R_UNDEFINED_TRANSFER_ENCODING_SEMANTICS,
    HTTP_R_DUPLICATE_CONTENT_LENGTH,
    HTTP_R_BOTH_TE_CL_PRESENT,
    HTTP_R_SUSPICIOUS_HEADER,
    HTTP_R_MULTILINE_HEADER,
    HTTP_R_PARTIAL_HEADER_LINE,
    HTTP_R_MISSING_LAST_EMPTY_LINE,
    HTTP_R_MISSING_HEADER_COLON,
    HTTP_R_MISSING_URI,
    /* Severe */
    HTTP_R_BAD_HEADER,
    HTTP_R_BAD_URI,
    HTTP_R_BAD_METHOD,
    HTTP_R_BAD_VERSION,
    HTTP_R_BAD_CONTENT_LENGTH,
    HTTP_R_MULTIPLE_CONTENT_LENGTH,
    HTTP_R_BAD_TRANSFER_ENCODING,
    HTTP_R_MULTIPLE_TRANSFER_ENCODING_CHUNKED,
    HTTP_REASONS
};

/* As the access log has them: "Ambiguous", "BothTeClPresent"; "-" for
 * HTTP_COMPLIANT and HTTP_R_NONE. */
const char *http_class_name(enum http_class c);
const char *http_reason_name(enum http_reason r);
enum http_class http_reason_class(enum http_reason r);

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_PATCH,
    HTTP_CONNECT,
    HTTP_TRACE,
    HTTP_METHOD_OTHER,
};

enum http_method http_method_of(struct span name);

/* The fields that something here or above looks at. */
enum http_name {
    HTTP_N_OTHER,
    HTTP_N_HOST,
    HTTP_N_CONNECTION,
    HTTP_N_CONTENT_LENGTH,
    HTTP_N_TRANSFER_ENCODING,
    HTTP_N_UPGRADE,
    HTTP_N_EXPECT,
    HTTP_N_COOKIE,
    HTTP_N_SET_COOKIE,
    HTTP_N_FORWARDED,
    HTTP_N_X_FORWARDED_FOR,
    HTTP_N_X_FORWARDED_PROTO,
    HTTP_N_X_FORWARDED_PORT,
    HTTP_N_X_FORWARDED_HOST,
    HTTP_N_X_AMZN_TRACE_ID,
    HTTP_N_X_AMZN_TLS_VERSION,
    HTTP_N_X_AMZN_TLS_CIPHER_SUITE,
    HTTP_N_X_AMZN_MTLS_CLIENTCERT,
    HTTP_N_X_AMZN_MTLS_CLIENTCERT_SERIAL_NUMBER,
    HTTP_N_X_AMZN_MTLS_CLIENTCERT_ISSUER,
    HTTP_N_X_AMZN_MTLS_CLIENTCERT_SUBJECT,
    HTTP_N_X_AMZN_MTLS_CLIENTCERT_VALIDITY,
    HTTP_N_X_AMZN_MTLS_CLIENTCERT_LEAF,
    HTTP_N_SEC_WEBSOCKET_KEY,
    HTTP_N_SEC_WEBSOCKET_VERSION,
    HTTP_N_SEC_WEBSOCKET_PROTOCOL,
    HTTP_N_SEC_WEBSOCKET_EXTENSIONS,
    HTTP_N_SEC_WEBSOCKET_ACCEPT,
    HTTP_N_USER_AGENT,
    HTTP_N_VIA,
    HTTP_N_SERVER,
    HTTP_N_DATE,
    HTTP_N_KEEP_ALIVE,
    HTTP_N_PROXY_CONNECTION,
    HTTP_N_PROXY_AUTHENTICATE,
    HTTP_N_PROXY_AUTHORIZATION,
    HTTP_N_TE,
    HTTP_N_TRAILER,
    HTTP_N_HTTP2_SETTINGS,
    HTTP_N_AUTHORIZATION,
    HTTP_N_ORIGIN,
    HTTP_N_LOCATION,
    HTTP_N_RETRY_AFTER,
    HTTP_N_CONTENT_TYPE,
    HTTP_N_CACHE_CONTROL,
    HTTP_N_COUNT,
};

enum http_name http_name_of(struct span name);

/* As it is usually written: "Sec-WebSocket-Key". HTTP_N_OTHER has "". */
struct span http_name_text(enum http_name id);

/* Equal when only letters, digits and their look-alikes count, in any case:
 * "X_Client.Cert" and "X-Client-Cert", which are one variable to many programs. */
bool http_name_is_alike(struct span name, struct span other);

/* The name of a field that matters (to framing, routing, trust or the
 * connection) in a disguise that some server would read as that field:
 * "Transfer_Encoding", "Host ", "X.Forwarded.For", "Content--Length", and any name
 * that goes on after "Transfer-Encoding". HTTP_N_OTHER when it is none, or when
 * it is the genuine name. */
enum http_name http_name_disguised(struct span name);

/* [-A-Za-z0-9]+: what the managed balancer calls a valid name. */
bool http_is_plain_name(struct span name);

struct http_field {
    struct span name, value; /* the value without blanks around it */
    enum http_name id;
    bool is_listed; /* http_find_listed(); unset unless names_fields */
    bool is_folded; /* went over several lines, which are one here: others may read it otherwise */
};

enum http_framing {
    HTTP_BODY_NONE,
    HTTP_BODY_LENGTH, /* content_length bytes, which may be 0 */
    HTTP_BODY_CHUNKED,
    HTTP_BODY_UNTIL_CLOSE, /* responses only */
};

struct http_message {
    /* Requests. `target` is what was asked for with odd bytes percent-encoded,
     * in whatever form it came; `path` and `query` are its parts, and what is
     * written again. An absolute form without a path has "/" here. */
    enum http_method method_id;
    struct span method;
    struct span target, path, query; /* the query without its '?' */
    bool has_query;
    struct span authority; /* of an absolute form, else empty */
    struct span host;      /* the authority, else the first Host; empty only in HTTP/1.0 */
    bool expect_continue;  /* Expect: 100-continue, in HTTP/1.1 */
    bool wants_upgrade;    /* an Upgrade field, and Connection lists it */
    bool is_websocket;     /* wants_upgrade lists websocket, GET, HTTP/1.1 */

    /* Responses. A 101 has `wants_upgrade` when it lists Upgrade in Connection. */
    int status;                /* 100-999 */
    struct span reason_phrase; /* may be empty */

    /* Both. */
    int minor;           /* 0 or 1: HTTP/1.0 or HTTP/1.1, which 1.2 to 1.9 are read as */
    int minor_said;      /* 0 to 9, of a request */
    struct span upgrade; /* the first Upgrade field, or empty */
    bool keep_alive;     /* what Connection and the version ask for */
    bool names_fields;   /* Connection lists more than close, keep-alive, upgrade */
    bool has_length;     /* Content-Length is to be written (also to HEAD, in a 304) */
    enum http_framing framing;
    uint64_t content_length; /* 0 unless has_length */
    size_t head_len;         /* bytes of input that the head took */

    enum http_class class_;
    enum http_reason reason;
    bool must_close;         /* an Ambiguous one, and the mode is not monitor: nothing
                              * behind it may be read, and both connections end after it */
    bool must_not_reuse;     /* a body that this method hardly has: the target may have
                              * another idea of its end, so that connection ends */
    uint32_t dropped_fields; /* left out: no token, control characters, a disguise */
    uint32_t invalid_names;  /* fields without a plain name, be they left out or not */

    /* HTTP_REFUSED only: the status to answer with and a sentence (a literal).
     * head_len is all of the input then when the head had no end. */
    int refuse_status;
    const char *refuse_why;

    size_t field_count;
    size_t scratch_used;
    struct http_field fields[HTTP_FIELDS_MAX];
    char scratch[HTTP_HEAD_MAX + HTTP_LINE_MAX];
};

/* Can a log say what was asked? Also of a request that was refused for what it wants (405,
 * 417, 501) and not for how it is written. */
bool http_is_understood(const struct http_message *m);

/* The first field of that name, or NULL; and the next one after `at`. */
const struct http_field *http_find(const struct http_message *m, enum http_name id);
const struct http_field *http_find_next(const struct http_message *m, const struct http_field *at);

/* Take out the fields of a request that have no plain name
 * (routing.http.drop_invalid_header_fields.enabled). */
void http_drop_invalid_names(struct http_message *m);

/* By name, any case. `at` is NULL for the first. */
const struct http_field *http_find_named(const struct http_message *m, struct span name,
                                         const struct http_field *at);

/* The value of the first such field, empty when there is none. */
struct span http_value(const struct http_message *m, enum http_name id);

/* Is the token in this comma-separated list, any case (RFC 9110 5.6.1)? And
 * in any field of that name? */
bool http_list_has(struct span value, struct span token);
bool http_field_lists(const struct http_message *m, enum http_name id, struct span token);

/* Fields that speak of one connection and are never forwarded: Connection,
 * Keep-Alive, Proxy-*, TE, Trailer, Transfer-Encoding, Upgrade, HTTP2-Settings. */
bool http_is_hop_by_hop(enum http_name id);

/* False for a field that a client must not be able to take out by listing it in Connection:
 * Host, Cookie, Authorization, Content-*, Forwarded, X-Forwarded-*, Via, X-Amzn-*,
 * Sec-WebSocket-* and the like (Traefik CVE-2024-45410). */
bool http_may_be_listed(struct span name);

/* Set is_listed of all fields of a message with names_fields: the sender lists this one in
 * Connection and so wants it taken out on the way, and may. Once for a head, in time
 * proportional to it: a list may have tens of thousands of entries. */
void http_find_listed(struct http_message *m);

static inline bool http_is_listed(const struct http_message *m, const struct http_field *f)
{
    return m->names_fields && f->is_listed;
}

/* RFC 9110 5.6.2: at least one tchar and nothing else. */
bool http_is_token(struct span text);

/* A field value that may be sent: no control character but HTAB. */
bool http_is_value(struct span text);

/* uri-host [":" port] without userinfo, not empty. */
bool http_is_host(struct span text);

#endif
