/*
 * access_log.h -- one row per exchange, in the managed balancer's field order.
 *
 * While an exchange runs, what the row will need is gathered in an entry: one
 * allocation of exactly the size, its texts cut at ACCESS_TEXT_MAX. At the end
 * the row goes to the loop's buffer, which is handed to the control thread when
 * it is large or a moment old; a loop never waits for a disk. When the control
 * thread cannot take more, rows are dropped and counted.
 */
#ifndef ALB_ACCESS_LOG_H
#define ALB_ACCESS_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/ip.h"
#include "net/wheel.h"

struct client_cert_text;
struct http_message;
struct route;
struct target;
struct worker;

enum { ACCESS_TEXT_MAX = 1024, ACCESS_CHUNK_BYTES = 32 * 1024, ACCESS_CHUNK_MS = 200 };

/* Facts about the client's connection that every row repeats. */
struct access_client {
    struct ip ip;
    uint16_t port;
    uint16_t listener_port;
    bool is_https;
    const char *cipher, *protocol, *sni; /* NULL or "" without TLS; live as long as it does */
    bool resumed;
    const struct client_cert_text *certificate; /* NULL without one; lives as long (headers.h) */
    uint64_t conn_id[2];                        /* conn_trace_id */
};

enum access_action { ACCESS_NONE, ACCESS_FORWARD, ACCESS_REDIRECT, ACCESS_FIXED_RESPONSE };

struct access_entry {
    uint64_t created_us;    /* the head was complete */
    uint64_t dispatched_us; /* the request went to the target; 0: never */
    uint64_t answered_us;   /* the target's head came; 0: never */
    uint64_t received, sent;
    uint16_t elb_status, target_status; /* 0: none */
    int32_t rule_priority;              /* -1: none */
    uint8_t action;                     /* enum access_action */
    uint8_t class_;                     /* enum http_class */
    uint8_t reason;                     /* enum http_reason */
    bool is_websocket, is_https, is_resumed;
    struct target *target;  /* a reference, or NULL */
    const char *transform;  /* request_transform_status, a literal or NULL */
    const char *end;        /* why it ended, for our own fields; a literal or NULL */
    uint16_t close_code[2]; /* of a tunnel: from the client, from the target */
    uint32_t frames[2];
    char texts[]; /* eleven C strings, one behind the other: access_log.c */
};

/* `m` is the request; of one that was refused only the class is told, and of
 * NULL nothing. `route` is NULL when it did not come so far as to the rules.
 * `trace` is the X-Amzn-Trace-Id that went to the target, or "". */
struct access_entry *access_entry_new(const struct access_client *client,
                                      const struct http_message *m, const struct route *route,
                                      const char *trace);
void access_entry_free(struct access_entry **entry);

struct access_buffer {
    struct buf rows;
    uint32_t count; /* of the rows in it */
    struct wheel_timer timer;
};

void access_buffer_init(struct access_buffer *b);
void access_buffer_done(struct access_buffer *b);

/* Write the row for this entry and free it. NULL is fine. */
void access_log_row(struct worker *w, struct access_entry **entry);

/* Hand over what is gathered. */
void access_log_flush(struct worker *w);

/* --- the control thread's side: the file ---------------------------------- */

struct access_file {
    char *path; /* owned; "" when off, "-" for standard output */
    int fd;     /* -1 when closed */
};

void access_file_init(struct access_file *f);
void access_file_done(struct access_file *f);

/* Open, or open again after it was moved away. False with a sentence. */
bool access_file_open(struct access_file *f, const char *path, char *why, size_t why_size);

void access_file_write(struct access_file *f, struct span rows);

#endif
