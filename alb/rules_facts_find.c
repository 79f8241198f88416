/* rules_facts_find.c -- see rules_facts.h: those of a request. */
#include "alb/conditions.h"
#include "alb/rules_facts_private.h"

#include <string.h>

#include "http/message.h"

struct finder {
    const struct rules_facts *facts;
    struct condition_request *request;
    struct request_facts *out;
};

/* How many of those there are lower. */
static size_t count_lower(const struct request_facts *out, uint32_t number)
{
    size_t low = 0, high = out->count;

    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (out->numbers[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* In its place. False: it is there already. */
static bool add_number(struct request_facts *out, uint32_t number)
{
    const size_t at = count_lower(out, number);

    if (at < out->count && out->numbers[at] == number)
        return false;
    if (out->count == REQUEST_FACTS_MAX) {
        out->too_many = true;
        return true;
    }
    memmove(&out->numbers[at + 1], &out->numbers[at], (out->count - at) * sizeof(out->numbers[0]));
    out->numbers[at] = number;
    out->count++;
    return true;
}

/* --- word for word ------------------------------------------------------------------------ */

/* By the lengths: most of what a request has is told to be none. */
static inline bool may_be_one(const struct finder *s, enum fact_kind kind, struct span name,
                              struct span value)
{
    return !s->out->too_many && (s->facts->name_lengths[kind] & facts_length_bit(name)) != 0 &&
           (s->facts->value_lengths[kind] & facts_length_bit(value)) != 0;
}

static uint32_t look_up(struct finder *s, enum fact_kind kind, struct span name, struct span value)
{
    const struct fact fact = { kind, name, value };
    const uint32_t number = rules_facts_number(s->facts, &fact);

    if (number != FACT_NONE && s->facts->known[number].is_used)
        add_number(s->out, number);
    return number;
}

static inline uint32_t find(struct finder *s, enum fact_kind kind, struct span name,
                            struct span value)
{
    return may_be_one(s, kind, name, value) ? look_up(s, kind, name, value) : FACT_NONE;
}

/* --- pieces ------------------------------------------------------------------------------- */

static enum literals_next add_piece(void *user, uint32_t number)
{
    struct finder *s = user;

    condition_request_charge(s->request, 1);
    const bool is_new = add_number(s->out, number);
    if (s->out->too_many || condition_request_is_spent(s->request))
        return LITERALS_END;
    return is_new ? LITERALS_GO_ON : LITERALS_SKIP_SHORTER;
}

static void find_pieces(struct finder *s, uint32_t group, struct span text)
{
    condition_request_charge(s->request, text.len);
    if (!s->out->too_many && !condition_request_is_spent(s->request))
        literals_search(s->facts->pieces, group, text, add_piece, s);
}

/* --- all of a request --------------------------------------------------------------------- */

static void find_field(struct finder *s, struct span name, struct span value)
{
    find(s, FACT_HEADER, name, value);
    const uint32_t field = find(s, FACT_FIELD, name, SPAN(""));
    if (field != FACT_NONE && s->facts->known[field].group != PIECES_OF_NOTHING)
        find_pieces(s, s->facts->known[field].group, value);
}

static void find_fields(struct finder *s, const struct http_message *m)
{
    static const enum http_name framing[] = { HTTP_N_CONTENT_LENGTH, HTTP_N_TRANSFER_ENCODING };
    char text[CONDITION_FRAMING_MAX];

    for (size_t i = 0; i < m->field_count; i++)
        find_field(s, m->fields[i].name, m->fields[i].value);
    for (size_t i = 0; i < sizeof(framing) / sizeof(framing[0]); i++) {
        if (condition_framing(m, framing[i], text))
            find_field(s, http_name_text(framing[i]), span_text(text));
    }
}

static void find_parameters(struct finder *s, struct span query)
{
    struct span key, value;

    while (!s->out->too_many && condition_next_pair(&query, &key, &value)) {
        find(s, FACT_QUERY, key, value);
        find(s, FACT_QUERY_VALUE, SPAN(""), value);
    }
}

static void find_peer(struct finder *s, const struct ip *peer)
{
    for (size_t i = 0; i < s->facts->mask_count; i++) {
        struct cidr block = s->facts->masks[i];
        if (peer->family != block.ip.family)
            continue;
        block.ip = ip_network(*peer, block.bits);
        find(s, FACT_SOURCE_IP, SPAN(""), span_of(&block, sizeof(block)));
    }
}

static bool asks_for(const struct rules_facts *f, enum fact_kind kind)
{
    return f->value_lengths[kind] != 0;
}

void rules_facts_of(const struct rules_facts *f, struct condition_request *request,
                    struct request_facts *out)
{
    struct finder s = { f, request, out };
    const struct http_message *m = request->message;

    out->count = 0;
    out->too_many = false;
    if (asks_for(f, FACT_HEADER) || asks_for(f, FACT_FIELD))
        find_fields(&s, m);
    if (asks_for(f, FACT_QUERY) || asks_for(f, FACT_QUERY_VALUE))
        find_parameters(&s, m->query);
    find_peer(&s, request->peer);
    find(&s, FACT_METHOD, SPAN(""), m->method);
    if (f->has_pieces[PIECES_OF_HOST])
        find_pieces(&s, PIECES_OF_HOST, request->host);
    if (f->has_pieces[PIECES_OF_PATH])
        find_pieces(&s, PIECES_OF_PATH, request->path);
    if (f->has_pieces[PIECES_OF_QUERY])
        find_pieces(&s, PIECES_OF_QUERY, m->query);
}
