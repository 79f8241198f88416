/* Whatever a URL or a client's token file is: what is taken of a URL can be put together to one
 * that is taken as the same; a token is a part of its file without a blank. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alb/remote.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 1);

    assert(text != NULL);
    memcpy(text, data, size);
    check_url(text);
    check_token(span_of(text, size));
    free(text);
    return 0;
}
