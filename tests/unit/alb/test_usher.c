/* test_usher.c -- connections that begin with a head of the PROXY protocol, over pairs of sockets:
 * who comes in as whom, with which bytes left, and that each is handed over or ended once. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"

#include "alb/usher.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { TIMEOUT_MS = 1000, GUESTS = 3 };

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V1 "PROXY TCP4 192.0.2.1 10.0.0.5 56324 443\r\n"
#define V2 SIGNATURE "\x21\x11\0\x0c\xc0\0\2\1\x0a\0\0\5\xdc\x04\x01\xbb"
#define V2_ENDPOINT SIGNATURE "\x21\x11\0\x16\xc0\0\2\1\x0a\0\0\5\xdc\x04\x01\xbb\xea\0\7\1vpce-1"
#define LOCAL SIGNATURE "\x20\0\0\0"
#define REST "GET / HTTP/1.1\r\n"

static struct loop loop;
static struct usher usher;
static struct addr peer;
static uint64_t now_ms;

/* What was told last, of those that came in or did not. */
static struct usher_result told;
static int in, out;

static void on_done(void *user, struct usher_result *result)
{
    assert_ptr_equal(user, &usher);
    told = *result;
    ++*(result->why == NULL ? &in : &out);
}

static int set_up(void **state)
{
    char why[200];

    (void)state;
    in = out = 0;
    clock_fix(now_ms = 5000, 1);
    loop_init(&loop, -1, 4, NULL);
    usher_init(&usher, &loop, on_done, &usher);
    assert_true(addr_parse(SPAN("10.0.1.37:40000"), false, &peer, why, sizeof(why)));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    usher_done(&usher);
    usher_done(&usher);
    loop_done(&loop);
    clock_run();
    return 0;
}

/* The guest's own end of a connection that has just been accepted with these bytes in it. */
static int arrive(struct span bytes, void *tag)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    assert_int_equal(send(pair[1], bytes.ptr, bytes.len, 0), bytes.len);
    usher_begin(&usher, pair[0], &peer, TIMEOUT_MS, tag);
    return pair[1];
}

static void turn(void)
{
    ev_run(loop.ev, EVRUN_NOWAIT);
}

static void say(int fd, struct span bytes)
{
    assert_int_equal(send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL), bytes.len);
    turn();
}

static bool is_closed(int fd)
{
    char byte;

    return recv(fd, &byte, 1, 0) == 0;
}

/* --- who comes in ------------------------------------------------------------------------- */

static const struct {
    const char *name;
    struct span head;
    const char *client, *via, *endpoint; /* via "": nobody was announced */
} good[] = {
    { "version 1", SPAN_INIT(V1), "192.0.2.1:56324", "10.0.1.37", "" },
    { "version 2", SPAN_INIT(V2), "192.0.2.1:56324", "10.0.1.37", "" },
    { "an endpoint", SPAN_INIT(V2_ENDPOINT), "192.0.2.1:56324", "10.0.1.37", "vpce-1" },
    { "UNKNOWN", SPAN_INIT("PROXY UNKNOWN\r\n"), "10.0.1.37:40000", "", "" },
    { "LOCAL", SPAN_INIT(LOCAL), "10.0.1.37:40000", "", "" },
};

static void check_told(size_t row, void *tag)
{
    char text[ADDR_TEXT_MAX], via[IP_TEXT_MAX] = "";

    assert_ptr_equal(told.tag, tag);
    assert_true(addr_equal(&told.peer, &peer));
    assert_string_equal(addr_format(&told.client, text), good[row].client);
    if (told.announced.via.family != 0)
        ip_format(&told.announced.via, via);
    assert_string_equal(via, good[row].via);
    assert_int_equal(told.announced.via_port, via[0] == '\0' ? 0 : 40000);
    assert_string_equal(told.announced.endpoint_id, good[row].endpoint);
}

static void check_rest(struct span want)
{
    char got[64];

    assert_int_equal(recv(told.fd, got, sizeof(got), 0), want.len);
    assert_memory_equal(got, want.ptr, want.len);
}

static void test_at_once_with_bytes_behind_it(void **state)
{
    char bytes[256];
    (void)state;

    for (size_t row = 0; row < COUNT(good); row++) {
        const struct span head = good[row].head;
        memcpy(bytes, head.ptr, head.len);
        memcpy(bytes + head.len, REST, sizeof(REST) - 1);
        const int fd = arrive(span_of(bytes, head.len + sizeof(REST) - 1), &bytes[row]);
        assert_int_equal(in, row + 1);
        check_told(row, &bytes[row]);
        check_rest(SPAN(REST));
        close(told.fd);
        close(fd);
    }
    assert_int_equal(out, 0);
}

static void test_a_byte_at_a_time(void **state)
{
    (void)state;
    for (size_t row = 0; row < COUNT(good); row++) {
        const struct span head = good[row].head;
        const int fd = arrive(SPAN(""), NULL);
        for (size_t i = 0; i < head.len; i++) {
            assert_int_equal(in, row);
            say(fd, span_of(head.ptr + i, 1));
        }
        assert_int_equal(in, row + 1);
        check_told(row, NULL);
        assert_int_equal(send(fd, REST, sizeof(REST) - 1, 0), sizeof(REST) - 1);
        check_rest(SPAN(REST));
        close(told.fd);
        close(fd);
    }
}

static void test_one_with_its_half_closed_comes_in(void **state)
{
    const int fd = arrive(SPAN(""), NULL);
    (void)state;

    assert_int_equal(send(fd, V1 REST, sizeof(V1 REST) - 1, 0), sizeof(V1 REST) - 1);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    turn();
    assert_int_equal(in, 1);
    check_rest(SPAN(REST));
    close(told.fd);
    close(fd);
}

/* --- who does not ---------------------------------------------------------------------------- */

static const struct {
    const char *name;
    struct span bytes;
    bool closes; /* then */
    const char *why;
    bool is_silent;
} bad[] = {
    { "a request", SPAN_INIT(REST), false, "*does not begin with a head*", false },
    { "TLS", SPAN_INIT("\x16\x03\x01\2\0\1"), false, "*does not begin with a head*", false },
    { "a bad version 1", SPAN_INIT("PROXY TCP4 192.0.2.1 10.0.0.5 1 65536\r\n"), false,
      "*does not end with two ports*", false },
    { "a bad version 2", SPAN_INIT(SIGNATURE "\x31\x11\0\0"), false,
      "*a version that there is not*", false },
    { "a probe of the port", SPAN_INIT(""), true, "it closed before the PROXY head was whole",
      true },
    { "half a head", SPAN_INIT("PROXY TCP4 "), true, "it closed before the PROXY head was whole",
      false },
};

static void check_bad(size_t row, size_t piece)
{
    const struct span bytes = bad[row].bytes;
    const int before = out, fd = arrive(SPAN(""), NULL);

    for (size_t at = 0; at < bytes.len && out == before; at += piece)
        say(fd, span_of(bytes.ptr + at, piece));
    assert_int_equal(out, before + !bad[row].closes);
    if (bad[row].closes)
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
    turn();
    assert_int_equal(out, before + 1);
    if (!text_wildcard(span_text(bad[row].why), span_text(told.why), false))
        fail_msg("%s: %s", bad[row].name, told.why);
    assert_int_equal(told.is_silent, bad[row].is_silent);
    assert_true(addr_equal(&told.client, &peer) && told.announced.via.family == 0);
    close(fd);
}

static void test_bad_ones(void **state)
{
    (void)state;
    for (size_t row = 0; row < COUNT(bad); row++) {
        check_bad(row, 1);
        if (bad[row].bytes.len > 1)
            check_bad(row, bad[row].bytes.len);
    }
    assert_int_equal(in, 0);
    assert_true(list_is_empty(&usher.waiting));
}

static void pass(uint64_t ms)
{
    for (const uint64_t end = now_ms + ms; now_ms < end;) {
        clock_fix(now_ms += WHEEL_TICK_MS, 1);
        ev_timer_stop(loop.ev, &loop.wheel.tick);
        ev_invoke(loop.ev, &loop.wheel.tick, EV_TIMER);
    }
}

static void test_late_ones(void **state)
{
    const int torn = arrive(SPAN("PROXY "), &in), silent = arrive(SPAN(""), &out);
    (void)state;

    pass(TIMEOUT_MS / 2);
    say(torn, SPAN("TCP4 ")); /* more of it is no more time */
    assert_int_equal(out, 0);
    pass(TIMEOUT_MS / 2 + 2 * WHEEL_TICK_MS);
    assert_int_equal(out, 2);
    assert_string_equal(told.why, "the PROXY head did not come in time");
    assert_int_equal(told.is_silent, told.tag == &out);
    assert_true(is_closed(torn) || errno == ECONNRESET);
    assert_true(is_closed(silent));
    close(torn);
    close(silent);
}

static void test_all_are_sent_away(void **state)
{
    static const struct span words[GUESTS] = { SPAN_INIT(""), SPAN_INIT("PROXY "),
                                               SPAN_INIT(SIGNATURE) };
    int fds[GUESTS];
    (void)state;

    for (int i = 0; i < GUESTS; i++)
        fds[i] = arrive(words[i], NULL);
    usher_send_away(&usher);
    assert_int_equal(out, GUESTS);
    assert_string_equal(told.why, "shutting down");
    for (int i = 0; i < GUESTS; i++) {
        assert_true(is_closed(fds[i]));
        close(fds[i]);
    }
    turn();
    assert_int_equal(in + out, GUESTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_at_once_with_bytes_behind_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_byte_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_with_its_half_closed_comes_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_late_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_are_sent_away, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
