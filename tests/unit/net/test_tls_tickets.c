/* Tickets: what resumes, for how long, and on which thread. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "net/tls.h"

#include "make_cert.h"
#include "tls_peer.h"

static char file[] = "/tmp/postern-test-XXXXXX";
static struct tls_server *server;

/* --- time, which mbedTLS asks for by these two ------------------------------------ */

static time_t later_s;

int clock_gettime(clockid_t clock, struct timespec *ts)
{
    const int rc = (int)syscall(SYS_clock_gettime, clock, ts);
    ts->tv_sec += later_s;
    return rc;
}

time_t time(time_t *out)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    if (out != NULL)
        *out = ts.tv_sec;
    return ts.tv_sec;
}

/* --- resumption ------------------------------------------------------------------- */

static void make_pair(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
}

/* One connection; `session` is resumed if it holds one, and then what came. */
static bool connect_and_resume(struct tls_server *to, mbedtls_ssl_session *session, bool has_one)
{
    struct tls_peer peer;
    int fds[2];

    make_pair(fds);
    struct tls_session *s = tls_session_new(to, fds[0]);
    tls_peer_init(&peer, fds[1], "chat.example");
    if (has_one)
        assert_int_equal(mbedtls_ssl_set_session(&peer.ssl, session), 0);
    assert_int_equal(tls_peer_meet(&peer, s), TLS_DONE);
    assert_string_equal(tls_session_sni(s), "chat.example");
    bool resumed = tls_session_resumed(s);
    assert_int_equal(tls_session_group(s)[0] == '\0', resumed && tls_peer_minor == 2);
    mbedtls_ssl_session_free(session);
    mbedtls_ssl_session_init(session);
    tls_peer_take_session(&peer, session);
    tls_peer_done(&peer);
    tls_session_free(&s);
    close(fds[0]);
    close(fds[1]);
    return resumed;
}

static void test_resumption(void **state)
{
    tls_peer_speak(*state);
    mbedtls_ssl_session session;
    struct tls_server *stranger = one_cert_server(file);

    mbedtls_ssl_session_init(&session);
    assert_false(connect_and_resume(server, &session, false));
    assert_true(connect_and_resume(server, &session, true));
    assert_false(connect_and_resume(stranger, &session, true)); /* other ticket keys */
    assert_true(connect_and_resume(stranger, &session, true));
    mbedtls_ssl_session_free(&session);
    tls_server_unref(&stranger);
}

/* RFC 8446 2.2: with psk_ke, who has the ticket's key reads what was recorded. */
static void test_no_resumption_without_forward_secrecy(void **state)
{
    tls_peer_speak(*state);
#ifdef MBEDTLS_SSL_PROTO_TLS1_3
    mbedtls_ssl_session session;
    struct tls_peer peer;
    int fds[2];

    mbedtls_ssl_session_init(&session);
    assert_false(connect_and_resume(server, &session, false));
    make_pair(fds);
    struct tls_session *s = tls_session_new(server, fds[0]);
    tls_peer_init(&peer, fds[1], "chat.example");
    mbedtls_ssl_conf_tls13_key_exchange_modes(&peer.conf, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK);
    assert_int_equal(mbedtls_ssl_set_session(&peer.ssl, &session), 0);
    assert_int_equal(tls_peer_meet(&peer, s), TLS_FAILED);
    mbedtls_ssl_session_free(&session);
    tls_peer_done(&peer);
    tls_session_free(&s);
    close(fds[0]);
    close(fds[1]);
#endif
}

/* When each ticket was made and when it is shown, in hours from the server's beginning; its
 * keys change after 24. */
static const struct {
    int made, shown;
    bool resumes;
} ages[] = {
    { 0, 0, true },   { 0, 23, true },   { 0, 25, false },  { 23, 25, true },
    { 25, 47, true }, { 25, 50, false }, { 0, 100, false },
};

static void test_tickets_outlive_their_key_but_not_a_day(void **state)
{
    tls_peer_speak(*state);
    for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
        mbedtls_ssl_session session;

        later_s = 0;
        struct tls_server *t = one_cert_server(file);
        mbedtls_ssl_session_init(&session);
        later_s = ages[i].made * 3600;
        assert_false(connect_and_resume(t, &session, false));
        later_s = ages[i].shown * 3600;
        if (connect_and_resume(t, &session, true) != ages[i].resumes)
            fail_msg("made at %d h, shown at %d h", ages[i].made, ages[i].shown);
        mbedtls_ssl_session_free(&session);
        tls_server_unref(&t);
    }
    later_s = 0;
}

/* A ticket begins with the name of its key; mbedTLS has no function for that. */
#ifndef MBEDTLS_PRIVATE
#define MBEDTLS_PRIVATE(member) member
#endif

struct made {
    mbedtls_ssl_session session;
    unsigned char key[4];
};

static void make_ticket(struct tls_server *t, int hour, struct made *made)
{
    later_s = hour * 3600;
    mbedtls_ssl_session_init(&made->session);
    assert_false(connect_and_resume(t, &made->session, false));
    assert_true(made->session.MBEDTLS_PRIVATE(ticket_len) > sizeof(made->key));
    memcpy(made->key, made->session.MBEDTLS_PRIVATE(ticket), sizeof(made->key));
}

static bool is_same_key(const struct made *a, const struct made *b)
{
    return memcmp(a->key, b->key, sizeof(a->key)) == 0;
}

/* A key makes tickets for a day and is known for one more. */
static void test_a_ticket_of_the_key_before_resumes_but_not_of_two_before(void **state)
{
    tls_peer_speak(*state);
    static const int hours[] = { 0, 23, 25, 48, 50, 73 }; /* of the keys 0, 0, 1, 1, 2, 2 */
    struct made made[6];

    later_s = 0;
    struct tls_server *t = one_cert_server(file);
    for (size_t i = 0; i < 6; i++) {
        make_ticket(t, hours[i], &made[i]);
        if (i > 0)
            assert_int_equal(is_same_key(&made[i - 1], &made[i]), i % 2 == 1);
        if (i == 2)
            assert_true(connect_and_resume(t, &made[1].session, true)); /* of the key before */
        if (i != 4)
            continue;
        assert_true(connect_and_resume(t, &made[3].session, true));
        assert_false(connect_and_resume(t, &made[0].session, true)); /* of two before */
    }
    for (size_t i = 0; i < 6; i++)
        mbedtls_ssl_session_free(&made[i].session);
    tls_server_unref(&t);
    later_s = 0;
}

/* A ticket that was renewed is good for no longer than the first. */
static void test_a_day_counts_from_the_whole_handshake(void **state)
{
    mbedtls_ssl_session session;
    (void)state;

    tls_peer_speak("2");
    later_s = 0;
    struct tls_server *t = one_cert_server(file);
    mbedtls_ssl_session_init(&session);
    assert_false(connect_and_resume(t, &session, false));
    later_s = 20 * 3600;
    assert_true(connect_and_resume(t, &session, true));
    later_s = 30 * 3600;
    assert_false(connect_and_resume(t, &session, true));
    mbedtls_ssl_session_free(&session);
    tls_server_unref(&t);
    later_s = 0;
}

/* --- what is no ticket of ours ------------------------------------------------------ */

static size_t ticket_length(void)
{
    struct made made;

    make_ticket(server, 0, &made);
    const size_t len = made.session.MBEDTLS_PRIVATE(ticket_len);
    mbedtls_ssl_session_free(&made.session);
    return len;
}

static void test_a_damaged_ticket_is_none(void **state)
{
    tls_peer_speak(*state);
    const size_t len = ticket_length();
    struct made made;

    for (size_t i = 0; i < len; i += i < 32 || i + 20 > len ? 1 : 11) {
        make_ticket(server, 0, &made);
        made.session.MBEDTLS_PRIVATE(ticket)[i] ^= 0x10;
        if (connect_and_resume(server, &made.session, true))
            fail_msg("byte %zu of %zu does not matter", i, len);
        mbedtls_ssl_session_free(&made.session);
    }
}

static void test_a_cut_ticket_is_none(void **state)
{
    tls_peer_speak(*state);
    const size_t len = ticket_length();
    struct made made;

    for (size_t cut = 1; cut < len; cut += 7) {
        make_ticket(server, 0, &made);
        made.session.MBEDTLS_PRIVATE(ticket_len) = len - cut;
        assert_false(connect_and_resume(server, &made.session, true));
        mbedtls_ssl_session_free(&made.session);
    }
}

/* --- from one process to the next --------------------------------------------------- */

static struct tls_server *follow(struct tls_server *before, const char *path, bool takes)
{
    uint8_t saved[TLS_SERVER_SAVED];
    struct tls_server *t = one_cert_server(path);

    assert_true(tls_server_save_tickets(before, saved));
    assert_int_equal(tls_server_load_tickets(t, span_of(saved, sizeof(saved))), takes);
    return t;
}

static void test_a_server_goes_on_with_the_keys_of_one_that_is_the_same(void **state)
{
    tls_peer_speak(*state);
    mbedtls_ssl_session session;

    mbedtls_ssl_session_init(&session);
    assert_false(connect_and_resume(server, &session, false));
    struct tls_server *next = follow(server, file, true);
    assert_true(connect_and_resume(next, &session, true));
    assert_true(connect_and_resume(server, &session, true)); /* and back */
    mbedtls_ssl_session_free(&session);
    tls_server_unref(&next);
}

static void test_the_key_before_and_the_age_go_along(void **state)
{
    tls_peer_speak(*state);
    static const int hours[] = { 23, 25 };
    struct made made[2], later;

    later_s = 0;
    struct tls_server *t = one_cert_server(file);
    for (size_t i = 0; i < 2; i++)
        make_ticket(t, hours[i], &made[i]);
    struct tls_server *next = follow(t, file, true);
    assert_true(connect_and_resume(next, &made[0].session, true));
    assert_true(connect_and_resume(next, &made[1].session, true));
    make_ticket(next, 48, &later);
    assert_true(is_same_key(&made[1], &later));
    mbedtls_ssl_session_free(&later.session);
    make_ticket(next, 50, &later);
    assert_false(is_same_key(&made[1], &later));
    mbedtls_ssl_session_free(&later.session);
    for (size_t i = 0; i < 2; i++)
        mbedtls_ssl_session_free(&made[i].session);
    tls_server_unref(&next);
    tls_server_unref(&t);
    later_s = 0;
}

/* As with a reload: what has changed makes the handshake a whole one. */
static void test_keys_are_for_the_same_server_only(void **state)
{
    char other[] = "/tmp/postern-test-XXXXXX";
    uint8_t saved[TLS_SERVER_SAVED];
    (void)state;

    cert_make_file(other);
    struct tls_server *next = follow(server, other, false);
    assert_true(tls_server_save_tickets(server, saved));
    for (size_t len = 0; len < sizeof(saved); len++)
        assert_false(tls_server_load_tickets(server, span_of(saved, len)));
    tls_server_unref(&next);
    unlink(other);
}

/* --- threads ------------------------------------------------------------------------ */

static void *handshake_some(void *arg)
{
    mbedtls_ssl_session session;
    size_t *resumed = arg;

    mbedtls_ssl_session_init(&session);
    for (int i = 0; i < 6; i++)
        *resumed += connect_and_resume(server, &session, i > 0);
    mbedtls_ssl_session_free(&session);
    return NULL;
}

/* One server object, its key and its tickets, on several threads at once. */
static void test_threads_share_a_server(void **state)
{
    tls_peer_speak(*state);
    pthread_t threads[3];
    size_t resumed[3] = { 0 };

    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, handshake_some, &resumed[i]), 0);
    for (size_t i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(resumed[i], 5);
    }
}

static int setup(void **state)
{
    (void)state;
    cert_make_file(file);
    server = one_cert_server(file);
    return server == NULL;
}

static int teardown(void **state)
{
    (void)state;
    tls_server_unref(&server);
    return unlink(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TLS_BOTH(test_resumption),
        { "test_no_resumption_without_forward_secrecy TLS 1.3",
          test_no_resumption_without_forward_secrecy, NULL, NULL, "3" },
        TLS_BOTH(test_tickets_outlive_their_key_but_not_a_day),
        TLS_BOTH(test_a_ticket_of_the_key_before_resumes_but_not_of_two_before),
        cmocka_unit_test(test_a_day_counts_from_the_whole_handshake),
        TLS_BOTH(test_a_damaged_ticket_is_none),
        TLS_BOTH(test_a_cut_ticket_is_none),
        TLS_BOTH(test_a_server_goes_on_with_the_keys_of_one_that_is_the_same),
        TLS_BOTH(test_the_key_before_and_the_age_go_along),
        cmocka_unit_test(test_keys_are_for_the_same_server_only),
        TLS_BOTH(test_threads_share_a_server),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
