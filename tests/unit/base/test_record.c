/* Records: what was put comes out, what is cut is seen, what is unknown is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/record.h"

static void test_what_was_put_comes_out(void **state)
{
    struct span left, bytes;
    struct buf b;
    uint16_t type;
    (void)state;

    buf_init(&b, 4096);
    assert_true(record_put(&b, 7, SPAN("seven")));
    assert_true(record_put(&b, 8, SPAN("")));
    assert_true(record_put_number(&b, 65535, UINT64_MAX));
    left = buf_data(&b);
    assert_true(record_next(&left, &type, &bytes));
    assert_int_equal(type, 7);
    assert_true(span_equal(bytes, SPAN("seven")));
    char *text = record_text(bytes);
    assert_string_equal(text, "seven");
    free(text);
    assert_true(record_next(&left, &type, &bytes));
    assert_int_equal(bytes.len, 0);
    assert_int_equal(record_number(bytes), 0);
    assert_true(record_next(&left, &type, &bytes));
    assert_int_equal(type, 65535);
    assert_true(record_number(bytes) == UINT64_MAX);
    assert_int_equal(left.len, 0);
    assert_false(record_next(&left, &type, &bytes));
    buf_done(&b);
}

static void test_every_cut_is_seen(void **state)
{
    struct buf b;
    (void)state;

    buf_init(&b, 4096);
    record_put(&b, 1, SPAN("first"));
    record_put(&b, 2, SPAN("second"));
    for (size_t n = 0; n < buf_len(&b); n++) {
        struct span left = span_of(buf_data(&b).ptr, n), bytes;
        uint16_t type;
        int whole = 0;
        while (record_next(&left, &type, &bytes))
            whole++;
        assert_int_equal(whole, n >= RECORD_HEAD + 5 ? 1 : 0);
        assert_int_equal(left.len, n - (whole == 1 ? RECORD_HEAD + 5 : 0));
    }
    buf_done(&b);
}

static void test_one_that_does_not_fit_leaves_nothing(void **state)
{
    struct buf b;
    (void)state;

    buf_init(&b, RECORD_HEAD + 3);
    assert_false(record_put(&b, 1, SPAN("four")));
    assert_int_equal(buf_len(&b), 0);
    assert_true(record_put(&b, 1, SPAN("one")));
    assert_false(record_put(&b, 1, SPAN("")));
    buf_done(&b);
}

static void test_numbers_of_every_length(void **state)
{
    static const char bytes[] = "\x01\x02\x03\x04\x05\x06\x07\x08\x09";
    (void)state;

    assert_true(record_number(span_of(bytes, 1)) == 1);
    assert_true(record_number(span_of(bytes, 4)) == 0x04030201);
    assert_true(record_number(span_of(bytes, 8)) == 0x0807060504030201);
    assert_true(record_number(span_of(bytes, 9)) == 0);
}

struct told {
    uint64_t number;
    uint16_t untold, small;
    char name[5];
    struct span text, no_text;
};

static const struct record_place places[] = {
    RECORD_PLACE(1, RECORD_NUMBER, told, number), RECORD_PLACE(2, RECORD_NUMBER, told, small),
    RECORD_PLACE(3, RECORD_BYTES, told, name),    RECORD_PLACE(4, RECORD_SPAN, told, text),
    RECORD_PLACE(5, RECORD_SPAN, told, no_text),
};

enum { PLACES = sizeof(places) / sizeof(places[0]) };

static void test_members_go_by_a_table(void **state)
{
    const struct told told = {
        .number = UINT64_MAX, .small = 7, .untold = 3, .name = "four", .text = SPAN_INIT("text")
    };
    struct told again = { .untold = 9 };
    struct buf b;
    (void)state;

    buf_init(&b, 64);
    assert_true(record_put_places(&b, places, PLACES, &told));
    assert_true(record_read_places(buf_data(&b), places, PLACES, &again));
    assert_true(again.number == UINT64_MAX);
    assert_int_equal(again.small, 7);
    assert_string_equal(again.name, "four");
    assert_true(span_equal(again.text, SPAN("text")));
    assert_null(again.no_text.ptr);
    assert_int_equal(again.untold, 9);
    assert_false(record_read_places(span_of(buf_data(&b).ptr, 3), places, PLACES, &again));
    assert_false(record_put_places(&b, places, PLACES, &told)); /* not twice */
    buf_done(&b);
}

static void test_bytes_of_another_length_are_left_out(void **state)
{
    struct told told = { .number = 7 };
    (void)state;

    record_take_place(places, PLACES, 3, SPAN("longer"), &told);
    record_take_place(places, PLACES, 6, SPAN("8 bytes."), &told);
    assert_true(told.number == 7);
    assert_string_equal(told.name, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_put_comes_out),
        cmocka_unit_test(test_every_cut_is_seen),
        cmocka_unit_test(test_one_that_does_not_fit_leaves_nothing),
        cmocka_unit_test(test_numbers_of_every_length),
        cmocka_unit_test(test_members_go_by_a_table),
        cmocka_unit_test(test_bytes_of_another_length_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
