/*
 * fuzz_ws_frame.c -- a header that is read and written again is the same
 * bytes, every prefix of it is partial, and an error that was told once stays
 * whatever follows.
 */
#include <stdlib.h>

#include "ws/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_whole(struct span bytes, const struct ws_header *h)
{
    uint8_t out[WS_HEADER_MAX];
    check(ws_header_write(out, h) == h->header_len);
    check(memcmp(out, bytes.ptr, h->header_len) == 0);
}

static void check_mask(struct span bytes)
{
    char copy[64];
    const uint8_t mask[4] = { 1, 200, 3, 99 };
    size_t n = bytes.len < sizeof copy ? bytes.len : sizeof copy;
    memcpy(copy, bytes.ptr, n);
    ws_mask(copy, n, mask, 7);
    for (size_t i = 0; i < n; i++)
        check((uint8_t)copy[i] == ((uint8_t)bytes.ptr[i] ^ mask[(7 + i) % 4]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    bool allow_rsv1 = (data[0] & 1) != 0;
    struct span bytes = span_of(data + 1, size - 1);
    struct ws_header h;
    enum ws_parse whole = ws_header_parse(bytes, allow_rsv1, &h);
    if (whole == WS_PARSE_DONE)
        check_whole(bytes, &h);
    bool was_partial = true;
    for (size_t n = 0; n <= bytes.len && n <= WS_HEADER_MAX; n++) {
        struct ws_header part;
        enum ws_parse parse = ws_header_parse(span_of(bytes.ptr, n), allow_rsv1, &part);
        check(parse == whole || (parse == WS_PARSE_PARTIAL && was_partial));
        was_partial = parse == WS_PARSE_PARTIAL;
        if (parse == WS_PARSE_DONE)
            check(n >= part.header_len && part.header_len == h.header_len);
    }
    check_mask(bytes);
    return 0;
}
