/*
 * server.c -- start, run, drain, stop.
 *
 *   running --- SIGTERM, SIGINT ---> draining --- all gone, or time is up, or
 *                                             --- a second signal ---> stopped
 *
 * While it drains, connections are still accepted: /ready answers 503, and so
 * does an upgrade, so whoever asks hears why.
 */
#include "wsserver/server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "wsserver/worker.h"

/* Descriptors that are not WebSockets: listeners, the store, plain HTTP. */
enum { SPARE_DESCRIPTORS = 256, WHY_SIZE = 512 };

bool server_admit(struct server *s)
{
    if (atomic_load(&s->is_draining))
        return false;
    if (atomic_fetch_add(&s->websockets, 1) < s->max_connections)
        return true;
    server_release(s);
    return false;
}

void server_release(struct server *s)
{
    if (atomic_fetch_sub(&s->websockets, 1) == 1 && atomic_load(&s->is_draining))
        ev_async_send(s->control, &s->emptied);
}

/* --- starting ----------------------------------------------------------------- */

static void deliver(void *user, int loop, struct hub_event *event)
{
    struct server *s = user;
    worker_deliver(&s->workers[loop], event);
}

static bool start_hub(struct server *s, char *why)
{
    const struct options *o = s->options;
    const struct hub_options hub = {
        .engine = o->store == STORE_SQLITE ? "sqlite" : "memory",
        .path = o->sqlite_path,
        .durable_disk = o->sqlite_durability == DURABILITY_DISK,
        .node = o->node,
        .history_messages = o->history_messages,
        .loops = s->worker_count,
        .deliver = deliver,
        .user = s,
    };

    s->hub = hub_start(&hub, why, WHY_SIZE);
    if (s->hub != NULL)
        hub_secret(s->hub, s->secret);
    return s->hub != NULL;
}

/* All are open before anything runs, so that a taken port costs nothing. */
static bool open_workers(struct server *s, char *why)
{
    uint32_t asked = s->options->workers;
    int wanted = asked == 0 ? service_cores() : (int)asked;

    s->addr = s->options->bind_addr;
    if (!listener_probe(&s->addr, why, WHY_SIZE))
        return false;
    s->workers = mem_array(struct worker, (size_t)wanted);
    while (s->worker_count < wanted) {
        int fd = listener_open(&s->addr, true, why, WHY_SIZE);
        if (fd == -1)
            return false;
        worker_init(&s->workers[s->worker_count], s, s->worker_count, fd);
        s->worker_count++;
    }
    return true;
}

static bool write_ready_file(const struct server *s, const char *path, char *why)
{
    char addr[ADDR_TEXT_MAX], json[512];

    if (path == NULL)
        return true;
    snprintf(json, sizeof(json), "{\"pid\":%d,\"listen\":\"%s\",\"node\":\"%s\"}\n", (int)getpid(),
             addr_format(&s->addr, addr), s->options->node);
    return service_write_ready_file(path, json, why, WHY_SIZE);
}

/* --- signals and the drain ------------------------------------------------------- */

static void stop(struct server *s, const char *reason)
{
    log_info("server stopping reason=\"%s\" websockets=%u", reason, atomic_load(&s->websockets));
    ev_break(s->control, EVBREAK_ALL);
}

static void drain(struct server *s)
{
    if (s->options->shutdown_timeout_ms == 0) {
        stop(s, "shutdown_timeout is 0");
        return;
    }
    atomic_store(&s->is_draining, true);
    log_info("server draining websockets=%u timeout_ms=%u", atomic_load(&s->websockets),
             s->options->shutdown_timeout_ms);
    service_notify("STOPPING=1");
    for (int i = 0; i < s->worker_count; i++)
        worker_drain(&s->workers[i]);
    ev_timer_set(&s->deadline, s->options->shutdown_timeout_ms / 1000.0, 0);
    ev_timer_start(s->control, &s->deadline);
    ev_async_send(s->control, &s->emptied); /* there may be none */
}

static void on_signal(void *user, const struct service_signal *signal)
{
    struct server *s = user;

    if (signal->number == SIGHUP || signal->number == SIGUSR1)
        log_info("signal ignored signal=%d reason=\"nothing to read or to open again\"",
                 signal->number);
    else if (atomic_load(&s->is_draining))
        stop(s, "second signal");
    else
        drain(s);
}

static void on_emptied(struct ev_loop *loop, ev_async *async, int revents)
{
    struct server *s = async->data;
    (void)loop;
    (void)revents;
    if (atomic_load(&s->websockets) == 0)
        stop(s, "all clients have gone");
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    stop(timer->data, "shutdown_timeout");
}

static void watch_control(struct server *s)
{
    s->control = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    mem_check(s->control);
    ev_async_init(&s->emptied, on_emptied);
    ev_timer_init(&s->deadline, on_deadline, 0, 0);
    s->emptied.data = s->deadline.data = s;
    ev_async_start(s->control, &s->emptied);
}

/* --- the whole ----------------------------------------------------------------------- */

static bool start(struct server *s, const char *ready_file, char *why)
{
    char addr[ADDR_TEXT_MAX];

    watch_control(s);
    if (!open_workers(s, why) || !start_hub(s, why))
        return false;
    for (int i = 0; i < s->worker_count; i++)
        worker_start(&s->workers[i]);
    if (!service_signals_start(&s->signals, s->control, on_signal, s)) {
        snprintf(why, WHY_SIZE, "cannot receive signals");
        return false;
    }
    if (!write_ready_file(s, ready_file, why))
        return false;
    service_notify("READY=1");
    log_info("server ready node=%s listen=%s workers=%d store=%s durability=%s", s->options->node,
             addr_format(&s->addr, addr), s->worker_count,
             s->options->store == STORE_SQLITE ? s->options->sqlite_path : "memory",
             hub_durability(s->hub));
    return true;
}

/* Loops first, then what they leave behind, so that nobody posts to the hub
 * when it stops; what it still delivers then is freed with the workers. */
static void finish(struct server *s)
{
    for (int i = 0; i < s->worker_count; i++)
        loop_stop(&s->workers[i].loop);
    for (int i = 0; i < s->worker_count; i++)
        loop_join(&s->workers[i].loop);
    if (s->hub != NULL)
        for (int i = 0; i < s->worker_count; i++)
            worker_cut(&s->workers[i]);
    if (s->hub != NULL)
        hub_stop(&s->hub);
    for (int i = 0; i < s->worker_count; i++)
        worker_done(&s->workers[i]);
    free(s->workers);
    if (s->signals.user != NULL)
        service_signals_stop(&s->signals, s->control);
    ev_loop_destroy(s->control);
}

static uint32_t connection_limit(const struct options *o)
{
    uint32_t files = service_raise_nofile();
    uint32_t room = files > 2 * SPARE_DESCRIPTORS ? files - SPARE_DESCRIPTORS : files / 2;

    if (o->max_connections > room)
        log_warn("max_connections cut asked=%u limit=%u reason=\"limit of open files\"",
                 o->max_connections, room);
    return o->max_connections == 0 || o->max_connections > room ? room : o->max_connections;
}

int server_run(const struct options *options, const char *ready_file)
{
    struct server s = { .options = options };
    char why[WHY_SIZE] = "";

    service_block_signals();
    s.max_connections = connection_limit(options);
    bool ok = start(&s, ready_file, why);
    if (ok)
        ev_run(s.control, 0);
    else
        fprintf(stderr, "wsserver: %s\n", why);
    finish(&s);
    return ok ? 0 : 1;
}
