/* What `alb --remote` reads: its URL, the file with the token, and the answer. */
#include "alb/remote.h"
#include "alb/remote_answer.h"
#include "alb/remote_url.h"

#include "config_fixture.h"

static const struct {
    const char *text, *host, *authority; /* NULL: refused */
    const char *why;
} urls[] = {
    { "https://a.example", "a.example", "a.example:443", NULL },
    { "https://a.example:8443", "a.example", "a.example:8443", NULL },
    { "HTTPS://10.0.0.1:8443/", "10.0.0.1", "10.0.0.1:8443", NULL },
    { "https://[2001:db8::1]:8443", "2001:db8::1", "[2001:db8::1]:8443", NULL },
    { "https://[::1]", "::1", "[::1]:443", NULL },
    { "https://a:65535", "a", "a:65535", NULL },
    { "http://a", NULL, NULL, "https://" },
    { "a.example:8443", NULL, NULL, "https://" },
    { "", NULL, NULL, "https://" },
    { "https://", NULL, NULL, "no good host" },
    { "https:///", NULL, NULL, "no good host" },
    { "https://:1", NULL, NULL, "no good host" },
    { "https://a b", NULL, NULL, "no good host" },
    { "https://a..b", NULL, NULL, "no good host" },
    { "https://[::1", NULL, NULL, "no good host" },
    { "https://[10.0.0.1]:1", NULL, NULL, "no good host" },
    { "https://::1:1", NULL, NULL, "no good host" },
    { "https://a:", NULL, NULL, "no good port" },
    { "https://a:0", NULL, NULL, "no good port" },
    { "https://a:65536", NULL, NULL, "no good port" },
    { "https://a:1x", NULL, NULL, "no good port" },
    { "https://a:1/status", NULL, NULL, "no good port" },
    { "https://[::1]x", NULL, NULL, "no good port" },
    { "https://me:secret@a:1", NULL, NULL, "no name or password" },
};

static void test_urls(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(urls); i++) {
        struct remote_url url;
        char why[256] = "";
        const bool ok = remote_url_parse(urls[i].text, &url, why, sizeof(why));
        if (ok != (urls[i].host != NULL))
            fail_msg("%s: %s", urls[i].text, why);
        if (ok) {
            assert_string_equal(url.host, urls[i].host);
            assert_string_equal(url.authority, urls[i].authority);
        } else {
            if (strstr(why, urls[i].why) == NULL)
                fail_msg("%s: %s", urls[i].text, why);
            assert_null(strstr(why, "secret"));
        }
    }
}

/* A host of any length is taken whole or not at all. */
static void test_long_hosts(void **state)
{
    (void)state;
    for (size_t len = 1; len < 600; len++) {
        char text[700] = "https://", why[256];
        struct remote_url url;
        memset(text + 8, 'a', len);
        const bool ok = remote_url_parse(text, &url, why, sizeof(why));
        assert_int_equal(ok, len <= REMOTE_HOST_MAX);
        if (ok)
            assert_int_equal(strlen(url.host), len);
    }
}

static const struct {
    const char *text, *token;
} files[] = {
    { "t0ken\n", "t0ken" },
    { "t0ken", "t0ken" },
    { "  t0ken \r\n", "t0ken" },
    { "# mine\n\nt0ken # here\n", "t0ken" },
    { "ops t0ken\n", "t0ken" },
    { "ops \t t0ken read\n", "t0ken" },
    { "", "" },
    { "# nothing\n", "" },
    { "a\nb\n", "" },
    { "a b c d\n", "" },
};

static void test_token_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        const struct span token = remote_find_token(span_text(files[i].text));
        if (!span_equal(token, span_text(files[i].token)))
            fail_msg("\"%s\": \"%.*s\"", files[i].text, SPAN_ARGS(token));
    }
}

/* --- answers ---------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    enum remote_look want;
    const char *body;
} answers[] = {
    { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", REMOTE_WHOLE, "ok\n" },
    { "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", REMOTE_WHOLE, "" },
    { "HTTP/1.1 200 OK\r\nContent-Length: 16777217\r\n\r\n", REMOTE_TOO_MUCH, NULL },
    { "HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n", REMOTE_TOO_MUCH, NULL },
    { "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", REMOTE_NONSENSE, NULL },
    { "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", REMOTE_NONSENSE, NULL },
    { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", REMOTE_NONSENSE, NULL },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", REMOTE_NONSENSE, NULL },
    { "HTTP/1.1 200 OK\r\n\r\nuntil the end", REMOTE_NONSENSE, NULL },
    { "HTTP/1.1 100 Continue\r\n\r\n", REMOTE_NONSENSE, NULL },
    { "SSH-2.0-OpenSSH_9.2\r\n", REMOTE_NONSENSE, NULL },
    { "\r\n\r\n", REMOTE_NONSENSE, NULL },
};

/* `step` bytes at a time. */
static enum remote_look feed(struct remote_answer *a, struct span text, size_t step)
{
    enum remote_look look = REMOTE_PART;

    while (look == REMOTE_PART && text.len > 0) {
        const size_t len = text.len < step ? text.len : step;
        assert_true(buf_put(&a->bytes, span_of(text.ptr, len)));
        text = span_after(text, len);
        look = remote_answer_look(a);
    }
    return look;
}

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        for (size_t step = 1; step < 400; step += step == 1 ? 6 : 392) {
            struct remote_answer a;
            remote_answer_init(&a);
            if (feed(&a, span_text(answers[i].text), step) != answers[i].want)
                fail_msg("%s by %zu", answers[i].text, step);
            if (answers[i].body != NULL)
                assert_true(span_equal(a.body, span_text(answers[i].body)));
            remote_answer_done(&a);
        }
    }
}

/* However the network cuts it, a part is never taken for the whole; what is behind it is not. */
static void test_parts_of_an_answer(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789and more";
    const size_t whole = sizeof(text) - 1 - strlen("and more");

    for (size_t len = 1; len < sizeof(text); len++) {
        struct remote_answer a;
        remote_answer_init(&a);
        assert_true(buf_put(&a.bytes, span_of(text, len)));
        const enum remote_look look = remote_answer_look(&a);
        assert_int_equal(look, len < whole ? REMOTE_PART : REMOTE_WHOLE);
        if (look == REMOTE_WHOLE)
            assert_true(span_equal(a.body, SPAN("0123456789")));
        remote_answer_done(&a);
    }
}

/* A head without an end is no answer, long before memory is. */
static void test_an_endless_head(void **state)
{
    (void)state;
    struct remote_answer a;
    enum remote_look look;

    remote_answer_init(&a);
    look = feed(&a, SPAN("HTTP/1.1 200 OK\r\n"), 99);
    for (int i = 0; look == REMOTE_PART && i < 10000; i++)
        look = feed(&a, SPAN("X: yyyyyyyyyy\r\n"), 99);
    assert_int_equal(look, REMOTE_NONSENSE);
    assert_true(buf_len(&a.bytes) < 40000);
    remote_answer_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_long_hosts),
        cmocka_unit_test(test_token_files),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_parts_of_an_answer),
        cmocka_unit_test(test_an_endless_head),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
