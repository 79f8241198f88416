/* manage_login.c -- see manage_login.h. */
#include "alb/manage_login.h"

#include <stdio.h>
#include <string.h>

#include "base/edge_set.h"

#include "alb/config.h"

struct span manage_bearer(const struct http_message *m)
{
    static const struct span scheme = SPAN_INIT("Bearer ");
    const struct http_field *f = http_find(m, HTTP_N_AUTHORIZATION);

    if (f == NULL || f->is_folded || http_find_next(m, f) != NULL || f->value.len < scheme.len ||
        !span_equal_nocase(span_of(f->value.ptr, scheme.len), scheme))
        return SPAN("");
    struct span token = span_after(f->value, scheme.len);
    while (token.len > 0 && token.ptr[0] == ' ')
        token = span_after(token, 1);
    return token;
}

/* Its address may be out of the set by now, if that has changed since it connected. */
static bool is_welcome(const struct door_config *d, const struct addr *peer)
{
    struct ip ip;

    return d->any || (addr_ip(peer, &ip) && edge_set_contains(d->allow, &ip));
}

/* `token` and `client`: NULL when they are not asked for. */
static void complete(struct caller *caller, const struct manage_user *token,
                     const struct manage_user *client)
{
    caller->may_change =
        (token == NULL || token->may_change) && (client == NULL || client->may_change);
    snprintf(caller->who, sizeof(caller->who), "%s%s%s%s%s",
             token == NULL ? "" : "token:", token == NULL ? "" : token->name,
             token == NULL || client == NULL ? "" : "+",
             client == NULL ? "" : "cert:", client == NULL ? "" : caller->certificate);
}

enum manage_objection manage_login(const struct config *config, const struct http_message *m,
                                   struct caller *caller)
{
    const struct manage_config *c = &config->management;
    const struct span bearer = manage_bearer(m);
    const bool asks_token = c->tokens != NULL, asks_client = c->client_count > 0;
    const struct manage_user *token = asks_token ? manage_tokens_find(c->tokens, bearer) : NULL;
    const struct manage_user *client =
        asks_client ? config_management_client(c, caller->certificate) : NULL;

    caller->may_change = false;
    if (!is_welcome(&config->doors[DOOR_MANAGEMENT], &caller->peer))
        return MANAGE_ADDRESS;
    if (asks_token && token == NULL)
        return bearer.len == 0 ? MANAGE_NO_TOKEN : MANAGE_UNKNOWN_TOKEN;
    if (asks_client && client == NULL)
        return caller->certificate[0] == '\0' ? MANAGE_NO_CERTIFICATE : MANAGE_UNKNOWN_CLIENT;
    if (token == NULL && client == NULL)
        return MANAGE_NOBODY;
    complete(caller, token, client);
    return MANAGE_NO_OBJECTION;
}

const char *manage_objection_text(enum manage_objection objection)
{
    static const char *const texts[] = {
        [MANAGE_NO_OBJECTION] = NULL,
        [MANAGE_ADDRESS] = "its address is not in allow any more",
        [MANAGE_NO_TOKEN] = "no bearer token",
        [MANAGE_UNKNOWN_TOKEN] = "unknown token",
        [MANAGE_NO_CERTIFICATE] = "no certificate with a name",
        [MANAGE_UNKNOWN_CLIENT] = "no client line for its certificate",
        [MANAGE_BAD_CERTIFICATE] = "its certificate does not hold",
        [MANAGE_NOBODY] = "nobody may log in any more",
    };

    return texts[objection];
}

void manage_refuse_login(struct http_reply *reply)
{
    reply->status = 401;
    reply->fields = "WWW-Authenticate: Bearer realm=\"postern\"\r\n";
    reply->body = SPAN("Log in with Authorization: Bearer TOKEN, and with a certificate where one "
                       "is asked for.\n");
}
