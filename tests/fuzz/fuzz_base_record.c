/*
 * fuzz_base_record.c -- records of another process: whatever the bytes are, those that are found
 * lie in them, one behind the other, and put again they are the same bytes; nothing is written
 * beyond its place.
 */
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct values {
    uint64_t eight;
    uint32_t four, fence;
    uint16_t two;
    uint8_t one, fence_8;
    uint8_t bytes[5], fence_bytes[3];
    struct span text;
};

static const struct record_place places[] = {
    RECORD_PLACE(1, RECORD_NUMBER, values, eight), RECORD_PLACE(2, RECORD_NUMBER, values, four),
    RECORD_PLACE(3, RECORD_NUMBER, values, two),   RECORD_PLACE(4, RECORD_NUMBER, values, one),
    RECORD_PLACE(5, RECORD_BYTES, values, bytes),  RECORD_PLACE(6, RECORD_SPAN, values, text),
};
enum { PLACES = sizeof(places) / sizeof(places[0]) };

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* What was found, put again; how many bytes of the input it is. */
static size_t put_again(struct buf *to, struct span left)
{
    const size_t len = left.len;
    struct span value;
    uint16_t type;

    while (record_next(&left, &type, &value))
        must(record_put(to, type, value));
    return len - left.len;
}

static void check_places(struct span bytes, bool is_whole)
{
    struct values one = { .fence = 0 }, two = { .fence = 0 };
    struct buf first, second;

    must(record_read_places(bytes, places, PLACES, &one) == is_whole);
    must(one.fence == 0 && one.fence_8 == 0 && one.fence_bytes[0] == 0);
    buf_init(&first, bytes.len + 1024);
    buf_init(&second, bytes.len + 1024);
    must(record_put_places(&first, places, PLACES, &one));
    must(record_read_places(buf_data(&first), places, PLACES, &two));
    must(record_put_places(&second, places, PLACES, &two));
    must(span_equal(buf_data(&first), buf_data(&second)));
    buf_done(&first);
    buf_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span bytes = span_of(data, size);
    struct buf again;

    buf_init(&again, size + 1);
    const size_t found = put_again(&again, bytes);
    must(span_equal(buf_data(&again), span_of(data, found)));
    check_places(bytes, found == size);
    buf_done(&again);
    return 0;
}
