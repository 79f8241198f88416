/* What it costs a request to be compared: all that has to be walked over is charged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alb/conditions.h"
#include "alb/regex.h"

enum { LONG = 16000 };

static struct http_message message;
static char ampersands[LONG];

static uint32_t charge_of(enum condition_kind kind, char *name, char *key, char *text)
{
    struct condition_value v = { .key = key, .text = text };
    const struct condition c = { kind, "test", name, &v, 1 };
    const struct ip peer = { .family = 4 };
    struct condition_request r;

    condition_request_init(&r, &message, &peer, NULL);
    assert_false(condition_holds(&c, &r));
    return CONDITION_BUDGET - r.left;
}

static uint32_t charge_of_query(struct span query)
{
    char key[] = "k", text[] = "v*";

    message = (struct http_message){ .query = query };
    return charge_of(CONDITION_QUERY, NULL, key, text);
}

/* Nothing between two '&' is no parameter, but takes its time; what is usual costs little. */
static void test_ampersands_cost(void **state)
{
    (void)state;
    memset(ampersands, '&', sizeof(ampersands));
    assert_int_equal(charge_of_query(SPAN("")), 0);
    assert_in_range(charge_of_query(SPAN("a=1&b=2")), 2, 24);
    assert_in_range(charge_of_query(span_of(ampersands, LONG)), LONG, LONG + 1);
    memcpy(ampersands + LONG - 3, "a=b", 3);
    assert_in_range(charge_of_query(span_of(ampersands, LONG)), LONG - 4, LONG + 10);
}

static uint32_t charge_of_fields(size_t count)
{
    char name[] = "X-Tenant", text[] = "v*";

    message = (struct http_message){ .field_count = count };
    for (size_t i = 0; i < count; i++)
        message.fields[i] = (struct http_field){ .name = SPAN("X-Others"), .value = SPAN("v") };
    return charge_of(CONDITION_HEADER, name, NULL, text);
}

/* The names of all are compared before it is known that one is not there. */
static void test_names_of_fields_cost(void **state)
{
    (void)state;
    assert_int_equal(charge_of_fields(0), 0);
    assert_int_equal(charge_of_fields(1), 1);
    assert_int_equal(charge_of_fields(HTTP_FIELDS_MAX), HTTP_FIELDS_MAX);
}

/* To begin a search takes as long as to compare some twenty characters, even where it ends at once.
 */
static void test_a_search_that_ends_at_once_costs(void **state)
{
    char why[128], text[] = "^/(a|b)=[0-9]+$";
    struct regex_scratch *scratch = regex_scratch_new();
    struct condition_value v = { .text = text,
                                 .regex = regex_new(span_text(text), false, why, sizeof(why)) };
    const struct condition c = { CONDITION_PATH, "test", NULL, &v, 1 };
    const struct ip peer = { .family = 4 };
    struct condition_request r;
    (void)state;

    message = (struct http_message){ .path = SPAN(";") };
    condition_request_init(&r, &message, &peer, scratch);
    assert_false(condition_holds(&c, &r));
    assert_in_range(CONDITION_BUDGET - r.left, 20, 40);
    regex_free(&v.regex);
    regex_scratch_free(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ampersands_cost),
        cmocka_unit_test(test_names_of_fields_cost),
        cmocka_unit_test(test_a_search_that_ends_at_once_costs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
