/* test_target_name.c -- names of targets: one spelling each, or a sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/text.h"

#include "alb/target_name.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define X10 "xxxxxxxxxx"
#define X50 X10 X10 X10 X10 X10
#define LABEL63 X50 X10 "xxx"

static const struct {
    const char *name;
    uint32_t port; /* the group's */
    const char *text;
} good[] = {
    { "10.0.1.10:9001", 0, "10.0.1.10:9001" },
    { "127.0.0.1:65535", 80, "127.0.0.1:65535" },
    { "10.0.1.10", 8080, "10.0.1.10:8080" },
    { "[0:0::1]:80", 0, "[::1]:80" },
    { "[2001:DB8::1]", 81, "[2001:db8::1]:81" },
    { "2001:db8::1", 81, "[2001:db8::1]:81" },
    { "[::ffff:10.0.0.1]:80", 0, "10.0.0.1:80" },
    { "unix:/run/app.sock", 0, "unix:/run/app.sock" },
    { "unix:/" X50 X50 "xxxxxx", 0, "unix:/" X50 X50 "xxxxxx" },
    { "dns:App.Example.com:80", 0, "dns:app.example.com:80" },
    { "dns:app", 80, "dns:app:80" },
    { "dns:app:81", 80, "dns:app:81" },
    { "dns:_http._tcp.app.consul.:80", 0, "dns:_http._tcp.app.consul.:80" },
    { "dns:1.2.3.4.example.com:1", 0, "dns:1.2.3.4.example.com:1" },
    { "dns:" LABEL63 "." LABEL63 "." LABEL63 "." X50 X10 "x:1", 0,
      "dns:" LABEL63 "." LABEL63 "." LABEL63 "." X50 X10 "x:1" },
};

static const struct {
    const char *name, *why;
} bad[] = {
    { "", "\"\" is no target: write IP:port *" },
    { "localhost:80", "\"localhost:80\" is no target: * or dns:NAME:port" },
    { "10.0.0.1:0", "* is no target: *" },
    { "10.0.0.1:65536", "* is no target: *" },
    { "10.0.0.01:80", "* is no target: *" },
    { "http://10.0.0.1:80", "* is no target: *" },
    { "10.0.0.1:80 ", "* is no target: *" },
    { "[10.0.0.1]:80", "* is no target: *" },
    { "10.0.0.1", "\"10.0.0.1\" has no port, and its target group has no `port` either" },
    { "::1", "\"::1\" has no port, *" },
    { "[::1]", "\"[::1]\" has no port, *" },
    { "0.0.0.0:80", "\"0.0.0.0:80\" is an address of no host" },
    { "0.1.2.3:80", "* is an address of no host" },
    { "[::]:80", "* is an address of no host" },
    { "224.0.0.1:80", "* is a multicast address" },
    { "239.255.255.255:80", "* is a multicast address" },
    { "255.255.255.255:80", "* is the broadcast address" },
    { "[ff02::1]:80", "* is a multicast address" },
    { "[fe80::1]:80", "* is a link-local address, *" },
    { "[::ffff:224.0.0.1]:80", "* is a multicast address" },
    { "unix:", "* the path of a socket begins with / *" },
    { "unix:app.sock", "* the path of a socket begins with / *" },
    { "unix:/a b", "* the path of a socket begins with / *" },
    { "unix:/a\"b", "* without quotes" },
    { "unix:/" X50 X50 "xxxxxxx", "* the path has 108 bytes; that of a socket has at most 107" },
    { "dns:", "* is not dns:NAME:port: *" },
    { "dns:app", "\"dns:app\" has no port, *" },
    { "dns:app:0", "* is not dns:NAME:port: *" },
    { "dns:app:http", "* is not dns:NAME:port: *" },
    { "dns:a..b:80", "* is not dns:NAME:port: *" },
    { "dns:.:80", "* is not dns:NAME:port: *" },
    { "dns:-a:80", "* is not dns:NAME:port: *" },
    { "dns:a/b:80", "* is not dns:NAME:port: *" },
    { "dns:10.0.0.1:80", "* is not dns:NAME:port: *" },
    { "dns:" LABEL63 "x:80", "* is not dns:NAME:port: *" },
    { "dns:" LABEL63 "." LABEL63 "." LABEL63 "." LABEL63 ":80", "* is not dns:NAME:port: *" },
};

static void test_good_names_have_one_spelling(void **state)
{
    struct target_name t, again;
    char why[512];

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        const char *name = good[i].name;
        if (!target_name_parse(span_text(name), good[i].port, &t, why, sizeof(why)))
            fail_msg("%s: %s", name, why);
        assert_string_equal(t.text, good[i].text);
        assert_true((t.addr.len == 0) == (strncmp(name, "dns:", 4) == 0));
        assert_true((t.host[0] == '\0') == (t.addr.len != 0));
        assert_true(target_name_parse(span_text(t.text), 0, &again, why, sizeof(why)));
        assert_string_equal(again.text, t.text);
        assert_true(addr_equal(&again.addr, &t.addr));
    }
}

static void test_bad_names_are_refused_with_a_cure(void **state)
{
    struct target_name t;
    char why[512];

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (target_name_parse(span_text(bad[i].name), 0, &t, why, sizeof(why)))
            fail_msg("\"%s\" was taken", bad[i].name);
        if (!text_wildcard(span_text(bad[i].why), span_text(why), false))
            fail_msg("\"%s\": %s", bad[i].name, why);
    }
}

static void test_names_of_answers(void **state)
{
    struct target_name t;
    struct ip ip;

    (void)state;
    assert_true(ip_parse(SPAN("10.0.0.7"), &ip));
    assert_true(target_name_of_ip(&ip, 81, &t));
    assert_string_equal(t.text, "10.0.0.7:81");
    assert_true(ip_parse(SPAN("2001:db8::7"), &ip));
    assert_true(target_name_of_ip(&ip, 81, &t));
    assert_string_equal(t.text, "[2001:db8::7]:81");
    assert_true(ip_parse(SPAN("0.0.0.0"), &ip));
    assert_false(target_name_of_ip(&ip, 81, &t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_names_have_one_spelling),
        cmocka_unit_test(test_bad_names_are_refused_with_a_cure),
        cmocka_unit_test(test_names_of_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
