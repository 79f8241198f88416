/* TLS servers and handshakes: what is refused and why, slow and hostile peers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "net/tls.h"

#include "make_cert.h"
#include "tls_peer.h"

static char dir[] = "/tmp/postern-test-XXXXXX";
static struct cert cert, other;
static struct tls_server *server;
static char why[300];

static const char *path(const char *name)
{
    static char text[4][80];
    static int at;
    at = (at + 1) % 4;
    snprintf(text[at], sizeof(text[at]), "%s/%s", dir, name);
    return text[at];
}

static void make_pair(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
}

static const struct {
    const char *name, *certificate, *key, *why; /* why NULL: taken */
} servers[] = {
    { "both in one file", "both.pem", NULL, NULL },
    { "key first", "reversed.pem", "", NULL },
    { "two files", "cert.pem", "key.pem", NULL },
    { "expired", "expired.pem", NULL, NULL },
    { "no such file", "nothing.pem", NULL, "nothing.pem" },
    { "no certificate", "key.pem", NULL, "key.pem: no PEM certificate in it" },
    { "no key", "cert.pem", NULL, "cert.pem: no PEM private key in it" },
    { "another's key", "cert.pem", "other.pem", "the private key is not that of the first" },
    { "empty", "empty.pem", NULL, "empty.pem" },
    { "broken", "broken.pem", NULL, "broken.pem" },
};

static void test_server_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
        why[0] = '\0';
        const char *key = servers[i].key;
        const struct tls_cert_files files = { path(servers[i].certificate),
                                              key == NULL || key[0] == '\0' ? key : path(key) };
        const struct tls_server_options options = { .certs = &files, .cert_count = 1 };
        struct tls_server *t = tls_server_new(&options, why, sizeof(why));
        if ((t != NULL) != (servers[i].why == NULL))
            fail_msg("%s: %s", servers[i].name, why);
        if (t == NULL && strstr(why, servers[i].why) == NULL)
            fail_msg("%s: %s", servers[i].name, why);
        tls_server_unref(&t);
        assert_null(t);
    }
}

static void test_handshake(void **state)
{
    tls_peer_speak(*state);
    struct tls_peer peer;
    int fds[2];

    make_pair(fds);
    struct tls_session *s = tls_session_new(server, fds[0]);
    tls_peer_init(&peer, fds[1], "chat.example");
    assert_int_equal(tls_peer_meet(&peer, s), TLS_DONE);
    const bool is_1_3 = tls_peer_minor == 3;
    assert_string_equal(tls_session_version(s), is_1_3 ? "TLSv1.3" : "TLSv1.2");
    /* In 1.3 mbedTLS goes by the client's order. */
    assert_string_equal(tls_session_cipher(s),
                        is_1_3 ? "TLS_CHACHA20_POLY1305_SHA256" : "ECDHE-ECDSA-AES128-GCM-SHA256");
    assert_string_equal(tls_session_group(s), is_1_3 ? "x25519" : "secp256r1");
    assert_string_equal(tls_session_certificate(s), path("both.pem"));
    assert_string_equal(tls_session_sni(s), "chat.example");
    assert_string_equal(mbedtls_ssl_get_alpn_protocol(&peer.ssl), "http/1.1");
    assert_false(tls_session_resumed(s));
    assert_int_equal(tls_session_code(s), 0);
    assert_int_equal(tls_handshake(s), TLS_DONE); /* done stays done */
    tls_peer_done(&peer);
    tls_session_free(&s);
    assert_null(s);
    tls_session_free(&s);
    close(fds[0]);
    close(fds[1]);
}

static void test_byte_at_a_time(void **state)
{
    tls_peer_speak(*state);
    struct tls_peer peer;
    int fds[2];

    make_pair(fds);
    struct tls_session *s = tls_session_new(server, fds[0]);
    tls_peer_init(&peer, fds[1], NULL);
    peer.is_slow = true;
    assert_int_equal(tls_peer_meet(&peer, s), TLS_DONE);
    assert_string_equal(tls_session_sni(s), "");
    tls_peer_done(&peer);
    tls_session_free(&s);
    close(fds[0]);
    close(fds[1]);
}

/* What a peer sends as its server name can not forge a log line. */
static void test_odd_server_name(void **state)
{
    tls_peer_speak(*state);
    struct tls_peer peer;
    int fds[2];

    make_pair(fds);
    struct tls_session *s = tls_session_new(server, fds[0]);
    tls_peer_init(&peer, fds[1], "a b\nc\"d.example");
    assert_int_equal(tls_peer_meet(&peer, s), TLS_DONE);
    assert_string_equal(tls_session_sni(s), "a?b?c?d.example");
    tls_peer_done(&peer);
    tls_session_free(&s);
    close(fds[0]);
    close(fds[1]);
}

static void test_server_outlives_its_owner(void **state)
{
    tls_peer_speak(*state);
    struct tls_server *t = one_cert_server(path("both.pem"));
    struct tls_server *again = tls_server_ref(t);
    struct tls_peer peer;
    int fds[2];

    make_pair(fds);
    struct tls_session *s = tls_session_new(t, fds[0]);
    tls_server_unref(&t);
    tls_server_unref(&again);
    tls_peer_init(&peer, fds[1], NULL);
    assert_int_equal(tls_peer_meet(&peer, s), TLS_DONE);
    tls_peer_done(&peer);
    tls_session_free(&s);
    close(fds[0]);
    close(fds[1]);
}

static const struct {
    const char *name;
    struct span bytes;
    enum tls_step want;
} openings[] = {
    { "GET", SPAN_INIT("GET / HTTP/1.1\r\n\r\n"), TLS_PLAIN_HTTP },
    { "one letter", SPAN_INIT("P"), TLS_PLAIN_HTTP },
    { "zeros", SPAN_INIT("\0\0\0\0\0\0\0\0\0\0"), TLS_FAILED },
    { "high bytes", SPAN_INIT("\xff\xff\xff\xff\xff\xff\xff\xff"), TLS_FAILED },
    { "an alert", SPAN_INIT("\x15\x03\x03\x00\x02\x02\x28"), TLS_FAILED },
    { "a ClientHello of SSL 3.0",
      SPAN_INIT("\x16\x03\x00\x00\x2f\x01\x00\x00\x2b\x03\x00"
                "0123456789abcdef0123456789abcdef\0\0\x04\x00\x0a\x00\x05\x01\x00"),
      TLS_FAILED },
    { "part of a record", SPAN_INIT("\x16\x03\x01\x02\x00\x01"), TLS_WANT_READ },
    { "nothing", SPAN_INIT(""), TLS_WANT_READ },
};

static void test_openings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++) {
        char got[64];
        int fds[2];

        make_pair(fds);
        struct tls_session *s = tls_session_new(server, fds[0]);
        assert_int_equal(tls_handshake(s), TLS_WANT_READ);
        if (openings[i].bytes.len > 0)
            assert_int_equal(send(fds[1], openings[i].bytes.ptr, openings[i].bytes.len, 0),
                             openings[i].bytes.len);
        enum tls_step step = tls_handshake(s);
        if (step != openings[i].want)
            fail_msg("%s: %d %s", openings[i].name, step, tls_session_error(s));
        if (step == TLS_FAILED) {
            assert_int_not_equal(tls_session_code(s), 0);
            assert_true(strlen(tls_session_error(s)) > 5);
            assert_int_equal(tls_handshake(s), TLS_FAILED); /* failed stays failed */
        }
        if (step == TLS_PLAIN_HTTP) /* not a byte of it was eaten */
            assert_int_equal(recv(fds[0], got, sizeof(got), 0), openings[i].bytes.len);
        tls_session_free(&s);
        close(fds[0]);
        close(fds[1]);
    }
}

/* A flipped bit anywhere in the peer's first flight: an outcome, never a crash. */
static void test_damaged_hello(void **state)
{
    tls_peer_speak(*state);
    char hello[2048];
    struct tls_peer peer;
    int fds[2];

    make_pair(fds);
    tls_peer_init(&peer, fds[1], "chat.example");
    assert_true(tls_peer_handshake(&peer));
    ssize_t len = recv(fds[0], hello, sizeof(hello), 0);
    assert_true(len > 100);
    tls_peer_done(&peer);
    close(fds[0]);
    close(fds[1]);

    for (ssize_t i = 1; i < len; i++) {
        make_pair(fds);
        struct tls_session *s = tls_session_new(server, fds[0]);
        hello[i] = (char)(hello[i] ^ (1 << i % 8));
        assert_int_equal(send(fds[1], hello, (size_t)len, 0), len);
        hello[i] = (char)(hello[i] ^ (1 << i % 8));
        enum tls_step step = tls_handshake(s);
        assert_true(step == TLS_FAILED || step == TLS_WANT_READ);
        tls_session_free(&s);
        close(fds[0]);
        close(fds[1]);
    }
}

static void test_peer_hangs_up(void **state)
{
    (void)state;
    int fds[2];

    make_pair(fds);
    struct tls_session *s = tls_session_new(server, fds[0]);
    close(fds[1]);
    assert_int_equal(tls_handshake(s), TLS_FAILED);
    assert_string_equal(tls_session_error(s), "the peer hung up");
    tls_session_free(&s);
    close(fds[0]);
}

static void test_error_texts(void **state)
{
    (void)state;
    char out[64];
    assert_string_equal(tls_code_text(0, out), "no error");
    assert_string_equal(tls_code_text(ECONNRESET, out), "Connection reset by peer");
    assert_non_null(strstr(tls_code_text(MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE, out), "alert"));
    assert_true(tls_code_text(MBEDTLS_ERR_SSL_BAD_INPUT_DATA, out) != out);
    assert_string_equal(tls_code_text(-1234567, out), out);
}

static int setup(void **state)
{
    (void)state;
    struct cert old;
    FILE *log = tmpfile();

    assert_non_null(mkdtemp(dir));
    log_set_fd(fileno(log)); /* left open: the process ends with the tests */
    cert_make(&cert, "20200101000000", "20491231235959");
    cert_make(&other, "20200101000000", "20491231235959");
    cert_make(&old, "20200101000000", "20200102000000");
    cert_write(path("both.pem"), cert.chain, cert.key);
    cert_write(path("reversed.pem"), cert.key, cert.chain);
    cert_write(path("cert.pem"), cert.chain, "");
    cert_write(path("key.pem"), cert.key, "");
    cert_write(path("other.pem"), other.key, "");
    cert_write(path("expired.pem"), old.chain, old.key);
    cert_write(path("empty.pem"), "", "");
    cert.chain[200] = '!';
    cert_write(path("broken.pem"), cert.chain, cert.key);
    server = one_cert_server(path("both.pem"));
    return server == NULL;
}

static int teardown(void **state)
{
    static const char *const files[] = { "both.pem",  "reversed.pem", "cert.pem",  "key.pem",
                                         "other.pem", "expired.pem",  "empty.pem", "broken.pem" };
    (void)state;
    tls_server_unref(&server);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        unlink(path(files[i]));
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server_files),
        TLS_BOTH(test_handshake),
        TLS_BOTH(test_byte_at_a_time),
        TLS_BOTH(test_odd_server_name),
        TLS_BOTH(test_server_outlives_its_owner),
        cmocka_unit_test(test_openings),
        TLS_BOTH(test_damaged_hello),
        cmocka_unit_test(test_peer_hangs_up),
        cmocka_unit_test(test_error_texts),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
