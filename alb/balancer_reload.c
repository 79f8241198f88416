/*
 * balancer_reload.c -- a new configuration, without a hair of the old one's
 * connections being touched.
 *
 * The new file is read and checked whole, all that may fail is tried, and its listeners are
 * opened, before anything changes; an error anywhere leaves all as it was. Then the snapshot
 * is published (balancer_publish.c).
 */
#include <string.h>

#include "base/bug.h"
#include "base/log.h"
#include "net/tls_client.h"

#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/names.h"
#include "alb/upgrade.h"

/* --- certificates that stay ---------------------------------------------------------- */

/* A certificate that did not change keeps its tickets: otherwise each reload
 * would cost every client a full handshake. */
static void keep_tickets(const struct config *now, struct config *next)
{
    for (size_t i = 0; i < next->listener_count; i++) {
        struct listener_config *l = &next->listeners[i];
        const struct listener_config *old = config_listener(now, span_text(l->name));
        if (old == NULL || old->tls == NULL || l->tls == NULL ||
            !tls_server_is_same(old->tls, l->tls))
            continue;
        tls_server_unref(&l->tls);
        l->tls = tls_server_ref(old->tls);
    }
}

static void replace(struct tls_client **client, struct tls_client *by)
{
    if (*client == NULL)
        return;
    tls_client_unref(client);
    *client = tls_client_ref(by);
}

/* The same for what targets are to prove: their sessions and idle connections stay. */
static void keep_sessions(const struct config *now, struct config *next)
{
    for (size_t i = 0; i < next->group_count; i++) {
        struct group_config *g = &next->groups[i];
        const struct group_config *old = config_group(now, span_text(g->name));
        if (old == NULL || config_demands(old) == NULL || config_demands(g) == NULL ||
            !tls_client_is_same(config_demands(old), config_demands(g)))
            continue;
        replace(&g->tls, config_demands(old));
        replace(&g->health_tls, config_demands(old));
    }
}

/* --- reloading -------------------------------------------------------------------------- */

static void warn_restart_only(const struct config *now, const struct config *next,
                              struct problems *problems)
{
    for (const struct setting *row = alb_settings; row->key != NULL; row++) {
        if (row->applies == APPLIES_RESTART && !settings_is_same(row, &now->alb, &next->alb))
            problems_warning(problems, next->alb_lines.rows[row - alb_settings],
                             "%s: a changed value applies at the next upgrade or start", row->key);
    }
}

static bool may_take_names(struct balancer *b, const struct config *next, struct problems *problems)
{
    char why[256];

    if (names_may_follow(b->names, next, why, sizeof(why)))
        return true;
    problems_error(problems, 0, "%s", why);
    return false;
}

/* The last that can be refused: nothing undoes it. */
static bool take_names(struct balancer *b, const struct config *next, struct problems *problems)
{
    char why[256];

    if (names_follow(b->names, next, why, sizeof(why)))
        return true;
    problems_error(problems, 0, "%s", why);
    return false;
}

static bool refused(struct balancer *b, struct config **next)
{
    b->reloads_failed++;
    if (*next != NULL)
        balancer_close_listeners(b, b->config); /* those that were opened for it */
    config_free(next);
    return false;
}

/* The file as it is now, made to share with the configuration of now what is the same in both;
 * NULL when there are errors. */
static struct config *read_again(struct balancer *b, struct problems *problems)
{
    if (b->path == NULL) {
        problems_error(problems, 0, "`alb quick` has no file to read again");
        return NULL;
    }
    if (b->state != RUN_SERVING) {
        problems_error(problems, 0, "the balancer is shutting down");
        return NULL;
    }
    struct config *next = config_read_file(b->path, problems);
    if (next == NULL)
        return NULL;
    warn_restart_only(b->config, next, problems);
    next->admin = b->config->admin; /* as it is bound */
    keep_tickets(b->config, next);
    keep_sessions(b->config, next);
    return next;
}

struct config *balancer_look_at_file(struct balancer *b, struct problems *problems)
{
    struct config *next = read_again(b, problems);

    if (next == NULL)
        return NULL;
    bool may = balancer_may_listen(b, next, problems);
    may &= balancer_may_log(b, next, problems);
    may &= may_take_names(b, next, problems);
    if (!may)
        config_free(&next);
    return next;
}

/* All is tried before anything is done, so that a dry run says what a reload would. What fails in
 * spite of that (another process may be quicker) leaves the logs where they were named to. */
bool balancer_reload(struct balancer *b, struct problems *problems)
{
    struct config *next = NULL;

    if (b->publishing != NULL)
        bug("a reload while another change is under way");
    next = balancer_look_at_file(b, problems);
    if (next == NULL || !balancer_open_listeners(b, next, problems) ||
        !balancer_open_logs(b, next, problems) || !take_names(b, next, problems))
        return refused(b, &next);
    b->connection_limit = balancer_connection_limit(next);
    /* First, so that what a loop has acknowledged is closed there: the next reload
     * may want the address back. */
    balancer_close_listeners(b, next);
    balancer_follow_config(b, next);
    balancer_publish(b, next);
    b->reloads++;
    log_info("configuration reloaded file=%s", b->path);
    return true;
}
