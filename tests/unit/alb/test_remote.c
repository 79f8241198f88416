/* What `alb --remote` reads: its URL, and the file with the token. */
#include "alb/remote.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_long_hosts),
        cmocka_unit_test(test_token_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
