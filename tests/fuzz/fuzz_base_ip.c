/*
 * Addresses and blocks: what was read, written and read again is the same, a
 * block holds its own first address, and nothing that is read is mapped.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/ip.h"

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool is_mapped(const struct ip *ip)
{
    static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

    return ip->family == 6 && memcmp(ip->bytes, prefix, sizeof(prefix)) == 0;
}

static void check_ip(struct span text)
{
    struct ip ip, again;
    char out[IP_TEXT_MAX];

    if (!ip_parse(text, &ip))
        return;
    must((ip.family == 4 || ip.family == 6) && !is_mapped(&ip));
    must(ip_parse(span_text(ip_format(&ip, out)), &again));
    must(ip_equal(&ip, &again));
}

static void check_block(struct span text)
{
    struct cidr block, again;
    char why[160] = "", out[CIDR_TEXT_MAX];

    if (!cidr_parse(text, &block, why, sizeof(why))) {
        must(why[0] != '\0');
        return;
    }
    must(block.bits <= (block.ip.family == 4 ? 32 : 128) && !is_mapped(&block.ip));
    must(cidr_contains(&block, &block.ip));
    must(cidr_parse(span_text(cidr_format(&block, out)), &again, why, sizeof(why)));
    must(ip_equal(&block.ip, &again.ip) && block.bits == again.bits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_ip(span_of(data, size));
    check_block(span_of(data, size));
    return 0;
}
