/* test_channel.c -- the parts of the hub that have no thread: rings, sessions,
 * and what members are told of presence; random operations against shadows. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "wsserver/session.h"

static struct channel *add_channel(struct channels *all, const char *name, int64_t id)
{
    struct engine_head head = { .id = id, .ep = "0123456789" };
    return channels_add(all, span_text(name), &head);
}

static void append_bytes(struct channel *channel, uint64_t seq, size_t len)
{
    char *bytes = calloc(1, len + 32);
    int n = snprintf(bytes, 32, "%llu ", (unsigned long long)seq);
    channel_append(channel, seq, shared_text_new(span_of(bytes, (size_t)n + len)));
    free(bytes);
}

static void ring_holds_the_newest(void **state)
{
    static const struct {
        const char *name;
        size_t len;
        uint64_t count, start;
    } cases[] = {
        { "empty", 10, 0, 1 },
        { "few", 10, 5, 1 },
        { "full", 10, CHANNEL_RING, 1 },
        { "one over", 10, CHANNEL_RING + 1, 2 },
        { "round and round", 10, 1000, 1000 - CHANNEL_RING + 1 },
        { "few large ones", 300000, 10, 8 },
        { "one too large", 2000000, 3, 3 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct channels all;
        channels_init(&all, 1);
        struct channel *c = add_channel(&all, "a", 1);
        for (uint64_t seq = 1; seq <= cases[i].count; seq++)
            append_bytes(c, seq, cases[i].len);
        if (channel_ring_start(c) != cases[i].start)
            fail_msg("%s: starts at %llu", cases[i].name,
                     (unsigned long long)channel_ring_start(c));
        for (uint64_t seq = cases[i].start; seq <= cases[i].count; seq++)
            assert_int_equal(strtoull(channel_in_ring(c, seq)->bytes, NULL, 10), seq);
        channels_done(&all);
    }
}

static void hole_empties_the_ring(void **state)
{
    struct channels all;
    (void)state;
    channels_init(&all, 1);
    struct channel *c = add_channel(&all, "a", 1);
    for (uint64_t seq = 1; seq <= 10; seq++)
        append_bytes(c, seq, 10);
    append_bytes(c, 500, 10);
    assert_int_equal(channel_ring_start(c), 500);
    assert_int_equal(c->head.seq, 500);
    channels_done(&all);
}

static void channel_is_found_until_nobody_is_in_it(void **state)
{
    struct channels all;
    (void)state;
    channels_init(&all, 1);
    struct channel *c = add_channel(&all, "room:1", 7);
    assert_ptr_equal(channels_find(&all, SPAN("room:1")), c);
    assert_ptr_equal(channels_find_id(&all, 7), c);
    assert_null(channels_find(&all, SPAN("room:")));
    c->members = 1;
    channels_release(&all, c);
    assert_ptr_equal(channels_find_id(&all, 7), c);
    c->members = 0;
    channels_release(&all, c);
    assert_null(channels_find_id(&all, 7));
    channels_done(&all);
}

enum { SHADOWS = 12, GRACE = 5 };

/* Each shadow is one (user, session); `stored` is what commits told the store. */
struct shadow {
    struct session *session;
    unsigned conns;
    uint64_t leave_at; /* while conns == 0 and present */
    bool present, stored;
};

static void commit(struct sessions *s, struct channels *all, struct shadow shadows[SHADOWS])
{
    struct engine_session *changes = sessions_changes(s);
    for (size_t i = 0; i < s->unstored_count; i++) {
        int at = changes[i].session.ptr[0] - 'a';
        assert_int_equal(changes[i].channel, 1);
        assert_int_equal(changes[i].present, shadows[at].present);
        shadows[at].stored = changes[i].present;
    }
    free(changes);
    sessions_stored(s, all);
    for (int i = 0; i < SHADOWS; i++)
        assert_int_equal(shadows[i].stored, shadows[i].present);
}

static void random_step(struct sessions *s, struct channel *c, struct shadow *shadow, char letter,
                        uint64_t now)
{
    struct span name = span_of(&letter, 1);
    if (rand() % 2 == 0) {
        shadow->session = session_join(s, c, SPAN("bob"), name);
        shadow->conns++;
        shadow->present = true;
    } else if (shadow->conns > 0) {
        shadow->leave_at = now + (uint64_t)rand() % GRACE;
        session_leave(s, shadow->session, shadow->leave_at);
        shadow->conns--;
    }
}

static void sessions_do_as_their_shadows(void **state)
{
    struct channels all;
    struct sessions s;
    struct shadow shadows[SHADOWS] = { { .conns = 0 } };
    (void)state;
    srand(4711);
    channels_init(&all, 1);
    sessions_init(&s);
    struct channel *c = add_channel(&all, "a", 1);
    c->members = 1;
    for (uint64_t now = 1; now < 20000; now++) {
        int i = rand() % SHADOWS;
        random_step(&s, c, &shadows[i], (char)('a' + i), now);
        sessions_expire(&s, now);
        uint64_t next = UINT64_MAX;
        for (i = 0; i < SHADOWS; i++) {
            if (shadows[i].conns > 0 || !shadows[i].present)
                continue;
            if (shadows[i].leave_at <= now)
                shadows[i].present = false;
            else if (shadows[i].leave_at < next)
                next = shadows[i].leave_at;
        }
        assert_int_equal(sessions_next(&s), next);
        if (rand() % 200 == 0) {
            sessions_forgotten(&s);
            for (i = 0; i < SHADOWS; i++)
                shadows[i].stored = false;
        }
        if (rand() % 3 == 0)
            commit(&s, &all, shadows);
    }
    sessions_done(&s);
    assert_int_equal(c->sessions, 0);
    channels_done(&all);
}

enum { USERS = 6 };

/* What a client that follows the texts knows. */
static void apply(json_t *known, const struct shared_text *text)
{
    json_t *told = json_loadb(text->bytes, text->len, 0, NULL), *left, *name;
    size_t i;
    assert_non_null(told);
    json_object_update(known, json_object_get(told, "j"));
    json_object_update(known, json_object_get(told, "c"));
    left = json_object_get(told, "l");
    json_array_foreach(left, i, name) json_object_del(known, json_string_value(name));
    json_decref(told);
}

static void expect_users(json_t *known, const uint32_t counts[USERS])
{
    for (int u = 0; u < USERS; u++) {
        char name[2] = { (char)('a' + u), '\0' };
        json_t *user = json_object_get(known, name);
        assert_int_equal(json_integer_value(json_object_get(user, "n")), counts[u]);
        assert_int_equal(user == NULL, counts[u] == 0);
    }
}

static void following_the_texts_gives_the_state(void **state)
{
    struct presence p = { .users = NULL };
    json_t *known = json_object();
    uint32_t counts[USERS] = { 0 };
    (void)state;
    srand(4712);
    for (uint64_t rev = 1; rev < 2000; rev++) {
        counts[rand() % USERS] = (uint32_t)rand() % 3;
        struct presence_reading *reading = presence_begin(&p);
        for (int u = 0; u < USERS; u++) {
            char name = (char)('a' + u);
            if (counts[u] > 0)
                presence_user(reading, span_of(&name, 1), counts[u]);
        }
        struct shared_text *text = presence_end(&reading, SPAN("a"), rev);
        if (text != NULL)
            apply(known, text);
        expect_users(known, counts);
        shared_text_drop(&text);

        struct shared_text *snapshot = presence_snapshot(&p, SPAN("a"));
        json_t *full = json_loadb(snapshot->bytes, snapshot->len, 0, NULL);
        expect_users(json_object_get(full, "u"), counts);
        json_decref(full);
        shared_text_drop(&snapshot);
    }
    json_decref(known);
    presence_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_holds_the_newest),
        cmocka_unit_test(hole_empties_the_ring),
        cmocka_unit_test(channel_is_found_until_nobody_is_in_it),
        cmocka_unit_test(sessions_do_as_their_shadows),
        cmocka_unit_test(following_the_texts_gives_the_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
