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

/* --- what another process tells, and what is told to it ----------------------------------------
 */

static void add_older(struct tunnel_ring *ring, struct target_key *key, uint64_t id)
{
    const struct tunnel_view v = fixture_view(key, id);

    tunnel_ring_add_older(ring, &v);
}

/* From 10,000 down, however many are there already; the newest of all stay. */
static void test_older_ones_fill_what_room_there_is(void **state)
{
    static const uint64_t own[] = { 0, 1, 7, 9999, 10000, 10001, 15000 };
    struct target_key *key = fixture_key("app", "t");

    (void)state;
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        struct tunnel_ring ring;
        tunnel_ring_init(&ring);
        for (uint64_t n = 0; n < own[i]; n++)
            add(&ring, key, 20000 + n);
        for (uint64_t id = 19999; id >= 10000; id--)
            add_older(&ring, key, id);
        struct seen seen = look(&ring);
        assert_true(seen.is_rising);
        assert_int_equal(seen.count, 10000);
        assert_int_equal(seen.last, own[i] == 0 ? 19999 : 19999 + own[i]);
        assert_int_equal(seen.first, 10000 + own[i]);
        add(&ring, key, 99999); /* the oldest makes room */
        assert_int_equal(look(&ring).first, 10001 + own[i]);
        assert_int_equal(fixture_refs(key), 10001);
        tunnel_ring_done(&ring);
        assert_int_equal(fixture_refs(key), 1);
    }
    target_key_unref(&key);
}

typedef size_t read_some(struct tunnel_ring *ring, uint64_t *number, struct tunnel_view *out,
                         size_t most);

/* All, a few at a time: how many; the ids must go on by `step`. */
static uint64_t read_all(struct tunnel_ring *ring, read_some *read, uint64_t *number, int step,
                         uint64_t *last)
{
    struct tunnel_view views[7];
    uint64_t count = 0;
    size_t n;

    while ((n = read(ring, number, views, 1 + count % 7)) > 0) {
        for (size_t i = 0; i < n; i++, count++) {
            if (count > 0)
                assert_int_equal(views[i].facts.id[0], *last + (uint64_t)step);
            *last = views[i].facts.id[0];
            tunnel_view_done(&views[i]);
        }
    }
    return count;
}

static void test_it_is_read_bit_by_bit(void **state)
{
    struct target_key *key = fixture_key("app", "t");
    struct tunnel_ring ring;
    uint64_t before, since, last = 0;

    (void)state;
    tunnel_ring_init(&ring);
    before = since = tunnel_ring_next(&ring);
    assert_int_equal(read_all(&ring, tunnel_ring_before, &before, -1, &last), 0);
    assert_int_equal(read_all(&ring, tunnel_ring_since, &since, 1, &last), 0);
    for (uint64_t i = 0; i < 12345; i++)
        add(&ring, key, i);
    before = since = tunnel_ring_next(&ring);
    for (uint64_t i = 12345; i < 12400; i++)
        add(&ring, key, i); /* which push some out that would have been next to the last */
    assert_int_equal(read_all(&ring, tunnel_ring_since, &since, 1, &last), 55);
    assert_int_equal(last, 12399);
    assert_int_equal(since, tunnel_ring_next(&ring));
    assert_int_equal(read_all(&ring, tunnel_ring_before, &before, -1, &last), 10000 - 55);
    assert_int_equal(last, 2400);
    assert_int_equal(before, tunnel_ring_first(&ring));
    for (uint64_t i = 0; i < 15000; i++)
        add(&ring, key, i); /* more than it holds since it was read */
    assert_int_equal(read_all(&ring, tunnel_ring_since, &since, 1, &last), 10000);
    assert_int_equal(fixture_refs(key), 10001);
    tunnel_ring_done(&ring);
    target_key_unref(&key);
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
        cmocka_unit_test(test_older_ones_fill_what_room_there_is),
        cmocka_unit_test(test_it_is_read_bit_by_bit),
        cmocka_unit_test(test_reading_while_it_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
