/* inherit.c -- see inherit.h: the start, with what the old process has told. */
#include "alb/inherit.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/problems.h"
#include "base/record.h"
#include "base/seal.h"
#include "net/service.h"
#include "net/tls.h"

#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/foster.h"
#include "alb/group_health.h"
#include "alb/greeter.h"
#include "alb/handing.h"
#include "alb/inherit_private.h"
#include "alb/registrations.h"
#include "alb/tunnel_listing.h"
#include "alb/worker.h"

static const double PATIENCE_S = 10;
enum { READY_MAX = 1024 * 1024 };

/* --- what it tells --------------------------------------------------------------------- */

static void read_bound(struct span value, struct addr *into)
{
    if (value.len == sizeof(*into))
        memcpy(into, value.ptr, sizeof(*into));
}

static bool read_listener(struct inherited_listener *l, struct span bytes)
{
    struct span value;
    uint16_t type;

    while (record_next(&bytes, &type, &value)) {
        if (type == LISTENER_NAME && l->name == NULL)
            l->name = record_text(value);
        else if (type == LISTENER_BIND && l->bind == NULL)
            l->bind = record_text(value);
        else if (type == LISTENER_PROTOCOL)
            l->protocol = (int)record_number(value);
        else if (type == LISTENER_BOUND)
            read_bound(value, &l->bound);
        else if (type == LISTENER_SOCKETS)
            l->count = (size_t)record_number(value);
    }
    return l->name != NULL && l->bind != NULL && l->bound.len > 0;
}

/* Take the next descriptors of the message. */
static bool take_fds(struct handover_message *m, size_t *at, size_t count, int *into)
{
    if (count > m->fd_count - *at)
        return false;
    for (size_t i = 0; i < count; i++, ++*at) {
        into[i] = m->fds[*at];
        m->fds[*at] = -1;
    }
    return true;
}

static bool add_listener(struct inherit *in, struct span bytes, struct handover_message *m,
                         size_t *at)
{
    in->listeners = mem_resize(in->listeners, (in->listener_count + 1) * sizeof(in->listeners[0]));
    struct inherited_listener *l = &in->listeners[in->listener_count++];
    *l = (struct inherited_listener){ NULL };

    if (!read_listener(l, bytes) || l->count > HANDOVER_FDS_MAX) {
        l->count = 0;
        return false;
    }
    l->fds = mem_array(int, l->count);
    if (take_fds(m, at, l->count, l->fds))
        return true;
    l->count = 0;
    return false;
}

static bool add_door(struct inherited_door *door, struct span bytes, struct handover_message *m,
                     size_t *at)
{
    read_bound(bytes, &door->bound);
    return take_fds(m, at, 1, &door->fd);
}

static bool read_sockets(struct inherit *in, struct handover_message *m)
{
    struct span left = m->bytes, value;
    bool ok = true;
    size_t at = 0;
    uint16_t type;

    while (ok && record_next(&left, &type, &value)) {
        if (type == SOCKETS_LISTENER)
            ok = add_listener(in, value, m, &at);
        else if (type == SOCKETS_ADMIN || type == SOCKETS_CONTROL)
            ok = add_door(&in->doors[type == SOCKETS_CONTROL], value, m, &at);
    }
    return ok && left.len == 0;
}

static bool read_hello(struct inherit *in, struct span bytes)
{
    struct span value;
    uint16_t type;

    while (record_next(&bytes, &type, &value)) {
        if (type == HELLO_VERSION)
            in->version = record_number(value);
        else if (type == HELLO_TAKES)
            in->takes = record_number(value);
    }
    return in->version == HANDING_VERSION;
}

static void keep_state(struct inherit *in, struct handover_message *m)
{
    size_t at = 0;

    if (in->state != NULL)
        return;
    in->state = mem_copy(m->bytes.ptr, m->bytes.len);
    in->state_len = m->bytes.len;
    in->page_count = m->fd_count;
    take_fds(m, &at, m->fd_count, in->pages);
}

/* The old process drains what it has; so does this one, with what it has accepted by now. */
static void be_called_off(struct inherit *in)
{
    in->is_called_off = true;
    if (!in->is_ready)
        return;
    log_info("the upgrade was called off");
    balancer_stop(in->balancer);
}

static void on_message(void *user, struct handover_message *m)
{
    struct inherit *in = user;
    bool ok = true;

    switch (m->type) {
    case HANDING_HELLO:
        ok = read_hello(in, m->bytes);
        break;
    case HANDING_SOCKETS:
        ok = read_sockets(in, m);
        break;
    case HANDING_STATE:
        keep_state(in, m);
        break;
    case HANDING_PAST:
        if (in->is_ready)
            inherit_past(in, m->bytes);
        break;
    case HANDING_REPORT:
        if (in->is_ready)
            inherit_report(in, m->bytes);
        break;
    case HANDING_LISTED:
        inherit_listed(in, m->bytes);
        break;
    case HANDING_CALLED_OFF:
        be_called_off(in);
        break;
    default:
        inherit_take(in, m); /* may free `in` */
        return;
    }
    in->is_bad |= !ok;
}

static void announce_self(void)
{
    char text[64];

    snprintf(text, sizeof(text), "MAINPID=%ld\nREADY=1", (long)getpid());
    service_notify(text);
}

static void on_end(void *user, const char *why)
{
    struct inherit *in = user;
    (void)why;

    in->is_gone = true;
    inherit_drop_batch(in);
    inherit_forget_report(in);
    handover_free(&in->link);
    tunnel_listings_unanswered(in->balancer);
    if (!in->is_ready)
        return;
    log_info("the old process has ended");
    if (!in->has_left && !in->is_called_off)
        announce_self(); /* it may not have come to that */
}

/* --- the beginning --------------------------------------------------------------------- */

static void on_patience(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct inherit *in = timer->data;
    (void)loop;
    (void)revents;
    in->is_gone = true;
}

static bool wait_for_all(struct inherit *in, char *why, size_t why_size)
{
    struct ev_loop *loop = in->balancer->control.ev;
    ev_timer patience;

    ev_timer_init(&patience, on_patience, PATIENCE_S, 0);
    patience.data = in;
    ev_timer_start(loop, &patience);
    while (!in->is_gone && !in->is_bad && in->state == NULL)
        ev_run(loop, EVRUN_ONCE);
    ev_timer_stop(loop, &patience);
    if (!in->is_gone && !in->is_bad)
        return true;
    if (in->version != 0 && in->version != HANDING_VERSION)
        snprintf(
            why, why_size,
            "the running alb speaks version %llu of the hand-over, this one version %d: stop it "
            "and start this one",
            (unsigned long long)in->version, HANDING_VERSION);
    else
        snprintf(why, why_size, "the running alb did not say what there is to take over");
    return false;
}

/* The descriptor that the environment names; -1: none. */
static int take_environment(void)
{
    const char *text = getenv(HANDING_ENV);
    const int fd = text != NULL && isdigit((unsigned char)text[0]) ? atoi(text) : -1;

    unsetenv(HANDING_ENV); /* not for whom we start */
    if (fd != -1 && fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
        return -1;
    return fd;
}

bool inherit_open(struct balancer *b, char *why, size_t why_size)
{
    const int fd = take_environment();

    if (fd == -1)
        return true;
    struct inherit *in = mem_new(struct inherit);
    in->balancer = b;
    in->page = -1;
    in->doors[0].fd = in->doors[1].fd = -1;
    in->link = handover_new(b->control.ev, fd, on_message, on_end, in);
    b->inherit = in;
    return wait_for_all(in, why, why_size);
}

/* It has secrets. */
static void forget_state(struct inherit *in)
{
    if (in->state != NULL)
        explicit_bzero(in->state, in->state_len);
    mem_free(in->state);
    in->state_len = 0;
    for (size_t i = 0; i < in->page_count; i++) {
        if (in->pages[i] != -1)
            close(in->pages[i]);
    }
    in->page_count = 0;
}

/* What nobody wanted. */
static void close_rest(struct inherit *in)
{
    for (size_t i = 0; i < in->listener_count; i++) {
        struct inherited_listener *l = &in->listeners[i];
        for (size_t j = 0; j < l->count; j++) {
            if (l->fds[j] != -1)
                close(l->fds[j]);
        }
        free(l->fds);
        free(l->name);
        free(l->bind);
    }
    for (int i = 0; i < 2; i++) {
        if (in->doors[i].fd != -1)
            close(in->doors[i].fd);
        in->doors[i].fd = -1;
    }
    mem_free(in->listeners);
    in->listener_count = 0;
}

void inherit_free(struct inherit **inherit)
{
    struct inherit *in = *inherit;

    *inherit = NULL;
    if (in == NULL)
        return;
    inherit_drop_batch(in);
    close_rest(in);
    handover_free(&in->link);
    forget_state(in);
    free(in);
}

/* --- who takes what ---------------------------------------------------------------------- */

/* As listener_config_of(): by address, or by name where the port is a free one. */
size_t inherit_listener(struct inherit *in, const struct listener_config *c, struct addr *bound,
                        int **fds)
{
    for (size_t i = 0; in != NULL && i < in->listener_count; i++) {
        struct inherited_listener *l = &in->listeners[i];
        if (strcmp(l->bind, c->options.bind) != 0 || l->protocol != (int)c->options.protocol ||
            (addr_port(&c->bind) == 0 && strcmp(l->name, c->name) != 0))
            continue;
        *bound = l->bound;
        *fds = l->fds;
        return l->count;
    }
    return 0;
}

/* Port 0 is any port: the one that is there. */
static bool is_wanted(const struct addr *bound, const struct addr *wanted)
{
    struct addr same = *bound;

    if (addr_port(wanted) == 0)
        addr_set_port(&same, 0);
    return addr_equal(&same, wanted);
}

int inherit_door(struct inherit *in, bool is_control, const struct addr *wanted, struct addr *bound)
{
    struct inherited_door *door = in == NULL ? NULL : &in->doors[is_control];

    if (door == NULL || door->fd == -1 || !is_wanted(&door->bound, wanted))
        return -1;
    const int fd = door->fd;
    *bound = door->bound;
    door->fd = -1;
    return fd;
}

struct seal_ring *inherit_keys(const struct inherit *in)
{
    struct span left = in == NULL ? SPAN("") : span_of(in->state, in->state_len), value;
    uint16_t type;

    while (record_next(&left, &type, &value)) {
        if (type == STATE_KEYS)
            return seal_ring_load(value);
    }
    return NULL;
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
    struct span left = in == NULL ? SPAN("") : span_of(in->state, in->state_len), value;
    uint16_t type;

    while (record_next(&left, &type, &value)) {
        if (type == STATE_TICKETS)
            load_tickets(config, value);
    }
}

int inherit_stop_page(struct inherit *in)
{
    struct span left = in == NULL ? SPAN("") : span_of(in->state, in->state_len), value;
    uint16_t type;

    while (record_next(&left, &type, &value)) {
        const uint64_t i = record_number(value);
        if (type != STATE_STOP_PAGE || i >= in->page_count)
            continue;
        const int page = in->pages[i];
        in->pages[i] = -1;
        return page;
    }
    return -1;
}

void inherit_said(const struct inherit *in, struct registrations *said)
{
    struct span left = in == NULL ? SPAN("") : span_of(in->state, in->state_len), value;
    struct problems problems;
    uint16_t type;

    while (record_next(&left, &type, &value)) {
        struct registrations told = { NULL };
        if (type != STATE_SAID)
            continue;
        problems_init(&problems, "the process before this one");
        if (registrations_read(&told, value, &problems)) {
            registrations_done(said);
            *said = told;
        }
        problems_print(&problems, stderr);
        problems_done(&problems);
    }
}

/* --- states of targets --------------------------------------------------------------------- */

struct told {
    char *group, *text;
    enum target_state state;
    uint64_t ramp_began_ms;
    struct addr addr; /* of one that departs; else len is 0 */
    uint32_t delay_ms;
    bool is_drained; /* by command, for so long yet */
    uint32_t drain_ms;
    uint64_t page; /* which descriptor */
};

static void read_told(struct told *told, struct span bytes)
{
    struct span value;
    uint16_t type;

    *told = (struct told){ .page = UINT64_MAX };
    while (record_next(&bytes, &type, &value)) {
        if (type == TARGET_GROUP && told->group == NULL)
            told->group = record_text(value);
        else if (type == TARGET_TEXT && told->text == NULL)
            told->text = record_text(value);
        else if (type == TARGET_STATE)
            told->state = (enum target_state)record_number(value);
        else if (type == TARGET_RAMP_BEGAN_MS)
            told->ramp_began_ms = record_number(value);
        else if (type == TARGET_ADDRESS)
            read_bound(value, &told->addr);
        else if (type == TARGET_DELAY_LEFT)
            told->delay_ms = (uint32_t)record_number(value);
        else if (type == TARGET_PAGE)
            told->page = record_number(value);
        else if (type == TARGET_DRAIN_LEFT) {
            told->is_drained = true;
            told->drain_ms = (uint32_t)record_number(value);
        }
    }
}

/* Only what a check has said, and only of one that is checked here. */
static void set_state(struct balancer *b, const struct told *told)
{
    const struct group_config *config = config_group(b->config, span_text(told->group));
    struct group *group = config == NULL ? NULL : members_of(b->members, config);
    struct target *t = group == NULL ? NULL : members_find(b->members, config, told->text);

    if (t != NULL && told->is_drained)
        balancer_drain_on(b, t, told->drain_ms);
    if (t == NULL || target_health_of(t) != TARGET_INITIAL ||
        (told->state != TARGET_HEALTHY && told->state != TARGET_UNHEALTHY))
        return;
    t->starts_warm = true;
    group_set_state(group, t, told->state, clock_mono_ms());
    atomic_store(&t->ramp_began_ms, told->ramp_began_ms);
    balancer_review_health(b, group);
}

static void take_told(struct balancer *b, const struct told *told)
{
    if (told->group == NULL || told->text == NULL || strlen(told->text) > TARGET_NAME_MAX)
        return;
    set_state(b, told);
    if (told->addr.len > 0)
        balancer_depart(b, registry_target(&b->registry, told->group, told->text, &told->addr),
                        told->delay_ms);
}

int inherit_page(const struct inherit *in)
{
    return in == NULL ? -1 : in->page;
}

void inherit_states(struct inherit *in)
{
    struct span left = in == NULL ? SPAN("") : span_of(in->state, in->state_len), value;
    uint16_t type;

    while (record_next(&left, &type, &value)) {
        struct told told;
        if (type != STATE_TARGET)
            continue;
        read_told(&told, value);
        in->page = told.page < in->page_count ? in->pages[told.page] : -1;
        take_told(in->balancer, &told);
        in->page = -1;
        free(told.group);
        free(told.text);
    }
    if (in != NULL)
        forget_state(in);
}

bool inherit_goes_on(const struct inherit *in)
{
    return in != NULL && in->link != NULL;
}

/* --- ready, or not --------------------------------------------------------------------------- */

void inherit_failed(struct inherit *in, const struct problems *problems)
{
    char text[512] = "it could not start";

    if (in == NULL || in->link == NULL)
        return;
    for (size_t i = 0; i < problems->count; i++) {
        if (!problems->items[i].is_warning) {
            snprintf(text, sizeof(text), "%s", problems->items[i].text);
            break;
        }
    }
    handover_send(in->link, HANDING_FAILED, span_text(text), NULL, 0);
}

/* Who is in their accept queues is the old process's to answer. */
static void put_unwanted(struct buf *to, const struct inherit *in)
{
    struct buf one;

    for (size_t i = 0; i < in->listener_count; i++) {
        const struct inherited_listener *l = &in->listeners[i];
        if (l->count == 0 || l->fds[0] == -1)
            continue;
        buf_init(&one, READY_MAX);
        record_put(&one, LISTENER_BOUND, span_of(&l->bound, sizeof(l->bound)));
        record_put_number(&one, LISTENER_PROTOCOL, (uint64_t)l->protocol);
        record_put(to, HELLO_UNWANTED, buf_data(&one));
        buf_done(&one);
    }
}

static void tell_ready(struct inherit *in)
{
    struct buf bytes;

    buf_init(&bytes, READY_MAX);
    put_unwanted(&bytes, in);
    record_put_number(&bytes, HELLO_VERSION, HANDING_VERSION);
    record_put_number(&bytes, HELLO_TAKES, TAKES_PAST | TAKES_REPORTS);
    record_put_number(&bytes, HELLO_PID, (uint64_t)getpid());
    handover_send(in->link, HANDING_READY, buf_data(&bytes), NULL, 0);
    buf_done(&bytes);
}

/* When the old process has ended meanwhile, clients are here already: it goes on without. */
static void on_listening(struct loop *loop, void *arg)
{
    struct balancer *b = loop->user;
    struct inherit *in = b->inherit;
    (void)arg;

    if (--in->waiting > 0)
        return;
    in->is_ready = true;
    foster_end();
    if (in->is_called_off)
        balancer_stop(b);
    else if (in->link != NULL)
        tell_ready(in);
    else
        announce_self();
    close_rest(in);
}

/* Posted behind the orders to listen: they have been carried out when this runs. */
static void tell_listening(struct loop *loop, void *arg)
{
    struct balancer *b = arg;
    (void)loop;

    balancer_must_post(&b->control, on_listening, NULL);
}

bool inherit_may_serve(const struct inherit *in, char *why, size_t why_size)
{
    if (in == NULL || (in->link != NULL && !handover_has_ended(in->link)))
        return true;
    snprintf(why, why_size, "the running alb has ended before this one could take over");
    return false;
}

void inherit_ready(struct inherit *in)
{
    if (in == NULL)
        return;
    in->waiting = in->balancer->worker_count + in->balancer->greeter_count;
    balancer_tell_workers(in->balancer, tell_listening, in->balancer);
    balancer_tell_greeters(in->balancer, tell_listening, in->balancer);
}
