/* Messages with descriptors: whole, in order, and nothing left open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/handover.h"

struct side {
    struct handover *h;
    int messages, ends;
    uint32_t type;
    size_t len, fd_count;
    uint64_t sum;
    int kept; /* the last descriptor of the message, taken */
    bool frees;
    const char *why;
};

static void on_message(void *user, struct handover_message *m)
{
    struct side *s = user;

    s->messages++;
    s->type = m->type;
    s->len = m->bytes.len;
    s->fd_count = m->fd_count;
    for (size_t i = 0; i < m->bytes.len; i++)
        s->sum = s->sum * 31 + (uint8_t)m->bytes.ptr[i];
    if (m->fd_count > 0 && s->kept == -1) {
        s->kept = m->fds[m->fd_count - 1];
        m->fds[m->fd_count - 1] = -1;
    }
    if (s->frees)
        handover_free(&s->h);
}

static void on_end(void *user, const char *why)
{
    struct side *s = user;

    s->ends++;
    s->why = why;
}

static int open_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

static struct ev_loop *loop;
static struct side a, b;
static int fds[2], before;

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    loop = ev_loop_new(EVBACKEND_EPOLL);
    before = open_fds();
    a = (struct side){ .kept = -1 };
    b = (struct side){ .kept = -1 };
    handover_pair(fds);
    a.h = handover_new(loop, fds[0], on_message, on_end, &a);
    b.h = handover_new(loop, fds[1], on_message, on_end, &b);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    handover_free(&a.h);
    handover_free(&b.h);
    if (b.kept != -1)
        close(b.kept);
    assert_int_equal(open_fds(), before);
    ev_loop_destroy(loop);
    return 0;
}

static void turn_until(const int *count, int wanted)
{
    for (int i = 0; i < 100000 && *count < wanted; i++)
        ev_run(loop, EVRUN_NOWAIT);
    assert_int_equal(*count, wanted);
}

static void test_bytes_and_descriptors_arrive_together(void **state)
{
    int pipes[2];
    (void)state;

    assert_int_equal(pipe(pipes), 0);
    handover_send(a.h, 5, SPAN("hello"), pipes, 2);
    close(pipes[0]); /* the message has its own */
    close(pipes[1]);
    handover_send(a.h, 6, SPAN(""), NULL, 0);
    turn_until(&b.messages, 2);
    assert_int_equal(b.type, 6);
    assert_int_equal(write(b.kept, "x", 1), -1); /* the reading end was not taken: closed */
}

static void test_long_messages_wait_for_room(void **state)
{
    enum { LEN = 5 * 1024 * 1024 };
    char *bytes = malloc(LEN);
    uint64_t sum = 0;
    (void)state;

    for (size_t i = 0; i < LEN; i++)
        bytes[i] = (char)(i * 7 + i / 1000);
    for (size_t i = 0; i < LEN; i++)
        sum = sum * 31 + (uint8_t)bytes[i];
    handover_send(a.h, 1, span_of(bytes, LEN), NULL, 0);
    assert_false(handover_is_flushed(a.h));
    turn_until(&b.messages, 1);
    assert_int_equal(b.len, LEN);
    assert_true(b.sum == sum);
    assert_true(handover_is_flushed(a.h));
    free(bytes);
}

static void test_the_most_descriptors(void **state)
{
    int many[HANDOVER_FDS_MAX];
    (void)state;

    for (size_t i = 0; i < HANDOVER_FDS_MAX; i++)
        many[i] = 0;
    for (int i = 1; i <= 20; i++) {
        handover_send(a.h, 1, SPAN("x"), many, HANDOVER_FDS_MAX);
        turn_until(&b.messages, i);
        assert_int_equal(b.fd_count, HANDOVER_FDS_MAX);
    }
    assert_true((fcntl(b.kept, F_GETFD) & FD_CLOEXEC) != 0);
}

static void test_a_byte_at_a_time(void **state)
{
    int raw[2];
    struct side c = { .kept = -1 };
    /* magic, type, descriptors, length, and "abc" */
    const uint32_t head[4] = { 0x506f7374, 9, 0, 3 };
    char whole[19];
    (void)state;

    memcpy(whole, head, 16);
    memcpy(whole + 16, "abc", 3);
    handover_pair(raw);
    c.h = handover_new(loop, raw[0], on_message, on_end, &c);
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(whole); i++) {
            assert_int_equal(c.messages, round);
            assert_int_equal(send(raw[1], whole + i, 1, 0), 1);
            ev_run(loop, EVRUN_NOWAIT);
        }
        assert_int_equal(c.messages, round + 1);
        assert_int_equal(c.type, 9);
        assert_int_equal(c.len, 3);
    }
    close(raw[1]);
    turn_until(&c.ends, 1);
    handover_free(&c.h);
}

static void test_what_makes_no_sense_is_the_end(void **state)
{
    const uint32_t bad[][4] = {
        { 0x506f7375, 1, 0, 0 },                      /* not the magic number */
        { 0x506f7374, 1, 0, HANDOVER_BYTES_MAX + 1 }, /* too long */
        { 0x506f7374, 1, 3, 0 },                      /* descriptors that did not come */
    };
    (void)state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct side c = { .kept = -1 };
        int raw[2];
        handover_pair(raw);
        c.h = handover_new(loop, raw[0], on_message, on_end, &c);
        assert_int_equal(send(raw[1], bad[i], 16, 0), 16);
        turn_until(&c.ends, 1);
        assert_int_equal(c.messages, 0);
        handover_free(&c.h);
        close(raw[1]);
    }
}

static void test_the_other_side_goes(void **state)
{
    (void)state;
    handover_send(a.h, 3, SPAN("last words"), NULL, 0);
    handover_free(&a.h);
    turn_until(&b.ends, 1);
    assert_int_equal(b.messages, 1);
    assert_non_null(b.why);
}

static void test_freed_by_its_own_message(void **state)
{
    (void)state;
    b.frees = true;
    handover_send(a.h, 1, SPAN("one"), NULL, 0);
    handover_send(a.h, 2, SPAN("two"), NULL, 0);
    turn_until(&b.messages, 1);
    assert_null(b.h);
    turn_until(&a.ends, 1);
}

static void test_an_end_is_seen_without_the_loop(void **state)
{
    (void)state;
    assert_false(handover_has_ended(a.h));
    handover_send(b.h, 1, SPAN("last words"), NULL, 0);
    handover_free(&b.h);
    assert_false(handover_has_ended(a.h)); /* there is something yet */
    ev_run(loop, EVRUN_ONCE);
    assert_int_equal(a.messages, 1);
    assert_true(handover_has_ended(a.h));
}

/* --- who goes without having read all (ECONNRESET) ------------------------------------------- */

enum { A_READY = 4, A_CALLING_OFF = 14 };

/* An upgrade is called off while the READY is on its way. */
static void test_what_came_before_a_reset_is_delivered(void **state)
{
    (void)state;
    handover_send(a.h, A_READY, SPAN("never read"), NULL, 0);
    handover_send(b.h, 1, SPAN("something"), NULL, 0);
    handover_send(b.h, A_CALLING_OFF, SPAN(""), NULL, 0);
    handover_free(&b.h);
    turn_until(&a.ends, 1);
    assert_int_equal(a.messages, 2);
    assert_int_equal(a.type, A_CALLING_OFF);
    assert_string_equal(a.why, "it has gone");
}

static void test_the_reset_itself_is_not_the_end_of_what_came(void **state)
{
    struct side c = { .kept = -1 };
    const uint32_t head[4] = { 0x506f7374, 9, 0, 3 };
    int raw[2];
    (void)state;

    handover_pair(raw);
    c.h = handover_new(loop, raw[0], on_message, on_end, &c);
    handover_send(c.h, 1, SPAN("never read"), NULL, 0);
    assert_int_equal(send(raw[1], head, 16, 0), 16);
    ev_run(loop, EVRUN_NOWAIT); /* the head of a message */
    assert_int_equal(c.messages, 0);
    assert_int_equal(send(raw[1], "abc", 3, 0), 3);
    close(raw[1]);
    turn_until(&c.ends, 1);
    assert_int_equal(c.messages, 1);
    assert_int_equal(c.len, 3);
    handover_free(&c.h);
}

static void test_a_reset_is_an_end_without_the_loop_too(void **state)
{
    (void)state;
    handover_send(a.h, 1, SPAN("never read"), NULL, 0);
    handover_free(&b.h);
    assert_true(handover_has_ended(a.h));
}

/* --- who takes nothing any more --------------------------------------------------------------- */

/* Nothing can be written, and what is there was not read yet. */
static void test_a_failed_write_reads_what_is_there_first(void **state)
{
    struct side c = { .kept = -1 };
    const uint32_t heads[2][4] = { { 0x506f7374, 9, 0, 0 }, { 0x506f7374, A_CALLING_OFF, 0, 0 } };
    int raw[2];
    (void)state;

    handover_pair(raw);
    c.h = handover_new(loop, raw[0], on_message, on_end, &c);
    assert_int_equal(send(raw[1], heads, sizeof(heads), 0), sizeof(heads));
    shutdown(raw[1], SHUT_RD);
    handover_send(c.h, A_READY, SPAN("to nobody"), NULL, 0);
    assert_false(handover_is_flushed(c.h));
    turn_until(&c.ends, 1);
    assert_int_equal(c.messages, 2);
    assert_int_equal(c.type, A_CALLING_OFF);
    assert_string_equal(c.why, "it takes no more messages");
    handover_free(&c.h);
    close(raw[1]);
}

/* The write that fails is one of a message that was begun. */
static void test_a_long_message_to_one_that_goes(void **state)
{
    enum { LEN = 1024 * 1024 };
    char *bytes = calloc(1, LEN);
    (void)state;

    handover_send(a.h, 1, span_of(bytes, LEN), NULL, 0);
    assert_false(handover_is_flushed(a.h));
    handover_send(b.h, A_CALLING_OFF, SPAN("last words"), NULL, 0);
    handover_free(&b.h);
    turn_until(&a.ends, 1);
    assert_int_equal(a.messages, 1);
    assert_int_equal(a.type, A_CALLING_OFF);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bytes_and_descriptors_arrive_together, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_long_messages_wait_for_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_most_descriptors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_byte_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_makes_no_sense_is_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_other_side_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_freed_by_its_own_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_end_is_seen_without_the_loop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_came_before_a_reset_is_delivered, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_reset_itself_is_not_the_end_of_what_came, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_reset_is_an_end_without_the_loop_too, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_failed_write_reads_what_is_there_first, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_long_message_to_one_that_goes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
