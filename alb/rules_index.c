/* rules_index.c -- see rules_index.h: how it is made; rules_find.c asks it. */
#include "alb/rules_index.h"

#include "base/mem.h"

#include "alb/conditions.h"
#include "alb/config.h"
#include "alb/rules_facts.h"
#include "alb/rules_index_private.h"

/* --- keys ----------------------------------------------------------------------------- */

int rules_index_compare(struct span a, struct span b)
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

/* One triple of keys of one rule. */
struct entry {
    struct span host, prefix;
    uint32_t fact; /* FACT_NONE: the rule has no key */
    uint32_t place;
};

struct entries {
    struct entry *items;
    size_t count;
};

static void add_entry(struct entries *all, struct entry entry)
{
    all->items = mem_resize(all->items, (all->count + 1) * sizeof(all->items[0]));
    all->items[all->count++] = entry;
}

static void add_rule(struct entries *all, const struct rules_index *x, size_t place)
{
    const struct rule *rule = &x->rules[place];
    const struct condition *host = condition_of(rule, CONDITION_HOST);
    const struct condition *path = condition_of(rule, CONDITION_PATH);
    const struct condition *key = rules_facts_key(x->facts, place);
    const size_t hosts = host == NULL ? 1 : host->count;
    const size_t paths = path == NULL ? 1 : path->count;
    const size_t facts = key == NULL ? 1 : key->count;

    for (size_t i = 0; i < hosts * paths * facts; i++) {
        const size_t h = i / facts / paths, p = i / facts % paths;
        add_entry(all, (struct entry){ host_key(host == NULL ? NULL : &host->values[h]),
                                       path_key(path == NULL ? NULL : &path->values[p]),
                                       key == NULL ? FACT_NONE
                                                   : rules_facts_number(x->facts, key, i % facts),
                                       (uint32_t)place });
    }
}

static int compare_numbers(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int compare_entries(const void *one, const void *other)
{
    const struct entry *a = one, *b = other;
    int order = compare_hosts(a->host, b->host);

    if (order == 0)
        order = rules_index_compare(a->prefix, b->prefix);
    if (order == 0)
        order = compare_numbers(a->fact, b->fact);
    return order != 0 ? order : compare_numbers(a->place, b->place);
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

static struct node *node_for(struct rules_index *x, struct span host)
{
    struct node *last = x->node_count == 0 ? NULL : &x->nodes[x->node_count - 1];

    if (last == NULL || compare_hosts(last->host, host) != 0) {
        last = &x->nodes[x->node_count++];
        *last = (struct node){ host, (uint32_t)x->prefix_count, 0 };
    }
    return last;
}

static struct prefix *prefix_for(struct rules_index *x, struct node *node, struct span text)
{
    struct prefix *last = node->count == 0 ? NULL : &x->prefixes[x->prefix_count - 1];

    if (last == NULL || !span_equal(last->text, text)) {
        const uint32_t shorter = find_shorter(x, node, text);
        last = &x->prefixes[x->prefix_count++];
        *last = (struct prefix){ .text = text,
                                 .shorter = shorter,
                                 .first_cell = (uint32_t)x->cell_count,
                                 .earliest = NONE };
        node->count++;
    }
    return last;
}

static struct list *list_for(struct rules_index *x, struct prefix *prefix, uint32_t fact)
{
    if (fact == FACT_NONE)
        return &prefix->list;
    struct cell *last = prefix->cell_count == 0 ? NULL : &x->cells[x->cell_count - 1];
    if (last == NULL || last->fact != fact) {
        last = &x->cells[x->cell_count++];
        *last = (struct cell){ .fact = fact };
        prefix->cell_count++;
    }
    return &last->list;
}

static void take_entry(struct rules_index *x, const struct entry *e)
{
    struct prefix *prefix = prefix_for(x, node_for(x, e->host), e->prefix);
    struct list *list = list_for(x, prefix, e->fact);

    if (list->count == 0)
        list->first = (uint32_t)x->place_count;
    else if (x->places[x->place_count - 1] == e->place)
        return; /* two values of a rule with the same keys */
    x->places[x->place_count++] = e->place;
    list->count++;
    if (e->fact != FACT_NONE && e->place < prefix->earliest)
        prefix->earliest = e->place;
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

struct rules_index *rules_index_new(const struct rule *rules, size_t count)
{
    struct rules_index *x = mem_new(struct rules_index);
    struct entries all = { NULL, 0 };

    x->rules = rules;
    x->rule_count = count;
    x->facts = rules_facts_new(rules, count);
    for (size_t i = 0; i < count; i++)
        add_rule(&all, x, i);
    if (all.count > 0)
        qsort(all.items, all.count, sizeof(all.items[0]), compare_entries);
    x->nodes = mem_array(struct node, all.count);
    x->prefixes = mem_array(struct prefix, all.count);
    x->cells = mem_array(struct cell, all.count);
    x->places = mem_array(uint32_t, all.count);
    for (size_t i = 0; i < all.count; i++)
        take_entry(x, &all.items[i]);
    free(all.items);
    put_hosts(x);
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
    rules_facts_free(&x->facts);
    mem_free(*index);
}
