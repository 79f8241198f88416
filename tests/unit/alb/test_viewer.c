/* test_viewer.c -- who the viewer is: what an edge writes of it, and whose word counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/parse.h"

#include "alb/config.h"
#include "alb/viewer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct http_message message; /* large */

/* "-", "ADDRESS" or "ADDRESS port PORT" */
static const char *shown(const struct viewer *v, char out[80])
{
    char ip[IP_TEXT_MAX];

    if (v->port == 0)
        snprintf(out, 80, "%s", ip_format(&v->ip, ip));
    else
        snprintf(out, 80, "%s port %u", ip_format(&v->ip, ip), v->port);
    return out;
}

/* --- X-Forwarded-For ---------------------------------------------------------------------- */

static const struct {
    struct span list;
    const char *want; /* "-": nothing */
} forwarded[] = {
    { SPAN_INIT("192.0.2.1"), "192.0.2.1" },
    { SPAN_INIT("10.0.0.1,192.0.2.1"), "192.0.2.1" },
    { SPAN_INIT("unknown, 10.0.0.1 , \t192.0.2.1 "), "192.0.2.1" },
    { SPAN_INIT("192.0.2.1:5678"), "192.0.2.1 port 5678" },
    { SPAN_INIT("192.0.2.1:65535"), "192.0.2.1 port 65535" },
    { SPAN_INIT("2001:db8::1"), "2001:db8::1" },
    { SPAN_INIT("2001:DB8:0::1"), "2001:db8::1" },
    { SPAN_INIT("[2001:db8::1]"), "2001:db8::1" },
    { SPAN_INIT("[2001:db8::1]:5678"), "2001:db8::1 port 5678" },
    { SPAN_INIT("::1"), "::1" },
    { SPAN_INIT("::ffff:192.0.2.1"), "192.0.2.1" },
    { SPAN_INIT("[::ffff:192.0.2.1]:80"), "192.0.2.1 port 80" },
    { SPAN_INIT("2001:db8:1:2:3:4:5:443"), "2001:db8:1:2:3:4:5:443" }, /* no port */
    { SPAN_INIT(""), "-" },
    { SPAN_INIT(","), "-" },
    { SPAN_INIT("192.0.2.1,"), "-" },
    { SPAN_INIT("192.0.2.1, "), "-" },
    { SPAN_INIT("unknown"), "-" },
    { SPAN_INIT("_hidden"), "-" },
    { SPAN_INIT("192.0.2.1,-"), "-" },
    { SPAN_INIT("192.0.2.1 192.0.2.2"), "-" },
    { SPAN_INIT("192.0.2.1;192.0.2.2"), "-" },
    { SPAN_INIT("192.0.2"), "-" },
    { SPAN_INIT("192.0.2.256"), "-" },
    { SPAN_INIT("192.0.2.01"), "-" },
    { SPAN_INIT("0x7f.0.0.1"), "-" },
    { SPAN_INIT("192.0.2.1/24"), "-" },
    { SPAN_INIT("\"192.0.2.1\""), "-" },
    { SPAN_INIT("for=192.0.2.1"), "-" },
    { SPAN_INIT("192.0.2.1:"), "-" },
    { SPAN_INIT("192.0.2.1:0"), "-" },
    { SPAN_INIT("192.0.2.1:080"), "-" },
    { SPAN_INIT("192.0.2.1:65536"), "-" },
    { SPAN_INIT("192.0.2.1:999999"), "-" },
    { SPAN_INIT("192.0.2.1:80:80"), "-" },
    { SPAN_INIT("192.0.2.1: 80"), "-" },
    { SPAN_INIT("::ffff:192.0.2.1:80"), "-" },
    { SPAN_INIT(":80"), "-" },
    { SPAN_INIT("[192.0.2.1]"), "-" },
    { SPAN_INIT("[192.0.2.1]:80"), "-" },
    { SPAN_INIT("[]"), "-" },
    { SPAN_INIT("["), "-" },
    { SPAN_INIT("[2001:db8::1"), "-" },
    { SPAN_INIT("2001:db8::1]"), "-" },
    { SPAN_INIT("[2001:db8::1]80"), "-" },
    { SPAN_INIT("[2001:db8::1]:"), "-" },
    { SPAN_INIT("[2001:db8::1]x:80"), "-" },
    { SPAN_INIT("[ 2001:db8::1]"), "-" },
    { SPAN_INIT("[2001:db8::1%eth0]"), "-" },
    { SPAN_INIT("fe80::1%1"), "-" },
    { SPAN_INIT("2001:db8::1::2"), "-" },
    { SPAN_INIT("192.0.2.1\0"), "-" },
    { SPAN_INIT("192.0.2.1\0.3"), "-" },
};

static void test_the_last_entry_of_forwarded_for(void **state)
{
    struct viewer v;
    char out[80];
    (void)state;

    for (size_t i = 0; i < COUNT(forwarded); i++) {
        memset(&v, 0xff, sizeof(v));
        const bool ok = viewer_of_forwarded_for(forwarded[i].list, &v);
        if (ok == (strcmp(forwarded[i].want, "-") == 0) ||
            strcmp(shown(&v, out), forwarded[i].want) != 0)
            fail_msg("\"%.*s\" gave %s", SPAN_ARGS(forwarded[i].list), out);
    }
}

/* --- CloudFront-Viewer-Address ------------------------------------------------------------ */

static const struct {
    struct span value;
    const char *want;
} cloudfront[] = {
    { SPAN_INIT("198.51.100.10:46532"), "198.51.100.10 port 46532" },
    { SPAN_INIT("2001:db8::1:46532"), "2001:db8::1 port 46532" },
    { SPAN_INIT("2001:db8:0:0:0:0:0:1:443"), "2001:db8::1 port 443" },
    { SPAN_INIT("2001:db8:1:2:3:4:5:6:1"), "2001:db8:1:2:3:4:5:6 port 1" },
    { SPAN_INIT("::1:80"), "::1 port 80" },
    { SPAN_INIT("::ffff:192.0.2.1:80"), "192.0.2.1 port 80" },
    { SPAN_INIT(""), "-" },
    { SPAN_INIT(":"), "-" },
    { SPAN_INIT(":80"), "-" },
    { SPAN_INIT("198.51.100.10"), "-" },
    { SPAN_INIT("198.51.100.10:"), "-" },
    { SPAN_INIT("198.51.100.10:0"), "-" },
    { SPAN_INIT("198.51.100.10:65536"), "-" },
    { SPAN_INIT("198.51.100.10:46532,192.0.2.1:1"), "-" },
    { SPAN_INIT("192.0.2.1, 198.51.100.10:46532"), "-" },
    { SPAN_INIT("[2001:db8::1]:46532"), "-" },
    { SPAN_INIT("2001:db8:1:2:3:4:5:6"), "-" },
    { SPAN_INIT("2001:db8::1:0a"), "-" },
    { SPAN_INIT("viewer:80"), "-" },
};

static void test_the_address_that_cloudfront_writes(void **state)
{
    struct viewer v;
    char out[80];
    (void)state;

    for (size_t i = 0; i < COUNT(cloudfront); i++) {
        memset(&v, 0xff, sizeof(v));
        const bool ok = viewer_of_cloudfront(cloudfront[i].value, &v);
        if (ok == (strcmp(cloudfront[i].want, "-") == 0) ||
            strcmp(shown(&v, out), cloudfront[i].want) != 0)
            fail_msg("\"%.*s\" gave %s", SPAN_ARGS(cloudfront[i].value), out);
    }
}

/* Whatever is cut off gives nothing, or an address that the cut text itself says. */
static void test_cut_off_anywhere_it_is_what_is_left_or_nothing(void **state)
{
    static const char whole[] = "[2001:db8::12]:5678";
    struct viewer v;
    (void)state;

    for (size_t n = 0; n < sizeof(whole) - 1; n++) {
        const bool ok = viewer_of_forwarded_for(span_of(whole, n), &v);
        assert_int_equal(ok, n == strlen("[2001:db8::12]") || n > strlen("[2001:db8::12]:"));
        assert_int_equal(v.ip.family, ok ? 6 : 0);
    }
}

static void test_protocols(void **state)
{
    (void)state;
    assert_int_equal(viewer_proto_of(SPAN("https")), VIEWER_PROTO_HTTPS);
    assert_int_equal(viewer_proto_of(SPAN("HTTP")), VIEWER_PROTO_HTTP);
    assert_int_equal(viewer_proto_of(SPAN("")), VIEWER_PROTO_UNSAID);
    assert_int_equal(viewer_proto_of(SPAN("wss")), VIEWER_PROTO_UNSAID);
    assert_int_equal(viewer_proto_of(SPAN("https,http")), VIEWER_PROTO_UNSAID);
}

/* --- whose word counts --------------------------------------------------------------------- */

#define BY_CLOUDFRONT                                                                              \
    "viewer_address = cloudfront-viewer-address\nviewer_proto = cloudfront-forwarded-proto\n"
#define BY_PROTO "viewer_proto = x-forwarded-proto\n"
#define XFF "X-Forwarded-For: 192.0.2.9\r\n"
#define CF "CloudFront-Viewer-Address: 198.51.100.7:80\r\nCloudFront-Forwarded-Proto: https\r\n"
#define XFP "X-Forwarded-Proto: https\r\n"

/* The peer is 10.0.0.1. */
static const struct {
    const char *name, *edge, *fields;
    const char *viewer; /* "-": not known */
    const char *proto;  /* of X-Forwarded-Proto */
    const char *source; /* with source_ip = viewer */
    bool is_readable;
} words[] = {
    { "an edge", "allow = 10.0.0.0/8\n", XFF, "192.0.2.9", "http", "192.0.2.9", true },
    { "of several fields the last", "allow = 10.0.0.0/8\n", "X-Forwarded-For: 192.0.2.1\r\n" XFF,
      "192.0.2.9", "http", "192.0.2.9", true },
    { "the last is empty", "allow = 10.0.0.0/8\n", XFF "X-Forwarded-For:\r\n", "-", "http", "-",
      false },
    { "says nothing", "allow = 10.0.0.0/8\n", "", "-", "http", "-", true },
    { "says what cannot be read", "allow = 10.0.0.0/8\n", "X-Forwarded-For: me\r\n", "-", "http",
      "-", false },
    { "in another field", "allow = 10.0.0.0/8\n", CF XFP, "-", "http", "-", true },
    { "a disguise", "allow = 10.0.0.0/8\n", "X_Forwarded_For: 192.0.2.9\r\n", "-", "http", "-",
      true },
    { "over two lines", "allow = 10.0.0.0/8\n", "X-Forwarded-For: 192.0.2.1,\r\n 192.0.2.9\r\n",
      "-", "http", "-", false },
    { "CloudFront's", "allow = 10.0.0.0/8\n" BY_CLOUDFRONT, XFF CF, "198.51.100.7 port 80", "https",
      "198.51.100.7", true },
    { "CloudFront's, not sent", "allow = 10.0.0.0/8\n" BY_CLOUDFRONT, XFF XFP, "-", "http", "-",
      true },
    { "CloudFront's twice", "allow = 10.0.0.0/8\n" BY_CLOUDFRONT, CF CF, "-", "http", "-", false },
    { "CloudFront's over two lines", "allow = 10.0.0.0/8\n" BY_CLOUDFRONT,
      "CloudFront-Viewer-Address:\r\n 198.51.100.7:80\r\n", "-", "http", "-", false },
    { "the protocol", "allow = 10.0.0.0/8\n" BY_PROTO, XFF XFP, "192.0.2.9", "https", "192.0.2.9",
      true },
    { "the protocol twice", "allow = 10.0.0.0/8\n" BY_PROTO, XFF XFP XFP, "192.0.2.9", "http",
      "192.0.2.9", false },
    { "no protocol", "allow = 10.0.0.0/8\n" BY_PROTO, "X-Forwarded-Proto: gopher\r\n", "-", "http",
      "-", false },
    { "open to all", "allow = any\n" BY_PROTO, XFF XFP, "-", "http", "10.0.0.1", true },
    { "open to all, but this is named", "allow = any\ntrust = 10.0.0.1\n" BY_PROTO, XFF XFP,
      "192.0.2.9", "https", "192.0.2.9", true },
    { "nobody is believed", "allow = 10.0.0.0/8\ntrust = none\n" BY_PROTO, XFF XFP CF, "-", "http",
      "10.0.0.1", true },
    { "another is believed", "allow = 10.0.0.0/8\ntrust = 10.0.0.2/31 2001:db8::/32\n" BY_PROTO,
      XFF XFP, "-", "http", "10.0.0.1", true },
    { "the edge and more", "allow = 10.0.0.2\ntrust = edge 10.0.0.1\n", XFF, "192.0.2.9", "http",
      "192.0.2.9", true },
    { "nobody is believed, and it cannot be read", "allow = 10.0.0.0/8\ntrust = none\n",
      "X-Forwarded-For: me\r\n", "-", "http", "10.0.0.1", true },
};

static struct config *configure(const char *edge, const char *more)
{
    struct problems problems;
    char text[1024];

    snprintf(text, sizeof(text),
             "[edge]\n%s%s[listener l]\nbind = 127.0.0.1:0\ndefault_action = fixed-response 404\n",
             edge, more);
    problems_init(&problems, "f");
    struct config *c = config_read_text(span_text(text), &problems);
    assert_non_null(c);
    problems_done(&problems);
    return c;
}

/* The message points into the head. */
static void ask(const char *fields)
{
    static char head[1024];
    size_t scanned = 0;

    snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    assert_int_equal(http_request_parse(span_text(head), HTTP_DEFENSIVE, &message, &scanned),
                     HTTP_PARSED);
}

static void test_whose_word_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(words); i++) {
        struct config *c = configure(words[i].edge, "source_ip = viewer\n");
        struct access_client client = { .ip = { 4, { 10, 0, 0, 1 } },
                                        .viewer = { { 4, { 1 } }, 1 },
                                        .viewer_proto = VIEWER_PROTO_HTTPS };
        char viewer[80], source[IP_TEXT_MAX];
        ask(words[i].fields);
        const bool is_readable = viewer_learn(c, &message, &client);
        shown(&client.viewer, viewer);
        ip_format(viewer_source(c, &client), source);
        const char *proto = viewer_is_https(&client) ? "https" : "http";
        if (is_readable != words[i].is_readable || strcmp(viewer, words[i].viewer) != 0 ||
            strcmp(source, words[i].source) != 0 || strcmp(proto, words[i].proto) != 0)
            fail_msg("%s: viewer %s, source %s, proto %s", words[i].name, viewer, source, proto);
        config_free(&c);
    }
}

static void test_source_ip_is_the_peers_unless_said(void **state)
{
    struct config *c = configure("allow = 10.0.0.0/8\n", "");
    struct access_client client = { .ip = { 4, { 10, 0, 0, 1 } } };
    (void)state;

    ask(XFF);
    assert_true(viewer_learn(c, &message, &client));
    assert_ptr_equal(viewer_source(c, &client), &client.ip);
    assert_ptr_equal(viewer_or_peer(&client), &client.viewer.ip);
    viewer_forget(&client);
    assert_ptr_equal(viewer_or_peer(&client), &client.ip);
    config_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_entry_of_forwarded_for),
        cmocka_unit_test(test_the_address_that_cloudfront_writes),
        cmocka_unit_test(test_cut_off_anywhere_it_is_what_is_left_or_nothing),
        cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_whose_word_counts),
        cmocka_unit_test(test_source_ip_is_the_peers_unless_said),
    };

    return cmocka_run_group_tests_name("viewer", tests, NULL, NULL);
}
