/*
 * fuzz_http_proxy_head.c -- heads of the PROXY protocol: a byte at a time gives the same as all at
 * once, nothing behind a head changes it, and what version 1 says means the same in version 2.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/proxy_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Exactly so many bytes on the heap: what is read behind them is found. */
static enum proxy_head_state parse(const uint8_t *data, size_t n, struct proxy_head *h)
{
    uint8_t *exact = malloc(n + 1);

    memcpy(exact, data, n);
    const enum proxy_head_state state = proxy_head_parse(span_of(exact, n), h);
    h->endpoint_id.ptr = NULL;
    free(exact);
    return state;
}

static bool same(const struct proxy_head *a, const struct proxy_head *b)
{
    return a->len == b->len && a->is_announced == b->is_announced && a->why == b->why &&
           a->from.port == b->from.port && a->to.port == b->to.port &&
           memcmp(&a->from.ip, &b->from.ip, sizeof(a->from.ip)) == 0 &&
           memcmp(&a->to.ip, &b->to.ip, sizeof(a->to.ip)) == 0 &&
           a->endpoint_id.len == b->endpoint_id.len;
}

static void check_pieces(const uint8_t *data, size_t size, enum proxy_head_state whole,
                         const struct proxy_head *h)
{
    const size_t most = size < 256 ? size : 256;
    enum proxy_head_state last = PROXY_HEAD_PARTIAL;
    struct proxy_head piece;

    for (size_t n = 0; n <= most; n++) {
        const enum proxy_head_state state = parse(data, n, &piece);
        must(last == PROXY_HEAD_PARTIAL || state == last);
        must(state != PROXY_HEAD_WHOLE || (whole == state && piece.len <= n && same(&piece, h)));
        last = state;
    }
}

static void put(uint8_t **at, const void *bytes, size_t n)
{
    memcpy(*at, bytes, n);
    *at += n;
}

static void put_ip(uint8_t **at, const struct ip *ip)
{
    static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

    if (ip->family == 4)
        put(at, prefix, sizeof(prefix));
    put(at, ip->bytes, ip->family == 4 ? 4 : 16);
}

static void put_port(uint8_t **at, uint16_t port)
{
    const uint8_t bytes[2] = { (uint8_t)(port >> 8), (uint8_t)port };

    put(at, bytes, 2);
}

/* As IPv6, which unwraps to the same. */
static void check_other_form(const struct proxy_head *h)
{
    uint8_t bytes[52], *at = bytes;
    struct proxy_head again;

    put(&at, "\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24", 16);
    put_ip(&at, &h->from.ip);
    put_ip(&at, &h->to.ip);
    put_port(&at, h->from.port);
    put_port(&at, h->to.port);
    must(parse(bytes, sizeof(bytes), &again) == PROXY_HEAD_WHOLE && again.is_announced);
    must(ip_equal(&again.from.ip, &h->from.ip) && again.from.port == h->from.port);
    must(ip_equal(&again.to.ip, &h->to.ip) && again.to.port == h->to.port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_head h;
    const enum proxy_head_state state = parse(data, size, &h);

    must((state == PROXY_HEAD_REFUSED) == (h.why != NULL));
    must(state != PROXY_HEAD_WHOLE || (h.len >= 15 && h.len <= size && h.len <= PROXY_HEAD_MAX));
    must(state != PROXY_HEAD_PARTIAL || size < PROXY_HEAD_MAX);
    must(h.endpoint_id.len <= PROXY_ENDPOINT_ID_MAX);
    check_pieces(data, size, state, &h);
    if (state == PROXY_HEAD_WHOLE && h.is_announced)
        check_other_form(&h);
    return 0;
}
