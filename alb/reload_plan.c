/* reload_plan.c -- see reload_plan.h. */
#include "alb/reload_plan.h"

#include <stdio.h>
#include <string.h>

#include "alb/balancer.h"
#include "alb/reload_files.h"
#include "alb/target.h"
#include "alb/tunnel_policy.h"

enum { DETAIL_MAX = 1024 };

static const struct {
    const char *name, *effect;
} reasons[PLAN_REASONS] = {
    [PLAN_GROUP_GONE] = { "group removed", "drained within its deregistration delay" },
    [PLAN_TARGET_REMOVED] = { "target removed", "drained within its group's deregistration delay" },
    [PLAN_SHORTER_IDLE] = { "idle time-out shorter",
                            "stays while it is not silent for longer than that" },
    [PLAN_OTHER_SETTINGS] = { "other settings of its group", "stays, and follows them" },
    [PLAN_LISTENER_REMOVED] = { "listener removed", "stays" },
    [PLAN_PEER_CLOSED] = { "peer not in the edge set", "closed within leave_timeout" },
    [PLAN_PEER_KEPT] = { "peer leaves the edge set", "stays (on_leave = keep)" },
};

const char *plan_reason_name(enum plan_reason reason)
{
    return reasons[reason].name;
}

const char *plan_effect(enum plan_reason reason)
{
    return reasons[reason].effect;
}

/* --- what changes ---------------------------------------------------------------------- */

void plan_add(json_t *to, const char *what, const char *name, const char *change,
              const char *detail)
{
    json_array_append_new(to, json_pack("{s:s,s:s,s:s,s:s}", "what", what, "name", name, "change",
                                        change, "detail", detail));
}

static const char *applies_name(const struct setting *s)
{
    static const char *const names[] = {
        [APPLIES_RELOAD] = "",
        [APPLIES_NEW_CONNECTIONS] = "; for new connections",
        [APPLIES_RESTART] = "; at the next upgrade or start",
    };

    return names[s->applies];
}

static void add_setting(json_t *to, const char *section, const char *name, const struct setting *s,
                        const void *now, const void *next)
{
    char full[DETAIL_MAX], detail[DETAIL_MAX], before[SETTING_SHOWN_MAX], after[SETTING_SHOWN_MAX];

    snprintf(full, sizeof(full), "%s%s%s", name, name[0] == '\0' ? "" : " ", s->key);
    if (s->type == SETTING_LIST)
        snprintf(detail, sizeof(detail), "another list%s", applies_name(s));
    else
        snprintf(detail, sizeof(detail), "%s -> %s%s", settings_show(s, now, before),
                 settings_show(s, next, after), applies_name(s));
    plan_add(to, section, full, "changes", detail);
}

static void add_settings(json_t *to, const char *section, const char *name,
                         const struct setting *table, const void *now, const void *next)
{
    for (const struct setting *s = table; s->key != NULL; s++) {
        const bool is_shown_elsewhere = table == group_settings && strcmp(s->key, "target") == 0;
        if (!is_shown_elsewhere && !settings_is_same(s, now, next))
            add_setting(to, section, name, s, now, next);
    }
}

/* --- listeners and their rules */

static const struct rule *find_rule(const struct listener_config *l, const char *name)
{
    for (size_t i = 0; i < l->rule_count; i++) {
        if (strcmp(l->rules[i].name, name) == 0)
            return &l->rules[i];
    }
    return NULL;
}

static void add_rule(json_t *to, const struct listener_config *l, const struct rule *r,
                     const char *change)
{
    char detail[DETAIL_MAX];

    snprintf(detail, sizeof(detail), "priority %u on listener %s", r->priority, l->name);
    plan_add(to, "rule", r->name, change, detail);
}

/* They say the same, but may name a file. */
static void add_rule_file(json_t *to, const struct listener_config *l, const struct rule *now,
                          const struct rule *next)
{
    char detail[DETAIL_MAX];

    if (plan_same_text(&now->action, &next->action))
        return;
    snprintf(detail, sizeof(detail), "priority %u on listener %s; %s", next->priority, l->name,
             plan_other_text);
    plan_add(to, "rule", next->name, "changes", detail);
}

/* Either may be NULL. */
static void add_rules(json_t *to, const struct listener_config *now,
                      const struct listener_config *next)
{
    for (size_t i = 0; now != NULL && i < now->rule_count; i++) {
        if (next == NULL || find_rule(next, now->rules[i].name) == NULL)
            add_rule(to, now, &now->rules[i], "goes");
    }
    for (size_t i = 0; next != NULL && i < next->rule_count; i++) {
        const struct rule *r = &next->rules[i];
        const struct rule *before = now == NULL ? NULL : find_rule(now, r->name);
        if (before == NULL)
            add_rule(to, next, r, "comes");
        else if (before->written != r->written)
            add_rule(to, next, r, "changes");
        else
            add_rule_file(to, next, before, r);
    }
}

static bool is_same_socket(const struct listener_config *a, const struct listener_config *b)
{
    return a->options.protocol == b->options.protocol &&
           strcmp(a->options.bind, b->options.bind) == 0 &&
           (addr_port(&a->bind) != 0 || strcmp(a->name, b->name) == 0);
}

static const struct listener_config *same_socket(const struct config *c,
                                                 const struct listener_config *of)
{
    for (size_t i = 0; i < c->listener_count; i++) {
        if (is_same_socket(&c->listeners[i], of))
            return &c->listeners[i];
    }
    return NULL;
}

static void add_socket(json_t *to, const struct listener_config *l, const char *change)
{
    char detail[DETAIL_MAX];

    snprintf(detail, sizeof(detail), "%s %s", l->options.bind,
             l->options.protocol == PROTOCOL_HTTPS ? "HTTPS" : "HTTP");
    plan_add(to, "listener", l->name, change, detail);
}

/* It stays open. */
static void add_listener(json_t *to, const struct listener_config *now,
                         const struct listener_config *next)
{
    if (strcmp(now->name, next->name) != 0)
        plan_add(to, "listener", now->name, "changes", "it gets another name");
    add_settings(to, "listener", next->name, listener_settings, &now->options, &next->options);
    plan_listener_files(to, now, next);
    add_rules(to, now, next);
}

static void add_listeners(json_t *to, const struct plan *p)
{
    for (size_t i = 0; i < p->now->listener_count; i++) {
        const struct listener_config *l = &p->now->listeners[i];
        if (same_socket(p->next, l) != NULL)
            continue;
        add_socket(to, l, "closes");
        add_rules(to, l, NULL);
    }
    for (size_t i = 0; i < p->next->listener_count; i++) {
        const struct listener_config *l = &p->next->listeners[i], *now = same_socket(p->now, l);
        if (now != NULL) {
            add_listener(to, now, l);
            continue;
        }
        add_socket(to, l, "opens");
        add_rules(to, NULL, l);
    }
}

/* --- groups and their targets */

static void add_target(json_t *to, const struct group_config *g, const struct target_config *t,
                       const char *change)
{
    char detail[DETAIL_MAX];

    snprintf(detail, sizeof(detail), "group %s, weight %u", g->name, t->weight);
    plan_add(to, "target", t->name.text, change, detail);
}

static void add_weight(json_t *to, const struct group_config *g, const struct target_config *now,
                       const struct target_config *next)
{
    char detail[DETAIL_MAX];

    if (now->weight == next->weight)
        return;
    snprintf(detail, sizeof(detail), "group %s, weight %u -> %u", g->name, now->weight,
             next->weight);
    plan_add(to, "target", next->name.text, "changes", detail);
}

/* Either may be NULL. */
static void add_targets(json_t *to, const struct group_config *now, const struct group_config *next)
{
    for (size_t i = 0; now != NULL && i < now->target_count; i++) {
        const struct target_config *t = &now->targets[i];
        if (next == NULL || config_target(next, t->name.text) == NULL)
            add_target(to, now, t, "goes");
    }
    for (size_t i = 0; next != NULL && i < next->target_count; i++) {
        const struct target_config *t = &next->targets[i];
        const struct target_config *old = now == NULL ? NULL : config_target(now, t->name.text);
        if (old == NULL)
            add_target(to, next, t, "comes");
        else
            add_weight(to, next, old, t);
    }
}

static void add_groups(json_t *to, const struct plan *p)
{
    for (size_t i = 0; i < p->now->group_count; i++) {
        const struct group_config *g = &p->now->groups[i];
        if (config_group(p->next, span_text(g->name)) != NULL)
            continue;
        plan_add(to, "group", g->name, "goes", "");
        add_targets(to, g, NULL);
    }
    for (size_t i = 0; i < p->next->group_count; i++) {
        const struct group_config *g = &p->next->groups[i];
        const struct group_config *now = config_group(p->now, span_text(g->name));
        if (now == NULL) {
            plan_add(to, "group", g->name, "comes", "");
        } else {
            add_settings(to, "group", g->name, group_settings, &now->options, &g->options);
            plan_group_files(to, now, g);
        }
        add_targets(to, now, g);
    }
}

json_t *plan_changes(const struct plan *p)
{
    json_t *to = json_array();

    add_settings(to, "alb", "", alb_settings, &p->now->alb, &p->next->alb);
    plan_keys(to, p->now, p->next);
    add_settings(to, "edge", "", edge_settings, &p->now->edge_options, &p->next->edge_options);
    add_settings(to, "health", "", health_settings, &p->now->health.options,
                 &p->next->health.options);
    add_settings(to, "management", "", manage_settings, &p->now->management.options,
                 &p->next->management.options);
    plan_management(to, p->now, p->next);
    plan_edge(to, p->now, p->next);
    plan_edge_secret(to, p->now, p->next);
    add_listeners(to, p);
    add_groups(to, p);
    return to;
}

/* --- what becomes of a tunnel --------------------------------------------------------------- */

/* Of a target that is a member now: will it be one? */
static bool target_stays(const struct plan *p, const struct group_config *next,
                         const struct target *t)
{
    const struct registration *said = registrations_find(p->said, t->group, t->text);

    if (said != NULL && !said->is_out)
        return true;
    if (strcmp(t->origin, TARGET_OF_FILE) == 0)
        return config_target(next, t->text) != NULL;
    return strcmp(t->origin, TARGET_REGISTERED) != 0 && config_target(next, t->origin) != NULL;
}

/* 0 when its target has no such thing to fear: it drains already, or stays. */
static unsigned reasons_of_target(const struct plan *p, const struct target_key *key)
{
    const struct group_config *now = config_group(p->now, span_text(key->group));
    const struct group_config *next = config_group(p->next, span_text(key->group));
    const struct target *t = now == NULL ? NULL : members_find(p->members, now, key->text);

    if (t == NULL)
        return 0;
    if (next == NULL)
        return 1u << PLAN_GROUP_GONE;
    return target_stays(p, next, t) ? 0 : 1u << PLAN_TARGET_REMOVED;
}

static const struct tunnel_policy *policy_of(const struct config *c, const struct tunnel_view *v)
{
    const struct tunnel_policy *policy = tunnel_policy_of(c, v->target->group);

    return policy != NULL ? policy : c->policy;
}

static unsigned reasons_of_policy(const struct plan *p, const struct tunnel_view *v)
{
    const struct tunnel_policy *now = policy_of(p->now, v), *next = policy_of(p->next, v);

    if (next->idle_ms < now->idle_ms)
        return 1u << PLAN_SHORTER_IDLE;
    return tunnel_policy_equal(now, next) ? 0 : 1u << PLAN_OTHER_SETTINGS;
}

/* Whom commands let in for a while stays. */
static bool admits(const struct plan *p, const struct config *c, const struct ip *ip)
{
    for (size_t i = 0; i < p->said->edge.count; i++) {
        if (cidr_contains(&p->said->edge.items[i].block, ip))
            return true;
    }
    return config_admits(c, ip);
}

/* As leavers.c has it. */
static bool admits_both(const struct plan *p, const struct config *c, const struct tunnel_view *v)
{
    return admits(p, c, &v->peer) &&
           (!c->edge_options.check_announced || admits(p, c, &v->facts.client));
}

static unsigned reasons_of_peer(const struct plan *p, const struct tunnel_view *v)
{
    const struct edge_options *next = &p->next->edge_options;

    if (v->peer.family == 0 || next->enforce == EDGE_OBSERVE || admits_both(p, p->next, v))
        return 0;
    if (next->on_leave == EDGE_CLOSE)
        return 1u << PLAN_PEER_CLOSED;
    return admits_both(p, p->now, v) ? 1u << PLAN_PEER_KEPT : 0;
}

static unsigned reasons_of_listener(const struct plan *p, const struct tunnel_view *v)
{
    const bool goes = listener_config_of(p->now, v->facts.listener) != NULL &&
                      listener_config_of(p->next, v->facts.listener) == NULL;

    return goes ? 1u << PLAN_LISTENER_REMOVED : 0;
}

unsigned plan_reasons(const struct plan *p, const struct tunnel_view *v)
{
    const unsigned found = reasons_of_target(p, v->target);

    if (v->pid != p->pid)
        return found;
    return found | reasons_of_policy(p, v) | reasons_of_peer(p, v) | reasons_of_listener(p, v);
}

/* A group that goes has no new delay. */
static bool has_no_delay(const struct plan *p, const struct target_key *key)
{
    const struct group_config *now = config_group(p->now, span_text(key->group));
    const struct group_config *next = config_group(p->next, span_text(key->group));

    return reasons_of_target(p, key) != 0 &&
           (next != NULL ? next : now)->options.deregistration_delay_ms == 0;
}

static bool is_idle_then(const struct plan *p, const struct tunnel_view *v)
{
    const uint32_t idle_ms = tunnel_view_idle_ms(v), limit_ms = policy_of(p->next, v)->idle_ms;

    return idle_ms >= limit_ms && limit_ms < policy_of(p->now, v)->idle_ms;
}

bool plan_ends_at_once(const struct plan *p, const struct tunnel_view *v)
{
    return has_no_delay(p, v->target) || (v->pid == p->pid && is_idle_then(p, v));
}
