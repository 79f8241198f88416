/* balancer.c -- the control thread: start, serve, and the calls from other threads. */
#include "alb/balancer.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/seal.h"
#include "net/listener.h"

#include "alb/admin.h"
#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/edge.h"
#include "alb/greeter.h"
#include "alb/health.h"
#include "alb/inherit.h"
#include "alb/inherit_sockets.h"
#include "alb/inherit_state.h"
#include "alb/leaving.h"
#include "alb/members.h"
#include "alb/names.h"
#include "alb/doors.h"
#include "alb/tunnel_listing.h"
#include "alb/upgrade.h"
#include "alb/worker.h"

enum {
    CONTROL_INBOX = 4096,
    NAMES_WAIT_MS = 1000,
    RESERVED_FDS = 128, /* for listeners, logs, probes, the admin port */
};

/* --- calls from workers and greeters ---------------------------------------------- */

const struct seal_ring *balancer_seal_ring(const struct balancer *b, const struct config *config)
{
    return config->ring != NULL ? config->ring : b->ring;
}

bool balancer_connection_opened(struct balancer *b)
{
    if (atomic_fetch_add(&b->connections, 1) < b->connection_limit)
        return true;
    atomic_fetch_sub(&b->connections, 1);
    return false;
}

void balancer_connection_closed(struct balancer *b, struct worker *w)
{
    if (w != NULL) {
        metric_sub(&w->counters.connections_open, 1);
        atomic_fetch_sub_explicit(&w->load, 1, memory_order_relaxed);
    }
    atomic_fetch_sub(&b->connections, 1);
}

static unsigned load_of(struct worker *w)
{
    return atomic_load_explicit(&w->load, memory_order_relaxed);
}

struct worker *balancer_pick_worker(struct balancer *b, struct worker *self)
{
    struct worker *least = &b->workers[0];

    for (int i = 1; i < b->worker_count; i++) {
        if (load_of(&b->workers[i]) < load_of(least))
            least = &b->workers[i];
    }
    /* A little more than the least is fine: passing on costs a wake-up. */
    const unsigned margin = 8 + load_of(least) / 8;
    if (self != NULL && load_of(self) <= load_of(least) + margin)
        least = self;
    atomic_fetch_add_explicit(&least->load, 1, memory_order_relaxed);
    return least;
}

/* --- orders to them ------------------------------------------------------------------ */

void balancer_must_post(struct loop *loop, loop_fn *run, void *arg)
{
    const struct timespec moment = { .tv_nsec = 1000000 };

    while (!loop_post(loop, run, arg))
        nanosleep(&moment, NULL);
}

void balancer_tell_workers(struct balancer *b, loop_fn *run, void *arg)
{
    for (int i = 0; i < b->worker_count; i++)
        balancer_must_post(&b->workers[i].loop, run, arg);
}

void balancer_tell_greeters(struct balancer *b, loop_fn *run, void *arg)
{
    for (int i = 0; i < b->greeter_count; i++)
        balancer_must_post(&b->greeters[i].loop, run, arg);
}

/* --- starting --------------------------------------------------------------------------- */

uint32_t balancer_connection_limit(const struct config *config)
{
    const uint32_t files = service_raise_nofile();

    if (config->alb.max_connections != 0)
        return config->alb.max_connections;
    return files > RESERVED_FDS + 2 ? (files - RESERVED_FDS) / 2 : 1; /* one for each side */
}

/* With a key file it is not used, until a reload takes that out: keys are in memory once. */
static void make_ring(struct balancer *b)
{
    if (b->config->ring == NULL)
        b->ring = inherit_keys(b->inherit);
    if (b->ring == NULL)
        b->ring = seal_ring_random();
}

static bool has_https(const struct config *config)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        if (config->listeners[i].options.protocol == PROTOCOL_HTTPS)
            return true;
    }
    return false;
}

/* Their loops exist, so that orders can be posted; they run later. */
static void make_threads(struct balancer *b)
{
    b->worker_count = b->config->alb.workers == 0 ? service_cores() : (int)b->config->alb.workers;
    b->workers = mem_array(struct worker, (size_t)b->worker_count);
    for (int i = 0; i < b->worker_count; i++) {
        worker_init(&b->workers[i], b, i);
        b->workers[i].config = b->config;
        b->workers[i].members = b->members;
        b->workers[i].edge = b->edge;
    }
    b->greeter_count = (b->worker_count + 1) / 2;
    b->greeters = mem_array(struct greeter, (size_t)b->greeter_count);
    for (int i = 0; i < b->greeter_count; i++) {
        greeter_init(&b->greeters[i], b, i);
        b->greeters[i].config = b->config;
        b->greeters[i].edge = b->edge;
        b->greeters[i].handshaker.timeout_ms = b->config->alb.tls_handshake_timeout_ms;
    }
}

static void mark_worker(struct loop *loop, void *arg)
{
    (void)arg;
    worker_here = loop->user;
}

static void start_threads(struct balancer *b)
{
    char name[24]; /* the kernel keeps 15 */

    for (int i = 0; i < b->worker_count; i++) {
        loop_post(&b->workers[i].loop, mark_worker, NULL);
        snprintf(name, sizeof(name), "alb-loop-%d", i);
        loop_start(&b->workers[i].loop, name);
    }
    for (int i = 0; i < b->greeter_count; i++) {
        snprintf(name, sizeof(name), "alb-tls-%d", i);
        loop_start(&b->greeters[i].loop, name);
    }
}

/* What the process before us had, if it is where we want it. */
static void inherit_doors(struct balancer *b)
{
    struct addr control, bound;
    int fd =
        b->config->admin.len == 0 ? -1 : inherit_door(b->inherit, false, &b->config->admin, &bound);

    if (fd != -1)
        admin_take_socket(b->admin, false, fd, &bound);
    if (!addr_unix(b->config->alb.control, &control))
        return;
    fd = inherit_door(b->inherit, true, &control, &bound);
    if (fd != -1)
        admin_take_socket(b->admin, true, fd, &bound);
}

static bool open_admin(struct balancer *b, struct problems *problems)
{
    struct addr bound;
    char why[256];

    b->admin = admin_new(b);
    inherit_doors(b);
    if (b->config->admin.len != 0 &&
        !admin_listen_tcp(b->admin, &b->config->admin, &bound, why, sizeof(why))) {
        problems_error(problems, 0, "admin: %s", why);
        return false;
    }
    if (b->config->admin.len != 0)
        b->config->admin = bound;
    if (b->config->alb.control[0] != '\0' &&
        !admin_listen_unix(b->admin, b->config->alb.control, why, sizeof(why)))
        log_warn("control unavailable reason=\"%s\"", why);
    return true;
}

/* Strangers find nobody from the first packet on. */
static bool open_doors(struct balancer *b, struct problems *problems)
{
    if (!balancer_extend_filters(b, b->config, problems))
        return false;
    balancer_settle_filters(b);
    b->doors = doors_new(b);
    return balancer_open_listeners(b, b->config, problems) &&
           doors_open(b->doors, b->config, problems) && open_admin(b, problems);
}

static void print_doors(const struct balancer *b, enum door_kind kind, struct buf *json)
{
    char text[ADDR_TEXT_MAX];
    const char *comma = "";
    struct addr bound;
    size_t at = 0;

    buf_print(json, ",\"%s\":[", door_names[kind]);
    while (doors_next(b->doors, kind, &at, &bound) != -1) {
        buf_print(json, "%s\"%s\"", comma, addr_format(&bound, text));
        comma = ",";
    }
    buf_put(json, SPAN("]"));
}

static void print_ready(struct balancer *b, struct buf *json)
{
    char text[ADDR_TEXT_MAX];
    const char *comma = "";

    buf_print(json, "{\"pid\":%ld,\"admin\":\"%s\",\"listeners\":{", (long)getpid(),
              b->config->admin.len == 0 ? "" : addr_format(&b->config->admin, text));
    list_each (at, &b->listeners) {
        const struct listener *l = list_entry(at, struct listener, link);
        buf_print(json, "%s\"%s\":\"%s\"", comma, l->name, addr_format(&l->bound, text));
        comma = ",";
    }
    buf_put(json, SPAN("}"));
    for (int kind = 0; kind < DOOR_KINDS; kind++)
        print_doors(b, (enum door_kind)kind, json);
    buf_put(json, SPAN("}\n"));
}

static bool announce(struct balancer *b, const char *ready_file, struct problems *problems)
{
    struct buf json;
    char why[256];
    bool ok = true;

    list_each (at, &b->listeners) {
        const struct listener *l = list_entry(at, struct listener, link);
        char text[ADDR_TEXT_MAX];
        log_info("listener open name=%s protocol=%s address=%s", l->name,
                 l->protocol == PROTOCOL_HTTPS ? "HTTPS" : "HTTP", addr_format(&l->bound, text));
    }
    if (ready_file != NULL) {
        buf_init(&json, 64 * 1024);
        print_ready(b, &json);
        buf_put(&json, span_of("", 1));
        ok = service_write_ready_file(ready_file, buf_data(&json).ptr, why, sizeof(why));
        if (!ok)
            problems_error(problems, 0, "--ready-file: %s", why);
        buf_done(&json);
    }
    if (!ok)
        return false;
    if (!inherit_goes_on(b->inherit)) /* else the process before us says so */
        service_notify("READY=1");
    inherit_ready(b->inherit);
    return true;
}

/* --- the whole ------------------------------------------------------------------------------ */

static bool read_config(struct balancer *b, struct problems *problems)
{
    b->config =
        b->path != NULL ? config_read_file(b->path, problems) : config_read_text(b->text, problems);
    return b->config != NULL;
}

/* --- names of targets -------------------------------------------------------------------- */

static void on_names_changed(void *user)
{
    struct balancer *b = user;

    if (b->members != NULL) /* not while the start waits */
        balancer_change_members(b);
}

static void on_patience(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)timer;
    (void)revents; /* it ends the turn */
}

/* A start with addresses is better than one without, but DNS that does not answer must
 * not prevent it. */
static void wait_for_names(struct balancer *b)
{
    const uint64_t end_ms = clock_mono_ms() + NAMES_WAIT_MS;
    ev_timer patience;

    ev_timer_init(&patience, on_patience, NAMES_WAIT_MS / 1000.0, 0);
    ev_timer_start(b->control.ev, &patience);
    while (!names_are_known(b->names) && clock_mono_ms() < end_ms)
        ev_run(b->control.ev, EVRUN_ONCE);
    ev_timer_stop(b->control.ev, &patience);
    if (!names_are_known(b->names))
        log_warn("dns has not answered yet: its targets come when it does");
}

static bool start_names(struct balancer *b, struct problems *problems)
{
    char why[256];

    b->names = names_new(b->control.ev, &b->counters, on_names_changed, b);
    if (!names_follow(b->names, b->config, why, sizeof(why))) {
        problems_error(problems, 0, "%s", why);
        return false;
    }
    wait_for_names(b);
    return true;
}

static void share_stop_page(struct balancer *b)
{
    const int page = inherit_stop_page(b->inherit);

    if (page == -1)
        return;
    if (b->stop_page != -1)
        close(b->stop_page);
    b->stop_page = page;
}

/* Before all else: what the process before us has to say. */
static bool inherit(struct balancer *b, struct problems *problems)
{
    char why[256];

    if (!inherit_open(b, why, sizeof(why))) {
        problems_error(problems, 0, "%s", why);
        return false;
    }
    share_stop_page(b);
    return true;
}

static bool start(struct balancer *b, const char *ready_file, struct problems *problems)
{
    char why[256];

    if (!inherit(b, problems))
        return false;
    balancer_make_filters(b);
    if (!balancer_drop_privileges(b, problems) || !read_config(b, problems) ||
        !balancer_read_state(b))
        return false;
    make_ring(b);
    inherit_said(b->inherit, &b->said);
    inherit_tickets(b->inherit, b->config);
    b->connection_limit = balancer_connection_limit(b->config);
    if (!start_names(b, problems))
        return false;
    balancer_follow_config(b, b->config);
    balancer_begin_edge(b);
    const struct members_sources sources = balancer_sources(b);
    b->members = members_new(&b->registry, b->config, &sources);
    make_threads(b);
    if (!has_https(b->config))
        log_debug("no HTTPS listener");
    if (!open_doors(b, problems) || !balancer_drop_last_privileges(problems) ||
        !balancer_open_logs(b, b->config, problems)) /* from here on there are threads */
        return false;
    b->health = health_new(b->control.ev);
    balancer_log_health(b);
    health_watch(b->health, balancer_review_health, b);
    balancer_welcome_members(b);
    balancer_dismiss_others(b, b->config);
    inherit_states(b->inherit);
    if (!service_signals_start(&b->signals, b->control.ev, balancer_on_signal, b)) {
        problems_error(problems, 0, "cannot watch for signals");
        return false;
    }
    if (!inherit_may_serve(b->inherit, why, sizeof(why))) {
        problems_error(problems, 0, "%s", why);
        return false;
    }
    start_threads(b);
    balancer_watch_strangers(b);
    balancer_watch_certificates(b);
    return announce(b, ready_file, problems);
}

static void init(struct balancer *b, const char *path, struct span text)
{
    *b = (struct balancer){ .path = path, .text = text, .signals.fd = -1 };
    list_init(&b->listeners);
    list_init(&b->waiters);
    list_init(&b->listings);
    list_init(&b->drains);
    registry_init(&b->registry);
    loop_init(&b->control, -1, CONTROL_INBOX, b);
    balancer_init_logs(b);
    tunnel_ring_init(&b->closed);
    upgrade_ring_init(&b->failed_upgrades);
    strangers_init(&b->strangers);
    b->started_ms = clock_mono_ms();
    b->stop_page = pace_page();
}

static void free_listeners(struct balancer *b)
{
    list_each_safe (at, after, &b->listeners) {
        struct listener *l = list_entry(at, struct listener, link);
        ev_timer_stop(b->control.ev, &l->leaving);
        free(l->name);
        free(l->bind);
        free(l->sockets);
        free(l);
    }
}

static void end_threads(struct balancer *b)
{
    for (int i = 0; i < b->greeter_count; i++) {
        loop_stop(&b->greeters[i].loop);
        loop_join(&b->greeters[i].loop);
    }
    for (int i = 0; i < b->worker_count; i++) {
        loop_stop(&b->workers[i].loop);
        loop_join(&b->workers[i].loop);
    }
    /* What the two have for each other is given back now: greeters first, and then
     * no worker finds one any more. */
    for (int i = 0; i < b->greeter_count; i++)
        greeter_done(&b->greeters[i]);
    b->greeter_count = 0;
    for (int i = 0; i < b->worker_count; i++)
        worker_done(&b->workers[i]);
    /* The control loop turns once more, and may be told to cut, to report... */
    b->worker_count = 0;
    b->members_changed = false;
    mem_free(b->workers);
    mem_free(b->greeters);
}

static void done(struct balancer *b)
{
    names_free(&b->names); /* nobody will be told */
    upgrade_free(&b->upgrade);
    end_threads(b);
    inherit_free(&b->inherit); /* after the orders that name its connections */
    balancer_end_logs(b);
    ev_run(b->control.ev, EVRUN_NOWAIT);
    admin_free(&b->admin);
    doors_free(&b->doors);
    audit_done(&b->audit);
    tunnel_listings_done(b);
    service_signals_stop(&b->signals, b->control.ev);
    health_free(&b->health);
    members_free(&b->members);
    ev_timer_stop(b->control.ev, &b->leaving_timer);
    leaving_free(&b->leaving);
    ev_timer_stop(b->control.ev, &b->edge_timer);
    ev_timer_stop(b->control.ev, &b->leavers_timer);
    ev_timer_stop(b->control.ev, &b->strangers_timer);
    edge_view_free(&b->edge);
    strangers_done(&b->strangers);
    config_free(&b->config);
    balancer_end_drains(b);
    registry_done(&b->registry);
    registrations_done(&b->said);
    mem_free(b->state_path);
    seal_ring_free(&b->ring);
    tunnel_ring_done(&b->closed);
    upgrade_ring_done(&b->failed_upgrades);
    free_listeners(b);
    balancer_free_filters(b);
    if (b->stop_page != -1)
        close(b->stop_page);
    loop_done(&b->control);
}

int balancer_run(const char *path, struct span text, const char *ready_file, const char *state_file)
{
    static struct balancer b; /* one a process; large */
    struct problems problems;

    service_block_signals();
    init(&b, path, text);
    b.state_path = state_file == NULL ? NULL : mem_text(state_file);
    problems_init(&problems, path == NULL ? "quick" : path);
    const bool ok = start(&b, ready_file, &problems);
    if (!ok)
        inherit_failed(b.inherit, &problems);
    problems_print(&problems, stderr);
    problems_done(&problems);
    if (ok)
        ev_run(b.control.ev, 0);
    done(&b);
    return ok ? 0 : 1;
}
