/*
 * remote_answer.h -- what a command is answered, as it comes in. Pure.
 *
 * It is known to be whole by its Content-Length, so that nobody who keeps the connection open is
 * waited for; and to be too large as soon as its head says so.
 */
#ifndef ALB_REMOTE_ANSWER_H
#define ALB_REMOTE_ANSWER_H

#include "base/buf.h"
#include "base/span.h"

/* alb answers no more (ADMIN_BODY_MAX). */
enum { REMOTE_BODY_MAX = 16 * 1024 * 1024 };

struct http_message;

struct remote_answer {
    struct buf bytes;          /* as they come: add to it, then remote_answer_look() */
    struct http_message *head; /* owned; scratch */
    size_t scanned, whole;     /* `whole`: bytes of all of it; 0: not known yet */
    int status;                /* once it is whole */
    struct span body;          /* then; within `bytes` */
};

enum remote_look {
    REMOTE_PART,     /* more has to come */
    REMOTE_WHOLE,    /* status and body are there; what is behind it is ignored */
    REMOTE_TOO_MUCH, /* it says that more than REMOTE_BODY_MAX are to come */
    REMOTE_NONSENSE, /* no answer of alb */
};

void remote_answer_init(struct remote_answer *a);
void remote_answer_done(struct remote_answer *a);

/* After bytes were added. Not again after another outcome than REMOTE_PART. */
enum remote_look remote_answer_look(struct remote_answer *a);

#endif
