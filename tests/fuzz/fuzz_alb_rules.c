/*
 * Any rules and any request: the rule that answers is the one that a slow and
 * simple matcher finds.
 *
 * Input: host LF path LF, then a rule a line: path patterns with ' ' between,
 * '|', host patterns with ' ' between.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/message.h"

#include "alb/rules.h"

enum { RULES_MAX = 16, PATTERNS_MAX = 8, TEXT_MAX = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* reach[j]: the pattern read so far fits the first j bytes of the text. */
static bool is_like(const char *pattern, struct span text, bool nocase)
{
    bool reach[TEXT_MAX + 1] = { true };

    assert(text.len <= TEXT_MAX);
    for (; *pattern != '\0'; pattern++) {
        bool next[TEXT_MAX + 1] = { *pattern == '*' && reach[0] };
        for (size_t j = 1; j <= text.len; j++) {
            char a = *pattern, b = text.ptr[j - 1];
            bool same = a == '?' || a == b || (nocase && lower(a) == lower(b));
            next[j] = *pattern == '*' ? reach[j] || next[j - 1] : reach[j - 1] && same;
        }
        memcpy(reach, next, sizeof(reach));
    }
    return reach[text.len];
}

static bool any_is_like(const struct pattern_list *list, struct span text, bool nocase)
{
    bool any = list->count == 0;

    for (size_t i = 0; i < list->count; i++)
        any = any || is_like(list->patterns[i], text, nocase);
    return any;
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

static const struct rule *expected(const struct listener_config *l, const struct http_message *m)
{
    for (size_t i = 0; i < l->rule_count; i++) {
        if (any_is_like(&l->rules[i].path, m->path, false) &&
            any_is_like(&l->rules[i].host, host_alone(m->host), true))
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

static void read_patterns(struct span text, struct pattern_list *list)
{
    struct span word;

    list->patterns = mem_array(char *, PATTERNS_MAX);
    while (list->count < PATTERNS_MAX && span_next(&text, ' ', &word)) {
        if (word.len > 0)
            list->patterns[list->count++] = mem_copy(word.ptr, word.len);
    }
}

static void free_patterns(struct pattern_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->patterns[i]);
    free(list->patterns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_message m; /* large, and set anew each time */
    struct rule rules[RULES_MAX] = { { .name = NULL } };
    struct listener_config l = { .rules = rules };
    struct span rest = span_of(data, size);

    if (size == 0)
        return 0;
    m.host = next_line(&rest);
    m.path = next_line(&rest);
    for (; l.rule_count < RULES_MAX && rest.len > 0; l.rule_count++) {
        struct span line = next_line(&rest), path = { "", 0 };
        span_next(&line, '|', &path);
        read_patterns(path, &rules[l.rule_count].path);
        read_patterns(line, &rules[l.rule_count].host);
    }
    assert(rules_match(&l, &m) == expected(&l, &m));
    for (size_t i = 0; i < l.rule_count; i++) {
        free_patterns(&rules[i].path);
        free_patterns(&rules[i].host);
    }
    return 0;
}
