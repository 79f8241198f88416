/* What rows are written with: each writer against what printf() says. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"
#include "net/loop.h"

#include "alb/log_buffer.h"
#include "alb/log_file.h"
#include "alb/log_put.h"

static char out[4096];

static void check(const char *end, const char *want)
{
    assert_int_equal(end - out, strlen(want));
    assert_memory_equal(out, want, strlen(want));
}

static void test_numbers(void **state)
{
    static const uint64_t numbers[] = { 0, 1, 9, 10, 99, 100, 65535, 1000000, UINT64_MAX };
    char want[64];

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        snprintf(want, sizeof(want), "%" PRIu64, numbers[i]);
        check(log_put_number(out, numbers[i]), want);
        snprintf(want, sizeof(want), "%" PRIu64 ".%03" PRIu64, numbers[i] / 1000000,
                 numbers[i] / 1000 % 1000);
        check(log_put_seconds(out, numbers[i]), want);
        check(log_put_seconds_blank(out, numbers[i]) - 1, want);
        assert_int_equal(out[strlen(want)], ' ');
        snprintf(want, sizeof(want), "%016" PRIx64, numbers[i]);
        check(log_put_hex(out, numbers[i]), want);
    }
    for (int i = 0; i < 1000; i++) {
        const uint64_t n = random_jitter();
        snprintf(want, sizeof(want), "%016" PRIx64, n);
        check(log_put_hex(out, n), want);
    }
}

/* Around each power of ten, where the count of digits changes. */
static void test_numbers_of_each_length(void **state)
{
    uint64_t power = 1;
    char want[32];

    (void)state;
    for (int digits = 1; digits <= 20; digits++, power *= 10) {
        for (uint64_t n = power - 1; n <= power + 1; n++) {
            snprintf(want, sizeof(want), "%" PRIu64, n);
            out[strlen(want)] = '!';
            check(log_put_number(out, n), want);
            assert_int_equal(out[strlen(want)], '!'); /* not a byte behind it */
            check(log_put_number_blank(out, n) - 1, want);
            assert_int_equal(out[strlen(want)], ' ');
            assert_int_equal(log_digits_of(n), strlen(want));
        }
    }
}

static void test_digits(void **state)
{
    char want[16];

    (void)state;
    for (unsigned n = 0; n < 1000; n++) {
        snprintf(want, sizeof(want), "%03u", n);
        out[3] = '!';
        check(log_put_triple(out, n) - 1, want);
        assert_int_equal(out[3], ' ');
        snprintf(want, sizeof(want), "%02u", n % 100);
        check(log_put_pair(out, n % 100), want);
    }
}

static void test_copied_texts(void **state)
{
    char text[101];

    (void)state;
    for (size_t len = 0; len < sizeof(text); len++) {
        text[len] = '\0';
        out[len] = '!';
        check(log_put_copy(out, span_of(text, len)), text);
        assert_int_equal(out[len], '!'); /* not a byte behind it */
        text[len] = (char)('a' + len % 26);
    }
}

static void test_padded_texts(void **state)
{
    char text[100 + LOG_PAD], want[101];

    (void)state;
    memset(text, '#', sizeof(text));
    for (size_t len = 0; len <= 100; len++) {
        snprintf(want, sizeof(want), "%.*s", (int)len, text);
        check(log_put_padded(out, span_of(text, len)), want);
        if (len <= LOG_PAD)
            check(log_put_block(out, span_of(text, len)), want);
        text[len] = (char)('a' + len % 26);
    }
}

/* Each byte, at each place of a text around it. */
static void test_what_is_safe(void **state)
{
    char text[36 + LOG_PAD] = { 0 };

    (void)state;
    for (size_t len = 1; len <= 36; len++) {
        for (size_t at = 0; at < len; at++) {
            for (int c = 0; c < 256; c++) {
                memset(text, 'x', len);
                text[at] = (char)c;
                const bool want = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
                const struct span texts[] = { { text, len }, { NULL, 0 }, { text, at } };
                memset(text + len, '"', LOG_PAD); /* which is behind it */
                assert_int_equal(log_is_safe(texts[0]), want);
                assert_int_equal(log_are_safe(texts, 3), want);
                assert_true(log_are_safe(texts + 1, 2));
            }
        }
    }
    assert_true(log_is_safe(SPAN("")));
}

static void test_addresses(void **state)
{
    struct ip ip;

    (void)state;
    assert_true(ip_parse(SPAN("10.0.0.1"), &ip));
    check(log_put_ip(out, &ip, true), "10.0.0.1");
    assert_true(ip_parse(SPAN("2001:db8::1"), &ip));
    check(log_put_ip(out, &ip, true), "[2001:db8::1]");
    check(log_put_ip(out, &ip, false), "2001:db8::1");
}

/* Byte for byte, whatever stands beside it. */
static void test_safe_agrees_with_a_simple_model(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        char text[40], want[4 * 40 + 1];
        const size_t len = random_jitter() % sizeof(text);
        const uint64_t odd = round % 2 == 0 ? 4 : 64; /* half of them clean but for a byte */
        size_t n = 0;
        for (size_t i = 0; i < len; i++) {
            const uint64_t r = random_jitter();
            text[i] = r % odd == 0 ? (char)(r >> 8) : (char)('a' + r % 26);
            const unsigned char c = (unsigned char)text[i];
            if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
                n += (size_t)snprintf(want + n, sizeof(want) - n, "\\x%02X", c);
            else
                want[n++] = text[i];
        }
        want[n] = '\0';
        check(log_put_safe(out, span_of(text, len)), want);
        assert_int_equal(log_is_safe(span_of(text, len)), n == len);
    }
}

static void test_time_and_chunks(void **state)
{
    static metric_value written, dropped;
    static struct log_file file;
    struct loop loop;
    struct log_buffer b;
    char want[CLOCK_TEXT_MAX], why[256];

    (void)state;
    log_file_init(&file, "access_logs.file", &written, &dropped);
    assert_false(log_file_open(&file, "/nowhere/log", why, sizeof(why)));
    assert_true(log_file_open(&file, "test_log_put.log", why, sizeof(why)));
    loop_init(&loop, 0, 8, NULL);
    log_buffer_init(&b, &loop, &file);
    for (int i = 0; i < 2000; i++) {
        /* of a few seconds, as rows of a moment are, and of many */
        const uint64_t us = 1700000000000000 + random_jitter() % (i % 2 ? 100000000 : 3000000);
        char *row = log_buffer_begin(&b, 64);
        char *at = log_buffer_time(&b, i % 3 ? LOG_TIME_WRITTEN : LOG_TIME_CREATED, row, us);
        assert_int_equal(at - row, LOG_TIME_LEN);
        assert_memory_equal(row, clock_iso_us(us, want), 27);
        *at++ = '\n';
        log_buffer_end(&b, (size_t)(at - row));
    }
    log_buffer_done(&b);
    log_file_done(&file);
    loop_done(&loop);
    assert_int_equal(metric_get(&written), 2000);
    assert_int_equal(metric_get(&dropped), 0);
    remove("test_log_put.log");
}

/* A row of that many bytes, which ends in a newline; its bound is some more. */
static void put_row(struct log_buffer *b, FILE *model, size_t len, size_t spare)
{
    static char row[400 * 1024];

    memset(row, 'a' + (int)(len % 26), len - 1);
    row[len - 1] = '\n';
    fwrite(row, 1, len, model);
    memcpy(log_buffer_begin(b, len + spare), row, len);
    log_buffer_end(b, len);
}

static void assert_same(const char *path, FILE *model)
{
    FILE *file = fopen(path, "r");
    int c;

    rewind(model);
    assert_non_null(file);
    while ((c = getc(model)) != EOF)
        assert_int_equal(getc(file), c);
    assert_int_equal(getc(file), EOF);
    fclose(file);
}

/* Rows of all sizes, one of them larger than a chunk: each once and whole, in their order; a
 * chunk never grows. */
static void test_chunks_that_are_full(void **state)
{
    static metric_value written, dropped;
    static struct log_file file;
    FILE *model = tmpfile();
    struct loop loop;
    struct log_buffer b;
    char why[256];

    (void)state;
    log_file_init(&file, "access_logs.file", &written, &dropped);
    assert_true(log_file_open(&file, "test_log_put.log", why, sizeof(why)));
    loop_init(&loop, 0, 8, NULL);
    log_buffer_init(&b, &loop, &file);
    for (size_t i = 0; i < 3000; i++) {
        put_row(&b, model, 1 + random_jitter() % 999, random_jitter() % 5000);
        assert_true(b.rows.size == LOG_CHUNK_BYTES);
    }
    put_row(&b, model, LOG_CHUNK_BYTES, 0);
    put_row(&b, model, 300 * 1024, 100);
    put_row(&b, model, 300 * 1024, 100);
    put_row(&b, model, 5, 100);
    log_buffer_done(&b);
    log_file_done(&file);
    loop_done(&loop);
    assert_int_equal(metric_get(&written), 3004);
    assert_int_equal(metric_get(&dropped), 0);
    assert_same("test_log_put.log", model);
    fclose(model);
    remove("test_log_put.log");
}

static void test_a_full_device_drops_and_counts(void **state)
{
    static metric_value written, dropped;
    static struct log_file file;
    struct log_chunk *chunk = calloc(1, sizeof(*chunk));
    char why[256];

    (void)state;
    log_file_init(&file, "access_logs.file", &written, &dropped);
    assert_true(log_file_open(&file, "/dev/full", why, sizeof(why)));
    buf_init(&chunk->rows, 64);
    buf_put(&chunk->rows, SPAN("one\ntwo\n"));
    chunk->count = 2;
    log_file_take(&file, chunk);
    log_file_done(&file);
    assert_int_equal(metric_get(&written), 0);
    assert_int_equal(metric_get(&dropped), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_numbers_of_each_length),
        cmocka_unit_test(test_digits),
        cmocka_unit_test(test_copied_texts),
        cmocka_unit_test(test_padded_texts),
        cmocka_unit_test(test_what_is_safe),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_safe_agrees_with_a_simple_model),
        cmocka_unit_test(test_time_and_chunks),
        cmocka_unit_test(test_chunks_that_are_full),
        cmocka_unit_test(test_a_full_device_drops_and_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
