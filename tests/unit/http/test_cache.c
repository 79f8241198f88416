/* What is marked for caches that many users share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"
#include "http/cache.h"
#include "http/message.h"
#include "http/parse.h"

static const struct {
    const char *fields;
    bool is_public;
} cases[] = {
    { "", false },
    { "Cache-Control: public\r\n", true },
    { "cache-control: Public, max-age=600\r\n", true },
    { "Cache-Control: max-age=600,public\r\n", true },
    { "Cache-Control: s-maxage=600\r\n", true },
    { "Cache-Control: S-MaxAge=\"600\"\r\n", true },
    { "Cache-Control: max-age=0, s-maxage=10\r\n", true },
    { "Cache-Control: s-maxage=0\r\n", false },
    { "Cache-Control: s-maxage=\r\n", false },
    { "Cache-Control: s-maxage\r\n", false },
    { "Cache-Control: max-age=600\r\n", false },
    { "Cache-Control: private\r\n", false },
    { "Cache-Control: public, private\r\n", false },
    { "Cache-Control: public, no-store\r\n", false },
    { "Cache-Control: public\r\nCache-Control: no-store\r\n", false },
    { "Cache-Control: no-cache\r\nCache-Control: public\r\n", true },
    { "Cache-Control: public, private=\"Set-Cookie\"\r\n", false },
    { "Cache-Control: ext=\"a, public\"\r\n", false },
    { "Cache-Control: ext=\"a\\\", public\"\r\n", false },
    { "Cache-Control: ext=\"a\\\"\", public\r\n", true },
    { "Cache-Control: notpublic\r\n", false },
    { "Cache-Control: ,, public ,\r\n", true },
    { "Cache-Control: public-ish\r\n", false },
    { "Cache-Control:\r\n", false },
    { "Cache-Control: \"\r\n", false },
    { "Pragma: public\r\n", false },
};

static bool is_public(const char *fields)
{
    struct http_message *m = mem_new(struct http_message);
    char head[512];
    size_t scanned = 0;

    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n%sContent-Length: 0\r\n\r\n", fields);
    assert_int_equal(http_response_parse(span_text(head), HTTP_GET, m, &scanned), HTTP_PARSED);
    const bool is = http_is_public(m);
    free(m);
    return is;
}

static void test_marks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (is_public(cases[i].fields) != cases[i].is_public)
            fail_msg("%s", cases[i].fields);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_marks) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
