/*
 * Any rules and any request: the rule that answers is the one that a slow and
 * simple matcher finds, with the index and without.
 *
 * Input: host LF path LF query LF values of the field X with ' ' between LF, then a
 * rule a line: path patterns with ' ' between, '|', host patterns, '|', query patterns
 * with escapes, '|', patterns of X.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/message.h"

#include "alb/rules.h"
#include "alb/rules_index.h"

enum { RULES_MAX = 40, PATTERNS_MAX = 8, TEXT_MAX = 256, FIELDS_MAX = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* reach[j]: the pattern read so far fits the first j bytes of the text. */
static bool is_like(const char *pattern, struct span text, bool nocase, bool escapes)
{
    bool reach[TEXT_MAX + 1] = { true };

    assert(text.len <= TEXT_MAX);
    for (; *pattern != '\0'; pattern++) {
        bool plain = escapes && pattern[0] == '\\' && (pattern[1] == '*' || pattern[1] == '?');
        pattern += plain;
        bool star = !plain && *pattern == '*', one = !plain && *pattern == '?';
        bool next[TEXT_MAX + 1] = { star && reach[0] };
        for (size_t j = 1; j <= text.len; j++) {
            char a = *pattern, b = text.ptr[j - 1];
            bool same = one || a == b || (nocase && lower(a) == lower(b));
            next[j] = star ? reach[j] || next[j - 1] : reach[j - 1] && same;
        }
        memcpy(reach, next, sizeof(reach));
    }
    return reach[text.len];
}

/* "host:123" -> "host" */
static struct span host_alone(struct span host)
{
    for (size_t i = host.len; i-- > 0;) {
        if (host.ptr[i] == ':')
            return span_of(host.ptr, i);
        if (host.ptr[i] < '0' || host.ptr[i] > '9')
            return host;
    }
    return host;
}

static bool any_in_query(const char *pattern, struct span query)
{
    struct span pair, key;

    while (span_next(&query, '&', &pair)) {
        struct span value = pair;
        if (pair.len == 0)
            continue;
        span_next(&value, '=', &key);
        if (is_like(pattern, value.ptr == NULL ? span_of("", 0) : value, true, true))
            return true;
    }
    return false;
}

static bool any_in_fields(const char *pattern, const struct http_message *m)
{
    for (size_t i = 0; i < m->field_count; i++) {
        if (is_like(pattern, m->fields[i].value, true, false))
            return true;
    }
    return false;
}

static bool fits(enum condition_kind kind, const char *pattern, const struct http_message *m)
{
    switch (kind) {
    case CONDITION_PATH:
        return is_like(pattern, m->path, false, false);
    case CONDITION_HOST:
        return is_like(pattern, host_alone(m->host), true, false);
    case CONDITION_QUERY:
        return any_in_query(pattern, m->query);
    default:
        return any_in_fields(pattern, m);
    }
}

static bool holds(const struct condition *c, const struct http_message *m)
{
    for (size_t i = 0; i < c->count; i++) {
        if (fits(c->kind, c->values[i].text, m))
            return true;
    }
    return false;
}

static const struct rule *expected(const struct listener_config *l, const struct http_message *m)
{
    for (size_t i = 0; i < l->rule_count; i++) {
        bool all = true;
        for (size_t j = 0; j < l->rules[i].condition_count; j++)
            all = all && holds(&l->rules[i].conditions[j], m);
        if (all)
            return &l->rules[i];
    }
    return &l->fallback;
}

static struct span next_line(struct span *rest)
{
    struct span line;

    if (!span_next(rest, '\n', &line))
        return span_of("", 0);
    line.len = line.len > TEXT_MAX ? TEXT_MAX : line.len;
    return line;
}

/* No pattern is no condition. */
static void read_condition(struct rule *rule, enum condition_kind kind, struct span text)
{
    struct condition c = { .kind = kind, .setting = "fuzz" };
    struct span word;

    c.values = mem_array(struct condition_value, PATTERNS_MAX);
    if (kind == CONDITION_HEADER)
        c.name = mem_text("x");
    while (c.count < PATTERNS_MAX && span_next(&text, ' ', &word)) {
        if (word.len > 0)
            c.values[c.count++].text = mem_copy(word.ptr, word.len);
    }
    if (c.count > 0)
        rule->conditions[rule->condition_count++] = c;
    else
        condition_done(&c);
}

static void read_rule(struct rule *rule, struct span line)
{
    struct span path = { "", 0 }, host = { "", 0 }, query = { "", 0 };

    span_next(&line, '|', &path);
    span_next(&line, '|', &host);
    span_next(&line, '|', &query);
    rule->conditions = mem_array(struct condition, 4);
    read_condition(rule, CONDITION_PATH, path);
    read_condition(rule, CONDITION_HOST, host);
    read_condition(rule, CONDITION_QUERY, query);
    read_condition(rule, CONDITION_HEADER, line);
}

static void read_fields(struct http_message *m, struct span line)
{
    struct span value;

    m->field_count = 0;
    while (m->field_count < FIELDS_MAX && span_next(&line, ' ', &value))
        m->fields[m->field_count++] = (struct http_field){ .name = SPAN("X"), .value = value };
}

static void free_rule(struct rule *rule)
{
    for (size_t i = 0; i < rule->condition_count; i++)
        condition_done(&rule->conditions[i]);
    free(rule->conditions);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_message m; /* large, and set anew each time */
    struct rule rules[RULES_MAX] = { { .name = NULL } };
    struct listener_config l = { .rules = rules };
    struct condition_request request;
    const struct ip peer = { .family = 4 };
    struct span rest = span_of(data, size);

    if (size == 0)
        return 0;
    m.host = next_line(&rest);
    m.path = next_line(&rest);
    m.query = next_line(&rest);
    read_fields(&m, next_line(&rest));
    for (; l.rule_count < RULES_MAX && rest.len > 0; l.rule_count++)
        read_rule(&rules[l.rule_count], next_line(&rest));
    l.index = rules_index_new(rules, l.rule_count);
    condition_request_init(&request, &m, &peer, NULL);
    assert(rules_match(&l, &request) == expected(&l, &m));
    rules_index_free(&l.index);
    for (size_t i = 0; i < l.rule_count; i++)
        free_rule(&rules[i]);
    return 0;
}
