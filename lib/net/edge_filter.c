/* edge_filter.c -- see edge_filter.h: which of the ways it is, and the sockets. */
#include "net/edge_filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/bpf.h"
#include "net/edge_classic.h"
#include "net/edge_tries.h"

const char *const edge_filter_mode_names[] = { "ebpf", "classic", "accept" };

enum { PROGRAM = EDGE_MAPS, PROGRAM_LEAVING, VERIFIER_TEXT = 200 };

struct edge_filter {
    enum edge_filter_mode mode;
    bool has_tries;           /* the kernel has let us; `fds` are there */
    int fds[EDGE_FILTER_FDS]; /* maps, then the two programs */
    struct edge_blocks inside;
    struct edge_blocks wanted, before; /* of the rules said last, and before that */
    enum edge_doing doing, doing_before;
    char *lack;                 /* owned: why there are no tries */
    struct edge_blocks classic; /* what sockets with a classic program admit */
    bool is_lack_said, is_classic_said;
    pthread_mutex_t lock; /* of what sockets without tries are attached by: any thread */
};

/* --- the beginning, and the end ----------------------------------------------------- */

static bool make_tries(struct edge_filter *f, char *why, size_t why_size)
{
    char text[VERIFIER_TEXT] = "";

    if (!edge_maps_new(f->fds)) {
        snprintf(why, why_size, "bpf(2): %s: CAP_BPF makes it possible", strerror(errno));
        return false;
    }
    f->fds[PROGRAM] = edge_program_load(f->fds, false, text, sizeof(text));
    f->fds[PROGRAM_LEAVING] = edge_program_load(f->fds, true, text, sizeof(text));
    if (f->fds[PROGRAM] != -1 && f->fds[PROGRAM_LEAVING] != -1)
        return true;
    snprintf(why, why_size, "the kernel does not load the program: %s %s", strerror(errno), text);
    return false;
}

static void close_all(struct edge_filter *f)
{
    for (int i = 0; i < EDGE_FILTER_FDS; i++) {
        if (f->fds[i] != -1)
            close(f->fds[i]);
        f->fds[i] = -1;
    }
}

static struct edge_filter *make(void)
{
    struct edge_filter *f = mem_new(struct edge_filter);

    pthread_mutex_init(&f->lock, NULL);
    for (int i = 0; i < EDGE_FILTER_FDS; i++)
        f->fds[i] = -1;
    return f;
}

struct edge_filter *edge_filter_new(void)
{
    struct edge_filter *f = make();
    char why[512];

    f->has_tries = make_tries(f, why, sizeof(why));
    f->mode = f->has_tries ? EDGE_FILTER_EBPF : EDGE_FILTER_CLASSIC;
    if (!f->has_tries) {
        close_all(f);
        f->lack = mem_text(why);
    }
    return f;
}

void edge_filter_free(struct edge_filter **filter)
{
    struct edge_filter *f = *filter;

    *filter = NULL;
    if (f == NULL)
        return;
    close_all(f);
    edge_blocks_done(&f->inside);
    edge_blocks_done(&f->wanted);
    edge_blocks_done(&f->before);
    edge_blocks_done(&f->classic);
    pthread_mutex_destroy(&f->lock);
    free(f->lack);
    free(f);
}

enum edge_filter_mode edge_filter_mode(const struct edge_filter *f)
{
    return f->mode;
}

const char *edge_filter_lack(const struct edge_filter *f)
{
    return f->lack == NULL ? "" : f->lack;
}

/* --- the set ------------------------------------------------------------------------ */

static void say_doing(struct edge_filter *f)
{
    const uint32_t key = WORD_DOING;
    const uint64_t doing = f->doing;

    if (!bpf_map_put(f->fds[EDGE_WORDS], &key, &doing))
        log_error("edge filter cannot be told what to do with strangers: %s", strerror(errno));
}

static bool fits(const struct edge_blocks *now, const struct edge_blocks *next, uint8_t family,
                 char *why, size_t why_size)
{
    const size_t old = edge_blocks_of(now, family), new = edge_blocks_of(next, family);
    const size_t both = edge_blocks_in_either(now, next, family);

    if (new > EDGE_BLOCKS_MAX)
        snprintf(
            why, why_size,
            "%zu IPv%d blocks are too many for the kernel's table, which has room for %d: name "
            "fewer, larger ones",
            new, family, EDGE_BLOCKS_MAX);
    else if (both > EDGE_BLOCKS_MAX)
        snprintf(
            why, why_size,
            "the old IPv%d blocks (%zu) and the new ones (%zu) are %zu, and the kernel's table, "
            "which has to hold both for a moment, has room for %d: the old set stays; name fewer, "
            "larger ones, or go by a smaller set that is a part of both",
            family, old, new, both, EDGE_BLOCKS_MAX);
    return both <= EDGE_BLOCKS_MAX;
}

bool edge_filter_has_room(const struct edge_filter *f, const struct edge_rule *rule, char *why,
                          size_t why_size)
{
    struct edge_blocks next =
        edge_blocks_copy(edge_set_items(rule->set), edge_set_ranges(rule->set));
    const bool ok = !f->has_tries || (fits(&f->inside, &next, 4, why, why_size) &&
                                      fits(&f->inside, &next, 6, why, why_size));

    edge_blocks_done(&next);
    return ok;
}

static void keep(struct edge_filter *f, const struct edge_rule *rule)
{
    edge_blocks_done(&f->before);
    f->before = f->wanted;
    f->doing_before = f->doing;
    f->wanted = edge_blocks_copy(edge_set_items(rule->set), edge_set_ranges(rule->set));
    f->doing = rule->doing;
}

static void undo_keep(struct edge_filter *f)
{
    edge_blocks_done(&f->wanted);
    f->wanted = f->before;
    f->doing = f->doing_before;
    f->before = (struct edge_blocks){ NULL, 0 };
}

bool edge_filter_extend(struct edge_filter *f, const struct edge_rule *rule, char *why,
                        size_t why_size)
{
    if (!edge_filter_has_room(f, rule, why, why_size))
        return false;
    pthread_mutex_lock(&f->lock);
    keep(f, rule);
    pthread_mutex_unlock(&f->lock);
    if (!f->has_tries)
        return true;
    if (!edge_tries_add(f->fds, &f->inside, &f->wanted)) {
        snprintf(why, why_size,
                 "the kernel does not take the edge addresses: %s; the old set stays",
                 strerror(errno));
        undo_keep(f);
        return false;
    }
    if (f->doing > f->doing_before)
        say_doing(f);
    return true;
}

void edge_filter_settle(struct edge_filter *f)
{
    if (!f->has_tries)
        return;
    say_doing(f);
    if (!edge_tries_remove_others(f->fds, &f->inside, &f->wanted))
        log_error("edge filter: a block that was taken out of the set stays in the kernel's: %s",
                  strerror(errno));
}

bool edge_filter_set(struct edge_filter *f, const struct edge_rule *rule, char *why,
                     size_t why_size)
{
    if (!edge_filter_extend(f, rule, why, why_size))
        return false;
    edge_filter_settle(f);
    return true;
}

/* --- without the tries -------------------------------------------------------------------- */

static bool attach_classic(const struct edge_blocks *blocks, int fd)
{
    struct sock_filter code[BPF_MAXINSNS];
    const size_t count = edge_classic_write(blocks->items, blocks->count, code, BPF_MAXINSNS);
    const struct sock_fprog program = { (unsigned short)count, code };

    if (count == 0) {
        errno = E2BIG;
        return false;
    }
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

static const char *classic_lack(int error)
{
    if (error == E2BIG)
        return "the set has too many blocks for a classic filter";
    return error == EPERM ? "a classic filter needs CAP_NET_ADMIN" : strerror(error);
}

static void say_lack(struct edge_filter *f)
{
    if (!f->is_lack_said)
        log_warn("edge filter without its trie reason=\"%s\"", f->lack);
    f->is_lack_said = true;
}

static void say_classic_lack(struct edge_filter *f, const char *then, int error)
{
    if (!f->is_classic_said)
        log_warn("edge filter %s reason=\"%s\"", then, classic_lack(error));
    f->is_classic_said = true;
}

/* The old program, which cannot be replaced, admits some more than the set has: those are closed at
 * accept. */
static bool keep_old(struct edge_filter *f)
{
    if (f->classic.items == NULL || !edge_blocks_within(&f->wanted, &f->classic))
        return false;
    say_classic_lack(f, "keeps the larger set of before, what has gone is closed at accept", errno);
    f->mode = EDGE_FILTER_CLASSIC;
    return true;
}

static bool has_filter(int fd)
{
    socklen_t count = 0;

    return getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &count) == 0 && count > 0;
}

static bool attach_without_tries(struct edge_filter *f, int fd)
{
    say_lack(f);
    if (attach_classic(&f->wanted, fd)) {
        edge_blocks_done(&f->classic);
        f->classic = edge_blocks_copy(f->wanted.items, f->wanted.count);
        f->mode = EDGE_FILTER_CLASSIC;
        return true;
    }
    const int error = errno;
    if (has_filter(fd) && keep_old(f))
        return true;
    errno = error;
    say_classic_lack(f, "closes strangers at accept only", error);
    edge_filter_shed(fd);
    f->mode = EDGE_FILTER_ACCEPT;
    return false;
}

/* --- sockets ------------------------------------------------------------------------------- */

/* Nobody can be observed but at accept. */
static bool attach_substitute(struct edge_filter *f, int fd)
{
    bool ok = true;

    pthread_mutex_lock(&f->lock);
    if (f->doing == EDGE_DROPS)
        ok = attach_without_tries(f, fd);
    else
        edge_filter_shed(fd);
    pthread_mutex_unlock(&f->lock);
    return ok;
}

bool edge_filter_attach(struct edge_filter *f, int fd)
{
    if (!f->has_tries)
        return attach_substitute(f, fd);
    if (bpf_filter_attach(f->fds[PROGRAM], fd))
        return true;
    log_error("edge filter cannot be attached, strangers are closed at accept reason=\"%s\"",
              strerror(errno));
    return false;
}

bool edge_filter_attach_leaving(const struct edge_filter *f, int fd)
{
    if (f->has_tries)
        return bpf_filter_attach(f->fds[PROGRAM_LEAVING], fd);
    errno = EPERM;
    return false;
}

void edge_filter_shed(int fd)
{
    const int unused = 0;

    setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused));
}

/* --- what it has seen ------------------------------------------------------------------------ */

static uint64_t word(const struct edge_filter *f, uint32_t key)
{
    uint64_t value = 0;

    return f->has_tries && bpf_map_get(f->fds[EDGE_WORDS], &key, &value) ? value : 0;
}

void edge_filter_counts(const struct edge_filter *f, struct edge_filter_counts *counts)
{
    for (uint32_t family = 0; family < 2; family++) {
        counts->dropped[family] = word(f, WORD_DROPPED + family);
        counts->observed[family] = word(f, WORD_OBSERVED + family);
    }
}

static struct edge_refused refused_of(const uint8_t address[16], const struct edge_note *note)
{
    struct ip ip = { .family = 6 };

    memcpy(ip.bytes, address, sizeof(ip.bytes));
    return (struct edge_refused){ .ip = ip_of_mapped(ip),
                                  .count = note->count,
                                  .last_ms = note->last_ns / 1000000,
                                  .port = ntohs((uint16_t)note->port) };
}

/* The kernel forgets some and adds others as we walk: from a key that it has forgotten the walk
 * begins anew, hence the limit. */
size_t edge_filter_refused(const struct edge_filter *f, struct edge_refused *into, size_t max)
{
    uint8_t key[16], next[16];
    struct edge_note note;
    size_t count = 0;

    if (!f->has_tries)
        return 0;
    for (size_t steps = 0; steps < 2 * EDGE_STRANGERS_MAX && count < max; steps++) {
        if (!bpf_map_next(f->fds[EDGE_STRANGERS], steps == 0 ? NULL : key, next))
            break;
        memcpy(key, next, sizeof(key));
        if (bpf_map_get(f->fds[EDGE_STRANGERS], key, &note))
            into[count++] = refused_of(key, &note);
    }
    return count;
}

/* --- to another process ------------------------------------------------------------------------
 */

bool edge_filter_handles(const struct edge_filter *f, int fds[EDGE_FILTER_FDS])
{
    memcpy(fds, f->fds, sizeof(f->fds));
    return f->has_tries;
}

struct edge_filter *edge_filter_adopt(const int fds[EDGE_FILTER_FDS])
{
    struct edge_filter *f = make();

    memcpy(f->fds, fds, sizeof(f->fds));
    f->has_tries = true;
    f->inside = edge_tries_read(f->fds);
    f->wanted = edge_blocks_copy(f->inside.items, f->inside.count);
    f->doing = (enum edge_doing)word(f, WORD_DOING);
    return f;
}

void edge_filter_reclaim(struct edge_filter *f)
{
    if (!f->has_tries)
        return;
    edge_blocks_done(&f->inside);
    f->inside = edge_tries_read(f->fds);
    if (!edge_tries_add(f->fds, &f->inside, &f->wanted))
        log_error("edge filter: some of the set is missing in the kernel's: %s", strerror(errno));
    edge_filter_settle(f);
}
