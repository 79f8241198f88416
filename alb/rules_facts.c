/* rules_facts.c -- see rules_facts.h: how they are learned and numbered. */
#include "alb/rules_facts.h"

#include "base/mem.h"

#include "alb/config.h"
#include "alb/rules_facts_private.h"

/* --- facts ------------------------------------------------------------------------------ */

static uint64_t hash_text(uint64_t hash, struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        hash = slot_hash_on(hash, text.ptr[i]);
    return hash;
}

static uint64_t hash_fact(const struct fact *f)
{
    const uint64_t name = hash_text(slot_hash_on(SLOT_HASH, (char)f->kind), f->name);

    return hash_text(slot_hash_on(name, '='), f->value);
}

static bool is_same(const struct fact *a, const struct fact *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == FACT_METHOD || a->kind == FACT_SOURCE_IP)
        return span_equal(a->value, b->value);
    return span_equal_nocase(a->name, b->name) && span_equal_nocase(a->value, b->value);
}

uint32_t rules_facts_number(const struct rules_facts *f, const struct fact *fact)
{
    const uint64_t hash = hash_fact(fact);

    for (size_t at = slots_start(&f->slots, hash); f->slots.numbers[at] != SLOT_NONE;
         at = slots_next(&f->slots, at)) {
        const struct known *k = &f->known[f->slots.numbers[at]];
        if (k->hash == hash && is_same(&k->fact, fact))
            return f->slots.numbers[at];
    }
    return FACT_NONE;
}

/* --- learning --------------------------------------------------------------------------- */

static void put_all(struct rules_facts *f)
{
    free(f->slots.numbers);
    slots_init(&f->slots, f->room);
    for (size_t i = 0; i < f->count; i++)
        slots_put(&f->slots, f->known[i].hash, (uint32_t)i);
}

static void make_room(struct rules_facts *f)
{
    if (f->count < f->room)
        return;
    f->room = f->room == 0 ? 64 : 2 * f->room;
    f->known = mem_resize(f->known, f->room * sizeof(f->known[0]));
    put_all(f);
}

static char *join(struct span a, struct span b)
{
    char *text = mem_zero(a.len + b.len + 1);

    if (a.len > 0)
        memcpy(text, a.ptr, a.len);
    if (b.len > 0)
        memcpy(text + a.len, b.ptr, b.len);
    return text;
}

static void add_known(struct rules_facts *f, const struct fact *fact)
{
    char *text = join(fact->name, fact->value);
    struct known *k;

    make_room(f);
    k = &f->known[f->count];
    *k = (struct known){ .text = text, .hash = hash_fact(fact), .group = PIECES_OF_NOTHING };
    k->fact = (struct fact){ fact->kind, span_of(text, fact->name.len),
                             span_of(text + fact->name.len, fact->value.len) };
    slots_put(&f->slots, k->hash, (uint32_t)f->count++);
}

static struct known *learn(struct rules_facts *f, const struct fact *fact)
{
    uint32_t number = rules_facts_number(f, fact);

    if (number == FACT_NONE) {
        number = (uint32_t)f->count;
        add_known(f, fact);
    }
    return &f->known[number];
}

static struct fact field_fact(struct span name)
{
    return (struct fact){ FACT_FIELD, name, SPAN("") };
}

/* Who looks for a piece in a field has to find the field. */
static void learn_ask(struct rules_facts *f, const struct ask *ask)
{
    for (size_t i = 0; i < ask->count; i++) {
        const struct fact *fact = &ask->facts[i], field = field_fact(fact->name);
        if (fact->kind == FACT_FIELD_PIECE)
            learn(f, &field);
        learn(f, fact)->asks++;
    }
}

static void learn_value(struct rules_facts *f, const struct condition *c, size_t value)
{
    struct asks asks;

    rules_asks_read(&asks, c, value);
    for (size_t i = 0; i < asks.count; i++)
        learn_ask(f, &asks.any_of[i]);
    rules_asks_done(&asks);
}

static void learn_rule(struct rules_facts *f, const struct rule *rule)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        for (size_t j = 0; j < rule->conditions[i].count; j++)
            learn_value(f, &rule->conditions[i], j);
    }
}

/* What is asked for least often first; of equals, what is easier to find. */
static int compare_known(const void *one, const void *other)
{
    const struct known *a = one, *b = other;

    if (a->asks != b->asks)
        return a->asks < b->asks ? -1 : 1;
    if (a->fact.kind != b->fact.kind)
        return a->fact.kind < b->fact.kind ? -1 : 1;
    return (a->hash > b->hash) - (a->hash < b->hash);
}

struct rules_facts *rules_facts_new(const struct rule *rules, size_t count)
{
    struct rules_facts *f = mem_new(struct rules_facts);

    make_room(f);
    for (size_t i = 0; i < count; i++)
        learn_rule(f, &rules[i]);
    qsort(f->known, f->count, sizeof(f->known[0]), compare_known);
    put_all(f);
    return f;
}

void rules_facts_free(struct rules_facts **facts)
{
    struct rules_facts *f = *facts;

    if (f == NULL)
        return;
    for (size_t i = 0; i < f->count; i++)
        free(f->known[i].text);
    free(f->known);
    free(f->masks);
    free(f->slots.numbers);
    literals_free(&f->pieces);
    mem_free(*facts);
}

/* --- what is looked for ------------------------------------------------------------------- */

static void add_mask(struct rules_facts *f, struct span block)
{
    struct cidr mask;

    memcpy(&mask, block.ptr, sizeof(mask));
    memset(mask.ip.bytes, 0, sizeof(mask.ip.bytes));
    for (size_t i = 0; i < f->mask_count; i++) {
        if (f->masks[i].bits == mask.bits && f->masks[i].ip.family == mask.ip.family)
            return;
    }
    f->masks = mem_resize(f->masks, (f->mask_count + 1) * sizeof(f->masks[0]));
    f->masks[f->mask_count++] = mask;
}

static void look_for(struct rules_facts *f, const struct fact *fact)
{
    f->name_lengths[fact->kind] |= facts_length_bit(fact->name);
    f->value_lengths[fact->kind] |= facts_length_bit(fact->value);
}

void rules_facts_use(struct rules_facts *f, uint32_t number)
{
    struct known *k = &f->known[number];

    k->is_used = true;
    look_for(f, &k->fact);
    if (k->fact.kind == FACT_SOURCE_IP)
        add_mask(f, k->fact.value);
}

bool rules_facts_is_piece(const struct rules_facts *f, uint32_t number)
{
    switch (f->known[number].fact.kind) {
    case FACT_FIELD_PIECE:
    case FACT_HOST_PIECE:
    case FACT_PATH_PIECE:
    case FACT_QUERY_PIECE:
        return true;
    default:
        return false;
    }
}

/* Where a piece is looked for; PIECES_OF_NOTHING: it is none. */
static uint32_t group_of(struct rules_facts *f, const struct fact *fact, uint32_t *groups)
{
    const struct fact field = field_fact(fact->name);

    if (fact->kind == FACT_HOST_PIECE)
        return PIECES_OF_HOST;
    if (fact->kind == FACT_PATH_PIECE)
        return PIECES_OF_PATH;
    if (fact->kind == FACT_QUERY_PIECE)
        return PIECES_OF_QUERY;
    if (fact->kind != FACT_FIELD_PIECE)
        return PIECES_OF_NOTHING;
    struct known *k = &f->known[rules_facts_number(f, &field)];
    if (k->group == PIECES_OF_NOTHING)
        k->group = (*groups)++;
    look_for(f, &field);
    return k->group;
}

void rules_facts_ready(struct rules_facts *f)
{
    struct literal *all = mem_array(struct literal, f->count);
    uint32_t groups = PIECES_OF_FIELDS;
    size_t count = 0;

    for (size_t i = 0; i < f->count; i++) {
        const struct known *k = &f->known[i];
        const uint32_t group = k->is_used ? group_of(f, &k->fact, &groups) : PIECES_OF_NOTHING;
        if (group == PIECES_OF_NOTHING)
            continue;
        all[count++] = (struct literal){ k->fact.value, group, (uint32_t)i };
        if (group < PIECES_OF_FIELDS)
            f->has_pieces[group] = true;
    }
    if (count > 0)
        f->pieces = literals_new(all, count, groups);
    free(all);
}
