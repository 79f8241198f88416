/* upgrade.c -- see upgrade.h. */
#include "alb/upgrade.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/record.h"
#include "net/handover.h"
#include "net/service.h"

#include "alb/admin.h"
#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/greeter.h"
#include "alb/handing.h"
#include "alb/handing_record.h"
#include "alb/past.h"
#include "alb/upgrade_list.h"
#include "alb/upgrade_obey.h"
#include "alb/upgrade_process.h"
#include "alb/upgrade_report.h"
#include "alb/upgrade_rounds.h"
#include "alb/upgrade_tell.h"
#include "alb/doors.h"
#include "alb/worker.h"

enum { ORDERS_MAX = 1024 * 1024 };
static const char SENSELESS[] = "it says what makes no sense";

enum stage { STARTING, READYING, MOVING, LEAVING };

struct upgrade {
    struct balancer *balancer;
    enum stage stage;
    struct upgrade_process process;
    struct handover *link; /* NULL once the other end is gone */
    ev_timer patience;     /* STARTING: for READY */
    int waiting;           /* READYING: loops that may still accept */
    struct upgrade_rounds rounds;
    bool stop_wanted;  /* a signal came: for when it is clear who is to stop */
    struct buf orders; /* of the new one, that came before LEAVING */
    uint64_t takes;    /* a sum of enum TAKES_...: what the new one said that it takes */
    struct past past;  /* LEAVING */
    struct upgrade_report report;
    struct upgrade_lists lists;
    upgrade_told_fn *told; /* NULL once it was told, or nobody waits */
    void *user;
};

/* --- the end of one ------------------------------------------------------------------------- */

static void tell(struct upgrade *u, bool ok, const char *text)
{
    upgrade_told_fn *told = u->told;

    u->told = NULL;
    if (told != NULL)
        told(u->user, ok, text);
}

void upgrade_forget(struct balancer *b, const void *user)
{
    if (b->upgrade != NULL && b->upgrade->user == user)
        b->upgrade->told = NULL;
}

static void accept_again(struct balancer *b)
{
    balancer_want_listeners(b);
    balancer_tell_workers(b, worker_accept, (void *)1);
    balancer_tell_greeters(b, greeter_accept, (void *)1);
    admin_accept(b->admin, true);
    doors_accept(b->doors, true);
}

static void stop_telling(struct upgrade *u)
{
    past_stop(&u->past);
    upgrade_report_stop(&u->report);
    upgrade_lists_stop(&u->lists);
}

void upgrade_free(struct upgrade **upgrade)
{
    struct upgrade *u = *upgrade;

    *upgrade = NULL;
    if (u == NULL)
        return;
    ev_timer_stop(u->balancer->control.ev, &u->patience);
    upgrade_rounds_stop(&u->rounds);
    stop_telling(u);
    handover_free(&u->link);
    buf_done(&u->orders);
    upgrade_process_done(&u->process);
    free(u);
}

/* What it has already is lost if it is killed. */
static void give_up_on(const struct upgrade *u, char *text, size_t size)
{
    const uint64_t has = u->rounds.tunnels + u->rounds.clients;

    if (has == 0)
        upgrade_process_end(&u->process, text, size);
    else if (upgrade_process_is_dead(&u->process))
        snprintf(text, size, " (it has ended, with %" PRIu64 " connections)", has);
    else
        snprintf(text, size,
                 " (it has %" PRIu64 " connections and was left alone: look at process %ld)", has,
                 (long)u->process.pid);
}

/* To the service manager. */
static void announce_main(pid_t pid)
{
    char text[64];

    snprintf(text, sizeof(text), "MAINPID=%ld\nREADY=1", (long)pid);
    service_notify(text);
}

/* Until LEAVING: this process carries on as if nothing had been. */
static void fail(struct upgrade *u, const char *why)
{
    struct balancer *b = u->balancer;
    char text[512], how[160];

    if (u->stage == STARTING && u->link != NULL)
        handover_send(u->link, HANDING_CALLED_OFF, SPAN(""), NULL, 0);
    if (u->stage != STARTING)
        announce_main(getpid()); /* before the end of the other one is heard of */
    give_up_on(u, how, sizeof(how));
    balancer_reclaim_filters(b);
    snprintf(text, sizeof(text), "the new process did not take over: %s%s; %ld carries on", why,
             how, (long)getpid());
    log_error("upgrade failed reason=\"%s\"", text);
    if (u->stage != STARTING)
        accept_again(b);
    tell(u, false, text);
    const bool stop_wanted = u->stop_wanted;
    struct buf orders = u->orders;
    buf_init(&u->orders, 0);
    upgrade_free(&b->upgrade);
    upgrade_obey(b, buf_data(&orders), -1);
    buf_done(&orders);
    if (stop_wanted)
        balancer_stop(b);
}

bool upgrade_takes_stop(struct balancer *b)
{
    struct upgrade *u = b->upgrade;

    if (!upgrade_is_running(b))
        return false;
    if (u->stage == STARTING) {
        fail(u, "this one was told to stop");
        return false;
    }
    u->stop_wanted = true;
    return true;
}

/* --- leaving ---------------------------------------------------------------------------------- */

/* A first round is over. */
static void leave(void *user)
{
    struct upgrade *u = user;
    struct balancer *b = u->balancer;
    const long old = (long)getpid(), new = (long)u->process.pid;
    const uint64_t tunnels = u->rounds.tunnels, clients = u->rounds.clients;
    const unsigned left = atomic_load(&b->connections);
    char text[512];

    u->stage = LEAVING;
    log_info("upgrade done old=%ld new=%ld tunnels=%" PRIu64 " clients=%" PRIu64 " left=%u", old,
             new, tunnels, clients, left);
    snprintf(text, sizeof(text),
             "process %ld has taken over from %ld: %" PRIu64 " tunnels and %" PRIu64
             " idle connections went to it, %u connections end where they are",
             new, old, tunnels, clients, left);
    balancer_leave(b);
    if (u->takes & TAKES_REPORTS)
        upgrade_report_start(&u->report, b, u->link);
    if (u->takes & TAKES_PAST)
        past_start(&u->past, b, u->link);
    tell(u, true, text);
    upgrade_obey(b, buf_data(&u->orders), -1);
    if (u->stop_wanted)
        upgrade_process_signal(&u->process, SIGTERM); /* and it orders us to stop as well */
}

/* --- what it says ----------------------------------------------------------------------------- */

static void on_quiet(struct loop *loop, void *arg)
{
    struct balancer *b = loop->user;
    struct upgrade *u = b->upgrade;
    (void)arg;

    if (u == NULL || u->stage != READYING || --u->waiting > 0)
        return;
    u->stage = MOVING;
    upgrade_rounds_start(&u->rounds);
}

void upgrade_report_quiet(struct balancer *b)
{
    balancer_must_post(&b->control, on_quiet, NULL);
}

static void take_unwanted(struct balancer *b, struct span left)
{
    struct handing_unwanted told;
    struct span one;
    uint16_t type;

    while (record_next(&left, &type, &one)) {
        if (type == HELLO_UNWANTED && handing_read_unwanted(one, &told))
            balancer_mark_unwanted(b, &told.bound, (int)told.protocol);
    }
}

static void stop_accepting(struct upgrade *u)
{
    struct balancer *b = u->balancer;

    u->waiting = b->worker_count + b->greeter_count;
    admin_accept(b->admin, false);
    doors_accept(b->doors, false);
    balancer_tell_workers(b, worker_accept, NULL);
    balancer_tell_greeters(b, greeter_accept, NULL);
}

static void on_ready(struct upgrade *u, struct span bytes)
{
    struct handing_hello hello;
    char text[128];

    ev_timer_stop(u->balancer->control.ev, &u->patience);
    if (!handing_read_hello(bytes, &hello)) {
        fail(u, SENSELESS);
        return;
    }
    if (hello.version != HANDING_VERSION) {
        snprintf(text, sizeof(text),
                 "it speaks version %" PRIu64 " of the hand-over, this one version %d",
                 hello.version, HANDING_VERSION);
        fail(u, text);
        return;
    }
    upgrade_process_follow(&u->process, (pid_t)hello.pid);
    announce_main(u->process.pid);
    log_info("upgrade ready pid=%ld", (long)u->process.pid);
    u->stage = READYING;
    u->takes = hello.takes;
    take_unwanted(u->balancer, bytes);
    stop_accepting(u);
}

/* It may give some as soon as it serves. */
static void on_order(struct upgrade *u, const struct handover_message *m)
{
    if (u->stage == LEAVING)
        upgrade_obey(u->balancer, m->bytes, m->fd_count > 0 ? m->fds[0] : -1);
    else
        buf_put(&u->orders, m->bytes);
}

static void on_message(void *user, struct handover_message *m)
{
    struct upgrade *u = user;
    char text[400];

    if (m->type == HANDING_READY && u->stage == STARTING) {
        on_ready(u, m->bytes);
    } else if (m->type == HANDING_TAKEN && upgrade_rounds_taken(&u->rounds)) {
        return;
    } else if (m->type == HANDING_ORDER) {
        on_order(u, m);
    } else if (m->type == HANDING_ASK && u->stage == LEAVING) {
        upgrade_lists_ask(&u->lists, m->bytes);
    } else if (u->stage != LEAVING) {
        snprintf(text, sizeof(text), "%.*s", (int)(m->bytes.len < 300 ? m->bytes.len : 300),
                 m->bytes.len == 0 ? "" : m->bytes.ptr);
        fail(u, m->type == HANDING_FAILED ? text : SENSELESS);
    }
}

/* After it has taken over: what it has is lost with it, what is here goes on. */
static void on_end(void *user, const char *why)
{
    struct upgrade *u = user;
    struct balancer *b = u->balancer;

    if (u->stage != LEAVING) {
        fail(u, why);
        return;
    }
    log_warn("the process that took over has ended pid=%ld", (long)u->process.pid);
    upgrade_rounds_stop(&u->rounds);
    stop_telling(u);
    handover_free(&u->link);
    upgrade_process_collect(&u->process);
    balancer_stop_with(b, b->config->alb.shutdown_timeout_ms);
}

static void on_patience(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct upgrade *u = timer->data;
    (void)loop;
    (void)revents;

    fail(u, "it was not ready within upgrade_timeout");
}

static void on_silent(void *user)
{
    struct upgrade *u = user;

    if (u->stage == LEAVING)
        on_end(u, "");
    else
        fail(u, "it did not take a connection in 5 seconds");
}

/* --- starting ----------------------------------------------------------------------------------
 */

bool upgrade_is_running(const struct balancer *b)
{
    return b->upgrade != NULL && b->upgrade->stage != LEAVING;
}

bool upgrade_is_leaving(const struct balancer *b)
{
    return b->upgrade != NULL && b->upgrade->stage == LEAVING;
}

bool upgrade_is_told(const struct balancer *b)
{
    return b->upgrade == NULL || past_is_told(&b->upgrade->past);
}

long upgrade_successor(const struct balancer *b)
{
    return (long)b->upgrade->process.pid;
}

static bool may_start(const struct balancer *b, char *why, size_t why_size)
{
    const char *objection = b->path == NULL      ? "`alb quick` has no file to start again with"
                            : b->upgrade != NULL ? "an upgrade is under way"
                            : b->state != RUN_SERVING ? "the balancer is shutting down"
                                                      : NULL;

    if (objection != NULL)
        snprintf(why, why_size, "%s", objection);
    return objection == NULL;
}

static struct upgrade *make(struct balancer *b, const struct upgrade_process *p, int fd)
{
    struct upgrade *u = mem_new(struct upgrade);

    u->balancer = b;
    u->process = *p;
    u->link = handover_new(b->control.ev, fd, on_message, on_end, u);
    buf_init(&u->orders, ORDERS_MAX);
    upgrade_lists_init(&u->lists, b, u->link);
    upgrade_rounds_init(&u->rounds, b, u->link, leave, on_silent, u);
    ev_timer_init(&u->patience, on_patience, b->config->alb.upgrade_timeout_ms / 1000.0, 0);
    u->patience.data = u;
    ev_timer_start(b->control.ev, &u->patience);
    return u;
}

/* The socket to it, -1 with a sentence. */
static int start_process(struct upgrade_process *p, const char *path, char *why, size_t why_size)
{
    int fds[2];

    if (!handover_pair(fds)) {
        snprintf(why, why_size, "cannot make a pair of sockets: %s", strerror(errno));
        return -1;
    }
    const int error = upgrade_process_start(p, path, fds[1]);
    close(fds[1]);
    if (error == 0)
        return fds[0];
    snprintf(why, why_size, "cannot start %s: %s", path, strerror(error));
    close(fds[0]);
    return -1;
}

bool upgrade_start(struct balancer *b, const char *binary, upgrade_told_fn *told, void *user,
                   char *why, size_t why_size)
{
    const char *path = binary != NULL ? binary : upgrade_own_path();
    struct upgrade_process process;

    if (!may_start(b, why, why_size))
        return false;
    balancer_delay_end(b); /* a drain that waits goes over as one that runs */
    const int fd = start_process(&process, path, why, why_size);
    if (fd == -1)
        return false;
    log_info("upgrade begins binary=%s started=%ld", path, (long)process.pid); /* foster.h */
    b->upgrade = make(b, &process, fd);
    b->upgrade->told = told;
    b->upgrade->user = user;
    upgrade_tell(b, b->upgrade->link);
    return true;
}
