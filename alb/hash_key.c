/* hash_key.c -- see hash_key.h. */
#include "alb/hash_key.h"

#include <stdio.h>

#include "base/ip.h"
#include "base/mem.h"
#include "base/rendezvous.h"
#include "base/text.h"
#include "http/message.h"
#include "stickiness/cookie.h"
#include "stickiness/stickiness.h"

#include "alb/conditions.h"

/* --- the setting ------------------------------------------------------------------------- */

/* What is wrong with a name, or NULL. */
static const char *check_header(struct span name)
{
    const enum http_name id = http_name_of(name);

    if (!http_is_token(name))
        return "is no name of a header";
    if (id == HTTP_N_CONTENT_LENGTH || id == HTTP_N_TRANSFER_ENCODING)
        return "is about the body, not about who asks";
    return id == HTTP_N_COOKIE ? "has all cookies; write cookie NAME for one of them" : NULL;
}

static const char *check_cookie(struct span name)
{
    return stickiness_is_cookie_name(name) ? NULL : "is no name of a cookie";
}

static const char *check_query(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] <= ' ' || name.ptr[i] > '~' || strchr("&=#+%", name.ptr[i]) != NULL)
            return "is no name of a parameter: visible ASCII characters but &=#+%";
    }
    return NULL;
}

static const struct kind {
    const char *word;
    const char *(*check)(struct span name); /* NULL: it has no name */
    enum hash_key_kind kind;
} kinds[] = {
    { "path", NULL, HASH_KEY_PATH },
    { "header", check_header, HASH_KEY_HEADER },
    { "cookie", check_cookie, HASH_KEY_COOKIE },
    { "query", check_query, HASH_KEY_QUERY },
    { "viewer", NULL, HASH_KEY_VIEWER },
};

static const struct kind *find_kind(struct span word)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (span_equal_nocase(word, span_text(kinds[i].word)))
            return &kinds[i];
    }
    return NULL;
}

/* False with a sentence. */
static bool check_words(const struct kind *kind, struct span word, struct span name,
                        struct span rest, char *why, size_t size)
{
    const char *wrong = NULL;

    if (kind == NULL)
        snprintf(why, size,
                 "\"%.*s\" is not one of path, header NAME, cookie NAME, query NAME and viewer",
                 SPAN_ARGS(word));
    else if (kind->check == NULL && name.len > 0)
        snprintf(why, size, "%s stands alone, without \"%.*s\"", kind->word, SPAN_ARGS(name));
    else if (kind->check != NULL && name.len == 0)
        snprintf(why, size, "needs the name of the %s: %s NAME", kind->word, kind->word);
    else if (rest.len > 0)
        snprintf(why, size, "one %s only; \"%.*s\" is too much", kind->word, SPAN_ARGS(rest));
    else if (name.len > HASH_KEY_NAME_MAX)
        snprintf(why, size, "the name has more than %d characters", HASH_KEY_NAME_MAX);
    else if (kind->check != NULL && (wrong = kind->check(name)) != NULL)
        snprintf(why, size, "\"%.*s\" %s", SPAN_ARGS(name), wrong);
    else
        return true;
    return false;
}

bool hash_key_parse(struct span text, struct hash_key *key, char *why, size_t why_size)
{
    const struct span word = span_next_word(&text), name = span_next_word(&text);
    const struct kind *kind = find_kind(word);

    *key = (struct hash_key){ .name = NULL };
    if (!check_words(kind, word, name, text, why, why_size))
        return false;
    key->kind = kind->kind;
    key->name = kind->check == NULL ? NULL : mem_copy(name.ptr, name.len);
    return true;
}

void hash_key_done(struct hash_key *key)
{
    mem_free(key->name);
}

/* --- a request ------------------------------------------------------------------------------ */

/* Path and query as they were asked for; the message's own may be rewritten by now. */
static struct span asked_for(const struct http_message *m)
{
    if (m->authority.len == 0)
        return m->target;
    const struct span after = span_after(m->target, (size_t)(m->authority.ptr - m->target.ptr));
    return span_after(after, m->authority.len);
}

static struct span asked_path(const struct http_message *m, struct span *query)
{
    struct span path = SPAN("");

    *query = asked_for(m);
    span_next(query, '?', &path);
    return path.len == 0 ? SPAN("/") : path; /* of an absolute form */
}

static struct span find_header(const struct http_message *m, struct span name)
{
    const struct http_field *f = http_find_named(m, name, NULL);

    return f == NULL ? SPAN("") : f->value;
}

static struct span find_cookie(const struct http_message *m, struct span name)
{
    struct cookie cookie;

    for (const struct http_field *f = http_find(m, HTTP_N_COOKIE); f != NULL;
         f = http_find_next(m, f)) {
        struct span rest = f->value;
        while (cookie_next(&rest, &cookie)) {
            if (span_equal(cookie.name, name))
                return cookie.value;
        }
    }
    return SPAN("");
}

static struct span find_parameter(const struct http_message *m, struct span name)
{
    struct span query, key, value;

    asked_path(m, &query);
    while (condition_next_pair(&query, &key, &value)) {
        if (span_equal_nocase(key, name))
            return value;
    }
    return SPAN("");
}

bool hash_key_find(const struct hash_key *key, const struct http_message *m, struct span *found)
{
    struct span query;

    switch (key->kind) {
    case HASH_KEY_PATH:
        *found = asked_path(m, &query);
        break;
    case HASH_KEY_HEADER:
        *found = find_header(m, span_text(key->name));
        break;
    case HASH_KEY_COOKIE:
        *found = find_cookie(m, span_text(key->name));
        break;
    case HASH_KEY_QUERY:
        *found = find_parameter(m, span_text(key->name));
        break;
    case HASH_KEY_VIEWER:
        *found = SPAN("");
        break;
    }
    return found->len > 0;
}

/* --- its hash ------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The next byte of a query's value; a '%' that is no escape is itself. */
static uint8_t next_decoded(struct span *rest)
{
    const char c = rest->ptr[0];
    const int high = rest->len < 3 ? -1 : hex_digit(rest->ptr[1]);
    const int low = rest->len < 3 ? -1 : hex_digit(rest->ptr[2]);

    if (c == '%' && high >= 0 && low >= 0) {
        *rest = span_after(*rest, 3);
        return (uint8_t)(high << 4 | low);
    }
    *rest = span_after(*rest, 1);
    return c == '+' ? ' ' : (uint8_t)c;
}

static uint64_t hash_decoded(struct span value)
{
    uint64_t hash = KEY_HASH;

    while (value.len > 0)
        hash = key_hash_on(hash, next_decoded(&value));
    return key_hash_end(hash);
}

bool hash_key_of(const struct hash_key *key, const struct http_message *m, const struct ip *viewer,
                 uint64_t *hash)
{
    struct span found;

    if (key->kind == HASH_KEY_VIEWER) {
        const struct ip ip = ip_of_mapped(*viewer);
        *hash = key_hash(span_of(ip.bytes, ip.family == 4 ? 4 : 16));
        return ip.family != 0;
    }
    if (!hash_key_find(key, m, &found))
        return false;
    *hash = key->kind == HASH_KEY_QUERY ? hash_decoded(found) : key_hash(found);
    return true;
}
