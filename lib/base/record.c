/* record.c -- see record.h. */
#include "base/record.h"

#include <string.h>

#include "base/mem.h"

bool record_put(struct buf *to, uint16_t type, struct span bytes)
{
    const uint32_t len = (uint32_t)bytes.len;

    if (bytes.len > UINT32_MAX || buf_room(to) < RECORD_HEAD + bytes.len)
        return false;
    buf_put(to, span_of(&type, sizeof(type)));
    buf_put(to, span_of(&len, sizeof(len)));
    buf_put(to, bytes);
    return true;
}

bool record_put_number(struct buf *to, uint16_t type, uint64_t number)
{
    return record_put(to, type, span_of(&number, sizeof(number)));
}

bool record_next(struct span *left, uint16_t *type, struct span *bytes)
{
    uint32_t len;

    if (left->len < RECORD_HEAD)
        return false;
    memcpy(type, left->ptr, sizeof(*type));
    memcpy(&len, left->ptr + sizeof(*type), sizeof(len));
    if (len > left->len - RECORD_HEAD)
        return false;
    *bytes = span_of(left->ptr + RECORD_HEAD, len);
    *left = span_after(*left, RECORD_HEAD + len);
    return true;
}

uint64_t record_number(struct span bytes)
{
    uint64_t number = 0;

    if (bytes.len > 0 && bytes.len <= sizeof(number))
        memcpy(&number, bytes.ptr, bytes.len);
    return number;
}

char *record_text(struct span bytes)
{
    return mem_copy(bytes.ptr, bytes.len);
}
