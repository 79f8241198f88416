/* The list of problems: order, places, marks. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/problems.h"

static char *printed(struct problems *p)
{
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);

    problems_print(p, to);
    fclose(to);
    return text;
}

static void test_printed_in_the_order_of_lines(void **state)
{
    struct problems p;
    (void)state;

    problems_init(&p, "alb.ini");
    problems_error(&p, 12, "unknown setting \"%s\"", "intervall");
    problems_warning(&p, 3, "old list");
    problems_error(&p, 12, "second of its line");
    problems_error(&p, 0, "no [edge] section");
    problems_warning(&p, 7, "%d days", 31);
    char *text = printed(&p);
    assert_string_equal(text, "alb.ini: no [edge] section\n"
                              "alb.ini:3: warning: old list\n"
                              "alb.ini:7: warning: 31 days\n"
                              "alb.ini:12: unknown setting \"intervall\"\n"
                              "alb.ini:12: second of its line\n");
    assert_int_equal(p.count, 5);
    assert_int_equal(p.errors, 3);
    free(text);
    problems_done(&p);
}

static void test_none(void **state)
{
    struct problems p;
    (void)state;

    problems_init(&p, "alb.ini");
    char *text = printed(&p);
    assert_string_equal(text, "");
    free(text);
    problems_done(&p);
    assert_int_equal(p.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_printed_in_the_order_of_lines),
        cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
