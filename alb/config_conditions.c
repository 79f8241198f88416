/*
 * config_conditions.c -- what a [rule] asks of a request: its conditions.
 *
 * The limits are the managed balancer's (reference: its rule conditions). They
 * also bound what one match may cost. A new condition is a row in the table
 * below and a function that judges one value.
 */
#include <stdio.h>

#include "base/ini_file.h"
#include "base/mem.h"
#include "http/message.h"

#include "alb/config_parts.h"
#include "alb/regex.h"

enum {
    VALUE_MAX = 128,
    NAME_MAX = 40,     /* of a method or a field */
    VALUES_MAX = 5,    /* a rule, over all its conditions */
    WILDCARDS_MAX = 5, /* the same */
    WORD_MAX = 8192,
};

/* --- one value ---------------------------------------------------------------------- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_made_of(const char *text, const char *others)
{
    for (; *text != '\0'; text++) {
        bool is_digit = *text >= '0' && *text <= '9';
        if (!is_letter(*text) && !is_digit && strchr(others, *text) == NULL)
            return false;
    }
    return true;
}

static const char *check_visible(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < 0x20 || *text > 0x7e)
            return "may hold visible ASCII characters only";
    }
    return NULL;
}

/* What is wrong with a value, or NULL; `why` has room for a sentence. */
typedef const char *check_value(struct condition_value *v, char why[CONFIG_WHY_MAX]);

static const char *check_path(struct condition_value *v, char why[CONFIG_WHY_MAX])
{
    static const char others[] = "_-.$/~\"'@:+&*?";

    (void)why;
    return is_made_of(v->text, others) ? NULL : "may hold letters, digits and _-.$/~\"'@:+&*? only";
}

static const char *check_host(struct condition_value *v, char why[CONFIG_WHY_MAX])
{
    const char *dot = strrchr(v->text, '.');

    (void)why;
    if (!is_made_of(v->text, "-.*?"))
        return "may hold letters, digits and -.*? only";
    if (dot == NULL)
        return "needs a '.'";
    for (const char *at = dot + 1; *at != '\0'; at++) {
        if (!is_letter(*at))
            return "may hold only letters after the last '.'";
    }
    return NULL;
}

static const char *check_method(struct condition_value *v, char why[CONFIG_WHY_MAX])
{
    (void)why;
    if (strlen(v->text) > NAME_MAX)
        return "is longer than 40 characters";
    for (const char *at = v->text; *at != '\0'; at++) {
        if (!(*at >= 'A' && *at <= 'Z') && *at != '-' && *at != '_')
            return "may hold A to Z, - and _ only; methods have no wildcards";
    }
    return NULL;
}

static const char *check_block(struct condition_value *v, char why[CONFIG_WHY_MAX])
{
    static const uint8_t broadcast[4] = { 255, 255, 255, 255 };
    char wrong[256];

    if (!cidr_parse(span_text(v->text), &v->block, wrong, sizeof(wrong))) {
        snprintf(why, CONFIG_WHY_MAX, "is no block of addresses: %s", wrong);
        return why;
    }
    if (v->block.ip.family == 4 && v->block.bits == 32 &&
        memcmp(v->block.ip.bytes, broadcast, sizeof(broadcast)) == 0)
        return "is the broadcast address, from which nobody connects";
    return NULL;
}

static const char *check_header(struct condition_value *v, char why[CONFIG_WHY_MAX])
{
    (void)why;
    return check_visible(v->text);
}

/* "key=value"; without a '=', or with one in front, it is a value of any key. */
static const char *check_query(struct condition_value *v, char why[CONFIG_WHY_MAX])
{
    char *equals = strchr(v->text, '=');

    (void)why;
    if (equals != NULL) {
        const size_t n = (size_t)(equals - v->text);
        if (n > 0)
            v->key = mem_copy(v->text, n);
        char *value = mem_text(equals + 1);
        free(v->text);
        v->text = value;
    }
    if (v->text[0] == '\0')
        return "has no value; key=* is any value";
    if (v->key != NULL && strlen(v->key) > VALUE_MAX)
        return "has a key of more than 128 characters";
    return v->key != NULL && check_visible(v->key) != NULL ? check_visible(v->key)
                                                           : check_visible(v->text);
}

static const char *compile(struct condition_value *v, bool nocase, char why[CONFIG_WHY_MAX])
{
    v->regex = regex_new(span_text(v->text), nocase, why, CONFIG_WHY_MAX);
    return v->regex == NULL ? why : NULL;
}

static const char *check_regex(struct condition_value *v, char why[CONFIG_WHY_MAX])
{
    return compile(v, false, why);
}

static const char *check_regex_nocase(struct condition_value *v, char why[CONFIG_WHY_MAX])
{
    return compile(v, true, why);
}

/* --- the table ------------------------------------------------------------------------ */

enum {
    ONE = 1,     /* a rule has at most one of this kind */
    NAMED = 2,   /* the first word is the name of a field */
    WILD = 4,    /* '*' and '?' are wildcards */
    ESCAPES = 8, /* ... unless behind a backslash */
};

static const struct row {
    const char *setting;
    enum condition_kind kind;
    unsigned flags;
    size_t options; /* of the setting_list in struct rule_options */
    check_value *check;
} rows[] = {
#define ROW(setting, kind, flags, field, check)                                                    \
    {                                                                                              \
        setting, kind, flags, offsetof(struct rule_options, field), check                          \
    }
    /* In the order in which a rule tries them: the cheap ones first. */
    ROW("host-header", CONDITION_HOST, ONE | WILD, host_header, check_host),
    ROW("path-pattern", CONDITION_PATH, ONE | WILD, path_pattern, check_path),
    ROW("http-request-method", CONDITION_METHOD, ONE, http_request_method, check_method),
    ROW("source-ip", CONDITION_SOURCE_IP, ONE, source_ip, check_block),
    ROW("http-header", CONDITION_HEADER, NAMED | WILD, http_header, check_header),
    ROW("query-string", CONDITION_QUERY, WILD | ESCAPES, query_string, check_query),
    ROW("host-header-regex", CONDITION_HOST, ONE, host_header_regex, check_regex_nocase),
    ROW("path-pattern-regex", CONDITION_PATH, ONE, path_pattern_regex, check_regex),
    ROW("http-header-regex", CONDITION_HEADER, NAMED, http_header_regex, check_regex_nocase),
#undef ROW
};

/* --- one line --------------------------------------------------------------------------- */

/* A line is read into a condition, and what is wrong with it is reported. */
struct line {
    const struct row *row;
    int number;
    struct problems *problems;
    size_t wildcards;
};

#define report(l, ...) problems_error((l)->problems, (l)->number, __VA_ARGS__)

static void count_wildcards(struct line *l, const char *text)
{
    for (const char *at = text; at != NULL && *at != '\0' && (l->row->flags & WILD) != 0; at++) {
        if ((l->row->flags & ESCAPES) != 0 && at[0] == '\\' && (at[1] == '*' || at[1] == '?'))
            at++;
        else
            l->wildcards += *at == '*' || *at == '?';
    }
}

static void add_value(struct line *l, struct condition *c, const char *word)
{
    char why[CONFIG_WHY_MAX];
    const char *wrong = NULL;

    c->values = mem_room(c->values, c->count, sizeof(c->values[0]));
    struct condition_value *v = &c->values[c->count++];
    *v = (struct condition_value){ .text = mem_text(word) };
    if (word[0] == '\0')
        wrong = "is empty";
    else if (l->row->kind != CONDITION_QUERY && strlen(word) > VALUE_MAX)
        wrong = "is longer than 128 characters";
    else
        wrong = l->row->check(v, why);
    if (wrong == NULL && strlen(v->text) > VALUE_MAX)
        wrong = "is longer than 128 characters";
    if (wrong != NULL)
        report(l, "%s: \"%.*s\" %s", l->row->setting, VALUE_MAX, word, wrong);
    count_wildcards(l, v->key);
    count_wildcards(l, v->text);
}

static void set_name(struct line *l, struct condition *c, const char *word)
{
    const char *wrong = NULL;

    if (!http_is_token(span_text(word)) || strchr(word, '*') != NULL)
        wrong = "is not the name of a field; names have no wildcards";
    else if (strlen(word) > NAME_MAX)
        wrong = "is longer than 40 characters";
    else if (http_name_of(span_text(word)) == HTTP_N_HOST)
        wrong = "has a condition of its own: host-header";
    if (wrong != NULL)
        report(l, "%s: \"%.*s\" %s", l->row->setting, VALUE_MAX, word, wrong);
    c->name = mem_text(word);
}

static void read_line(struct line *l, const char *text, struct condition *c)
{
    struct span rest = span_text(text);
    char word[WORD_MAX + 1];
    bool bad = false;

    if ((l->row->flags & NAMED) != 0 && ini_next_word(&rest, word, sizeof(word), &bad))
        set_name(l, c, word);
    if (span_trim(rest).len == 0)
        report(l, "%s: has no value", l->row->setting);
    while (!bad && ini_next_word(&rest, word, sizeof(word), &bad))
        add_value(l, c, word);
    if (bad)
        report(l, "%s: \"%.64s\" has a bad quote", l->row->setting, rest.ptr);
}

/* --- all of a rule ------------------------------------------------------------------------ */

/* Another condition of a kind of which there is to be one. */
static const struct condition *find_other(const struct rule *rule, const struct row *row)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        if ((row->flags & ONE) != 0 && rule->conditions[i].kind == row->kind)
            return &rule->conditions[i];
    }
    return NULL;
}

static void check_alone(struct line *l, const struct rule *rule)
{
    const struct condition *other = find_other(rule, l->row);

    if (other == NULL)
        return;
    if (strcmp(other->setting, l->row->setting) == 0)
        report(l, "%s: a rule has only one; put its values on one line", l->row->setting);
    else
        report(l, "%s: the rule has %s already; use one of the two", l->row->setting,
               other->setting);
}

static void check_totals(const struct rule *rule, size_t wildcards, struct problems *problems)
{
    size_t values = 0;

    for (size_t i = 0; i < rule->condition_count; i++)
        values += rule->conditions[i].count;
    if (values > VALUES_MAX)
        problems_error(problems, rule->line, "[rule %s] has %zu condition values; at most %d",
                       rule->name, values, VALUES_MAX);
    if (wildcards > WILDCARDS_MAX)
        problems_error(problems, rule->line, "[rule %s] has %zu wildcards; at most %d", rule->name,
                       wildcards, WILDCARDS_MAX);
}

static const struct setting_list *list_of(const struct rule_options *options, const struct row *row)
{
    return (const void *)((const char *)options + row->options);
}

void config_conditions(struct rule *rule, const struct rule_options *options,
                       struct problems *problems)
{
    size_t wildcards = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct setting_list *list = list_of(options, &rows[i]);
        for (size_t j = 0; j < list->count; j++) {
            struct line l = { &rows[i], list->items[j].line, problems, 0 };
            struct condition c = { .kind = rows[i].kind, .setting = rows[i].setting };
            check_alone(&l, rule);
            read_line(&l, list->items[j].text, &c);
            wildcards += l.wildcards;
            rule->conditions =
                mem_room(rule->conditions, rule->condition_count, sizeof(struct condition));
            rule->conditions[rule->condition_count++] = c;
        }
    }
    if (rule->condition_count == 0)
        problems_error(problems, rule->line,
                       "[rule %s] has no condition; what always applies is default_action",
                       rule->name);
    check_totals(rule, wildcards, problems);
}
