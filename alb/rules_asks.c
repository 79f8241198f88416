/* rules_asks.c -- see rules_asks.h. */
#include "alb/rules_asks.h"

#include "base/ip.h"
#include "base/mem.h"

#include "alb/conditions.h"

static struct span put(char **to, struct span text)
{
    char *const start = *to;

    if (text.len > 0)
        memcpy(start, text.ptr, text.len);
    *to += text.len;
    return span_of(start, text.len);
}

static size_t literal_len(struct span text)
{
    size_t n = 0;

    while (n < text.len && text.ptr[n] != '*' && text.ptr[n] != '?')
        n++;
    return n;
}

/* --- facts ------------------------------------------------------------------------------ */

static void ask_for(struct asks *out, struct fact fact)
{
    struct ask *ask = &out->any_of[0];

    ask->facts[ask->count++] = fact;
}

static void ask_for_literals(struct ask *ask, const struct need *need, enum fact_kind kind,
                             struct span name)
{
    for (size_t i = 0; i < need->count; i++)
        ask->facts[ask->count++] = (struct fact){ kind, name, need->literals[i] };
}

static void ask_for_pieces(struct asks *out, const struct needs *needs, enum fact_kind kind,
                           struct span name)
{
    out->count = needs->count;
    for (size_t i = 0; i < needs->count; i++)
        ask_for_literals(&out->any_of[i], &needs->any_of[i], kind, name);
}

static struct needs needs_of(const struct condition_value *v, struct span pattern, char *to)
{
    struct needs needs;

    if (v->regex != NULL)
        needs_of_regex(&needs, pattern, to);
    else
        needs_of_wildcard(&needs, pattern, false, to);
    return needs;
}

/* --- host and path ------------------------------------------------------------------------ */

/* What a host must be, or end in, to fit this value; empty when that does not tell. */
static struct span host_of(const struct condition_value *v)
{
    const struct span text = v->regex != NULL ? SPAN("") : span_text(v->text);
    const struct span behind = span_after(text, 1);

    if (literal_len(text) == text.len)
        return text;
    if (text.ptr[0] == '*' && behind.len > 0 && behind.ptr[0] == '.' &&
        literal_len(behind) == behind.len)
        return behind;
    return SPAN("");
}

static void read_host(struct asks *out, const struct condition_value *v)
{
    out->any_of[0].host = host_of(v);
    if (out->any_of[0].host.len > 0)
        return;
    const struct needs needs = needs_of(v, span_text(v->text), out->text);
    ask_for_pieces(out, &needs, FACT_HOST_PIECE, SPAN(""));
}

static void read_path(struct asks *out, const struct condition_value *v)
{
    const struct span text = span_text(v->text);
    const size_t n = v->regex != NULL ? 0 : literal_len(text);
    const struct needs needs = needs_of(v, span_after(text, n), out->text);

    ask_for_pieces(out, &needs, FACT_PATH_PIECE, SPAN(""));
    for (size_t i = 0; i < out->count; i++)
        out->any_of[i].prefix = span_of(text.ptr, n);
}

/* --- fields ------------------------------------------------------------------------------- */

/* A need of which nothing is known is still one of a field. */
static void ask_for_field(struct asks *out, struct span name)
{
    for (size_t i = 0; i < out->count; i++) {
        struct ask *ask = &out->any_of[i];
        if (ask->count == 0)
            ask->facts[ask->count++] = (struct fact){ FACT_FIELD, name, SPAN("") };
    }
}

static void read_field(struct asks *out, struct span name, const struct condition_value *v)
{
    const struct span text = span_text(v->text);

    if (v->regex == NULL && literal_len(text) == text.len) {
        ask_for(out, (struct fact){ FACT_HEADER, name, text });
        return;
    }
    const struct needs needs = needs_of(v, text, out->text);
    ask_for_pieces(out, &needs, FACT_FIELD_PIECE, name);
    ask_for_field(out, name);
}

/* --- queries ------------------------------------------------------------------------------ */

/* Without the backslashes that make '*' and '?' ordinary. False when it has wildcards. */
static bool read_plain(struct span *out, const char *text, char **to)
{
    char *const start = *to;

    for (; *text != '\0'; text++) {
        if (text[0] == '\\' && (text[1] == '*' || text[1] == '?'))
            text++;
        else if (*text == '*' || *text == '?')
            return false;
        *(*to)++ = *text;
    }
    *out = span_of(start, (size_t)(*to - start));
    return true;
}

static bool may_be_empty(const char *pattern)
{
    return pattern[strspn(pattern, "*")] == '\0';
}

/* "key=value" as one pattern: a parameter without '=' has a value, too, which is empty. */
static struct span join(const struct condition_value *v, char **to)
{
    char *const start = *to;

    if (v->key != NULL)
        put(to, span_text(v->key));
    if (!may_be_empty(v->text)) {
        put(to, v->key != NULL ? SPAN("=") : SPAN(""));
        put(to, span_text(v->text));
    }
    return span_of(start, (size_t)(*to - start));
}

static void read_parameter(struct asks *out, const struct condition_value *v)
{
    char *to = out->text;
    struct fact fact = { v->key == NULL ? FACT_QUERY_VALUE : FACT_QUERY, SPAN(""), SPAN("") };

    if (read_plain(&fact.name, v->key == NULL ? "" : v->key, &to) &&
        read_plain(&fact.value, v->text, &to)) {
        ask_for(out, fact);
        return;
    }
    to = out->text;
    const struct span pattern = join(v, &to);
    struct needs needs;
    needs_of_wildcard(&needs, pattern, true, to);
    ask_for_pieces(out, &needs, FACT_QUERY_PIECE, SPAN(""));
}

/* --- all ---------------------------------------------------------------------------------- */

/* For a pattern that is put together, and for its literals. */
static size_t room_for(const struct condition_value *v)
{
    const size_t key = v->key == NULL ? 0 : strlen(v->key) + 1;

    return 2 * (key + strlen(v->text)) + 1;
}

void rules_asks_read(struct asks *out, const struct condition *c, size_t value)
{
    const struct condition_value *v = &c->values[value];

    *out = (struct asks){ .count = 1, .text = mem_zero(room_for(v)) };
    switch (c->kind) {
    case CONDITION_HOST:
        read_host(out, v);
        break;
    case CONDITION_PATH:
        read_path(out, v);
        break;
    case CONDITION_METHOD:
        ask_for(out, (struct fact){ FACT_METHOD, SPAN(""), span_text(v->text) });
        break;
    case CONDITION_SOURCE_IP:
        ask_for(out,
                (struct fact){ FACT_SOURCE_IP, SPAN(""), span_of(&v->block, sizeof(v->block)) });
        break;
    case CONDITION_HEADER:
        read_field(out, span_text(c->name), v);
        break;
    case CONDITION_QUERY:
        read_parameter(out, v);
        break;
    }
}

void rules_asks_done(struct asks *asks)
{
    mem_free(asks->text);
}
