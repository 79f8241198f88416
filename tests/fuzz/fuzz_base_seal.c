/* Text that we did not seal never opens, nor does a sealed text with one byte
 * changed or a piece cut off; what we sealed opens to what it was. Keys that were read are told
 * again as they came. */
#include <stdint.h>
#include <stdlib.h>

#include "base/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct seal_ring *ring;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool opens(struct span text, uint8_t *out, size_t *n)
{
    return seal_open(ring, SPAN("fuzz"), text, out, n);
}

static void check_keys(struct span keys)
{
    uint8_t again[SEAL_KEYS_MAX * SEAL_KEY_BYTES];
    struct seal_ring *loaded = seal_ring_load(keys);

    if (loaded != NULL)
        must(span_equal(span_of(again, seal_ring_save(loaded, again)), keys));
    seal_ring_free(&loaded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[SEAL_TEXT_SIZE(SEAL_PLAIN_MAX)];
    uint8_t out[SEAL_PLAIN_MAX];
    size_t n;

    if (ring == NULL)
        ring = seal_ring_random();
    must(!opens(span_of(data, size), out, &n));
    check_keys(span_of(data, size));
    if (size < 3)
        return 0;

    /* The first three bytes say where and how to spoil, the rest is sealed. */
    size_t where = (size_t)data[0] << 8 | data[1];
    struct span plain = span_of(data + 3, size - 3 > SEAL_PLAIN_MAX ? SEAL_PLAIN_MAX : size - 3);
    size_t len = seal(ring, SPAN("fuzz"), plain, text);
    must(opens(span_of(text, len), out, &n));
    must(span_equal(span_of(out, n), plain));
    must(!opens(span_of(text, where % len), out, &n));
    if (data[2] != 0) {
        text[where % len] = (char)(text[where % len] ^ data[2]);
        must(!opens(span_of(text, len), out, &n));
    }
    return 0;
}
