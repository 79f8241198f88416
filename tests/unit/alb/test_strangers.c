/* test_strangers.c -- who is kept of those that were refused, and when the log says so. */
#include "alb/strangers.h"

#include "config_fixture.h"

enum { SECOND_US = 1000000 };

static const uint64_t T0 = UINT64_C(1795766400) * SECOND_US;

static struct ip ip_number(unsigned i)
{
    return (struct ip){ 4, { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };
}

static struct ip ip(const char *text)
{
    struct ip out;

    if (!ip_parse(span_text(text), &out))
        fail_msg("%s", text);
    return out;
}

static bool note_at(struct strangers *s, const char *text, uint64_t second,
                    struct stranger_line *line)
{
    const struct ip at = ip(text);

    return strangers_note(s, &at, "web", 1, T0 + second * SECOND_US, line);
}

static void test_one_is_counted(void **state)
{
    struct strangers s;
    struct stranger_line line;
    size_t count;
    uint64_t all;
    (void)state;

    strangers_init(&s);
    note_at(&s, "10.9.0.7", 0, &line);
    note_at(&s, "2001:db8::1", 1, &line);
    note_at(&s, "10.9.0.7", 5, &line);
    struct stranger *list = strangers_list(&s, &count, &all);
    assert_int_equal(count, 2);
    assert_int_equal(all, 3);
    const struct ip first = ip("10.9.0.7");
    assert_true(ip_equal(&list[0].ip, &first)); /* the last one heard of */
    assert_int_equal(list[0].count, 2);
    assert_true(list[0].first_us == T0 && list[0].last_us == T0 + 5 * SECOND_US);
    assert_string_equal(list[0].listener, "web");
    assert_int_equal(list[1].count, 1);
    free(list);
    strangers_done(&s);
}

static bool note_dropped(struct strangers *s, const char *text, uint64_t total, bool is_let_in,
                         uint64_t second, struct stranger_line *line)
{
    return strangers_note_dropped(s,
                                  &(struct stranger_drops){ .ip = ip(text),
                                                            .listener = "web",
                                                            .total = total,
                                                            .is_let_in = is_let_in,
                                                            .at_us = T0 + second * SECOND_US },
                                  line);
}

static void test_the_kernel_counts_for_itself(void **state)
{
    struct strangers s;
    struct stranger_line line;
    size_t count;
    uint64_t all;
    (void)state;

    strangers_init(&s);
    assert_true(note_dropped(&s, "10.9.0.7", 3, false, 0, &line));
    assert_int_equal(line.count, 3);
    assert_false(note_dropped(&s, "10.9.0.7", 3, false, 90, &line));
    note_at(&s, "10.9.0.7", 1, &line);
    note_dropped(&s, "10.9.0.7", 5, false, 2, &line);
    /* Let in: whoever accepts it notes it. */
    assert_false(note_dropped(&s, "10.9.0.7", 9, true, 3, &line));
    assert_false(note_dropped(&s, "10.8.0.7", 9, true, 3, &line));
    note_dropped(&s, "10.9.0.7", 10, false, 4, &line);
    /* It has forgotten him meanwhile. */
    note_dropped(&s, "10.9.0.7", 2, false, 5, &line);
    struct stranger *list = strangers_list(&s, &count, &all);
    assert_int_equal(count, 1);
    assert_int_equal(all, 3 + 1 + 2 + 1 + 2);
    assert_int_equal(list[0].count, all);
    assert_int_equal(list[0].dropped, all - 1);
    assert_true(list[0].first_us == T0 && list[0].last_us == T0 + 5 * SECOND_US);
    free(list);
    strangers_done(&s);
}

static void test_each_filter_counts_for_itself(void **state)
{
    struct strangers s;
    struct stranger_line line;
    struct stranger_drops web = {
        .ip = ip("10.9.0.7"), .listener = "web", .total = 3, .at_us = T0
    };
    struct stranger_drops health = {
        .ip = web.ip, .listener = "[health]", .filter = 1, .total = 2, .at_us = T0 + SECOND_US
    };
    size_t count;
    uint64_t all;
    (void)state;

    strangers_init(&s);
    for (int i = 0; i < 3; i++) { /* nothing is new the second time */
        strangers_note_dropped(&s, &web, &line);
        strangers_note_dropped(&s, &health, &line);
    }
    health.total++;
    strangers_note_dropped(&s, &health, &line);
    struct stranger *list = strangers_list(&s, &count, &all);
    assert_int_equal(count, 1);
    assert_int_equal(all, 3 + 2 + 1);
    assert_int_equal(list[0].dropped, all);
    assert_string_equal(list[0].listener, "[health]");
    free(list);
    strangers_done(&s);
}

/* Those that were not heard of for longest go. */
static void test_the_table_is_bounded(void **state)
{
    struct strangers s;
    struct stranger_line line;
    struct ip at = ip_number(0);
    size_t count;
    uint64_t all;
    (void)state;

    strangers_init(&s);
    for (unsigned i = 0; i < STRANGERS_MAX + 10; i++) {
        const struct ip other = ip_number(i);
        strangers_note(&s, &other, "web", 1, T0 + i, &line);
        if (i > 0 && i % 1000 == 0) /* it keeps coming */
            strangers_note(&s, &at, "web", 1, T0 + i, &line);
    }
    struct stranger *list = strangers_list(&s, &count, &all);
    assert_int_equal(count, STRANGERS_MAX);
    assert_int_equal(all, STRANGERS_MAX + 10 + 4);
    bool has_first = false, has_second = false;
    const struct ip second = ip_number(1);
    for (size_t i = 0; i < count; i++) {
        has_first |= ip_equal(&list[i].ip, &at) && list[i].count == 5;
        has_second |= ip_equal(&list[i].ip, &second);
    }
    assert_true(has_first);
    assert_false(has_second);
    free(list);
    strangers_done(&s);
}

static void test_a_line_for_each_neighbourhood_and_minute(void **state)
{
    struct strangers s;
    struct stranger_line line;
    char text[CIDR_TEXT_MAX];
    (void)state;

    strangers_init(&s);
    assert_true(note_at(&s, "10.9.0.7", 0, &line));
    assert_string_equal(cidr_format(&line.prefix, text), "10.9.0.0/24");
    assert_int_equal(line.count, 1);
    assert_false(note_at(&s, "10.9.0.8", 1, &line));
    assert_false(note_at(&s, "10.9.0.7", 59, &line));
    assert_true(note_at(&s, "10.9.1.7", 59, &line)); /* another one */
    assert_true(note_at(&s, "10.9.0.200", 60, &line));
    assert_int_equal(line.count, 3);
    assert_true(note_at(&s, "2001:db8:1:2:3::1", 60, &line));
    assert_string_equal(cidr_format(&line.prefix, text), "2001:db8:1:2::/64");
    assert_false(note_at(&s, "2001:db8:1:2:ffff::9", 61, &line));
    strangers_done(&s);
}

static void test_lines_are_bounded_however_many_neighbourhoods(void **state)
{
    struct strangers s;
    struct stranger_line line;
    unsigned lines = 0;
    (void)state;

    strangers_init(&s);
    for (unsigned i = 0; i < 500; i++) {
        const struct ip at = ip_number(i << 8);
        lines += strangers_note(&s, &at, "web", 1, T0 + i, &line);
    }
    assert_int_equal(lines, STRANGER_LINES_MAX);
    const struct ip at = ip_number(0xffff00);
    assert_true(strangers_note(&s, &at, "web", 1, T0 + 61 * SECOND_US, &line));
    assert_int_equal(line.others, 500 - STRANGER_LINES_MAX);
    strangers_done(&s);
}

static void test_a_clock_that_was_set_back_silences_nobody(void **state)
{
    struct strangers s;
    struct stranger_line line;
    (void)state;

    strangers_init(&s);
    assert_true(note_at(&s, "10.9.0.7", 3600, &line));
    assert_true(note_at(&s, "10.9.0.7", 0, &line));
    strangers_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_is_counted),
        cmocka_unit_test(test_the_kernel_counts_for_itself),
        cmocka_unit_test(test_each_filter_counts_for_itself),
        cmocka_unit_test(test_the_table_is_bounded),
        cmocka_unit_test(test_a_line_for_each_neighbourhood_and_minute),
        cmocka_unit_test(test_lines_are_bounded_however_many_neighbourhoods),
        cmocka_unit_test(test_a_clock_that_was_set_back_silences_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
