/* Ten lines in ten seconds, and how many were left out. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/seldom.h"

static unsigned say(struct seldom *s, int times, uint64_t now_ms, unsigned *first_kept)
{
    unsigned said = 0, kept;

    for (int i = 0; i < times; i++) {
        said += seldom_may(s, now_ms, &kept);
        if (i == 0)
            *first_kept = kept;
        else
            assert_int_equal(kept, 0);
    }
    return said;
}

static void test_ten_in_ten_seconds(void **state)
{
    struct seldom s = { 0 };
    unsigned kept;
    (void)state;

    assert_int_equal(say(&s, 3, 5, &kept), 3);
    assert_int_equal(say(&s, 30, 10004, &kept), 7);
    assert_int_equal(kept, 0);
    assert_int_equal(say(&s, 12, 10005, &kept), 10);
    assert_int_equal(kept, 23);
    assert_int_equal(say(&s, 1, 900000, &kept), 1);
    assert_int_equal(kept, 2);
    assert_int_equal(say(&s, 1, 910000, &kept), 1);
    assert_int_equal(kept, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_ten_in_ten_seconds) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
