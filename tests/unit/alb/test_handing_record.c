/* test_handing_record.c -- what one process tells the next is read as it was said; cut anywhere, it
 * is refused or says less; and what it says is within bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/record.h"

#include "alb/drain.h"
#include "alb/handing.h"
#include "alb/handing_record.h"
#include "alb/pace.h"

static struct buf packed;

static int set_up(void **state)
{
    (void)state;
    buf_init(&packed, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_done(&packed);
    return 0;
}

static struct addr addr_of(const char *text)
{
    struct addr addr = { .len = 0 };
    char why[200];

    assert_true(addr_parse(span_text(text), true, &addr, why, sizeof(why)));
    return addr;
}

/* One that is longer than any. */
static struct addr too_long(void)
{
    struct addr addr = addr_of("10.0.0.1:80");

    addr.len = sizeof(addr.un) + 1;
    return addr;
}

/* --- one of each ---------------------------------------------------------------------------- */

/* What a reader returns true for, as words; "-" when it refuses. */
typedef void words_of(struct span bytes, char *out, size_t size);

#define WORDS(...) snprintf(out, size, __VA_ARGS__)

static const char *text_of(const struct addr *a)
{
    static char texts[2][ADDR_TEXT_MAX];
    static int at;

    return addr_format(a, texts[at++ % 2]);
}

static void words_hello(struct span bytes, char *out, size_t size)
{
    struct handing_hello h;

    if (handing_read_hello(bytes, &h))
        WORDS("version=%d takes=%d pid=%d", (int)h.version, (int)h.takes, (int)h.pid);
}

static void words_unwanted(struct span bytes, char *out, size_t size)
{
    struct handing_unwanted u;

    if (handing_read_unwanted(bytes, &u))
        WORDS("bound=%s protocol=%d", text_of(&u.bound), (int)u.protocol);
}

static void words_listener(struct span bytes, char *out, size_t size)
{
    struct handing_listener l;

    if (handing_read_listener(bytes, &l))
        WORDS("name=%.*s bind=%.*s protocol=%d bound=%s sockets=%d", SPAN_ARGS(l.name),
              SPAN_ARGS(l.bind), (int)l.protocol, text_of(&l.bound), (int)l.sockets);
}

static void words_filter(struct span bytes, char *out, size_t size)
{
    struct handing_filter f;

    if (handing_read_filter(bytes, &f))
        WORDS("kind=%d version=%d first=%d", (int)f.kind, (int)f.version, (int)f.first);
}

static void words_target(struct span bytes, char *out, size_t size)
{
    struct handing_target t;

    if (handing_read_target(bytes, &t))
        WORDS("group=%.*s text=%.*s state=%d ramp=%d addr=%s delay=%d drained=%d,%d page=%d",
              SPAN_ARGS(t.group), SPAN_ARGS(t.text), (int)t.state, (int)t.ramp_began_ms,
              text_of(&t.addr), (int)t.delay_ms, t.is_drained, (int)t.drain_ms, (int)t.page);
}

static void words_client(struct span bytes, char *out, size_t size)
{
    struct handing_client c;

    if (handing_read_client(bytes, &c))
        WORDS("name=%.*s bind=%.*s bound=%s id=%d,%d accepted=%d peer=%s via=%d:%d vpce=%s",
              SPAN_ARGS(c.name), SPAN_ARGS(c.bind), text_of(&c.bound), (int)c.id[0], (int)c.id[1],
              (int)c.accepted_us, text_of(&c.peer), c.announced.via.family, c.announced.via_port,
              c.announced.endpoint_id);
}

static void words_process(struct span bytes, char *out, size_t size)
{
    struct handing_process p;

    if (handing_read_process(bytes, &p))
        WORDS("pid=%d left=%d connections=%d tunnels=%d", (int)p.pid, (int)p.left_us,
              (int)p.connections, (int)p.tunnels);
}

static void words_elsewhere(struct span bytes, char *out, size_t size)
{
    struct handing_elsewhere e;

    if (handing_read_elsewhere(bytes, &e))
        WORDS("group=%.*s text=%.*s outstanding=%d tunnels=%d untold=%d connections=%d",
              SPAN_ARGS(e.group), SPAN_ARGS(e.text), (int)e.outstanding, (int)e.tunnels,
              (int)e.untold, (int)e.connections);
}

static void words_subject(struct span bytes, char *out, size_t size)
{
    struct handing_subject s;

    if (handing_read_subject(bytes, &s))
        WORDS("group=%.*s text=%.*s", SPAN_ARGS(s.group), SPAN_ARGS(s.text));
}

static void words_drain(struct span bytes, char *out, size_t size)
{
    struct handing_drain d;
    struct handing_subject s;

    if (!handing_read_drain(bytes, &d))
        return;
    int n = WORDS("cause=%d delay=%d rate=%d order=%d cut=%d", (int)d.cause, (int)d.delay_ms,
                  (int)d.rate, (int)d.order, d.is_cut);
    while (handing_next_drained(&bytes, &s))
        n += snprintf(out + n, size - (size_t)n, " %.*s", SPAN_ARGS(s.text));
}

static void words_ask(struct span bytes, char *out, size_t size)
{
    struct handing_ask a;

    if (handing_read_ask(bytes, &a))
        WORDS("number=%d query=%.*s", (int)a.number, SPAN_ARGS(a.query));
}

static void words_listed(struct span bytes, char *out, size_t size)
{
    struct handing_listed l;

    if (handing_read_listed(bytes, &l))
        WORDS("number=%d seen=%d matched=%d missing=%d", (int)l.number, (int)l.seen, (int)l.matched,
              (int)l.missing);
}

static void words_door(struct span bytes, char *out, size_t size)
{
    struct addr bound;

    if (handing_read_door(bytes, &bound))
        WORDS("bound=%s", text_of(&bound));
}

/* --- how each is put ------------------------------------------------------------------------- */

static void put_hello(void)
{
    handing_put_hello(&packed, &(struct handing_hello){ 1, 6, 4711 });
}

static void put_hello_of_the_old_one(void)
{
    handing_put_hello(&packed, &(struct handing_hello){ 1, 10, 0 });
}

static void put_unwanted(void)
{
    handing_put_unwanted(&packed, &(struct handing_unwanted){ addr_of("[::1]:443"), 1 });
}

static void put_listener(void)
{
    handing_put_listener(&packed, &(struct handing_listener){ .name = SPAN("http"),
                                                              .bind = SPAN(":80"),
                                                              .protocol = 1,
                                                              .bound = addr_of("0.0.0.0:80"),
                                                              .sockets = 128 });
}

static void put_door(void)
{
    const struct addr bound = addr_of("127.0.0.1:9000");

    record_put(&packed, SOCKETS_ADMIN, span_of(&bound, sizeof(bound)));
}

static void put_target(void)
{
    handing_put_target(&packed, &(struct handing_target){ .group = SPAN("app"),
                                                          .text = SPAN("10.0.0.1:80"),
                                                          .state = 2,
                                                          .ramp_began_ms = 7,
                                                          .page = UINT64_MAX });
}

static void put_target_on_its_way_out(void)
{
    handing_put_target(&packed, &(struct handing_target){ .group = SPAN("app"),
                                                          .text = SPAN("10.0.0.1:80"),
                                                          .state = 4,
                                                          .addr = addr_of("10.0.0.1:80"),
                                                          .delay_ms = 5000,
                                                          .is_drained = true,
                                                          .drain_ms = 0,
                                                          .page = 3 });
}

static void put_client(void)
{
    handing_put_client(&packed, &(struct handing_client){ .name = SPAN("http"),
                                                          .bind = SPAN(":80"),
                                                          .bound = addr_of("0.0.0.0:80"),
                                                          .id = { 5, 6 },
                                                          .accepted_us = 7,
                                                          .peer = addr_of("10.9.9.9:4711") });
}

static void put_filter(void)
{
    handing_put_filter(&packed, &(struct handing_filter){ 1, 2, 3 });
}

static void put_announced_client(void)
{
    handing_put_client(&packed,
                       &(struct handing_client){ .name = SPAN("http"),
                                                 .bind = SPAN(":80"),
                                                 .bound = addr_of("0.0.0.0:80"),
                                                 .peer = addr_of("10.9.9.9:4711"),
                                                 .announced = { { 6, { 1 } }, 17, "vpce-1" } });
}

static void put_process(void)
{
    handing_put_process(&packed, &(struct handing_process){ 4711, 12, 3, 2 });
}

static void put_elsewhere(void)
{
    handing_put_elsewhere(
        &packed, &(struct handing_elsewhere){ SPAN("app"), SPAN("10.0.0.1:80"), 4, 3, 2, 1 });
}

static void put_subject(void)
{
    handing_put_subject(&packed, ORDER_UNDRAIN,
                        &(struct handing_subject){ SPAN("app"), SPAN("10.0.0.1:80") });
}

static void put_drain(void)
{
    handing_put_drain(&packed,
                      &(struct handing_drain){ DRAIN_UNHEALTHY, 9000, 50, DRAIN_IDLEST, 1 });
    handing_put_subject(&packed, DRAIN_TARGET,
                        &(struct handing_subject){ SPAN("app"), SPAN("a:1") });
    handing_put_subject(&packed, DRAIN_TARGET,
                        &(struct handing_subject){ SPAN("app"), SPAN("b:2") });
}

static void put_ask(void)
{
    handing_put_ask(&packed, &(struct handing_ask){ 17, SPAN("group=app") });
}

static void put_listed(void)
{
    handing_put_listed(&packed, &(struct handing_listed){ 17, 100, 20, 3 });
}

static const struct {
    void (*put)(void);
    words_of *words;
    uint16_t type; /* 0: its records are the message itself */
    const char *expected;
} kinds[] = {
    { put_hello, words_hello, 0, "version=1 takes=6 pid=4711" },
    { put_hello_of_the_old_one, words_hello, 0, "version=1 takes=10 pid=0" },
    { put_unwanted, words_unwanted, HELLO_UNWANTED, "bound=[::1]:443 protocol=1" },
    { put_listener, words_listener, SOCKETS_LISTENER,
      "name=http bind=:80 protocol=1 bound=0.0.0.0:80 sockets=128" },
    { put_door, words_door, SOCKETS_ADMIN, "bound=127.0.0.1:9000" },
    { put_filter, words_filter, STATE_FILTER, "kind=1 version=2 first=3" },
    { put_target, words_target, STATE_TARGET,
      "group=app text=10.0.0.1:80 state=2 ramp=7 addr=- delay=0 drained=0,0 page=-1" },
    { put_target_on_its_way_out, words_target, STATE_TARGET,
      "group=app text=10.0.0.1:80 state=4 ramp=0 addr=10.0.0.1:80 delay=5000 drained=1,0 page=3" },
    { put_client, words_client, MOVE_CLIENT,
      "name=http bind=:80 bound=0.0.0.0:80 id=5,6 accepted=7 peer=10.9.9.9:4711 via=0:0 vpce=" },
    { put_announced_client, words_client, MOVE_CLIENT,
      "name=http bind=:80 bound=0.0.0.0:80 id=0,0 accepted=0 peer=10.9.9.9:4711 via=6:17 "
      "vpce=vpce-1" },
    { put_process, words_process, REPORT_PROCESS, "pid=4711 left=12 connections=3 tunnels=2" },
    { put_elsewhere, words_elsewhere, REPORT_TARGET,
      "group=app text=10.0.0.1:80 outstanding=4 tunnels=3 untold=2 connections=1" },
    { put_subject, words_subject, ORDER_UNDRAIN, "group=app text=10.0.0.1:80" },
    { put_drain, words_drain, 0, "cause=2 delay=9000 rate=50 order=1 cut=1 a:1 b:2" },
    { put_ask, words_ask, 0, "number=17 query=group=app" },
    { put_listed, words_listed, 0, "number=17 seen=100 matched=20 missing=3" },
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]), WORDS_MAX = 512 };

/* What is in the buffer, of this kind. */
static struct span said(uint16_t type)
{
    struct span left = buf_data(&packed), value;
    uint16_t got;

    if (type == 0)
        return left;
    assert_true(record_next(&left, &got, &value));
    assert_int_equal(got, type);
    assert_int_equal(left.len, 0);
    return value;
}

static const char *read_as(words_of *words, struct span bytes)
{
    static char out[WORDS_MAX];

    strcpy(out, "-");
    words(bytes, out, sizeof(out));
    return out;
}

static void test_each_is_read_as_it_was_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        kinds[i].put();
        assert_string_equal(read_as(kinds[i].words, said(kinds[i].type)), kinds[i].expected);
        buf_drop(&packed, buf_len(&packed));
    }
}

/* Does a record of it end there? */
static bool is_boundary(struct span bytes, size_t at)
{
    struct span left = bytes, value;
    uint16_t type;

    while (bytes.len - left.len < at && record_next(&left, &type, &value))
        ;
    return bytes.len - left.len == at;
}

/* The bytes are copied so that one too many is seen by the sanitizer. */
static void test_no_part_of_one_is_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        kinds[i].put();
        const struct span bytes = said(kinds[i].type);
        for (size_t len = 0; len < bytes.len; len++) {
            char *copy = malloc(len + 1);
            memcpy(copy + 1, bytes.ptr, len);
            const char *words = read_as(kinds[i].words, span_of(copy + 1, len));
            assert_string_not_equal(words, kinds[i].expected);
            if (kinds[i].words == words_door || !is_boundary(bytes, len))
                assert_string_equal(words, "-");
            free(copy);
        }
        buf_drop(&packed, buf_len(&packed));
    }
}

/* A newer process may say more. */
static void test_what_is_not_known_is_skipped(void **state)
{
    struct buf more;
    (void)state;

    for (size_t i = 0; i < KINDS; i++) {
        if (kinds[i].words == words_door)
            continue;
        kinds[i].put();
        buf_init(&more, 1 << 16);
        record_put(&more, 60000, SPAN("a word of another version"));
        buf_put(&more, said(kinds[i].type));
        record_put(&more, 60001, SPAN(""));
        assert_string_equal(read_as(kinds[i].words, buf_data(&more)), kinds[i].expected);
        buf_done(&more);
        buf_drop(&packed, buf_len(&packed));
    }
}

/* --- bounds ---------------------------------------------------------------------------------- */

static void put_pid(void)
{
    handing_put_hello(&packed, &(struct handing_hello){ 1, 0, UINT64_MAX }); /* kill(-1) */
}

static void put_long_unwanted(void)
{
    handing_put_unwanted(&packed, &(struct handing_unwanted){ too_long(), 1 });
}

static void put_long_listener(void)
{
    handing_put_listener(&packed, &(struct handing_listener){ .name = SPAN("http"),
                                                              .bind = SPAN(":80"),
                                                              .bound = too_long() });
}

static void put_many_sockets(void)
{
    handing_put_listener(&packed, &(struct handing_listener){ .name = SPAN("http"),
                                                              .bind = SPAN(":80"),
                                                              .bound = addr_of("0.0.0.0:80"),
                                                              .sockets = 129 });
}

static void put_long_door(void)
{
    const struct addr bound = too_long();

    record_put(&packed, SOCKETS_ADMIN, span_of(&bound, sizeof(bound)));
}

static void put_long_target(void)
{
    handing_put_target(
        &packed,
        &(struct handing_target){ .group = SPAN("app"), .text = SPAN("a:1"), .addr = too_long() });
}

static void put_long_peer(void)
{
    handing_put_client(&packed, &(struct handing_client){ .name = SPAN("http"),
                                                          .bind = SPAN(":80"),
                                                          .bound = addr_of("0.0.0.0:80"),
                                                          .peer = too_long() });
}

/* It would be read beyond its end. */
static void put_endless_endpoint(void)
{
    struct handing_client c = { .name = SPAN_INIT("http"),
                                .bind = SPAN_INIT(":80"),
                                .bound = addr_of("0.0.0.0:80"),
                                .peer = addr_of("10.9.9.9:4711") };

    c.announced.via.family = 4;
    memset(c.announced.endpoint_id, 'a', sizeof(c.announced.endpoint_id));
    handing_put_client(&packed, &c);
}

static void put_no_family(void)
{
    handing_put_client(&packed, &(struct handing_client){ .name = SPAN("http"),
                                                          .bind = SPAN(":80"),
                                                          .bound = addr_of("0.0.0.0:80"),
                                                          .peer = addr_of("10.9.9.9:4711"),
                                                          .announced = { .via.family = 5 } });
}

static void put_process_pid(void)
{
    handing_put_process(&packed, &(struct handing_process){ .pid = UINT32_MAX });
}

static void put_shutdown(void)
{
    handing_put_drain(&packed, &(struct handing_drain){ .cause = DRAIN_SHUTDOWN });
}

static void put_rate(void)
{
    handing_put_drain(&packed, &(struct handing_drain){ .rate = PACE_RATE_MAX + 1 });
}

static void put_ask_of_nobody(void)
{
    handing_put_ask(&packed, &(struct handing_ask){ 0, SPAN("group=app") });
}

static void test_what_is_out_of_bounds_is_refused(void **state)
{
    const struct {
        void (*put)(void);
        words_of *words;
        uint16_t type;
    } rows[] = {
        { put_pid, words_hello, 0 },
        { put_long_unwanted, words_unwanted, HELLO_UNWANTED },
        { put_long_listener, words_listener, SOCKETS_LISTENER },
        { put_many_sockets, words_listener, SOCKETS_LISTENER },
        { put_long_door, words_door, SOCKETS_ADMIN },
        { put_long_target, words_target, STATE_TARGET },
        { put_long_peer, words_client, MOVE_CLIENT },
        { put_endless_endpoint, words_client, MOVE_CLIENT },
        { put_no_family, words_client, MOVE_CLIENT },
        { put_process_pid, words_process, REPORT_PROCESS },
        { put_shutdown, words_drain, 0 },
        { put_rate, words_drain, 0 },
        { put_ask_of_nobody, words_ask, 0 },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rows[i].put();
        assert_string_equal(read_as(rows[i].words, said(rows[i].type)), "-");
        buf_drop(&packed, buf_len(&packed));
    }
}

/* One that only another version knows. */
static void test_an_unknown_order_is_the_oldest_first(void **state)
{
    struct handing_drain d;
    (void)state;

    handing_put_drain(&packed, &(struct handing_drain){ .order = 77 });
    assert_true(handing_read_drain(buf_data(&packed), &d));
    assert_int_equal(d.order, DRAIN_OLDEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_is_read_as_it_was_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_part_of_one_is_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_not_known_is_skipped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_out_of_bounds_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_unknown_order_is_the_oldest_first, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
