/*
 * record.h -- what one process tells the next: records of a type, a length and bytes.
 *
 *   type (2 bytes) length (4) bytes      type length bytes      ...
 *
 * In the machine's byte order: both processes are on it. A reader takes the types that it
 * knows and skips the others, so that a newer process may say more. Records nest: the bytes of
 * one may be records again.
 */
#ifndef BASE_RECORD_H
#define BASE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

enum { RECORD_HEAD = 6 };

/* Add one. False when it does not fit into the buffer, which then has none of it. */
bool record_put(struct buf *to, uint16_t type, struct span bytes);
bool record_put_number(struct buf *to, uint16_t type, uint64_t number);

/* Take the next one from the front of `left`. False at the end, and when what is left is no
 * record; then `left` is not empty. */
bool record_next(struct span *left, uint16_t *type, struct span *bytes);

/* A number of at most 8 bytes; 0 for anything longer. */
uint64_t record_number(struct span bytes);

/* A copy as a text; free() it. */
char *record_text(struct span bytes);

/* A record of records, by a table of where each is in a struct. Those with no value are not put:
 * a span without a pointer. */
enum record_kind {
    RECORD_NUMBER, /* of 1, 2, 4 or 8 bytes: the lower ones of what comes */
    RECORD_BYTES,  /* exactly so many; any other number of them is left out */
    RECORD_SPAN,   /* borrowed from what is read */
};

struct record_place {
    uint16_t type, offset, size;
    uint8_t kind; /* enum record_kind */
};

#define RECORD_PLACE(type, kind, struct_name, member)                                              \
    {                                                                                              \
        (type), offsetof(struct struct_name, member), sizeof(((struct struct_name *)0)->member),   \
            (kind)                                                                                 \
    }

/* False when it does not fit. */
bool record_put_places(struct buf *to, const struct record_place *places, size_t count,
                       const void *from);

/* Take what is known of `type`, if anything is. */
void record_take_place(const struct record_place *places, size_t count, uint16_t type,
                       struct span bytes, void *into);

/* All of them; of two of one type the last. False when what is left is no record. */
bool record_read_places(struct span bytes, const struct record_place *places, size_t count,
                        void *into);

#endif
