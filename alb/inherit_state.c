/* inherit_state.c -- see inherit_state.h. */
#include "alb/inherit_state.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/problems.h"
#include "base/record.h"
#include "base/seal.h"
#include "net/tls.h"

#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/group_health.h"
#include "alb/handing.h"
#include "alb/handing_record.h"
#include "alb/inherit_private.h"
#include "alb/registrations.h"

/* --- kept ------------------------------------------------------------------------------------ */

void inherited_state_keep(struct inherited_state *s, struct handover_message *m)
{
    if (s->bytes != NULL)
        return;
    s->bytes = mem_copy(m->bytes.ptr, m->bytes.len);
    s->len = m->bytes.len;
    s->page_count = m->fd_count;
    for (size_t i = 0; i < m->fd_count; i++) {
        s->pages[i] = m->fds[i];
        m->fds[i] = -1;
    }
}

void inherited_state_forget(struct inherited_state *s)
{
    if (s->bytes != NULL)
        explicit_bzero(s->bytes, s->len);
    mem_free(s->bytes);
    s->len = 0;
    for (size_t i = 0; i < s->page_count; i++) {
        if (s->pages[i] != -1)
            close(s->pages[i]);
    }
    s->page_count = 0;
}

static struct span bytes_of(const struct inherit *in)
{
    return in == NULL ? SPAN("") : span_of(in->state.bytes, in->state.len);
}

/* Its next record of this type, of which `left` is what is left. */
static bool next_of(struct span *left, uint16_t wanted, struct span *value)
{
    uint16_t type;

    while (record_next(left, &type, value)) {
        if (type == wanted)
            return true;
    }
    return false;
}

/* --- keys ------------------------------------------------------------------------------------ */

struct seal_ring *inherit_keys(const struct inherit *in)
{
    struct span left = bytes_of(in), value;

    return next_of(&left, STATE_KEYS, &value) ? seal_ring_load(value) : NULL;
}

static void load_tickets(const struct config *config, struct span saved)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        if (config->listeners[i].tls != NULL)
            tls_server_load_tickets(config->listeners[i].tls, saved);
    }
}

void inherit_tickets(const struct inherit *in, const struct config *config)
{
    struct span left = bytes_of(in), value;

    while (next_of(&left, STATE_TICKETS, &value))
        load_tickets(config, value);
}

/* --- filters ---------------------------------------------------------------------------------- */

static bool find_filter(const struct inherit *in, uint32_t kind, struct handing_filter *f)
{
    struct span left = bytes_of(in), value;

    while (next_of(&left, STATE_FILTER, &value)) {
        if (handing_read_filter(value, f) && f->kind == kind && f->version == EDGE_FILTER_VERSION &&
            f->first <= in->state.page_count && in->state.page_count - f->first >= EDGE_FILTER_FDS)
            return true;
    }
    return false;
}

struct edge_filter *inherit_filter(struct inherit *in, uint32_t kind)
{
    struct handing_filter told;
    int fds[EDGE_FILTER_FDS];

    if (!find_filter(in, kind, &told))
        return NULL;
    for (size_t i = 0; i < EDGE_FILTER_FDS; i++) {
        fds[i] = in->state.pages[told.first + i];
        in->state.pages[told.first + i] = -1;
    }
    return edge_filter_adopt(fds);
}

/* --- what was said --------------------------------------------------------------------------- */

int inherit_stop_page(struct inherit *in)
{
    struct span left = bytes_of(in), value;

    while (next_of(&left, STATE_STOP_PAGE, &value)) {
        const uint64_t i = record_number(value);
        if (i >= in->state.page_count)
            continue;
        const int page = in->state.pages[i];
        in->state.pages[i] = -1;
        return page;
    }
    return -1;
}

static bool read_told(struct span text, struct registrations *told)
{
    struct problems problems;

    *told = (struct registrations){ NULL };
    problems_init(&problems, "the process before this one");
    const bool ok = registrations_read(told, text, &problems);
    if (!ok)
        registrations_done(told);
    problems_print(&problems, stderr);
    problems_done(&problems);
    return ok;
}

void inherit_said(const struct inherit *in, struct registrations *said)
{
    struct span left = bytes_of(in), value;
    struct registrations told;

    while (next_of(&left, STATE_SAID, &value)) {
        if (read_told(value, &told)) {
            registrations_done(said);
            *said = told;
        }
    }
    left = bytes_of(in);
    while (next_of(&left, STATE_EDGE, &value)) {
        if (read_told(value, &told)) {
            edge_additions_done(&said->edge);
            said->edge = edge_additions_copy(&told.edge);
            registrations_done(&told);
        }
    }
}

/* --- states of targets ----------------------------------------------------------------------- */

struct told {
    char *group, *text; /* owned */
    struct handing_target target;
};

/* Only what a check has said, and only of one that is checked here. */
static void set_state(struct balancer *b, const struct told *told)
{
    const struct group_config *config = config_group(b->config, told->target.group);
    struct group *group = config == NULL ? NULL : members_of(b->members, config);
    struct target *t = group == NULL ? NULL : members_find(b->members, config, told->text);
    const enum target_state state = (enum target_state)told->target.state;

    if (t != NULL && told->target.is_drained)
        balancer_drain_on(b, t, told->target.drain_ms);
    if (t == NULL || target_health_of(t) != TARGET_INITIAL ||
        (state != TARGET_HEALTHY && state != TARGET_UNHEALTHY))
        return;
    t->starts_warm = true;
    group_set_state(group, t, state, clock_mono_ms());
    atomic_store(&t->ramp_began_ms, told->target.ramp_began_ms);
    balancer_review_health(b, group);
}

static void take_told(struct balancer *b, const struct told *told)
{
    const struct handing_target *t = &told->target;

    if (strlen(told->text) > TARGET_NAME_MAX)
        return;
    set_state(b, told);
    if (t->addr.len > 0)
        balancer_depart(b, registry_target(&b->registry, told->group, told->text, &t->addr),
                        t->delay_ms);
}

int inherit_page(const struct inherit *in)
{
    return in == NULL ? -1 : in->page;
}

static void take_target(struct inherit *in, struct span bytes)
{
    const struct inherited_state *s = &in->state;
    struct told told;

    if (!handing_read_target(bytes, &told.target))
        return;
    told.group = record_text(told.target.group);
    told.text = record_text(told.target.text);
    in->page = told.target.page < s->page_count ? s->pages[told.target.page] : -1;
    take_told(in->balancer, &told);
    in->page = -1;
    free(told.group);
    free(told.text);
}

void inherit_states(struct inherit *in)
{
    struct span left = bytes_of(in), value;

    while (next_of(&left, STATE_TARGET, &value))
        take_target(in, value);
    if (in != NULL)
        inherited_state_forget(&in->state);
}
