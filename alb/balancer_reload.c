/*
 * balancer_reload.c -- a new configuration, without a hair of the old one's
 * connections being touched.
 *
 * The new file is read and checked whole, and its listeners are opened, before
 * anything changes; an error anywhere leaves all as it was. Then the snapshot
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

/* A group's demands, whether they are for requests, for probes or for both. */
static struct tls_client *demands_of(const struct group_config *g)
{
    return g->tls != NULL ? g->tls : g->health_tls;
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
        if (old == NULL || demands_of(old) == NULL || demands_of(g) == NULL ||
            !tls_client_is_same(demands_of(old), demands_of(g)))
            continue;
        replace(&g->tls, demands_of(old));
        replace(&g->health_tls, demands_of(old));
    }
}

/* --- reloading -------------------------------------------------------------------------- */

static void warn_restart_only(const struct config *now, const struct config *next,
                              struct problems *problems)
{
    const struct {
        const char *key;
        bool differs;
    } rows[] = {
        { "workers", now->alb.workers != next->alb.workers },
        { "admin", strcmp(now->alb.admin, next->alb.admin) != 0 },
        { "control", strcmp(now->alb.control, next->alb.control) != 0 },
        { "state_file", strcmp(now->alb.state_file, next->alb.state_file) != 0 },
        { "seal_key_file", strcmp(now->alb.seal_key_file, next->alb.seal_key_file) != 0 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].differs)
            problems_warning(problems, 0, "%s: a changed value applies at the next start",
                             rows[i].key);
    }
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

bool balancer_reload(struct balancer *b, struct problems *problems)
{
    struct config *next = NULL;

    if (b->publishing != NULL)
        bug("a reload while another change is under way");
    if (b->path == NULL) {
        problems_error(problems, 0, "`alb quick` has no file to read again");
        return refused(b, &next);
    }
    if (upgrade_is_running(b)) {
        problems_error(problems, 0, "an upgrade is under way");
        return refused(b, &next);
    }
    if (b->state != RUN_SERVING) {
        problems_error(problems, 0, "the balancer is shutting down");
        return refused(b, &next);
    }
    next = config_read_file(b->path, problems);
    if (next == NULL || !balancer_open_listeners(b, next, problems) ||
        !balancer_open_logs(b, next, problems) || !take_names(b, next, problems))
        return refused(b, &next);
    warn_restart_only(b->config, next, problems);
    next->admin = b->config->admin; /* as it is bound */
    keep_tickets(b->config, next);
    keep_sessions(b->config, next);
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
