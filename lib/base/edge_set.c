/* edge_set.c -- see edge_set.h. One sorted array holds the blocks of both families. */
#include "base/edge_set.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/lines.h"
#include "base/mem.h"
#include "base/text.h"

enum { FILE_MAX = 64 << 20 };

struct edge_set {
    struct cidr *items; /* owned; after building sorted and disjoint */
    size_t count, room;
    size_t added; /* what `count` was before building */
    bool built;
};

/* Blocks are compared as bytes: by family, then address, then the shorter
 * prefix first, so a block stands behind the one that holds it. */
_Static_assert(sizeof(struct ip) == 17 && sizeof(struct cidr) == 18, "no padding to compare");

struct edge_set *edge_set_new(void)
{
    return mem_new(struct edge_set);
}

void edge_set_free(struct edge_set **set)
{
    if (*set != NULL)
        free((*set)->items);
    mem_free(*set);
}

void edge_set_add(struct edge_set *set, const struct cidr *block)
{
    assert(!set->built);
    if (set->count == set->room) {
        set->room = set->room == 0 ? 64 : set->room * 2;
        set->items = mem_resize(set->items, set->room * sizeof(*set->items));
    }
    set->items[set->count++] = *block;
}

bool edge_set_add_file(struct edge_set *set, const char *path, char *why, size_t why_size)
{
    size_t before = set->count, len;
    char *text = text_read_file(path, FILE_MAX, &len, why, why_size);
    if (text == NULL)
        return false;

    struct lines lines = { .rest = span_of(text, len) };
    struct span value;
    struct cidr block;
    char wrong[160];
    bool ok = true;

    while (ok && lines_next(&lines, &value)) {
        ok = cidr_parse(value, &block, wrong, sizeof(wrong));
        if (ok)
            edge_set_add(set, &block);
    }
    if (!ok) {
        snprintf(why, why_size, "%s:%d: %s", path, lines.number, wrong);
        set->count = before;
    }
    free(text);
    return ok;
}

/* The blocks of `service` in one of the file's two lists. */
static bool add_list(struct edge_set *set, const json_t *list, const char *field,
                     const char *service, char *why, size_t why_size)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(json_object_get(item, "service"));
        const char *text = json_string_value(json_object_get(item, field));
        struct cidr block;

        if (name == NULL || strcmp(name, service) != 0)
            continue;
        if (!cidr_parse(span_text(text), &block, why, why_size))
            return false;
        edge_set_add(set, &block);
    }
    return true;
}

bool edge_set_add_ip_ranges(struct edge_set *set, const char *path, const char *service, char *why,
                            size_t why_size)
{
    size_t before = set->count;
    char wrong[160];
    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        snprintf(why, why_size, "%s:%d: %s", path, error.line < 0 ? 0 : error.line, error.text);
        return false;
    }

    bool ok = add_list(set, json_object_get(root, "prefixes"), "ip_prefix", service, wrong,
                       sizeof(wrong)) &&
              add_list(set, json_object_get(root, "ipv6_prefixes"), "ipv6_prefix", service, wrong,
                       sizeof(wrong));
    json_decref(root);
    if (!ok) {
        snprintf(why, why_size, "%s: service %s: %s", path, service, wrong);
    } else if (set->count == before) {
        snprintf(why, why_size,
                 "%s: no prefix of a service \"%s\"; a name is written as there, such as "
                 "CLOUDFRONT_ORIGIN_FACING",
                 path, service);
        ok = false;
    }
    if (!ok)
        set->count = before;
    return ok;
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct cidr));
}

void edge_set_build(struct edge_set *set)
{
    size_t kept = 0;

    assert(!set->built);
    set->added = set->count;
    if (set->count > 0)
        qsort(set->items, set->count, sizeof(*set->items), compare);
    for (size_t i = 0; i < set->count; i++)
        if (kept == 0 || !cidr_contains(&set->items[kept - 1], &set->items[i].ip))
            set->items[kept++] = set->items[i];
    set->count = kept;
    set->built = true;
}

bool edge_set_contains(const struct edge_set *set, const struct ip *ip)
{
    size_t low = 0, high = set->count;

    assert(set->built);
    /* The last block that begins at or below the address. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(&set->items[middle].ip, ip, sizeof(*ip)) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && cidr_contains(&set->items[low - 1], ip);
}

size_t edge_set_blocks(const struct edge_set *set)
{
    return set->built ? set->added : set->count;
}

size_t edge_set_ranges(const struct edge_set *set)
{
    assert(set->built);
    return set->count;
}

const struct cidr *edge_set_items(const struct edge_set *set)
{
    assert(set->built);
    return set->items;
}
