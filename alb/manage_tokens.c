/* manage_tokens.c -- see manage_tokens.h. */
#include "alb/manage_tokens.h"

#include <mbedtls/constant_time.h>
#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bug.h"
#include "base/lines.h"
#include "base/mem.h"
#include "base/text.h"

enum { FILE_MAX = 64 * 1024, DIGEST_BYTES = 32 };

struct manage_tokens {
    size_t count;
    struct entry {
        uint8_t digest[DIGEST_BYTES];
        struct manage_user user;
    } entries[MANAGE_TOKENS_MAX];
};

static void digest_of(struct span token, uint8_t out[DIGEST_BYTES])
{
    if (mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), (const unsigned char *)token.ptr,
                   token.len, out) != 0)
        bug("SHA-256 failed");
}

/* --- words ---------------------------------------------------------------------------------- */

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Are all bytes letters, digits or of these? */
static bool is_made_of(struct span text, const char *others)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_alphanumeric(text.ptr[i]) &&
            (text.ptr[i] == '\0' || strchr(others, text.ptr[i]) == NULL))
            return false;
    }
    return text.len > 0;
}

bool manage_is_name(struct span text)
{
    return text.len <= CALLER_NAME_MAX && is_made_of(text, "._@-");
}

bool manage_read_right(struct span word, bool *may_change)
{
    *may_change = word.len == 0;
    return word.len == 0 || span_equal(word, SPAN("read"));
}

/* --- lines ---------------------------------------------------------------------------------- */

/* What is wrong with it, or NULL. Never says what stands there: a token may be in the place of
 * anything. */
static const char *read_line(struct span line, struct entry *e)
{
    const struct span name = span_next_word(&line), token = span_next_word(&line),
                      right = span_next_word(&line);

    if (!manage_is_name(name))
        return "does not begin with a name of 1 to 64 letters, digits, '.', '_', '@' and '-'; a "
               "line is NAME TOKEN or NAME TOKEN read";
    if (token.len == 0)
        return "has no token behind the name; make one: openssl rand -hex 32";
    if (token.len < MANAGE_TOKEN_LEAST || token.len > MANAGE_TOKEN_MOST ||
        !is_made_of(token, "-._~+/="))
        return "has a token that is not 32 to 256 letters, digits and \"-._~+/=\"; make one: "
               "openssl rand -hex 32";
    if (!manage_read_right(right, &e->user.may_change) || span_next_word(&line).len > 0)
        return "has more behind the token than the word read";
    memcpy(e->user.name, name.ptr, name.len);
    e->user.name[name.len] = '\0';
    digest_of(token, e->digest);
    return NULL;
}

static bool has(const struct manage_tokens *t, const struct entry *e)
{
    for (size_t i = 0; i < t->count; i++) {
        if (mbedtls_ct_memcmp(t->entries[i].digest, e->digest, DIGEST_BYTES) == 0)
            return true;
    }
    return false;
}

static const char *add_line(struct manage_tokens *t, struct span line)
{
    struct entry e = { .user.may_change = false };

    if (t->count == MANAGE_TOKENS_MAX)
        return "is one token too many: 64 are accepted, so remove those that nobody uses";
    const char *blame = read_line(line, &e);
    if (blame == NULL && has(t, &e))
        blame = "has a token that stands above already: give each its own";
    if (blame == NULL)
        t->entries[t->count++] = e;
    return blame;
}

struct manage_tokens *manage_tokens_parse(struct span text, const char *path, char *why,
                                          size_t why_size)
{
    struct manage_tokens *t = mem_new(struct manage_tokens);
    struct lines lines = { .rest = text };
    const char *blame = NULL;
    struct span line;

    while (blame == NULL && lines_next(&lines, &line))
        blame = add_line(t, line);
    if (blame != NULL)
        snprintf(why, why_size, "%s:%d: %s", path, lines.number, blame);
    else if (t->count == 0)
        snprintf(why, why_size,
                 "%s: no token in it; add a line: echo \"$USER $(openssl rand -hex 32)\" >> %s",
                 path, path);
    if (blame != NULL || t->count == 0)
        manage_tokens_free(&t);
    return t;
}

struct manage_tokens *manage_tokens_read(const char *path, char *why, size_t why_size)
{
    size_t len;

    char *text = text_read_secret(path, FILE_MAX, &len, why, why_size);
    if (text == NULL)
        return NULL;
    struct manage_tokens *t = manage_tokens_parse(span_of(text, len), path, why, why_size);
    text_free_secret(text, len);
    return t;
}

void manage_tokens_free(struct manage_tokens **tokens)
{
    if (*tokens != NULL)
        mbedtls_platform_zeroize(*tokens, sizeof(**tokens));
    mem_free(*tokens);
}

/* --- asked ---------------------------------------------------------------------------------- */

size_t manage_tokens_count(const struct manage_tokens *tokens)
{
    return tokens->count;
}

bool manage_tokens_equal(const struct manage_tokens *a, const struct manage_tokens *b)
{
    return a->count == b->count && memcmp(a->entries, b->entries, sizeof(a->entries)) == 0;
}

const struct manage_user *manage_tokens_find(const struct manage_tokens *t, struct span token)
{
    uint8_t digest[DIGEST_BYTES];
    const struct manage_user *found = NULL;

    digest_of(token, digest);
    for (size_t i = 0; i < t->count; i++) {
        const bool is = mbedtls_ct_memcmp(t->entries[i].digest, digest, DIGEST_BYTES) == 0;
        found = is ? &t->entries[i].user : found;
    }
    mbedtls_platform_zeroize(digest, sizeof(digest));
    return found;
}
