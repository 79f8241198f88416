/* Looking things up: bytes, names, methods, lists, what Connection may take out. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "http/chars.h"
#include "http/message.h"

static void test_bytes_are_what_the_rfcs_say(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        unsigned want = 0;
        bool is_plain = c < 128 && (isalnum(c) || c == '-');
        if (c != 0 && c < 128 && (isalnum(c) || strchr("!#$%&'*+-.^_`|~", c) != NULL))
            want |= HTTP_C_TOKEN;
        if (is_plain)
            want |= HTTP_C_PLAIN;
        if (c == '\t' || (c >= 0x20 && c < 0x7f))
            want |= HTTP_C_TEXT;
        if (c >= 0x80)
            want |= HTTP_C_HIGH;
        if (c > 0x20 && c < 0x7f && c != '#' && c != '\\')
            want |= HTTP_C_URI;
        if (is_plain || (c != 0 && c < 128 && strchr("._~!$&'()*+;=", c) != NULL))
            want |= HTTP_C_HOST;
        assert_int_equal(http_chars[c], want);
    }
}

/* At each place of a text of each length, so in and after its words. */
static void test_clean_texts(void **state)
{
    (void)state;
    char text[20];
    for (size_t len = 0; len <= sizeof(text); len++) {
        memset(text, '~', len);
        assert_true(http_is_clean(span_of(text, len)));
        for (size_t at = 0; at < len; at++)
            for (int c = 0; c < 256; c++) {
                memset(text, (c & 1) != 0 ? ' ' : '~', len);
                text[at] = (char)c;
                assert_int_equal(http_is_clean(span_of(text, len)), c >= 0x20 && c < 0x7f);
            }
    }
}

static void test_every_name_is_found(void **state)
{
    (void)state;
    for (int i = HTTP_N_OTHER + 1; i < HTTP_N_COUNT; i++) {
        struct span text = http_name_text((enum http_name)i);
        char upper[40];
        assert_in_range(text.len, 1, sizeof(upper));
        for (size_t k = 0; k < text.len; k++)
            upper[k] = (char)toupper((unsigned char)text.ptr[k]);
        assert_int_equal(http_name_of(text), i);
        assert_true(http_is_plain_name(text));
        assert_int_equal(http_name_disguised(text), HTTP_N_OTHER);
        assert_int_equal(http_name_disguised(span_of(upper, text.len)), HTTP_N_OTHER);
        assert_int_equal(http_name_of(span_of(upper, text.len)), i);
        assert_int_equal(http_name_of(span_of(upper, text.len - 1)), HTTP_N_OTHER);
        assert_int_equal(http_name_disguised(text), HTTP_N_OTHER);
    }
    assert_int_equal(http_name_of(SPAN("")), HTTP_N_OTHER);
    assert_int_equal(http_name_of(SPAN("Accept")), HTTP_N_OTHER);
}

static const struct {
    struct span name;
    enum http_name want;
} disguises[] = {
    { SPAN_INIT("Content_Length"), HTTP_N_CONTENT_LENGTH },
    { SPAN_INIT("Content-Length "), HTTP_N_CONTENT_LENGTH },
    { SPAN_INIT("content.length"), HTTP_N_CONTENT_LENGTH },
    { SPAN_INIT("\vTransfer-Encoding"), HTTP_N_TRANSFER_ENCODING },
    { SPAN_INIT("Transfer-Enc\x01oding"), HTTP_N_TRANSFER_ENCODING },
    { SPAN_INIT("Transfer Encoding"), HTTP_N_TRANSFER_ENCODING },
    { SPAN_INIT("transfer-encodings"), HTTP_N_TRANSFER_ENCODING },
    { SPAN_INIT("X_Forwarded_For"), HTTP_N_X_FORWARDED_FOR },
    { SPAN_INIT("X.Amzn-Trace.Id"), HTTP_N_X_AMZN_TRACE_ID },
    { SPAN_INIT("Transfer_Encodings"), HTTP_N_OTHER },
    { SPAN_INIT("Transfer_Encodin"), HTTP_N_OTHER },
    { SPAN_INIT("TransferEncoding"), HTTP_N_OTHER },
    { SPAN_INIT("___"), HTTP_N_OTHER },
    { SPAN_INIT(""), HTTP_N_OTHER },
};

static void test_disguises(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(disguises) / sizeof(disguises[0]); i++)
        if (http_name_disguised(disguises[i].name) != disguises[i].want)
            fail_msg("%.*s", SPAN_ARGS(disguises[i].name));
}

static void test_methods(void **state)
{
    (void)state;
    assert_int_equal(http_method_of(SPAN("GET")), HTTP_GET);
    assert_int_equal(http_method_of(SPAN("OPTIONS")), HTTP_OPTIONS);
    assert_int_equal(http_method_of(SPAN("get")), HTTP_METHOD_OTHER);
    assert_int_equal(http_method_of(SPAN("")), HTTP_METHOD_OTHER);
}

static void test_every_reason_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i <= HTTP_R_MULTIPLE_TRANSFER_ENCODING_CHUNKED; i++)
        assert_non_null(http_reason_name((enum http_reason)i));
    assert_string_equal(http_reason_name(HTTP_R_NONE), "-");
    assert_string_equal(http_reason_name(HTTP_R_BOTH_TE_CL_PRESENT), "BothTeClPresent");
    assert_string_equal(http_class_name(HTTP_COMPLIANT), "-");
    assert_string_equal(http_class_name(HTTP_SEVERE), "Severe");
}

static void test_lists(void **state)
{
    (void)state;
    assert_true(http_list_has(SPAN("a , Upgrade,b"), SPAN("upgrade")));
    assert_true(http_list_has(SPAN(",\tx"), SPAN("X")));
    assert_false(http_list_has(SPAN("upgrades"), SPAN("upgrade")));
    assert_false(http_list_has(SPAN("a upgrade"), SPAN("upgrade")));
    assert_false(http_list_has(SPAN(""), SPAN("upgrade")));
}

static struct http_message message;

static void add(const char *name, const char *value)
{
    struct span text = span_text(name);
    message.fields[message.field_count++] =
        (struct http_field){ text, span_text(value), http_name_of(text) };
}

static void test_fields(void **state)
{
    (void)state;
    message.field_count = 0;
    add("Cookie", "a=1");
    add("X-Other", "x");
    add("cookie", "b=2");

    const struct http_field *f = http_find(&message, HTTP_N_COOKIE);
    assert_ptr_equal(f, &message.fields[0]);
    f = http_find_next(&message, f);
    assert_ptr_equal(f, &message.fields[2]);
    assert_null(http_find_next(&message, f));
    assert_null(http_find(&message, HTTP_N_HOST));
    assert_ptr_equal(http_find_named(&message, SPAN("x-oTHER"), NULL), &message.fields[1]);
    assert_null(http_find_named(&message, SPAN("x-other"), &message.fields[1]));
    assert_int_equal(http_value(&message, HTTP_N_HOST).len, 0);
    assert_true(http_field_lists(&message, HTTP_N_COOKIE, SPAN("b=2")));
}

static void test_what_connection_takes_out(void **state)
{
    (void)state;
    static const char *const kept[] = {
        "Host",     "Cookie",          "Authorization",     "Content-Type", "Content-MD5",
        "Via",      "X-Forwarded-For", "X-Forwarded-Other", "Forwarded",    "X-Amzn-Trace-Id",
        "X-Amz-Id", "X-Real-IP",       "Sec-WebSocket-Key", "X-Not-Listed",
    };
    message.field_count = 0;
    message.names_fields = true;
    add("Connection", "close, host, cookie, authorization, content-type, content-md5, via");
    add("Connection", "x-forwarded-for,x-forwarded-other,forwarded,x-amzn-trace-id,x-amz-id,"
                      "x-real-ip,sec-websocket-key,X-Mine");
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        add(kept[i], "x");
    add("x-mINE", "x");
    add("X-MIN", "x");
    add("x-mine", "y");
    http_find_listed(&message);
    for (size_t i = 0; i < message.field_count; i++) {
        const struct http_field *f = &message.fields[i];
        if (http_is_listed(&message, f) != span_equal_nocase(f->name, SPAN("X-Mine")))
            fail_msg("%.*s", SPAN_ARGS(f->name));
    }
    message.names_fields = false;
    for (size_t i = 0; i < message.field_count; i++)
        assert_false(http_is_listed(&message, &message.fields[i]));
}

static void test_hop_by_hop(void **state)
{
    (void)state;
    static const enum http_name hops[] = {
        HTTP_N_CONNECTION,          HTTP_N_KEEP_ALIVE, HTTP_N_PROXY_CONNECTION,
        HTTP_N_PROXY_AUTHORIZATION, HTTP_N_TE,         HTTP_N_TRAILER,
        HTTP_N_TRANSFER_ENCODING,   HTTP_N_UPGRADE,    HTTP_N_HTTP2_SETTINGS,
    };
    for (size_t i = 0; i < sizeof(hops) / sizeof(hops[0]); i++)
        assert_true(http_is_hop_by_hop(hops[i]));
    assert_false(http_is_hop_by_hop(HTTP_N_HOST));
    assert_false(http_is_hop_by_hop(HTTP_N_OTHER));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_are_what_the_rfcs_say),
        cmocka_unit_test(test_clean_texts),
        cmocka_unit_test(test_every_name_is_found),
        cmocka_unit_test(test_disguises),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_every_reason_has_a_name),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_what_connection_takes_out),
        cmocka_unit_test(test_hop_by_hop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
