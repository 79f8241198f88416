/* config_listeners.c -- [listener NAME]: its address, its default action. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#include "alb/config_parts.h"

static int line_in(const struct listener_config *l, const char *key)
{
    return config_line(&l->lines, listener_settings, key);
}

static bool says(const struct listener_config *l, const char *key)
{
    return config_line_written(&l->lines, listener_settings, key) != 0;
}

static void check_bind(struct listener_config *l, struct problems *problems)
{
    char why[CONFIG_WHY_MAX];

    if (says(l, "bind") &&
        !addr_parse(span_text(l->options.bind), true, &l->bind, why, sizeof(why)))
        problems_error(problems, line_in(l, "bind"), "bind: %s", why);
}

static void check_listener(struct config *config, struct listener_config *l,
                           struct problems *problems)
{
    static const char *const required[] = { "bind", "default_action", NULL };

    config_require(&l->lines, listener_settings, "listener", l->name, required, problems);
    check_bind(l, problems);
    config_listener_tls(config, l, problems);
    config_headers(l, problems);
    l->fallback.name = mem_text("default");
    l->fallback.line = line_in(l, "default_action");
    if (says(l, "default_action"))
        config_action(
            config, l,
            &(struct action_text){ "default_action", l->options.default_action, l->fallback.line },
            &l->fallback.action, problems);
}

/* Who has the other place; the port of both is the same. */
static void check_place(const struct listener_config *l, const struct addr *other,
                        const char *whose, struct problems *problems)
{
    char text[ADDR_TEXT_MAX];

    if (!addr_overlaps(&l->bind, other))
        return;
    if (addr_equal(&l->bind, other))
        problems_error(problems, line_in(l, "bind"), "bind: %s is the address of %s too",
                       l->options.bind, whose);
    else
        problems_error(problems, line_in(l, "bind"), "bind: %s overlaps with %s of %s",
                       l->options.bind, addr_format(other, text), whose);
}

static void check_places(const struct config *config, struct problems *problems)
{
    char whose[CONFIG_WHY_MAX];

    for (size_t i = 0; i < config->listener_count; i++) {
        const struct listener_config *l = &config->listeners[i];
        for (const struct listener_config *o = config->listeners; o < l; o++) {
            snprintf(whose, sizeof(whose), "[listener %s] at line %d", o->name, line_in(o, "bind"));
            check_place(l, &o->bind, whose, problems);
        }
        check_place(l, &config->admin, "admin", problems);
    }
}

void config_listeners(struct config *config, struct problems *problems)
{
    for (size_t i = 0; i < config->listener_count; i++)
        check_listener(config, &config->listeners[i], problems);
    check_places(config, problems);
    if (config->listener_count == 0)
        problems_error(problems, 0, "there is no [listener NAME] section: nobody could connect");
}
