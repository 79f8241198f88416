/* ip.c -- see ip.h. */
#include "base/ip.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/text.h"

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

struct ip ip_of_mapped(struct ip ip)
{
    struct ip v4 = { .family = 4 };

    if (ip.family != 6 || memcmp(ip.bytes, mapped_prefix, sizeof(mapped_prefix)) != 0)
        return ip;
    memcpy(v4.bytes, ip.bytes + sizeof(mapped_prefix), 4);
    return v4;
}

/* inet_pton() is as strict as we want to be, but reads up to a NUL. */
static bool parse_as_written(struct span text, struct ip *out)
{
    char copy[IP_TEXT_MAX];
    struct ip ip = { .family = 4 };

    if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len) != NULL)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (strchr(copy, ':') != NULL)
        ip.family = 6;
    if (inet_pton(ip.family == 6 ? AF_INET6 : AF_INET, copy, ip.bytes) != 1)
        return false;
    *out = ip;
    return true;
}

bool ip_parse(struct span text, struct ip *out)
{
    if (!parse_as_written(text, out))
        return false;
    *out = ip_of_mapped(*out);
    return true;
}

static unsigned whole_length(const struct ip *ip)
{
    return ip->family == 4 ? 32 : 128;
}

struct ip ip_network(struct ip ip, unsigned bits)
{
    for (unsigned i = 0; i < sizeof(ip.bytes); i++) {
        unsigned kept = bits <= i * 8 ? 0 : bits - i * 8;
        if (kept < 8)
            ip.bytes[i] &= (uint8_t)(0xff00u >> kept);
    }
    return ip;
}

/* "8" in "/8"; no leading zeros, as in addresses. */
static bool parse_bits(struct span text, unsigned most, unsigned *out)
{
    uint64_t bits;

    if (!text_u64(text, &bits) || bits > most || (text.len > 1 && text.ptr[0] == '0'))
        return false;
    *out = (unsigned)bits;
    return true;
}

bool cidr_parse(struct span text, struct cidr *out, char *why, size_t why_size)
{
    const char *slash = text.len == 0 ? NULL : memchr(text.ptr, '/', text.len);
    struct span address = slash == NULL ? text : span_of(text.ptr, (size_t)(slash - text.ptr));
    int shown = text.len > CIDR_TEXT_MAX ? CIDR_TEXT_MAX : (int)text.len;
    struct ip ip;

    if (!parse_as_written(address, &ip)) {
        snprintf(why, why_size, "\"%.*s\" is not an IP address or a block such as 10.0.0.0/8",
                 shown, text.ptr);
        return false;
    }
    unsigned most = whole_length(&ip);
    unsigned bits = most;
    if (slash != NULL && !parse_bits(span_after(text, address.len + 1), most, &bits)) {
        snprintf(why, why_size, "\"%.*s\": the prefix length is not 0..%u", shown, text.ptr, most);
        return false;
    }
    struct cidr block = { .ip = ip_network(ip, bits), .bits = (uint8_t)bits };
    if (!ip_equal(&block.ip, &ip)) {
        char meant[CIDR_TEXT_MAX];
        snprintf(why, why_size, "\"%.*s\" has host bits set; did you mean %s?", shown, text.ptr,
                 cidr_format(&block, meant));
        return false;
    }
    /* A mapped block has its 96 leading bits by now: shorter ones had host bits. */
    block.ip = ip_of_mapped(ip);
    if (block.ip.family != ip.family)
        block.bits = (uint8_t)(bits - 96);
    *out = block;
    return true;
}

bool cidr_contains(const struct cidr *block, const struct ip *ip)
{
    if (block->ip.family != ip->family)
        return false;
    struct ip start = ip_network(*ip, block->bits);
    return ip_equal(&start, &block->ip);
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static char *put_byte(char *at, unsigned n)
{
    if (n >= 100)
        *at++ = (char)('0' + n / 100);
    if (n >= 10)
        *at++ = (char)('0' + n / 10 % 10);
    *at++ = (char)('0' + n % 10);
    return at;
}

/* inet_ntop() does it by printf(), and every request has an address in it. */
static const char *format_v4(const uint8_t bytes[4], char out[IP_TEXT_MAX])
{
    char *at = out;

    for (int i = 0; i < 4; i++) {
        at = put_byte(at, bytes[i]);
        *at++ = '.';
    }
    at[-1] = '\0';
    return out;
}

const char *ip_format(const struct ip *ip, char out[IP_TEXT_MAX])
{
    if (ip->family == 0)
        return strcpy(out, "-");
    if (ip->family == 4)
        return format_v4(ip->bytes, out);
    return inet_ntop(AF_INET6, ip->bytes, out, IP_TEXT_MAX);
}

const char *cidr_format(const struct cidr *block, char out[CIDR_TEXT_MAX])
{
    size_t n = strlen(ip_format(&block->ip, out));

    snprintf(out + n, CIDR_TEXT_MAX - n, "/%u", block->bits);
    return out;
}
