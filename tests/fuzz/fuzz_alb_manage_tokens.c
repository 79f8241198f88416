/* Whatever a token file has: either it is refused by a sentence that has nothing of it, or each of
 * its tokens is found under the name before it, and nothing else is. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/lines.h"

#include "alb/manage_tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const struct manage_tokens *t, struct span line)
{
    const struct span name = span_next_word(&line), token = span_next_word(&line),
                      right = span_next_word(&line);
    const struct manage_user *user = manage_tokens_find(t, token);

    assert(manage_is_name(name) && token.len >= MANAGE_TOKEN_LEAST &&
           token.len <= MANAGE_TOKEN_MOST);
    assert(user != NULL && span_equal(span_text(user->name), name));
    assert(user->may_change == (right.len == 0) && span_next_word(&line).len == 0);
    assert(manage_tokens_find(t, span_of(token.ptr, token.len - 1)) != user ||
           token.len - 1 >= MANAGE_TOKEN_LEAST);
}

/* A sentence of ours, with a line number. */
static void check_refusal(const char *why)
{
    assert(strncmp(why, "\x02:", 2) == 0);
    for (const char *c = why + 2; *c != '\0'; c++)
        assert(*c >= ' ' && *c < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span text = span_of((const char *)data, size);
    struct lines lines = { .rest = text };
    struct span line;
    char why[1024] = "";
    size_t count = 0;

    struct manage_tokens *t = manage_tokens_parse(text, "\x02", why, sizeof(why));
    if (t == NULL) {
        /* The name of the file stands in the cure of an empty one as well. */
        for (char *at = why + 1; (at = strchr(at, 2)) != NULL;)
            *at = 'f';
        check_refusal(why);
        return 0;
    }
    while (lines_next(&lines, &line)) {
        check_line(t, line);
        count++;
    }
    assert(count == manage_tokens_count(t) && count <= MANAGE_TOKENS_MAX);
    assert(manage_tokens_find(t, SPAN("")) == NULL);
    manage_tokens_free(&t);
    return 0;
}
