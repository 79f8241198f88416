/*
 * edge_filter.h -- a set of addresses in front of listening sockets: whoever is not in it gets no
 * answer at all, as if there were nothing.
 *
 *     struct edge_filter *f = edge_filter_new();    as long as we have CAP_BPF
 *     edge_filter_set(f, &rule, why, sizeof(why));  now, and whenever the set changes
 *     edge_filter_attach(f, fd);                    each socket, between bind() and listen()
 *     edge_filter_shed(accepted);                   accepted sockets inherit it
 *
 * There is one for each set that is on its own; any number of sockets may share it. What it can do
 * depends on what the kernel allows, the best first; each step down is said once in the log:
 *
 *   EBPF      a trie in the kernel (edge_program.h). Its set is changed, and sockets that are
 *             opened later get it, without any capability.
 *   CLASSIC   a program with the set compiled into it (edge_classic.h), for some hundred blocks;
 *             refused strangers are not counted. New kernels ask for CAP_NET_ADMIN to attach it.
 *             When the set changes and that is gone, the old program stays where the new set is a
 *             part of the old one, else it is taken away.
 *   ACCEPT    nothing: a stranger is connected, and closed when he is accepted.
 *
 * In all of them the address is to be looked at again at accept(): by whoever accepts. Not
 * thread-safe, but for what is said of sockets below: that may be called by any thread.
 */
#ifndef NET_EDGE_FILTER_H
#define NET_EDGE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/edge_set.h"
#include "net/edge_program.h"

enum edge_filter_mode { EDGE_FILTER_EBPF, EDGE_FILTER_CLASSIC, EDGE_FILTER_ACCEPT };

/* "ebpf", "classic", "accept". */
extern const char *const edge_filter_mode_names[];

struct edge_filter;

/* Nobody is in it yet. Never NULL. */
struct edge_filter *edge_filter_new(void);

/* Sockets keep what was attached to them. NULL is fine; clears the variable. */
void edge_filter_free(struct edge_filter **filter);

/* What it comes to for the sockets that were attached last. */
enum edge_filter_mode edge_filter_mode(const struct edge_filter *f);

/* Why it is not EBPF; "" when it is. It lives as long as the filter. */
const char *edge_filter_lack(const struct edge_filter *f);

/* --- the set ------------------------------------------------------------------------ */

struct edge_rule {
    const struct edge_set *set; /* built; for the call */
    enum edge_doing doing;      /* with those who are not in it */
};

/* A change in two steps, so that what else belongs to it may fail in between: first whoever comes
 * is let in, at last whoever goes is not any more. False with a sentence when the kernel has no
 * room (EDGE_BLOCKS_MAX of a family, old and new ones together): all is as before then. */
bool edge_filter_extend(struct edge_filter *f, const struct edge_rule *rule, char *why,
                        size_t why_size);

/* Would it be taken, as far as the number of blocks goes? Changes nothing. */
bool edge_filter_has_room(const struct edge_filter *f, const struct edge_rule *rule, char *why,
                          size_t why_size);

/* From now on just what the last edge_filter_extend() said. */
void edge_filter_settle(struct edge_filter *f);

/* Both. With CLASSIC it is in force for sockets that are attached again. */
bool edge_filter_set(struct edge_filter *f, const struct edge_rule *rule, char *why,
                     size_t why_size);

/* --- sockets ------------------------------------------------------------------------- */

/* In place of what filter it has. False when the socket has none now, and a stranger is closed at
 * accept: the reason has been logged, if it was not yet. */
bool edge_filter_attach(struct edge_filter *f, int fd);

/* The socket is about to be closed: members begin no new connection either, but those that have
 * begun go on. False with errno when the kernel does not let us: it has what it had. */
bool edge_filter_attach_leaving(const struct edge_filter *f, int fd);

/* An accepted socket lives on whatever becomes of the set. Harmless on one without a filter. */
void edge_filter_shed(int fd);

/* --- what it has seen ------------------------------------------------------------------ */

/* Connections that strangers began, each attempt counted as often as its SYN was sent. Since the
 * first start: `alb upgrade` goes on counting. Zeroes unless EBPF. */
struct edge_filter_counts {
    uint64_t dropped[2]; /* IPv4, IPv6 */
    uint64_t observed[2];
};
void edge_filter_counts(const struct edge_filter *f, struct edge_filter_counts *counts);

struct edge_refused {
    struct ip ip;
    uint64_t count;
    uint64_t last_ms; /* of clock_mono_ms() */
    uint16_t port;    /* of ours, that it tried last */
};

/* Who it was, in no order: those that were seen last, at most EDGE_STRANGERS_MAX, and never more
 * than `max`. How many there are. */
size_t edge_filter_refused(const struct edge_filter *f, struct edge_refused *into, size_t max);

/* --- to another process ------------------------------------------------------------------ */

enum { EDGE_FILTER_FDS = EDGE_MAPS + 2, EDGE_FILTER_VERSION = 1 };

/* The descriptors with which another process, of the same EDGE_FILTER_VERSION, goes on with it;
 * borrowed. False unless EBPF. */
bool edge_filter_handles(const struct edge_filter *f, int fds[EDGE_FILTER_FDS]);

/* There; takes them. What is in the set is what was in it. */
struct edge_filter *edge_filter_adopt(const int fds[EDGE_FILTER_FDS]);

/* The other process has changed the set, and does not take over after all: what this one had last
 * is in force again. */
void edge_filter_reclaim(struct edge_filter *f);

#endif
