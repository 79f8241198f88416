/*
 * ready_question.h -- what is asked at [health]: a head of the PROXY protocol, if there is one, and
 * one short request. Pure: the caller has the bytes.
 */
#ifndef ALB_READY_QUESTION_H
#define ALB_READY_QUESTION_H

#include <stddef.h>

#include "http/message.h"
#include "http/proxy_head.h"

enum {
    READY_REQUEST_MAX = 4096, /* of the request; a longer one is answered with 431 */
    READY_QUESTION_MAX = PROXY_HEAD_MAX + READY_REQUEST_MAX,
};

enum ready_question {
    READY_PARTIAL, /* more has to come */
    READY_ASKED,   /* `m` is the request */
    READY_REFUSED, /* it is no request to be answered: m->refuse_status says with what */
    READY_BAD_HEAD /* of the PROXY protocol: whoever sent it expects no HTTP */
};

/* From all bytes that have come so far; `*scanned` is 0 at first and passed again with more. In
 * how many pieces a good one comes makes no difference; nonsense is refused as soon as it shows. */
enum ready_question ready_question_read(struct span bytes, struct http_message *m, size_t *scanned);

#endif
