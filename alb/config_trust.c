/* config_trust.c -- [edge] trust: whose word on the viewer is believed. */
#include "base/ini_file.h"

#include "alb/config_parts.h"

enum { WORD_MAX = 64 };

struct trust_reader {
    struct config *config;
    struct problems *problems;
    bool none, others;
};

static int line_of(const struct config *c, const char *key)
{
    return config_line(&c->edge_lines, edge_settings, key);
}

static void trust_block(struct trust_reader *r, const char *word, int line)
{
    struct cidr block;
    char why[CONFIG_WHY_MAX];

    if (!cidr_parse(span_text(word), &block, why, sizeof(why))) {
        problems_error(r->problems, line, "trust: %s; or write edge or none", why);
        return;
    }
    edge_set_add(r->config->trust, &block);
    if (block.bits == 0)
        problems_warning(r->problems, line,
                         "trust: %s is everybody: whoever connects can say that it is another",
                         word);
}

static void trust_word(struct trust_reader *r, const char *word, int line)
{
    const bool is_none = strcmp(word, "none") == 0, is_edge = strcmp(word, "edge") == 0;

    r->none |= is_none;
    r->others |= !is_none;
    r->config->trusts_edge |= is_edge;
    if (!is_none && !is_edge)
        trust_block(r, word, line);
}

static void read_words(struct trust_reader *r, const struct setting_list *list)
{
    char word[WORD_MAX];
    bool bad = false;

    for (size_t i = 0; i < list->count; i++, bad = false) {
        struct span rest = span_text(list->items[i].text);
        while (ini_next_word(&rest, word, sizeof(word), &bad))
            trust_word(r, word, list->items[i].line);
        if (bad)
            problems_error(r->problems, list->items[i].line,
                           "trust: \"%s\" has a bad quote or a word too long", list->items[i].text);
    }
}

/* Anybody may connect: then nobody is believed unless named. */
static void check_any(struct trust_reader *r)
{
    struct config *c = r->config;

    if (!c->edge_any || !c->trusts_edge)
        return;
    c->trusts_edge = false;
    if (config_line_written(&c->edge_lines, edge_settings, "trust") != 0)
        problems_error(r->problems, line_of(c, "trust"),
                       "trust: edge with allow = any would believe anybody; name the addresses "
                       "that are to be believed, or say none");
}

/* Settings that say what to make of the word of nobody. */
static void advise(const struct trust_reader *r)
{
    static const char *const keys[] = { "viewer_address", "viewer_proto", "source_ip" };
    const struct config *c = r->config;
    const int chosen[] = { c->edge_options.viewer_address, c->edge_options.viewer_proto,
                           c->edge_options.source_ip };

    if (c->trusts_edge || edge_set_blocks(c->trust) > 0)
        return;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (chosen[i] != 0)
            problems_warning(r->problems, line_of(c, keys[i]),
                             "%s: changes nothing, as %s is believed; name whose word to take in "
                             "trust",
                             keys[i],
                             c->edge_any && !r->none ? "with allow = any nobody" : "nobody");
    }
}

void config_trust(struct config *config, struct problems *problems)
{
    struct trust_reader r = { .config = config, .problems = problems };
    const struct setting_list *list = &config->edge_options.trust;
    const size_t errors_before = problems->errors;

    read_words(&r, list);
    edge_set_build(config->trust);
    if (r.none && r.others)
        problems_error(problems, line_of(config, "trust"),
                       "trust: \"none\" stands alone, without other words");
    check_any(&r);
    if (problems->errors == errors_before)
        advise(&r);
}
