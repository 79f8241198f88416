/*
 * resolver.h -- names of DNS to addresses on a loop, which it never blocks.
 *
 * A question is for one family: what became of A must not hide what became of AAAA.
 * /etc/hosts is looked at first, as everywhere. Nothing is remembered here: how often
 * to ask is the caller's business, by the time that the answer holds.
 *
 * Threads: all of it belongs to the loop's thread.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"

struct ev_loop;
struct resolver;

enum resolver_outcome {
    RESOLVER_FOUND,
    RESOLVER_EMPTY,  /* DNS answered: there is no such name, or it has no such address */
    RESOLVER_FAILED, /* nobody answered, or not in a way that says anything */
};

struct resolver_answer {
    enum resolver_outcome outcome;
    const struct ip *ips; /* of RESOLVER_FOUND; live until the call returns */
    size_t count;
    uint32_t ttl_s;  /* the least of all records of the answer */
    const char *why; /* of the others: a literal */
};

typedef void resolver_fn(void *user, const struct resolver_answer *answer);

/* `servers`: "IP[:port]" words, parted by commas or blanks, or "" for those of
 * /etc/resolv.conf. NULL with a sentence in `why`. */
struct resolver *resolver_new(struct ev_loop *loop, const char *servers, char *why,
                              size_t why_size);

/* Questions under way are dropped: their functions are not called. NULL is fine. */
void resolver_free(struct resolver **resolver);

/* Are these servers well formed? False with a sentence. */
bool resolver_check_servers(const char *servers, char *why, size_t why_size);

/* The function is called once, perhaps before this returns. `family` is 4 or 6. */
void resolver_ask(struct resolver *resolver, const char *host, int family, resolver_fn *on_answer,
                  void *user);

#endif
