/*
 * handing_record.h -- what two processes say to each other (handing.h), as structs: how each is put
 * into a message, and how it is read.
 *
 * One table for each, for both directions. What is read comes from another process, maybe of
 * another version: a reader returns false when that makes no sense, takes nothing beyond the bytes,
 * and what it returns true for is in its bounds. Pure: no sockets, no balancer. Spans that were
 * read are in the bytes of the message.
 */
#ifndef ALB_HANDING_RECORD_H
#define ALB_HANDING_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "net/addr.h"

#include "alb/announced.h"

/* HELLO and READY, whose records are the message itself. */
struct handing_hello {
    uint64_t version; /* 0: it has not said */
    uint64_t takes;   /* a sum of enum TAKES_... */
    uint64_t pid;     /* of READY; 0: that of the process that was started */
};
bool handing_put_hello(struct buf *to, const struct handing_hello *hello);
bool handing_read_hello(struct span bytes, struct handing_hello *hello);

/* HELLO_UNWANTED. */
struct handing_unwanted {
    struct addr bound;
    uint32_t protocol; /* enum protocol; UINT32_MAX: none was said */
};
bool handing_put_unwanted(struct buf *to, const struct handing_unwanted *unwanted);
bool handing_read_unwanted(struct span bytes, struct handing_unwanted *unwanted);

/* SOCKETS_LISTENER. */
struct handing_listener {
    struct span name, bind;
    uint32_t protocol; /* enum protocol */
    struct addr bound;
    uint64_t sockets; /* how many descriptors it takes: at most HANDOVER_FDS_MAX */
};
bool handing_put_listener(struct buf *to, const struct handing_listener *listener);
bool handing_read_listener(struct span bytes, struct handing_listener *listener);

/* SOCKETS_ADMIN, SOCKETS_CONTROL. */
bool handing_read_door(struct span bytes, struct addr *bound);

/* STATE_FILTER. */
struct handing_filter {
    uint32_t kind;    /* enum filter_kind, or nothing that is known here */
    uint32_t version; /* EDGE_FILTER_VERSION */
    uint64_t first;   /* of EDGE_FILTER_FDS descriptors of the message; they may not be there */
};
bool handing_put_filter(struct buf *to, const struct handing_filter *filter);
bool handing_read_filter(struct span bytes, struct handing_filter *filter);

/* STATE_TARGET. */
struct handing_target {
    struct span group, text;
    uint32_t state; /* enum target_state, or nothing that is known here */
    uint64_t ramp_began_ms;
    struct addr addr; /* of one whose deregistration delay runs; else its length is 0 */
    uint32_t delay_ms;
    bool is_drained; /* by command, for so long yet */
    uint32_t drain_ms;
    uint64_t page; /* which descriptor of the message; UINT64_MAX: none */
};
bool handing_put_target(struct buf *to, const struct handing_target *target);
bool handing_read_target(struct span bytes, struct handing_target *target);

/* MOVE_CLIENT. */
struct handing_client {
    struct span name, bind; /* of its listener */
    struct addr bound;
    uint64_t id[2];
    uint64_t accepted_us;
    struct addr peer;
    struct announced announced; /* empty when nothing was */
};
bool handing_put_client(struct buf *to, const struct handing_client *client);
bool handing_read_client(struct span bytes, struct handing_client *client);

/* REPORT_PROCESS. */
struct handing_process {
    uint32_t pid;
    uint64_t left_us; /* wall clock: when another one had taken over */
    uint32_t connections, tunnels;
};
bool handing_put_process(struct buf *to, const struct handing_process *process);
bool handing_read_process(struct span bytes, struct handing_process *process);

/* REPORT_TARGET. */
struct handing_elsewhere {
    struct span group, text;
    uint32_t outstanding, tunnels, untold;
    uint64_t connections;
};
bool handing_put_elsewhere(struct buf *to, const struct handing_elsewhere *elsewhere);
bool handing_read_elsewhere(struct span bytes, struct handing_elsewhere *elsewhere);

/* ORDER_UNDRAIN, and each DRAIN_TARGET of an ORDER_DRAIN. */
struct handing_subject {
    struct span group, text;
};
bool handing_put_subject(struct buf *to, uint16_t type, const struct handing_subject *subject);
bool handing_read_subject(struct span bytes, struct handing_subject *subject);

/* ORDER_DRAIN, but for its targets: those are records of the same level. */
struct handing_drain {
    uint32_t cause; /* enum drain_cause: of one that is given by an order */
    uint32_t delay_ms;
    uint32_t rate;  /* a second, at most PACE_RATE_MAX; 0: auto */
    uint32_t order; /* enum drain_order */
    uint8_t is_cut; /* nobody is told */
};
bool handing_put_drain(struct buf *to, const struct handing_drain *drain);
bool handing_read_drain(struct span bytes, struct handing_drain *drain);

/* The next target of one, of which `left` is what is left. */
bool handing_next_drained(struct span *left, struct handing_subject *subject);

/* ASK, whose records are the message itself. */
struct handing_ask {
    uint64_t number; /* not 0 */
    struct span query;
};
bool handing_put_ask(struct buf *to, const struct handing_ask *ask);
bool handing_read_ask(struct span bytes, struct handing_ask *ask);

/* LISTED, but for its rows: those are records of the same level. */
struct handing_listed {
    uint64_t number, seen, matched, missing;
};
bool handing_put_listed(struct buf *to, const struct handing_listed *listed);
bool handing_read_listed(struct span bytes, struct handing_listed *listed);

#endif
