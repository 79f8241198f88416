/*
 * edge_program.c -- see edge_program.h.
 *
 * The program is the table below. A row is an instruction as the kernel has it (struct bpf_insn;
 * Documentation/bpf/standardization/instruction-set.rst), but for labels, jumps to them, and what
 * is not known before it is loaded; assemble() resolves these.
 *
 *     R0         what a call returns, and the verdict: how many bytes of the packet are kept
 *     R1 to R5   arguments of a call, and lost by it
 *     R6 to R9   kept over calls
 *     FP         the top of the stack: what stands there has a negative offset
 *
 * An IPv4 packet never reaches an IPv6 socket of ours (IPV6_V6ONLY), and Linux drops IPv6 packets
 * with a mapped address as their source, so that a family has one spelling.
 */
#include "net/edge_program.h"

#include <asm/byteorder.h>
#include <linux/if_ether.h>
#include <string.h>
#include <unistd.h>

#include "net/bpf.h"

/* --- the language ------------------------------------------------------------------ */

/* No instruction has these codes. */
enum { CODE_LABEL = 0xff, CODE_IS_LEAVING = 0xfe };

/* clang-format off */
#define ROW(c, dst, src, o, i) { .code = (c), .dst_reg = (dst), .src_reg = (src), .off = (o), .imm = (i) }

#define MOVE(dst, src)               ROW(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define SET(dst, number)             ROW(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, number)
#define ADD(dst, number)             ROW(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, number)
#define ADD_REG(dst, src)            ROW(BPF_ALU64 | BPF_ADD | BPF_X, dst, src, 0, 0)
#define AND(dst, number)             ROW(BPF_ALU64 | BPF_AND | BPF_K, dst, 0, 0, number)
#define POINT(dst, at)               MOVE(dst, FP), ADD(dst, at)
/* B, H, W, DW are 1, 2, 4 and 8 bytes: from memory, from a register to memory, a number to it */
#define LOAD(size, dst, from, at)    ROW(BPF_LDX | BPF_MEM | BPF_##size, dst, from, at, 0)
#define STORE(size, to, at, src)     ROW(BPF_STX | BPF_MEM | BPF_##size, to, src, at, 0)
#define WRITE(size, to, at, number)  ROW(BPF_ST | BPF_MEM | BPF_##size, to, 0, at, number)
#define COUNT(to, at, src)           ROW(BPF_STX | BPF_ATOMIC | BPF_DW, to, src, at, BPF_ADD)
#define CALL(function)               ROW(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_##function)
#define LOAD_MAP(dst, map)           ROW(BPF_LD | BPF_DW | BPF_IMM, dst, BPF_PSEUDO_MAP_FD, 0, map), \
                                     ROW(0, 0, 0, 0, 0) /* it has the room of two */
#define JUMP(label)                  ROW(BPF_JMP | BPF_JA, 0, 0, label, 0)
#define IF_EQ(reg, number, label)    ROW(BPF_JMP | BPF_JEQ | BPF_K, reg, 0, label, number)
#define IF_NE(reg, number, label)    ROW(BPF_JMP | BPF_JNE | BPF_K, reg, 0, label, number)
#define EXIT                         ROW(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define LABEL(label)                 ROW(CODE_LABEL, 0, 0, label, 0)
#define IS_LEAVING(dst)              ROW(CODE_IS_LEAVING, dst, 0, 0, 0)
/* clang-format on */

enum { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, FP };

enum label { IPV6, STRANGER, NOTE, FIRST_TIME, VERDICT, MEMBER, ADMIT, DROP, LABELS };

/* --- the program -------------------------------------------------------------------- */

/* clang-format off */
enum { /* on the stack */
    SOURCE = -16,            /* the sender's address, IPv4 in its last 4 bytes */
    KEY_6 = SOURCE - 4,      /* struct edge_key that ends in it */
    KEY_4 = SOURCE + 12 - 4,
    WORD = -24,              /* uint32_t: a key of EDGE_WORDS */
    TCP = -40,               /* the TCP header, with which the packet begins: 14 bytes of it */
    TCP_PORT = TCP + 2,      /* destination */
    TCP_FLAGS = TCP + 13,
    NEW_NOTE = -64,          /* struct edge_note */
    NOTE_LAST = NEW_NOTE + (int)offsetof(struct edge_note, last_ns),
    NOTE_PORT = NEW_NOTE + (int)offsetof(struct edge_note, port),
};
/* clang-format on */

enum { TCP_SYN = 0x02, TCP_ACK = 0x10, IPV4_SOURCE = 12, IPV6_SOURCE = 8 };

/* R6: the packet; from STRANGER on what is done with one. R7: 0 for IPv4, 1 for IPv6.
 * R8: TCP_SYN when the packet begins a connection. R9: 1 when members' are not begun either. */
static const struct bpf_insn program[] = {
    MOVE(R6, R1),
    IS_LEAVING(R9),

    SET(R2, 0), /* its TCP header: always there, TCP has looked */
    POINT(R3, TCP),
    SET(R4, TCP_FLAGS + 1 - TCP),
    CALL(skb_load_bytes),
    IF_NE(R0, 0, DROP),
    LOAD(B, R8, FP, TCP_FLAGS),
    AND(R8, TCP_SYN | TCP_ACK),

    LOAD(W, R1, R6, offsetof(struct __sk_buff, protocol)), /* network order */
    SET(R7, 0),
    IF_NE(R1, __constant_htons(ETH_P_IP), IPV6),

    MOVE(R1, R6), /* IPv4: who sends it? */
    SET(R2, IPV4_SOURCE),
    POINT(R3, SOURCE + 12),
    SET(R4, 4),
    SET(R5, BPF_HDR_START_NET),
    CALL(skb_load_bytes_relative),
    IF_NE(R0, 0, DROP),
    WRITE(W, FP, KEY_4, 32),
    LOAD_MAP(R1, EDGE_TRIE_4),
    POINT(R2, KEY_4),
    CALL(map_lookup_elem),
    IF_NE(R0, 0, MEMBER),
    WRITE(DW, FP, SOURCE, 0), /* ::ffff:a.b.c.d */
    WRITE(H, FP, SOURCE + 8, 0),
    WRITE(H, FP, SOURCE + 10, -1),
    JUMP(STRANGER),

    LABEL(IPV6),
    SET(R7, 1),
    MOVE(R1, R6),
    SET(R2, IPV6_SOURCE),
    POINT(R3, SOURCE),
    SET(R4, 16),
    SET(R5, BPF_HDR_START_NET),
    CALL(skb_load_bytes_relative),
    IF_NE(R0, 0, DROP),
    WRITE(W, FP, KEY_6, 128),
    LOAD_MAP(R1, EDGE_TRIE_6),
    POINT(R2, KEY_6),
    CALL(map_lookup_elem),
    IF_NE(R0, 0, MEMBER),

    LABEL(STRANGER),
    WRITE(W, FP, WORD, WORD_DOING),
    LOAD_MAP(R1, EDGE_WORDS),
    POINT(R2, WORD),
    CALL(map_lookup_elem),
    IF_EQ(R0, 0, DROP), /* the verifier does not know that it is there */
    LOAD(DW, R6, R0, 0),
    IF_EQ(R6, EDGE_ADMITS_ALL, MEMBER),
    IF_NE(R8, TCP_SYN, VERDICT),

    MOVE(R1, R6), /* count it: in WORD_DROPPED + 2 * EDGE_... + family */
    ADD_REG(R1, R6),
    ADD_REG(R1, R7),
    ADD(R1, WORD_DROPPED),
    STORE(W, FP, WORD, R1),
    LOAD_MAP(R1, EDGE_WORDS),
    POINT(R2, WORD),
    CALL(map_lookup_elem),
    IF_EQ(R0, 0, NOTE),
    SET(R1, 1),
    COUNT(R0, 0, R1),

    LABEL(NOTE), /* who it was */
    WRITE(DW, FP, NEW_NOTE, 1),
    CALL(ktime_get_ns),
    STORE(DW, FP, NOTE_LAST, R0),
    LOAD(H, R1, FP, TCP_PORT),
    STORE(DW, FP, NOTE_PORT, R1),
    LOAD_MAP(R1, EDGE_STRANGERS),
    POINT(R2, SOURCE),
    CALL(map_lookup_elem),
    IF_EQ(R0, 0, FIRST_TIME),
    SET(R1, 1),
    COUNT(R0, offsetof(struct edge_note, count), R1),
    LOAD(DW, R1, FP, NOTE_LAST),
    STORE(DW, R0, offsetof(struct edge_note, last_ns), R1),
    LOAD(DW, R1, FP, NOTE_PORT),
    STORE(DW, R0, offsetof(struct edge_note, port), R1),
    JUMP(VERDICT),

    LABEL(FIRST_TIME),
    LOAD_MAP(R1, EDGE_STRANGERS),
    POINT(R2, SOURCE),
    POINT(R3, NEW_NOTE),
    SET(R4, BPF_ANY),
    CALL(map_update_elem),

    LABEL(VERDICT),
    IF_NE(R6, EDGE_OBSERVES, DROP),

    LABEL(MEMBER),
    IF_EQ(R9, 0, ADMIT),
    IF_EQ(R8, TCP_SYN, DROP), /* not the ACK that ends a handshake: who sends it is connected */

    LABEL(ADMIT),
    SET(R0, -1), /* all of it */
    EXIT,

    LABEL(DROP),
    SET(R0, 0),
    EXIT,
};

_Static_assert(sizeof(struct edge_key) == 20, "the address follows the number of bits");
_Static_assert((int)WORD_OBSERVED - (int)WORD_DROPPED == 2 * (EDGE_OBSERVES - EDGE_DROPS),
               "the sum that names a counter");

/* --- loading it ----------------------------------------------------------------------- */

enum { ROWS = sizeof(program) / sizeof(program[0]) };

/* Where each label is when labels take no room. */
static void find_labels(int at[LABELS])
{
    int n = 0;

    for (size_t i = 0; i < ROWS; i++) {
        if (program[i].code == CODE_LABEL)
            at[program[i].off] = n;
        else
            n++;
    }
}

static bool is_jump(const struct bpf_insn *row)
{
    const uint8_t operation = row->code & 0xf0;

    return (row->code & 0x07) == BPF_JMP && operation != BPF_CALL && operation != BPF_EXIT;
}

/* The first of the two rows of LOAD_MAP; the second has nothing but its room. */
static bool is_map(const struct bpf_insn *row)
{
    return BPF_CLASS(row->code) == BPF_LD && row->src_reg == BPF_PSEUDO_MAP_FD;
}

static struct bpf_insn resolve(struct bpf_insn row, int here, const int labels[LABELS],
                               const int maps[EDGE_MAPS], bool is_leaving)
{
    if (is_jump(&row))
        row.off = (int16_t)(labels[row.off] - here - 1);
    else if (is_map(&row))
        row.imm = maps[row.imm];
    else if (row.code == CODE_IS_LEAVING)
        row = (struct bpf_insn)SET(row.dst_reg, is_leaving);
    return row;
}

/* How many instructions there are. */
static size_t assemble(const int maps[EDGE_MAPS], bool is_leaving, struct bpf_insn to[ROWS])
{
    int labels[LABELS], n = 0;

    find_labels(labels);
    for (size_t i = 0; i < ROWS; i++) {
        if (program[i].code != CODE_LABEL) {
            to[n] = resolve(program[i], n, labels, maps, is_leaving);
            n++;
        }
    }
    return (size_t)n;
}

int edge_program_load(const int maps[EDGE_MAPS], bool is_leaving, char *why, size_t why_size)
{
    struct bpf_insn code[ROWS];

    return bpf_filter_load(code, assemble(maps, is_leaving, code), why, why_size);
}

/* --- its maps --------------------------------------------------------------------------- */

static const struct bpf_shape shapes[EDGE_MAPS] = {
    [EDGE_TRIE_4] = { BPF_MAP_TYPE_LPM_TRIE, 8, 4, EDGE_BLOCKS_MAX, BPF_F_NO_PREALLOC },
    [EDGE_TRIE_6] = { BPF_MAP_TYPE_LPM_TRIE, 20, 4, EDGE_BLOCKS_MAX, BPF_F_NO_PREALLOC },
    [EDGE_WORDS] = { BPF_MAP_TYPE_ARRAY, 4, 8, WORDS, 0 },
    [EDGE_STRANGERS] = { BPF_MAP_TYPE_LRU_HASH, 16, sizeof(struct edge_note), EDGE_STRANGERS_MAX,
                         0 },
};

bool edge_maps_new(int maps[EDGE_MAPS])
{
    for (int i = 0; i < EDGE_MAPS; i++) {
        maps[i] = bpf_map_new(&shapes[i]);
        if (maps[i] != -1)
            continue;
        while (i-- > 0)
            close(maps[i]);
        return false;
    }
    return true;
}
