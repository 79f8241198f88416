/* test_upgrade_failures.c -- each reason has a name of its own, a cause, a cure and a counter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alb/counters.h"
#include "alb/upgrade_failures.h"

static void test_names_differ(void **state)
{
    (void)state;
    for (int i = UPGRADE_FINE + 1; i < UPGRADE_FAILURES; i++)
        for (int j = UPGRADE_FINE; j < i; j++)
            assert_string_not_equal(upgrade_failure_name((enum upgrade_failure)i),
                                    upgrade_failure_name((enum upgrade_failure)j));
}

static void assert_is_sentence(const char *text)
{
    assert_true(strlen(text) > 20 && strlen(text) < UPGRADE_TEXT_MAX - 1);
    assert_true(text[0] >= 'A' && text[0] <= 'Z');
    assert_int_equal(text[strlen(text) - 1], '.');
    assert_null(strchr(text, '\n'));
    assert_null(strchr(text, '|')); /* it is a cell of a table */
}

static void test_each_has_a_cause_and_a_cure(void **state)
{
    char text[UPGRADE_TEXT_MAX];

    (void)state;
    for (int i = UPGRADE_FINE + 1; i < UPGRADE_FAILURES; i++) {
        for (int edge = 0; edge < 2; edge++) {
            const struct upgrade_symptoms s = { .failure = (enum upgrade_failure)i,
                                                .behind_edge = edge == 1,
                                                .target_status = 403 };
            assert_is_sentence(upgrade_cause(&s, text));
            assert_is_sentence(upgrade_cure(&s, text));
        }
    }
}

static void test_the_detail_comes_before_the_full_stop(void **state)
{
    char text[UPGRADE_TEXT_MAX];
    struct upgrade_symptoms s = { .failure = UPGRADE_RULE_FAILED, .detail = "it rains" };

    (void)state;
    assert_string_equal(upgrade_cause(&s, text), "What its rule says could not be done: it rains.");
    s.detail = NULL;
    assert_string_equal(upgrade_cause(&s, text), "What its rule says could not be done.");
}

static void test_each_status_has_a_cure(void **state)
{
    char text[UPGRADE_TEXT_MAX];

    (void)state;
    for (int status = 0; status <= 999; status++) {
        const struct upgrade_symptoms s = { .failure = UPGRADE_TARGET_STATUS,
                                            .target_status = status };
        assert_is_sentence(upgrade_cure(&s, text));
        assert_is_sentence(upgrade_cause(&s, text));
    }
}

/* The default action chose the target, and the target would not have it. */
static void test_what_a_rule_misses_is_told_when_the_target_refuses(void **state)
{
    static const struct {
        enum upgrade_failure failure;
        int status;
        bool is_told;
    } cases[] = {
        { UPGRADE_TARGET_STATUS, 199, false },
        { UPGRADE_TARGET_STATUS, 200, true },
        { UPGRADE_TARGET_STATUS, 302, true },
        { UPGRADE_TARGET_STATUS, 404, true },
        { UPGRADE_TARGET_STATUS, 499, true },
        { UPGRADE_TARGET_STATUS, 500, false },
        { UPGRADE_TARGET_STATUS, 503, false },
        { UPGRADE_TARGET_TIMEOUT, 0, false },
        { (enum upgrade_failure)WS_MISSING_KEY, 404, false },
    };
    static const struct {
        enum rules_miss misses;
        bool edge;
        const char *cause, *cure;
    } near_by[] = {
        { RULES_MISS_HOST, false, "but for its host-header",
          "if that rule was meant, add the Host" },
        { RULES_MISS_HOST, true, "but for its host-header", "AllViewer" },
        { RULES_MISS_HEADER, false, "but for its http-header", "if that rule was meant, let" },
        { RULES_MISS_HEADER, true, "but for its http-header", "custom headers" },
    };
    char cause[UPGRADE_TEXT_MAX], cure[UPGRADE_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) * 4; i++) {
        const struct upgrade_symptoms s = { .failure = cases[i / 4].failure,
                                            .target_status = cases[i / 4].status,
                                            .behind_edge = near_by[i % 4].edge,
                                            .misses = near_by[i % 4].misses };
        const bool is_told = cases[i / 4].is_told;
        upgrade_cause(&s, cause);
        upgrade_cure(&s, cure);
        assert_is_sentence(cause);
        assert_is_sentence(cure);
        assert_int_equal(strstr(cause, near_by[i % 4].cause) != NULL, is_told);
        assert_int_equal(strstr(upgrade_detail(&s), near_by[i % 4].cause) != NULL, is_told);
        if (is_told)
            assert_non_null(strstr(cure, near_by[i % 4].cure));
        else
            assert_null(strstr(cure, "if that rule"));
    }
}

/* The row of counters.c for this reason; NULL when there is none. */
static const struct metric *row_of(int failure)
{
    const size_t at =
        offsetof(struct counters, upgrades_failed_by) + sizeof(metric_value) * (size_t)failure;

    for (const struct metric *m = counter_metrics; m->name != NULL; m++)
        if (m->offset == at)
            return m;
    return NULL;
}

static void test_each_has_its_counter(void **state)
{
    char label[64];

    (void)state;
    assert_null(row_of(UPGRADE_FINE));
    for (int i = UPGRADE_FINE + 1; i < UPGRADE_FAILURES; i++) {
        const struct metric *m = row_of(i);
        assert_non_null(m);
        snprintf(label, sizeof(label), "reason=\"%s\"",
                 upgrade_failure_name((enum upgrade_failure)i));
        assert_string_equal(m->name, "upgrades_failed_total");
        assert_string_equal(m->labels, label);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_differ),
        cmocka_unit_test(test_each_has_a_cause_and_a_cure),
        cmocka_unit_test(test_the_detail_comes_before_the_full_stop),
        cmocka_unit_test(test_each_status_has_a_cure),
        cmocka_unit_test(test_what_a_rule_misses_is_told_when_the_target_refuses),
        cmocka_unit_test(test_each_has_its_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
