/* transform.c -- see transform.h. */
#include "alb/transform.h"

#include <stdio.h>

#include "base/mem.h"
#include "http/rewrite.h"

#include "alb/conditions.h"
#include "alb/config.h"
#include "alb/regex.h"
#include "alb/route.h"

/* --- reading --------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What is wrong with a replacement, or NULL. */
static const char *check_replacement(const char *text, bool is_host, uint32_t group_count)
{
    const char *others = is_host ? "-._:" : "-._~:/?[]@!$&'()*+,;=%";

    for (; *text != '\0'; text++) {
        const char c = *text;
        const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (c == '$' && is_digit(text[1])) {
            if ((uint32_t)(text[1] - '0') > group_count)
                return "names a group that its regex does not have";
            text++;
        } else if (c == '$' && text[1] == '$') {
            text++;
        } else if (!is_letter && !is_digit(c) && strchr(others, c) == NULL) {
            return is_host ? "may hold letters, digits, -._: and $0 to $9 only"
                           : "may hold the characters of a URI and $0 to $9 only";
        }
    }
    return NULL;
}

struct rewrite *rewrite_new(const char *regex, const char *replacement, bool is_host, char *why,
                            size_t why_size)
{
    char wrong[256];

    if (strlen(regex) > REWRITE_TEXT_MAX || strlen(replacement) > REWRITE_TEXT_MAX) {
        snprintf(why, why_size, "the %s is longer than %d characters",
                 strlen(regex) > REWRITE_TEXT_MAX ? "regex" : "replacement", REWRITE_TEXT_MAX);
        return NULL;
    }
    struct regex *compiled = regex_new(span_text(regex), is_host, wrong, sizeof(wrong));
    if (compiled == NULL) {
        snprintf(why, why_size, "\"%.128s\" %s", regex, wrong);
        return NULL;
    }
    const char *bad = check_replacement(replacement, is_host, regex_groups(compiled));
    if (bad != NULL) {
        snprintf(why, why_size, "the replacement \"%.128s\" %s", replacement, bad);
        regex_free(&compiled);
        return NULL;
    }
    struct rewrite *rewrite = mem_new(struct rewrite);
    rewrite->text = mem_text(regex);
    rewrite->regex = compiled;
    rewrite->replacement = mem_text(replacement);
    return rewrite;
}

void rewrite_free(struct rewrite **rewrite)
{
    if (*rewrite == NULL)
        return;
    free((*rewrite)->text);
    regex_free(&(*rewrite)->regex);
    free((*rewrite)->replacement);
    mem_free(*rewrite);
}

/* --- applying -------------------------------------------------------------------------- */

/* A text in the making; `is_full` once it did not fit. */
struct output {
    char *mem;
    size_t size, len;
    bool is_full;
};

static void put(struct output *to, struct span text)
{
    if (to->is_full || text.len > to->size - to->len) {
        to->is_full = true;
        return;
    }
    if (text.len > 0)
        memcpy(to->mem + to->len, text.ptr, text.len);
    to->len += text.len;
}

static void put_replacement(struct output *to, const struct rewrite *rewrite, struct span text,
                            const struct regex_scratch *scratch)
{
    for (const char *at = rewrite->replacement; *at != '\0'; at++) {
        if (at[0] == '$' && is_digit(at[1]))
            put(to, regex_group(scratch, text, (uint32_t)(*++at - '0')));
        else if (at[0] == '$' && at[1] == '$')
            put(to, span_of(at++, 1));
        else
            put(to, span_of(at, 1));
    }
}

static enum regex_result replace(const struct rewrite *rewrite, struct span text,
                                 struct regex_scratch *scratch, struct output *to)
{
    const enum regex_result result = regex_search(rewrite->regex, text, scratch);

    if (result != REGEX_MATCH)
        return result;
    const struct span all = regex_group(scratch, text, 0);
    put(to, span_of(text.ptr, (size_t)(all.ptr - text.ptr)));
    put_replacement(to, rewrite, text, scratch);
    put(to, span_after(text, (size_t)(all.ptr - text.ptr) + all.len));
    return result;
}

/* The managed balancer's words for what went wrong; NULL: nothing. */
static const char *name_failure(enum regex_result result, const struct output *made)
{
    if (result == REGEX_GAVE_UP) /* to pass it on as it came could be just what must not be */
        return "TransformReplaceError";
    return result == REGEX_MATCH && made->is_full ? "TransformBufferTooSmall" : NULL;
}

static const char *rewrite_host(const struct rewrite *rewrite, struct http_message *m,
                                struct regex_scratch *scratch, struct transform_texts *texts,
                                struct route *route)
{
    const struct span asked = m->host, host = condition_host(asked);
    struct output to = { .mem = texts->host, .size = sizeof(texts->host) };
    const enum regex_result result = replace(rewrite, host, scratch, &to);
    const char *failure = name_failure(result, &to);

    if (failure != NULL || result != REGEX_MATCH)
        return failure;
    if (condition_host(span_of(to.mem, to.len)).len == to.len)
        put(&to, span_after(asked, host.len));
    if (to.is_full || !http_rewrite_host(m, span_of(to.mem, to.len)))
        return to.is_full ? "TransformBufferTooSmall" : "TransformInvalidHostHeader";
    route->asked_host = asked;
    route->transformed_host = m->host;
    return "TransformSuccess";
}

static const char *rewrite_uri(const struct rewrite *rewrite, struct http_message *m,
                               bool strictest, struct regex_scratch *scratch,
                               struct transform_texts *texts, struct route *route)
{
    char asked[HTTP_LINE_MAX];
    struct output from = { .mem = asked, .size = sizeof(asked) };
    struct output to = { .mem = texts->uri, .size = sizeof(texts->uri) };

    put(&from, m->path);
    put(&from, m->has_query ? SPAN("?") : SPAN(""));
    put(&from, m->has_query ? m->query : SPAN(""));
    const enum regex_result result = replace(rewrite, span_of(asked, from.len), scratch, &to);
    const char *failure = name_failure(result, &to);
    if (failure != NULL || result != REGEX_MATCH)
        return failure;
    if (!http_rewrite_uri(m, span_of(to.mem, to.len), strictest))
        return "TransformInvalidPath";
    route->transformed_uri = span_of(to.mem, to.len);
    return "TransformSuccess";
}

/* Keeps the first failure, else the first that is not NULL. False on a failure. */
static bool note(struct route *route, const char *status)
{
    if (status != NULL)
        route->transform_status = status;
    return status == NULL || strcmp(status, "TransformSuccess") == 0;
}

bool transform_apply(const struct rule *rule, struct http_message *m, bool strictest,
                     struct regex_scratch *scratch, struct transform_texts *texts,
                     struct route *route)
{
    const bool is_asterisk = m->path.len > 0 && m->path.ptr[0] == '*'; /* OPTIONS * has no path */

    if (rule->host_rewrite != NULL &&
        !note(route, rewrite_host(rule->host_rewrite, m, scratch, texts, route)))
        return false;
    return rule->url_rewrite == NULL || is_asterisk ||
           note(route, rewrite_uri(rule->url_rewrite, m, strictest, scratch, texts, route));
}
