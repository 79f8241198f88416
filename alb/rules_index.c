/* rules_index.c -- see rules_index.h: how it is made; rules_find.c asks it. */
#include "alb/rules_index.h"

#include "base/mem.h"

#include "alb/config.h"
#include "alb/rules_entries.h"
#include "alb/rules_facts.h"
#include "alb/rules_index_private.h"

/* So many rules are tried faster than told apart; and so many faster than told apart by pieces, for
 * which texts have to be walked through. */
enum { FEW = 4, FEW_FOR_PIECES = 16 };

/* --- in order --------------------------------------------------------------------------- */

int rules_index_compare(struct span a, struct span b)
{
    const size_t n = a.len < b.len ? a.len : b.len;
    const int order = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

int rules_index_compare_hosts(struct span a, struct span b)
{
    const size_t n = a.len < b.len ? a.len : b.len;
    const int order = n == 0 ? 0 : strncasecmp(a.ptr, b.ptr, n);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_places(const void *one, const void *other)
{
    const uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;

    return (a > b) - (a < b);
}

/* --- cells ------------------------------------------------------------------------------ */

static uint32_t add_cell(struct rules_index *x, uint32_t parent, uint32_t fact)
{
    x->cells = mem_room(x->cells, x->cell_count, sizeof(x->cells[0]));
    x->cells[x->cell_count] = (struct cell){ parent, fact, { 0, 0 }, NONE };
    return (uint32_t)x->cell_count++;
}

/* A rule may be there with several entries. */
static struct list put_list(struct rules_index *x, const struct entry *entries, size_t count)
{
    uint32_t *const places = x->places + x->place_count;
    struct list list = { (uint32_t)x->place_count, 0 };

    for (size_t i = 0; i < count; i++)
        places[i] = entries[i].place;
    if (count > 1)
        qsort(places, count, sizeof(places[0]), compare_places);
    for (size_t i = 0; i < count; i++) {
        if (list.count == 0 || places[list.count - 1] != places[i])
            places[list.count++] = places[i];
    }
    x->place_count += list.count;
    return list;
}

/* How many of them, from the first on, have its fact at this depth. */
static size_t count_alike(const struct entry *entries, size_t count, size_t depth)
{
    size_t n = 1;

    while (n < count && entries[n].facts[depth] == entries[0].facts[depth])
        n++;
    return n;
}

static size_t count_ending(const struct entry *entries, size_t count, size_t depth)
{
    size_t n = 0;

    while (n < count && entries[n].fact_count == depth)
        n++;
    return n;
}

static uint32_t earliest_of(const struct entry *entries, size_t count)
{
    uint32_t earliest = NONE;

    for (size_t i = 0; i < count; i++)
        earliest = entries[i].place < earliest ? entries[i].place : earliest;
    return earliest;
}

/* Entries that have their first `depth` facts in common, which led to this cell. */
static void fill_cell(struct rules_index *x, uint32_t cell, struct entry *entries, size_t count,
                      size_t depth)
{
    if (count <= FEW_FOR_PIECES)
        rules_entries_leave_out_pieces(entries, count, depth, x->facts);
    const size_t own = count <= FEW ? count : count_ending(entries, count, depth);

    x->cells[cell].list = put_list(x, entries, own);
    x->cells[cell].earliest = earliest_of(entries + own, count - own);
    for (size_t i = own; i < count;) {
        const size_t alike = count_alike(entries + i, count - i, depth);
        const uint32_t fact = entries[i].facts[depth];
        rules_facts_use(x->facts, fact);
        fill_cell(x, add_cell(x, cell, fact), entries + i, alike, depth + 1);
        i += alike;
    }
}

static void put_steps(struct rules_index *x)
{
    slots_init(&x->steps, x->cell_count);
    for (size_t i = 0; i < x->cell_count; i++) {
        const struct cell *c = &x->cells[i];
        if (c->parent != NONE)
            slots_put(&x->steps, rules_index_hash_step(c->parent, c->fact), (uint32_t)i);
    }
}

/* --- prefixes --------------------------------------------------------------------------- */

/* In sorted order, the shorter ones are on the chain of the one before. */
static uint32_t find_shorter(const struct rules_index *x, const struct node *node,
                             struct span prefix)
{
    uint32_t at = node->count == 0 ? NONE : node->first + node->count - 1;

    while (at != NONE && !span_starts_with(prefix, x->prefixes[at].text))
        at = x->prefixes[at].shorter;
    return at;
}

static struct node *node_for(struct rules_index *x, struct span host)
{
    struct node *last = x->node_count == 0 ? NULL : &x->nodes[x->node_count - 1];

    if (last == NULL || rules_index_compare_hosts(last->host, host) != 0) {
        last = &x->nodes[x->node_count++];
        *last = (struct node){ host, (uint32_t)x->prefix_count, 0 };
    }
    return last;
}

/* How many of them, from the first on, have its host and prefix. */
static size_t count_together(const struct entry *entries, size_t count)
{
    size_t n = 1;

    while (n < count && rules_index_compare_hosts(entries[n].host, entries[0].host) == 0 &&
           span_equal(entries[n].prefix, entries[0].prefix))
        n++;
    return n;
}

static void add_prefix(struct rules_index *x, struct entry *entries, size_t count)
{
    struct node *node = node_for(x, entries[0].host);
    struct prefix *prefix = &x->prefixes[x->prefix_count];

    *prefix = (struct prefix){ .text = entries[0].prefix,
                               .shorter = find_shorter(x, node, entries[0].prefix),
                               .cell = add_cell(x, NONE, NONE),
                               .all = put_list(x, entries, count) };
    fill_cell(x, prefix->cell, entries, count, 0);
    x->prefix_count++;
    node->count++;
}

/* --- hosts ------------------------------------------------------------------------------ */

/* Hashed from the end, as rules_find.c does. */
static void put_host(struct rules_index *x, uint32_t number)
{
    const struct span host = x->nodes[number].host;
    uint64_t hash = SLOT_HASH;

    for (size_t i = host.len; i-- > 0;)
        hash = slot_hash_on(hash, host.ptr[i]);
    slots_put(&x->hosts, hash, number);
}

static void put_hosts(struct rules_index *x)
{
    slots_init(&x->hosts, x->node_count);
    for (size_t i = 0; i < x->node_count; i++)
        put_host(x, (uint32_t)i);
    x->has_hosts = x->node_count > 0 && x->nodes[x->node_count - 1].host.len > 0;
}

/* --- all -------------------------------------------------------------------------------- */

static void take_entries(struct rules_index *x, struct entries *all)
{
    x->nodes = mem_array(struct node, all->count);
    x->prefixes = mem_array(struct prefix, all->count);
    x->places = mem_array(uint32_t, 2 * all->count);
    for (size_t i = 0; i < all->count;) {
        const size_t together = count_together(&all->items[i], all->count - i);
        add_prefix(x, &all->items[i], together);
        i += together;
    }
    put_hosts(x);
    put_steps(x);
}

struct rules_index *rules_index_new(const struct rule *rules, size_t count)
{
    struct rules_index *x = mem_new(struct rules_index);
    struct entries all;

    x->rules = rules;
    x->rule_count = count;
    x->facts = rules_facts_new(rules, count);
    rules_entries_make(&all, x->facts, rules, count);
    take_entries(x, &all);
    rules_facts_ready(x->facts);
    free(all.items);
    return x;
}

void rules_index_free(struct rules_index **index)
{
    struct rules_index *x = *index;

    if (x == NULL)
        return;
    free(x->nodes);
    free(x->prefixes);
    free(x->cells);
    free(x->places);
    free(x->hosts.numbers);
    free(x->steps.numbers);
    rules_facts_free(&x->facts);
    mem_free(*index);
}
