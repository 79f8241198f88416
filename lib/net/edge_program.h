/*
 * edge_program.h -- the program that the kernel runs for each packet that comes to a listening
 * socket: is its sender inside?
 *
 * It answers from maps that the process can change at any time:
 *
 *     EDGE_TRIE_4, _6   the blocks that are inside; longest prefix match
 *     EDGE_WORDS        numbers: what is done with strangers (enum edge_doing), how many
 *                       connections of theirs were dropped, how many only seen
 *     EDGE_STRANGERS    who they were, the least recently seen forgotten first
 *
 * A stranger's packets are all dropped: a SYN is not answered, nor is what a port scan sends in its
 * place. Only SYNs are counted. Two programs share the maps: the second one is for a socket that is
 * about to be closed, and drops the SYNs of members too.
 */
#ifndef NET_EDGE_PROGRAM_H
#define NET_EDGE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Strangers are dropped; are let in, but counted and noted; nobody is one. */
enum edge_doing { EDGE_DROPS = 0, EDGE_OBSERVES = 1, EDGE_ADMITS_ALL = 2 };

enum edge_map { EDGE_TRIE_4, EDGE_TRIE_6, EDGE_WORDS, EDGE_STRANGERS, EDGE_MAPS };

/* Numbers in EDGE_WORDS; each is an uint64_t with an uint32_t as its key. Those of IPv6 stand
 * behind those of IPv4, and what was observed behind what was dropped. */
enum { WORD_DOING, WORD_DROPPED, WORD_OBSERVED = WORD_DROPPED + 2, WORDS = WORD_OBSERVED + 2 };

/* Keys of the tries: the number of bits, then the address. */
struct edge_key {
    uint32_t bits;
    uint8_t address[16]; /* 4 bytes of it for EDGE_TRIE_4 */
};

enum { EDGE_BLOCKS_MAX = 262144, EDGE_STRANGERS_MAX = 4096 };

/* In EDGE_STRANGERS; the key is the address, IPv4 mapped into IPv6 (RFC 4291 2.5.5.2). */
struct edge_note {
    uint64_t count;   /* SYNs */
    uint64_t last_ns; /* of CLOCK_MONOTONIC */
    uint64_t port;    /* that the last one was for; network order */
};

/* Makes the maps; false with errno when the kernel does not let us: none is there then. */
bool edge_maps_new(int maps[EDGE_MAPS]);

/* The program's descriptor; -1 with errno and, when the kernel says more, a text. */
int edge_program_load(const int maps[EDGE_MAPS], bool is_leaving, char *why, size_t why_size);

#endif
