/* The edge set against a linear scan, and the files that it is read from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/edge_set.h"
#include "base/mem.h"

static struct cidr cidr(const char *text)
{
    struct cidr block;
    char why[160];

    if (!cidr_parse(span_text(text), &block, why, sizeof(why)))
        fail_msg("%s", why);
    return block;
}

static struct ip ip(const char *text)
{
    struct ip out;

    if (!ip_parse(span_text(text), &out))
        fail_msg("%s", text);
    return out;
}

/* A set of the blocks in a NULL-terminated list, built. */
static struct edge_set *set_of(const char *const blocks[])
{
    struct edge_set *set = edge_set_new();

    for (size_t i = 0; blocks[i] != NULL; i++) {
        struct cidr block = cidr(blocks[i]);
        edge_set_add(set, &block);
    }
    edge_set_build(set);
    return set;
}

static const struct {
    const char *name;
    const char *blocks[6];
    const char *in[5], *out[5];
    size_t ranges;
} memberships[] = {
    { "empty", { NULL }, { NULL }, { "10.0.0.1", "::", "0.0.0.0" }, 0 },
    { "one address", { "10.0.1.37" }, { "10.0.1.37" }, { "10.0.1.36", "10.0.1.38" }, 1 },
    { "both ends of a block",
      { "10.1.0.0/16" },
      { "10.1.0.0", "10.1.255.255" },
      { "10.0.255.255", "10.2.0.0" },
      1 },
    { "nested, the wide one last",
      { "10.1.2.0/24", "10.1.2.3", "10.1.0.0/16" },
      { "10.1.2.3", "10.1.2.4", "10.1.3.0", "10.1.255.255" },
      { "10.2.0.0" },
      1 },
    { "nested, a gap behind",
      { "10.1.0.0/16", "10.1.2.0/24", "10.3.0.0/16" },
      { "10.1.9.9", "10.3.0.1" },
      { "10.2.0.1", "10.4.0.0" },
      2 },
    { "repeated", { "10.1.2.0/24", "10.1.2.0/24" }, { "10.1.2.9" }, { "10.1.3.0" }, 1 },
    { "neighbours stay two",
      { "10.0.0.0/25", "10.0.0.128/25" },
      { "10.0.0.127", "10.0.0.128" },
      { "10.0.1.0" },
      2 },
    { "all of IPv4 is none of IPv6",
      { "0.0.0.0/0" },
      { "0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4" },
      { "::", "::1", "2001:db8::" },
      1 },
    { "all of IPv6 is none of IPv4",
      { "::/0" },
      { "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
      { "0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4" },
      1 },
    { "both families",
      { "2001:db8::/32", "10.0.0.0/8", "fd00::/8" },
      { "2001:db8::1", "10.9.9.9", "fdff::" },
      { "2001:db9::", "11.0.0.0", "fe00::" },
      3 },
};

static void test_membership(void **state)
{
    (void)state;

    for (size_t i = 0; i < sizeof(memberships) / sizeof(memberships[0]); i++) {
        struct edge_set *set = set_of(memberships[i].blocks);
        if (edge_set_ranges(set) != memberships[i].ranges)
            fail_msg("%s: %zu ranges", memberships[i].name, edge_set_ranges(set));
        for (size_t j = 0; j < 5 && memberships[i].in[j] != NULL; j++) {
            struct ip at = ip(memberships[i].in[j]);
            if (!edge_set_contains(set, &at))
                fail_msg("%s: %s is not in", memberships[i].name, memberships[i].in[j]);
        }
        for (size_t j = 0; j < 5 && memberships[i].out[j] != NULL; j++) {
            struct ip at = ip(memberships[i].out[j]);
            if (edge_set_contains(set, &at))
                fail_msg("%s: %s is in", memberships[i].name, memberships[i].out[j]);
        }
        edge_set_free(&set);
        assert_null(set);
    }
}

static void test_no_address_is_in_no_set(void **state)
{
    struct edge_set *set = set_of((const char *const[]){ "0.0.0.0/0", "::/0", NULL });
    const struct ip none = { 0 };
    (void)state;

    assert_false(edge_set_contains(set, &none));
    edge_set_free(&set);
}

/* --- properties ------------------------------------------------------------ */

/* Few distinct bytes, so that blocks nest, touch and repeat. */
static struct ip random_ip(void)
{
    struct ip out = { .family = rand() % 2 ? 4 : 6 };

    for (int i = 0; i < (out.family == 4 ? 4 : 16); i++)
        out.bytes[i] = (uint8_t)(rand() % 8 == 0 ? rand() : rand() % 2 * 255);
    return out;
}

static struct cidr random_block(void)
{
    struct cidr out = { .ip = random_ip() };
    int size = out.ip.family == 4 ? 32 : 128;

    out.bits = (uint8_t)(rand() % (size + 1));
    for (int i = out.bits; i < size; i++)
        out.ip.bytes[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
    return out;
}

static void check_against_scan(size_t count)
{
    struct cidr *blocks = mem_array(struct cidr, count);
    struct edge_set *set = edge_set_new();

    for (size_t i = 0; i < count; i++) {
        blocks[i] = random_block();
        edge_set_add(set, &blocks[i]);
    }
    edge_set_build(set);
    assert_int_equal(edge_set_blocks(set), count);
    for (int look = 0; look < 100; look++) {
        struct ip at = random_ip();
        bool want = false;
        for (size_t i = 0; i < count && !want; i++)
            want = cidr_contains(&blocks[i], &at);
        assert_int_equal(edge_set_contains(set, &at), want);
    }
    edge_set_free(&set);
    free(blocks);
}

static void test_random_sets_against_a_scan(void **state)
{
    (void)state;
    srand(1);
    for (size_t round = 0; round < 200; round++)
        check_against_scan(round % 40);
}

static void test_items_are_sorted_and_disjoint(void **state)
{
    struct edge_set *set = edge_set_new();
    (void)state;

    srand(2);
    for (int i = 0; i < 500; i++) {
        struct cidr block = random_block();
        if (block.bits >= 4)
            edge_set_add(set, &block);
    }
    edge_set_build(set);
    const struct cidr *items = edge_set_items(set);
    for (size_t i = 1; i < edge_set_ranges(set); i++) {
        assert_true(memcmp(&items[i - 1].ip, &items[i].ip, sizeof(struct ip)) < 0);
        assert_false(cidr_contains(&items[i - 1], &items[i].ip));
    }
    edge_set_free(&set);
}

static void test_fifty_thousand(void **state)
{
    struct edge_set *set = edge_set_new();
    (void)state;

    for (uint32_t i = 0; i < 50000; i++) {
        uint32_t n = i * 7919 % 50000; /* every second /24, in no order */
        struct cidr block = {
            .ip = { 4, { (uint8_t)(n >> 15), (uint8_t)(n >> 7), (uint8_t)(n << 1) } }, .bits = 24
        };
        edge_set_add(set, &block);
    }
    edge_set_build(set);
    assert_int_equal(edge_set_ranges(set), 50000);
    for (uint32_t n = 0; n < 100000; n++) {
        struct ip at = { 4, { (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, 255 } };
        assert_int_equal(edge_set_contains(set, &at), n % 2 == 0);
    }
    edge_set_free(&set);
}

static void test_a_set_with_more(void **state)
{
    struct edge_set *set = set_of((const char *const[]){ "10.1.0.0/16", "10.2.0.1", NULL });
    const struct cidr more[] = { cidr("10.2.0.0/16"), cidr("10.1.2.3"), cidr("fd00::/8") };
    struct edge_set *all = edge_set_with(set, more, 3), *none = edge_set_with(set, NULL, 0);
    const struct ip in = ip("10.2.9.9"), v6 = ip("fd00::1");
    (void)state;

    assert_int_equal(edge_set_ranges(all), 3);
    assert_int_equal(edge_set_blocks(all), 5);
    assert_true(edge_set_contains(all, &in) && edge_set_contains(all, &v6));
    assert_false(edge_set_contains(set, &in));
    assert_int_equal(edge_set_ranges(none), 2);
    edge_set_free(&set);
    edge_set_free(&all);
    edge_set_free(&none);
}

/* --- files ------------------------------------------------------------------ */

static char file_path[64];

static const char *file_of(const char *text)
{
    strcpy(file_path, "/tmp/test_edge_set.XXXXXX");
    int fd = mkstemp(file_path);
    assert_true(fd != -1);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return file_path;
}

/* What `why` says after the path; "" when the file was taken. */
static const char *read_file(struct edge_set *set, const char *text, const char *service)
{
    static char why[400];
    const char *path = file_of(text);
    bool ok = service == NULL ? edge_set_add_file(set, path, why, sizeof(why))
                              : edge_set_add_ip_ranges(set, path, service, why, sizeof(why));

    unlink(path);
    if (ok)
        return "";
    assert_true(span_starts_with(span_text(why), span_text(path)));
    return why + strlen(path);
}

static void test_file_of_blocks(void **state)
{
    struct edge_set *set = edge_set_new();
    (void)state;

    assert_string_equal(read_file(set,
                                  "# the edge's interfaces\n"
                                  "10.0.1.37   # subnet a\r\n"
                                  "\n"
                                  "\t10.0.2.0/24\n"
                                  "2001:db8::/32",
                                  NULL),
                        "");
    assert_int_equal(edge_set_blocks(set), 3);
    assert_string_equal(read_file(set, "# none\n", NULL), "");
    assert_string_equal(read_file(set, "", NULL), "");
    assert_int_equal(edge_set_blocks(set), 3);
    edge_set_free(&set);
}

static void assert_origin(const struct edge_set *set, size_t i, const char *block, int line)
{
    const struct edge_origin o = edge_set_origin(set, i);
    char text[CIDR_TEXT_MAX];

    assert_string_equal(cidr_format(&o.block, text), block);
    assert_int_equal(o.line, line);
}

static void test_where_blocks_stand(void **state)
{
    struct edge_set *set = edge_set_new();
    const struct cidr wide = cidr("10.0.0.0/8"), bare = cidr("192.0.2.1");
    (void)state;

    edge_set_add(set, &bare);
    edge_set_source(set, "alb.ini", NULL);
    edge_set_add_at(set, &wide, 7);
    assert_string_equal(read_file(set, "# none\n10.1.0.0/16\n\n10.0.0.0/8\n", NULL), "");
    edge_set_build(set);
    assert_int_equal(edge_set_blocks(set), 4);
    assert_int_equal(edge_set_ranges(set), 2);
    assert_origin(set, 0, "192.0.2.1/32", 0);
    assert_null(edge_set_origin(set, 0).file);
    assert_origin(set, 1, "10.0.0.0/8", 7);
    assert_string_equal(edge_set_origin(set, 1).file, "alb.ini");
    assert_origin(set, 2, "10.1.0.0/16", 2);
    assert_string_equal(edge_set_origin(set, 2).file, file_path);
    assert_origin(set, 3, "10.0.0.0/8", 4);
    assert_null(edge_set_origin(set, 3).service);
    edge_set_free(&set);
}

static void test_bad_file_leaves_the_set_alone(void **state)
{
    struct edge_set *set = edge_set_new();
    struct cidr block = cidr("10.0.0.0/8");
    char why[200];
    (void)state;

    edge_set_add(set, &block);
    const char *said = read_file(set, "10.1.0.0/16\n# \n10.2.0.1/16\n", NULL);
    assert_non_null(strstr(said, ":3: "));
    assert_non_null(strstr(said, "10.2.0.0/16"));
    said = read_file(set, "10.1.0.0/16 10.2.0.0/16\n", NULL);
    assert_non_null(strstr(said, ":1: "));
    assert_false(edge_set_add_file(set, "/nonexistent/edge.txt", why, sizeof(why)));
    assert_non_null(strstr(why, "/nonexistent/edge.txt"));
    assert_int_equal(edge_set_blocks(set), 1);
    edge_set_free(&set);
}

#define PREFIX4(p, s) "{\"ip_prefix\":\"" p "\",\"region\":\"GLOBAL\",\"service\":\"" s "\"}"
#define PREFIX6(p, s) "{\"ipv6_prefix\":\"" p "\",\"region\":\"GLOBAL\",\"service\":\"" s "\"}"

static const char ranges[] =
    "{\"syncToken\":\"1\",\"createDate\":\"2026-01-02-03-04-05\","
    "\"prefixes\":[" PREFIX4("13.113.196.64/26", "FACING") "," PREFIX4(
        "3.5.140.0/22",
        "AMAZON") "," PREFIX4("13.113.203.0/24",
                              "FACING") "],\"ipv6_prefixes\":[" PREFIX6("2600:9000::/28",
                                                                        "FACING") "," PREFIX6("2a05"
                                                                                              ":d07"
                                                                                              "a::/"
                                                                                              "40",
                                                                                              "S3") "]}";

static void test_ip_ranges(void **state)
{
    struct edge_set *set = edge_set_new();
    struct ip in4 = ip("13.113.203.7"), in6 = ip("2600:9001::1"), out = ip("3.5.140.1");
    (void)state;

    assert_string_equal(read_file(set, ranges, "FACING"), "");
    assert_int_equal(edge_set_blocks(set), 3);
    edge_set_build(set);
    assert_string_equal(edge_set_origin(set, 2).service, "FACING");
    assert_string_equal(edge_set_origin(set, 2).file, file_path);
    assert_true(edge_set_contains(set, &in4));
    assert_true(edge_set_contains(set, &in6));
    assert_false(edge_set_contains(set, &out));
    edge_set_free(&set);
}

static void test_bad_ip_ranges(void **state)
{
    static const struct {
        const char *name, *text, *service, *says;
    } cases[] = {
        { "unknown service", ranges, "facing", "no prefix of a service \"facing\"" },
        { "not JSON", "{\n\"prefixes\": [}\n", "S3", ":2: " },
        { "another JSON", "[1,2]", "S3", "no prefix of a service" },
        { "entries of another kind", "{\"prefixes\":[1,null,{}]}", "S3", "no prefix of a service" },
        { "a bad block after a good one",
          "{\"prefixes\":[" PREFIX4("10.0.0.0/8", "S3") "," PREFIX4("10.0.0.1/8", "S3") "]}", "S3",
          ": service S3: " },
        { "a list that is none beside a good one",
          "{\"prefixes\":{},\"ipv6_prefixes\":[" PREFIX6("2600::/32", "S3") "]}", "S3",
          ": service S3: \"prefixes\" is no list" },
        { "a list that is none behind a good one",
          "{\"prefixes\":[" PREFIX4("10.0.0.0/8", "S3") "],\"ipv6_prefixes\":\"\"}", "S3",
          ": service S3: \"ipv6_prefixes\" is no list" },
        { "a block missing", "{\"prefixes\":[{\"service\":\"S3\"}]}", "S3", ": service S3: " },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct edge_set *set = edge_set_new();
        const char *said = read_file(set, cases[i].text, cases[i].service);
        if (strstr(said, cases[i].says) == NULL)
            fail_msg("%s: said \"%s\"", cases[i].name, said);
        assert_int_equal(edge_set_blocks(set), 0);
        edge_set_free(&set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_membership),
        cmocka_unit_test(test_no_address_is_in_no_set),
        cmocka_unit_test(test_random_sets_against_a_scan),
        cmocka_unit_test(test_items_are_sorted_and_disjoint),
        cmocka_unit_test(test_fifty_thousand),
        cmocka_unit_test(test_a_set_with_more),
        cmocka_unit_test(test_file_of_blocks),
        cmocka_unit_test(test_where_blocks_stand),
        cmocka_unit_test(test_bad_file_leaves_the_set_alone),
        cmocka_unit_test(test_ip_ranges),
        cmocka_unit_test(test_bad_ip_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
