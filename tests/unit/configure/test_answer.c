/* A response of the metadata service: whole, a byte at a time, too large, and none at all. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "http/message.h"
#include "image/configure/answer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { BODY_MAX = 10 };

static const struct row {
    const char *bytes;
    enum answer_step step, at_end; /* after all bytes; when the other side closes then */
    int status;
    const char *body, *why;
} rows[] = {
    { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", ANSWER_WHOLE, 0, 200, "hello", NULL },
    { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ANSWER_WHOLE, 0, 200, "", NULL },
    { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello", ANSWER_WHOLE, 0, 200, "he", NULL },
    { "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\nno\n",
      ANSWER_WHOLE, 0, 404, "no\n", NULL },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
      ANSWER_WHOLE, 0, 200, "hello", NULL },
    { "HTTP/1.0 200 OK\r\n\r\nhello", ANSWER_MORE, ANSWER_WHOLE, 200, "hello", NULL },
    { "", ANSWER_MORE, ANSWER_BAD, 0, "", "the connection was closed without a response" },
    { "HTTP/1.1 200 OK\r\n", ANSWER_MORE, ANSWER_BAD, 0, "", "the response was cut off" },
    { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", ANSWER_MORE, ANSWER_BAD, 200, "hell",
      "the response was cut off" },
    { "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n", ANSWER_TOO_LARGE, 0, 200, "", NULL },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello, you!", ANSWER_TOO_LARGE, 0,
      200, NULL, NULL },
    { "HTTP/1.0 200 OK\r\n\r\nhello, you!", ANSWER_TOO_LARGE, 0, 200, NULL, NULL },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx", ANSWER_BAD, 0, 200, "",
      "the body of the response is malformed" },
    { "HTTP/1.1 100 Continue\r\n\r\n", ANSWER_BAD, 0, 0, "",
      "an interim response was not asked for" },
};

static void check(const struct row *row, const struct answer *a, enum answer_step step)
{
    assert_int_equal(step, row->step == ANSWER_MORE ? row->at_end : row->step);
    assert_int_equal(a->status, row->status);
    if (row->body != NULL)
        assert_true(span_equal(buf_data(&a->body), span_text(row->body)));
    if (row->why != NULL)
        assert_string_equal(a->why, row->why);
}

static void test_responses(void **state)
{
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct answer a;
        answer_init(&a, BODY_MAX);
        enum answer_step step = answer_take(&a, span_text(rows[i].bytes));
        assert_int_equal(step, rows[i].step);
        check(&rows[i], &a, step == ANSWER_MORE ? answer_end(&a) : step);
        answer_done(&a);
    }
}

static void test_a_byte_at_a_time_is_the_same(void **state)
{
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct answer a;
        enum answer_step step = ANSWER_MORE;
        answer_init(&a, BODY_MAX);
        for (const char *c = rows[i].bytes; *c != '\0' && step == ANSWER_MORE; c++)
            step = answer_take(&a, span_of(c, 1));
        check(&rows[i], &a, step == ANSWER_MORE ? answer_end(&a) : step);
        answer_done(&a);
    }
}

static void test_what_is_no_response(void **state)
{
    static const char *const texts[] = { "SSH-2.0-x\r\n", "HTTP/2 200\r\n\r\n",
                                         "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
                                         "HTTP/1.1 200 OK\r\n: x\r\n\r\n" };
    (void)state;

    for (size_t i = 0; i < COUNT(texts); i++) {
        struct answer a;
        answer_init(&a, BODY_MAX);
        assert_int_equal(answer_take(&a, span_text(texts[i])), ANSWER_BAD);
        assert_non_null(a.why);
        answer_done(&a);
    }
}

static void test_a_head_without_end(void **state)
{
    struct answer a;
    enum answer_step step;
    (void)state;

    answer_init(&a, BODY_MAX);
    step = answer_take(&a, SPAN("HTTP/1.1 200 OK\r\n"));
    for (int i = 0; i < HTTP_RESPONSE_HEAD_MAX && step == ANSWER_MORE; i++)
        step = answer_take(&a, SPAN("a: b\r\n"));
    assert_int_equal(step, ANSWER_BAD);
    answer_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_a_byte_at_a_time_is_the_same),
        cmocka_unit_test(test_what_is_no_response),
        cmocka_unit_test(test_a_head_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
