/* edge_set.c -- see edge_set.h. One array has the blocks as they were added; another, made of it,
 * is sorted and holds both families. */
#include "base/edge_set.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/lines.h"
#include "base/mem.h"
#include "base/text.h"

enum { FILE_MAX = 64 << 20 };

struct added {
    struct cidr block;
    uint16_t source; /* in set->sources; NO_SOURCE: none */
    int line;
};

enum { NO_SOURCE = UINT16_MAX };

struct source {
    char *file, *service; /* owned; the service may be NULL */
};

struct edge_set {
    struct added *added; /* owned; NULL of a set made by edge_set_with() */
    size_t added_count, room;
    struct source *sources; /* owned */
    size_t source_count;
    struct cidr *items; /* owned; sorted and disjoint; NULL before building */
    size_t count;
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
    struct edge_set *s = *set;

    *set = NULL;
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->source_count; i++) {
        free(s->sources[i].file);
        free(s->sources[i].service);
    }
    free(s->sources);
    free(s->added);
    free(s->items);
    free(s);
}

/* --- adding ------------------------------------------------------------------------- */

void edge_set_source(struct edge_set *set, const char *file, const char *service)
{
    if (set->source_count == NO_SOURCE)
        return; /* so many files: the last one has to do for the others */
    set->sources = mem_resize(set->sources, (set->source_count + 1) * sizeof(set->sources[0]));
    set->sources[set->source_count++] =
        (struct source){ mem_text(file), service == NULL ? NULL : mem_text(service) };
}

void edge_set_add_at(struct edge_set *set, const struct cidr *block, int line)
{
    assert(!set->built);
    if (set->added_count == set->room) {
        set->room = set->room == 0 ? 64 : set->room * 2;
        set->added = mem_resize(set->added, set->room * sizeof(set->added[0]));
    }
    set->added[set->added_count++] = (struct added){
        *block, (uint16_t)(set->source_count == 0 ? NO_SOURCE : set->source_count - 1), line
    };
}

void edge_set_add(struct edge_set *set, const struct cidr *block)
{
    edge_set_add_at(set, block, 0);
}

bool edge_set_add_file(struct edge_set *set, const char *path, char *why, size_t why_size)
{
    size_t before = set->added_count, len;
    char *text = text_read_file(path, FILE_MAX, &len, why, why_size);
    if (text == NULL)
        return false;

    struct lines lines = { .rest = span_of(text, len) };
    struct span value;
    struct cidr block;
    char wrong[160];
    bool ok = true;

    edge_set_source(set, path, NULL);
    while (ok && lines_next(&lines, &value)) {
        ok = cidr_parse(value, &block, wrong, sizeof(wrong));
        if (ok)
            edge_set_add_at(set, &block, lines.number);
    }
    if (!ok) {
        snprintf(why, why_size, "%s:%d: %s", path, lines.number, wrong);
        set->added_count = before;
    }
    free(text);
    return ok;
}

/* The file, or NULL with a sentence in `why`. */
static json_t *load(const char *path, char *why, size_t why_size)
{
    json_error_t error;
    size_t len;
    char *text = text_read_file(path, FILE_MAX, &len, why, why_size);
    if (text == NULL)
        return NULL;

    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        snprintf(why, why_size, "%s:%d: %s", path, error.line < 0 ? 0 : error.line, error.text);
    free(text);
    return root;
}

/* The blocks of `service` in one of the file's two lists; one that is not there has none. */
static bool add_list(struct edge_set *set, const json_t *root, const char *list_name,
                     const char *field, const char *service, char *why, size_t why_size)
{
    const json_t *list = json_object_get(root, list_name);
    const json_t *item;
    size_t i;

    if (list != NULL && !json_is_array(list)) {
        snprintf(why, why_size, "\"%s\" is no list", list_name);
        return false;
    }
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
    size_t before = set->added_count;
    char wrong[160];
    json_t *root = load(path, why, why_size);
    if (root == NULL)
        return false;

    edge_set_source(set, path, service);
    bool ok = add_list(set, root, "prefixes", "ip_prefix", service, wrong, sizeof(wrong)) &&
              add_list(set, root, "ipv6_prefixes", "ipv6_prefix", service, wrong, sizeof(wrong));
    json_decref(root);
    if (!ok) {
        snprintf(why, why_size, "%s: service %s: %s", path, service, wrong);
    } else if (set->added_count == before) {
        snprintf(why, why_size,
                 "%s: no prefix of a service \"%s\"; a name is written as there, such as "
                 "CLOUDFRONT_ORIGIN_FACING",
                 path, service);
        ok = false;
    }
    if (!ok)
        set->added_count = before;
    return ok;
}

/* --- building ----------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct cidr));
}

static void merge(struct edge_set *set)
{
    size_t kept = 0;

    if (set->count > 0)
        qsort(set->items, set->count, sizeof(*set->items), compare);
    for (size_t i = 0; i < set->count; i++)
        if (kept == 0 || !cidr_contains(&set->items[kept - 1], &set->items[i].ip))
            set->items[kept++] = set->items[i];
    set->count = kept;
    set->items = mem_resize(set->items, kept * sizeof(set->items[0]));
    set->built = true;
}

void edge_set_build(struct edge_set *set)
{
    assert(!set->built);
    set->added = mem_resize(set->added, set->added_count * sizeof(set->added[0]));
    set->items = mem_array(struct cidr, set->added_count);
    for (size_t i = 0; i < set->added_count; i++)
        set->items[i] = set->added[i].block;
    set->count = set->added_count;
    merge(set);
}

struct edge_set *edge_set_with(const struct edge_set *set, const struct cidr *more, size_t count)
{
    struct edge_set *all = edge_set_new();

    assert(set->built);
    all->added_count = set->added_count + count;
    all->count = set->count + count;
    all->items = mem_array(struct cidr, all->count);
    for (size_t i = 0; i < all->count; i++)
        all->items[i] = i < set->count ? set->items[i] : more[i - set->count];
    merge(all);
    return all;
}

/* --- asking -------------------------------------------------------------------------- */

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
    return set->added_count;
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

struct edge_origin edge_set_origin(const struct edge_set *set, size_t i)
{
    assert(set->added != NULL && i < set->added_count);
    const struct added *a = &set->added[i];
    const struct source *s = a->source == NO_SOURCE ? NULL : &set->sources[a->source];

    return (struct edge_origin){ a->block, s == NULL ? NULL : s->file,
                                 s == NULL ? NULL : s->service, a->line };
}
