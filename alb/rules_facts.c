/* rules_facts.c -- see rules_facts.h. */
#include "alb/rules_facts.h"

#include "base/ip.h"
#include "base/mem.h"
#include "base/slots.h"
#include "base/span.h"
#include "http/message.h"

#include "alb/conditions.h"
#include "alb/config.h"

enum fact_kind { FACT_HEADER, FACT_QUERY, FACT_QUERY_VALUE, FACT_SOURCE_IP, FACT_METHOD };
enum { FACT_KINDS = FACT_METHOD + 1 };

/* Fields and queries are compared in any case, as conditions do. */
struct fact {
    enum fact_kind kind;
    struct span name;  /* of the field, or the query's key; else empty */
    struct span value; /* source-ip: a struct block as bytes */
};

struct known {
    struct fact fact;
    char *text; /* owned; what the spans of `fact` point into */
    uint64_t hash;
    uint32_t rules; /* how many ask for it */
    bool is_in_key;
};

struct block {
    uint8_t bits;
    struct ip ip;
};

struct rules_facts {
    struct known *known;
    size_t count;
    struct slots slots;            /* of `known` */
    const struct condition **keys; /* by place of the rule */
    struct block *masks;           /* one for each length of blocks in keys; the addresses are 0 */
    size_t mask_count;
    /* Bit n: a key has a fact of this kind with a name, or a value, of n bytes modulo 64. Most
     * of what a request has is told by it to be none. */
    uint64_t name_lengths[FACT_KINDS], value_lengths[FACT_KINDS];
};

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

static uint32_t find_fact(const struct rules_facts *f, const struct fact *fact)
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

/* --- what a condition asks for ------------------------------------------------------------ */

/* Without the backslashes that make '*' and '?' ordinary. False when it has wildcards. */
static bool put_plain(char **to, const char *text, bool escapes)
{
    for (; *text != '\0'; text++) {
        if (escapes && text[0] == '\\' && (text[1] == '*' || text[1] == '?'))
            text++;
        else if (*text == '*' || *text == '?')
            return false;
        *(*to)++ = *text;
    }
    return true;
}

static const char *name_of(const struct condition *c, const struct condition_value *v)
{
    const char *name = c->kind == CONDITION_HEADER  ? c->name
                       : c->kind == CONDITION_QUERY ? v->key
                                                    : NULL;

    return name == NULL ? "" : name;
}

/* A text of this kind; free() it. NULL: no fact. */
static char *read_text(struct fact *out, enum fact_kind kind, const struct condition *c,
                       const struct condition_value *v)
{
    const bool escapes = c->kind == CONDITION_QUERY;
    const char *name = name_of(c, v);
    char *text = mem_zero(strlen(name) + strlen(v->text) + 1), *to = text;

    const bool has_name = put_plain(&to, name, escapes);
    char *const value = to;
    if (v->regex != NULL || !has_name || !put_plain(&to, v->text, escapes)) {
        free(text);
        return NULL;
    }
    *out = (struct fact){ kind, span_of(text, (size_t)(value - text)),
                          span_of(value, (size_t)(to - value)) };
    return text;
}

static struct block block_of(const struct ip *ip, uint8_t bits)
{
    return (struct block){ bits, ip_network(*ip, bits) };
}

static struct fact block_fact(const struct block *block)
{
    return (struct fact){ FACT_SOURCE_IP, SPAN(""), span_of(block, sizeof(*block)) };
}

static char *read_block(struct fact *out, const struct cidr *cidr)
{
    const struct block block = block_of(&cidr->ip, cidr->bits);
    char *text = mem_copy(&block, sizeof(block));

    *out = block_fact((const struct block *)text);
    return text;
}

static char *read_fact(struct fact *out, const struct condition *c, size_t i)
{
    const struct condition_value *v = &c->values[i];

    switch (c->kind) {
    case CONDITION_METHOD:
        return read_text(out, FACT_METHOD, c, v);
    case CONDITION_SOURCE_IP:
        return read_block(out, &v->block);
    case CONDITION_HEADER:
        return read_text(out, FACT_HEADER, c, v);
    case CONDITION_QUERY:
        return read_text(out, v->key == NULL ? FACT_QUERY_VALUE : FACT_QUERY, c, v);
    case CONDITION_HOST:
    case CONDITION_PATH:
        break; /* the index has its own ways with them */
    }
    return NULL;
}

uint32_t rules_facts_number(const struct rules_facts *f, const struct condition *c, size_t i)
{
    struct fact fact;
    char *text = read_fact(&fact, c, i);
    const uint32_t number = text == NULL ? FACT_NONE : find_fact(f, &fact);

    free(text);
    return number;
}

/* --- making it -------------------------------------------------------------------------- */

static void learn(struct rules_facts *f, const struct condition *c, size_t i)
{
    struct fact fact;
    char *text = read_fact(&fact, c, i);

    if (text == NULL)
        return;
    uint32_t number = find_fact(f, &fact);
    if (number == FACT_NONE) {
        number = (uint32_t)f->count++;
        f->known[number] = (struct known){ .fact = fact, .text = text, .hash = hash_fact(&fact) };
        slots_put(&f->slots, f->known[number].hash, number);
    } else {
        free(text);
    }
    f->known[number].rules++;
}

static void learn_rule(struct rules_facts *f, const struct rule *rule)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        for (size_t j = 0; j < rule->conditions[i].count; j++)
            learn(f, &rule->conditions[i], j);
    }
}

/* How many rules ask for the most popular of its facts. UINT32_MAX: not all are facts. */
static uint32_t popularity(const struct rules_facts *f, const struct condition *c)
{
    uint32_t most = 0;

    for (size_t i = 0; i < c->count; i++) {
        const uint32_t number = rules_facts_number(f, c, i);
        if (number == FACT_NONE)
            return UINT32_MAX;
        if (f->known[number].rules > most)
            most = f->known[number].rules;
    }
    return c->count == 0 ? UINT32_MAX : most;
}

/* Of equals the last: a field or the query rather than the address or the method. */
static const struct condition *choose_key(const struct rules_facts *f, const struct rule *rule)
{
    const struct condition *best = NULL;
    uint32_t least = UINT32_MAX - 1;

    for (size_t i = 0; i < rule->condition_count; i++) {
        const uint32_t n = popularity(f, &rule->conditions[i]);
        if (n <= least) {
            best = &rule->conditions[i];
            least = n;
        }
    }
    return best;
}

static void add_mask(struct rules_facts *f, const struct cidr *cidr)
{
    const struct block mask = { cidr->bits, { .family = cidr->ip.family } };

    for (size_t i = 0; i < f->mask_count; i++) {
        if (f->masks[i].bits == mask.bits && f->masks[i].ip.family == mask.ip.family)
            return;
    }
    f->masks = mem_resize(f->masks, (f->mask_count + 1) * sizeof(f->masks[0]));
    f->masks[f->mask_count++] = mask;
}

static uint64_t length_bit(struct span text)
{
    return UINT64_C(1) << text.len % 64;
}

static void use_key(struct rules_facts *f, const struct condition *key)
{
    for (size_t i = 0; key != NULL && i < key->count; i++) {
        struct known *k = &f->known[rules_facts_number(f, key, i)];
        k->is_in_key = true;
        f->name_lengths[k->fact.kind] |= length_bit(k->fact.name);
        f->value_lengths[k->fact.kind] |= length_bit(k->fact.value);
        if (k->fact.kind == FACT_SOURCE_IP)
            add_mask(f, &key->values[i].block);
    }
}

static size_t count_values(const struct rule *rules, size_t count)
{
    size_t values = 0;

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < rules[i].condition_count; j++)
            values += rules[i].conditions[j].count;
    }
    return values;
}

struct rules_facts *rules_facts_new(const struct rule *rules, size_t count)
{
    struct rules_facts *f = mem_new(struct rules_facts);
    const size_t most = count_values(rules, count);

    f->known = mem_array(struct known, most);
    f->keys = mem_array(const struct condition *, count);
    slots_init(&f->slots, most);
    for (size_t i = 0; i < count; i++)
        learn_rule(f, &rules[i]);
    for (size_t i = 0; i < count; i++) {
        f->keys[i] = choose_key(f, &rules[i]);
        use_key(f, f->keys[i]);
    }
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
    free(f->keys);
    free(f->masks);
    free(f->slots.numbers);
    mem_free(*facts);
}

const struct condition *rules_facts_key(const struct rules_facts *f, size_t place)
{
    return f->keys[place];
}

/* --- those of a request ------------------------------------------------------------------- */

static void add_number(struct request_facts *out, uint32_t number)
{
    for (size_t i = 0; i < out->count; i++) {
        if (out->numbers[i] == number)
            return;
    }
    if (out->count == REQUEST_FACTS_MAX)
        out->too_many = true;
    else
        out->numbers[out->count++] = number;
}

static void look_up(const struct rules_facts *f, enum fact_kind kind, struct span name,
                    struct span value, struct request_facts *out)
{
    const struct fact fact = { kind, name, value };

    if (out->too_many || (f->name_lengths[kind] & length_bit(name)) == 0 ||
        (f->value_lengths[kind] & length_bit(value)) == 0)
        return;
    const uint32_t number = find_fact(f, &fact);
    if (number != FACT_NONE && f->known[number].is_in_key)
        add_number(out, number);
}

static void look_up_fields(const struct rules_facts *f, const struct http_message *m,
                           struct request_facts *out)
{
    static const enum http_name framing[] = { HTTP_N_CONTENT_LENGTH, HTTP_N_TRANSFER_ENCODING };
    char text[CONDITION_FRAMING_MAX];

    for (size_t i = 0; i < m->field_count; i++)
        look_up(f, FACT_HEADER, m->fields[i].name, m->fields[i].value, out);
    for (size_t i = 0; i < sizeof(framing) / sizeof(framing[0]); i++) {
        if (condition_framing(m, framing[i], text))
            look_up(f, FACT_HEADER, http_name_text(framing[i]), span_text(text), out);
    }
}

static void look_up_query(const struct rules_facts *f, struct span query, struct request_facts *out)
{
    struct span key, value;

    while (!out->too_many && condition_next_pair(&query, &key, &value)) {
        look_up(f, FACT_QUERY, key, value, out);
        look_up(f, FACT_QUERY_VALUE, SPAN(""), value, out);
    }
}

static void look_up_peer(const struct rules_facts *f, const struct ip *peer,
                         struct request_facts *out)
{
    for (size_t i = 0; i < f->mask_count; i++) {
        if (peer->family != f->masks[i].ip.family)
            continue;
        const struct block block = block_of(peer, f->masks[i].bits);
        look_up(f, FACT_SOURCE_IP, SPAN(""), block_fact(&block).value, out);
    }
}

void rules_facts_of(const struct rules_facts *f, const struct condition_request *request,
                    struct request_facts *out)
{
    const struct http_message *m = request->message;

    out->count = 0;
    out->too_many = false;
    if (f->value_lengths[FACT_HEADER] != 0)
        look_up_fields(f, m, out);
    if ((f->value_lengths[FACT_QUERY] | f->value_lengths[FACT_QUERY_VALUE]) != 0)
        look_up_query(f, m->query, out);
    look_up_peer(f, request->peer, out);
    look_up(f, FACT_METHOD, SPAN(""), m->method, out);
}
