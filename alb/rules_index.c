/*
 * rules_index.c -- see rules_index.h.
 *
 *   host: "shop.example.com" or ".example.com" or any
 *     -> a node: its prefixes, sorted: "" "/" "/api/" "/api/v2/" "/ws/"
 *          -> a prefix: the places of the rules whose path begins so
 *
 * A rule is under each pair of a host and a prefix that its values give. All
 * prefixes of a path that a node has are on one chain: the last one that is not
 * behind the path in order, and from there always the next shorter.
 */
#include "alb/rules_index.h"

#include <stdint.h>

#include "base/mem.h"

#include "alb/config.h"

enum { HOST_MAX = 128 }; /* of a value */

#define NONE UINT32_MAX /* no place in an array */

struct prefix {
    struct span text;
    uint32_t shorter;      /* the longest prefix of the node that this one begins with; NONE */
    uint32_t first, count; /* in `places` */
};

struct node {
    struct span host;      /* "" is any */
    uint32_t first, count; /* in `prefixes` */
};

struct rules_index {
    const struct rule *rules;
    size_t rule_count;
    struct node *nodes;
    struct prefix *prefixes;
    uint32_t *places;
    size_t node_count, prefix_count, place_count;
    uint32_t *slots; /* hash of hosts: a node's number or NONE */
    size_t slot_mask;
    bool has_hosts; /* nodes of other hosts than any */
};

/* --- keys ----------------------------------------------------------------------------- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int compare_bytes(struct span a, struct span b)
{
    const size_t n = a.len < b.len ? a.len : b.len;
    const int order = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_hosts(struct span a, struct span b)
{
    const size_t n = a.len < b.len ? a.len : b.len;
    const int order = n == 0 ? 0 : strncasecmp(a.ptr, b.ptr, n);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static size_t literal_len(struct span text)
{
    size_t n = 0;

    while (n < text.len && text.ptr[n] != '*' && text.ptr[n] != '?')
        n++;
    return n;
}

/* What a host must be, or end in, to fit this value; empty when that does not tell. */
static struct span host_key(const struct condition_value *v)
{
    const struct span text = v == NULL || v->regex != NULL ? SPAN("") : span_text(v->text);
    const struct span behind = span_after(text, 1);

    if (literal_len(text) == text.len)
        return text;
    if (text.ptr[0] == '*' && behind.len > 0 && behind.ptr[0] == '.' &&
        literal_len(behind) == behind.len)
        return behind;
    return SPAN("");
}

/* What a path must begin with. */
static struct span path_key(const struct condition_value *v)
{
    const struct span text = v == NULL || v->regex != NULL ? SPAN("") : span_text(v->text);

    return span_of(text.ptr, literal_len(text));
}

static const struct condition *condition_of(const struct rule *rule, enum condition_kind kind)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        if (rule->conditions[i].kind == kind)
            return &rule->conditions[i];
    }
    return NULL;
}

/* --- making it ------------------------------------------------------------------------ */

/* One pair of keys of one rule. */
struct entry {
    struct span host, prefix;
    uint32_t place;
};

struct entries {
    struct entry *items;
    size_t count;
};

static void add_entry(struct entries *all, struct span host, struct span prefix, size_t place)
{
    all->items = mem_resize(all->items, (all->count + 1) * sizeof(all->items[0]));
    all->items[all->count++] = (struct entry){ host, prefix, (uint32_t)place };
}

static void add_rule(struct entries *all, const struct rule *rule, size_t place)
{
    const struct condition *host = condition_of(rule, CONDITION_HOST);
    const struct condition *path = condition_of(rule, CONDITION_PATH);
    const size_t hosts = host == NULL ? 1 : host->count;
    const size_t paths = path == NULL ? 1 : path->count;

    for (size_t h = 0; h < hosts; h++) {
        for (size_t p = 0; p < paths; p++)
            add_entry(all, host_key(host == NULL ? NULL : &host->values[h]),
                      path_key(path == NULL ? NULL : &path->values[p]), place);
    }
}

static int compare_entries(const void *one, const void *other)
{
    const struct entry *a = one, *b = other;
    int order = compare_hosts(a->host, b->host);

    if (order == 0)
        order = compare_bytes(a->prefix, b->prefix);
    return order != 0 ? order : (a->place > b->place) - (a->place < b->place);
}

/* In sorted order, the shorter ones are on the chain of the one before. */
static uint32_t find_shorter(const struct rules_index *x, const struct node *node,
                             struct span prefix)
{
    uint32_t at = node->count == 0 ? NONE : node->first + node->count - 1;

    while (at != NONE && !span_starts_with(prefix, x->prefixes[at].text))
        at = x->prefixes[at].shorter;
    return at;
}

static void take_entry(struct rules_index *x, const struct entry *e)
{
    struct node *node = x->node_count == 0 ? NULL : &x->nodes[x->node_count - 1];

    if (node == NULL || compare_hosts(node->host, e->host) != 0) {
        node = &x->nodes[x->node_count++];
        *node = (struct node){ e->host, (uint32_t)x->prefix_count, 0 };
    }
    struct prefix *last = node->count == 0 ? NULL : &x->prefixes[x->prefix_count - 1];
    if (last == NULL || !span_equal(last->text, e->prefix)) {
        const uint32_t shorter = find_shorter(x, node, e->prefix);
        last = &x->prefixes[x->prefix_count++];
        *last = (struct prefix){ e->prefix, shorter, (uint32_t)x->place_count, 0 };
        node->count++;
    }
    if (last->count > 0 && x->places[x->place_count - 1] == e->place)
        return; /* two values of a rule with the same keys */
    x->places[x->place_count++] = e->place;
    last->count++;
}

/* --- hosts ------------------------------------------------------------------------------ */

/* From the end, so that those of all endings come by the way. */
static uint64_t hash_on(uint64_t hash, char c)
{
    return (hash ^ (uint8_t)lower(c)) * UINT64_C(0x100000001b3);
}

static const uint64_t hash_start = UINT64_C(0xcbf29ce484222325);

static size_t slot_of(const struct rules_index *x, uint64_t hash)
{
    return (size_t)(hash ^ hash >> 29) & x->slot_mask;
}

static void put_host(struct rules_index *x, uint32_t number)
{
    const struct span host = x->nodes[number].host;
    uint64_t hash = hash_start;

    for (size_t i = host.len; i-- > 0;)
        hash = hash_on(hash, host.ptr[i]);
    size_t slot = slot_of(x, hash);
    while (x->slots[slot] != NONE)
        slot = (slot + 1) & x->slot_mask;
    x->slots[slot] = number;
}

static const struct node *get_host(const struct rules_index *x, struct span host, uint64_t hash)
{
    for (size_t slot = slot_of(x, hash); x->slots[slot] != NONE; slot = (slot + 1) & x->slot_mask) {
        const struct node *node = &x->nodes[x->slots[slot]];
        if (span_equal_nocase(node->host, host))
            return node;
    }
    return NULL;
}

static void make_slots(struct rules_index *x)
{
    size_t size = 4;

    while (size < 2 * x->node_count)
        size *= 2;
    x->slot_mask = size - 1;
    x->slots = mem_array(uint32_t, size);
    for (size_t i = 0; i < size; i++)
        x->slots[i] = NONE;
    for (size_t i = 0; i < x->node_count; i++)
        put_host(x, (uint32_t)i);
}

struct rules_index *rules_index_new(const struct rule *rules, size_t count)
{
    struct rules_index *x = mem_new(struct rules_index);
    struct entries all = { NULL, 0 };

    for (size_t i = 0; i < count; i++)
        add_rule(&all, &rules[i], i);
    if (all.count > 0)
        qsort(all.items, all.count, sizeof(all.items[0]), compare_entries);
    x->rules = rules;
    x->rule_count = count;
    x->nodes = mem_array(struct node, all.count);
    x->prefixes = mem_array(struct prefix, all.count);
    x->places = mem_array(uint32_t, all.count);
    for (size_t i = 0; i < all.count; i++)
        take_entry(x, &all.items[i]);
    free(all.items);
    make_slots(x);
    x->has_hosts = x->node_count > 0 && x->nodes[x->node_count - 1].host.len > 0;
    return x;
}

void rules_index_free(struct rules_index **index)
{
    struct rules_index *x = *index;

    if (x == NULL)
        return;
    free(x->nodes);
    free(x->prefixes);
    free(x->places);
    free(x->slots);
    mem_free(*index);
}

/* --- asking it -------------------------------------------------------------------------- */

struct search {
    const struct rules_index *index;
    struct span path;
    rules_index_fits *fits;
    void *user;
    size_t best; /* the first that fits so far */
};

/* Those in front of the best, in order, until one fits. */
static void try_places(struct search *s, const struct prefix *prefix)
{
    const struct rules_index *x = s->index;

    for (uint32_t i = 0; i < prefix->count; i++) {
        const size_t place = x->places[prefix->first + i];
        if (place >= s->best)
            return;
        if (s->fits(&x->rules[place], s->user)) {
            s->best = place;
            return;
        }
    }
}

/* The last prefix of a node that does not come behind the path; NONE. */
static uint32_t last_before(const struct rules_index *x, const struct node *node, struct span path)
{
    size_t low = 0, high = node->count;

    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (compare_bytes(x->prefixes[node->first + middle].text, path) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? NONE : node->first + (uint32_t)low - 1;
}

static void try_node(struct search *s, const struct node *node)
{
    const struct rules_index *x = s->index;

    if (node == NULL)
        return;
    for (uint32_t at = last_before(x, node, s->path); at != NONE; at = x->prefixes[at].shorter) {
        if (span_starts_with(s->path, x->prefixes[at].text))
            try_places(s, &x->prefixes[at]);
    }
}

size_t rules_index_find(const struct rules_index *x, struct span host, struct span path,
                        rules_index_fits *fits, void *user)
{
    struct search s = { x, path, fits, user, x->rule_count };
    uint64_t hash = hash_start;
    const size_t most = !x->has_hosts ? 0 : host.len < HOST_MAX ? host.len : HOST_MAX;

    for (size_t n = 1; n <= most; n++) {
        const struct span end = span_of(host.ptr + host.len - n, n);
        hash = hash_on(hash, end.ptr[0]);
        if (n == host.len || end.ptr[0] == '.')
            try_node(&s, get_host(x, end, hash));
    }
    try_node(&s, get_host(x, SPAN(""), hash_start)); /* any host */
    return s.best;
}
