/* test_tunnel_record.c -- a live tunnel on its way to another process: what is known of it, what
 * waits, and in the middle of which frame it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/record.h"

#include "alb/access_log.h"
#include "alb/balancer.h"
#include "alb/target.h"
#include "alb/tunnel_private.h"
#include "alb/tunnel_record.h"

static struct listener listener = { .name = (char *)(uintptr_t) "http",
                                    .bind = (char *)(uintptr_t) "127.0.0.1:80" };
static struct registry registry;
static struct buf packed;

static struct addr addr_of(const char *text)
{
    struct addr addr = { .len = 0 };
    char why[200];

    assert_true(addr_parse(span_text(text), true, &addr, why, sizeof(why)));
    return addr;
}

/* As whoever unpacks a tunnel gives it. */
static struct target *a_target(void)
{
    const struct addr addr = addr_of("10.0.0.9:80");
    struct target *t = registry_target(&registry, "app", "10.0.0.9:80", &addr);

    atomic_fetch_add(&t->outstanding, 1);
    metric_add(&t->counters.connections_open, 1);
    return target_ref(t);
}

static void give_back(struct target *t)
{
    metric_sub(&t->counters.connections_open, 1);
    target_release(t);
    target_unref(&t);
}

/* Each number of a leg is another one. */
static void fill_leg(struct leg *leg, int n, const char *pending)
{
    stream_init(&leg->stream, -1, NULL);
    ws_tracker_init(&leg->tracker);
    memset(&leg->counts, n, sizeof(leg->counts));
    leg->bytes = (uint64_t)n << 40;
    leg->last_ms = (uint32_t)n + 1;
    leg->rtt_ms = (uint16_t)(n + 2);
    leg->rtt_most_ms = (uint16_t)(n + 3);
    leg->pinged_ms = (uint32_t)n + 4;
    leg->ping = PING_OUT | PING_HEARD;
    if (pending == NULL)
        return;
    leg->pending = mem_new(struct buf);
    buf_init(leg->pending, 4096);
    buf_put(leg->pending, span_text(pending));
}

static struct access_entry *an_entry(struct target *target)
{
    static const struct access_client client = { .ip = { .family = 4 }, .port = 4711 };
    const struct span texts[ACCESS_TEXTS] = {
        [ACCESS_METHOD] = SPAN("GET"), [ACCESS_TARGET] = SPAN("/ws")
    };
    struct access_entry *e =
        access_entry_of(&(struct access_entry){ .client = &client, .elb_status = 101 }, texts);

    e->target = target_ref(target);
    return e;
}

static struct tunnel *a_tunnel(bool has_entry)
{
    const struct tunnel_facts facts = { .id = { 5, 6 },
                                        .from_ms = 123456789,
                                        .listener = &listener,
                                        .client = { .family = 4, .bytes = { 10, 1, 2, 3 } },
                                        .port = 4711,
                                        .rule = 7 };
    struct tunnel *t = tunnel_new(NULL, &facts);

    t->target = a_target();
    fill_leg(&t->client, 10, "waits for the client");
    fill_leg(&t->target_leg, 20, NULL);
    t->entry = has_entry ? an_entry(t->target) : NULL;
    return t;
}

static void pack(bool has_entry)
{
    struct tunnel *t = a_tunnel(has_entry);
    int fds[2];

    assert_true(tunnel_pack(t, &packed, fds));
    assert_int_equal(fds[0], -1);
    tunnel_discard(t);
}

/* NULL, and the target is given back. */
static struct tunnel *unpack(struct span bytes)
{
    struct target *target = a_target();
    struct tunnel *t = tunnel_unpack(bytes, -1, -1, target, &listener);

    if (t == NULL)
        give_back(target);
    return t;
}

static int set_up(void **state)
{
    (void)state;
    buf_init(&packed, 1 << 22);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_done(&packed);
    return 0;
}

static void check_leg(const struct leg *a, int n)
{
    assert_true(a->bytes == (uint64_t)n << 40);
    assert_int_equal(a->last_ms, n + 1);
    assert_int_equal(a->rtt_ms, n + 2);
    assert_int_equal(a->rtt_most_ms, n + 3);
    assert_int_equal(a->pinged_ms, n + 4);
    assert_int_equal(a->ping, PING_OUT | PING_HEARD);
}

static void test_a_tunnel_is_what_it_was(void **state)
{
    (void)state;
    pack(true);
    struct tunnel *t = unpack(buf_data(&packed));
    assert_non_null(t);
    const struct tunnel_facts f = tunnel_facts(t);
    assert_int_equal(f.id[0], 5);
    assert_int_equal(f.id[1], 6);
    assert_true(f.from_ms == 123456789);
    assert_int_equal(f.port, 4711);
    assert_int_equal(f.rule, 7);
    check_leg(&t->client, 10);
    check_leg(&t->target_leg, 20);
    assert_true(span_equal(buf_data(t->client.pending), SPAN("waits for the client")));
    assert_null(t->target_leg.pending);
    assert_int_equal(t->entry->elb_status, 101);
    assert_true(span_equal(t->entry->text[ACCESS_TARGET], SPAN("/ws")));
    tunnel_discard(t);
}

static void test_whom_it_belongs_to(void **state)
{
    const struct addr target = addr_of("10.0.0.9:80");
    struct tunnel_origin from;
    (void)state;

    pack(false);
    assert_true(tunnel_read_origin(buf_data(&packed), &from));
    assert_string_equal(from.group, "app");
    assert_string_equal(from.target, "10.0.0.9:80");
    assert_string_equal(from.listener, "http");
    assert_string_equal(from.bind, "127.0.0.1:80");
    assert_true(addr_equal(&from.addr, &target));
    tunnel_origin_done(&from);
}

static void test_one_without_an_entry(void **state)
{
    (void)state;
    pack(false);
    struct tunnel *t = unpack(buf_data(&packed));
    assert_null(t->entry);
    tunnel_discard(t);
}

/* Where a record within it ends, it says less: no entry. */
static void test_no_part_of_one_is_one(void **state)
{
    (void)state;
    pack(true);
    const struct span bytes = buf_data(&packed);
    for (size_t len = 0; len < bytes.len; len++) {
        char *copy = malloc(len + 1);
        struct tunnel_origin from;
        memcpy(copy + 1, bytes.ptr, len);
        struct tunnel *t = unpack(span_of(copy + 1, len));
        assert_true(t == NULL || t->entry == NULL);
        if (t != NULL)
            tunnel_discard(t);
        if (tunnel_read_origin(span_of(copy + 1, len), &from))
            tunnel_origin_done(&from);
        free(copy);
    }
}

/* Nothing of the references is left over by any of it. */
static void test_nothing_is_outstanding_afterwards(void **state)
{
    struct target *t = a_target();
    (void)state;

    assert_int_equal(target_outstanding(t), 1);
    assert_int_equal(metric_get(&t->counters.connections_open), 1);
    give_back(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_tunnel_is_what_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_whom_it_belongs_to, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_without_an_entry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_part_of_one_is_one, set_up, tear_down),
        cmocka_unit_test(test_nothing_is_outstanding_afterwards),
    };

    listener.bound = addr_of("127.0.0.1:80");
    listener_take_number(&listener);
    registry_init(&registry);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
