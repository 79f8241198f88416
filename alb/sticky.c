/* sticky.c -- see sticky.h. */
#include "alb/sticky.h"

#include "base/log.h"
#include "http/cache.h"
#include "http/message.h"
#include "ws/handshake.h"

#include "alb/balancer.h"
#include "alb/config.h"
#include "alb/members.h"
#include "alb/route.h"
#include "alb/rules.h"
#include "alb/sticky_signs.h"
#include "alb/target.h"
#include "alb/worker.h"

static bool is_app(const struct group_config *g)
{
    return g->options.stickiness_type == STICKINESS_TYPE_APP_COOKIE;
}

/* --- the request -------------------------------------------------------------------------- */

/* The Cookie fields of one request, in place. */
struct request_cookies {
    struct span fields[HTTP_FIELDS_MAX];
    size_t count;
};

static struct stickiness_fields find_cookies(const struct http_message *m,
                                             struct request_cookies *to)
{
    to->count = 0;
    for (const struct http_field *f = http_find(m, HTTP_N_COOKIE); f != NULL;
         f = http_find_next(m, f))
        to->fields[to->count++] = f->value;
    return (struct stickiness_fields){ to->fields, to->count };
}

static uint64_t now_s(const struct worker *w)
{
    return loop_wall_us(&w->loop) / 1000000;
}

static struct stickiness_policy group_policy(const struct worker *w, uint32_t duration_s)
{
    struct stickiness_policy policy = w->config->group_cookie;

    policy.duration_s = duration_s;
    return policy;
}

static const struct forward_group *group_of_id(const struct action *a, uint64_t id)
{
    for (size_t i = 0; i < a->group_count; i++) {
        if (a->groups[i].group->id == id)
            return &a->groups[i];
    }
    return NULL;
}

/* NULL when there is none, or of no group of this action. */
static const struct forward_group *group_by_cookie(const struct worker *w,
                                                   const struct http_message *m,
                                                   const struct action *a, struct route *route)
{
    const struct stickiness_policy policy = group_policy(w, a->stickiness_s);
    struct request_cookies cookies;
    uint64_t id;

    const enum stickiness_lookup lookup =
        stickiness_read(&policy, worker_seal_ring(w), find_cookies(m, &cookies), 0, now_s(w), &id);
    route->group_lookup = (uint8_t)lookup;
    switch (lookup) {
    case STICKINESS_FOUND:
        return group_of_id(a, id);
    case STICKINESS_FOREIGN:
    case STICKINESS_MANAGED:
    case STICKINESS_INVALID:
        route->error = STICKY_GROUP_COOKIE_INVALID;
        return NULL;
    case STICKINESS_NONE:
    case STICKINESS_STALE:
        break;
    }
    return NULL;
}

void sticky_choose_group(const struct worker *w, const struct http_message *m, uint64_t random,
                         struct route *route)
{
    const struct action *a = &route->rule->action;
    const struct forward_group *kept =
        a->stickiness_s == 0 ? NULL : group_by_cookie(w, m, a, route);

    route->group = kept != NULL ? kept->group : action_choose_group(a, random);
    route->group_cookie_s = kept != NULL && kept->weight == 0 ? 0 : a->stickiness_s;
}

static enum stickiness_lookup read_target(struct sticky *s, struct worker *w,
                                          const struct http_message *m,
                                          const struct group_config *g, uint64_t *id)
{
    const struct seal_ring *ring = worker_seal_ring(w);
    struct request_cookies cookies;
    const struct stickiness_fields fields = find_cookies(m, &cookies);

    if (!is_app(g))
        return stickiness_read(&g->stickiness, ring, fields, g->id, now_s(w), id);
    s->cross_site = stickiness_is_chromium_80(http_value(m, HTTP_N_USER_AGENT));
    return stickiness_app_read(&g->app_stickiness, ring, fields, g->id, now_s(w), id, &s->session);
}

bool sticky_read(struct sticky *s, struct worker *w, const struct http_message *m,
                 const struct route *route, uint64_t *target_id)
{
    const struct group_config *g = route->group;

    s->group_cookie_s = route->group_cookie_s;
    s->lookup = route->group_lookup;
    if (!g->options.stickiness && s->group_cookie_s == 0)
        return false;
    s->behind_edge = ws_behind_edge(m);
    s->brings_cookies = http_find(m, HTTP_N_COOKIE) != NULL;
    if (!g->options.stickiness)
        return false;
    const enum stickiness_lookup lookup = read_target(s, w, m, g, target_id);
    s->lookup = (uint8_t)lookup;
    metric_add(&members_of(w->members, g)->state->counters.sticky_requests[lookup], 1);
    return lookup == STICKINESS_FOUND;
}

void sticky_move(struct sticky *s)
{
    s->has_moved |= s->lookup == STICKINESS_FOUND;
}

/* --- the response ------------------------------------------------------------------------- */

static void add(struct sticky_cookies *to, char (*texts)[STICKINESS_SET_COOKIE_MAX], size_t count)
{
    for (size_t i = 0; i < count; i++)
        to->values[to->count++] = texts[i];
}

static void add_group_cookies(const struct sticky *s, struct worker *w,
                              const struct group_config *g, struct sticky_cookies *to)
{
    const struct stickiness_policy policy = group_policy(w, s->group_cookie_s);

    stickiness_issue(&policy, &w->cookies, 0, g->id, now_s(w), to->group[0], to->group[1]);
    add(to, to->group, 2);
}

static void add_lb_cookies(struct worker *w, const struct group_config *g, const struct target *t,
                           struct sticky_cookies *to)
{
    stickiness_issue(&g->stickiness, &w->cookies, g->id, t->id, now_s(w), to->target[0],
                     to->target[1]);
    add(to, to->target, 2);
}

/* Of several that the target sets the last one counts, as in a browser. */
static bool find_session(const struct group_config *g, const struct http_message *response,
                         struct stickiness_session *session)
{
    bool is_set = false;

    for (const struct http_field *f = http_find(response, HTTP_N_SET_COOKIE); f != NULL;
         f = http_find_next(response, f))
        is_set |= stickiness_app_is_set(&g->app_stickiness, f->value, session);
    return is_set;
}

/* When the application begins a session, or goes on with one; and when a session has come to
 * another target, or it would return as soon as its own recovers. */
static void add_app_cookies(const struct sticky *s, struct worker *w, const struct group_config *g,
                            const struct target *t, const struct http_message *response,
                            struct sticky_cookies *to)
{
    struct stickiness_session session = s->session;

    if (!find_session(g, response, &session) && !s->has_moved)
        return;
    stickiness_app_issue(&g->app_stickiness, worker_seal_ring(w), &session, g->id, t->id, now_s(w),
                         s->cross_site, to->target);
    add(to, to->target, STICKINESS_SHARDS);
}

static void add_all(const struct sticky *s, struct worker *w, const struct group_config *g,
                    const struct target *t, const struct http_message *response,
                    struct sticky_cookies *to)
{
    if (s->group_cookie_s != 0)
        add_group_cookies(s, w, g, to);
    if (g->options.stickiness && is_app(g))
        add_app_cookies(s, w, g, t, response, to);
    else if (g->options.stickiness)
        add_lb_cookies(w, g, t, to);
}

/* A cache would give one client's cookie to all. Nobody keeps a 101. */
static bool is_for_all(const struct group_config *g, const struct http_message *response)
{
    return !g->options.sticky_public && response->status != 101 && http_is_public(response);
}

static const char *cookie_name(const struct worker *w, const struct group_config *g)
{
    switch (sticky_kind_of(&g->options)) {
    case STICKY_LB_COOKIE:
        return g->stickiness.cookie_name;
    case STICKY_APP_COOKIE:
        return g->app_stickiness.cookie_name;
    case STICKY_GROUP_COOKIE:
    case STICKY_KINDS:
        break;
    }
    return w->config->group_cookie.cookie_name;
}

static void look_at_signs(const struct sticky *s, const struct worker *w,
                          const struct group_config *g, bool sets_cookies)
{
    struct sticky_signs *signs = &members_of(w->members, g)->state->sticky;
    const struct sticky_seen seen = { (enum stickiness_lookup)s->lookup, s->behind_edge,
                                      s->brings_cookies, sets_cookies };

    sticky_signs_see(signs, &seen);
    const enum sticky_sign sign = sticky_signs_now(signs);
    if (sign != STICKY_FINE && sticky_signs_may_say(signs, loop_mono_ms(&w->loop)))
        log_warn("sticky cookies fail group=%s cookie=%s reason=\"%s\" cure=\"%s\"", g->name,
                 cookie_name(w, g), sticky_sign_reason(sign),
                 sticky_sign_cure(sign, sticky_kind_of(&g->options)));
}

void sticky_issue(const struct sticky *s, struct worker *w, const struct target *target,
                  const struct http_message *response, struct sticky_cookies *out)
{
    const struct group_config *g = config_group(w->config, span_text(target->group));

    out->count = 0;
    out->values[0] = NULL;
    if (g == NULL || (!g->options.stickiness && s->group_cookie_s == 0))
        return;
    add_all(s, w, g, target, response, out);
    if (out->count > 0 && is_for_all(g, response)) {
        metric_add(&members_of(w->members, g)->state->counters.sticky_withheld, 1);
        out->count = 0;
    }
    out->values[out->count] = NULL;
    look_at_signs(s, w, g, out->count > 0);
}
