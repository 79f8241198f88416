/* What is said to the metadata service, what its answers mean, and which machines ask it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "image/configure/machine.h"
#include "image/configure/metadata.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_requests(void **state)
{
    struct buf b;
    (void)state;

    buf_init(&b, METADATA_REQUEST_MAX);
    metadata_put_token_request(&b, "169.254.169.254:80");
    assert_true(span_equal(buf_data(&b), SPAN("PUT /latest/api/token HTTP/1.1\r\n"
                                              "Host: 169.254.169.254:80\r\n"
                                              "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n"
                                              "Content-Length: 0\r\nConnection: close\r\n\r\n")));
    buf_drop(&b, buf_len(&b));
    metadata_put_text_request(&b, "[fd00:ec2::254]:80", SPAN("AQA=="));
    assert_true(span_equal(buf_data(&b), SPAN("GET /latest/user-data HTTP/1.1\r\n"
                                              "Host: [fd00:ec2::254]:80\r\n"
                                              "X-aws-ec2-metadata-token: AQA==\r\n"
                                              "Connection: close\r\n\r\n")));
    buf_done(&b);
}

/* The longest token fits with all around it. */
static void test_the_longest_token(void **state)
{
    char token[METADATA_TOKEN_MAX + 1], why[256];
    struct buf b;
    (void)state;

    memset(token, 'a', sizeof(token));
    assert_int_equal(
        metadata_judge_token(200, span_of(token, METADATA_TOKEN_MAX), why, sizeof(why)),
        METADATA_FOUND);
    assert_int_equal(metadata_judge_token(200, span_of(token, sizeof(token)), why, sizeof(why)),
                     METADATA_AGAIN);
    buf_init(&b, METADATA_REQUEST_MAX);
    metadata_put_text_request(&b, "[fd00:ec2::254]:80", span_of(token, METADATA_TOKEN_MAX));
    assert_true(buf_len(&b) > METADATA_TOKEN_MAX);
    buf_done(&b);
}

static void test_tokens(void **state)
{
    static const struct {
        int status;
        struct span body;
        enum metadata_verdict verdict;
        const char *why;
    } cases[] = {
        { 200, SPAN_INIT("AQAEAHkl=="), METADATA_FOUND, "" },
        { 200, SPAN_INIT(""), METADATA_AGAIN, "what it gives for a token is none" },
        { 200, SPAN_INIT("a b"), METADATA_AGAIN, "what it gives for a token is none" },
        { 200, SPAN_INIT("a\r\nX: y"), METADATA_AGAIN, "what it gives for a token is none" },
        { 200, SPAN_INIT("a\0b"), METADATA_AGAIN, "what it gives for a token is none" },
        { 200, SPAN_INIT("\xc3\xa9"), METADATA_AGAIN, "what it gives for a token is none" },
        { 403, SPAN_INIT("a"), METADATA_AGAIN,
          "it answers a request for a token with 403 Forbidden; is the metadata endpoint of the "
          "instance enabled?" },
        { 404, SPAN_INIT("a"), METADATA_AGAIN,
          "it answers a request for a token with 404 Not Found" },
        { 302, SPAN_INIT("a"), METADATA_AGAIN, "it answers a request for a token with 302 Found" },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        char why[256] = "";
        assert_int_equal(metadata_judge_token(cases[i].status, cases[i].body, why, sizeof(why)),
                         cases[i].verdict);
        assert_string_equal(why, cases[i].why);
    }
}

static void test_texts(void **state)
{
    char why[256];
    (void)state;

    assert_int_equal(metadata_judge_text(200, why, sizeof(why)), METADATA_FOUND);
    assert_int_equal(metadata_judge_text(404, why, sizeof(why)), METADATA_NONE);
    for (int status = 201; status < 600; status++) {
        if (status != 404)
            assert_int_equal(metadata_judge_text(status, why, sizeof(why)), METADATA_AGAIN);
    }
    assert_int_equal(metadata_judge_text(503, why, sizeof(why)), METADATA_AGAIN);
    assert_string_equal(why, "it answers a request for user data with 503 Service Unavailable");
}

static void test_pauses_grow_and_are_bounded(void **state)
{
    (void)state;

    assert_int_equal(metadata_pause_ms(0), 100);
    for (unsigned n = 0; n < 1000; n++)
        assert_true(metadata_pause_ms(n + 1) >= metadata_pause_ms(n));
    assert_int_equal(metadata_pause_ms(1000), 5000);
}

static void test_machines(void **state)
{
    static const struct {
        const char *file, *text;
        bool has;
    } cases[] = {
        { "sys_vendor", "Amazon EC2\n", true },
        { "bios_vendor", "Amazon EC2\n", true },
        { "sys_vendor", "Amazon EC2", true },
        { "product_version", "4.11.amazon\n", true },
        { "bios_version", "4.2.amazon\n", true },
        { "sys_vendor", "QEMU\n", false },
        { "sys_vendor", "Amazon EC20\n", false },
        { "product_name", "Amazon EC2\n", false },
        { "sys_vendor", "", false },
        { "sys_vendor", "\nAmazon EC2\n", false },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        char dmi[] = "/tmp/test_machine.XXXXXX", path[128];
        assert_non_null(mkdtemp(dmi));
        assert_false(machine_has_metadata(dmi));
        snprintf(path, sizeof(path), "%s/%s", dmi, cases[i].file);
        FILE *f = fopen(path, "w");
        fputs(cases[i].text, f);
        fclose(f);
        assert_int_equal(machine_has_metadata(dmi), cases[i].has);
        unlink(path);
        rmdir(dmi);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_the_longest_token),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_pauses_grow_and_are_bounded),
        cmocka_unit_test(test_machines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
