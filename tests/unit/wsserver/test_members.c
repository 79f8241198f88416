/* test_members.c -- who is in which channel, against a table of truths. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "wsserver/client.h"
#include "wsserver/members.h"

enum { CLIENTS = 20, CHANNELS = 8, NAME_BYTES = sizeof("channel--2147483648") };

static struct span channel_name(int i, char out[NAME_BYTES])
{
    snprintf(out, NAME_BYTES, "channel-%d", i);
    return span_text(out);
}

static void check(const struct members *m, const struct client *clients, struct member **lists,
                  bool in[CLIENTS][CHANNELS])
{
    for (int ch = 0; ch < CHANNELS; ch++) {
        char text[NAME_BYTES];
        struct room *room = members_find(m, channel_name(ch, text));
        uint32_t count = 0, bare = 0;
        for (int c = 0; c < CLIENTS; c++) {
            struct member *member = members_of(lists[c], span_text(text));
            assert_int_equal(member != NULL, in[c][ch]);
            if (member == NULL)
                continue;
            count++;
            bare += member->is_bare;
            assert_ptr_equal(member->client, &clients[c]);
            assert_ptr_equal(member->room, room);
            assert_ptr_equal(room->members[member->at], member);
        }
        assert_int_equal(room == NULL ? 0 : room->count, count);
        assert_int_equal(room == NULL ? 0 : room->bare, bare);
        assert_true(room == NULL || count > 0);
    }
}

static void test_random_joins_and_leaves(void **state)
{
    static struct client clients[CLIENTS];
    struct member *lists[CLIENTS] = { NULL };
    bool in[CLIENTS][CHANNELS] = { { false } };
    struct members m = { NULL };
    (void)state;

    srandom(11);
    for (int round = 0; round < 3000; round++) {
        int c = (int)(random() % CLIENTS), ch = (int)(random() % CHANNELS);
        char text[NAME_BYTES];
        struct span channel = channel_name(ch, text);
        if (in[c][ch])
            members_remove(&m, members_of(lists[c], channel), &lists[c]);
        else
            members_add(&m, channel, &clients[c], &lists[c], c % 3 == 0);
        in[c][ch] = !in[c][ch];
        if (round % 10 == 0)
            check(&m, clients, lists, in);
    }
    members_done(&m);
    assert_null(m.rooms);
}

/* As fan-out does when it closes who reads too slowly. */
static void test_a_walk_from_the_end_may_remove_where_it_is(void **state)
{
    static struct client clients[CLIENTS];
    struct member *lists[CLIENTS] = { NULL };
    struct members m = { NULL };
    bool seen[CLIENTS] = { false };
    (void)state;

    for (int c = 0; c < CLIENTS; c++)
        members_add(&m, SPAN("lobby"), &clients[c], &lists[c], false);
    struct room *room = members_find(&m, SPAN("lobby"));
    for (uint32_t i = room->count; i-- > 0;) {
        long c = room->members[i]->client - clients;
        assert_false(seen[c]);
        seen[c] = true;
        if (c % 3 == 0)
            members_remove(&m, room->members[i], &lists[c]);
    }
    for (int c = 0; c < CLIENTS; c++)
        assert_true(seen[c]);
    members_done(&m);
}

static void test_names_that_start_alike(void **state)
{
    static struct client client;
    struct member *list = NULL;
    struct members m = { NULL };
    (void)state;

    members_add(&m, SPAN("ab"), &client, &list, false);
    assert_null(members_find(&m, SPAN("a")));
    assert_null(members_find(&m, SPAN("abc")));
    assert_null(members_of(list, SPAN("a")));
    assert_string_equal(members_find(&m, SPAN("ab"))->name, "ab");
    members_remove(&m, list, &list);
    assert_null(list);
    assert_null(m.rooms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_joins_and_leaves),
        cmocka_unit_test(test_a_walk_from_the_end_may_remove_where_it_is),
        cmocka_unit_test(test_names_that_start_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
