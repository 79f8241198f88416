/* Each of the 256 bytes in each place of a request: its class and reason, from the
 * definitions of RFC 9110 and of the managed balancer's classes, not from our tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "http/parse.h"

static struct http_message message;

static bool is_control(int b)
{
    return b < 0x20 || b == 0x7f;
}

static bool is_tchar(int b)
{
    return (b >= '0' && b <= '9') || (b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z') ||
           (b != 0 && strchr("!#$%&'*+-.^_`|~", b) != NULL);
}

/* NUL and CR are the end of all trust; LF begins another line. */
static enum http_reason in_method(int b)
{
    if (b == ' ') /* what is behind it is no URI */
        return HTTP_R_BAD_URI;
    return is_tchar(b) ? HTTP_R_NONE : HTTP_R_BAD_METHOD;
}

static enum http_reason in_uri(int b)
{
    if (b == '\0' || b == '\r' || b == '#' || b == '\\')
        return HTTP_R_BAD_URI;
    if (b == ' ' || b >= 0x80)
        return HTTP_R_SPACE_IN_URI;
    return is_control(b) ? HTTP_R_AMBIGUOUS_URI : HTTP_R_NONE;
}

static enum http_reason in_version(int b)
{
    if (b == '0' || b == '1')
        return HTTP_R_NONE;
    return b >= '2' && b <= '9' ? HTTP_R_NON_COMPLIANT_VERSION : HTTP_R_BAD_VERSION;
}

static enum http_reason in_name(int b)
{
    if (b == '\0' || b == '\r')
        return HTTP_R_BAD_HEADER;
    if (b == '\n')
        return HTTP_R_MISSING_HEADER_COLON;
    return is_tchar(b) || b == ':' ? HTTP_R_NONE : HTTP_R_NON_COMPLIANT_HEADER;
}

static enum http_reason in_value(int b)
{
    if (b == '\0' || b == '\r')
        return HTTP_R_BAD_HEADER;
    if (b == '\n')
        return HTTP_R_MISSING_HEADER_COLON;
    return (is_control(b) && b != '\t') || b >= 0x80 ? HTTP_R_NON_COMPLIANT_HEADER : HTTP_R_NONE;
}

static enum http_reason in_length(int b)
{
    if (b == '\0' || b == '\r')
        return HTTP_R_BAD_HEADER;
    if (b == '\n')
        return HTTP_R_MISSING_HEADER_COLON;
    return b >= '0' && b <= '9' ? HTTP_R_NONE : HTTP_R_BAD_CONTENT_LENGTH;
}

static const struct {
    const char *name, *before, *behind;
    enum http_reason (*reason)(int b);
    bool has_lf; /* is LF told by `reason`? A request line that ends early is another matter */
} places[] = {
    { "method", "G", "T / HTTP/1.1\r\nHost: a\r\n\r\n", in_method, false },
    { "URI", "GET /a", "c HTTP/1.1\r\nHost: a\r\n\r\n", in_uri, false },
    { "query", "GET /?a", "c HTTP/1.1\r\nHost: a\r\n\r\n", in_uri, false },
    { "version", "GET / HTTP/1.", "\r\nHost: a\r\n\r\n", in_version, false },
    { "name", "GET / HTTP/1.1\r\nHost: a\r\nX", "Y: v\r\n\r\n", in_name, true },
    { "value", "GET / HTTP/1.1\r\nHost: a\r\nX: a", "c\r\n\r\n", in_value, true },
    { "length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1", "2\r\n\r\n", in_length, true },
};

static void check(size_t place, int b, enum http_desync_mode mode)
{
    const enum http_reason want = places[place].reason(b);
    const enum http_class class_ = http_reason_class(want);
    char bytes[128];
    size_t scanned = 0;
    const int n =
        snprintf(bytes, sizeof(bytes), "%s%c%s", places[place].before, 'x', places[place].behind);

    bytes[strlen(places[place].before)] = (char)b;
    const enum http_parse got =
        http_request_parse(span_of(bytes, (size_t)n), mode, &message, &scanned);
    if (message.class_ != class_ || message.reason != want)
        fail_msg("%s: byte 0x%02x in mode %d: %s %s, not %s %s", places[place].name, (unsigned)b,
                 (int)mode, http_class_name(message.class_), http_reason_name(message.reason),
                 http_class_name(class_), http_reason_name(want));
    if (class_ == HTTP_SEVERE || (mode == HTTP_STRICTEST && class_ != HTTP_COMPLIANT))
        assert_int_equal(got, HTTP_REFUSED);
    else if (mode != HTTP_STRICTEST) /* which has more to say, of methods for one */
        assert_int_equal(got, HTTP_PARSED);
}

static void test_every_byte_in_every_place(void **state)
{
    (void)state;
    for (size_t place = 0; place < sizeof(places) / sizeof(places[0]); place++) {
        for (int b = 0; b < 256; b++) {
            if (b == '\n' && !places[place].has_lf)
                continue;
            for (int mode = HTTP_MONITOR; mode <= HTTP_STRICTEST; mode++)
                check(place, b, (enum http_desync_mode)mode);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_in_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
