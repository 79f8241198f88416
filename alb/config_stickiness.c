/* config_stickiness.c -- the cookies of a [target_group NAME], and those of [alb] for groups. */
#include <string.h>

#include "alb/config_parts.h"

/* Where a cookie's name stands. */
struct cookie_name {
    const char *key, *name;
    int line;
};

static bool check_name(const struct cookie_name *n, size_t longest, struct problems *problems)
{
    const bool is_name =
        stickiness_is_cookie_name(span_text(n->name)) && strlen(n->name) <= longest;

    if (!is_name)
        problems_error(problems, n->line,
                       "%s: \"%s\" is not a cookie name: 1 to %zu letters, digits and "
                       "!#$%%&'*+-.^_`|~",
                       n->key, n->name, longest);
    return is_name;
}

static bool begins(struct span name, struct span with)
{
    return name.len >= with.len && span_equal_nocase(span_of(name.ptr, with.len), with);
}

/* Of a cookie that is not always Secure: browsers take such a name, in any case, only from one
 * that is, and say nothing. */
static void check_is_kept(const struct cookie_name *n, struct problems *problems)
{
    const struct span name = span_text(n->name);

    if (begins(name, SPAN("__Secure-")) || begins(name, SPAN("__Host-")))
        problems_error(problems, n->line,
                       "%s: \"%s\" begins as cookies do that a browser drops unless they are "
                       "Secure, and this one is not",
                       n->key, n->name);
}

/* A cookie and its twin. */
static void check_names(const struct cookie_name *plain, const struct cookie_name *cors,
                        struct problems *problems)
{
    check_name(plain, STICKINESS_NAME_MAX, problems);
    check_is_kept(plain, problems);
    check_name(cors, STICKINESS_NAME_MAX, problems);
    if (strcmp(plain->name, cors->name) == 0)
        problems_error(problems, cors->line, "%s: \"%s\" is the other cookie's name", cors->key,
                       cors->name);
}

/* --- the cookie of a group among several --------------------------------------------------- */

static struct cookie_name alb_name(const struct config *c, const char *key, const char *name)
{
    return (struct cookie_name){ key, name, config_line(&c->alb_lines, alb_settings, key) };
}

void config_group_cookie(struct config *c, struct problems *problems)
{
    const struct cookie_name plain =
        alb_name(c, "stickiness.group_cookie.cookie_name", c->alb.group_cookie_name);
    const struct cookie_name cors =
        alb_name(c, "stickiness.group_cookie.cors_cookie_name", c->alb.group_cookie_cors_name);

    check_names(&plain, &cors, problems);
    c->group_cookie = (struct stickiness_policy){ .cookie_name = plain.name,
                                                  .cors_cookie_name = cors.name,
                                                  .kind = STICKINESS_GROUP };
}

/* --- the cookies of targets ----------------------------------------------------------------- */

static struct cookie_name group_name(const struct group_config *g, const char *key,
                                     const char *name)
{
    return (struct cookie_name){ key, name, config_line(&g->lines, group_settings, key) };
}

static void check_seconds(const struct group_config *g, const char *key, uint32_t ms,
                          struct problems *problems)
{
    if (ms % 1000 != 0)
        problems_error(problems, config_line(&g->lines, group_settings, key),
                       "%s: is not a whole number of seconds", key);
}

static void check_lb_cookie(struct group_config *g, struct problems *problems)
{
    const struct group_options *o = &g->options;
    const struct cookie_name plain =
        group_name(g, "stickiness.lb_cookie.cookie_name", o->lb_cookie_name);
    const struct cookie_name cors =
        group_name(g, "stickiness.lb_cookie.cors_cookie_name", o->lb_cookie_cors_name);

    check_names(&plain, &cors, problems);
    check_seconds(g, "stickiness.lb_cookie.duration_seconds", o->lb_cookie_duration_ms, problems);
    g->stickiness = (struct stickiness_policy){ .cookie_name = o->lb_cookie_name,
                                                .cors_cookie_name = o->lb_cookie_cors_name,
                                                .duration_s = o->lb_cookie_duration_ms / 1000 };
}

/* The application's cookie. */
static void check_app_name(const struct group_config *g, struct problems *problems)
{
    const struct group_options *o = &g->options;
    const struct cookie_name app =
        group_name(g, "stickiness.app_cookie.cookie_name", o->app_cookie_name);

    if (app.name[0] == '\0') {
        if (o->stickiness && o->stickiness_type == STICKINESS_TYPE_APP_COOKIE)
            problems_error(problems, config_line(&g->lines, group_settings, "stickiness.type"),
                           "stickiness.type: app_cookie needs %s, the cookie by which the "
                           "application knows a session",
                           app.key);
        return;
    }
    if (check_name(&app, STICKINESS_NAME_MAX, problems) &&
        !stickiness_is_app_name(span_text(app.name)))
        problems_error(problems, app.line,
                       "%s: \"%s\" begins with AWSALB, as the balancer's own do; name the "
                       "application's cookie",
                       app.key, app.name);
}

enum { SHARD = sizeof("-0") - 1 };

/* Is the application's cookie one of those that are set beside it? */
static void check_apart(const struct cookie_name *own, const char *app, struct problems *problems)
{
    const size_t len = strlen(own->name);
    const bool is_alike = strncmp(app, own->name, len) == 0 && strlen(app) == len + SHARD;

    if (is_alike && app[len] == '-' && app[len + 1] >= '0' &&
        app[len + 1] < '0' + STICKINESS_SHARDS)
        problems_error(problems, own->line,
                       "%s: with \"%s\" the balancer would set \"%s\", which is the application's "
                       "cookie",
                       own->key, own->name, app);
}

static void check_app_cookie(struct group_config *g, struct problems *problems)
{
    const struct group_options *o = &g->options;
    const struct cookie_name own =
        group_name(g, "stickiness.app_cookie.lb_cookie_name", o->app_cookie_own_name);

    check_app_name(g, problems);
    check_name(&own, STICKINESS_NAME_MAX - SHARD, problems);
    check_is_kept(&own, problems);
    if (stickiness_is_app_name(span_text(o->app_cookie_name)))
        check_apart(&own, o->app_cookie_name, problems);
    check_seconds(g, "stickiness.app_cookie.duration_seconds", o->app_cookie_duration_ms, problems);
    g->app_stickiness =
        (struct stickiness_app_policy){ .app_name = o->app_cookie_name,
                                        .cookie_name = own.name,
                                        .duration_s = o->app_cookie_duration_ms / 1000 };
}

void config_stickiness(struct group_config *g, struct problems *problems)
{
    check_lb_cookie(g, problems);
    check_app_cookie(g, problems);
}
