/* test_protocol.c -- frames of wsserver.v1.json, in and out. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "wsserver/protocol.h"

static const struct {
    const char *text;
    enum protocol_code code;
    uint64_t id; /* that could be read */
} cases[] = {
    { "{\"t\":\"sub\",\"id\":1,\"ch\":\"a\"}", PROTOCOL_OK, 1 },
    { " {\"x\":{\"t\":1},\"id\":9007199254740991,\"ch\":\"a.b:c-d_E9\",\"t\":\"unsub\"} ",
      PROTOCOL_OK, 9007199254740991 },
    { "{\"t\":\"bye\"}", PROTOCOL_OK, 0 },
    { "{\"t\":\"ping\",\"ts\":-5}", PROTOCOL_OK, 0 },
    { "{\"t\":\"pong\",\"ts\":1.5}", PROTOCOL_BAD_FIELD, 0 },
    { "", PROTOCOL_BAD_JSON, 0 },
    { "{", PROTOCOL_BAD_JSON, 0 },
    { "null", PROTOCOL_BAD_JSON, 0 },
    { "\"t\"", PROTOCOL_BAD_JSON, 0 },
    { "{\"t\":\"bye\"} {}", PROTOCOL_BAD_JSON, 0 },
    { "{\"t\":\"bye\",\"t\":\"bye\"}", PROTOCOL_BAD_JSON, 0 },
    { "{\"id\":3}", PROTOCOL_BAD_TYPE, 3 },
    { "{\"t\":\"BYE\",\"id\":3}", PROTOCOL_BAD_TYPE, 3 },
    { "{\"t\":\"sub\",\"id\":9007199254740992,\"ch\":\"a\"}", PROTOCOL_BAD_FIELD, 0 },
    { "{\"t\":\"sub\",\"id\":-1,\"ch\":\"a\"}", PROTOCOL_BAD_FIELD, 0 },
    { "{\"t\":\"sub\",\"id\":\"1\",\"ch\":\"a\"}", PROTOCOL_BAD_FIELD, 0 },
    { "{\"t\":\"sub\",\"id\":1,\"ch\":7}", PROTOCOL_BAD_FIELD, 1 },
    { "{\"t\":\"sub\",\"id\":1,\"ch\":\"\"}", PROTOCOL_BAD_CH, 1 },
    { "{\"t\":\"sub\",\"id\":1,\"ch\":\"a/b\"}", PROTOCOL_BAD_CH, 1 },
    { "{\"t\":\"sub\",\"id\":1,\"ch\":\"a\\u0000\"}", PROTOCOL_BAD_CH, 1 },
    { "{\"t\":\"sub\",\"id\":1,\"ch\":\"a\",\"hist\":-1}", PROTOCOL_BAD_FIELD, 1 },
    { "{\"t\":\"sub\",\"id\":1,\"ch\":\"a\",\"hist\":null}", PROTOCOL_BAD_FIELD, 1 },
    { "{\"t\":\"hist\",\"id\":1,\"ch\":\"a\",\"n\":0}", PROTOCOL_BAD_FIELD, 1 },
    { "{\"t\":\"hist\",\"id\":1,\"ch\":\"a\",\"n\":101}", PROTOCOL_BAD_FIELD, 1 },
    { "{\"t\":\"hist\",\"id\":1,\"ch\":\"a\",\"n\":100,\"before\":0}", PROTOCOL_OK, 1 },
    { "{\"t\":\"pub\",\"id\":1,\"ch\":\"a\",\"cid\":\"a\\tb\",\"d\":1}", PROTOCOL_BAD_FIELD, 1 },
    { "{\"t\":\"pub\",\"id\":1,\"ch\":\"a\"}", PROTOCOL_BAD_FIELD, 1 },
    { "{\"t\":\"pub\",\"id\":1,\"ch\":\"a\",\"\\u0064\":1}", PROTOCOL_BAD_FIELD, 1 },
    { "{\"t\":\"auth\",\"id\":1,\"resume\":5}", PROTOCOL_BAD_FIELD, 1 },
    { "{\"t\":\"auth\",\"id\":1,\"resume\":{\"sess\":5}}", PROTOCOL_BAD_FIELD, 1 },
    { "{\"t\":\"auth\",\"id\":1,\"resume\":{\"pos\":[]}}", PROTOCOL_BAD_FIELD, 1 },
    { "{\"t\":\"auth\",\"id\":1,\"resume\":{}}", PROTOCOL_OK, 1 },
};

static void test_reading(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct protocol_request r;
        const char *why = NULL;
        enum protocol_code code = protocol_read(span_text(cases[i].text), &r, &why);
        if (code != cases[i].code || r.id != cases[i].id)
            fail_msg("%s: code %d, id %llu", cases[i].text, (int)code, (unsigned long long)r.id);
        assert_true(why != NULL && why[0] != '\0');
        protocol_done(&r);
    }
}

static void test_a_prefix_is_never_taken_for_the_whole(void **state)
{
    static const char text[] = "{\"t\":\"pub\",\"id\":1,\"ch\":\"a\",\"d\":{\"text\":\"x\"}}";
    (void)state;

    for (size_t n = 0; n + 1 < sizeof(text) - 1; n++) {
        struct protocol_request r;
        const char *why;
        assert_int_equal(protocol_read(span_of(text, n), &r, &why), PROTOCOL_BAD_JSON);
        protocol_done(&r);
    }
}

static void test_data_is_what_was_written(void **state)
{
    static const char *const values[] = {
        "1",  "-0.10e5",  "\"a\\\"}\"",   "null", "[ 1,[2],{\"d\":3} ]", "{\"d\":\"]\"}",
        "{}", "\"\\\\\"", "\"\xc3\xa4\"",
    };
    static const char *const forms[] = {
        "{\"t\":\"pub\",\"id\":1,\"ch\":\"a\",\"d\":%s}",
        "{ \"d\" : %s , \"t\":\"pub\",\"id\":1,\"ch\":\"a\"}",
        "{\"e\":{\"d\":[0]},\"\\\"d\":\"d:\",\"d\"\n:\t%s\r,\"t\":\"pub\",\"id\":1,\"ch\":\"a\"}",
    };
    (void)state;

    for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
        for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
            struct protocol_request r;
            const char *why;
            struct buf text;
            buf_init(&text, 1000);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            buf_print(&text, forms[f], values[v]);
#pragma GCC diagnostic pop
            assert_int_equal(protocol_read(buf_data(&text), &r, &why), PROTOCOL_OK);
            if (!span_equal(r.d, span_text(values[v])))
                fail_msg("%s gave %.*s", values[v], SPAN_ARGS(r.d));
            protocol_done(&r);
            buf_done(&text);
        }
    }
}

static void test_positions(void **state)
{
    static const char text[] =
        "{\"t\":\"auth\",\"id\":1,\"user\":\"u\",\"resume\":{\"sess\":\"s\",\"pos\":{"
        "\"a\":[\"e\",0],\"b\":[\"e\",9223372036854775807],\"c d\":[\"e\",1],\"e\":[\"\",1],"
        "\"f\":[\"e\",-1],\"g\":[\"e\"],\"h\":\"e\",\"i\":[\"e\",1,2],\"j\":[1,\"e\"]}}}";
    static const bool good[] = { true, true, false, false, false, false, false, false, false };
    struct protocol_request r;
    struct protocol_position p;
    const char *why;
    void *at = NULL;
    size_t n = 0;
    (void)state;

    assert_int_equal(protocol_read(span_text(text), &r, &why), PROTOCOL_OK);
    assert_true(span_equal(r.user, SPAN("u")) && span_equal(r.sess, SPAN("s")));
    for (; protocol_position(&r, &at, &p); n++)
        assert_int_equal(p.is_good, good[n]);
    assert_int_equal(n, sizeof(good) / sizeof(good[0]));
    protocol_done(&r);
}

static void test_names(void **state)
{
    char long_name[PROTOCOL_USER_MAX + 1];
    (void)state;

    memset(long_name, 'x', sizeof(long_name));
    assert_true(protocol_is_user(span_of(long_name, PROTOCOL_USER_MAX)));
    assert_false(protocol_is_user(span_of(long_name, PROTOCOL_USER_MAX + 1)));
    assert_true(protocol_is_channel(span_of(long_name, PROTOCOL_CHANNEL_MAX)));
    assert_false(protocol_is_channel(span_of(long_name, PROTOCOL_CHANNEL_MAX + 1)));
    assert_true(protocol_is_user(SPAN("J\xc3\xb6rg \"the\" \\ \xf0\x9f\x98\x80")));
    assert_true(protocol_is_user(SPAN("\xc2\xa0")));
    assert_false(protocol_is_user(SPAN("")));
    assert_false(protocol_is_user(SPAN("a\nb")));
    assert_false(protocol_is_user(SPAN("a\x7f")));
    assert_false(protocol_is_user(SPAN("a\xc2\x85")));
    assert_false(protocol_is_user(SPAN("a\xff")));
}

/* Whatever is written is one JSON object that starts with its type. */
static void check_frame(struct buf *text, const char *type, const char *want)
{
    json_t *root = json_loadb(buf_data(text).ptr, buf_len(text), JSON_REJECT_DUPLICATES, NULL);

    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "t")), type);
    assert_memory_equal(buf_data(text).ptr, "{\"t\":", 5);
    if (want != NULL)
        assert_true(span_equal(buf_data(text), span_text(want)));
    json_decref(root);
    buf_drop(text, buf_len(text));
}

static void test_writing(void **state)
{
    const struct protocol_hello hello = { "n1", "n1-2", 25000, 65536, 1795351200123 };
    const struct protocol_ack ack = { 3, 108, "lobby", "Xb1", "01JD8Z", "disk", false };
    struct buf text;
    (void)state;

    buf_init(&text, 10000);
    protocol_write_hello(&text, &hello);
    check_frame(&text, "hello",
                "{\"t\":\"hello\",\"proto\":\"wsserver.v1.json\",\"node\":\"n1\",\"conn\":\"n1-2\","
                "\"ping\":25000,\"limits\":{\"msg\":65536,\"ch\":128},\"resume_ttl\":120000,"
                "\"ts\":1795351200123}");
    protocol_begin_welcome(&text, 1, SPAN("a\"l"), "s1.x");
    protocol_welcome_ok(&text, SPAN("lobby"), "Xb1", 105, 107);
    protocol_welcome_lost(&text, SPAN("dev"), "gap", "Xb1", 40, 220);
    protocol_welcome_lost(&text, SPAN("new"), "epoch", "Xb2", 1, 0);
    protocol_welcome_lost(&text, SPAN("b\"d"), "bad_ch", NULL, 0, 0);
    protocol_end_welcome(&text);
    check_frame(&text, "welcome",
                "{\"t\":\"welcome\",\"id\":1,\"user\":\"a\\\"l\",\"sess\":\"s1.x\","
                "\"sess_exp\":120000,\"resumed\":{"
                "\"lobby\":{\"ok\":true,\"ep\":\"Xb1\",\"from\":105,\"to\":107},"
                "\"dev\":{\"ok\":false,\"why\":\"gap\",\"ep\":\"Xb1\",\"have\":[40,220]},"
                "\"new\":{\"ok\":false,\"why\":\"epoch\",\"ep\":\"Xb2\",\"have\":[1,0]},"
                "\"b\\\"d\":{\"ok\":false,\"why\":\"bad_ch\"}}}");
    protocol_write_joined(&text, 2, "lobby", "Xb1", 36, 55);
    check_frame(&text, "ok",
                "{\"t\":\"ok\",\"id\":2,\"ch\":\"lobby\",\"ep\":\"Xb1\",\"from\":36,\"seq\":55}");
    protocol_write_left(&text, 9, SPAN("lobby"));
    check_frame(&text, "ok", "{\"t\":\"ok\",\"id\":9,\"ch\":\"lobby\"}");
    protocol_write_ack(&text, &ack);
    check_frame(&text, "ack",
                "{\"t\":\"ack\",\"id\":3,\"ch\":\"lobby\",\"ep\":\"Xb1\",\"seq\":108,"
                "\"mid\":\"01JD8Z\",\"dup\":false,\"dur\":\"disk\"}");
    protocol_write_err(&text, 3, PROTOCOL_NOT_SUB, 0, "join lobby first");
    check_frame(&text, "err",
                "{\"t\":\"err\",\"id\":3,\"code\":\"not_sub\",\"temp\":false,"
                "\"msg\":\"join lobby first\"}");
    protocol_write_err(&text, 0, PROTOCOL_UNAVAILABLE, 800, "busy");
    check_frame(&text, "err",
                "{\"t\":\"err\",\"code\":\"unavailable\",\"temp\":true,\"retry\":800,"
                "\"msg\":\"busy\"}");
    protocol_begin_hist(&text, 4, "lobby", "Xb1");
    protocol_end_hist(&text, true);
    check_frame(&text, "hist",
                "{\"t\":\"hist\",\"id\":4,\"ch\":\"lobby\",\"ep\":\"Xb1\",\"msgs\":[],"
                "\"more\":true}");
    protocol_write_drain(&text, 8431, 25000);
    check_frame(&text, "drain",
                "{\"t\":\"drain\",\"after\":8431,\"by\":25000,\"why\":\"restart\"}");
    protocol_write_presence(
        &text, SPAN("{\"t\":\"pres\",\"ch\":\"rev\",\"rev\":123,\"j\":{\"\\\"rev\\\":9\":{}}}"), 7);
    check_frame(&text, "pres",
                "{\"t\":\"pres\",\"ch\":\"rev\",\"rev\":7,\"j\":{\"\\\"rev\\\":9\":{}}}");
    buf_done(&text);
}

static void test_bare_text(void **state)
{
    static const struct {
        const char *d, *want;
    } rows[] = {
        { "{\"text\":\"hi\\n\\\"x\\\"\"}", "bob: hi\n\"x\"" },
        { "{\"text\":5}", "bob: {\"text\":5}" },
        { "[1, 2]", "bob: [1,2]" },
        { "\"text\"", "bob: \"text\"" },
        { "null", "bob: null" },
    };
    struct buf in, out;
    (void)state;

    buf_init(&in, 1000);
    buf_init(&out, 1000);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        buf_print(&in, "{\"t\":\"msg\",\"from\":\"bob\",\"d\":%s}", rows[i].d);
        protocol_write_bare(&out, buf_data(&in));
        if (!span_equal(buf_data(&out), span_text(rows[i].want)))
            fail_msg("%s gave %.*s", rows[i].d, SPAN_ARGS(buf_data(&out)));
        buf_drop(&in, buf_len(&in));
        buf_drop(&out, buf_len(&out));
    }
    protocol_write_text_data(&out, SPAN("a\"b"));
    assert_true(span_equal(buf_data(&out), SPAN("{\"text\":\"a\\\"b\"}")));
    buf_done(&in);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_a_prefix_is_never_taken_for_the_whole),
        cmocka_unit_test(test_data_is_what_was_written),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_bare_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
