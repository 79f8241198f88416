/* The compiled set says of each address what the set says, as long as it fits. */
#include "edge_fixture.h"

#include <stdlib.h>

#include "net/edge_classic.h"

enum { HEADER = 40 };

static struct sock_filter code[BPF_MAXINSNS];
static size_t count;

static void compile(const struct edge_set *set)
{
    count = edge_classic_write(edge_set_items(set), edge_set_ranges(set), code, BPF_MAXINSNS);
}

/* An IP header from this address. */
static void packet_from(const struct ip *ip, uint8_t packet[HEADER])
{
    memset(packet, 0xa5, HEADER);
    packet[0] = ip->family == 4 ? 0x45 : 0x6f;
    memcpy(packet + (ip->family == 4 ? 12 : 8), ip->bytes, ip->family == 4 ? 4 : 16);
}

static uint32_t load(const struct sock_filter *i, const uint8_t packet[HEADER])
{
    const size_t at = i->k - (uint32_t)SKF_NET_OFF;
    const uint8_t *p = packet + at;

    assert_true(at + (BPF_SIZE(i->code) == BPF_B ? 1 : 4) <= HEADER);
    if (BPF_SIZE(i->code) == BPF_B)
        return p[0];
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool holds(const struct sock_filter *i, uint32_t a)
{
    switch (BPF_OP(i->code)) {
    case BPF_JEQ:
        return a == i->k;
    case BPF_JGE:
        return a >= i->k;
    case BPF_JGT:
        return a > i->k;
    default:
        fail_msg("code %x", i->code);
        return false;
    }
}

/* What the kernel does with it, for the instructions that there are. */
static bool admits(const struct ip *ip)
{
    uint8_t packet[HEADER];
    uint32_t a = 0;

    packet_from(ip, packet);
    for (size_t pc = 0; pc < count; pc++) {
        const struct sock_filter *i = &code[pc];
        switch (BPF_CLASS(i->code)) {
        case BPF_LD:
            a = load(i, packet);
            break;
        case BPF_ALU:
            a &= i->k;
            break;
        case BPF_RET:
            return i->k != 0;
        default:
            pc += BPF_OP(i->code) == BPF_JA ? i->k : holds(i, a) ? i->jt : i->jf;
        }
    }
    fail_msg("the program has no end");
    return false;
}

static void test_cases(void **state)
{
    static const struct {
        const char *blocks, *ip;
        bool admitted;
    } cases[] = {
        { "", "10.0.0.1", false },
        { "", "::1", false },
        { "0.0.0.0/0", "255.255.255.255", true },
        { "0.0.0.0/0", "::1", false },
        { "::/0", "ffff::", true },
        { "::/0", "10.0.0.1", false },
        { "10.0.0.1", "10.0.0.1", true },
        { "10.0.0.1", "10.0.0.2", false },
        { "10.0.0.0/8 192.0.2.0/24", "192.0.2.255", true },
        { "10.0.0.0/8 192.0.2.0/24", "192.0.3.0", false },
        { "10.0.0.0/8 192.0.2.0/24", "9.255.255.255", false },
        { "2001:db8::/32 2001:db9::/48", "2001:db9::1", true },
        { "2001:db8::/32 2001:db9::/48", "2001:db9:1::1", false },
        { "2001:db8::1 2001:db8::2", "2001:db8::2", true },
        { "2001:db8::1 2001:db8::2", "2001:db8::3", false },
        { "10.0.0.0/8 2001:db8::/64", "2001:db8::ffff", true },
        { "10.0.0.0/8 2001:db8::/64", "2001:db8:0:1::", false },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct edge_set *set = set_of(cases[i].blocks);
        const struct ip ip = ip_of(cases[i].ip);
        compile(set);
        if (admits(&ip) != cases[i].admitted)
            fail_msg("%s, %s", cases[i].blocks, cases[i].ip);
        edge_set_free(&set);
    }
}

/* --- at random ------------------------------------------------------------------------ */

/* Few values, so that blocks share words. */
static struct ip random_ip(unsigned *seed)
{
    struct ip ip = { .family = rand_r(seed) % 2 == 0 ? 4 : 6 };

    for (int i = 0; i < (ip.family == 4 ? 4 : 16); i++)
        ip.bytes[i] = (uint8_t)(rand_r(seed) % 3 * 0x7f + rand_r(seed) % 2);
    return ip;
}

static struct edge_set *random_set(unsigned *seed, int blocks)
{
    struct edge_set *set = edge_set_new();

    for (int i = 0; i < blocks; i++) {
        const struct ip ip = random_ip(seed);
        const unsigned bits = (unsigned)rand_r(seed) % (ip.family == 4 ? 33 : 129);
        const struct cidr block = { ip_network(ip, bits), (uint8_t)bits };
        if (bits > 4)
            edge_set_add(set, &block);
    }
    edge_set_build(set);
    return set;
}

static void test_agrees_with_the_set(void **state)
{
    unsigned seed = 1;
    (void)state;

    for (int round = 0; round < 200; round++) {
        struct edge_set *set = random_set(&seed, round);
        compile(set);
        assert_true(count > 0);
        for (int i = 0; i < 500; i++) {
            struct ip ip = random_ip(&seed);
            assert_int_equal(admits(&ip), edge_set_contains(set, &ip));
        }
        edge_set_free(&set);
    }
}

/* As many as the header promises, and an honest no beyond. */
static void test_how_many_fit(void **state)
{
    (void)state;

    for (unsigned blocks = 100; blocks <= 1600; blocks += 100) {
        struct edge_set *set = edge_set_new();
        for (unsigned i = 0; i < blocks; i++) {
            const struct cidr block = { { 4, { 10, (uint8_t)(i >> 7), (uint8_t)(i << 1) } }, 24 };
            edge_set_add(set, &block);
        }
        edge_set_build(set);
        compile(set);
        assert_true(count > 0 || blocks > 600);
        assert_true(count == 0 || blocks < 1500);
        for (unsigned i = 0; count > 0 && i < blocks; i++) {
            const struct ip in = { 4, { 10, (uint8_t)(i >> 7), (uint8_t)(i << 1), 7 } };
            const struct ip out = { 4, { 10, (uint8_t)(i >> 7), (uint8_t)(i << 1 | 1), 7 } };
            assert_true(admits(&in));
            assert_false(admits(&out));
        }
        edge_set_free(&set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_agrees_with_the_set),
        cmocka_unit_test(test_how_many_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
