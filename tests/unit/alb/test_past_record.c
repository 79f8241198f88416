/* test_past_record.c -- what was told of a tunnel, or of an upgrade that failed, is read again. */
#include "tunnel_fixture.h"

#include "base/record.h"

#include "alb/options.h"
#include "alb/past_record.h"
#include "alb/upgrade_case.h"

enum { TYPE = 9 };

static struct listener listener = { .name = (char *)(uintptr_t) "secure",
                                    .bind = (char *)(uintptr_t) "127.0.0.1:443",
                                    .protocol = PROTOCOL_HTTPS,
                                    .bound = { .len = sizeof(struct sockaddr_in) } };

static struct buf packed;
static struct target_key *key;

/* The one record that is in the buffer. */
static struct span told(void)
{
    struct span left = buf_data(&packed), value;
    uint16_t type;

    assert_true(record_next(&left, &type, &value));
    assert_int_equal(type, TYPE);
    assert_int_equal(left.len, 0);
    return value;
}

static int set_up(void **state)
{
    (void)state;
    buf_init(&packed, 1 << 20);
    key = fixture_key("app", "10.0.0.1:80");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_done(&packed);
    target_key_unref(&key);
    return 0;
}

static void check_names(const struct past_names *names)
{
    assert_true(span_equal(names->listener, SPAN("secure")));
    assert_true(span_equal(names->bind, SPAN("127.0.0.1:443")));
    assert_int_equal(names->protocol, PROTOCOL_HTTPS);
    assert_memory_equal(&names->bound, &listener.bound, sizeof(listener.bound));
    assert_true(span_equal(names->group, SPAN("app")));
    assert_true(span_equal(names->target, SPAN("10.0.0.1:80")));
}

/* --- tunnels ----------------------------------------------------------------------------- */

static struct tunnel_view full_view(void)
{
    struct tunnel_view v = fixture_view(key, 77);

    v.facts.listener = &listener;
    v.facts.from_ms = 123456789;
    v.pid = 4711;
    v.state = TUNNEL_HALF_CLOSED;
    v.end = TUNNEL_PONG_TARGET;
    v.is_over = true;
    for (uint32_t i = 0; i < TUNNEL_SIDES; i++) {
        v.from[i] = (struct tunnel_side){ .bytes = 1ull << (40 + i),
                                          .frames = { 1, 2, 3, 4, 5 + i },
                                          .idle_ms = 4000 + i,
                                          .rtt_ms = (uint16_t)(7 + i),
                                          .rtt_most_ms = (uint16_t)(9 + i),
                                          .close_code = (uint16_t)(1000 + i),
                                          .is_opaque = i == FROM_TARGET };
    }
    return v;
}

static void check_view(const struct tunnel_view *a, const struct tunnel_view *b)
{
    assert_memory_equal(a->facts.id, b->facts.id, sizeof(a->facts.id));
    assert_int_equal(a->facts.from_ms, b->facts.from_ms);
    assert_memory_equal(&a->facts.client, &b->facts.client, sizeof(a->facts.client));
    assert_int_equal(a->facts.port, b->facts.port);
    assert_int_equal(a->facts.rule, b->facts.rule);
    assert_int_equal(a->seen_us, b->seen_us);
    assert_int_equal(a->age_ms, b->age_ms);
    assert_int_equal(a->pid, b->pid);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->end, b->end);
    assert_int_equal(a->is_over, b->is_over);
    for (int i = 0; i < TUNNEL_SIDES; i++) {
        const struct tunnel_side *x = &a->from[i], *y = &b->from[i];
        assert_int_equal(x->bytes, y->bytes);
        assert_memory_equal(x->frames, y->frames, sizeof(x->frames));
        assert_int_equal(x->idle_ms, y->idle_ms);
        assert_int_equal(x->rtt_ms, y->rtt_ms);
        assert_int_equal(x->rtt_most_ms, y->rtt_most_ms);
        assert_int_equal(x->close_code, y->close_code);
        assert_int_equal(x->is_opaque, y->is_opaque);
    }
}

/* Its record, from the start of the buffer. */
static struct span told_of(const struct tunnel_view *v)
{
    buf_drop(&packed, buf_len(&packed));
    assert_true(past_put_view(&packed, TYPE, v));
    return told();
}

static void check_goes_and_comes(const struct tunnel_view *v)
{
    struct tunnel_view again;
    struct past_names names;

    assert_true(past_read_view(told_of(v), &again, &names));
    check_names(&names);
    check_view(v, &again);
}

static void test_a_tunnel_is_what_it_was(void **state)
{
    const struct tunnel_view v = full_view();

    (void)state;
    check_goes_and_comes(&v);
}

static void test_every_state_and_every_end_has_its_name(void **state)
{
    struct tunnel_view v = full_view();

    (void)state;
    for (int i = 0; i < TUNNEL_STATES; i++) {
        v.state = (uint8_t)i;
        check_goes_and_comes(&v);
    }
    for (int i = 0; i < TUNNEL_ENDS; i++) {
        v.end = (uint8_t)i;
        check_goes_and_comes(&v);
    }
}

/* Another version's word for something that is not known here. */
static void test_a_name_that_is_not_known_makes_no_sense(void **state)
{
    const struct tunnel_view v = full_view();
    const struct span bytes = told_of(&v);
    char *at = memmem(bytes.ptr, bytes.len, "half-closed", 11);
    struct past_names names;
    struct tunnel_view again;

    (void)state;
    assert_non_null(at);
    *at = 'H';
    assert_false(past_read_view(bytes, &again, &names));
    *at = 'h';
    assert_true(past_read_view(bytes, &again, &names));
}

static void test_no_part_of_a_record_is_one(void **state)
{
    const struct tunnel_view v = full_view();
    const struct span bytes = told_of(&v);
    struct past_names names;
    struct tunnel_view again;

    (void)state;
    for (size_t len = 0; len < bytes.len; len++) {
        /* Where a record within it ends, it is one that says less; the end is what comes last. */
        if (past_read_view(span_of(bytes.ptr, len), &again, &names))
            assert_int_equal(again.end, v.end);
    }
}

/* --- upgrades that failed ------------------------------------------------------------------- */

static struct upgrade_case *full_case(int failure)
{
    const struct upgrade_case facts = { .when_us = 1709251199123456,
                                        .id = { 5, 6 },
                                        .listener = &listener,
                                        .target = target_key_ref(key),
                                        .rule = -2,
                                        .client = { .family = 4, .bytes = { 10, 1, 2, 3 } },
                                        .port = 4711,
                                        .status = 502,
                                        .target_status = 200,
                                        .retry_after_s = 30,
                                        .failure = (uint8_t)failure,
                                        .behind_edge = true,
                                        .misses = (uint8_t)(failure % 3) };
    const struct upgrade_case_texts texts = {
        SPAN("chat.example"),
        SPAN("/ws/%41"),
        SPAN("app"),
        SPAN("the accept key is wrong"),
    };

    return upgrade_case_of(&facts, &texts);
}

static void check_same_json(const struct upgrade_case *a, const struct upgrade_case *b)
{
    struct buf one, two;

    buf_init(&one, 65536);
    buf_init(&two, 65536);
    assert_true(upgrade_case_put(&one, a));
    assert_true(upgrade_case_put(&two, b));
    assert_true(span_equal(buf_data(&one), buf_data(&two)));
    buf_done(&one);
    buf_done(&two);
}

static void test_a_failed_upgrade_is_what_it_was(void **state)
{
    struct past_names names;

    (void)state;
    for (int i = UPGRADE_FINE + 1; i < UPGRADE_FAILURES; i++) {
        struct upgrade_case *c = full_case(i);
        assert_true(past_put_case(&packed, TYPE, c));
        struct upgrade_case *again = past_read_case(told(), &names);
        assert_non_null(again);
        check_names(&names);
        again->listener = &listener;
        again->target = target_key_ref(key);
        check_same_json(c, again);
        assert_int_equal(again->retry_after_s, 30);
        assert_false(again->offers_protocol);
        assert_int_equal(again->misses, i % 3);
        upgrade_case_free(&c);
        upgrade_case_free(&again);
        buf_drop(&packed, buf_len(&packed));
    }
}

static void test_one_without_a_target_or_a_group(void **state)
{
    const struct upgrade_case facts = { .failure = UPGRADE_FIXED_RESPONSE, .listener = &listener };
    struct upgrade_case *c = upgrade_case_of(&facts, &(struct upgrade_case_texts){ SPAN("h") });
    struct past_names names;

    (void)state;
    assert_true(past_put_case(&packed, TYPE, c));
    struct upgrade_case *again = past_read_case(told(), &names);
    assert_int_equal(names.target.len, 0);
    again->listener = &listener;
    check_same_json(c, again);
    assert_null(again->detail);
    upgrade_case_free(&c);
    upgrade_case_free(&again);
}

static void test_no_part_of_a_failed_upgrade_is_one(void **state)
{
    struct upgrade_case *c = full_case(UPGRADE_FINE + 1);
    struct past_names names;

    (void)state;
    assert_true(past_put_case(&packed, TYPE, c));
    const struct span bytes = told();
    for (size_t len = 0; len < bytes.len; len++) {
        char *copy = malloc(len + 1);
        memcpy(copy + 1, bytes.ptr, len);
        struct upgrade_case *again = past_read_case(span_of(copy + 1, len), &names);
        assert_true(again == NULL || again->detail == NULL); /* that is what comes last */
        upgrade_case_free(&again);
        free(copy);
    }
    upgrade_case_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_tunnel_is_what_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_state_and_every_end_has_its_name, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_name_that_is_not_known_makes_no_sense, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_no_part_of_a_record_is_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_failed_upgrade_is_what_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_part_of_a_failed_upgrade_is_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_without_a_target_or_a_group, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
