/*
 * regex.c -- see regex.h; the only file that knows PCRE2.
 *
 * The library's own match limit counts anew for each place where a match may
 * begin, so a text of 16 KB has 16,000 times that. We have it call us before
 * every item of the pattern instead (PCRE2_AUTO_CALLOUT) and count there: one for the
 * item, and more for the bytes that the item before it ran over. What is left
 * to the library's limits is the memory that it goes back with.
 */
#include "alb/regex.h"

#include <stdatomic.h>
#include <stdio.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/log.h"
#include "base/mem.h"

#include "alb/regex_syntax.h"

enum {
    HEAP_KB = 256,
    BYTES_A_STEP = 64, /* running over bytes is that much cheaper than an item */
    NESTING_MAX = 64,  /* of parentheses */
};

struct regex {
    pcre2_code *code;
    char *pattern; /* for the warning */
    atomic_bool warned;
};

struct regex_scratch {
    pcre2_match_data *data;
    pcre2_match_context *limits;
    size_t at;       /* where the search was at the last item */
    uint32_t left;   /* of the budget */
    uint32_t groups; /* that the last match has, with the 0th */
    uint64_t exceeded;
};

/* --- compiling ------------------------------------------------------------------------ */

static pcre2_code *compile(struct span pattern, bool nocase, char *why, size_t why_size)
{
    const uint32_t options = PCRE2_AUTO_CALLOUT | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF |
                             PCRE2_NEVER_BACKSLASH_C | (nocase ? PCRE2_CASELESS : 0);
    pcre2_compile_context *context = mem_check(pcre2_compile_context_create(NULL));
    char text[160];
    int error;
    PCRE2_SIZE at;

    pcre2_set_parens_nest_limit(context, NESTING_MAX);
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)pattern.ptr, pattern.len, options, &error, &at, context);
    pcre2_compile_context_free(context);
    if (code == NULL) {
        pcre2_get_error_message(error, (PCRE2_UCHAR *)text, sizeof(text));
        snprintf(why, why_size, "is no regular expression: %s (at character %zu)", text, at + 1);
    }
    return code;
}

struct regex *regex_new(struct span pattern, bool nocase, char *why, size_t why_size)
{
    const char *wrong = regex_refusal(pattern);

    if (wrong != NULL) {
        snprintf(why, why_size, "%s", wrong);
        return NULL;
    }
    pcre2_code *code = compile(pattern, nocase, why, why_size);
    if (code == NULL)
        return NULL;
    struct regex *regex = mem_new(struct regex);
    regex->code = code;
    regex->pattern = mem_copy(pattern.ptr, pattern.len);
    return regex;
}

void regex_free(struct regex **regex)
{
    if (*regex == NULL)
        return;
    pcre2_code_free((*regex)->code);
    free((*regex)->pattern);
    mem_free(*regex);
}

uint32_t regex_groups(const struct regex *regex)
{
    uint32_t count = 0;

    pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &count);
    return count;
}

/* --- searching ------------------------------------------------------------------------- */

/* Before each item. Not 0 ends the search with that result. */
static int on_item(pcre2_callout_block *block, void *user)
{
    struct regex_scratch *s = user;
    const size_t at = block->current_position;
    const size_t ran = at > s->at ? at - s->at : 0;
    const uint32_t cost = 1 + (uint32_t)(ran / BYTES_A_STEP);

    s->at = at;
    if (cost > s->left)
        return PCRE2_ERROR_MATCHLIMIT;
    s->left -= cost;
    return 0;
}

struct regex_scratch *regex_scratch_new(void)
{
    struct regex_scratch *s = mem_new(struct regex_scratch);

    s->data = mem_check(pcre2_match_data_create(REGEX_GROUPS_MAX + 1, NULL));
    s->limits = mem_check(pcre2_match_context_create(NULL));
    pcre2_set_callout(s->limits, on_item, s);
    pcre2_set_match_limit(s->limits, 2 * REGEX_BUDGET);
    pcre2_set_heap_limit(s->limits, HEAP_KB);
    return s;
}

void regex_scratch_free(struct regex_scratch **scratch)
{
    if (*scratch == NULL)
        return;
    pcre2_match_data_free((*scratch)->data);
    pcre2_match_context_free((*scratch)->limits);
    mem_free(*scratch);
}

static void note_exceeded(const struct regex *regex, struct span text, struct regex_scratch *s)
{
    s->exceeded++;
    /* The flag is all that ever changes in a pattern. */
    if (!atomic_exchange_explicit(&((struct regex *)(uintptr_t)regex)->warned, true,
                                  memory_order_relaxed))
        log_warn("regex gave up pattern=\"%s\" text_bytes=%zu: it costs too much and counts as "
                 "no match",
                 regex->pattern, text.len);
}

enum regex_result regex_search(const struct regex *regex, struct span text, struct regex_scratch *s)
{
    s->at = 0;
    s->left = REGEX_BUDGET;
    const int rc = pcre2_match(regex->code, (PCRE2_SPTR)(text.len == 0 ? "" : text.ptr), text.len,
                               0, 0, s->data, s->limits);
    s->groups = rc == 0  ? pcre2_get_ovector_count(s->data) /* there are more than it holds */
                : rc > 0 ? (uint32_t)rc
                         : 0;
    if (rc >= 0 || rc == PCRE2_ERROR_NOMATCH)
        return rc >= 0 ? REGEX_MATCH : REGEX_NO_MATCH;
    note_exceeded(regex, text, s);
    return REGEX_GAVE_UP;
}

uint32_t regex_steps(const struct regex_scratch *s)
{
    return REGEX_BUDGET - s->left;
}

struct span regex_group(const struct regex_scratch *s, struct span text, uint32_t n)
{
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(s->data);

    if (n >= s->groups || ends[2 * n] == PCRE2_UNSET || ends[2 * n] > ends[2 * n + 1])
        return SPAN("");
    return span_of(text.ptr + ends[2 * n], ends[2 * n + 1] - ends[2 * n]);
}

uint64_t regex_scratch_take_exceeded(struct regex_scratch *s)
{
    const uint64_t n = s->exceeded;

    s->exceeded = 0;
    return n;
}
