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

/* --- by a table ----------------------------------------------------------------------- */

static uint64_t number_at(const void *at, size_t size)
{
    uint64_t number = 0;

    switch (size) {
    case 1:
        return *(const uint8_t *)at;
    case 2:
        return *(const uint16_t *)at;
    case 4:
        return *(const uint32_t *)at;
    default:
        memcpy(&number, at, sizeof(number));
        return number;
    }
}

static void set_number(void *at, size_t size, uint64_t number)
{
    switch (size) {
    case 1:
        *(uint8_t *)at = (uint8_t)number;
        break;
    case 2:
        *(uint16_t *)at = (uint16_t)number;
        break;
    case 4:
        *(uint32_t *)at = (uint32_t)number;
        break;
    default:
        memcpy(at, &number, sizeof(number));
    }
}

static bool put_place(struct buf *to, const struct record_place *p, const void *at)
{
    const struct span *span = at;

    if (p->kind == RECORD_NUMBER)
        return record_put_number(to, p->type, number_at(at, p->size));
    if (p->kind == RECORD_BYTES)
        return record_put(to, p->type, span_of(at, p->size));
    return span->ptr == NULL || record_put(to, p->type, *span);
}

static void take_place(const struct record_place *p, struct span bytes, void *at)
{
    if (p->kind == RECORD_NUMBER)
        set_number(at, p->size, record_number(bytes));
    else if (p->kind == RECORD_SPAN)
        *(struct span *)at = bytes;
    else if (bytes.len == p->size)
        memcpy(at, bytes.ptr, bytes.len);
}

bool record_put_places(struct buf *to, const struct record_place *places, size_t count,
                       const void *from)
{
    bool ok = true;

    for (size_t i = 0; i < count; i++)
        ok &= put_place(to, &places[i], (const char *)from + places[i].offset);
    return ok;
}

void record_take_place(const struct record_place *places, size_t count, uint16_t type,
                       struct span bytes, void *into)
{
    for (size_t i = 0; i < count; i++) {
        if (places[i].type == type)
            take_place(&places[i], bytes, (char *)into + places[i].offset);
    }
}

bool record_read_places(struct span bytes, const struct record_place *places, size_t count,
                        void *into)
{
    struct span value;
    uint16_t type;

    while (record_next(&bytes, &type, &value))
        record_take_place(places, count, type, value, into);
    return bytes.len == 0;
}
