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

enum {
    HEAP_KB = 256,
    BYTES_A_STEP = 64, /* running over bytes is that much cheaper than an item */
    REPEAT_MAX = 1000, /* RE2's */
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

/* --- what the managed balancer's engine does not have ------------------------------- */

/* Walks over a pattern; each step returns what is wrong, or NULL. */
struct walk {
    struct span rest;
};

static bool next_is(const struct walk *w, const char *text)
{
    return span_starts_with(w->rest, span_text(text));
}

static const char *step_escape(struct walk *w)
{
    if (w->rest.len < 2)
        return "ends in a backslash";
    const char c = w->rest.ptr[1];
    const bool is_word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if ((c >= '1' && c <= '9') || c == 'g' || c == 'k')
        return "has a backreference, which the managed balancer does not take";
    if (c == 'p' || c == 'P')
        return "has a Unicode class (\\p), which the managed balancer does not take";
    if (is_word && strchr("dDsSwWbBAzafnrtvx", c) == NULL)
        return "has an escape that the managed balancer does not take";
    w->rest = span_after(w->rest, 2);
    return NULL;
}

static const char *step_class(struct walk *w)
{
    w->rest = span_after(w->rest, next_is(w, "[^") ? 2 : 1);
    if (next_is(w, "]"))
        w->rest = span_after(w->rest, 1);
    while (w->rest.len > 0 && !next_is(w, "]")) {
        const char *wrong = NULL;
        if (next_is(w, "\\"))
            wrong = step_escape(w);
        else if (next_is(w, "[:")) {
            while (w->rest.len > 0 && !next_is(w, ":]"))
                w->rest = span_after(w->rest, 1);
            w->rest = span_after(w->rest, 2);
        } else
            w->rest = span_after(w->rest, 1);
        if (wrong != NULL)
            return wrong;
    }
    w->rest = span_after(w->rest, 1);
    return NULL;
}

static const struct {
    const char *start, *wrong;
} groups[] = {
    { "(?=", "has a lookahead, which the managed balancer does not take" },
    { "(?!", "has a lookahead, which the managed balancer does not take" },
    { "(?<=", "has a lookbehind, which the managed balancer does not take" },
    { "(?<!", "has a lookbehind, which the managed balancer does not take" },
    { "(?>", "has an atomic group, which the managed balancer does not take" },
    { "(?R", "has a recursion, which the managed balancer does not take" },
    { "(?&", "has a recursion, which the managed balancer does not take" },
    { "(?P>", "has a recursion, which the managed balancer does not take" },
    { "(?+", "has a recursion, which the managed balancer does not take" },
    { "(?-1", "has a recursion, which the managed balancer does not take" },
    { "(?P=", "has a backreference, which the managed balancer does not take" },
    { "(?(", "has a conditional group, which the managed balancer does not take" },
    { "(*", "has a verb, which the managed balancer does not take" },
};

/* "(?i)", "(?s-i:": letters of flags, up to ')' or ':'. */
static bool is_flags(struct span text)
{
    size_t n = 0;

    while (n < text.len && strchr("imsU-", text.ptr[n]) != NULL)
        n++;
    return n < text.len && (text.ptr[n] == ')' || text.ptr[n] == ':');
}

static const char *step_group(struct walk *w)
{
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (next_is(w, groups[i].start))
            return groups[i].wrong;
    }
    if (next_is(w, "(?") && w->rest.len > 2 && w->rest.ptr[2] >= '0' && w->rest.ptr[2] <= '9')
        return "has a recursion, which the managed balancer does not take";
    if (next_is(w, "(?") && !next_is(w, "(?P<") && !next_is(w, "(?<") &&
        !is_flags(span_after(w->rest, 2)))
        return "has a group of a kind that the managed balancer does not take";
    w->rest = span_after(w->rest, next_is(w, "(?") ? 2 : 1);
    return NULL;
}

/* The length of "{2}", "{2,}" or "{2,5}" at the front; 0 when it is none. */
static size_t repeat_len(struct span text, unsigned *most)
{
    size_t n = 1;
    unsigned number = 0;
    bool has_digit = false;

    for (; n < text.len && text.ptr[n] != '}'; n++) {
        if (text.ptr[n] == ',' && has_digit) {
            number = 0;
        } else if (text.ptr[n] >= '0' && text.ptr[n] <= '9') {
            has_digit = true;
            number = number > REPEAT_MAX ? number : number * 10 + (unsigned)(text.ptr[n] - '0');
            *most = number > *most ? number : *most;
        } else {
            return 0;
        }
    }
    return n < text.len && has_digit ? n + 1 : 0;
}

/* "{,2}" and "{ 2 }" are plain text to some engines and to others, newer ones of PCRE2 among
 * them, a repetition. */
static bool is_odd_repeat(struct span text)
{
    size_t n = 1;

    while (n < text.len && strchr("0123456789, ", text.ptr[n]) != NULL)
        n++;
    return n > 1 && n < text.len && text.ptr[n] == '}';
}

static const char *step_quantifier(struct walk *w, bool *is_one)
{
    unsigned most = 0;
    size_t n = strchr("*+?", w->rest.ptr[0]) != NULL ? 1
               : w->rest.ptr[0] == '{'               ? repeat_len(w->rest, &most)
                                                     : 0;

    *is_one = n > 0;
    if (n == 0)
        return w->rest.ptr[0] == '{' && is_odd_repeat(w->rest)
                   ? "has a repetition that not all engines take for one; write {0,2}, {2} or {2,}"
                   : NULL;
    if (most > REPEAT_MAX)
        return "repeats more than 1000 times";
    w->rest = span_after(w->rest, n);
    if (next_is(w, "+"))
        return "has a possessive quantifier, which the managed balancer does not take";
    if (next_is(w, "?"))
        w->rest = span_after(w->rest, 1);
    return NULL;
}

static const char *walk_over(struct span pattern)
{
    struct walk w = { .rest = pattern };
    const char *wrong = NULL;

    while (wrong == NULL && w.rest.len > 0) {
        bool is_quantifier = false;
        const char c = w.rest.ptr[0];
        if (c < 0x20 || c > 0x7e)
            wrong = "may hold visible ASCII characters only";
        else if (c == '\\')
            wrong = step_escape(&w);
        else if (c == '[')
            wrong = step_class(&w);
        else if (c == '(')
            wrong = step_group(&w);
        else
            wrong = step_quantifier(&w, &is_quantifier);
        if (wrong == NULL && !is_quantifier && c != '\\' && c != '[' && c != '(')
            w.rest = span_after(w.rest, 1);
    }
    return wrong;
}

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
    const char *wrong = walk_over(pattern);

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
