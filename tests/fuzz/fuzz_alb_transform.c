/*
 * Any regex, replacement and request: what a transform makes is refused, or is a
 * request that our own strict parser reads again as compliant and as just that.
 *
 * Input: regex LF replacement LF host LF target. A regex that begins with '@' rewrites
 * the host, any other the URI.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http/canonical.h"
#include "http/parse.h"

#include "alb/config.h"
#include "alb/regex.h"
#include "alb/route.h"
#include "alb/transform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_message message, again; /* large */
static struct transform_texts texts;

static struct span next_line(struct span *rest)
{
    struct span line;

    return span_next(rest, '\n', &line) ? line : span_of("", 0);
}

static bool parse(struct buf *bytes, struct http_message *m)
{
    size_t scanned = 0;

    return http_request_parse(buf_data(bytes), HTTP_STRICTEST, m, &scanned) == HTTP_PARSED;
}

static struct rewrite *make(struct span regex, struct span replacement, bool is_host)
{
    char *one = mem_copy(regex.ptr, regex.len), *two = mem_copy(replacement.ptr, replacement.len);
    char why[256];
    struct rewrite *rewrite = rewrite_new(one, two, is_host, why, sizeof(why));

    free(one);
    free(two);
    return rewrite;
}

static void check_again(void)
{
    struct buf bytes;

    buf_init(&bytes, HTTP_HEAD_MAX);
    assert(http_write_request_line(&bytes, &message));
    assert(http_write_field(&bytes, SPAN("Host"), message.host) && http_end_head(&bytes));
    assert(parse(&bytes, &again) && again.class_ == HTTP_COMPLIANT);
    assert(span_equal(again.path, message.path) && span_equal(again.host, message.host));
    assert(again.has_query == message.has_query && span_equal(again.query, message.query));
    buf_done(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size);
    const struct span regex = next_line(&rest), replacement = next_line(&rest);
    const bool is_host = span_starts_with(regex, SPAN("@"));
    struct rewrite *rewrite = make(span_after(regex, is_host), replacement, is_host);
    struct regex_scratch *scratch = regex_scratch_new();
    struct rule rule = { .name = NULL };
    struct route route = { .rule = &rule };
    struct buf bytes;

    *(is_host ? &rule.host_rewrite : &rule.url_rewrite) = rewrite;
    buf_init(&bytes, HTTP_HEAD_MAX);
    const struct span host = next_line(&rest), target = next_line(&rest);
    buf_print(&bytes, "GET %.*s HTTP/1.1\r\nHost: %.*s\r\n\r\n", SPAN_ARGS(target),
              SPAN_ARGS(host));
    if (rewrite != NULL && parse(&bytes, &message) &&
        transform_apply(&rule, &message, true, scratch, &texts, &route))
        check_again();
    rewrite_free(&rewrite);
    regex_scratch_free(&scratch);
    buf_done(&bytes);
    return 0;
}
