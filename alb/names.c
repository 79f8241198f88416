/* names.c -- see names.h. */
#include "alb/names.h"

#include <ev.h>
#include <string.h>

#include "base/bug.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/resolver.h"

#include "alb/config.h"
#include "alb/counters.h"

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

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct ip));
}

/* Sorts, drops doubles; how many are left. */
static size_t tidy(struct ip *ips, size_t count)
{
    size_t n = 0;

    qsort(ips, count, sizeof(ips[0]), compare);
    for (size_t i = 0; i < count; i++) {
        if (n == 0 || !ip_equal(&ips[i], &ips[n - 1]))
            ips[n++] = ips[i];
    }
    return n;
}

static bool is_in(const struct ip *ips, size_t count, const struct ip *ip)
{
    return count > 0 && bsearch(ip, ips, count, sizeof(ips[0]), compare) != NULL;
}

/* When there are too many, those that are in use already come first. */
static size_t cut(const struct name *n, struct ip *ips, size_t count)
{
    struct ip *chosen = mem_array(struct ip, count);
    size_t taken = 0;

    for (int new = 0; new <= 1; new ++) {
        for (size_t i = 0; i < count && taken < NAMES_ADDRESSES_MAX; i++) {
            if (is_in(n->ips, n->count, &ips[i]) == (new == 0))
                chosen[taken++] = ips[i];
        }
    }
    memcpy(ips, chosen, taken * sizeof(ips[0]));
    free(chosen);
    return tidy(ips, taken);
}

/* Both families together; NULL when there is none. */
static struct ip *unite(struct name *n, size_t *count)
{
    const struct family *a = &n->families[0], *b = &n->families[1];
    struct ip *ips = mem_array(struct ip, a->count + b->count);

    if (a->count > 0)
        memcpy(ips, a->ips, a->count * sizeof(ips[0]));
    if (b->count > 0)
        memcpy(ips + a->count, b->ips, b->count * sizeof(ips[0]));
    *count = tidy(ips, a->count + b->count);
    const bool is_cut = *count > NAMES_ADDRESSES_MAX;
    if (is_cut && !n->is_cut)
        log_warn("dns name=%s has %zu addresses: %d of them are used", n->host, *count,
                 NAMES_ADDRESSES_MAX);
    n->is_cut = is_cut;
    if (is_cut)
        *count = cut(n, ips, *count);
    return ips;
}

/* Takes the addresses. */
static void replace(struct name *n, struct ip *ips, size_t count)
{
    const bool same =
        count == n->count && (count == 0 || memcmp(ips, n->ips, count * sizeof(ips[0])) == 0);
    size_t new = 0;

    for (size_t i = 0; i < count; i++)
        new += !is_in(n->ips, n->count, &ips[i]);
    if (!same)
        log_info("dns changed name=%s addresses=%zu new=%zu gone=%zu", n->host, count, new,
                 n->count + new - count);
    free(n->ips);
    n->ips = ips;
    n->count = count;
    if (!same)
        n->names->changed(n->names->user);
}

/* --- the end of a round -------------------------------------------------------------- */

static void change_state(struct name *n, enum name_state state)
{
    const char *why = n->families[0].why != NULL ? n->families[0].why : n->families[1].why;

    if (state == n->state)
        return;
    if (state == NAME_GOOD && n->state != NAME_NEW)
        log_info("dns answers again name=%s", n->host);
    else if (state == NAME_EMPTY)
        log_warn("dns has no address name=%s reason=\"%s\" kept=%zu", n->host, why, n->count);
    else if (state == NAME_FAILING)
        log_warn("dns fails name=%s reason=\"%s\" kept=%zu", n->host, why, n->count);
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

static uint32_t wait_ms(const struct name *n)
{
    const struct names *names = n->names;
    uint64_t ms = UINT64_MAX;

    for (int i = 0; i < 2 && n->state == NAME_GOOD; i++) {
        const struct family *f = &n->families[i];
        if (f->outcome == RESOLVER_FOUND && f->ttl_s * UINT64_C(1000) < ms)
            ms = f->ttl_s * UINT64_C(1000);
    }
    if (n->state != NAME_GOOD || ms < names->min_ms)
        return names->min_ms;
    return ms > names->max_ms ? names->max_ms : (uint32_t)ms;
}

static void end_round(struct name *n)
{
    const enum name_state state = judge(n);

    change_state(n, state);
    ev_timer_stop(n->names->loop, &n->again);
    ev_timer_set(&n->again, wait_ms(n) / 1000.0, 0);
    ev_timer_start(n->names->loop, &n->again);
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

/* A family that failed keeps what it had. */
static void on_answer(void *user, const struct resolver_answer *answer)
{
    struct family *f = user;
    struct name *n = f->name;

    count_answer(n->names->counters, answer->outcome);
    f->outcome = answer->outcome;
    f->why = answer->why;
    if (answer->outcome != RESOLVER_FAILED) {
        free(f->ips);
        f->count = answer->outcome == RESOLVER_FOUND ? answer->count : 0;
        f->ips = mem_array(struct ip, f->count);
        for (size_t i = 0; i < f->count; i++)
            f->ips[i] = answer->ips[i];
        f->ttl_s = answer->ttl_s;
    }
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

bool names_is_known(const struct names *names, const char *host)
{
    const struct name *n = names == NULL ? NULL : find(names, host);

    return n != NULL && n->state != NAME_NEW;
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
