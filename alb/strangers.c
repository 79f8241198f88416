/* strangers.c -- see strangers.h. */
#include "alb/strangers.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"

/* Strangers choose their addresses: not so that they collide. Multiply and mix, with a
 * multiplier that nobody outside knows. */
static unsigned keyed(const void *bytes, size_t len)
{
    static _Atomic uint64_t process_key;
    uint64_t made, none = 0;
    const uint8_t *at = bytes;

    if (atomic_load(&process_key) == 0) {
        random_bytes(&made, sizeof(made));
        atomic_compare_exchange_strong(&process_key, &none, made | 1);
    }
    const uint64_t key = atomic_load(&process_key);
    uint64_t h = key >> 7 ^ len;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ at[i]) * key;
        h ^= h >> 29;
    }
    return (unsigned)(h ^ h >> 32);
}

#define HASH_FUNCTION(key, len, hash) ((hash) = keyed((key), (len)))
#include "base/hash.h"

/* An address alone, or a neighbourhood. */
struct stranger_entry {
    struct cidr key;
    struct stranger seen;
    uint64_t said_us, said_count;      /* of a neighbourhood: the last line */
    uint64_t kernel[STRANGER_FILTERS]; /* of an address: what it had counted, when asked last */
    UT_hash_handle hh;
};

void strangers_init(struct strangers *s)
{
    *s = (struct strangers){ .all = 0 };
    pthread_mutex_init(&s->lock, NULL);
}

static void free_all(struct stranger_entry **table)
{
    struct stranger_entry *e, *after;

    HASH_ITER (hh, *table, e, after) {
        HASH_DEL(*table, e);
        free(e);
    }
}

void strangers_done(struct strangers *s)
{
    free_all(&s->by_ip);
    free_all(&s->by_prefix);
    pthread_mutex_destroy(&s->lock);
}

/* --- one of a table --------------------------------------------------------------------- */

/* The one that was not heard of for longest gives its memory. */
static struct stranger_entry *take_oldest(struct stranger_entry **table)
{
    struct stranger_entry *oldest = *table;

    HASH_DEL(*table, oldest);
    memset(oldest, 0, sizeof(*oldest));
    return oldest;
}

/* It is the last of its table from now on. */
static struct stranger_entry *touch(struct stranger_entry **table, size_t max,
                                    const struct cidr *key)
{
    struct stranger_entry *e;

    HASH_FIND(hh, *table, key, sizeof(*key), e);
    if (e != NULL)
        HASH_DEL(*table, e);
    else if (HASH_COUNT(*table) >= max)
        e = take_oldest(table);
    else
        e = mem_new(struct stranger_entry);
    e->key = *key;
    HASH_ADD(hh, *table, key, sizeof(e->key), e);
    return e;
}

static void count_in(struct stranger *seen, const char *listener, uint64_t count, uint64_t now_us)
{
    if (seen->count == 0)
        seen->first_us = now_us;
    seen->last_us = now_us;
    seen->count += count;
    if (listener != NULL)
        snprintf(seen->listener, sizeof(seen->listener), "%s", listener);
}

/* --- the log ------------------------------------------------------------------------------ */

static const uint64_t QUIET_US = STRANGER_QUIET_S * UINT64_C(1000000);

/* Also when the clock was set back. */
static bool is_over(uint64_t since_us, uint64_t now_us)
{
    return now_us < since_us || now_us - since_us >= QUIET_US;
}

/* Is there one left for all of them? */
static bool take_line(struct strangers *s, uint64_t now_us)
{
    if (is_over(s->lines_since_us, now_us)) {
        s->lines_since_us = now_us;
        s->lines = 0;
    }
    if (s->lines < STRANGER_LINES_MAX) {
        s->lines++;
        return true;
    }
    s->unsaid++;
    return false;
}

static bool say(struct strangers *s, struct stranger_entry *e, uint64_t now_us,
                struct stranger_line *line)
{
    if ((e->said_count != 0 && !is_over(e->said_us, now_us)) || !take_line(s, now_us))
        return false;
    *line = (struct stranger_line){ e->key, e->seen.count - e->said_count, s->unsaid };
    s->unsaid = 0;
    e->said_us = now_us;
    e->said_count = e->seen.count;
    return true;
}

/* --- public ------------------------------------------------------------------------------- */

static struct stranger_entry *of_address(struct strangers *s, const struct ip *ip)
{
    const struct cidr own = { *ip, ip->family == 4 ? 32 : 128 };
    struct stranger_entry *e = touch(&s->by_ip, STRANGERS_MAX, &own);

    e->seen.ip = *ip;
    return e;
}

static struct stranger_entry *of_prefix(struct strangers *s, const struct ip *ip)
{
    const uint8_t bits = ip->family == 4 ? 24 : 64;
    const struct cidr prefix = { ip_network(*ip, bits), bits };

    return touch(&s->by_prefix, STRANGER_PREFIXES_MAX, &prefix);
}

static bool note(struct strangers *s, struct stranger_entry *e, const char *listener,
                 uint64_t count, uint64_t now_us, struct stranger_line *line)
{
    struct stranger_entry *prefix = of_prefix(s, &e->seen.ip);

    count_in(&e->seen, listener, count, now_us);
    count_in(&prefix->seen, listener, count, now_us);
    s->all += count;
    return say(s, prefix, now_us, line);
}

bool strangers_note(struct strangers *s, const struct ip *ip, const char *listener, uint64_t count,
                    uint64_t now_us, struct stranger_line *line)
{
    pthread_mutex_lock(&s->lock);
    const bool is_due = note(s, of_address(s, ip), listener, count, now_us, line);
    pthread_mutex_unlock(&s->lock);
    return is_due;
}

bool strangers_note_dropped(struct strangers *s, const struct stranger_drops *drops,
                            struct stranger_line *line)
{
    const struct cidr own = { drops->ip, drops->ip.family == 4 ? 32 : 128 };
    const unsigned filter = drops->filter;
    struct stranger_entry *e;
    bool is_due = false;

    pthread_mutex_lock(&s->lock);
    HASH_FIND(hh, s->by_ip, &own, sizeof(own), e);
    const uint64_t before = e == NULL || e->kernel[filter] > drops->total ? 0 : e->kernel[filter];
    const uint64_t fresh = drops->total - before;
    if (fresh > 0 && !drops->is_let_in) {
        e = of_address(s, &drops->ip);
        e->seen.dropped += fresh;
        is_due = note(s, e, drops->listener, fresh, drops->at_us, line);
    }
    if (e != NULL)
        e->kernel[filter] = drops->total;
    pthread_mutex_unlock(&s->lock);
    return is_due;
}

struct stranger *strangers_list(struct strangers *s, size_t *count, uint64_t *all)
{
    struct stranger *list;
    struct stranger_entry *e;

    pthread_mutex_lock(&s->lock);
    size_t left = *count = HASH_COUNT(s->by_ip);
    list = mem_array(struct stranger, left);
    for (e = s->by_ip; e != NULL; e = e->hh.next)
        list[--left] = e->seen;
    *all = s->all;
    pthread_mutex_unlock(&s->lock);
    return list;
}
