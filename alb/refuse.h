/*
 * refuse.h -- what a client is told when its upgrade fails: the reason's name,
 * one sentence of cause and one of cure.
 */
#ifndef ALB_REFUSE_H
#define ALB_REFUSE_H

#include "http/reply.h"
#include "ws/handshake.h"

struct http_message;

/* The Server field of all that alb says itself to clients: the managed balancer's. */
#define ALB_SERVER "awselb/2.0"

/* What a reply points to. */
struct refuse_text {
    char text[1024];
};

/* The request cannot be upgraded. */
void refuse_upgrade_reply(struct http_reply *reply, struct refuse_text *text,
                          const struct http_message *m, enum ws_refusal refusal);

/* The target did not let it be upgraded; `why` is the exchange's. */
void refuse_upgrade_by_target_reply(struct http_reply *reply, struct refuse_text *text, int status,
                                    const char *why);

#endif
