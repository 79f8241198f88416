/* manage_login.h -- may this request be answered at [management], and who asks? */
#ifndef ALB_MANAGE_LOGIN_H
#define ALB_MANAGE_LOGIN_H

#include "http/message.h"
#include "http/reply.h"

#include "alb/caller.h"

struct config;

/* Completes the caller by all that [management] asks for: a token, the certificate that the
 * connection has shown, or both. NULL when all is there; else why not, for the log: a literal. What
 * it costs does not depend on what was wrong. */
const char *manage_login(const struct config *config, const struct http_message *m,
                         struct caller *caller);

/* What it is answered then: 401. */
void manage_refuse_login(struct http_reply *reply);

/* The token of "Authorization: Bearer TOKEN"; empty when there is not just one such field. */
struct span manage_bearer(const struct http_message *m);

#endif
