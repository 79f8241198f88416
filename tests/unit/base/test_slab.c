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
    assert_int_equal(s.runs, 0);
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
    assert_int_equal(s.runs, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_a_plain_model),
        cmocka_unit_test(test_side_by_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
