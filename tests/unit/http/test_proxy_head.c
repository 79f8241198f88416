/* test_proxy_head.c -- heads of the PROXY protocol: good ones, bad ones, and every prefix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/proxy_head.h"

#include "guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define FROM4 "\xc0\0\2\1"
#define TO4 "\x0a\0\0\5"
#define PORTS "\xdc\x04\x01\xbb" /* 56324, 443 */
#define FROM6 "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
#define TO6 "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
#define MAPPED4 "\0\0\0\0\0\0\0\0\0\0\xff\xff" FROM4
#define TWENTY "aaaaaaaaaaaaaaaaaaaa"
#define PATH108 TWENTY TWENTY TWENTY TWENTY TWENTY "aaaaaaaa"

/* Made by a network load balancer: a checksum, the endpoint, 36 bytes of padding. */
#define REAL                                                                                       \
    SIGNATURE "\x21\x11\0\x54\xac\x1f\7\x71\xac\x1f\x0a\x1f\xc8\xf2\0\x50"                         \
              "\3\0\4\xe8\xd6\x89\x2d"                                                             \
              "\xea\0\x17\1vpce-08d2bf15fac5001c9"                                                 \
              "\4\0\x24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

static const struct {
    const char *name;
    struct span bytes;
    const char *from, *to; /* NULL: nothing is announced */
    const char *id;
} good[] = {
    { "TCP4", SPAN_INIT("PROXY TCP4 192.0.2.1 10.0.0.5 56324 443\r\n"), "192.0.2.1 56324",
      "10.0.0.5 443", "" },
    { "TCP4, the longest", SPAN_INIT("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
      "255.255.255.255 65535", "255.255.255.255 65535", "" },
    { "TCP4, zeros", SPAN_INIT("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0 0", "0.0.0.0 0",
      "" },
    { "TCP6", SPAN_INIT("PROXY TCP6 2001:db8::1 2001:DB8::2 56324 443\r\n"), "2001:db8::1 56324",
      "2001:db8::2 443", "" },
    { "TCP6, the longest",
      SPAN_INIT("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
                " ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535",
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535", "" },
    { "TCP6, IPv4 in it", SPAN_INIT("PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 2\r\n"),
      "192.0.2.1 1", "2001:db8::2 2", "" },
    { "UNKNOWN", SPAN_INIT("PROXY UNKNOWN\r\n"), NULL, NULL, "" },
    { "UNKNOWN and a blank", SPAN_INIT("PROXY UNKNOWN \r\n"), NULL, NULL, "" },
    { "UNKNOWN, the longest",
      SPAN_INIT("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
                " ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
      NULL, NULL, "" },
    { "UNKNOWN and anything", SPAN_INIT("PROXY UNKNOWN \0\x80 TCP4 %\r\n"), NULL, NULL, "" },
    { "LOCAL", SPAN_INIT(SIGNATURE "\x20\0\0\0"), NULL, NULL, "" },
    { "LOCAL, addresses", SPAN_INIT(SIGNATURE "\x20\x11\0\x0c" FROM4 TO4 PORTS), NULL, NULL, "" },
    { "LOCAL, any family", SPAN_INIT(SIGNATURE "\x20\xff\0\3abc"), NULL, NULL, "" },
    { "LOCAL, a bad checksum", SPAN_INIT(SIGNATURE "\x20\0\0\7\3\0\4abcd"), NULL, NULL, "" },
    { "TCP over IPv4", SPAN_INIT(SIGNATURE "\x21\x11\0\x0c" FROM4 TO4 PORTS), "192.0.2.1 56324",
      "10.0.0.5 443", "" },
    { "TCP over IPv6", SPAN_INIT(SIGNATURE "\x21\x21\0\x24" FROM6 TO6 PORTS), "2001:db8::1 56324",
      "2001:db8::2 443", "" },
    { "IPv4 in IPv6", SPAN_INIT(SIGNATURE "\x21\x21\0\x24" MAPPED4 TO6 PORTS), "192.0.2.1 56324",
      "2001:db8::2 443", "" },
    { "unspecified", SPAN_INIT(SIGNATURE "\x21\0\0\0"), NULL, NULL, "" },
    { "unspecified, with bytes", SPAN_INIT(SIGNATURE "\x21\0\0\5\3\0\4ab"), NULL, NULL, "" },
    { "UDP over IPv4", SPAN_INIT(SIGNATURE "\x21\x12\0\x0c" FROM4 TO4 PORTS), NULL, NULL, "" },
    { "UDP over IPv6", SPAN_INIT(SIGNATURE "\x21\x22\0\x24" FROM6 TO6 PORTS), NULL, NULL, "" },
    { "a Unix stream", SPAN_INIT(SIGNATURE "\x21\x31\0\xd8" PATH108 PATH108), NULL, NULL, "" },
    { "Unix datagrams, a TLV", SPAN_INIT(SIGNATURE "\x21\x32\0\xdb" PATH108 PATH108 "\4\0\0"), NULL,
      NULL, "" },
    { "of a network load balancer", SPAN_INIT(REAL), "172.31.7.113 51442", "172.31.10.31 80",
      "vpce-08d2bf15fac5001c9" },
    { "TLVs that are skipped",
      SPAN_INIT(SIGNATURE "\x21\x11\0\x27" FROM4 TO4 PORTS "\1\0\2h2"
                          "\2\0\7a.local"
                          "\x20\0\5\1\0\0\0\0"
                          "\xff\0\1\0"),
      "192.0.2.1 56324", "10.0.0.5 443", "" },
    { "another of AWS's", SPAN_INIT(SIGNATURE "\x21\x11\0\x12" FROM4 TO4 PORTS "\xea\0\3\2no"),
      "192.0.2.1 56324", "10.0.0.5 443", "" },
    { "an empty one of AWS's", SPAN_INIT(SIGNATURE "\x21\x11\0\x0f" FROM4 TO4 PORTS "\xea\0\0"),
      "192.0.2.1 56324", "10.0.0.5 443", "" },
    { "an endpoint without a name",
      SPAN_INIT(SIGNATURE "\x21\x11\0\x10" FROM4 TO4 PORTS "\xea\0\1\1"), "192.0.2.1 56324",
      "10.0.0.5 443", "" },
    { "an endpoint that would tear a log",
      SPAN_INIT(SIGNATURE "\x21\x11\0\x15" FROM4 TO4 PORTS "\xea\0\6\1a\n\"b "), "192.0.2.1 56324",
      "10.0.0.5 443", "" },
    { "the longest endpoint",
      SPAN_INIT(SIGNATURE "\x21\x11\0\x2f" FROM4 TO4 PORTS "\xea\0\x20\1" TWENTY "aaaaaaaaaaa"),
      "192.0.2.1 56324", "10.0.0.5 443", TWENTY "aaaaaaaaaaa" },
    { "one that is longer",
      SPAN_INIT(SIGNATURE "\x21\x11\0\x30" FROM4 TO4 PORTS "\xea\0\x21\1" TWENTY "aaaaaaaaaaaa"),
      "192.0.2.1 56324", "10.0.0.5 443", "" },
};

static const struct {
    const char *name;
    struct span bytes;
    const char *why; /* a piece of it */
} bad[] = {
    { "a request", SPAN_INIT("GET / HTTP/1.1\r\n"), "does not begin" },
    { "TLS", SPAN_INIT("\x16\3\1\0\x20"), "does not begin" },
    { "the second byte is another", SPAN_INIT("PO"), "does not begin" },
    { "small letters", SPAN_INIT("proxy TCP4"), "does not begin" },
    { "two CRLFs, then a request", SPAN_INIT("\r\n\r\nGET"), "does not begin" },
    { "another blank", SPAN_INIT("PROXY\tTCP4"), "does not begin" },
    { "another signature", SPAN_INIT("\r\n\r\n\0\r\nQUIT\r"), "does not begin" },

    { "another protocol", SPAN_INIT("PROXY UDP4 192.0.2.1 10.0.0.5 1 2\r\n"), "none of TCP4" },
    { "nothing", SPAN_INIT("PROXY \r\n"), "none of TCP4" },
    { "the protocol alone", SPAN_INIT("PROXY TCP4\r\n"), "none of TCP4" },
    { "UNKNOWN in small letters", SPAN_INIT("PROXY unknown\r\n"), "none of TCP4" },
    { "UNKNOWN and more", SPAN_INIT("PROXY UNKNOWNS\r\n"), "none of TCP4" },
    { "two blanks", SPAN_INIT("PROXY  TCP4 192.0.2.1 10.0.0.5 1 2\r\n"), "none of TCP4" },
    { "two blanks, later", SPAN_INIT("PROXY TCP4 192.0.2.1  10.0.0.5 1 2\r\n"),
      "no two addresses" },
    { "a leading zero", SPAN_INIT("PROXY TCP4 192.0.2.01 10.0.0.5 1 2\r\n"), "no two addresses" },
    { "three numbers", SPAN_INIT("PROXY TCP4 192.0.2 10.0.0.5 1 2\r\n"), "no two addresses" },
    { "a number too large", SPAN_INIT("PROXY TCP4 192.0.2.256 10.0.0.5 1 2\r\n"),
      "no two addresses" },
    { "a name", SPAN_INIT("PROXY TCP4 localhost 10.0.0.5 1 2\r\n"), "no two addresses" },
    { "IPv6 in TCP4", SPAN_INIT("PROXY TCP4 2001:db8::1 10.0.0.5 1 2\r\n"), "no two addresses" },
    { "IPv4 in TCP6", SPAN_INIT("PROXY TCP6 2001:db8::1 10.0.0.5 1 2\r\n"), "no two addresses" },
    { "a zone", SPAN_INIT("PROXY TCP6 fe80::1%eth0 2001:db8::1 1 2\r\n"), "no two addresses" },
    { "one address", SPAN_INIT("PROXY TCP4 192.0.2.1\r\n"), "no two addresses" },
    { "no ports", SPAN_INIT("PROXY TCP4 192.0.2.1 10.0.0.5\r\n"), "no two addresses" },
    { "one port", SPAN_INIT("PROXY TCP4 192.0.2.1 10.0.0.5 1\r\n"), "two ports" },
    { "an empty port", SPAN_INIT("PROXY TCP4 192.0.2.1 10.0.0.5 1 \r\n"), "two ports" },
    { "a port too large", SPAN_INIT("PROXY TCP4 192.0.2.1 10.0.0.5 1 65536\r\n"), "two ports" },
    { "a port too large by far",
      SPAN_INIT("PROXY TCP4 192.0.2.1 10.0.0.5 18446744073709551617 1\r\n"), "two ports" },
    { "a port with a zero", SPAN_INIT("PROXY TCP4 192.0.2.1 10.0.0.5 01 2\r\n"), "two ports" },
    { "two zeros", SPAN_INIT("PROXY TCP4 192.0.2.1 10.0.0.5 00 2\r\n"), "two ports" },
    { "a sign", SPAN_INIT("PROXY TCP4 192.0.2.1 10.0.0.5 +1 2\r\n"), "two ports" },
    { "hexadecimal", SPAN_INIT("PROXY TCP4 192.0.2.1 10.0.0.5 0x1 2\r\n"), "two ports" },
    { "a blank at the end", SPAN_INIT("PROXY TCP4 192.0.2.1 10.0.0.5 1 2 \r\n"), "two ports" },
    { "one word more", SPAN_INIT("PROXY TCP4 192.0.2.1 10.0.0.5 1 2 3\r\n"), "two ports" },
    { "a NUL", SPAN_INIT("PROXY TCP4 192.0.2.1\0 10.0.0.5 1 2\r\n"), "no two addresses" },
    { "LF alone", SPAN_INIT("PROXY TCP4 192.0.2.1 10.0.0.5 1 2\n"), "CR and LF" },
    { "CR alone", SPAN_INIT("PROXY UNKNOWN \rGET\r\n"), "CR and LF" },
    { "CR CR LF", SPAN_INIT("PROXY UNKNOWN\r\r\n"), "CR and LF" },
    { "108 bytes",
      SPAN_INIT("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
                " ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535 \r\n"),
      "more than 107" },
    { "107 bytes without an end",
      SPAN_INIT("PROXY UNKNOWN " TWENTY TWENTY TWENTY TWENTY "aaaaaaaaaaaaa"), "more than 107" },

    { "version 1 in binary", SPAN_INIT(SIGNATURE "\x11"), "a version" },
    { "version 3", SPAN_INIT(SIGNATURE "\x31\x11\0\x0c" FROM4 TO4 PORTS), "a version" },
    { "another command", SPAN_INIT(SIGNATURE "\x22"), "a command" },
    { "another family", SPAN_INIT(SIGNATURE "\x21\x41\0\x0c" FROM4 TO4 PORTS), "a family" },
    { "another protocol", SPAN_INIT(SIGNATURE "\x21\x13\0\x0c" FROM4 TO4 PORTS), "a family" },
    { "IPv4 without a protocol", SPAN_INIT(SIGNATURE "\x21\x10\0\x0c" FROM4 TO4 PORTS),
      "a family" },
    { "a protocol without a family", SPAN_INIT(SIGNATURE "\x21\1\0\x0c" FROM4 TO4 PORTS),
      "a family" },
    { "no room for IPv4", SPAN_INIT(SIGNATURE "\x21\x11\0\x0b" FROM4 TO4 PORTS), "too short" },
    { "no room for IPv6", SPAN_INIT(SIGNATURE "\x21\x21\0\x0c" FROM4 TO4 PORTS), "too short" },
    { "no room for a path", SPAN_INIT(SIGNATURE "\x21\x31\0\0"), "too short" },
    { "half a TLV", SPAN_INIT(SIGNATURE "\x21\x11\0\x0e" FROM4 TO4 PORTS "\4\0"), "longer than" },
    { "a TLV too long", SPAN_INIT(SIGNATURE "\x21\x11\0\x10" FROM4 TO4 PORTS "\4\0\2a"),
      "longer than" },
    { "a TLV too long by far", SPAN_INIT(SIGNATURE "\x21\x11\0\x0f" FROM4 TO4 PORTS "\4\xff\xff"),
      "longer than" },
    { "a wrong checksum", SPAN_INIT(SIGNATURE "\x21\x11\0\x13" FROM4 TO4 PORTS "\3\0\4abcd"),
      "checksum" },
    { "a checksum of three bytes",
      SPAN_INIT(SIGNATURE "\x21\x11\0\x12" FROM4 TO4 PORTS "\3\0\3abc"), "checksum" },
    { "too long", SPAN_INIT(SIGNATURE "\x21\x11\x0f\xf1"), "more than 4096" },
    { "too long, LOCAL", SPAN_INIT(SIGNATURE "\x20\0\xff\xff"), "more than 4096" },
};

static void check_end(const struct proxy_end *end, const char *expected, const char *name)
{
    char ip[IP_TEXT_MAX], text[IP_TEXT_MAX + 8];

    snprintf(text, sizeof(text), "%s %u", ip_format(&end->ip, ip), end->port);
    if (strcmp(text, expected) != 0)
        fail_msg("%s: %s in place of %s", name, text, expected);
}

static void check_good(size_t row, const struct proxy_head *h)
{
    assert_int_equal(h->len, good[row].bytes.len);
    assert_int_equal(h->is_announced, good[row].from != NULL);
    assert_true(span_equal(h->endpoint_id, span_text(good[row].id)));
    assert_null(h->why);
    if (good[row].from == NULL)
        return;
    check_end(&h->from, good[row].from, good[row].name);
    check_end(&h->to, good[row].to, good[row].name);
}

/* Whatever follows. */
static void good_ones(void **state)
{
    static const struct span behind[] = { SPAN_INIT(""), SPAN_INIT("GET / HTTP/1.1\r\n\r\n"),
                                          SPAN_INIT("\x16\3\1"), SPAN_INIT("\r\n"),
                                          SPAN_INIT("\0\0") };
    char bytes[512];
    struct proxy_head h;
    (void)state;

    for (size_t row = 0; row < COUNT(good); row++) {
        const size_t len = good[row].bytes.len;
        memcpy(bytes, good[row].bytes.ptr, len);
        for (size_t i = 0; i < COUNT(behind); i++) {
            memcpy(bytes + len, behind[i].ptr, behind[i].len);
            if (proxy_head_parse(span_of(bytes, len + behind[i].len), &h) != PROXY_HEAD_WHOLE)
                fail_msg("%s: %s", good[row].name, h.why == NULL ? "partial" : h.why);
            check_good(row, &h);
        }
    }
}

/* And no byte behind what is there is looked at. */
static void every_prefix_is_partial(void **state)
{
    struct proxy_head h;
    (void)state;

    for (size_t row = 0; row < COUNT(good); row++) {
        for (size_t n = 0; n <= good[row].bytes.len; n++) {
            const struct span cut = at_end_of_page(span_of(good[row].bytes.ptr, n));
            const enum proxy_head_state got = proxy_head_parse(cut, &h);
            const bool is_whole = n == good[row].bytes.len;
            if (got != (is_whole ? PROXY_HEAD_WHOLE : PROXY_HEAD_PARTIAL))
                fail_msg("%s: %zu bytes are %d", good[row].name, n, got);
        }
    }
}

/* As soon as it shows, and then whatever follows. */
static void bad_ones(void **state)
{
    struct proxy_head h;
    (void)state;

    for (size_t row = 0; row < COUNT(bad); row++) {
        enum proxy_head_state got = PROXY_HEAD_PARTIAL;
        for (size_t n = 0; n <= bad[row].bytes.len; n++) {
            const enum proxy_head_state before = got;
            got = proxy_head_parse(at_end_of_page(span_of(bad[row].bytes.ptr, n)), &h);
            assert_true(got != PROXY_HEAD_WHOLE && got >= before);
        }
        if (got != PROXY_HEAD_REFUSED || strstr(h.why, bad[row].why) == NULL)
            fail_msg("%s: %s", bad[row].name, got == PROXY_HEAD_REFUSED ? h.why : "partial");
    }
}

/* A whole head of this many bytes, filled with one TLV. */
static struct span padded(char *bytes, size_t len)
{
    static const char start[] = SIGNATURE "\x21\x11";
    const size_t left = len - 16, value = left - 12 - 3;

    memset(bytes, 'x', len);
    memcpy(bytes, start, 14);
    bytes[14] = (char)(left >> 8);
    bytes[15] = (char)left;
    memcpy(bytes + 28, "\4", 1);
    bytes[29] = (char)(value >> 8);
    bytes[30] = (char)value;
    return span_of(bytes, len);
}

static void the_bound(void **state)
{
    char *bytes = malloc(PROXY_HEAD_MAX + 1);
    struct proxy_head h;
    (void)state;

    assert_int_equal(proxy_head_parse(padded(bytes, PROXY_HEAD_MAX), &h), PROXY_HEAD_WHOLE);
    assert_int_equal(h.len, PROXY_HEAD_MAX);
    assert_int_equal(proxy_head_parse(padded(bytes, PROXY_HEAD_MAX + 1), &h), PROXY_HEAD_REFUSED);
    free(bytes);
}

/* Each bit of a head with a checksum counts. */
static void the_checksum(void **state)
{
    char bytes[sizeof(REAL) - 1];
    struct proxy_head h;
    (void)state;

    for (size_t bit = 8 * 16; bit < 8 * sizeof(bytes); bit++) {
        memcpy(bytes, REAL, sizeof(bytes));
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        const bool hides_it = bit / 8 >= 28 && bit / 8 < 31; /* the TLV is another one then */
        if (!hides_it)
            assert_int_equal(proxy_head_parse(span_of(bytes, sizeof(bytes)), &h),
                             PROXY_HEAD_REFUSED);
    }
}

static void beginnings(void **state)
{
    (void)state;

    for (size_t row = 0; row < COUNT(good); row++)
        assert_true(proxy_head_begins(good[row].bytes));
    assert_true(proxy_head_begins(SPAN("PROXY nonsense")));
    assert_false(proxy_head_begins(SPAN("PROXY")));
    assert_false(proxy_head_begins(SPAN("\r\n\r\n")));
    assert_false(proxy_head_begins(SPAN("GET / HTTP/1.1\r\n")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones),    cmocka_unit_test(every_prefix_is_partial),
        cmocka_unit_test(bad_ones),     cmocka_unit_test(the_bound),
        cmocka_unit_test(the_checksum), cmocka_unit_test(beginnings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
