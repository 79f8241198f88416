/*
 * literals.c -- see literals.h.
 *
 * A state is a start of some texts: "/te" of "/tenant-17/" and "/team". From it a byte leads on to
 * a longer one; when there is none, the search goes on in the state's *shorter* one, the longest
 * other that it ends in. States are made in the order of their lengths, so the shorter ones of
 * all are there when one is made.
 */
#include "base/literals.h"

#include "base/mem.h"
#include "base/slots.h"

#define NONE UINT32_MAX

struct state {
    uint32_t parent;
    uint32_t shorter;
    uint32_t number; /* of the text that it is, whole; NONE */
    uint32_t ending; /* the longest of the shorter ones that is a text, whole; NONE */
    uint8_t byte;    /* that leads here from the parent */
};

/* The bytes that lead on from a group's first state, in any case; a text has few of them. */
struct starts {
    uint64_t bits[4];
};

struct literals {
    struct state *states; /* the first are those of the groups, of length 0 */
    size_t count;
    uint32_t groups;
    struct slots steps; /* of `states`, by parent and byte */
    struct starts *starts;
};

static uint8_t lower(char c)
{
    return (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static uint64_t hash_step(uint32_t parent, uint8_t byte)
{
    return ((uint64_t)parent << 8 | byte) * UINT64_C(0x9e3779b97f4a7c15);
}

/* The state behind one; NONE. */
static uint32_t step(const struct literals *l, uint32_t state, uint8_t byte)
{
    const uint64_t hash = hash_step(state, byte) >> 20;

    for (size_t at = slots_start(&l->steps, hash); l->steps.numbers[at] != SLOT_NONE;
         at = slots_next(&l->steps, at)) {
        const uint32_t next = l->steps.numbers[at];
        if (l->states[next].parent == state && l->states[next].byte == byte)
            return next;
    }
    return NONE;
}

static bool is_start(const struct starts *starts, uint8_t byte)
{
    return (starts->bits[byte / 64] >> byte % 64 & 1) != 0;
}

/* The state after one more byte of a text. */
static uint32_t walk(const struct literals *l, uint32_t group, uint32_t state, uint8_t byte)
{
    while (state != group) {
        const uint32_t next = step(l, state, byte);
        if (next != NONE)
            return next;
        state = l->states[state].shorter;
    }
    return is_start(&l->starts[group], byte) ? step(l, group, byte) : group;
}

/* --- making it ------------------------------------------------------------------------ */

static void add_start(struct starts *starts, uint8_t byte)
{
    const uint8_t other = byte >= 'a' && byte <= 'z' ? (uint8_t)(byte - 'a' + 'A') : byte;

    starts->bits[byte / 64] |= UINT64_C(1) << byte % 64;
    starts->bits[other / 64] |= UINT64_C(1) << other % 64;
}

static uint32_t add_state(struct literals *l, uint32_t group, uint32_t parent, uint8_t byte)
{
    const uint32_t made = (uint32_t)l->count;
    const uint32_t shorter =
        parent == group ? group : walk(l, group, l->states[parent].shorter, byte);
    const struct state *s = &l->states[shorter];

    l->states[l->count++] = (struct state){ .parent = parent,
                                            .shorter = shorter,
                                            .number = NONE,
                                            .ending = s->number != NONE ? shorter : s->ending,
                                            .byte = byte };
    slots_put(&l->steps, hash_step(parent, byte) >> 20, made);
    if (parent == group)
        add_start(&l->starts[group], byte);
    return made;
}

/* One more byte of a text, which is in `state` so far. */
static uint32_t lengthen(struct literals *l, const struct literal *of, uint32_t state, size_t at)
{
    const uint8_t byte = lower(of->text.ptr[at]);
    uint32_t next = step(l, state, byte);

    if (next == NONE)
        next = add_state(l, of->group, state, byte);
    if (at + 1 == of->text.len)
        l->states[next].number = of->number;
    return next;
}

static size_t sum_lengths(const struct literal *all, size_t count, size_t *longest)
{
    size_t sum = 0;

    *longest = 0;
    for (size_t i = 0; i < count; i++) {
        sum += all[i].text.len;
        *longest = all[i].text.len > *longest ? all[i].text.len : *longest;
    }
    return sum;
}

static void add_groups(struct literals *l)
{
    for (; l->count < l->groups; l->count++)
        l->states[l->count] = (struct state){ NONE, (uint32_t)l->count, NONE, NONE, 0 };
}

struct literals *literals_new(const struct literal *all, size_t count, uint32_t groups)
{
    struct literals *l = mem_new(struct literals);
    uint32_t *reached = mem_array(uint32_t, count);
    size_t longest;
    const size_t most = sum_lengths(all, count, &longest);

    l->groups = groups;
    l->states = mem_array(struct state, groups + most);
    l->starts = mem_array(struct starts, groups);
    slots_init(&l->steps, most);
    add_groups(l);
    for (size_t i = 0; i < count; i++)
        reached[i] = all[i].group;
    for (size_t at = 0; at < longest; at++) {
        for (size_t i = 0; i < count; i++) {
            if (at < all[i].text.len)
                reached[i] = lengthen(l, &all[i], reached[i], at);
        }
    }
    free(reached);
    l->states = mem_resize(l->states, (l->count + 1) * sizeof(l->states[0]));
    return l;
}

void literals_free(struct literals **literals)
{
    if (*literals == NULL)
        return;
    free((*literals)->states);
    free((*literals)->starts);
    free((*literals)->steps.numbers);
    mem_free(*literals);
}

/* --- searching ------------------------------------------------------------------------- */

/* What ends in a state. */
static enum literals_next report(const struct literals *l, uint32_t state, literals_found *found,
                                 void *user)
{
    enum literals_next next = LITERALS_GO_ON;

    if (l->states[state].number == NONE)
        state = l->states[state].ending;
    for (; state != NONE && next == LITERALS_GO_ON; state = l->states[state].ending)
        next = found(user, l->states[state].number);
    return next;
}

void literals_search(const struct literals *l, uint32_t group, struct span text,
                     literals_found *found, void *user)
{
    const struct starts *starts = &l->starts[group];
    uint32_t state = group;

    for (size_t i = 0; i < text.len; i++) {
        if (state == group && !is_start(starts, (uint8_t)text.ptr[i]))
            continue;
        state = walk(l, group, state, lower(text.ptr[i]));
        if (state != group && report(l, state, found, user) == LITERALS_END)
            return;
    }
}
