/* sticky_signs.c -- see sticky_signs.h. */
#include "alb/sticky_signs.h"

#include <stddef.h>

#include "alb/options.h"

static const struct {
    const char *reason, *cure;
} texts[] = {
    [STICKY_FINE] = { NULL, NULL },
    [STICKY_EDGE_DROPS] = { "cookies are set, and the edge brings none back",
                            "let the edge forward cookies: an origin request policy with all of "
                            "them, such as AllViewer, or a cache policy with cookies" },
    [STICKY_EDGE_PICKS] = { "cookies are set, and the edge brings others back but not these",
                            "name these cookies, or all, in the edge's origin request policy (such "
                            "as AllViewer) or cache policy" },
    [STICKY_SAME_NAMES] = { "a balancer above sets cookies of the same names", NULL },
};

static const char *const other_names[STICKY_KINDS] = {
    [STICKY_LB_COOKIE] = "give ours other names: stickiness.lb_cookie.cookie_name and "
                         "stickiness.lb_cookie.cors_cookie_name",
    [STICKY_APP_COOKIE] = "give ours another name: stickiness.app_cookie.lb_cookie_name",
    [STICKY_GROUP_COOKIE] = "give ours other names: stickiness.group_cookie.cookie_name and "
                            "stickiness.group_cookie.cors_cookie_name in [alb]",
};

enum sticky_kind sticky_kind_of(const struct group_options *o)
{
    if (!o->stickiness)
        return STICKY_GROUP_COOKIE;
    return o->stickiness_type == STICKINESS_TYPE_APP_COOKIE ? STICKY_APP_COOKIE : STICKY_LB_COOKIE;
}

static void add(atomic_uint *to)
{
    atomic_fetch_add_explicit(to, 1, memory_order_relaxed);
}

/* Mostly it is 0 already: the line of memory stays shared then. */
static void clear(atomic_uint *n)
{
    if (atomic_load_explicit(n, memory_order_relaxed) != 0)
        atomic_store_explicit(n, 0, memory_order_relaxed);
}

static unsigned get(const atomic_uint *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

static void see_none(struct sticky_signs *s, const struct sticky_seen *seen)
{
    if (!seen->behind_edge || !seen->sets_cookies)
        return;
    add(&s->unreturned);
    if (seen->brings_cookies)
        add(&s->others);
}

void sticky_signs_see(struct sticky_signs *s, const struct sticky_seen *seen)
{
    if (seen->lookup == STICKINESS_NONE) {
        see_none(s, seen);
        return;
    }
    clear(&s->unreturned);
    clear(&s->others);
    if (seen->lookup == STICKINESS_MANAGED)
        add(&s->foreign);
    else if (seen->lookup > STICKINESS_MANAGED)
        clear(&s->foreign);
}

enum sticky_sign sticky_signs_now(const struct sticky_signs *s)
{
    if (get(&s->foreign) >= STICKY_SIGNS_ROW)
        return STICKY_SAME_NAMES;
    if (get(&s->unreturned) < STICKY_SIGNS_ROW)
        return STICKY_FINE;
    return get(&s->others) > 0 ? STICKY_EDGE_PICKS : STICKY_EDGE_DROPS;
}

bool sticky_signs_may_say(struct sticky_signs *s, uint64_t now_ms)
{
    uint64_t said_ms = atomic_load_explicit(&s->said_ms, memory_order_relaxed);

    if (said_ms != 0 && now_ms < said_ms + STICKY_SIGNS_PAUSE_MS)
        return false;
    return atomic_compare_exchange_strong(&s->said_ms, &said_ms, now_ms);
}

const char *sticky_sign_reason(enum sticky_sign sign)
{
    return texts[sign].reason;
}

const char *sticky_sign_cure(enum sticky_sign sign, enum sticky_kind kind)
{
    return sign == STICKY_SAME_NAMES ? other_names[kind] : texts[sign].cure;
}
