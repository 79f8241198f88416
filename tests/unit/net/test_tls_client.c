/* Our side of TLS: what is verified and what it says, what is remembered, odd servers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "net/stream.h"
#include "net/tls_client.h"

#include "make_cert.h"

static char dir[] = "/tmp/postern-test-XXXXXX";
static char why[300];

static const char *path(const char *name)
{
    static char text[4][80];
    static int at;
    at = (at + 1) % 4;
    snprintf(text[at], sizeof(text[at]), "%s/%s", dir, name);
    return text[at];
}

static struct tls_server *serve(const char *file)
{
    struct tls_server *t = one_cert_server(path(file));
    if (t == NULL)
        fail_msg("%s", why);
    return t;
}

/* `ca` NULL: verify nothing. */
static struct tls_client *demand(const char *ca, const char *server_name)
{
    const struct tls_client_options o = { .verify = ca != NULL,
                                          .ca_file = ca == NULL ? "" : path(ca),
                                          .server_name = server_name };
    struct tls_client *c = tls_client_new(&o, why, sizeof(why));
    if (c == NULL)
        fail_msg("%s", why);
    return c;
}

/* Two ends of a connection. */
struct pair {
    struct tls_session *server, *client;
    int fds[2];
};

static void pair_open(struct pair *p, struct tls_server *server, struct tls_client *client,
                      struct tls_resume *resume, const char *name)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fds), 0);
    p->server = tls_session_new(server, p->fds[0]);
    tls_resume_set_name(resume, name);
    p->client = tls_client_session(client, resume, p->fds[1]);
}

static bool is_waiting(enum tls_step step)
{
    return step == TLS_WANT_READ || step == TLS_WANT_WRITE;
}

/* Until the client has an outcome, and the server has seen it. */
static enum tls_step pair_meet(struct pair *p)
{
    enum tls_step ours = TLS_WANT_READ, theirs = TLS_WANT_READ;

    for (int i = 0; i < 100 && (is_waiting(ours) || is_waiting(theirs)); i++) {
        if (is_waiting(ours))
            ours = tls_handshake(p->client);
        if (is_waiting(theirs))
            theirs = tls_handshake(p->server);
        if (ours == TLS_FAILED)
            break;
    }
    return ours;
}

static void pair_close(struct pair *p)
{
    tls_session_free(&p->server);
    tls_session_free(&p->client);
    close(p->fds[0]);
    close(p->fds[1]);
}

/* Tickets of TLS 1.3 come behind the handshake: a read takes them in. */
static void pair_say_hello(struct pair *p)
{
    char got[16];
    size_t n = 0;

    assert_int_equal(tls_session_write(p->server, SPAN("hello"), &n), STREAM_MOVED);
    assert_int_equal(tls_session_read(p->client, got, sizeof(got), &n), STREAM_MOVED);
    assert_memory_equal(got, "hello", 5);
}

static const struct {
    const char *title;
    const char *ca;          /* NULL: nothing is verified */
    const char *server_name; /* the setting */
    const char *name;        /* the target's own */
    const char *server;
    const char *why; /* NULL: they meet */
    const char *sni;
    enum tls_objection objection;
} meetings[] = {
    { "nothing verified", NULL, "", "localhost", "good.pem", NULL, "localhost" },
    { "nothing verified, expired", NULL, "", "localhost", "old.pem", NULL, "localhost" },
    { "nothing verified, an address", NULL, "", "10.1.2.3", "good.pem", NULL, "" },
    { "nothing verified, no name", NULL, "", "", "good.pem", NULL, "" },
    { "nothing verified, a name set", NULL, "a.example", "10.1.2.3", "good.pem", NULL,
      "a.example" },
    { "verified by name", "good.pem", "", "localhost", "good.pem", NULL, "localhost" },
    { "verified in another case", "good.pem", "", "LocalHost", "good.pem", NULL, "LocalHost" },
    { "verified by address", "good.pem", "", "127.0.0.1", "good.pem", NULL, "" },
    { "verified by the name set", "good.pem", "localhost", "10.1.2.3", "good.pem", NULL,
      "localhost" },
    { "one of several authorities", "both.pem", "", "localhost", "good.pem", NULL, "localhost" },
    { "another name", "good.pem", "", "a.example", "good.pem", "is for another name", "a.example",
      TLS_OTHER_NAME },
    { "another name set", "good.pem", "a.example", "localhost", "good.pem", "is for another name",
      "a.example", TLS_OTHER_NAME },
    { "another address", "good.pem", "", "127.0.0.2", "good.pem", "is for another name", "",
      TLS_OTHER_NAME },
    { "no name", "good.pem", "", "", "good.pem", "is for another name", "", TLS_OTHER_NAME },
    { "an IPv6 address", "good.pem", "", "::1", "good.pem", "is for another name", "",
      TLS_OTHER_NAME },
    { "expired", "old.pem", "", "localhost", "old.pem", "has expired", "localhost", TLS_EXPIRED },
    { "not valid yet", "early.pem", "", "localhost", "early.pem", "not valid yet", "localhost",
      TLS_NOT_VALID_YET },
    { "unknown", "other.pem", "", "localhost", "good.pem", "not signed by an authority",
      "localhost", TLS_UNKNOWN_AUTHORITY },
};

static void test_meetings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(meetings) / sizeof(meetings[0]); i++) {
        struct tls_server *server = serve(meetings[i].server);
        struct tls_client *client = demand(meetings[i].ca, meetings[i].server_name);
        struct tls_resume *resume = tls_resume_new();
        struct pair p;

        pair_open(&p, server, client, resume, meetings[i].name);
        const enum tls_step step = pair_meet(&p);
        if ((step == TLS_DONE) != (meetings[i].why == NULL))
            fail_msg("%s: %s", meetings[i].title, tls_client_why(p.client));
        if (step != TLS_DONE && strstr(tls_client_why(p.client), meetings[i].why) == NULL)
            fail_msg("%s: %s", meetings[i].title, tls_client_why(p.client));
        assert_int_equal(tls_client_objection(p.client), meetings[i].objection);
        assert_string_equal(tls_session_sni(p.server), meetings[i].sni);
        pair_close(&p);
        tls_resume_unref(&resume);
        tls_client_unref(&client);
        tls_server_unref(&server);
    }
}

static const struct {
    const char *ca, *why; /* why NULL: taken */
} files[] = {
    { "good.pem", NULL },
    { "both.pem", NULL },
    { "nothing.pem", "nothing.pem" },
    { "empty.pem", "empty.pem" },
    { "words.pem", "words.pem: no PEM certificate in it" },
    { "key.pem", "key.pem: no PEM certificate in it" },
};

static void test_authority_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct tls_client_options o = { true, path(files[i].ca), "" };
        struct tls_client *c = tls_client_new(&o, why, sizeof(why));
        if ((c != NULL) != (files[i].why == NULL) ||
            (c == NULL && strstr(why, files[i].why) == NULL))
            fail_msg("%s: %s", files[i].ca, why);
        tls_client_unref(&c);
        o.verify = false; /* then it is not read */
        c = tls_client_new(&o, why, sizeof(why));
        assert_non_null(c);
        tls_client_unref(&c);
    }
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool is_one;
    } rows[] = {
        { "localhost", true }, { "a.b-c.example", true }, { "_x.example", true },
        { "10.0.0.1", true },  { "::1", true },           { "", false },
        { ".", false },        { "a..b", false },         { ".a", false },
        { "a.", false },       { "a b", false },          { "a/b", false },
        { "*.a", false },      { "[::1]", false },        { "a:443", false },
    };
    char name[300];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (tls_client_is_name(span_text(rows[i].name)) != rows[i].is_one)
            fail_msg("\"%s\"", rows[i].name);
    }
    memset(name, 'a', sizeof(name));
    assert_true(tls_client_is_name(span_of(name, TLS_NAME_MAX)));
    assert_false(tls_client_is_name(span_of(name, TLS_NAME_MAX + 1)));
}

static void test_same_demands(void **state)
{
    (void)state;
    static const struct {
        const char *ca, *name;
    } rows[] = {
        { NULL, "" },        { NULL, "a" },       { "good.pem", "" },
        { "good.pem", "a" }, { "other.pem", "" }, { "both.pem", "" },
    };
    enum { N = sizeof(rows) / sizeof(rows[0]) };

    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < N; j++) {
            struct tls_client *a = demand(rows[i].ca, rows[i].name);
            struct tls_client *b = demand(rows[j].ca, rows[j].name);
            assert_int_equal(tls_client_is_same(a, b), i == j);
            tls_client_unref(&a);
            tls_client_unref(&b);
        }
    }
}

static bool meet_and_resume(struct tls_server *server, struct tls_client *client,
                            struct tls_resume *resume, const char *name)
{
    struct pair p;

    pair_open(&p, server, client, resume, name);
    assert_int_equal(pair_meet(&p), TLS_DONE);
    pair_say_hello(&p);
    const bool resumed = tls_session_resumed(p.client);
    pair_close(&p);
    return resumed;
}

static void test_resumption(void **state)
{
    (void)state;
    struct tls_server *server = serve("good.pem"), *stranger = serve("good.pem");
    struct tls_client *loose = demand(NULL, ""), *strict = demand("good.pem", "");
    struct tls_resume *one = tls_resume_new(), *two = tls_resume_new();

    assert_false(meet_and_resume(server, loose, one, "localhost"));
    assert_true(meet_and_resume(server, loose, one, "localhost"));
    assert_true(meet_and_resume(server, loose, one, "localhost"));
    assert_false(meet_and_resume(server, loose, two, "localhost"));
    /* What was not verified is not resumed where it must be, nor the other way round. */
    assert_false(meet_and_resume(server, strict, one, "localhost"));
    assert_true(meet_and_resume(server, strict, one, "localhost"));
    assert_false(meet_and_resume(server, loose, one, "localhost"));
    /* Under another name it is another server. */
    assert_true(meet_and_resume(server, loose, one, "localhost"));
    assert_false(meet_and_resume(server, loose, one, "a.example"));
    assert_false(meet_and_resume(server, loose, one, "localhost"));
    /* Its ticket keys have changed. */
    assert_false(meet_and_resume(stranger, loose, one, "localhost"));
    assert_true(meet_and_resume(stranger, loose, one, "localhost"));
    tls_resume_unref(&one);
    tls_resume_unref(&two);
    tls_client_unref(&loose);
    tls_client_unref(&strict);
    tls_server_unref(&server);
    tls_server_unref(&stranger);
}

/* In 1.3 the ticket comes behind the handshake: until then the one before is still good. */
static void test_a_handshake_under_way_forgets_nothing(void **state)
{
    struct tls_server *server = serve("good.pem");
    struct tls_client *client = demand(NULL, "");
    struct tls_resume *resume = tls_resume_new();
    struct pair silent;
    (void)state;

    pair_open(&silent, server, client, resume, "localhost");
    assert_false(meet_and_resume(server, client, resume, "localhost"));
    assert_int_equal(pair_meet(&silent), TLS_DONE);
    assert_false(tls_session_resumed(silent.client));
    assert_true(meet_and_resume(server, client, resume, "localhost"));
    pair_close(&silent);
    tls_resume_unref(&resume);
    tls_client_unref(&client);
    tls_server_unref(&server);
}

static const struct {
    const char *title;
    struct span bytes;
    const char *why; /* NULL: it goes on waiting */
} odd_servers[] = {
    { "plain HTTP", SPAN_INIT("HTTP/1.1 400 Bad Request\r\n\r\n"), "is not TLS" },
    { "zeros", SPAN_INIT("\0\0\0\0\0\0\0\0\0\0"), "is not TLS" },
    { "an alert", SPAN_INIT("\x15\x03\x03\x00\x02\x02\x28"), "with an alert" },
    { "data", SPAN_INIT("\x17\x03\x03\x00\x05hello"), "is not a TLS handshake" },
    { "part of a record", SPAN_INIT("\x16\x03\x03\x02\x00\x02"), NULL },
    { "TLS 1.0",
      SPAN_INIT("\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01"
                "0123456789abcdef0123456789abcdef\x00\x00\x2f\x00"),
      "no TLS version from 1.2 on" },
    { "nothing", SPAN_INIT(""), NULL },
};

static void test_odd_servers(void **state)
{
    (void)state;
    struct tls_client *client = demand(NULL, "");
    struct tls_resume *resume = tls_resume_new();

    for (size_t i = 0; i < sizeof(odd_servers) / sizeof(odd_servers[0]); i++) {
        int fds[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        struct tls_session *s = tls_client_session(client, resume, fds[1]);
        assert_int_equal(tls_handshake(s), TLS_WANT_READ);
        if (odd_servers[i].bytes.len > 0)
            assert_int_equal(send(fds[0], odd_servers[i].bytes.ptr, odd_servers[i].bytes.len, 0),
                             odd_servers[i].bytes.len);
        enum tls_step step = tls_handshake(s);
        if ((step == TLS_FAILED) != (odd_servers[i].why != NULL) ||
            (step == TLS_FAILED && strstr(tls_client_why(s), odd_servers[i].why) == NULL))
            fail_msg("%s: %d %s (-0x%x)", odd_servers[i].title, step, tls_client_why(s),
                     (unsigned)-tls_session_code(s));
        if (step != TLS_FAILED) {
            close(fds[0]);
            assert_int_equal(tls_handshake(s), TLS_FAILED);
            assert_non_null(strstr(tls_client_why(s), "within the TLS handshake"));
        } else {
            close(fds[0]);
        }
        tls_session_free(&s);
        close(fds[1]);
    }
    tls_resume_unref(&resume);
    tls_client_unref(&client);
}

/* Only a close_notify is an end that nobody else could have sent. */
static void test_truncation(void **state)
{
    (void)state;
    struct tls_server *server = serve("good.pem");
    struct tls_client *client = demand(NULL, "");
    struct tls_resume *resume = tls_resume_new();

    for (int with_notify = 0; with_notify < 2; with_notify++) {
        struct pair p;
        char got[16];
        size_t n;
        pair_open(&p, server, client, resume, "localhost");
        assert_int_equal(pair_meet(&p), TLS_DONE);
        pair_say_hello(&p);
        if (with_notify)
            tls_session_finish(p.server);
        else
            shutdown(p.fds[0], SHUT_WR);
        assert_int_equal(tls_session_read(p.client, got, sizeof(got), &n), STREAM_EOF);
        assert_int_equal(tls_session_is_truncated(p.client), !with_notify);
        assert_int_equal(tls_session_read(p.client, got, sizeof(got), &n), STREAM_EOF);
        assert_int_equal(tls_session_is_truncated(p.client), !with_notify);
        pair_close(&p);
    }
    tls_resume_unref(&resume);
    tls_client_unref(&client);
    tls_server_unref(&server);
}

/* --- one server's memory, from several threads at once ----------------------------- */

static struct tls_server *shared_server;
static struct tls_client *shared_client;
static struct tls_resume *shared_resume;

static void *meet_some(void *arg)
{
    size_t *resumed = arg;

    for (int i = 0; i < 6; i++)
        *resumed += meet_and_resume(shared_server, shared_client, shared_resume, "localhost");
    return NULL;
}

static void test_threads_share_a_memory(void **state)
{
    (void)state;
    pthread_t threads[3];
    size_t resumed[3] = { 0 };

    shared_server = serve("good.pem");
    shared_client = demand("good.pem", "");
    shared_resume = tls_resume_new();
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, meet_some, &resumed[i]), 0);
    for (size_t i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_true(resumed[i] >= 5);
    }
    tls_resume_unref(&shared_resume);
    tls_client_unref(&shared_client);
    tls_server_unref(&shared_server);
}

static int setup(void **state)
{
    (void)state;
    struct cert good, other, old, early;
    FILE *log = tmpfile();

    assert_non_null(mkdtemp(dir));
    log_set_fd(fileno(log)); /* left open: the process ends with the tests */
    cert_make(&good, "20200101000000", "20491231235959");
    cert_make(&other, "20200101000000", "20491231235959");
    cert_make(&old, "20200101000000", "20200102000000");
    cert_make(&early, "20480101000000", "20491231235959");
    cert_write(path("good.pem"), good.chain, good.key);
    cert_write(path("other.pem"), other.chain, other.key);
    cert_write(path("old.pem"), old.chain, old.key);
    cert_write(path("early.pem"), early.chain, early.key);
    cert_write(path("both.pem"), other.chain, good.chain);
    cert_write(path("key.pem"), good.key, "");
    cert_write(path("words.pem"), "no certificate\n", "");
    cert_write(path("empty.pem"), "", "");
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = { "good.pem", "other.pem", "old.pem",   "early.pem",
                                         "both.pem", "key.pem",   "words.pem", "empty.pem" };
    (void)state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(path(names[i]));
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meetings),
        cmocka_unit_test(test_authority_files),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_same_demands),
        cmocka_unit_test(test_resumption),
        cmocka_unit_test(test_a_handshake_under_way_forgets_nothing),
        cmocka_unit_test(test_odd_servers),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_threads_share_a_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
