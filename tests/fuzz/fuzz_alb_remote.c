/* Whatever a URL, a client's token file or an answer is: what is taken of a URL can be put together
 * to one that is taken as the same; a token is a part of its file without a blank; an answer is
 * the same in one piece as a byte at a time, and its body is a part of it. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alb/remote.h"
#include "alb/remote_answer.h"
#include "alb/remote_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_url(const char *text)
{
    struct remote_url url, again;
    char why[256] = "", made[512];

    if (!remote_url_parse(text, &url, why, sizeof(why))) {
        assert(why[0] != '\0');
        return;
    }
    assert(strlen(url.host) <= REMOTE_HOST_MAX && strpbrk(url.host, " \r\n/@[]") == NULL);
    snprintf(made, sizeof(made), "https://%s", url.authority);
    assert(remote_url_parse(made, &again, why, sizeof(why)));
    assert(strcmp(again.host, url.host) == 0 && strcmp(again.authority, url.authority) == 0);
}

static void check_token(struct span text)
{
    const struct span token = remote_find_token(text);

    if (token.len == 0)
        return;
    assert(token.ptr >= text.ptr && token.ptr + token.len <= text.ptr + text.len);
    for (size_t i = 0; i < token.len; i++)
        assert(token.ptr[i] != ' ' && token.ptr[i] != '\t' && token.ptr[i] != '\n');
}

static enum remote_look take(struct remote_answer *a, struct span text, size_t step)
{
    enum remote_look look = REMOTE_PART;

    while (look == REMOTE_PART && text.len > 0) {
        const size_t len = text.len < step ? text.len : step;
        if (!buf_put(&a->bytes, span_of(text.ptr, len)))
            abort();
        text = span_after(text, len);
        look = remote_answer_look(a);
    }
    return look;
}

static void check_answer(struct span text)
{
    struct remote_answer one, many;

    remote_answer_init(&one);
    remote_answer_init(&many);
    const enum remote_look look = take(&one, text, text.len + 1);
    assert(take(&many, text, 1) == look);
    if (look == REMOTE_WHOLE) {
        assert(one.status == many.status && span_equal(one.body, many.body));
        assert(one.body.len <= text.len && one.status >= 200);
    }
    remote_answer_done(&one);
    remote_answer_done(&many);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 1);

    assert(text != NULL);
    memcpy(text, data, size);
    check_url(text);
    check_token(span_of(text, size));
    if (size < 64 * 1024)
        check_answer(span_of(text, size));
    free(text);
    return 0;
}
