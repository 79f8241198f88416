/* Socket addresses: what is read is written back the same, and nothing else is read. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <unistd.h>

#include "net/addr.h"

static const struct {
    const char *name, *text;
    bool port_0;
    const char *want; /* NULL: refused */
} cases[] = {
    { "IPv4", "127.0.0.1:8080", false, "127.0.0.1:8080" },
    { "IPv6", "[::1]:443", false, "[::1]:443" },
    { "IPv6, the long way", "[2001:0DB8:0:0:0:0:0:1]:1", false, "[2001:db8::1]:1" },
    { "IPv4 in IPv6 is IPv4", "[::ffff:10.0.0.1]:80", false, "10.0.0.1:80" },
    { "the highest port", "0.0.0.0:65535", false, "0.0.0.0:65535" },
    { "port 0 where it may be", "127.0.0.1:0", true, "127.0.0.1:0" },
    { "port 0 where it may not", "127.0.0.1:0", false, NULL },
    { "a port too many", "127.0.0.1:65536", false, NULL },
    { "no port", "127.0.0.1", false, NULL },
    { "an empty port", "127.0.0.1:", false, NULL },
    { "no host", ":8080", false, NULL },
    { "a name", "localhost:8080", false, NULL },
    { "IPv6 without brackets", "::1:8080", false, NULL },
    { "IPv4 in brackets", "[127.0.0.1]:80", false, NULL },
    { "empty brackets", "[]:80", false, NULL },
    { "one bracket", "[::1:80", false, NULL },
    { "brackets and no port", "[::1]", false, NULL },
    { "a blank", "127.0.0.1: 80", false, NULL },
    { "a sign", "127.0.0.1:+80", false, NULL },
    { "a short form", "127.1:80", false, NULL },
    { "a zone", "[fe80::1%eth0]:80", false, NULL },
    { "nothing", "", false, NULL },
};

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct addr addr;
        char why[200] = "", text[ADDR_TEXT_MAX];
        bool ok = addr_parse(span_text(cases[i].text), cases[i].port_0, &addr, why, sizeof(why));

        if (ok != (cases[i].want != NULL))
            fail_msg("%s", cases[i].name);
        if (ok)
            assert_string_equal(addr_format(&addr, text), cases[i].want);
        else
            assert_non_null(strstr(why, "127.0.0.1:8080"));
    }
}

static struct addr parsed(const char *text)
{
    struct addr addr;
    char why[200];
    assert_true(addr_parse(span_text(text), true, &addr, why, sizeof(why)));
    return addr;
}

static void test_equal(void **state)
{
    (void)state;
    struct addr none = { .len = 0 }, a = parsed("10.0.0.1:80"), a2 = parsed("[::ffff:10.0.0.1]:80");
    struct addr b = parsed("10.0.0.2:80"), c = parsed("10.0.0.1:81"), d = parsed("[::1]:80");
    struct addr u, u2, v;

    assert_true(addr_equal(&a, &a2));
    assert_false(addr_equal(&a, &b));
    assert_false(addr_equal(&a, &c));
    assert_false(addr_equal(&a, &d));
    assert_false(addr_equal(&a, &none));
    assert_true(addr_equal(&none, &none));

    assert_true(addr_unix("/run/a.sock", &u) && addr_unix("/run/a.sock", &u2));
    assert_true(addr_unix("/run/b.sock", &v));
    assert_true(addr_equal(&u, &u2));
    assert_false(addr_equal(&u, &v));
    assert_false(addr_equal(&u, &a));
}

static void test_overlaps(void **state)
{
    static const struct {
        const char *a, *b;
        bool want;
    } pairs[] = {
        { "10.0.0.1:80", "10.0.0.1:80", true },  { "10.0.0.1:80", "10.0.0.2:80", false },
        { "10.0.0.1:80", "10.0.0.1:81", false }, { "10.0.0.1:80", "0.0.0.0:80", true },
        { "10.0.0.1:80", "0.0.0.0:81", false },  { "10.0.0.1:80", "[::]:80", false },
        { "[::1]:80", "[::]:80", true },         { "0.0.0.0:80", "[::]:80", false },
        { "0.0.0.0:0", "0.0.0.0:0", false },     { "10.0.0.1:0", "10.0.0.1:0", false },
    };
    struct addr unix_addr, none = { .len = 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        const struct addr a = parsed(pairs[i].a), b = parsed(pairs[i].b);
        if (addr_overlaps(&a, &b) != pairs[i].want || addr_overlaps(&b, &a) != pairs[i].want)
            fail_msg("%s %s", pairs[i].a, pairs[i].b);
    }
    assert_true(addr_unix("/run/a.sock", &unix_addr));
    assert_false(addr_overlaps(&unix_addr, &unix_addr));
    assert_false(addr_overlaps(&none, &none));
}

static void test_unix(void **state)
{
    (void)state;
    char path[109], text[ADDR_TEXT_MAX];
    struct addr addr;
    struct ip ip;

    memset(path, 'x', sizeof(path));
    path[108] = '\0';
    assert_false(addr_unix(path, &addr));
    path[107] = '\0';
    assert_true(addr_unix(path, &addr));
    assert_int_equal(strlen(addr_format(&addr, text)), 107 + strlen("unix:"));
    assert_false(addr_unix("", &addr));
    assert_true(addr_unix("/run/a.sock", &addr));
    assert_string_equal(addr_format(&addr, text), "unix:/run/a.sock");
    assert_false(addr_ip(&addr, &ip));
    assert_int_equal(addr_port(&addr), 0);
}

static void test_none(void **state)
{
    (void)state;
    struct addr none = { .len = 0 };
    char text[ADDR_TEXT_MAX];
    struct ip ip;

    assert_string_equal(addr_format(&none, text), "-");
    assert_false(addr_ip(&none, &ip));
    assert_int_equal(addr_port(&none), 0);
}

/* A dual-stack socket shows IPv4 peers as ::ffff:a.b.c.d. */
static void test_mapped_address_is_unwrapped(void **state)
{
    (void)state;
    struct addr addr = { .len = sizeof(addr.in6) };
    char text[ADDR_TEXT_MAX];

    addr.in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(7) };
    memcpy(addr.in6.sin6_addr.s6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x01\x02\x03", 16);
    assert_string_equal(addr_format(&addr, text), "10.1.2.3:7");
}

static void test_resolve(void **state)
{
    (void)state;
    struct addr addr;
    char why[200] = "", text[ADDR_TEXT_MAX];

    assert_true(addr_resolve(SPAN("localhost:8080"), &addr, why, sizeof(why)));
    assert_string_equal(addr_format(&addr, text), "127.0.0.1:8080");
    assert_true(addr_resolve(SPAN("[::1]:80"), &addr, why, sizeof(why)));
    assert_string_equal(addr_format(&addr, text), "[::1]:80");
    assert_false(addr_resolve(SPAN("no-such-host.invalid:80"), &addr, why, sizeof(why)));
    assert_non_null(strstr(why, "no-such-host.invalid"));
    assert_false(addr_resolve(SPAN("localhost"), &addr, why, sizeof(why)));
    assert_false(addr_resolve(SPAN("a:b:80"), &addr, why, sizeof(why)));
}

static void test_resolve_all(void **state)
{
    (void)state;
    struct addr addrs[8];
    char why[200] = "", text[ADDR_TEXT_MAX];

    assert_int_equal(addr_resolve_all(SPAN("LocalHost:8080"), addrs, 8, why, sizeof(why)), 2);
    assert_string_equal(addr_format(&addrs[0], text), "127.0.0.1:8080");
    assert_string_equal(addr_format(&addrs[1], text), "[::1]:8080");
    assert_int_equal(addr_resolve_all(SPAN("localhost:8080"), addrs, 1, why, sizeof(why)), 1);
    assert_int_equal(addr_resolve_all(SPAN("[::1]:80"), addrs, 8, why, sizeof(why)), 1);
    assert_string_equal(addr_format(&addrs[0], text), "[::1]:80");
    assert_int_equal(addr_resolve_all(SPAN("no-such-host.invalid:80"), addrs, 8, why, sizeof(why)),
                     0);
    assert_non_null(strstr(why, "no-such-host.invalid"));
    assert_int_equal(addr_resolve_all(SPAN("localhost"), addrs, 8, why, sizeof(why)), 0);
    assert_non_null(strstr(why, "is no address"));
}

static void test_local_and_peer(void **state)
{
    (void)state;
    struct addr want = parsed("127.0.0.1:0"), local, peer;
    int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);

    assert_int_equal(bind(a, &want.sa, want.len), 0);
    assert_true(addr_local(a, &local));
    assert_true(addr_port(&local) > 0);
    assert_int_equal(connect(b, &local.sa, local.len), 0);
    assert_true(addr_peer(b, &peer));
    assert_true(addr_equal(&local, &peer));
    close(a);
    close(b);
    assert_false(addr_local(a, &local));
    assert_false(addr_peer(b, &peer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),          cmocka_unit_test(test_equal),
        cmocka_unit_test(test_overlaps),       cmocka_unit_test(test_unix),
        cmocka_unit_test(test_none),           cmocka_unit_test(test_mapped_address_is_unwrapped),
        cmocka_unit_test(test_resolve),        cmocka_unit_test(test_resolve_all),
        cmocka_unit_test(test_local_and_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
