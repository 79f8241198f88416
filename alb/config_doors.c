/* config_doors.c -- [health] and [management]: where each listens, and for whom. */
#include <stdio.h>

#include "base/ini_file.h"

#include "alb/config_parts.h"

const char *const door_names[DOOR_KINDS] = { "health", "management" };
const char *const door_labels[DOOR_KINDS] = { "[health]", "[management]" };

/* What a section says of its door. */
struct door_text {
    const struct section_lines *lines;
    const struct setting *settings;
    const struct setting_list *bind, *allow;
    const char *whom; /* whom `allow` names */
};

static struct door_text text_of(const struct config *c, enum door_kind kind)
{
    const struct health_config *h = &c->health;
    const struct manage_config *m = &c->management;

    if (kind == DOOR_MANAGEMENT)
        return (struct door_text){ &m->lines, manage_settings, &m->options.bind, &m->options.allow,
                                   "of the operators" };
    return (struct door_text){ &h->lines, health_settings, &h->options.bind, &h->options.allow,
                               "that check" };
}

/* --- allow -------------------------------------------------------------------------------- */

static void allow_word(struct door_config *d, const char *word, int line, struct problems *problems)
{
    struct cidr block;
    char why[CONFIG_WHY_MAX];

    if (strcmp(word, "any") == 0)
        d->any = true;
    else if (cidr_parse(span_text(word), &block, why, sizeof(why)))
        edge_set_add(d->allow, &block);
    else
        problems_error(problems, line, "allow: %s", why);
}

static void read_allow(struct door_config *d, const struct door_text *text,
                       struct problems *problems)
{
    const struct setting_list *list = text->allow;
    char word[CIDR_TEXT_MAX];
    bool bad = false;

    for (size_t i = 0; i < list->count; i++, bad = false) {
        struct span rest = span_text(list->items[i].text);
        while (ini_next_word(&rest, word, sizeof(word), &bad))
            allow_word(d, word, list->items[i].line, problems);
        if (bad)
            problems_error(problems, list->items[i].line,
                           "allow: \"%s\" has a bad quote or a word too long", list->items[i].text);
    }
    edge_set_build(d->allow);
    if (d->any && edge_set_blocks(d->allow) > 0)
        problems_error(problems, config_line(text->lines, text->settings, "allow"),
                       "allow: \"any\" stands alone, without other addresses");
}

/* --- bind --------------------------------------------------------------------------------- */

static void check_place(const struct addr *bind, const struct addr *other, const char *whose,
                        int line, struct problems *problems)
{
    char text[ADDR_TEXT_MAX], theirs[ADDR_TEXT_MAX];

    if (addr_overlaps(bind, other))
        problems_error(problems, line, "bind: %s overlaps with %s of %s; choose another port",
                       addr_format(bind, text), addr_format(other, theirs), whose);
}

/* Those that were read before it. */
static void check_doors(const struct config *c, enum door_kind kind, size_t i,
                        struct problems *problems)
{
    const struct door_config *d = &c->doors[kind];
    char whose[64];

    for (int k = 0; k < (int)kind; k++) {
        snprintf(whose, sizeof(whose), "[%s]", door_names[k]);
        for (size_t j = 0; j < c->doors[k].bind_count; j++)
            check_place(&d->binds[i], &c->doors[k].binds[j], whose, d->lines[i], problems);
    }
    for (size_t j = 0; j < i; j++)
        check_place(&d->binds[i], &d->binds[j], "another line here", d->lines[i], problems);
}

static void check_places(const struct config *c, enum door_kind kind, size_t i,
                         struct problems *problems)
{
    const struct door_config *d = &c->doors[kind];
    char whose[64];

    for (size_t j = 0; j < c->listener_count; j++) {
        snprintf(whose, sizeof(whose), "[listener %s]", c->listeners[j].name);
        check_place(&d->binds[i], &c->listeners[j].bind, whose, d->lines[i], problems);
    }
    check_doors(c, kind, i, problems);
    check_place(&d->binds[i], &c->admin, "admin", d->lines[i], problems);
}

static void read_binds(struct config *c, enum door_kind kind, const struct door_text *text,
                       struct problems *problems)
{
    struct door_config *d = &c->doors[kind];
    const struct setting_list *list = text->bind;
    char why[CONFIG_WHY_MAX];

    if (list->count > DOOR_BINDS_MAX) {
        problems_error(problems, list->items[DOOR_BINDS_MAX].line, "bind: more than %d of them",
                       DOOR_BINDS_MAX);
        return;
    }
    d->bind_count = list->count;
    for (size_t i = 0; i < list->count; i++) {
        d->lines[i] = list->items[i].line;
        if (addr_parse(span_text(list->items[i].text), true, &d->binds[i], why, sizeof(why)))
            check_places(c, kind, i, problems);
        else
            problems_error(problems, d->lines[i], "bind: %s", why);
    }
}

/* --- the whole ---------------------------------------------------------------------------- */

static void read_door(struct config *c, enum door_kind kind, struct problems *problems)
{
    const struct door_text text = text_of(c, kind);
    struct door_config *d = &c->doors[kind];

    d->header = text.lines->header;
    if (d->header == 0) {
        edge_set_build(d->allow);
        return;
    }
    if (text.bind->count == 0)
        problems_error(problems, d->header, "[%s] has no bind", door_names[kind]);
    if (text.allow->count == 0)
        problems_error(problems, d->header,
                       "[%s] has no allow: name the addresses %s, or say allow = any",
                       door_names[kind], text.whom);
    read_allow(d, &text, problems);
    read_binds(c, kind, &text, problems);
}

void config_doors(struct config *config, struct problems *problems)
{
    for (int kind = 0; kind < DOOR_KINDS; kind++)
        read_door(config, (enum door_kind)kind, problems);
}
