/*
 * Any expression and any text: when the text fits, it has what the expression needs.
 *
 * Input: pattern LF text. With a '*' in front the pattern is one with wildcards.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#include "alb/needs.h"
#include "alb/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has(struct span text, struct span literal)
{
    for (; text.len >= literal.len; text = span_after(text, 1)) {
        if (span_equal_nocase(span_of(text.ptr, literal.len), literal))
            return true;
    }
    return false;
}

static bool has_all(struct span text, const struct need *need)
{
    for (size_t i = 0; i < need->count; i++) {
        assert(need->literals[i].len > 0);
        if (!has(text, need->literals[i]))
            return false;
    }
    return true;
}

static bool has_one(struct span text, const struct needs *needs)
{
    for (size_t i = 0; i < needs->count; i++) {
        if (has_all(text, &needs->any_of[i]))
            return true;
    }
    return false;
}

static void check_wildcard(struct span pattern, struct span text, bool escapes, char *room)
{
    struct needs needs;

    needs_of_wildcard(&needs, pattern, escapes, room);
    if (escapes ? text_wildcard_escaped(pattern, text, true) : text_wildcard(pattern, text, true))
        assert(has_one(text, &needs));
}

static void check_regex(struct span pattern, struct span text, char *room)
{
    static struct regex_scratch *scratch;
    struct needs needs;
    char why[128];
    struct regex *regex = regex_new(pattern, true, why, sizeof(why));

    if (regex == NULL)
        return;
    if (scratch == NULL)
        scratch = regex_scratch_new();
    needs_of_regex(&needs, pattern, room);
    if (regex_search(regex, text, scratch) == REGEX_MATCH)
        assert(has_one(text, &needs));
    regex_free(&regex);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *end = size == 0 ? NULL : memchr(data, '\n', size);

    if (end == NULL)
        return 0;
    const struct span pattern = span_of(data, (size_t)(end - (const char *)data));
    const struct span text = span_of(end + 1, size - pattern.len - 1);
    char *room = mem_zero(pattern.len + 1);
    if (span_starts_with(pattern, SPAN("*"))) {
        check_wildcard(pattern, text, false, room);
        check_wildcard(pattern, text, true, room);
    } else {
        check_regex(pattern, text, room);
    }
    free(room);
    return 0;
}
