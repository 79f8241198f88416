/* test_tunnel_ring.c -- the last 10,000, in order, whoever adds and reads. */
#include "tunnel_fixture.h"

#include "alb/tunnel_ring.h"

struct seen {
    uint64_t count, first, last;
    bool is_rising;
};

static void see(void *user, const struct tunnel_view *v)
{
    struct seen *seen = user;

    if (seen->count++ == 0)
        seen->first = v->facts.id[0];
    else if (v->facts.id[0] <= seen->last)
        seen->is_rising = false;
    seen->last = v->facts.id[0];
}

static struct seen look(struct tunnel_ring *ring)
{
    struct seen seen = { .is_rising = true };

    tunnel_ring_each(ring, see, &seen);
    return seen;
}

static void add(struct tunnel_ring *ring, struct target_key *key, uint64_t id)
{
    const struct tunnel_view v = fixture_view(key, id);

    tunnel_ring_add(ring, &v);
}

static void test_an_empty_one(void **state)
{
    struct tunnel_ring ring;

    (void)state;
    tunnel_ring_init(&ring);
    assert_int_equal(look(&ring).count, 0);
    tunnel_ring_done(&ring);
}

static void test_it_holds_the_last_10000(void **state)
{
    struct target_key *key = fixture_key("app", "t");
    struct tunnel_ring ring;

    (void)state;
    tunnel_ring_init(&ring);
    for (uint64_t i = 0; i < 25000; i++) {
        add(&ring, key, i);
        if (i % 997 != 0 && i != 9999 && i != 10000)
            continue;
        const struct seen seen = look(&ring);
        assert_true(seen.is_rising);
        assert_int_equal(seen.count, i < 10000 ? i + 1 : 10000);
        assert_int_equal(seen.first, i < 10000 ? 0 : i - 9999);
        assert_int_equal(seen.last, i);
        assert_int_equal(fixture_refs(key), 1 + seen.count);
    }
    tunnel_ring_done(&ring);
    assert_int_equal(fixture_refs(key), 1);
    target_key_unref(&key);
}

static void test_a_name_lives_as_long_as_its_records(void **state)
{
    struct target_key *old = fixture_key("app", "old"), *new = fixture_key("app", "new"),
                      *kept = old;
    struct tunnel_ring ring;

    (void)state;
    tunnel_ring_init(&ring);
    add(&ring, old, 0);
    target_key_unref(&old);
    assert_int_equal(fixture_refs(kept), 1);
    assert_string_equal(ring.rows[0].target->text, "old");
    for (uint64_t i = 1; i <= TUNNEL_RING_SIZE; i++)
        add(&ring, new, i); /* the last of which frees the name: ASan would see it used */
    assert_int_equal(look(&ring).first, 1);
    tunnel_ring_done(&ring);
    assert_int_equal(fixture_refs(new), 1);
    target_key_unref(&new);
}

/* --- two threads ----------------------------------------------------------------------------- */

enum { ADDED = 60000 };

static struct tunnel_ring shared;

static void *add_many(void *key)
{
    for (uint64_t i = 1; i <= ADDED; i++)
        add(&shared, key, i);
    return NULL;
}

static void test_reading_while_it_is_written(void **state)
{
    struct target_key *key = fixture_key("app", "t");
    pthread_t thread;
    struct seen seen;

    (void)state;
    tunnel_ring_init(&shared);
    assert_int_equal(pthread_create(&thread, NULL, add_many, key), 0);
    do {
        seen = look(&shared);
        assert_true(seen.is_rising);
    } while (seen.last < ADDED);
    pthread_join(thread, NULL);
    tunnel_ring_done(&shared);
    assert_int_equal(fixture_refs(key), 1);
    target_key_unref(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_one),
        cmocka_unit_test(test_it_holds_the_last_10000),
        cmocka_unit_test(test_a_name_lives_as_long_as_its_records),
        cmocka_unit_test(test_reading_while_it_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
