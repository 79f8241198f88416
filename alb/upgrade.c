/* upgrade.c -- see upgrade.h. */
#include "alb/upgrade.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/record.h"
#include "base/seal.h"
#include "net/handover.h"
#include "net/service.h"

#include "alb/admin.h"
#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/greeter.h"
#include "alb/handing.h"
#include "alb/moving.h"
#include "alb/past.h"
#include "alb/upgrade_list.h"
#include "alb/upgrade_obey.h"
#include "alb/upgrade_report.h"
#include "alb/upgrade_tell.h"
#include "alb/worker.h"

static const double ROUND_S = 0.25;      /* between two looks at who can go by now */
static const double TAKEN_S = 5;         /* so long for one batch */
enum { IDLE_ROUNDS = 20, CHILD_FD = 3 }; /* then idle TLS clients are hung up on */
enum { ORDERS_MAX = 1024 * 1024, END_MS = 300 };

enum stage { STARTING, READYING, MOVING, LEAVING };

struct upgrade {
    struct balancer *balancer;
    enum stage stage;
    pid_t pid;
    int pidfd;             /* of one that is not our child; -1 */
    struct handover *link; /* NULL once the other end is gone */
    ev_timer patience;     /* STARTING: for READY; else: for TAKEN */
    ev_timer next_round;
    int waiting;           /* READYING: loops that may still accept */
    int worker;            /* whose turn it is in this round */
    struct moving *moving; /* the batch that was sent, or is being packed */
    bool is_sent;          /* TAKEN is to come */
    bool stop_wanted;      /* a signal came: for when it is clear who is to stop */
    struct buf orders;     /* of the new one, that came before LEAVING */
    uint64_t tunnels, clients, rounds;
    uint64_t takes;   /* a sum of enum TAKES_...: what the new one said that it takes */
    struct past past; /* LEAVING */
    struct upgrade_report report;
    struct upgrade_lists lists;
    upgrade_told_fn *told; /* NULL once it was told, or nobody waits */
    void *user;
};

/* --- starting a process ------------------------------------------------------------------- */

static struct {
    char path[4096];
    char **argv;
} self;

void upgrade_remember(char **argv)
{
    const ssize_t n = readlink("/proc/self/exe", self.path, sizeof(self.path) - 1);

    self.path[n > 0 ? n : 0] = '\0';
    self.argv = argv;
}

static char **environment(void)
{
    static char mark[] = HANDING_ENV "=3";
    size_t n = 0, kept = 0;

    while (environ[n] != NULL)
        n++;
    char **env = mem_array(char *, n + 2);
    for (size_t i = 0; i < n; i++) {
        if (strncmp(environ[i], mark, sizeof(HANDING_ENV)) != 0)
            env[kept++] = environ[i];
    }
    env[kept] = mark;
    return env;
}

/* 0 or an errno. No signal is blocked or ignored there that was not here at the start. */
static int spawn(const char *path, int fd, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, usual;
    char **env = environment();

    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, fd, CHILD_FD);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    const int error = posix_spawn(pid, path, &files, &attributes, self.argv, env);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    free(env);
    return error;
}

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
}

/* It ends by itself within a moment, when it has closed its socket. */
static bool has_ended(pid_t pid, int *status)
{
    const struct timespec moment = { .tv_nsec = 10 * 1000 * 1000 };

    for (int i = 0; i < 30; i++) {
        if (waitpid(pid, status, WNOHANG) == pid)
            return true;
        nanosleep(&moment, NULL);
    }
    return false;
}

static bool is_child(const struct upgrade *u)
{
    return u->pidfd == -1;
}

static void send_signal(const struct upgrade *u, int number)
{
    if (is_child(u))
        kill(u->pid, number);
    else
        pidfd_send_signal(u->pidfd, number, NULL, 0);
}

/* Nobody tells us how. */
static void end_orphan(const struct upgrade *u)
{
    struct pollfd end = { .fd = u->pidfd, .events = POLLIN };

    if (poll(&end, 1, END_MS) == 0)
        send_signal(u, SIGKILL);
}

/* How it ended, or was made to. */
static void reap(pid_t pid, char *text, size_t size)
{
    int status = 0;

    if (!has_ended(pid, &status)) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    if (WIFEXITED(status))
        snprintf(text, size, " (it exited with %d; its own words are in the log)",
                 WEXITSTATUS(status));
    else
        text[0] = '\0';
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
    ev_timer_stop(u->balancer->control.ev, &u->next_round);
    stop_telling(u);
    handover_free(&u->link);
    buf_done(&u->orders);
    if (u->pidfd != -1)
        close(u->pidfd);
    free(u);
}

/* Its socket may be closed a moment before it is gone. */
static bool is_dead(const struct upgrade *u)
{
    struct pollfd end = { .fd = u->pidfd, .events = POLLIN };
    int status;

    return is_child(u) ? has_ended(u->pid, &status) : poll(&end, 1, END_MS) != 0;
}

/* What it has already is lost if it is killed. */
static void give_up_on(const struct upgrade *u, char *text, size_t size)
{
    const uint64_t has = u->tunnels + u->clients;

    text[0] = '\0';
    if (has > 0 && is_dead(u))
        snprintf(text, size, " (it has ended, with %" PRIu64 " connections)", has);
    else if (has > 0)
        snprintf(text, size,
                 " (it has %" PRIu64 " connections and was left alone: look at process %ld)", has,
                 (long)u->pid);
    else if (is_child(u))
        reap(u->pid, text, size);
    else
        end_orphan(u);
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
    snprintf(text, sizeof(text), "the new process did not take over: %s%s; %ld carries on", why,
             how, (long)getpid());
    log_error("upgrade failed reason=\"%s\"", text);
    if (u->stage != STARTING)
        accept_again(b);
    if (u->is_sent)
        balancer_must_post(&u->moving->worker->loop, moving_put_back, u->moving);
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

/* --- moving --------------------------------------------------------------------------------- */

static void on_packed(struct loop *loop, void *arg);

static void next_worker(struct upgrade *u)
{
    struct balancer *b = u->balancer;

    u->moving = moving_new(&b->workers[u->worker], on_packed);
    u->is_sent = false;
    balancer_must_post(&u->moving->worker->loop, moving_pack, u->moving);
}

static void leave(struct upgrade *u)
{
    struct balancer *b = u->balancer;
    char text[512];

    u->stage = LEAVING;
    log_info("upgrade done old=%ld new=%ld tunnels=%llu clients=%llu left=%u", (long)getpid(),
             (long)u->pid, (unsigned long long)u->tunnels, (unsigned long long)u->clients,
             atomic_load(&b->connections));
    snprintf(
        text, sizeof(text),
        "process %ld has taken over from %ld: %llu tunnels and %llu idle connections went to it, "
        "%u connections end where they are",
        (long)u->pid, (long)getpid(), (unsigned long long)u->tunnels,
        (unsigned long long)u->clients, atomic_load(&b->connections));
    balancer_leave(b);
    if (u->takes & TAKES_REPORTS)
        upgrade_report_start(&u->report, b, u->link);
    if (u->takes & TAKES_PAST)
        past_start(&u->past, b, u->link);
    tell(u, true, text);
    upgrade_obey(b, buf_data(&u->orders), -1);
    if (u->stop_wanted)
        send_signal(u, SIGTERM); /* and it orders us to stop as well */
}

static void end_round(struct upgrade *u)
{
    moving_free(u->moving);
    u->moving = NULL;
    if (++u->worker < u->balancer->worker_count) {
        next_worker(u);
        return;
    }
    u->worker = 0;
    if (++u->rounds == 1)
        leave(u);
    if (u->rounds == IDLE_ROUNDS)
        balancer_tell_workers(u->balancer, worker_hang_up_idle, NULL);
    ev_timer_set(&u->next_round, ROUND_S, 0);
    ev_timer_start(u->balancer->control.ev, &u->next_round);
}

static void on_next_round(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct upgrade *u = timer->data;
    (void)loop;
    (void)revents;

    if (u->link != NULL && u->balancer->state == RUN_LEAVING)
        next_worker(u);
}

/* A batch is filled. */
static void on_packed(struct loop *loop, void *arg)
{
    struct balancer *b = loop->user;
    struct upgrade *u = b->upgrade;
    struct moving *m = arg;

    if (b->worker_count == 0) { /* this process ends: it was empty, or all was cut */
        moving_free(m);
        return;
    }
    if (u == NULL || u->moving != m || u->link == NULL) { /* nobody waits for it any more */
        balancer_must_post(&m->worker->loop, moving_put_back, m);
        if (u != NULL && u->moving == m)
            u->moving = NULL;
        return;
    }
    if (m->fd_count == 0) {
        end_round(u);
        return;
    }
    u->is_sent = true;
    handover_send(u->link, HANDING_MOVE, buf_data(&m->bytes), m->fds, m->fd_count);
    ev_timer_set(&u->patience, TAKEN_S, 0);
    ev_timer_start(b->control.ev, &u->patience);
}

static void on_taken(struct upgrade *u)
{
    struct moving *m = u->moving;

    ev_timer_stop(u->balancer->control.ev, &u->patience);
    u->tunnels += m->tunnel_count;
    u->clients += m->client_count;
    u->is_sent = false;
    handover_send(u->link, HANDING_GO, SPAN(""), NULL, 0);
    balancer_must_post(&m->worker->loop, moving_let_go, m);
}

/* --- what it says ----------------------------------------------------------------------------- */

/* What it says of itself; 0 for what it does not say. */
static uint64_t said(struct span bytes, uint16_t what)
{
    struct span value;
    uint16_t type;

    while (record_next(&bytes, &type, &value)) {
        if (type == what)
            return record_number(value);
    }
    return 0;
}

static void on_quiet(struct loop *loop, void *arg)
{
    struct balancer *b = loop->user;
    struct upgrade *u = b->upgrade;
    (void)arg;

    if (u == NULL || u->stage != READYING || --u->waiting > 0)
        return;
    u->stage = MOVING;
    next_worker(u);
}

void upgrade_report_quiet(struct balancer *b)
{
    balancer_must_post(&b->control, on_quiet, NULL);
}

static void take_unwanted(struct balancer *b, struct span left)
{
    struct span one, value;
    uint16_t type;

    while (record_next(&left, &type, &one)) {
        struct addr bound = { .len = 0 };
        int protocol = -1;
        uint16_t what;
        while (type == HELLO_UNWANTED && record_next(&one, &what, &value)) {
            if (what == LISTENER_BOUND && value.len == sizeof(bound))
                memcpy(&bound, value.ptr, value.len);
            else if (what == LISTENER_PROTOCOL)
                protocol = (int)record_number(value);
        }
        balancer_mark_unwanted(b, &bound, protocol);
    }
}

/* It is not the process that we have started, which has gone (foster.h). */
static void follow_process(struct upgrade *u, pid_t pid)
{
    int status;

    if (pid == 0 || pid == u->pid)
        return;
    has_ended(u->pid, &status);
    u->pid = pid;
    u->pidfd = pidfd_open(pid, 0);
}

static void on_ready(struct upgrade *u, struct span bytes)
{
    struct balancer *b = u->balancer;
    const uint64_t version = said(bytes, HELLO_VERSION);
    char text[128];

    ev_timer_stop(b->control.ev, &u->patience);
    if (version != HANDING_VERSION) {
        snprintf(text, sizeof(text), "it speaks version %llu of the hand-over, this one version %d",
                 (unsigned long long)version, HANDING_VERSION);
        fail(u, text);
        return;
    }
    follow_process(u, (pid_t)said(bytes, HELLO_PID));
    announce_main(u->pid);
    u->stage = READYING;
    u->takes = said(bytes, HELLO_TAKES);
    take_unwanted(b, bytes);
    u->waiting = b->worker_count + b->greeter_count;
    admin_accept(b->admin, false);
    balancer_tell_workers(b, worker_accept, NULL);
    balancer_tell_greeters(b, greeter_accept, NULL);
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
    } else if (m->type == HANDING_TAKEN && u->is_sent) {
        on_taken(u);
    } else if (m->type == HANDING_ORDER) {
        on_order(u, m);
    } else if (m->type == HANDING_ASK && u->stage == LEAVING) {
        upgrade_lists_ask(&u->lists, m->bytes);
    } else if (u->stage != LEAVING) {
        snprintf(text, sizeof(text), "%.*s", (int)(m->bytes.len < 300 ? m->bytes.len : 300),
                 m->bytes.len == 0 ? "" : m->bytes.ptr);
        fail(u, m->type == HANDING_FAILED ? text : "it says what makes no sense");
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
    log_warn("the process that took over has ended pid=%ld", (long)u->pid);
    ev_timer_stop(b->control.ev, &u->patience);
    stop_telling(u);
    handover_free(&u->link);
    waitpid(u->pid, NULL, WNOHANG);
    if (u->is_sent) {
        u->is_sent = false;
        balancer_must_post(&u->moving->worker->loop, moving_put_back, u->moving);
        u->moving = NULL;
    }
    balancer_stop_with(b, b->config->alb.shutdown_timeout_ms);
}

static void on_patience(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct upgrade *u = timer->data;
    (void)loop;
    (void)revents;

    if (u->stage == LEAVING)
        on_end(u, "");
    else
        fail(u, u->stage == STARTING ? "it was not ready within upgrade_timeout"
                                     : "it did not take a connection in 5 seconds");
}

/* --- starting ------------------------------------------------------------------------------------
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
    return (long)b->upgrade->pid;
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

static struct upgrade *make(struct balancer *b, pid_t pid, int fd)
{
    struct upgrade *u = mem_new(struct upgrade);

    u->balancer = b;
    u->pid = pid;
    u->pidfd = -1;
    u->link = handover_new(b->control.ev, fd, on_message, on_end, u);
    buf_init(&u->orders, ORDERS_MAX);
    upgrade_lists_init(&u->lists, b, u->link);
    ev_timer_init(&u->patience, on_patience, b->config->alb.upgrade_timeout_ms / 1000.0, 0);
    u->patience.data = u;
    ev_timer_start(b->control.ev, &u->patience);
    ev_timer_init(&u->next_round, on_next_round, ROUND_S, 0);
    u->next_round.data = u;
    return u;
}

bool upgrade_start(struct balancer *b, const char *binary, upgrade_told_fn *told, void *user,
                   char *why, size_t why_size)
{
    const char *path = binary != NULL ? binary : self.path;
    pid_t pid;
    int fds[2];

    if (!may_start(b, why, why_size))
        return false;
    if (!handover_pair(fds)) {
        snprintf(why, why_size, "cannot make a pair of sockets: %s", strerror(errno));
        return false;
    }
    const int error = spawn(path, fds[1], &pid);
    close(fds[1]);
    if (error != 0) {
        snprintf(why, why_size, "cannot start %s: %s", path, strerror(error));
        close(fds[0]);
        return false;
    }
    log_info("upgrade begins binary=%s pid=%ld", path, (long)pid);
    b->upgrade = make(b, pid, fds[0]);
    b->upgrade->told = told;
    b->upgrade->user = user;
    upgrade_tell(b, b->upgrade->link);
    return true;
}
