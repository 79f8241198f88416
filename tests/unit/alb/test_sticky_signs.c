/* test_sticky_signs.c -- what rows of requests say of the way that cookies take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alb/options.h"
#include "alb/sticky_signs.h"

static struct sticky_signs signs;

/* A letter is a request, after which a cookie is set: 'e' behind an edge, without cookies; 'o' so,
 * with others; 'd' as 'e', from nowhere known; 'f' with ours; 's' a stale one of ours; 'm' one like
 * the managed balancer's; 'x' one of our name that is nonsense; 'n' as 'e', but none is set. */
static struct sticky_seen seen_of(char letter)
{
    static const struct {
        char letter;
        struct sticky_seen seen;
    } rows[] = {
        { 'e', { STICKINESS_NONE, true, false, true } },
        { 'o', { STICKINESS_NONE, true, true, true } },
        { 'd', { STICKINESS_NONE, false, false, true } },
        { 'n', { STICKINESS_NONE, true, false, false } },
        { 'f', { STICKINESS_FOUND, true, true, true } },
        { 's', { STICKINESS_STALE, true, true, true } },
        { 'i', { STICKINESS_INVALID, false, true, true } },
        { 'm', { STICKINESS_MANAGED, false, true, true } },
        { 'x', { STICKINESS_FOREIGN, true, true, true } },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].letter == letter)
            return rows[i].seen;
    }
    fail_msg("%c", letter);
    return rows[0].seen;
}

/* "e100f": so often each. */
static enum sticky_sign after(const char *text)
{
    memset(&signs, 0, sizeof(signs));
    while (*text != '\0') {
        const struct sticky_seen seen = seen_of(*text);
        char *end;
        const long times = strtol(text + 1, &end, 10);
        for (long i = 0; i < (end == text + 1 ? 1 : times); i++)
            sticky_signs_see(&signs, &seen);
        text = end;
    }
    return sticky_signs_now(&signs);
}

static const struct {
    const char *requests;
    enum sticky_sign want;
} rows[] = {
    { "", STICKY_FINE },
    { "e99", STICKY_FINE },
    { "e100", STICKY_EDGE_DROPS },
    { "e99f", STICKY_FINE },
    { "e100f", STICKY_FINE },
    { "e99fe99", STICKY_FINE },
    { "e99se99", STICKY_FINE },
    { "e99xe99", STICKY_FINE },
    { "e99me99", STICKY_FINE },
    { "e50d100e50", STICKY_EDGE_DROPS },
    { "d1000", STICKY_FINE },
    { "n1000", STICKY_FINE },
    { "e99o", STICKY_EDGE_PICKS },
    { "o100", STICKY_EDGE_PICKS },
    { "o99fe100", STICKY_EDGE_DROPS },
    { "m99", STICKY_FINE },
    { "m100", STICKY_SAME_NAMES },
    { "m50e50m50", STICKY_SAME_NAMES },
    { "m99fm99", STICKY_FINE },
    { "m99im99", STICKY_FINE },
    { "m99sm99", STICKY_FINE },
    { "m100f", STICKY_FINE },
    { "x1000", STICKY_FINE },
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (after(rows[i].requests) != rows[i].want)
            fail_msg("%s", rows[i].requests);
    }
}

static void test_it_is_said_once_in_an_hour(void **state)
{
    (void)state;
    memset(&signs, 0, sizeof(signs));
    assert_true(sticky_signs_may_say(&signs, 5000));
    assert_false(sticky_signs_may_say(&signs, 5000));
    assert_false(sticky_signs_may_say(&signs, 5000 + STICKY_SIGNS_PAUSE_MS - 1));
    assert_true(sticky_signs_may_say(&signs, 5000 + STICKY_SIGNS_PAUSE_MS));
    assert_false(sticky_signs_may_say(&signs, 5001 + STICKY_SIGNS_PAUSE_MS));
}

static const struct {
    struct group_options options;
    const char *setting;
} kinds[] = {
    { { .stickiness = true }, "stickiness.lb_cookie.cookie_name" },
    { { .stickiness = true, .stickiness_type = STICKINESS_TYPE_APP_COOKIE },
      "stickiness.app_cookie.lb_cookie_name" },
    { { .stickiness = false }, "stickiness.group_cookie.cookie_name" },
};

static void test_each_has_a_cure(void **state)
{
    (void)state;
    assert_null(sticky_sign_reason(STICKY_FINE));
    for (int sign = STICKY_EDGE_DROPS; sign <= STICKY_SAME_NAMES; sign++) {
        assert_non_null(sticky_sign_reason((enum sticky_sign)sign));
        for (int kind = 0; kind < STICKY_KINDS; kind++)
            assert_non_null(sticky_sign_cure((enum sticky_sign)sign, (enum sticky_kind)kind));
    }
    assert_non_null(strstr(sticky_sign_cure(STICKY_EDGE_DROPS, STICKY_LB_COOKIE), "AllViewer"));
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        assert_non_null(
            strstr(sticky_sign_cure(STICKY_SAME_NAMES, sticky_kind_of(&kinds[i].options)),
                   kinds[i].setting));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_it_is_said_once_in_an_hour),
        cmocka_unit_test(test_each_has_a_cure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
