/* test_close.c -- close codes and the payload of Close frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ws/close.h"
#include "ws/utf8.h"

static void test_which_codes_may_be_sent(void **unused)
{
    (void)unused;
    for (uint32_t code = 0; code <= UINT16_MAX; code++) {
        bool want = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                    (code >= 3000 && code <= 4999);
        assert_int_equal(ws_close_is_valid((uint16_t)code), want);
    }
}

static void test_names(void **unused)
{
    (void)unused;
    static const struct {
        uint16_t code;
        const char *name;
    } cases[] = {
        { 0, "unknown" },
        { 999, "unknown" },
        { 1000, "normal" },
        { 1001, "going_away" },
        { 1005, "no_status" },
        { 1006, "abnormal" },
        { 1012, "service_restart" },
        { 1016, "unknown" },
        { 2999, "unknown" },
        { 3000, "library" },
        { 3999, "library" },
        { 4000, "application" },
        { 4999, "application" },
        { 5000, "unknown" },
        { 65535, "unknown" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(ws_close_name(cases[i].code), cases[i].name);
}

static const struct close_case {
    const char *name;
    struct span payload;
    bool is_good;
    uint16_t code;
    struct span reason;
} cases[] = {
    { "empty", SPAN_INIT(""), true, 1005, SPAN_INIT("") },
    { "one byte", SPAN_INIT("\x03"), false, 1002, SPAN_INIT("") },
    { "1000", SPAN_INIT("\x03\xe8"), true, 1000, SPAN_INIT("") },
    { "1001 with a reason",
      SPAN_INIT("\x03\xe9"
                "bye"),
      true, 1001, SPAN_INIT("bye") },
    { "4999", SPAN_INIT("\x13\x87"), true, 4999, SPAN_INIT("") },
    { "0", SPAN_INIT("\0\0"), false, 1002, SPAN_INIT("") },
    { "1004", SPAN_INIT("\x03\xec"), false, 1002, SPAN_INIT("") },
    { "1005", SPAN_INIT("\x03\xed"), false, 1002, SPAN_INIT("") },
    { "1006 with a reason",
      SPAN_INIT("\x03\xee"
                "x"),
      false, 1002, SPAN_INIT("") },
    { "1015", SPAN_INIT("\x03\xf7"), false, 1002, SPAN_INIT("") },
    { "a reason that is no UTF-8", SPAN_INIT("\x03\xe8\xff"), false, 1007, SPAN_INIT("") },
    { "a reason cut in a character", SPAN_INIT("\x03\xe8\xc3"), false, 1007, SPAN_INIT("") },
};

static void test_payloads(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct close_case *c = &cases[i];
        print_message("%s\n", c->name);
        uint16_t code = 0;
        struct span reason;
        assert_int_equal(ws_close_parse(c->payload, &code, &reason), c->is_good);
        assert_int_equal(code, c->code);
        assert_true(span_equal(reason, c->reason));
        uint8_t out[WS_CONTROL_MAX];
        if (c->is_good)
            assert_true(span_equal(span_of(out, ws_close_write(out, code, reason)), c->payload));
    }
}

static void test_a_long_reason_is_cut_between_characters(void **unused)
{
    (void)unused;
    char text[200];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 4 <= sizeof text; i += 4)
            memcpy(text + i, "\xf0\x9f\x98\x80", 4);
        uint8_t out[WS_CONTROL_MAX];
        size_t n = ws_close_write(out, 1000, span_of(text, 190));
        assert_in_range(n, 122, 125);
        assert_true(ws_utf8_valid(span_of(out + 2, n - 2)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_codes_may_be_sent),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_a_long_reason_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
