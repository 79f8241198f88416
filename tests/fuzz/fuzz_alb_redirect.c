/*
 * Any template and request: a Location has no byte that could end a header line, and
 * leads to the host that template and request name, on a port.
 *
 * Input: template LF host LF target.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "http/parse.h"

#include "alb/conditions.h"
#include "alb/redirect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_message message; /* large */

static struct span next_line(struct span *rest)
{
    struct span line;

    return span_next(rest, '\n', &line) ? line : span_of("", 0);
}

static bool parse(struct span host, struct span target)
{
    struct buf bytes;
    static char kept[HTTP_HEAD_MAX];
    size_t scanned = 0;

    buf_init(&bytes, sizeof(kept));
    if (!buf_print(&bytes, "GET %.*s HTTP/1.1\r\nHost: %.*s\r\n\r\n", SPAN_ARGS(target),
                   SPAN_ARGS(host)))
        buf_done(&bytes);
    const size_t n = buf_len(&bytes);
    if (n > 0)
        memcpy(kept, buf_data(&bytes).ptr, n);
    buf_done(&bytes);
    return http_request_parse(span_of(kept, n), HTTP_DEFENSIVE, &message, &scanned) == HTTP_PARSED;
}

/* "https://HOST:PORT/..." in visible ASCII. */
static void check(struct span url)
{
    for (size_t i = 0; i < url.len; i++)
        assert(url.ptr[i] > 0x20 && url.ptr[i] < 0x7f);
    assert(span_starts_with(url, SPAN("http://")) || span_starts_with(url, SPAN("https://")));
    url = span_after(url, span_starts_with(url, SPAN("http://")) ? 7 : 8);
    const char *slash = memchr(url.ptr, '/', url.len);
    assert(slash != NULL);
    const struct span authority = span_of(url.ptr, (size_t)(slash - url.ptr));
    const struct span host = condition_host(authority);
    assert(host.len > 0 && host.len + 1 < authority.len);
    assert(memchr(authority.ptr, '@', authority.len) == NULL);
    assert(memchr(authority.ptr, '?', authority.len) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size);
    const struct span template = next_line(&rest);
    const struct span host = next_line(&rest), target = next_line(&rest);
    char why[512];
    struct redirect *r = redirect_new(301, template, size % 2 == 0, why, sizeof(why));
    struct buf url;

    buf_init(&url, REDIRECT_LOCATION_MAX);
    if (r != NULL && parse(host, target)) {
        const struct redirect_request request = { .is_https = size % 2 == 0,
                                                  .host = condition_host(message.host),
                                                  .port = 443,
                                                  .path = message.path,
                                                  .query = message.query };
        if (redirect_location(r, &request, &url) == REDIRECT_MADE)
            check(buf_data(&url));
    }
    redirect_free(&r);
    buf_done(&url);
    return 0;
}
