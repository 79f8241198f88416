/* tls_group.c -- see tls_group.h. */
#include "net/tls_group.h"

#include <stdint.h>

enum {
    RECORD_HANDSHAKE = 22,
    SERVER_HELLO = 2,
    SERVER_KEY_EXCHANGE = 12,
    EXTENSION_KEY_SHARE = 51,
    NAMED_CURVE = 3,
    VERSION_BYTES = 2,
    RANDOM_BYTES = 32,
    SUITE_AND_COMPRESSION_BYTES = 3,
};

static const struct {
    uint32_t id;
    const char *name;
} groups[] = {
    { 23, "secp256r1" }, { 24, "secp384r1" }, { 25, "secp521r1" }, { 29, "x25519" }, { 30, "x448" },
};

/* Each takes from the front of `s`; what is not there is 0, or empty, and `s` then too. */
static uint32_t take_number(struct span *s, size_t bytes)
{
    uint32_t n = 0;

    for (size_t i = 0; i < bytes && s->len >= bytes; i++)
        n = n << 8 | (unsigned char)s->ptr[i];
    *s = span_after(*s, bytes);
    return n;
}

/* One that its length, a number of so many bytes, stands before. */
static struct span take_block(struct span *s, size_t bytes)
{
    const size_t len = take_number(s, bytes);
    const struct span block = span_of(s->ptr, len <= s->len ? len : 0);

    *s = span_after(*s, len);
    return block;
}

static const char *take_group(struct span *s)
{
    const uint32_t id = take_number(s, 2);

    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (groups[i].id == id)
            return groups[i].name;
    }
    return NULL;
}

static const char *group_of_hello(struct span hello)
{
    hello = span_after(hello, VERSION_BYTES + RANDOM_BYTES);
    take_block(&hello, 1); /* the session's id */
    hello = span_after(hello, SUITE_AND_COMPRESSION_BYTES);
    struct span extensions = take_block(&hello, 2);
    while (extensions.len > 0) {
        const uint32_t type = take_number(&extensions, 2);
        struct span extension = take_block(&extensions, 2);
        if (type == EXTENSION_KEY_SHARE)
            return take_group(&extension);
    }
    return NULL;
}

static const char *group_of_key_exchange(struct span exchange)
{
    return take_number(&exchange, 1) == NAMED_CURVE ? take_group(&exchange) : NULL;
}

const char *tls_group_of_record(struct span record)
{
    const char *group = NULL;

    if (take_number(&record, 1) != RECORD_HANDSHAKE)
        return NULL;
    record = span_after(record, VERSION_BYTES);
    struct span messages = take_block(&record, 2);
    while (messages.len > 0 && group == NULL) {
        const uint32_t type = take_number(&messages, 1);
        const struct span message = take_block(&messages, 3);
        if (type == SERVER_HELLO)
            group = group_of_hello(message);
        else if (type == SERVER_KEY_EXCHANGE)
            group = group_of_key_exchange(message);
    }
    return group;
}
