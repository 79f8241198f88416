/* A slab's blocks never overlap, come zeroed, and cost no run more than they need. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/slab.h"
#include "base/spares.h"

enum { BLOCK = 408, MANY = 5000 };

static unsigned char *blocks[MANY];
static unsigned char marks[MANY];

static void check(size_t i)
{
    for (size_t at = 0; at < BLOCK; at++)
        assert_int_equal(blocks[i][at], marks[i]);
}

static void take(struct slab *s, size_t i)
{
    blocks[i] = slab_take(s);
    marks[i] = 0;
    check(i);
    marks[i] = (unsigned char)(1 + rand() % 255);
    memset(blocks[i], marks[i], BLOCK);
}

static void give(struct slab *s, size_t i)
{
    check(i);
    slab_give(s, blocks[i]);
    blocks[i] = NULL;
}

/* Of the empty runs one is kept, until the end. */
static void check_empty(struct slab *s)
{
    assert_int_equal(s->runs, SPARES_KEPT > 0 ? 1 : 0);
    slab_done(s);
    assert_int_equal(s->runs, 0);
    slab_done(s);
}

static void test_as_a_plain_model(void **state)
{
    struct slab s;
    (void)state;

    srand(1);
    slab_init(&s, BLOCK);
    for (int step = 0; step < 200000; step++) {
        const size_t i = (size_t)rand() % MANY;
        if (blocks[i] == NULL)
            take(&s, i);
        else
            give(&s, i);
    }
    for (size_t i = 0; i < MANY; i++) {
        if (blocks[i] != NULL)
            give(&s, i);
    }
    check_empty(&s);
}

static void test_side_by_side(void **state)
{
    struct slab s;
    (void)state;

    slab_init(&s, BLOCK);
    for (size_t i = 0; i < MANY; i++)
        take(&s, i);
    if (SPARES_KEPT > 0)
        assert_int_equal(s.runs, MANY / 642 + 1); /* 256 KB less a head, by 408 */
    for (size_t i = 0; i < MANY; i += 2)
        give(&s, i);
    for (size_t i = 0; i < MANY; i += 2)
        take(&s, i); /* into the holes */
    if (SPARES_KEPT > 0)
        assert_int_equal(s.runs, MANY / 642 + 1);
    for (size_t i = 0; i < MANY; i++)
        give(&s, i);
    check_empty(&s);
}

/* One connection after the other, each alone. */
static void test_one_that_comes_and_goes_maps_nothing(void **state)
{
    struct slab s;
    void *first;
    (void)state;

    slab_init(&s, BLOCK);
    take(&s, 0);
    first = blocks[0];
    for (int n = 0; n < 1000; n++) {
        give(&s, 0);
        take(&s, 0);
        if (SPARES_KEPT > 0)
            assert_ptr_equal(blocks[0], first);
    }
    give(&s, 0);
    check_empty(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_a_plain_model),
        cmocka_unit_test(test_side_by_side),
        cmocka_unit_test(test_one_that_comes_and_goes_maps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
