/* manage_access.c -- see manage_access.h. */
#include "alb/manage_access.h"

#include <stdio.h>

#include "base/problems.h"
#include "net/tls.h"

#include "alb/caller.h"
#include "alb/config.h"
#include "alb/manage_login.h"

static const char *blame_certificate(const struct manage_config *c, const struct caller *caller)
{
    if (tls_server_trusts_the_same(caller->judge, c->tls))
        return tls_session_peer_date_objection(caller->tls);
    return tls_session_peer_objection(caller->tls, c->tls);
}

/* What he has claimed is verified last: it costs the most. */
static enum manage_objection judge(const struct config *config, const struct http_message *m,
                                   struct caller *caller, const char **why)
{
    const struct manage_config *c = &config->management;
    const enum manage_objection objection = manage_login(config, m, caller);

    *why = manage_objection_text(objection);
    if (objection != MANAGE_NO_OBJECTION || c->client_count == 0)
        return objection;
    *why = blame_certificate(c, caller);
    if (*why == NULL)
        return MANAGE_NO_OBJECTION;
    caller->may_change = false;
    return MANAGE_BAD_CERTIFICATE;
}

const char *manage_admit(const struct config *config, const struct http_message *m,
                         struct caller *caller)
{
    const char *why;

    judge(config, m, caller, &why);
    return why;
}

/* --- a new configuration ---------------------------------------------------------------------- */

/* What stands in the way, in which setting, and what to do. */
struct hindrance {
    const char *key, *what, *cure;
};

static const struct hindrance hindrances[] = {
    [MANAGE_ADDRESS] = { "allow", "it has not got that address",
                         "keep it in allow, or send this from an address that is" },
    [MANAGE_NO_TOKEN] = { "token_file", "it asks for a token, and this came without one",
                          "send this with a token of that file" },
    [MANAGE_UNKNOWN_TOKEN] = { "token_file", "the token that this came with is not in that file",
                               "leave its line there, or send this with one that stays" },
    [MANAGE_NO_CERTIFICATE] = { "client_ca_file",
                                "it asks for a certificate, and none with a name was shown",
                                "send this with a certificate that it takes" },
    [MANAGE_UNKNOWN_CLIENT] = { "client", "it has no line for the certificate that was shown",
                                "leave that line there, or send this with a certificate that has "
                                "one" },
    [MANAGE_BAD_CERTIFICATE] = { "client_ca_file",
                                 "it does not vouch for the certificate that was "
                                 "shown",
                                 "leave its authority there, or send this with a certificate of a "
                                 "new one" },
};

static const struct hindrance
    is_gone = { "bind", "it would listen nowhere",
                "keep the section with its bind, and keep it in allow" },
    token_reads = { "token_file", "with the token that this came with it may only read then",
                    "leave its line as it is, or send this with one that may change things" },
    client_reads = { "client", "with the certificate that was shown it may only read then",
                     "leave its line as it is, or send this with one that may change things" };

static const struct hindrance *blame_right(const struct manage_config *c,
                                           const struct caller *caller)
{
    const struct manage_user *client =
        c->client_count == 0 ? NULL : config_management_client(c, caller->certificate);

    return client != NULL && !client->may_change ? &client_reads : &token_reads;
}

/* NULL when there is nothing. */
static const struct hindrance *find_hindrance(const struct config *next,
                                              const struct manage_sender *sender)
{
    struct caller then = *sender->caller;
    const char *why;

    if (next->doors[DOOR_MANAGEMENT].bind_count == 0)
        return &is_gone;
    const enum manage_objection objection = judge(next, sender->head, &then, &why);
    if (objection == MANAGE_NOBODY)
        return &is_gone;
    if (objection != MANAGE_NO_OBJECTION)
        return &hindrances[objection];
    return then.may_change ? NULL : blame_right(&next->management, &then);
}

bool manage_keeps(const struct config *next, const struct manage_sender *sender,
                  struct problems *problems)
{
    const struct caller *caller = sender->caller;

    if (caller == NULL || caller->place != AT_MANAGEMENT)
        return true;
    const struct hindrance *h = find_hindrance(next, sender);
    if (h == NULL)
        return true;
    const int line = config_management_line(next, h->key);
    if (sender->is_forced)
        problems_warning(problems, line,
                         "%s: [management] does not let in %s (%s), who sent this, any more: %s; "
                         "that was forced",
                         h->key, caller->from, caller->who, h->what);
    else
        problems_error(problems, line,
                       "%s: [management] would not let in %s (%s), who sends this, any more: %s, "
                       "and nothing could be taken back from there; %s; or say --force",
                       h->key, caller->from, caller->who, h->what, h->cure);
    return sender->is_forced;
}
