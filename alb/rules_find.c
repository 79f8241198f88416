/* rules_find.c -- see rules_index.h: asking it. */
#include "alb/rules_index.h"

#include "alb/conditions.h"
#include "alb/config.h"
#include "alb/rules_facts.h"
#include "alb/rules_index_private.h"

enum { HOST_MAX = 128 }; /* of a value */

struct search {
    const struct rules_index *index;
    rules_index_fits *fits;
    struct condition_request *request;
    size_t best; /* the first that fits so far */
    bool has_facts;
    struct request_facts *facts; /* read when they are needed: has_facts */
};

/* Those in front of the best, in order, until one fits. */
static void try_list(struct search *s, const struct list *list)
{
    const struct rules_index *x = s->index;

    for (uint32_t i = 0; i < list->count; i++) {
        const size_t place = x->places[list->first + i];
        if (place >= s->best)
            return;
        if (s->fits(&x->rules[place], s->request)) {
            s->best = place;
            return;
        }
    }
}

static uint32_t get_cell(const struct rules_index *x, uint32_t parent, uint32_t fact)
{
    const uint64_t hash = rules_index_hash_step(parent, fact);

    for (size_t at = slots_start(&x->steps, hash); x->steps.numbers[at] != SLOT_NONE;
         at = slots_next(&x->steps, at)) {
        const struct cell *cell = &x->cells[x->steps.numbers[at]];
        if (cell->parent == parent && cell->fact == fact)
            return x->steps.numbers[at];
    }
    return NONE;
}

/* Its own, and those of the cells behind it that the request's facts lead to, from number `from`
 * on. As deep as an entry has facts. */
static void try_cell(struct search *s, uint32_t number, size_t from)
{
    const struct cell *cell = &s->index->cells[number];

    try_list(s, &cell->list);
    if (cell->earliest >= s->best)
        return;
    condition_request_charge(s->request, s->facts->count - from);
    for (size_t i = from; i < s->facts->count && !condition_request_is_spent(s->request); i++) {
        const uint32_t next = get_cell(s->index, number, s->facts->numbers[i]);
        if (next != NONE)
            try_cell(s, next, i + 1);
    }
}

static void read_facts(struct search *s)
{
    if (!s->has_facts)
        rules_facts_of(s->index->facts, s->request, s->facts);
    s->has_facts = true;
}

static void try_prefix(struct search *s, const struct prefix *prefix)
{
    const struct cell *cell = &s->index->cells[prefix->cell];

    if (cell->earliest >= s->best) {
        try_list(s, &cell->list);
        return;
    }
    read_facts(s);
    if (s->facts->too_many)
        try_list(s, &prefix->all);
    else
        try_cell(s, prefix->cell, 0);
}

/* The last prefix of a node that does not come behind the path; NONE. */
static uint32_t last_before(const struct rules_index *x, const struct node *node, struct span path)
{
    size_t low = 0, high = node->count;

    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (rules_index_compare(x->prefixes[node->first + middle].text, path) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? NONE : node->first + (uint32_t)low - 1;
}

static void try_node(struct search *s, const struct node *node)
{
    const struct rules_index *x = s->index;
    const struct span path = s->request->path;

    if (node == NULL)
        return;
    for (uint32_t at = last_before(x, node, path); at != NONE; at = x->prefixes[at].shorter) {
        if (span_starts_with(path, x->prefixes[at].text))
            try_prefix(s, &x->prefixes[at]);
    }
}

static const struct node *get_host(const struct rules_index *x, struct span host, uint64_t hash)
{
    for (size_t at = slots_start(&x->hosts, hash); x->hosts.numbers[at] != SLOT_NONE;
         at = slots_next(&x->hosts, at)) {
        const struct node *node = &x->nodes[x->hosts.numbers[at]];
        if (span_equal_nocase(node->host, host))
            return node;
    }
    return NULL;
}

/* All endings of the host at a dot, hashed on the way from its end. */
size_t rules_index_find(const struct rules_index *x, struct condition_request *request,
                        rules_index_fits *fits)
{
    struct request_facts facts;
    struct search s = { x, fits, request, x->rule_count, false, &facts };
    const struct span host = request->host;
    const size_t most = !x->has_hosts ? 0 : host.len < HOST_MAX ? host.len : HOST_MAX;
    uint64_t hash = SLOT_HASH;

    for (size_t n = 1; n <= most; n++) {
        const struct span end = span_of(host.ptr + host.len - n, n);
        hash = slot_hash_on(hash, end.ptr[0]);
        if (n == host.len || end.ptr[0] == '.')
            try_node(&s, get_host(x, end, hash));
    }
    try_node(&s, get_host(x, SPAN(""), SLOT_HASH)); /* any host */
    return s.best;
}
