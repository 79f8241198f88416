/* rules_entries.c -- see rules_entries.h. */
#include "alb/rules_entries.h"

#include "base/mem.h"

#include "alb/config.h"
#include "alb/rules_asks.h"
#include "alb/rules_facts.h"
#include "alb/rules_index_private.h"

static void add(struct entries *all, const struct entry *entry)
{
    all->items = mem_room(all->items, all->count, sizeof(all->items[0]));
    all->items[all->count++] = *entry;
}

/* --- what a condition asks for -------------------------------------------------------------- */

static void put_fact(struct entry *entry, uint32_t fact)
{
    size_t at = 0;

    while (at < entry->fact_count && entry->facts[at] < fact)
        at++;
    if (at == ENTRY_FACTS_MAX || (at < entry->fact_count && entry->facts[at] == fact))
        return;
    if (entry->fact_count < ENTRY_FACTS_MAX)
        entry->fact_count++;
    memmove(&entry->facts[at + 1], &entry->facts[at],
            (entry->fact_count - 1 - at) * sizeof(entry->facts[0]));
    entry->facts[at] = fact;
}

static struct entry read_ask(const struct rules_facts *facts, const struct ask *ask)
{
    struct entry entry = { .host = ask->host, .prefix = ask->prefix };

    for (size_t i = 0; i < ask->count; i++)
        put_fact(&entry, rules_facts_number(facts, &ask->facts[i]));
    return entry;
}

/* False when there are more than can be combined with anything. */
static bool read_condition(struct entries *out, const struct rules_facts *facts,
                           const struct condition *c)
{
    for (size_t i = 0; i < c->count && out->count <= RULE_ENTRIES_MAX; i++) {
        struct asks asks;
        rules_asks_read(&asks, c, i);
        for (size_t j = 0; j < asks.count; j++) {
            const struct entry entry = read_ask(facts, &asks.any_of[j]);
            add(out, &entry);
        }
        rules_asks_done(&asks);
    }
    return out->count <= RULE_ENTRIES_MAX;
}

/* --- a rule --------------------------------------------------------------------------------- */

static struct entry combine(const struct entry *a, const struct entry *b)
{
    struct entry sum = *a;

    if (b->host.len > 0)
        sum.host = b->host;
    if (b->prefix.len > 0)
        sum.prefix = b->prefix;
    for (size_t i = 0; i < b->fact_count; i++)
        put_fact(&sum, b->facts[i]);
    return sum;
}

/* Each of one with each of the other. */
static void multiply(struct entries *of, const struct entries *other)
{
    struct entries product = { NULL, 0 };

    for (size_t i = 0; i < of->count; i++) {
        for (size_t j = 0; j < other->count; j++) {
            const struct entry entry = combine(&of->items[i], &other->items[j]);
            add(&product, &entry);
        }
    }
    free(of->items);
    *of = product;
}

static void add_condition(struct entries *of_rule, const struct rules_facts *facts,
                          const struct condition *c)
{
    struct entries read = { NULL, 0 };

    if (read_condition(&read, facts, c) && of_rule->count * read.count <= RULE_ENTRIES_MAX)
        multiply(of_rule, &read);
    free(read.items);
}

static void add_rule(struct entries *all, const struct rules_facts *facts, const struct rule *rule,
                     uint32_t place)
{
    const struct entry any = { .place = place };
    struct entries of_rule = { NULL, 0 };

    add(&of_rule, &any);
    for (size_t i = 0; i < rule->condition_count; i++)
        add_condition(&of_rule, facts, &rule->conditions[i]);
    for (size_t i = 0; i < of_rule.count; i++)
        add(all, &of_rule.items[i]);
    free(of_rule.items);
}

/* --- in order ------------------------------------------------------------------------------- */

static int compare_numbers(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int compare_facts(const struct entry *a, const struct entry *b)
{
    const uint32_t n = a->fact_count < b->fact_count ? a->fact_count : b->fact_count;

    for (uint32_t i = 0; i < n; i++) {
        if (a->facts[i] != b->facts[i])
            return compare_numbers(a->facts[i], b->facts[i]);
    }
    return compare_numbers(a->fact_count, b->fact_count);
}

static int compare_entries(const void *one, const void *other)
{
    const struct entry *a = one, *b = other;
    int order = rules_index_compare_hosts(a->host, b->host);

    if (order == 0)
        order = rules_index_compare(a->prefix, b->prefix);
    if (order == 0)
        order = compare_facts(a, b);
    return order != 0 ? order : compare_numbers(a->place, b->place);
}

void rules_entries_make(struct entries *out, const struct rules_facts *facts,
                        const struct rule *rules, size_t count)
{
    *out = (struct entries){ NULL, 0 };
    for (size_t i = 0; i < count; i++)
        add_rule(out, facts, &rules[i], (uint32_t)i);
    if (out->count > 0)
        qsort(out->items, out->count, sizeof(out->items[0]), compare_entries);
}

static void leave_out_pieces(struct entry *entry, size_t from, const struct rules_facts *facts)
{
    uint32_t kept = (uint32_t)from;

    for (size_t i = from; i < entry->fact_count; i++) {
        if (!rules_facts_is_piece(facts, entry->facts[i]))
            entry->facts[kept++] = entry->facts[i];
    }
    entry->fact_count = kept;
}

void rules_entries_leave_out_pieces(struct entry *entries, size_t count, size_t from,
                                    const struct rules_facts *facts)
{
    for (size_t i = 0; i < count; i++)
        leave_out_pieces(&entries[i], from, facts);
    qsort(entries, count, sizeof(entries[0]), compare_entries);
}
