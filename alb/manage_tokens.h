/*
 * manage_tokens.h -- the bearer tokens of [management]: who brings one, and may he change things?
 *
 * A file has a line for each, NAME TOKEN or NAME TOKEN read; '#' begins a comment. Several may have
 * one name, so that a token is changed without a gap: both are there until all use the new one.
 * What is kept is a digest of each: no copy of a token stays in memory. Immutable; no message says
 * anything of a token.
 */
#ifndef ALB_MANAGE_TOKENS_H
#define ALB_MANAGE_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

#include "alb/caller.h"

enum { MANAGE_TOKENS_MAX = 64, MANAGE_TOKEN_LEAST = 32, MANAGE_TOKEN_MOST = 256 };

struct manage_user {
    char name[CALLER_NAME_MAX + 1];
    bool may_change; /* else it may only read */
};

struct manage_tokens;

/* NULL with a sentence that names the file, the line and the cure. Refused when others may
 * read it: text_read_secret(). */
struct manage_tokens *manage_tokens_read(const char *path, char *why, size_t why_size);

/* The same of its text. */
struct manage_tokens *manage_tokens_parse(struct span text, const char *path, char *why,
                                          size_t why_size);
void manage_tokens_free(struct manage_tokens **tokens); /* NULL is fine */

size_t manage_tokens_count(const struct manage_tokens *tokens);
bool manage_tokens_equal(const struct manage_tokens *a, const struct manage_tokens *b);

/* Whose token it is, or NULL. Compares with all of them, in a time that depends on none. */
const struct manage_user *manage_tokens_find(const struct manage_tokens *tokens, struct span token);

/* 1 to CALLER_NAME_MAX letters, digits and "._@-". */
bool manage_is_name(struct span text);

/* What stands behind a name: nothing, or "read". False: something else. */
bool manage_read_right(struct span word, bool *may_change);

#endif
