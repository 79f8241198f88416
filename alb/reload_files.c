/* reload_files.c -- see reload_files.h. */
#include "alb/reload_files.h"

#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/seal.h"
#include "net/tls.h"
#include "net/tls_client.h"

#include "alb/config.h"
#include "alb/edge_secret.h"

enum { DETAIL_MAX = 1024 };

const char plan_other_text[] = "its file has another text";

static void add_setting(json_t *to, const char *what, const char *section, const char *key,
                        const char *detail)
{
    char name[DETAIL_MAX];

    snprintf(name, sizeof(name), "%s %s", section, key);
    plan_add(to, what, name, "changes", detail);
}

/* Where these settings differ, that is said already. The keys end with NULL. */
static bool are_same(const struct setting *table, const char *const *keys, const void *now,
                     const void *next)
{
    for (; *keys != NULL; keys++) {
        const struct setting *s = settings_find(table, span_text(*keys));
        if (s == NULL)
            bug("no such setting");
        if (!settings_is_same(s, now, next))
            return false;
    }
    return true;
}

/* --- who may connect ------------------------------------------------------------------- */

static bool is_same_block(const struct cidr *a, const struct cidr *b)
{
    return a->bits == b->bits && memcmp(&a->ip, &b->ip, sizeof(a->ip)) == 0;
}

/* How many blocks of one set the other does not have; both are in order. */
static size_t count_missing(const struct edge_set *of, const struct edge_set *in)
{
    const struct cidr *items = edge_set_items(of), *others = edge_set_items(in);
    const size_t other_count = edge_set_ranges(in);
    size_t count = 0;

    for (size_t i = 0, j = 0; i < edge_set_ranges(of); i++) {
        while (j < other_count && memcmp(&others[j].ip, &items[i].ip, sizeof(items[i].ip)) < 0)
            j++;
        count += j == other_count || !is_same_block(&others[j], &items[i]);
    }
    return count;
}

void plan_edge(json_t *to, const struct config *now, const struct config *next)
{
    const size_t come = count_missing(next->edge, now->edge);
    const size_t go = count_missing(now->edge, next->edge);
    char detail[DETAIL_MAX];

    if (come + go == 0 && now->edge_any == next->edge_any)
        return;
    snprintf(detail, sizeof(detail), "blocks: %zu come, %zu go%s", come, go,
             now->edge_any ? "; no more anybody" : "");
    plan_add(to, "edge", "addresses", "changes", next->edge_any ? "anybody may connect" : detail);
}

/* --- keys -------------------------------------------------------------------------------- */

void plan_keys(json_t *to, const struct config *now, const struct config *next)
{
    static const char *const keys[] = { "seal_key_file", NULL };
    char detail[DETAIL_MAX];

    if (now->ring == NULL || next->ring == NULL ||
        !are_same(alb_settings, keys, &now->alb, &next->alb))
        return;
    const size_t come = seal_ring_count_missing(next->ring, now->ring);
    const size_t go = seal_ring_count_missing(now->ring, next->ring);
    const bool is_other = !seal_ring_seals_alike(now->ring, next->ring);
    if (come + go == 0 && !is_other)
        return;
    snprintf(detail, sizeof(detail), "its file has other keys: %zu come, %zu go%s%s", come, go,
             is_other ? "; another one seals" : "",
             go > 0 ? "; what was sealed with those that go is void" : "");
    plan_add(to, "alb", keys[0], "changes", detail);
}

/* Said without the values, of course. */
void plan_edge_secret(json_t *to, const struct config *now, const struct config *next)
{
    const struct edge_secret *before = now->secret, *after = next->secret;
    char detail[DETAIL_MAX];

    if (before == NULL || after == NULL || edge_secret_equal(before, after))
        return;
    snprintf(detail, sizeof(detail), "other values: %zu before, %zu then",
             edge_secret_count(before), edge_secret_count(after));
    plan_add(to, "edge", "secret", "changes", detail);
}

/* --- [management] -------------------------------------------------------------------------- */

/* Nor these. */
static void add_tokens(json_t *to, const struct manage_config *now,
                       const struct manage_config *next)
{
    static const char *const keys[] = { "token_file", NULL };
    char detail[DETAIL_MAX];

    if (now->tokens == NULL || next->tokens == NULL ||
        !are_same(manage_settings, keys, &now->options, &next->options) ||
        manage_tokens_equal(now->tokens, next->tokens))
        return;
    snprintf(detail, sizeof(detail), "its file has other tokens: %zu before, %zu then",
             manage_tokens_count(now->tokens), manage_tokens_count(next->tokens));
    plan_add(to, "management", keys[0], "changes", detail);
}

void plan_management(json_t *to, const struct config *now, const struct config *next)
{
    static const char *const keys[] = { "client_ca_file", NULL };
    const struct manage_config *before = &now->management, *after = &next->management;
    char detail[DETAIL_MAX];
    const char *file;
    size_t at = 0;

    if (before->tls == NULL || after->tls == NULL)
        return;
    add_tokens(to, before, after);
    while ((file = tls_server_next_change(before->tls, after->tls, &at)) != NULL) {
        snprintf(detail, sizeof(detail), "%s has another certificate; for new connections", file);
        plan_add(to, "management", "certificate_file", "changes", detail);
    }
    if (are_same(manage_settings, keys, &before->options, &after->options) &&
        !tls_server_trusts_the_same(before->tls, after->tls))
        plan_add(to, "management", keys[0], "changes",
                 "its file has other contents; for new connections");
}

/* --- listeners --------------------------------------------------------------------------- */

static void add_certificates(json_t *to, const struct listener_config *now,
                             const struct listener_config *next)
{
    const char *file;
    char detail[DETAIL_MAX];
    size_t at = 0;

    while ((file = tls_server_next_change(now->tls, next->tls, &at)) != NULL) {
        snprintf(detail, sizeof(detail), "%s has another certificate; for new connections", file);
        add_setting(to, "listener", next->name, "certificate", detail);
    }
}

static void add_trust(json_t *to, const struct listener_config *now,
                      const struct listener_config *next)
{
    static const char store[] = "mutual_authentication.trust_store";
    static const char *const keys[] = {
        "mutual_authentication.mode",
        store,
        "mutual_authentication.revocation_file",
        "mutual_authentication.ignore_client_certificate_expiry",
        "mutual_authentication.advertise_trust_store_ca_names",
        NULL,
    };

    if (are_same(listener_settings, keys, &now->options, &next->options) &&
        !tls_server_trusts_the_same(now->tls, next->tls))
        add_setting(to, "listener", next->name, store,
                    "its file, or a revocation file, has other contents; for new connections");
}

bool plan_same_text(const struct action *now, const struct action *next)
{
    return now->kind != ACTION_FIXED_RESPONSE || next->kind != ACTION_FIXED_RESPONSE ||
           strcmp(now->body, next->body) == 0;
}

void plan_listener_files(json_t *to, const struct listener_config *now,
                         const struct listener_config *next)
{
    static const char *const action[] = { "default_action", NULL };

    if (now->tls != next->tls) {
        add_certificates(to, now, next);
        add_trust(to, now, next);
    }
    if (are_same(listener_settings, action, &now->options, &next->options) &&
        !plan_same_text(&now->fallback.action, &next->fallback.action))
        add_setting(to, "listener", next->name, action[0], plan_other_text);
}

/* --- groups -------------------------------------------------------------------------------- */

void plan_group_files(json_t *to, const struct group_config *now, const struct group_config *next)
{
    static const char *const keys[] = { "tls.verify", "tls.ca_file", "tls.server_name", NULL };
    const struct tls_client *before = config_demands(now), *after = config_demands(next);

    if (before != NULL && after != NULL &&
        are_same(group_settings, keys, &now->options, &next->options) &&
        !tls_client_is_same(before, after))
        add_setting(to, "group", next->name, "tls.ca_file",
                    "its file has other authorities; for new connections");
}
