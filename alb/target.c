/* target.c -- see target.h. */
#include "alb/target.h"

#include <stdio.h>

#include "base/bug.h"
#include "base/mem.h"
#include "net/tls_client.h"
#include "stickiness/stickiness.h"

#include "alb/balance.h"
#include "alb/config.h"

/* The name of a group, a NUL, that of a target. */
enum { KEY_MAX = 40 + TARGET_NAME_MAX };

const char *target_state_name(enum target_state state)
{
    switch (state) {
    case TARGET_INITIAL:
        return "initial";
    case TARGET_HEALTHY:
        return "healthy";
    case TARGET_UNHEALTHY:
        return "unhealthy";
    case TARGET_UNUSED:
        return "unused";
    case TARGET_DRAINING:
        return "draining";
    case TARGET_UNAVAILABLE:
        return "unavailable";
    }
    bug("unknown target state");
}

/* What its certificate is to be for, when the group does not say: the DNS name that gave
 * its address, else the address. A Unix socket has none. */
static void set_tls_name(struct target *t, const char *origin)
{
    struct span rest = span_text(origin), host;
    char name[TLS_NAME_MAX + 1] = "", text[IP_TEXT_MAX];
    struct ip ip;

    if (span_starts_with(rest, SPAN("dns:"))) {
        rest = span_after(rest, 4);
        span_next(&rest, ':', &host);
        if (host.len > 0 && host.ptr[host.len - 1] == '.') /* SNI has none (RFC 6066 3) */
            host.len--;
        snprintf(name, sizeof(name), "%.*s", SPAN_ARGS(host));
    } else if (addr_ip(&t->addr, &ip)) {
        snprintf(name, sizeof(name), "%s", ip_format(&ip, text));
    }
    tls_resume_set_name(t->tls, name);
}

void target_set_origin(struct target *t, const char *origin)
{
    if (t->origin != NULL && strcmp(t->origin, origin) == 0)
        return;
    free(t->origin);
    t->origin = mem_text(origin);
    set_tls_name(t, origin);
}

/* --- references ------------------------------------------------------------------------ */

struct target_key *target_key_ref(struct target_key *key)
{
    atomic_fetch_add_explicit(&key->refs, 1, memory_order_relaxed);
    return key;
}

void target_key_unref(struct target_key **key)
{
    struct target_key *gone = *key;

    *key = NULL;
    if (gone != NULL && atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) == 1)
        free(gone);
}

struct target_key *target_key_new(const char *group, const char *text)
{
    const size_t group_size = strlen(group) + 1, size = group_size + strlen(text) + 1;
    struct target_key *key = mem_zero(sizeof(*key) + size);

    memcpy(key->bytes, group, group_size);
    memcpy(key->bytes + group_size, text, size - group_size);
    key->group = key->bytes;
    key->text = key->bytes + group_size;
    atomic_init(&key->refs, 1);
    return key;
}

struct target *target_ref(struct target *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void target_unref(struct target **t)
{
    struct target *gone = *t;

    *t = NULL;
    if (gone == NULL || atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) != 1)
        return;
    target_key_unref(&gone->key);
    free(gone->origin);
    tls_resume_unref(&gone->tls);
    free(gone);
}

bool target_is_usable(const struct target *t)
{
    return target_state_is_usable(target_state_of(t));
}

bool target_state_is_usable(enum target_state state)
{
    return state == TARGET_HEALTHY || state == TARGET_UNAVAILABLE;
}

struct group_state *group_state_ref(struct group_state *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void group_state_unref(struct group_state **s)
{
    struct group_state *gone = *s;

    *s = NULL;
    if (gone == NULL || atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(gone->name);
    free(gone);
}

/* --- the registry ------------------------------------------------------------- */

void registry_init(struct registry *r)
{
    *r = (struct registry){ .by_key = NULL };
    list_init(&r->targets);
    list_init(&r->groups);
}

/* Its group's sums must not shrink: a counter that goes back looks like a restart. */
static void keep_counters(struct registry *r, const struct target *t)
{
    list_each (at, &r->groups) {
        struct group_state *s = list_entry(at, struct group_state, in_registry);
        if (strcmp(s->name, t->group) == 0)
            target_counters_add(&s->departed, &t->counters);
    }
}

void registry_forget(struct registry *r, struct target *t)
{
    keep_counters(r, t);
    HASH_DEL(r->by_key, t);
    list_remove(&t->in_registry);
    target_unref(&t);
}

struct target *registry_find(const struct registry *r, struct span group, struct span text)
{
    char key[KEY_MAX];
    struct target *t = NULL;

    if (group.len + 1 + text.len >= sizeof(key))
        return NULL;
    memcpy(key, group.ptr, group.len);
    key[group.len] = '\0';
    memcpy(key + group.len + 1, text.ptr, text.len);
    HASH_FIND(hh, r->by_key, key, group.len + 1 + text.len, t);
    return t;
}

struct target_key *registry_key(const struct registry *r, const char *group, const char *text)
{
    const struct target *t = registry_find(r, span_text(group), span_text(text));

    return t != NULL ? target_key_ref(t->key) : target_key_new(group, text);
}

static void forget_group(struct group_state *s)
{
    list_remove(&s->in_registry);
    group_state_unref(&s);
}

void registry_done(struct registry *r)
{
    list_each_safe (at, after, &r->targets)
        registry_forget(r, list_entry(at, struct target, in_registry));
    list_each_safe (at, after, &r->groups)
        forget_group(list_entry(at, struct group_state, in_registry));
}

static struct target *make(struct registry *r, const char *group, const char *text,
                           const struct addr *addr)
{
    struct target *t = mem_new(struct target);

    t->key = target_key_new(group, text);
    t->group = t->key->group;
    t->text = t->key->text;
    t->text_len = strlen(t->text);
    t->addr = *addr;
    t->tls = tls_resume_new();
    t->id = stickiness_id(span_text(t->text));
    atomic_init(&t->refs, 1); /* the registry's */
    atomic_init(&t->state, TARGET_INITIAL);
    atomic_init(&t->share, SHARE_WHOLE);
    list_append(&r->targets, &t->in_registry);
    return t;
}

struct target *registry_target(struct registry *r, const char *group, const char *text,
                               const struct addr *addr)
{
    char key[KEY_MAX];
    const int len = snprintf(key, sizeof(key), "%s%c%s", group, '\0', text);
    struct target *t;

    if (len < 0 || (size_t)len >= sizeof(key))
        bug("the name of a target is too long");
    HASH_FIND(hh, r->by_key, key, (size_t)len, t);
    if (t == NULL) {
        t = make(r, group, text, addr);
        HASH_ADD_KEYPTR(hh, r->by_key, t->key->bytes, (size_t)len, t);
    }
    return t;
}

struct group_state *registry_group(struct registry *r, const char *name)
{
    list_each (at, &r->groups) {
        struct group_state *s = list_entry(at, struct group_state, in_registry);
        if (strcmp(s->name, name) == 0)
            return s;
    }
    struct group_state *s = mem_new(struct group_state);
    s->name = mem_text(name);
    atomic_init(&s->refs, 1); /* the registry's */
    list_append(&r->groups, &s->in_registry);
    return s;
}

void registry_forget_groups(struct registry *r, const struct config *config)
{
    list_each_safe (at, after, &r->groups) {
        struct group_state *s = list_entry(at, struct group_state, in_registry);
        if (config_group(config, span_text(s->name)) == NULL)
            forget_group(s);
    }
}
