/*
 * refuse.h -- what a client is told when its upgrade fails: the reason's name,
 * one sentence of cause and one of cure.
 */
#ifndef ALB_REFUSE_H
#define ALB_REFUSE_H

#include "base/buf.h"
#include "ws/handshake.h"

struct http_message;

/* The Server field of all that alb says itself. */
#define ALB_SERVER "postern-alb"

/* The request cannot be upgraded. */
void refuse_upgrade_reply(struct buf *to, const struct http_message *m, enum ws_refusal refusal);

/* The target did not let it be upgraded; `why` is the exchange's. */
void refuse_upgrade_by_target_reply(struct buf *to, int status, const char *why);

#endif
