/* The bounded byte queue, against a plain array. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

enum { BOUND = 3000 };

/* What the buffer should hold. */
static struct {
    char bytes[BOUND];
    size_t len;
} shadow;

static uint32_t seed = 1; /* the same run every time */

static size_t some(size_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

static void shadow_add(const char *bytes, size_t n)
{
    memcpy(shadow.bytes + shadow.len, bytes, n);
    shadow.len += n;
}

static void check_same(const struct buf *b)
{
    struct span held = buf_data(b);

    assert_int_equal(buf_len(b), shadow.len);
    assert_int_equal(buf_room(b), BOUND - shadow.len);
    assert_int_equal(held.len, shadow.len);
    assert_memory_equal(held.ptr, shadow.bytes, shadow.len);
    assert_true(b->size <= BOUND);
}

static void put(struct buf *b)
{
    char bytes[900];
    size_t n = some(sizeof(bytes));
    bool fits = n <= BOUND - shadow.len;

    memset(bytes, (int)('a' + some(26)), n);
    assert_int_equal(buf_put(b, span_of(bytes, n)), fits);
    if (fits)
        shadow_add(bytes, n);
}

/* Ask for some room and use a part of it. */
static void fill(struct buf *b)
{
    size_t n = 1 + some(900);
    char *at = buf_space(b, n);

    assert_int_equal(at != NULL, n <= BOUND - shadow.len);
    if (at == NULL)
        return;
    size_t used = some(n + 1);
    memset(at, (int)('A' + some(26)), used);
    shadow_add(at, used);
    buf_added(b, used);
}

static void print(struct buf *b)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%zu;", some(1000000));
    bool fits = (size_t)n < BOUND - shadow.len; /* the NUL needs a byte */

    assert_int_equal(buf_print(b, "%s", text), fits);
    if (fits)
        shadow_add(text, (size_t)n);
}

static void drop(struct buf *b)
{
    size_t n = some(shadow.len + 1);

    if (some(4) == 0)
        n = shadow.len;
    buf_drop(b, n);
    memmove(shadow.bytes, shadow.bytes + n, shadow.len - n);
    shadow.len -= n;
}

static void release(struct buf *b)
{
    buf_release(b);
    assert_int_equal(b->mem == NULL, shadow.len == 0);
}

static void test_random_operations(void **state)
{
    static void (*const operations[])(struct buf *) = { put, fill, print, drop, release };
    struct buf b;
    (void)state;

    buf_init(&b, BOUND);
    for (int i = 0; i < 20000; i++) {
        operations[some(sizeof(operations) / sizeof(operations[0]))](&b);
        check_same(&b);
    }
    buf_done(&b);
    assert_null(b.mem);
}

static void test_owns_nothing_until_used(void **state)
{
    struct buf b;
    (void)state;

    buf_init(&b, 10);
    assert_true(buf_put(&b, span_of(NULL, 0)));
    assert_null(b.mem);
    assert_int_equal(buf_data(&b).len, 0);
    assert_true(buf_put(&b, SPAN("0123456789")));
    assert_false(buf_put(&b, SPAN("x")));
    assert_null(buf_space(&b, 1));
    buf_drop(&b, 10);
    assert_non_null(b.mem);
    buf_release(&b);
    assert_null(b.mem);
    buf_done(&b);
}

static void test_numbers(void **state)
{
    static const struct {
        uint64_t n;
        const char *text;
    } rows[] = {
        { 0, "0" },
        { 9, "9" },
        { 10, "10" },
        { 4294967296, "4294967296" },
        { UINT64_MAX, "18446744073709551615" },
    };
    struct buf b;
    (void)state;

    buf_init(&b, 64);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(buf_put_number(&b, rows[i].n));
        assert_true(span_equal(buf_data(&b), span_text(rows[i].text)));
        buf_drop(&b, buf_len(&b));
    }
    buf_done(&b);
    buf_init(&b, 2);
    assert_false(buf_put_number(&b, 100));
    assert_int_equal(buf_len(&b), 0);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_operations),
        cmocka_unit_test(test_owns_nothing_until_used),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
