/*
 * strangers.h -- who has tried to connect without being in the edge set: the last of them, and
 * when one is worth a line in the log.
 *
 * Two bounded tables, of addresses and of their neighbourhoods (/24, /64); whoever was not heard of
 * for longest goes when one is full. Any thread: a mutex is held for a moment. Time is an argument,
 * in microseconds of the wall clock.
 */
#ifndef ALB_STRANGERS_H
#define ALB_STRANGERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"

enum {
    STRANGERS_MAX = 4096,
    STRANGER_PREFIXES_MAX = 1024,
    STRANGER_QUIET_S = 60,   /* from one line of a neighbourhood to the next */
    STRANGER_LINES_MAX = 20, /* within so long, of all of them */
    STRANGER_NAME_MAX = 32,
    STRANGER_FILTERS = 3, /* in front of sockets: each counts on its own */
};

/* One that was turned away, or (`observe`) would have been. */
struct stranger {
    struct ip ip;
    uint64_t first_us, last_us;
    uint64_t count;
    uint64_t dropped; /* of these: by the kernel, unanswered; each packet sent again is one */
    char listener[STRANGER_NAME_MAX + 1]; /* of the last time; "" when it is not known */
};

/* What to say of a neighbourhood. */
struct stranger_line {
    struct cidr prefix;
    uint64_t count;  /* since the last line of it, this one included */
    uint64_t others; /* lines that were not written, of all, since the last one that was */
};

struct stranger_entry;

/* Embed it. */
struct strangers {
    pthread_mutex_t lock;
    struct stranger_entry *by_ip, *by_prefix; /* uthash, the oldest first */
    uint64_t all;                             /* tries, ever */
    uint64_t lines_since_us, lines, unsaid;
};

void strangers_init(struct strangers *s);
void strangers_done(struct strangers *s);

/* It tried `count` times more, the last time at this moment. True: say so in the log. */
bool strangers_note(struct strangers *s, const struct ip *ip, const char *listener, uint64_t count,
                    uint64_t now_us, struct stranger_line *line);

/* What the kernel knows of one by now. */
struct stranger_drops {
    struct ip ip;
    const char *listener;
    unsigned filter; /* whose count it is; below STRANGER_FILTERS */
    uint64_t total;  /* tries, ever */
    bool is_let_in;  /* it only saw them, and whoever accepts them notes them */
    uint64_t at_us;  /* the last one */
};

/* What is new of these is noted. */
bool strangers_note_dropped(struct strangers *s, const struct stranger_drops *drops,
                            struct stranger_line *line);

/* A copy of those who are there, the last one first; free() it. */
struct stranger *strangers_list(struct strangers *s, size_t *count, uint64_t *all);

#endif
