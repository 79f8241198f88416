/*
 * balancer_reload.c -- a new configuration, without a hair of the old one's
 * connections being touched.
 *
 * The new file is read and checked whole, all that may fail is tried, and its listeners are
 * opened, before anything changes; an error anywhere leaves all as it was. Then the snapshot
 * is published (balancer_publish.c). A new text by command is in the file's place only then.
 */
#include <errno.h>
#include <string.h>

#include "base/bug.h"
#include "base/log.h"
#include "base/new_file.h"
#include "base/seal.h"
#include "net/tls_client.h"

#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/manage_access.h"
#include "alb/names.h"
#include "alb/doors.h"
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

/* Cookies that are out there and will open no more. */
static void warn_lost_keys(const struct balancer *b, const struct config *next,
                           struct problems *problems)
{
    static const char key[] = "seal_key_file";

    if (!seal_ring_goes_on(balancer_seal_ring(b, b->config), balancer_seal_ring(b, next)))
        problems_warning(
            problems, next->alb_lines.rows[settings_find(alb_settings, SPAN(key)) - alb_settings],
            "%s: the key that seals cookies now is not among the new ones: all "
            "clients are sent to new targets; to keep them, leave it below the new "
            "key for as long as cookies last",
            key);
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
    if (*next != NULL) { /* what was done for it is undone */
        struct problems none;
        problems_init(&none, "");
        balancer_close_listeners(b, b->config);
        doors_close(b->doors, b->config);
        if (balancer_extend_filters(b, b->config, &none))
            balancer_settle_filters(b);
        problems_done(&none);
    }
    config_free(next);
    return false;
}

/* What is to be in force next, made to share with the configuration of now what is the same in
 * both; NULL when there are errors. */
static struct config *read_next(struct balancer *b, const struct span *text,
                                struct problems *problems)
{
    if (b->path == NULL) {
        problems_error(problems, 0, "`alb quick` has no file to read again");
        return NULL;
    }
    if (b->state != RUN_SERVING) {
        problems_error(problems, 0, "the balancer is shutting down");
        return NULL;
    }
    struct config *next =
        text == NULL ? config_read_file(b->path, problems) : config_read_text(*text, problems);
    if (next == NULL)
        return NULL;
    warn_restart_only(b->config, next, problems);
    warn_lost_keys(b, next, problems);
    next->admin = b->config->admin; /* as it is bound */
    keep_tickets(b->config, next);
    keep_sessions(b->config, next);
    return next;
}

struct config *balancer_look(struct balancer *b, const struct reload_order *order,
                             struct problems *problems)
{
    struct config *next = read_next(b, order->text, problems);

    if (next == NULL)
        return NULL;
    bool may = manage_keeps(next, &order->from, problems);
    may &= balancer_may_listen(b, next, problems);
    may &= doors_may_open(b->doors, next, problems);
    may &= balancer_may_filter(b, next, problems);
    may &= balancer_may_log(b, next, problems);
    may &= may_take_names(b, next, problems);
    if (!may)
        config_free(&next);
    return next;
}

/* All is tried before anything is done, so that a dry run says what a reload would. What fails in
 * spite of that (another process may be quicker) leaves the logs where they were named to. */
static bool take(struct balancer *b, struct config *next, struct problems *problems)
{
    if (next == NULL || !balancer_extend_filters(b, next, problems) ||
        !balancer_open_listeners(b, next, problems) || !doors_open(b->doors, next, problems) ||
        !balancer_open_logs(b, next, problems) || !take_names(b, next, problems))
        return refused(b, &next);
    b->connection_limit = balancer_connection_limit(next);
    /* First, so that what a loop has acknowledged is closed there: the next reload
     * may want the address back. */
    balancer_close_listeners(b, next);
    doors_close(b->doors, next);
    balancer_follow_config(b, next);
    balancer_publish(b, next);
    balancer_settle_filters(b);
    b->reloads++;
    log_info("configuration reloaded file=%s", b->path);
    balancer_watch_certificates(b);
    return true;
}

/* --- a new text ----------------------------------------------------------------------------- */

static bool write_text(struct balancer *b, struct new_file *file, struct span text,
                       struct problems *problems)
{
    if (new_file_write_alike(file, b->path, text))
        return true;
    problems_error(problems, 0,
                   "cannot be replaced, and nothing was changed: writing %s.new: %s; the user "
                   "that alb runs as must be able to write in its folder",
                   b->path, strerror(errno));
    return false;
}

/* It was written beside the file before anything changed; now that it is in force the rest is a
 * rename. */
static bool keep_text(struct balancer *b, struct new_file *file, struct problems *problems)
{
    if (new_file_replace(file))
        return true;
    problems_error(problems, 0,
                   "what was sent is in force, but the file could not be replaced (%s): the next "
                   "reload or start has the old one; send it again when that can be done",
                   strerror(errno));
    log_error("configuration in force is not in its file file=%s", b->path);
    return false;
}

static bool reload_text(struct balancer *b, struct config *next, struct span text,
                        struct problems *problems)
{
    struct new_file file;

    if (next == NULL || !write_text(b, &file, text, problems))
        return refused(b, &next);
    if (take(b, next, problems))
        return keep_text(b, &file, problems);
    new_file_discard(&file);
    return false;
}

bool balancer_reload_by(struct balancer *b, const struct reload_order *order,
                        struct problems *problems)
{
    if (b->publishing != NULL)
        bug("a reload while another change is under way");
    struct config *next = balancer_look(b, order, problems);
    return order->text == NULL ? take(b, next, problems)
                               : reload_text(b, next, *order->text, problems);
}

bool balancer_reload(struct balancer *b, struct problems *problems)
{
    return balancer_reload_by(b, &(struct reload_order){ .text = NULL }, problems);
}
