/* Addresses and CIDR blocks: readings, refusals with their sentences, membership. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>

#include <string.h>

#include "base/ip.h"
#include "base/random.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_parse(void **state)
{
    static const struct {
        struct span text;
        const char *want; /* as formatted again; NULL: refused */
    } cases[] = {
        { SPAN_INIT("10.0.1.37"), "10.0.1.37" },
        { SPAN_INIT("255.255.255.255"), "255.255.255.255" },
        { SPAN_INIT("::1"), "::1" },
        { SPAN_INIT("2001:DB8:0:0:0:0:0:1"), "2001:db8::1" },
        { SPAN_INIT("::"), "::" },
        { SPAN_INIT("::ffff:10.0.0.1"), "10.0.0.1" },
        { SPAN_INIT("::ffff:a00:1"), "10.0.0.1" },
        { SPAN_INIT("0:0:0:0:0:ffff:10.0.0.1"), "10.0.0.1" },
        { SPAN_INIT("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"),
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
        { SPAN_INIT("10.0.0.01"), NULL },
        { SPAN_INIT("127.1"), NULL },
        { SPAN_INIT("1.2.3.256"), NULL },
        { SPAN_INIT("1.2.3.4.5"), NULL },
        { SPAN_INIT("1.2.3."), NULL },
        { SPAN_INIT(" 1.2.3.4"), NULL },
        { SPAN_INIT("1.2.3.4 "), NULL },
        { SPAN_INIT("1.2.3.4\0"), NULL },
        { SPAN_INIT("0x7f.0.0.1"), NULL },
        { SPAN_INIT("[::1]"), NULL },
        { SPAN_INIT("fe80::1%eth0"), NULL },
        { SPAN_INIT("1::2::3"), NULL },
        { SPAN_INIT("12345::"), NULL },
        { SPAN_INIT(":"), NULL },
        { SPAN_INIT(""), NULL },
        { SPAN_INIT("localhost"), NULL },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ip ip = { .family = 0 };
        char out[IP_TEXT_MAX];
        bool good = ip_parse(cases[i].text, &ip);
        if (good != (cases[i].want != NULL))
            fail_msg("%.*s: %s", SPAN_ARGS(cases[i].text), good ? "read" : "refused");
        assert_string_equal(ip_format(&ip, out), good ? cases[i].want : "-");
    }
}

/* As the C library has it, for each value of a byte in each place. */
static void test_v4_is_formatted_as_by_the_library(void **state)
{
    char out[IP_TEXT_MAX], want[INET_ADDRSTRLEN];
    (void)state;

    for (int i = 0; i < 4 * 256; i++) {
        struct ip ip = { .family = 4, .bytes = { 10, 200, 3, 77 } };
        ip.bytes[i / 256] = (uint8_t)i;
        assert_string_equal(ip_format(&ip, out), inet_ntop(AF_INET, ip.bytes, want, sizeof(want)));
    }
}

static void test_blocks(void **state)
{
    static const struct {
        struct span text;
        const char *want;
    } cases[] = {
        { SPAN_INIT("10.0.0.0/8"), "10.0.0.0/8" },
        { SPAN_INIT("0.0.0.0/0"), "0.0.0.0/0" },
        { SPAN_INIT("10.0.0.1"), "10.0.0.1/32" },
        { SPAN_INIT("2001:db8::/33"), "2001:db8::/33" },
        { SPAN_INIT("::/0"), "::/0" },
        { SPAN_INIT("::1"), "::1/128" },
        { SPAN_INIT("::ffff:10.0.0.0/104"), "10.0.0.0/8" },
        { SPAN_INIT("::ffff:0:0/96"), "0.0.0.0/0" },
        { SPAN_INIT("::ffff:10.0.0.1"), "10.0.0.1/32" },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cidr block;
        char why[160] = "", out[CIDR_TEXT_MAX];
        if (!cidr_parse(cases[i].text, &block, why, sizeof(why)))
            fail_msg("%s", why);
        assert_string_equal(cidr_format(&block, out), cases[i].want);
    }
}

static void test_refused_blocks(void **state)
{
    static const struct {
        struct span text;
        const char *why;
    } cases[] = {
        { SPAN_INIT("10.0.0.1/8"), "\"10.0.0.1/8\" has host bits set; did you mean 10.0.0.0/8?" },
        { SPAN_INIT("10.0.1.37/31"),
          "\"10.0.1.37/31\" has host bits set; did you mean 10.0.1.36/31?" },
        { SPAN_INIT("2001:db8::1/32"),
          "\"2001:db8::1/32\" has host bits set; did you mean 2001:db8::/32?" },
        { SPAN_INIT("::ffff:0:0/90"),
          "\"::ffff:0:0/90\" has host bits set; did you mean ::ffc0:0:0/90?" },
        { SPAN_INIT("10.0.0.0/33"), "\"10.0.0.0/33\": the prefix length is not 0..32" },
        { SPAN_INIT("10.0.0.0/08"), "\"10.0.0.0/08\": the prefix length is not 0..32" },
        { SPAN_INIT("10.0.0.0/"), "\"10.0.0.0/\": the prefix length is not 0..32" },
        { SPAN_INIT("10.0.0.0/8/8"), "\"10.0.0.0/8/8\": the prefix length is not 0..32" },
        { SPAN_INIT("::/129"), "\"::/129\": the prefix length is not 0..128" },
        { SPAN_INIT("10.0.0/8"),
          "\"10.0.0/8\" is not an IP address or a block such as 10.0.0.0/8" },
        { SPAN_INIT(""), "\"\" is not an IP address or a block such as 10.0.0.0/8" },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cidr block = { .bits = 77 };
        char why[160] = "";
        assert_false(cidr_parse(cases[i].text, &block, why, sizeof(why)));
        assert_string_equal(why, cases[i].why);
        assert_int_equal(block.bits, 77);
    }
}

static void test_contains(void **state)
{
    static const struct {
        struct span block, ip;
        bool want;
    } cases[] = {
        { SPAN_INIT("10.0.0.0/8"), SPAN_INIT("10.255.255.255"), true },
        { SPAN_INIT("10.0.0.0/8"), SPAN_INIT("11.0.0.0"), false },
        { SPAN_INIT("10.0.0.0/8"), SPAN_INIT("::ffff:10.1.2.3"), true },
        { SPAN_INIT("10.0.0.0/31"), SPAN_INIT("10.0.0.1"), true },
        { SPAN_INIT("10.0.0.0/31"), SPAN_INIT("10.0.0.2"), false },
        { SPAN_INIT("0.0.0.0/0"), SPAN_INIT("203.0.113.9"), true },
        { SPAN_INIT("0.0.0.0/0"), SPAN_INIT("::1"), false },
        { SPAN_INIT("::/0"), SPAN_INIT("10.0.0.1"), false },
        { SPAN_INIT("2001:db8:8000::/33"), SPAN_INIT("2001:db8:ffff::1"), true },
        { SPAN_INIT("2001:db8:8000::/33"), SPAN_INIT("2001:db8:7fff::1"), false },
        { SPAN_INIT("::1"), SPAN_INIT("::1"), true },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cidr block;
        struct ip ip;
        char why[160];
        assert_true(cidr_parse(cases[i].block, &block, why, sizeof(why)));
        assert_true(ip_parse(cases[i].ip, &ip));
        if (cidr_contains(&block, &ip) != cases[i].want)
            fail_msg("%.*s in %.*s", SPAN_ARGS(cases[i].ip), SPAN_ARGS(cases[i].block));
    }
}

/* Any address, at any length: its block holds it, and the address with the
 * last bit of the prefix turned over is outside. */
static void test_any_prefix(void **state)
{
    (void)state;

    for (unsigned bits = 1; bits <= 128; bits++) {
        struct ip ip = { .family = 6 }, other;
        random_bytes(ip.bytes, sizeof(ip.bytes));
        ip.bytes[0] = 0x20; /* no mapped one */
        other = ip;
        other.bytes[(bits - 1) / 8] ^= (uint8_t)(0x80u >> (bits - 1) % 8);

        struct cidr block = { .ip = ip, .bits = (uint8_t)bits };
        for (unsigned i = bits; i < 128; i++)
            block.ip.bytes[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
        assert_true(cidr_contains(&block, &ip));
        assert_false(cidr_contains(&block, &other));

        char out[CIDR_TEXT_MAX], why[160];
        struct cidr again;
        assert_true(cidr_parse(span_text(cidr_format(&block, out)), &again, why, sizeof(why)));
        assert_true(ip_equal(&again.ip, &block.ip) && again.bits == bits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),    cmocka_unit_test(test_v4_is_formatted_as_by_the_library),
        cmocka_unit_test(test_blocks),   cmocka_unit_test(test_refused_blocks),
        cmocka_unit_test(test_contains), cmocka_unit_test(test_any_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
