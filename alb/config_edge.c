/* config_edge.c -- [edge]: who may connect, from blocks, files and ip-ranges.json. */
#include <glob.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/ini_file.h"
#include "base/mem.h"

#include "alb/config_parts.h"

enum { RANGES_OLD_DAYS = 30 };

struct edge_reader {
    struct config *config;
    struct problems *problems;
    bool none;    /* allow = none */
    bool refused; /* an error was reported: say nothing of an empty set */
};

#define refuse(r, line, ...) ((r)->refused = true, problems_error((r)->problems, line, __VA_ARGS__))

/* --- allow --------------------------------------------------------------------- */

static void allow_word(struct edge_reader *r, const char *word, int line)
{
    struct cidr block;
    char why[CONFIG_WHY_MAX];

    if (strcmp(word, "any") == 0)
        r->config->edge_any = true;
    else if (strcmp(word, "none") == 0)
        r->none = true;
    else if (cidr_parse(span_text(word), &block, why, sizeof(why)))
        edge_set_add_at(r->config->edge, &block, line);
    else
        refuse(r, line, "allow: %s", why);
}

/* --- allow_file ---------------------------------------------------------------- */

static void allow_file(struct edge_reader *r, const char *path, int line)
{
    char why[CONFIG_WHY_MAX];

    if (!edge_set_add_file(r->config->edge, path, why, sizeof(why)))
        refuse(r, line, "allow_file: %s", why);
}

/* A pattern may match nothing (a folder that is still empty); a plain name that
 * is not there is a mistake, which opening it reports. */
static void allow_pattern(struct edge_reader *r, const char *pattern, int line)
{
    glob_t found;

    if (strpbrk(pattern, "*?[") == NULL) {
        allow_file(r, pattern, line);
        return;
    }
    int result = glob(pattern, 0, NULL, &found);
    if (result == GLOB_NOMATCH)
        problems_warning(r->problems, line, "allow_file: no file is like %s", pattern);
    else if (result != 0)
        refuse(r, line, "allow_file: cannot look for %s", pattern);
    for (size_t i = 0; result == 0 && i < found.gl_pathc; i++)
        allow_file(r, found.gl_pathv[i], line);
    globfree(&found);
}

/* --- allow_ip_ranges ----------------------------------------------------------- */

/* When the provider made the file, by its createDate; 0 when it does not say. */
static time_t made_at(const char *path)
{
    json_t *root = json_load_file(path, 0, NULL);
    const char *date = json_string_value(json_object_get(root, "createDate"));
    struct tm tm = { .tm_year = 0 };
    bool known = date != NULL && strptime(date, "%Y-%m-%d-%H-%M-%S", &tm) != NULL;

    json_decref(root);
    return known ? timegm(&tm) : 0;
}

static void warn_of_age(struct edge_reader *r, const char *path, int line)
{
    time_t made = made_at(path);
    time_t now = (time_t)(clock_wall_ms() / 1000);
    long days = (long)((now - made) / 86400);

    if (made == 0)
        problems_warning(r->problems, line, "allow_ip_ranges: %s has no createDate", path);
    else if (days > RANGES_OLD_DAYS)
        problems_warning(r->problems, line,
                         "allow_ip_ranges: %s is %ld days old; fetch it again, or new edge "
                         "addresses are refused",
                         path, days);
}

static void allow_ranges(struct edge_reader *r, const struct setting_item *item)
{
    struct span rest = span_text(item->text);
    char path[PATH_MAX], service[128], why[CONFIG_WHY_MAX];
    bool bad = false;

    if (!ini_next_word(&rest, path, sizeof(path), &bad) ||
        !ini_next_word(&rest, service, sizeof(service), &bad) || span_trim(rest).len > 0)
        refuse(r, item->line,
               "allow_ip_ranges: \"%s\" is not FILE SERVICE, such as "
               "ip-ranges.json CLOUDFRONT_ORIGIN_FACING",
               item->text);
    else if (!edge_set_add_ip_ranges(r->config->edge, path, service, why, sizeof(why)))
        refuse(r, item->line, "allow_ip_ranges: %s", why);
    else
        warn_of_age(r, path, item->line);
}

/* --- the section ----------------------------------------------------------------- */

static void each_word(struct edge_reader *r, const char *key, const struct setting_list *list,
                      void (*use)(struct edge_reader *, const char *word, int line))
{
    char word[PATH_MAX];
    bool bad = false;

    for (size_t i = 0; i < list->count; i++, bad = false) {
        struct span rest = span_text(list->items[i].text);
        while (ini_next_word(&rest, word, sizeof(word), &bad))
            use(r, word, list->items[i].line);
        if (bad)
            refuse(r, list->items[i].line, "%s: \"%s\" has a bad quote or a word too long", key,
                   list->items[i].text);
    }
}

/* Whoever admits all of a private range admits every neighbour in it. */
static void warn_of_wide_blocks(const struct edge_reader *r)
{
    static const struct cidr private_blocks[] = {
        { { 4, { 10 } }, 8 }, /* RFC 1918 */
        { { 4, { 172, 16 } }, 12 },
        { { 4, { 192, 168 } }, 16 },
        { { 6, { 0xfc } }, 7 }, /* RFC 4193 */
    };
    const struct cidr *items = edge_set_items(r->config->edge);
    char wide[CIDR_TEXT_MAX], whole[CIDR_TEXT_MAX];

    for (size_t i = 0; i < edge_set_ranges(r->config->edge); i++) {
        for (size_t j = 0; j < sizeof(private_blocks) / sizeof(private_blocks[0]); j++) {
            const struct cidr *block = &private_blocks[j];
            if (items[i].bits > block->bits || !cidr_contains(&items[i], &block->ip))
                continue;
            problems_warning(r->problems, r->config->edge_lines.header,
                             "[edge] %s admits the whole of %s, not just the edge",
                             cidr_format(&items[i], wide), cidr_format(block, whole));
            break;
        }
    }
}

static void warn_of_all_or_none(const struct edge_reader *r)
{
    const struct config *c = r->config;
    const int line = config_line(&c->edge_lines, edge_settings, "allow");

    if (c->edge_any)
        problems_warning(r->problems, line,
                         "allow = any: whoever reaches a listener may connect; name the addresses "
                         "of the edge instead");
    if (r->none)
        problems_warning(r->problems, line,
                         "allow = none: nobody may connect; name the addresses of the edge here, "
                         "then `alb reload`, or let one in for a while: alb edge add CIDR --for "
                         "10m");
}

static void check_whole(struct edge_reader *r)
{
    const struct config *c = r->config;
    int line = config_line(&c->edge_lines, edge_settings, "allow");
    bool has_blocks = edge_set_blocks(c->edge) > 0;

    if ((c->edge_any && (r->none || has_blocks)) || (r->none && has_blocks))
        problems_error(r->problems, line, "allow: \"%s\" stands alone, without other addresses",
                       c->edge_any ? "any" : "none");
    else if (!c->edge_any && !r->none && !has_blocks && !r->refused)
        problems_error(r->problems, line,
                       "[edge] admits nobody; name its addresses, or say allow = none");
}

void config_edge(struct config *config, struct problems *problems)
{
    struct edge_reader r = { .config = config, .problems = problems };
    const struct edge_options *o = &config->edge_options;

    edge_set_source(config->edge, problems->file, NULL);
    each_word(&r, "allow", &o->allow, allow_word);
    each_word(&r, "allow_file", &o->allow_file, allow_pattern);
    for (size_t i = 0; i < o->allow_ip_ranges.count; i++)
        allow_ranges(&r, &o->allow_ip_ranges.items[i]);
    edge_set_build(config->edge);

    if (config->edge_lines.header == 0) {
        problems_error(problems, 0,
                       "there is no [edge] section: say who may connect; open to all must be "
                       "said: allow = any");
        return;
    }
    check_whole(&r);
    warn_of_wide_blocks(&r);
    warn_of_all_or_none(&r);
}
