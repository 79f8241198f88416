/*
 * manage.c -- see manage.h.
 *
 *     accepted ---> SHAKING (the thread of manage_thread) ---> TALKING (admin_conn.c) ---> (freed)
 *                      |                                                                    ^
 *                      +-- failed ----------------------------------------------------------+
 *
 * A guest is the control thread's but for its handshake: then the other thread has it, and posts it
 * back. All of them are in `guests`, so that those whose way back is cut short by the end of the
 * process are found.
 */
#include "alb/manage.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/seldom.h"
#include "net/handshake.h"
#include "net/tls_peer_cert.h"

#include "alb/admin_conn.h"
#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/manage_access.h"
#include "alb/manage_login.h"

enum {
    HANDSHAKE_MS = 10 * 1000,
    HEAD_MAX = 16 * 1024,
    INBOX = 256, /* more than there are guests */
};

struct guest {
    struct list link;
    struct manage *manage;
    void *door;
    struct addr peer;
    struct tls_server *server; /* a reference: what it was shaken with, and its client judged by */
    int fd;                    /* owned, but while another has it: -1 */
    struct tls_session *tls;   /* owned, when the handshake is done */
    char why[128];             /* it is not; "" */
};

struct manage {
    struct balancer *balancer;
    void (*on_end)(void *door);
    struct list guests;
    struct admin_host host;
    struct http_message request; /* scratch of one parse */

    struct loop loop; /* of the handshakes */
    struct handshaker shaker;
    bool has_thread;

    struct seldom refusals; /* lines of the log */
};

/* --- the log ------------------------------------------------------------------------------ */

/* Whoever fails often shall not fill the disk. */
static void note_refusal(struct manage *m, const struct addr *peer, const char *what,
                         const char *why)
{
    char text[ADDR_TEXT_MAX], more[48] = "";
    unsigned kept;

    if (!seldom_may(&m->refusals, clock_mono_ms(), &kept))
        return;
    if (kept > 0)
        snprintf(more, sizeof(more), " not_logged_before=%u", kept);
    log_warn("management refused=%s address=%s reason=\"%s\"%s", what, addr_format(peer, text), why,
             more);
}

/* --- a guest -------------------------------------------------------------------------------- */

static void free_guest(struct guest *g)
{
    tls_session_free(&g->tls);
    tls_server_unref(&g->server);
    if (g->fd != -1)
        close(g->fd);
    list_remove(&g->link);
    free(g);
}

static void end_guest(void *user)
{
    struct guest *g = user;
    struct manage *m = g->manage;
    void *door = g->door;

    free_guest(g);
    m->on_end(door);
}

/* Authorities that were replaced let nobody in, on connections of before neither. */
static bool is_judged_by_others(const struct manage_config *c, const struct caller *caller)
{
    return c->client_count > 0 && !tls_server_trusts_the_same(caller->judge, c->tls);
}

static bool log_in(struct admin_host *host, const struct http_message *m, struct caller *caller,
                   struct http_reply *refusal)
{
    struct manage *manage = list_entry(host, struct manage, host);
    struct balancer *b = manage->balancer;
    const char *why = is_judged_by_others(&b->config->management, caller)
                          ? "client_ca_file has other authorities since it connected"
                          : manage_admit(b->config, m, caller);

    if (why == NULL && m->method_id == HTTP_POST && http_find(m, HTTP_N_ORIGIN) != NULL) {
        /* A browser would show the operator's certificate for any page that has it ask. */
        refusal->status = 403;
        refusal->body = SPAN("Commands are not for web pages: send no Origin.\n");
        return false;
    }
    if (why == NULL)
        return true;
    metric_add(&b->counters.management_logins_failed, 1);
    note_refusal(manage, &caller->peer, "login", why);
    manage_refuse_login(refusal);
    return false;
}

static void talk(struct guest *g)
{
    struct caller caller = {
        .place = AT_MANAGEMENT, .peer = g->peer, .judge = g->server, .tls = g->tls
    };
    const struct tls_peer_cert *shown = tls_session_peer_cert(g->tls);
    struct tls_session *tls = g->tls;
    const int fd = g->fd;

    addr_format(&g->peer, caller.from);
    if (shown != NULL)
        snprintf(caller.certificate, sizeof(caller.certificate), "%s", shown->common_name);
    g->fd = -1;
    g->tls = NULL;
    metric_add(&g->manage->balancer->counters.management_connections, 1);
    admin_conn_begin(&g->manage->host, fd, tls, &caller, g);
}

/* --- handshakes: a thread of their own ------------------------------------------------------ */

static void on_back(struct loop *loop, void *arg)
{
    struct guest *g = arg;
    struct manage *m = g->manage;
    (void)loop;

    if (g->why[0] == '\0') {
        talk(g);
        return;
    }
    metric_add(&m->balancer->counters.management_handshakes_failed, 1);
    note_refusal(m, &g->peer, "tls", g->why);
    end_guest(g);
}

/* The other thread. */
static void on_shaken(void *user, struct handshake_result *result)
{
    struct manage *m = user;
    struct guest *g = result->tag;

    if (result->why != NULL) {
        const char *status =
            result->seen == NULL ? "Success" : tls_session_verify_status(result->seen);
        snprintf(g->why, sizeof(g->why), "%.100s%s%s", result->why,
                 strncmp(status, "Failed:ClientCert", 17) == 0 ? ", " : "",
                 strncmp(status, "Failed:ClientCert", 17) == 0 ? status : "");
    } else {
        g->fd = result->fd;
        g->tls = result->tls;
    }
    balancer_must_post(&m->balancer->control, on_back, g);
}

static void begin_shaking(struct loop *loop, void *arg)
{
    struct manage *m = loop->user;
    struct guest *g = arg;
    const int fd = g->fd;

    g->fd = -1;
    handshaker_begin(&m->shaker, fd, &g->peer, g->server, g);
}

/* Not before it is needed: the process has given up its privileges by then. */
static void start_thread(struct manage *m)
{
    if (m->has_thread)
        return;
    m->has_thread = true;
    loop_init(&m->loop, -1, INBOX, m);
    handshaker_init(&m->shaker, &m->loop, HANDSHAKE_MS, on_shaken, m);
    loop_start(&m->loop, "alb-manage");
}

static void end_thread(struct manage *m)
{
    if (!m->has_thread)
        return;
    loop_stop(&m->loop);
    loop_join(&m->loop);
    handshaker_done(&m->shaker);
    loop_done(&m->loop);
}

/* --- the whole -------------------------------------------------------------------------------- */

/* NULL, or why there is no place for one more. */
static const char *blame_number(const struct manage *m, const struct addr *peer)
{
    struct ip ip = { 0 }, other = { 0 };
    unsigned all = 0, of_peer = 0;

    addr_ip(peer, &ip);
    list_each (at, &m->guests) {
        const struct guest *g = list_entry(at, struct guest, link);
        all++;
        of_peer += addr_ip(&g->peer, &other) && ip_equal(&ip, &other);
    }
    if (of_peer >= MANAGE_PEER_MAX)
        return "its address has 8 already";
    if (m->balancer->config->management.tls == NULL)
        return "it is being closed";
    return all >= MANAGE_MAX ? "there are 64 already" : NULL;
}

bool manage_begin(struct manage *m, int fd, const struct addr *peer, void *door)
{
    struct balancer *b = m->balancer;

    const char *blame = blame_number(m, peer);
    if (blame != NULL) {
        metric_add(&b->counters.refused_doors[DOOR_MANAGEMENT], 1);
        note_refusal(m, peer, "connection", blame);
        close(fd);
        return false;
    }
    struct guest *g = mem_new(struct guest);
    g->manage = m;
    g->door = door;
    g->peer = *peer;
    g->fd = fd;
    g->server = tls_server_ref(b->config->management.tls);
    list_append(&m->guests, &g->link);
    start_thread(m);
    balancer_must_post(&m->loop, begin_shaking, g);
    return true;
}

bool manage_is_idle(const struct manage *m)
{
    return list_is_empty(&m->guests);
}

struct manage *manage_new(struct balancer *b, void (*on_end)(void *door))
{
    struct manage *m = mem_new(struct manage);

    m->balancer = b;
    m->on_end = on_end;
    list_init(&m->guests);
    admin_host_init(&m->host, b, &m->request, end_guest);
    m->host.head_max = HEAD_MAX;
    m->host.login = log_in;
    return m;
}

void manage_free(struct manage **manage)
{
    struct manage *m = *manage;

    *manage = NULL;
    if (m == NULL)
        return;
    end_thread(m);
    admin_host_end(&m->host);
    list_each_safe (at, after, &m->guests)
        end_guest(list_entry(at, struct guest, link));
    free(m);
}
