/* manage_login.h -- may this request be answered at [management], and who asks? */
#ifndef ALB_MANAGE_LOGIN_H
#define ALB_MANAGE_LOGIN_H

#include "http/message.h"
#include "http/reply.h"

#include "alb/caller.h"

struct config;

/* Why not. */
enum manage_objection {
    MANAGE_NO_OBJECTION,
    MANAGE_ADDRESS, /* not in allow, any more */
    MANAGE_NO_TOKEN,
    MANAGE_UNKNOWN_TOKEN,
    MANAGE_NO_CERTIFICATE,
    MANAGE_UNKNOWN_CLIENT,  /* no client line for its certificate */
    MANAGE_BAD_CERTIFICATE, /* it does not hold: manage_access.h */
    MANAGE_NOBODY,          /* neither is asked for */
};

/* Completes the caller by all that [management] asks for: a token, the name of the certificate that
 * the connection has shown, or both. What it costs does not depend on what was wrong. */
enum manage_objection manage_login(const struct config *config, const struct http_message *m,
                                   struct caller *caller);

/* For the log; NULL for none. A literal. */
const char *manage_objection_text(enum manage_objection objection);

/* What it is answered then: 401. */
void manage_refuse_login(struct http_reply *reply);

/* The token of "Authorization: Bearer TOKEN"; empty when there is not just one such field. */
struct span manage_bearer(const struct http_message *m);

#endif
