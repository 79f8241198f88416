/* edge_additions.c -- see edge_additions.h. */
#include "alb/edge_additions.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

void edge_additions_done(struct edge_additions *a)
{
    mem_free(a->items);
    a->count = a->room = 0;
}

struct edge_additions edge_additions_copy(const struct edge_additions *a)
{
    struct edge_additions copy = { .count = a->count, .room = a->count };

    copy.items = mem_array(struct edge_addition, a->count);
    for (size_t i = 0; i < a->count; i++)
        copy.items[i] = a->items[i];
    return copy;
}

struct edge_addition *edge_additions_find(const struct edge_additions *a, const struct cidr *block)
{
    for (size_t i = 0; i < a->count; i++) {
        if (memcmp(&a->items[i].block, block, sizeof(*block)) == 0)
            return &a->items[i];
    }
    return NULL;
}

bool edge_additions_add(struct edge_additions *a, const struct edge_addition *item)
{
    struct edge_addition *same = edge_additions_find(a, &item->block);

    if (same != NULL) {
        *same = *item;
        return true;
    }
    if (a->count >= EDGE_ADDITIONS_MAX)
        return false;
    if (a->count == a->room) {
        a->room = a->room == 0 ? 8 : a->room * 2;
        a->items = mem_resize(a->items, a->room * sizeof(a->items[0]));
    }
    a->items[a->count++] = *item;
    return true;
}

void edge_additions_remove(struct edge_additions *a, struct edge_addition *item)
{
    const size_t at = (size_t)(item - a->items);

    memmove(item, item + 1, (a->count - at - 1) * sizeof(*item));
    a->count--;
}

/* --- time ----------------------------------------------------------------------------- */

size_t edge_additions_expire(struct edge_additions *a, uint64_t now_s,
                             void (*gone)(const struct edge_addition *item))
{
    const size_t before = a->count;

    for (size_t i = a->count; i-- > 0;) {
        if (a->items[i].until_s > now_s)
            continue;
        if (gone != NULL)
            gone(&a->items[i]);
        edge_additions_remove(a, &a->items[i]);
    }
    return before - a->count;
}

uint64_t edge_additions_next_s(const struct edge_additions *a)
{
    uint64_t next = UINT64_MAX;

    for (size_t i = 0; i < a->count; i++) {
        if (a->items[i].until_s < next)
            next = a->items[i].until_s;
    }
    return next;
}

bool edge_addition_time(struct span text, uint32_t *seconds, char *why, size_t why_size)
{
    uint64_t ms;

    if (!text_duration_u64(text, false, &ms)) {
        snprintf(why, why_size, "\"%.*s\" is no time; write it as 30s, 10m, 2h or 3d",
                 (int)(text.len < 40 ? text.len : 40), text.ptr);
        return false;
    }
    if (ms < 1000 || ms > EDGE_ADDITION_MOST_S * UINT64_C(1000)) {
        snprintf(why, why_size,
                 "\"%.*s\" is not within 1s to 30d; who is to stay belongs into [edge] of the "
                 "configuration file",
                 (int)(text.len < 40 ? text.len : 40), text.ptr);
        return false;
    }
    *seconds = (uint32_t)((ms + 999) / 1000);
    return true;
}

/* --- text ------------------------------------------------------------------------------ */

void edge_addition_format(const struct edge_addition *item, char line[EDGE_ADDITION_LINE_MAX])
{
    char block[CIDR_TEXT_MAX];

    snprintf(line, EDGE_ADDITION_LINE_MAX, "edge %s until=%" PRIu64,
             cidr_format(&item->block, block), item->until_s);
}

bool edge_addition_parse(struct span block, struct span until, struct edge_addition *item,
                         char *why, size_t why_size)
{
    static const struct span key = SPAN_INIT("until=");

    if (!cidr_parse(block, &item->block, why, why_size))
        return false;
    if (span_starts_with(until, key) && text_u64(span_after(until, key.len), &item->until_s))
        return true;
    snprintf(why, why_size, "is not \"edge CIDR until=SECONDS\"");
    return false;
}
