/*
 * test_handshake.c -- opening handshakes, good and bad.
 *
 * Each case is a good head with one change: lines that replace those of the
 * same name, where "Name:" alone takes the field off.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <mbedtls/base64.h>
#include <mbedtls/md.h>

#include "base/buf.h"
#include "http/message.h"
#include "ws/handshake.h"

static struct http_message message; /* too large for a stack */

static void add_field(struct span name, struct span value)
{
    message.fields[message.field_count++] = (struct http_field){ name, value, http_name_of(name) };
}

static bool is_named(const char *lines, struct span name)
{
    struct span rest = span_text(lines), line, first;
    while (span_next(&rest, '\n', &line))
        if (span_next(&line, ':', &first) && span_equal_nocase(first, name))
            return true;
    return false;
}

static void add_lines(const char *lines, const char *unless_in)
{
    struct span rest = span_text(lines), line, name;
    while (span_next(&rest, '\n', &line)) {
        if (line.len == 0 || !span_next(&line, ':', &name) || is_named(unless_in, name))
            continue;
        if (span_trim(line).len > 0)
            add_field(name, span_trim(line));
    }
}

static void make(const char *good, const char *changes)
{
    message = (struct http_message){ .method_id = HTTP_GET, .minor = 1, .status = 101 };
    add_lines(good, changes);
    add_lines(changes, "");
}

static const char good_request[] = "Host: example.org\n"
                                   "Upgrade: websocket\n"
                                   "Connection: Upgrade\n"
                                   "Sec-WebSocket-Version: 13\n"
                                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n";

static const struct change {
    const char *name, *lines;
    enum ws_refusal refusal;
} requests[] = {
    { "as in RFC 6455 1.2", "", WS_OK },
    { "any case", "upgrade: WebSocket\nCONNECTION: keep-alive, UPGRADE", WS_OK },
    { "two Connection fields", "Connection: keep-alive\nConnection: upgrade", WS_OK },
    { "behind an edge", "Via: 1.1 x.cloudfront.net (CloudFront)\nX-Amz-Cf-Id: abc", WS_OK },
    { "no Upgrade", "Upgrade:", WS_NOT_UPGRADE },
    { "h2c", "Upgrade: h2c", WS_NOT_UPGRADE },
    { "h2c as well", "Upgrade: websocket, h2c", WS_NOT_UPGRADE },
    { "two Upgrade fields", "Upgrade: websocket\nUpgrade: websocket", WS_NOT_UPGRADE },
    { "nothing of WebSocket",
      "Upgrade:\nSec-WebSocket-Version:\nSec-WebSocket-Key:", WS_NOT_UPGRADE },
    { "stripped", "Sec-WebSocket-Version:\nSec-WebSocket-Key:", WS_STRIPPED },
    { "stripped, and Upgrade too",
      "Upgrade:\nSec-WebSocket-Version:\nSec-WebSocket-Key:\nX-Amz-Cf-Id: abc", WS_STRIPPED },
    { "no Connection", "Connection:", WS_NO_CONNECTION_TOKEN },
    { "Connection without the token", "Connection: keep-alive", WS_NO_CONNECTION_TOKEN },
    { "no version", "Sec-WebSocket-Version:", WS_MISSING_VERSION },
    { "version 8", "Sec-WebSocket-Version: 8", WS_BAD_VERSION },
    { "version 013", "Sec-WebSocket-Version: 013", WS_BAD_VERSION },
    { "two versions", "Sec-WebSocket-Version: 13\nSec-WebSocket-Version: 8", WS_BAD_VERSION },
    { "no key", "Sec-WebSocket-Key:", WS_MISSING_KEY },
    { "a key of 15 bytes", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA", WS_BAD_KEY },
    { "a key of 18 bytes", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAAA", WS_BAD_KEY },
    { "a key that is no base64", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!Q==", WS_BAD_KEY },
    { "two keys",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Key: "
      "dGhlIHNhbXBsZSBub25jZQ==",
      WS_BAD_KEY },
};

static void test_requests(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        print_message("%s\n", requests[i].name);
        make(good_request, requests[i].lines);
        assert_string_equal(ws_refusal_name(ws_request_check(&message)),
                            ws_refusal_name(requests[i].refusal));
    }
}

static void test_request_lines_and_bodies(void **unused)
{
    (void)unused;
    make(good_request, "");
    message.method_id = HTTP_POST;
    assert_int_equal(ws_request_check(&message), WS_NOT_GET);
    make(good_request, "");
    message.minor = 0;
    assert_int_equal(ws_request_check(&message), WS_BAD_HTTP_VERSION);
    make(good_request, "");
    message.framing = HTTP_BODY_CHUNKED;
    assert_int_equal(ws_request_check(&message), WS_BODY_ON_UPGRADE);
    make(good_request, "");
    message.framing = HTTP_BODY_LENGTH;
    assert_int_equal(ws_request_check(&message), WS_OK);
    message.content_length = 1;
    assert_int_equal(ws_request_check(&message), WS_BODY_ON_UPGRADE);
}

/* As mbedTLS decodes it: to 16 bytes, whatever the last digit says beyond them. */
static bool is_a_key(struct span key)
{
    uint8_t bytes[48];
    size_t n;
    return key.len == 24 &&
           mbedtls_base64_decode(bytes, sizeof bytes, &n, (const uint8_t *)key.ptr, key.len) == 0 &&
           n == 16;
}

static void check_key(struct span key)
{
    make(good_request, "Sec-WebSocket-Key:");
    add_field(SPAN("Sec-WebSocket-Key"), key);
    const bool is_ok = is_a_key(key);
    if (ws_request_check(&message) != (is_ok ? WS_OK : WS_BAD_KEY))
        fail_msg("%.*s is %s key", SPAN_ARGS(key), is_ok ? "a" : "no");
}

static void test_every_byte_of_a_key(void **unused)
{
    (void)unused;
    static const char good[] = "dGhlIHNhbXBsZSBub25jZQ==\r\n";
    char key[sizeof good];
    for (size_t at = 0; at < 24; at++) {
        memcpy(key, good, sizeof good);
        for (int c = 0; c < 256; c++) {
            key[at] = (char)c;
            check_key(span_of(key, 24));
        }
    }
    for (size_t len = 0; len < sizeof good; len++)
        check_key(span_of(good, len));
    check_key(SPAN("dGhlIHNhbXBsZSBub25jZ==="));
    check_key(SPAN("dGhlIHNhbXBsZSBub25jZQ=\n"));
    check_key(SPAN("dGhlIHNhbXBsZSBub25j\r\nZQ"));
    check_key(SPAN("                        "));
    check_key(SPAN("========================"));
}

static void test_every_bit_of_an_accept(void **unused)
{
    (void)unused;
    char key[] = "AAAAAAAAAAAAAAAAAAAAAA==258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    for (int i = 0; i < 1000; i++) {
        char accept[WS_ACCEPT_SIZE], expected[WS_ACCEPT_SIZE];
        uint8_t hash[20];
        size_t n;
        key[i % 22] = (char)('A' + i / 22 % 26);
        assert_int_equal(mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA1),
                                    (const uint8_t *)key, sizeof key - 1, hash),
                         0);
        mbedtls_base64_encode((uint8_t *)expected, sizeof expected, &n, hash, sizeof hash);
        ws_accept_value(span_of(key, 24), accept);
        assert_string_equal(accept, expected);
    }
}

static void test_what_wants_a_websocket(void **unused)
{
    (void)unused;
    make(good_request, "");
    assert_true(ws_request_wants(&message));
    make(good_request, "Upgrade: h2c, websocket");
    assert_true(ws_request_wants(&message));
    make(good_request, "Upgrade: h2c");
    assert_false(ws_request_wants(&message));
    make(good_request, "Upgrade:");
    assert_false(ws_request_wants(&message));
}

static const char good_response[] = "Upgrade: websocket\n"
                                    "Connection: Upgrade\n"
                                    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n";

#define FIVE "foo, foo, foo, foo, foo, "

/* The request offered the protocols `chat, superchat` and two extensions. */
static const struct change responses[] = {
    { "as in RFC 6455 1.2", "", WS_OK },
    { "a protocol of those offered", "Sec-WebSocket-Protocol: superchat", WS_OK },
    { "an extension of those offered", "Sec-WebSocket-Extensions: permessage-deflate; x=1", WS_OK },
    { "both extensions",
      "Sec-WebSocket-Extensions: permessage-deflate\nSec-WebSocket-Extensions: foo", WS_OK },
    { "no Upgrade", "Upgrade:", WS_NO_UPGRADE_FIELD },
    { "another Upgrade", "Upgrade: h2c", WS_NO_UPGRADE_FIELD },
    { "no Connection", "Connection:", WS_NO_CONNECTION_FIELD },
    { "Connection: close", "Connection: close", WS_NO_CONNECTION_FIELD },
    { "no accept", "Sec-WebSocket-Accept:", WS_ACCEPT_MISSING },
    { "another accept", "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", WS_ACCEPT_MISMATCH },
    { "two accepts", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\nSec-WebSocket-Accept: x",
      WS_ACCEPT_MISMATCH },
    { "a protocol not offered", "Sec-WebSocket-Protocol: mqtt", WS_PROTOCOL_NOT_OFFERED },
    { "the protocol's case counts", "Sec-WebSocket-Protocol: Chat", WS_PROTOCOL_NOT_OFFERED },
    { "two protocols at once", "Sec-WebSocket-Protocol: chat, superchat", WS_PROTOCOL_NOT_OFFERED },
    { "two protocol fields", "Sec-WebSocket-Protocol: chat\nSec-WebSocket-Protocol: chat",
      WS_PROTOCOL_NOT_OFFERED },
    { "16 extensions", "Sec-WebSocket-Extensions: " FIVE FIVE FIVE "foo", WS_OK },
    { "17 extensions", "Sec-WebSocket-Extensions: " FIVE FIVE FIVE "foo, foo",
      WS_EXTENSION_NOT_OFFERED },
    { "an extension not offered", "Sec-WebSocket-Extensions: permessage-deflate, bar",
      WS_EXTENSION_NOT_OFFERED },
    { "a name that only begins alike", "Sec-WebSocket-Extensions: permessage",
      WS_EXTENSION_NOT_OFFERED },
};

static enum ws_refusal check_response(const char *protocols, const char *extensions)
{
    char accept[WS_ACCEPT_SIZE];
    ws_accept_value(SPAN("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    return ws_response_check(&message, span_text(accept), span_text(protocols),
                             span_text(extensions));
}

static void test_responses(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof responses / sizeof *responses; i++) {
        print_message("%s\n", responses[i].name);
        make(good_response, responses[i].lines);
        enum ws_refusal refusal = check_response("chat, superchat", "foo,permessage-deflate; y");
        assert_string_equal(ws_refusal_name(refusal), ws_refusal_name(responses[i].refusal));
    }
    make(good_response, "Sec-WebSocket-Protocol: chat");
    assert_int_equal(check_response("", ""), WS_PROTOCOL_NOT_OFFERED);
    make(good_response, "Sec-WebSocket-Extensions: foo");
    assert_int_equal(check_response("", ""), WS_EXTENSION_NOT_OFFERED);
}

static void test_response_lines_and_bodies(void **unused)
{
    (void)unused;
    static const int statuses[] = { 100, 200, 403, 502 };
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        make(good_response, "");
        message.status = statuses[i];
        assert_int_equal(check_response("", ""), WS_STATUS_NOT_101);
    }
    make(good_response, "");
    message.content_length = 5;
    assert_int_equal(check_response("", ""), WS_BODY_ON_101);
}

static void test_every_refusal_says_what_to_do(void **unused)
{
    (void)unused;
    for (int r = WS_NOT_UPGRADE; r < WS_REFUSALS; r++) {
        int status = ws_refusal_status((enum ws_refusal)r);
        assert_true(status == (r >= WS_STATUS_NOT_101 ? 502 : 400) ||
                    (status == 426 && (r == WS_BAD_VERSION || r == WS_MISSING_VERSION)));
        assert_true(strlen(ws_refusal_name((enum ws_refusal)r)) > 5);
        assert_true(strlen(ws_refusal_cause((enum ws_refusal)r)) > 20);
        assert_true(strlen(ws_refusal_cure((enum ws_refusal)r, false)) > 10);
        assert_null(strstr(ws_refusal_cure((enum ws_refusal)r, false), "AllViewer"));
    }
    assert_non_null(strstr(ws_refusal_cure(WS_STRIPPED, true), "AllViewer"));
    assert_non_null(strstr(ws_refusal_cure(WS_MISSING_KEY, true), "AllViewer"));
    assert_non_null(strstr(ws_refusal_cure(WS_MISSING_VERSION, true), "AllViewer"));
    assert_string_equal(ws_refusal_cure(WS_NOT_GET, true), ws_refusal_cure(WS_NOT_GET, false));
}

static void test_picking_a_protocol(void **unused)
{
    (void)unused;
    make(good_request, "Sec-WebSocket-Protocol: mqtt, chat.v1\nSec-WebSocket-Protocol: chat.v2");
    assert_true(ws_pick_protocol(&message, SPAN("chat.v1")));
    assert_true(ws_pick_protocol(&message, SPAN("chat.v2")));
    assert_false(ws_pick_protocol(&message, SPAN("chat")));
    assert_false(ws_pick_protocol(&message, SPAN("CHAT.v1")));
    assert_false(ws_pick_protocol(&message, SPAN("")));
    make(good_request, "");
    assert_false(ws_pick_protocol(&message, SPAN("chat.v1")));
}

static void test_writing_a_101(void **unused)
{
    (void)unused;
    struct buf out;
    const struct span key = SPAN("dGhlIHNhbXBsZSBub25jZQ==");
    buf_init(&out, 1024);
    assert_true(ws_write_101(&out, key, SPAN(""), SPAN("")));
    assert_true(span_equal(buf_data(&out), SPAN("HTTP/1.1 101 Switching Protocols\r\n"
                                                "Upgrade: websocket\r\n"
                                                "Connection: Upgrade\r\n"
                                                "Sec-WebSocket-Accept: "
                                                "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")));
    size_t plain_len = buf_len(&out);
    buf_drop(&out, plain_len);
    assert_true(ws_write_101(&out, key, SPAN("chat"), SPAN("Server: x\r\nSet-Cookie: y\r\n")));
    assert_true(span_equal(span_after(buf_data(&out), plain_len - 2),
                           SPAN("Sec-WebSocket-Protocol: chat\r\n"
                                "Server: x\r\nSet-Cookie: y\r\n\r\n")));
    buf_done(&out);
    buf_init(&out, 100);
    assert_false(ws_write_101(&out, key, SPAN(""), SPAN("")));
    assert_int_equal(buf_len(&out), 0);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_request_lines_and_bodies),
        cmocka_unit_test(test_every_byte_of_a_key),
        cmocka_unit_test(test_every_bit_of_an_accept),
        cmocka_unit_test(test_what_wants_a_websocket),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_response_lines_and_bodies),
        cmocka_unit_test(test_every_refusal_says_what_to_do),
        cmocka_unit_test(test_picking_a_protocol),
        cmocka_unit_test(test_writing_a_101),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
