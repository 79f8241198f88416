/*
 * edge_classic.c -- see edge_classic.h.
 *
 * The accumulator holds one 32-bit word of the sender's address, the first one at the start. At
 * each word the blocks are ranges of its values, in order: a block that ends in this word admits
 * its range; all that go on behind the same value are one range, of that value, within which the
 * next word is searched. A binary search finds the range.
 */
#include "net/edge_classic.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { NETWORK = SKF_NET_OFF, IPV4_SOURCE = 12, IPV6_SOURCE = 8, SHORT_JUMP = 255 };
static const uint32_t ALL = UINT32_MAX, NOTHING = 0;

struct writer {
    struct sock_filter *code;
    size_t count, max;
    bool is_full;
    int source; /* where the address is in the packet */
};

static size_t emit(struct writer *w, int code, uint8_t jt, uint8_t jf, uint32_t k)
{
    w->is_full |= w->count == w->max;
    if (w->is_full)
        return 0;
    w->code[w->count] = (struct sock_filter){ (uint16_t)code, jt, jf, k };
    return w->count++;
}

static void emit_verdict(struct writer *w, uint32_t verdict)
{
    emit(w, BPF_RET | BPF_K, 0, 0, verdict);
}

static void emit_load_word(struct writer *w, unsigned word)
{
    emit(w, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)(NETWORK + w->source + 4 * (int)word));
}

/* --- ranges of a word ------------------------------------------------------------- */

struct range {
    uint32_t first, last;
    const struct cidr *blocks; /* those that are in it */
    size_t count;
};

static uint32_t word_of(const struct cidr *block, unsigned word)
{
    const uint8_t *b = block->ip.bytes + 4 * (size_t)word;

    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static bool ends_in(const struct cidr *block, unsigned word)
{
    return block->bits <= 32 * (word + 1);
}

/* The first range of these blocks, which agree in all words before. */
static struct range first_range(const struct cidr *blocks, size_t count, unsigned word)
{
    const uint32_t value = word_of(blocks, word);
    struct range r = { value, value, blocks, 1 };

    if (ends_in(blocks, word)) {
        const unsigned bits = blocks->bits - 32 * word;
        r.last |= bits == 0 ? UINT32_MAX : (uint32_t)((1ull << (32 - bits)) - 1);
        return r;
    }
    while (r.count < count && word_of(&blocks[r.count], word) == value)
        r.count++;
    return r;
}

static size_t count_ranges(const struct cidr *blocks, size_t count, unsigned word)
{
    size_t ranges = 0;

    for (size_t at = 0; at < count; ranges++)
        at += first_range(blocks + at, count - at, word).count;
    return ranges;
}

static size_t blocks_of_ranges(const struct cidr *blocks, size_t count, unsigned word,
                               size_t ranges)
{
    size_t at = 0;

    while (ranges-- > 0)
        at += first_range(blocks + at, count - at, word).count;
    return at;
}

/* --- the search --------------------------------------------------------------------- */

static void emit_search(struct writer *w, const struct cidr *blocks, size_t count, unsigned word);

static void emit_range(struct writer *w, const struct range *r, unsigned word)
{
    const bool is_leaf = ends_in(r->blocks, word);

    if (r->first == r->last) {
        emit(w, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, r->first);
        emit_verdict(w, NOTHING);
    } else {
        emit(w, BPF_JMP | BPF_JGE | BPF_K, 0, 1, r->first);
        emit(w, BPF_JMP | BPF_JGT | BPF_K, 0, 1, r->last);
        emit_verdict(w, NOTHING);
    }
    if (is_leaf) {
        emit_verdict(w, ALL);
        return;
    }
    emit_load_word(w, word + 1);
    emit_search(w, r->blocks, r->count, word + 1);
}

/* From `at` on there is: a test that goes on when it fails, a long jump for when it does not, and
 * what comes when it fails. A short way needs no long jump. */
static void close_jump(struct writer *w, size_t at)
{
    const size_t over = w->count - at - 2;

    if (w->is_full)
        return;
    if (over > SHORT_JUMP) {
        w->code[at].jf = 1;
        w->code[at + 1].k = (uint32_t)over;
        return;
    }
    memmove(w->code + at + 1, w->code + at + 2, over * sizeof(*w->code));
    w->count--;
    w->code[at].jt = (uint8_t)over;
}

static void emit_search(struct writer *w, const struct cidr *blocks, size_t count, unsigned word)
{
    const size_t ranges = count_ranges(blocks, count, word);

    if (ranges == 0) {
        emit_verdict(w, NOTHING);
        return;
    }
    if (ranges == 1) {
        const struct range r = first_range(blocks, count, word);
        emit_range(w, &r, word);
        return;
    }
    const size_t half = blocks_of_ranges(blocks, count, word, ranges / 2);
    const size_t at = emit(w, BPF_JMP | BPF_JGE | BPF_K, 0, 0, word_of(&blocks[half], word));
    emit(w, BPF_JMP | BPF_JA, 0, 0, 0);
    emit_search(w, blocks, half, word);
    close_jump(w, at);
    emit_search(w, blocks + half, count - half, word);
}

/* --- the whole ------------------------------------------------------------------------ */

static void emit_family(struct writer *w, int source, const struct cidr *blocks, size_t count)
{
    w->source = source;
    emit_load_word(w, 0);
    emit_search(w, blocks, count, 0);
}

size_t edge_classic_write(const struct cidr *blocks, size_t count, struct sock_filter *to,
                          size_t max)
{
    struct writer w = { .code = to, .max = max };
    size_t of_4 = 0;

    while (of_4 < count && blocks[of_4].ip.family == 4)
        of_4++;
    emit(&w, BPF_LD | BPF_B | BPF_ABS, 0, 0, (uint32_t)NETWORK); /* the version is its high half */
    emit(&w, BPF_ALU | BPF_AND | BPF_K, 0, 0, 0xf0);
    const size_t at = emit(&w, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 0x60);
    emit(&w, BPF_JMP | BPF_JA, 0, 0, 0);
    emit_family(&w, IPV4_SOURCE, blocks, of_4);
    close_jump(&w, at);
    emit_family(&w, IPV6_SOURCE, blocks + of_4, count - of_4);
    return w.is_full ? 0 : w.count;
}
