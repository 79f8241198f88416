/* Words of a span: blanks before, between and behind them, none at all, bytes of any kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/span.h"

static void test_words(void **state)
{
    static const struct {
        const char *text, *words; /* each with a | behind it */
    } cases[] = {
        { "", "" },
        { " \t ", "" },
        { "one", "one|" },
        { "one two", "one|two|" },
        { "\t one \t  two\t", "one|two|" },
        { "a,b \"c d\"\n", "a,b|\"c|d\"\n|" },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct span rest = span_text(cases[i].text), word;
        char found[64] = "";
        while ((word = span_next_word(&rest)).len > 0) {
            strncat(found, word.ptr, word.len);
            strcat(found, "|");
        }
        assert_string_equal(found, cases[i].words);
        assert_int_equal(rest.len, 0);
        assert_int_equal(span_next_word(&rest).len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
