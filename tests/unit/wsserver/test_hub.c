/* test_hub.c -- one hub: requests and their answers, the same over both stores. */
#include "hub_probe.h"

#include <jansson.h>
#include <string.h>

struct hub_test {
    struct probe probe;
    struct probe_store store;
};

static int start_memory(void **state)
{
    struct hub_test *t = calloc(1, sizeof(*t));
    probe_start(&t->probe, probe_options(NULL, "n1"));
    *state = t;
    return 0;
}

static int start_sqlite(void **state)
{
    struct hub_test *t = calloc(1, sizeof(*t));
    probe_store_make(&t->store);
    probe_start(&t->probe, probe_options(t->store.path, "n1"));
    *state = t;
    return 0;
}

static int stop(void **state)
{
    struct hub_test *t = *state;
    probe_stop(&t->probe);
    if (t->store.path[0] != '\0')
        probe_store_remove(&t->store);
    free(t);
    return 0;
}

static struct probe *probe_of(void **state)
{
    return &((struct hub_test *)*state)->probe;
}

static void publish_many(struct probe *p, const char *channel, int n)
{
    char cid[16];
    for (int i = 1; i <= n; i++) {
        snprintf(cid, sizeof(cid), "c-%d", i);
        probe_publish(p, (uint64_t)i, channel, "bob", cid);
    }
    for (int i = 1; i <= n; i++) {
        struct hub_event *ack = probe_next(p, HUB_ACK);
        assert_int_equal(ack->request, i);
        hub_event_free(&ack);
    }
}

static json_t *parse(const struct shared_text *text)
{
    json_error_t error;
    json_t *json = json_loadb(text->bytes, text->len, 0, &error);
    if (json == NULL)
        fail_msg("not JSON: %s: %s", error.text, text->bytes);
    return json;
}

static void message_is_one_shared_object(void **state)
{
    struct probe *p = probe_of(state);
    struct hub_event *sub = probe_subscribe(p, 1, "room:1", "alice", "s-a");
    assert_int_equal(sub->seq, 0);
    assert_int_equal(strlen(sub->ep), HUB_EP_LEN);
    probe_publish(p, 7, "room:1", "b\"ob", "c-1");

    struct hub_event *message = probe_next(p, HUB_MESSAGE);
    struct hub_event *ack = probe_next(p, HUB_ACK);
    assert_int_equal(ack->request, 7);
    assert_int_equal(ack->seq, 1);
    assert_false(ack->duplicate);
    json_t *json = parse(message->text);
    char *t, *ch, *ep, *mid, *cid, *from, *said;
    json_int_t seq, ts;
    assert_int_equal(json_unpack(json, "{s:s,s:s,s:s,s:I,s:s,s:s,s:s,s:I,s:{s:s}!}", "t", &t, "ch",
                                 &ch, "ep", &ep, "seq", &seq, "mid", &mid, "cid", &cid, "from",
                                 &from, "ts", &ts, "d", "text", &said),
                     0);
    assert_string_equal(t, "msg");
    assert_string_equal(ch, "room:1");
    assert_string_equal(ep, sub->ep);
    assert_int_equal(seq, 1);
    assert_string_equal(mid, ack->mid);
    assert_string_equal(cid, "c-1");
    assert_string_equal(from, "b\"ob");
    assert_string_equal(said, "c-1");
    assert_true(ts > 1500000000000);
    json_decref(json);
    hub_event_free(&sub);
    hub_event_free(&message);
    hub_event_free(&ack);
}

static void same_cid_is_one_message(void **state)
{
    struct probe *p = probe_of(state);
    static const struct {
        const char *user, *cid;
        uint64_t seq;
        bool duplicate;
    } cases[] = {
        { "bob", "c-1", 1, false }, { "bob", "c-1", 1, true }, { "eve", "c-1", 2, false },
        { "bob", "c-2", 3, false }, { "bob", "", 4, false },   { "bob", "", 5, false },
        { "bob", "c-1", 1, true },  { "eve", "c-1", 2, true },
    };
    char mid[HUB_MID_LEN + 1] = "";
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        probe_publish(p, i, "room:1", cases[i].user, cases[i].cid);
        struct hub_event *ack = probe_next(p, HUB_ACK);
        assert_int_equal(ack->seq, cases[i].seq);
        assert_int_equal(ack->duplicate, cases[i].duplicate);
        if (i == 0)
            memcpy(mid, ack->mid, sizeof(mid));
        else if (ack->seq == 1)
            assert_string_equal(ack->mid, mid);
        hub_event_free(&ack);
    }
}

static uint64_t seq_of(const struct shared_text *text)
{
    const char *at = strstr(text->bytes, "\"seq\":");
    assert_non_null(at);
    return strtoull(at + 6, NULL, 10);
}

static void expect_messages(const struct hub_event *event, uint64_t lo, uint64_t hi)
{
    assert_int_equal(event->count, hi + 1 - lo);
    for (size_t i = 0; i < event->count; i++)
        assert_int_equal(seq_of(event->messages[i]), lo + i);
}

/* 600 published, 512 kept: 89..600. */
static void resume_gives_all_or_says_gap(void **state)
{
    struct probe *p = probe_of(state);
    publish_many(p, "room:1", 600);
    struct hub_event *now = probe_subscribe(p, 1, "room:1", "alice", "");
    assert_int_equal(now->seq, 600);
    static const struct {
        const char *name;
        uint64_t seq;
        bool other_ep;
        enum hub_resume resume;
        uint64_t lo, hi;
    } cases[] = {
        { "at the head", 600, false, HUB_RESUME_OK, 601, 600 },
        { "one behind", 599, false, HUB_RESUME_OK, 600, 600 },
        { "all that is kept", 88, false, HUB_RESUME_OK, 89, 600 },
        { "one more than is kept", 87, false, HUB_RESUME_GAP, 596, 600 },
        { "from the start", 0, false, HUB_RESUME_GAP, 596, 600 },
        { "from the future", 601, false, HUB_RESUME_GAP, 596, 600 },
        { "of another log", 600, true, HUB_RESUME_EPOCH, 596, 600 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hub_event *event = probe_resume(
            p, 10 + i, "room:1", cases[i].other_ep ? "0123456789" : now->ep, cases[i].seq);
        if (event->resume != cases[i].resume)
            fail_msg("%s: %d", cases[i].name, (int)event->resume);
        expect_messages(event, cases[i].lo, cases[i].hi);
        if (event->resume != HUB_RESUME_OK) {
            assert_int_equal(event->have_lo, 89);
            assert_int_equal(event->have_hi, 600);
        }
        hub_event_free(&event);
    }
    hub_event_free(&now);
}

static void history_pages_backwards(void **state)
{
    struct probe *p = probe_of(state);
    publish_many(p, "room:1", 600);
    static const struct {
        uint64_t before;
        uint32_t n;
        uint64_t lo, hi;
        bool more;
    } cases[] = {
        { 0, 10, 591, 600, true },   { 591, 10, 581, 590, true }, { 99, 10, 89, 98, false },
        { 99, 100, 89, 98, false },  { 89, 10, 1, 0, false },     { 1, 10, 1, 0, false },
        { 1000, 1, 600, 600, true }, { 0, 0, 1, 0, true },        { 0, 2000, 89, 600, false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(hub_history(p->hub, (struct hub_conn){ 0, 1 }, i, SPAN("room:1"),
                                cases[i].before, cases[i].n));
        struct hub_event *event = probe_next(p, HUB_HISTORY);
        assert_int_equal(event->request, i);
        expect_messages(event, cases[i].lo, cases[i].hi);
        assert_int_equal(event->more, cases[i].more);
        hub_event_free(&event);
    }
}

static void slow_member_catches_up_in_steps(void **state)
{
    struct probe *p = probe_of(state);
    publish_many(p, "room:1", 40);
    struct hub_event *sub = probe_subscribe(p, 1, "room:1", "alice", "");
    uint64_t at = 5;
    bool more = true;
    while (more) {
        assert_true(hub_catch_up(p->hub, (struct hub_conn){ 0, 1 }, 1, SPAN("room:1"),
                                 span_text(sub->ep), at, 10));
        struct hub_event *event = probe_next(p, HUB_HISTORY);
        assert_int_equal(event->resume, HUB_RESUME_OK);
        expect_messages(event, at + 1, at + 10 > 40 ? 40 : at + 10);
        at += event->count;
        more = event->more;
        hub_event_free(&event);
    }
    assert_int_equal(at, 40);
    hub_event_free(&sub);
}

/* Whatever the moment of the subscription, history and live have no hole. */
static void history_then_live_has_no_hole(void **state)
{
    struct probe *p = probe_of(state);
    char cid[16];
    for (int i = 0; i < 300; i++) {
        snprintf(cid, sizeof(cid), "c-%d", i);
        probe_publish(p, (uint64_t)i, "room:1", "bob", cid);
        if (i % 100 == 37)
            assert_true(hub_subscribe(p->hub, &(struct hub_subscribe){ .conn = { 1, (uint64_t)i },
                                                                       .channel = SPAN("room:1"),
                                                                       .from = HUB_FROM_HISTORY,
                                                                       .history = 3 }));
    }
    uint64_t last = 0;
    while (last < 300) {
        struct hub_event *event = probe_next_within(p, PROBE_WAIT_S * 1000);
        assert_non_null(event);
        if (event->type == HUB_MESSAGE) {
            if (last != 0)
                assert_int_equal(event->seq, last + 1);
            last = event->seq;
        } else if (event->type == HUB_SUBSCRIBED) {
            if (event->count > 0)
                expect_messages(event, event->seq + 1 - event->count, event->seq);
            if (last != 0)
                assert_int_equal(event->seq, last);
            last = event->seq;
        }
        hub_event_free(&event);
    }
}

static void only_loops_with_members_hear(void **state)
{
    struct probe *p = probe_of(state);
    probe_join(p, 1, "room:1", "alice", "");
    probe_join(p, 2, "room:2", "alice", "");
    probe_publish(p, 1, "room:1", "bob", "c-1");
    struct hub_event *event = probe_next(p, HUB_MESSAGE);
    assert_int_equal(event->conn.loop, 0);
    hub_event_free(&event);
    hub_unsubscribe(p->hub, (struct hub_conn){ 0, 1 }, SPAN("room:1"));
    hub_disconnect(p->hub, (struct hub_conn){ 0, 2 }, HUB_LEFT_CLEAN);
    probe_publish(p, 2, "room:1", "bob", "c-2");
    probe_publish(p, 3, "room:2", "bob", "c-3");
    for (int acks = 0; acks < 3; hub_event_free(&event)) {
        event = probe_next_within(p, PROBE_WAIT_S * 1000);
        assert_non_null(event);
        assert_int_not_equal(event->type, HUB_MESSAGE);
        acks += event->type == HUB_ACK;
    }
}

static void ephemeral_is_not_stored(void **state)
{
    struct probe *p = probe_of(state);
    probe_join(p, 1, "room:1", "alice", "");
    assert_true(hub_ephemeral(p->hub, SPAN("room:1"), SPAN("{\"t\":\"eph\"}")));
    struct hub_event *event = probe_next(p, HUB_EPHEMERAL);
    assert_string_equal(event->text->bytes, "{\"t\":\"eph\"}");
    assert_int_equal(event->seq, 0);
    hub_event_free(&event);
}

static void expect_presence(struct probe *p, const char *part)
{
    struct hub_event *event = probe_next(p, HUB_PRESENCE);
    if (strstr(event->text->bytes, part) == NULL)
        fail_msg("expected %s in %s", part, event->text->bytes);
    json_decref(parse(event->text));
    hub_event_free(&event);
}

static void presence_counts_sessions_not_connections(void **state)
{
    struct probe *p = probe_of(state);
    probe_join(p, 1, "room:1", "watcher", "");
    probe_join(p, 2, "room:1", "bob", "s-1");
    expect_presence(p, "\"j\":{\"bob\":{\"n\":1}}");
    probe_join(p, 3, "room:1", "bob", "s-1"); /* moves to a new connection: no change */
    probe_join(p, 4, "room:1", "bob", "s-2");
    expect_presence(p, "\"c\":{\"bob\":{\"n\":2}}");
    struct hub_event *sub = probe_subscribe(p, 5, "room:1", "other", "");
    assert_non_null(strstr(sub->presence->bytes, "\"full\":true,\"u\":{\"bob\":{\"n\":2}}"));
    hub_event_free(&sub);
    hub_disconnect(p->hub, (struct hub_conn){ 0, 2 }, HUB_LEFT_CLEAN); /* conn 3 holds it */
    hub_disconnect(p->hub, (struct hub_conn){ 0, 4 }, HUB_LEFT_CLEAN);
    expect_presence(p, "\"c\":{\"bob\":{\"n\":1}}");
    hub_disconnect(p->hub, (struct hub_conn){ 0, 3 }, HUB_LEFT_CLEAN);
    expect_presence(p, "\"l\":[\"bob\"]");
}

static void return_within_grace_is_no_change(void **state)
{
    struct probe *p = probe_of(state);
    probe_join(p, 1, "room:1", "watcher", "");
    probe_join(p, 2, "room:1", "bob", "s-1");
    expect_presence(p, "\"j\":{\"bob\":{\"n\":1}}");
    hub_disconnect(p->hub, (struct hub_conn){ 0, 2 }, HUB_LEFT_LOST);
    usleep(100000);
    probe_join(p, 3, "room:1", "bob", "s-1");
    struct hub_event *event = probe_next_within(p, 500);
    assert_null(event);
    hub_disconnect(p->hub, (struct hub_conn){ 0, 3 }, HUB_LEFT_LOST);
    event = probe_next_within(p, 150);
    assert_null(event);
    expect_presence(p, "\"l\":[\"bob\"]");
    probe_join(p, 4, "room:1", "eve", "s-2");
    expect_presence(p, "\"j\":{\"eve\":{\"n\":1}}");
    hub_disconnect(p->hub, (struct hub_conn){ 0, 4 }, HUB_LEFT_GOING_AWAY);
    expect_presence(p, "\"l\":[\"eve\"]");
}

static void stop_answers_what_is_queued(void **state)
{
    struct probe *p = probe_of(state);
    for (uint64_t i = 0; i < 500; i++)
        probe_publish(p, i, "room:1", "bob", "");
    hub_stop(&p->hub);
    size_t acks = 0;
    for (struct hub_event *event = p->first; event != NULL; event = event->next)
        acks += event->type == HUB_ACK;
    assert_int_equal(acks, 500);
}

static void refuses_bad_options(void **state)
{
    static const struct {
        const char *engine, *node, *word;
    } cases[] = {
        { "memory", "", "node name" },
        { "memory", "a/b", "letters" },
        { "memory", "n123456789012345678901234567890123", "32" },
        { "redis", "n1", "no store \"redis\"" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hub_options options = probe_options(NULL, cases[i].node);
        char why[256] = "";
        options.engine = cases[i].engine;
        assert_null(hub_start(&options, why, sizeof(why)));
        assert_non_null(strstr(why, cases[i].word));
    }
}

#define ON_BOTH(test)                                                                              \
    { "memory: " #test, test, start_memory, stop, NULL },                                          \
    {                                                                                              \
        "sqlite: " #test, test, start_sqlite, stop, NULL                                           \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(message_is_one_shared_object),
        ON_BOTH(same_cid_is_one_message),
        ON_BOTH(resume_gives_all_or_says_gap),
        ON_BOTH(history_pages_backwards),
        ON_BOTH(slow_member_catches_up_in_steps),
        ON_BOTH(history_then_live_has_no_hole),
        ON_BOTH(only_loops_with_members_hear),
        ON_BOTH(ephemeral_is_not_stored),
        ON_BOTH(presence_counts_sessions_not_connections),
        ON_BOTH(return_within_grace_is_no_change),
        ON_BOTH(stop_answers_what_is_queued),
        cmocka_unit_test(refuses_bad_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
