/* names.c -- see names.h. */
#include "alb/names.h"

#include <ev.h>
#include <string.h>

#include "base/bug.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/resolver.h"

#include "alb/address_set.h"
#include "alb/config.h"
#include "alb/counters.h"
#include "alb/target_name.h"

/* How the last round of questions ended. */
enum name_state { NAME_NEW, NAME_GOOD, NAME_EMPTY, NAME_FAILING };

struct names {
    struct ev_loop *loop;
    struct counters *counters;
    void (*changed)(void *user);
    void *user;
    struct resolver *resolver;
    uint32_t min_ms, max_ms;
    struct list list; /* name */
};

/* What DNS says of one family. */
struct family {
    struct name *name;
    enum resolver_outcome outcome;
    const char *why;
    struct ip *ips; /* owned; the last that were found */
    size_t count;
    uint32_t ttl_s;
};

struct name {
    struct names *names;
    struct list link;
    char *host; /* owned */
    struct family families[2];
    struct ip *ips; /* owned; of both, sorted */
    size_t count;
    unsigned waiting; /* for answers */
    ev_timer again;
    enum name_state state;
    bool is_cut; /* there are more than are used */
    bool is_followed;
};

/* --- addresses ---------------------------------------------------------------------- */

/* Both families together. */
static struct ip *unite(struct name *n, size_t *count)
{
    const struct family *a = &n->families[0], *b = &n->families[1];
    struct ip *ips = mem_array(struct ip, a->count + b->count);

    if (a->count > 0)
        memcpy(ips, a->ips, a->count * sizeof(ips[0]));
    if (b->count > 0)
        memcpy(ips + a->count, b->ips, b->count * sizeof(ips[0]));
    *count = address_set_make(ips, a->count + b->count);
    const bool is_cut = *count > NAMES_ADDRESSES_MAX;
    if (is_cut && !n->is_cut)
        log_warn("dns name=%s has %zu addresses: %d of them are used", n->host, *count,
                 NAMES_ADDRESSES_MAX);
    n->is_cut = is_cut;
    if (is_cut)
        *count = address_set_cut(ips, *count, NAMES_ADDRESSES_MAX, n->ips, n->count);
    return ips;
}

/* Takes the addresses. */
static void replace(struct name *n, struct ip *ips, size_t count)
{
    const bool same =
        count == n->count && (count == 0 || memcmp(ips, n->ips, count * sizeof(ips[0])) == 0);

    if (!same)
        log_info("dns changed name=%s addresses=%zu new=%zu gone=%zu", n->host, count,
                 address_set_missing(ips, count, n->ips, n->count),
                 address_set_missing(n->ips, n->count, ips, count));
    free(n->ips);
    n->ips = ips;
    n->count = count;
    if (!same)
        n->names->changed(n->names->user);
}

/* --- the end of a round -------------------------------------------------------------- */

/* Of a family that ended so. */
static const char *reason(const struct name *n, enum resolver_outcome outcome)
{
    return n->families[n->families[0].outcome == outcome ? 0 : 1].why;
}

static void change_state(struct name *n, enum name_state state)
{
    if (state == n->state)
        return;
    if (state == NAME_GOOD && n->state != NAME_NEW)
        log_info("dns answers again name=%s", n->host);
    else if (state == NAME_EMPTY)
        log_warn("dns has no address name=%s reason=\"%s\" kept=%zu", n->host,
                 reason(n, RESOLVER_EMPTY), n->count);
    else if (state == NAME_FAILING)
        log_warn("dns fails name=%s reason=\"%s\" kept=%zu", n->host, reason(n, RESOLVER_FAILED),
                 n->count);
    n->state = state;
}

/* When one family has addresses it does not matter that the other has none: most names
 * have only one. */
static enum name_state judge(const struct name *n)
{
    bool failed = false;

    for (int i = 0; i < 2; i++) {
        if (n->families[i].outcome == RESOLVER_FOUND)
            return NAME_GOOD;
        failed |= n->families[i].outcome == RESOLVER_FAILED;
    }
    return failed ? NAME_FAILING : NAME_EMPTY;
}

uint32_t names_wait_ms(uint32_t ttl_s, uint32_t min_ms, uint32_t max_ms)
{
    const uint64_t ms = ttl_s * UINT64_C(1000);

    if (ms < min_ms)
        return min_ms;
    return ms > max_ms ? max_ms : (uint32_t)ms;
}

/* What was not answered is asked for again soon. */
static uint32_t ttl_of(const struct name *n)
{
    uint32_t ttl_s = UINT32_MAX;

    if (n->state != NAME_GOOD)
        return 0;
    for (int i = 0; i < 2; i++) {
        const struct family *f = &n->families[i];
        if (f->outcome == RESOLVER_FOUND && f->ttl_s < ttl_s)
            ttl_s = f->ttl_s;
    }
    return ttl_s;
}

static void end_round(struct name *n)
{
    const enum name_state state = judge(n);
    const struct names *names = n->names;

    change_state(n, state);
    ev_timer_stop(names->loop, &n->again);
    ev_timer_set(&n->again, names_wait_ms(ttl_of(n), names->min_ms, names->max_ms) / 1000.0, 0);
    ev_timer_start(names->loop, &n->again);
    if (state == NAME_GOOD) {
        size_t count;
        struct ip *ips = unite(n, &count);
        replace(n, ips, count);
    }
}

/* --- asking ---------------------------------------------------------------------------- */

static void count_answer(struct counters *c, enum resolver_outcome outcome)
{
    switch (outcome) {
    case RESOLVER_FOUND:
        metric_add(&c->dns_found, 1);
        return;
    case RESOLVER_EMPTY:
        metric_add(&c->dns_empty, 1);
        return;
    case RESOLVER_FAILED:
        metric_add(&c->dns_failed, 1);
        return;
    }
    bug("unknown outcome of a question");
}

/* Addresses that no host has are not taken: blocked names are answered so (0.0.0.0). */
static void take(struct family *f, const struct resolver_answer *answer)
{
    struct target_name name;

    free(f->ips);
    f->count = 0;
    f->ips = mem_array(struct ip, answer->count);
    f->ttl_s = answer->ttl_s;
    for (size_t i = 0; i < answer->count; i++) {
        if (target_name_of_ip(&answer->ips[i], 1, &name))
            f->ips[f->count++] = answer->ips[i];
    }
    if (answer->outcome == RESOLVER_FOUND && f->count == 0) {
        f->outcome = RESOLVER_EMPTY;
        f->why = "no address that a host may have";
    }
}

/* A family that failed keeps what it had. */
static void on_answer(void *user, const struct resolver_answer *answer)
{
    struct family *f = user;
    struct name *n = f->name;

    f->outcome = answer->outcome;
    f->why = answer->why;
    if (answer->outcome != RESOLVER_FAILED)
        take(f, answer);
    count_answer(n->names->counters, f->outcome);
    if (--n->waiting == 0)
        end_round(n);
}

static void ask(struct name *n)
{
    n->waiting = 2; /* first: an answer may come at once */
    for (int i = 0; i < 2; i++)
        resolver_ask(n->names->resolver, n->host, i == 0 ? 4 : 6, on_answer, &n->families[i]);
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    ask(timer->data);
}

/* --- following a configuration ----------------------------------------------------------- */

static struct name *find(const struct names *names, const char *host)
{
    list_each (at, &names->list) {
        struct name *n = list_entry(at, struct name, link);
        if (strcmp(n->host, host) == 0)
            return n;
    }
    return NULL;
}

static void follow(struct names *names, const char *host)
{
    struct name *n = find(names, host);

    if (n == NULL) {
        n = mem_new(struct name);
        n->names = names;
        n->host = mem_text(host);
        n->families[0].name = n->families[1].name = n;
        ev_timer_init(&n->again, on_again, 0, 0);
        n->again.data = n;
        list_append(&names->list, &n->link);
    }
    n->is_followed = true;
}

static void forget(struct name *n)
{
    ev_timer_stop(n->names->loop, &n->again);
    list_remove(&n->link);
    for (int i = 0; i < 2; i++)
        free(n->families[i].ips);
    free(n->ips);
    free(n->host);
    free(n);
}

static void follow_all(struct names *names, const struct config *config)
{
    list_each (at, &names->list)
        list_entry(at, struct name, link)->is_followed = false;
    for (size_t i = 0; i < config->group_count; i++) {
        const struct group_config *g = &config->groups[i];
        for (size_t j = 0; j < g->target_count; j++) {
            if (g->targets[j].name.host[0] != '\0')
                follow(names, g->targets[j].name.host);
        }
    }
    list_each_safe (at, after, &names->list) {
        struct name *n = list_entry(at, struct name, link);
        if (!n->is_followed)
            forget(n);
    }
}

bool names_may_follow(const struct names *names, const struct config *config, char *why,
                      size_t why_size)
{
    struct resolver *trial = resolver_new(names->loop, config->alb.dns_servers, why, why_size);
    const bool may = trial != NULL;

    resolver_free(&trial);
    return may;
}

/* The system's servers may be others now as well, so all is asked anew; what was under
 * way ended with the old resolver. */
bool names_follow(struct names *names, const struct config *config, char *why, size_t why_size)
{
    struct resolver *next = resolver_new(names->loop, config->alb.dns_servers, why, why_size);

    if (next == NULL)
        return false;
    resolver_free(&names->resolver);
    names->resolver = next;
    names->min_ms = config->alb.dns_min_interval_ms;
    names->max_ms = config->alb.dns_max_interval_ms;
    follow_all(names, config);
    list_each (at, &names->list) {
        struct name *n = list_entry(at, struct name, link);
        ev_timer_stop(names->loop, &n->again);
        ev_timer_set(&n->again, 0, 0); /* soon: nobody is called back from in here */
        ev_timer_start(names->loop, &n->again);
    }
    return true;
}

const struct ip *names_addresses(const struct names *names, const char *host, size_t *count)
{
    const struct name *n = names == NULL ? NULL : find(names, host);

    *count = n == NULL ? 0 : n->count;
    return n == NULL ? NULL : n->ips;
}

bool names_are_known(const struct names *names)
{
    list_each (at, &names->list) {
        if (list_entry(at, struct name, link)->state == NAME_NEW)
            return false;
    }
    return true;
}

struct names *names_new(struct ev_loop *loop, struct counters *counters,
                        void (*changed)(void *user), void *user)
{
    struct names *names = mem_new(struct names);

    *names = (struct names){ .loop = loop, .counters = counters, .changed = changed, .user = user };
    list_init(&names->list);
    return names;
}

void names_free(struct names **names)
{
    struct names *n = *names;

    *names = NULL;
    if (n == NULL)
        return;
    resolver_free(&n->resolver);
    list_each_safe (at, after, &n->list)
        forget(list_entry(at, struct name, link));
    free(n);
}
