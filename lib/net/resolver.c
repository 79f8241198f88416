/* resolver.c -- see resolver.h. All use of c-ares is here. */
#include "net/resolver.h"

#include <ares.h>
#include <ev.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/time.h>

#include "base/list.h"
#include "base/mem.h"

#include "net/addr.h"

enum {
    TIMEOUT_MS = 1000, /* of one try; c-ares lengthens it with each */
    TRIES = 3,
    UDP_BYTES = 1232, /* fits every path; what is longer comes over TCP */
    SERVERS_MAX = 8,
    SERVERS_TEXT_MAX = SERVERS_MAX * 64,
};

struct resolver {
    struct ev_loop *loop;
    ares_channel channel;
    struct list sockets;
    ev_timer timer;
    bool is_ending;
};

/* One that c-ares has open. */
struct socket {
    struct list link;
    struct resolver *resolver;
    ev_io io;
};

struct question {
    struct resolver *resolver;
    resolver_fn *on_answer;
    void *user;
};

/* --- its sockets and its time-outs --------------------------------------------------- */

static void set_timer(struct resolver *r)
{
    struct timeval tv;

    ev_timer_stop(r->loop, &r->timer);
    if (ares_timeout(r->channel, NULL, &tv) == NULL)
        return;
    ev_timer_set(&r->timer, (double)tv.tv_sec + (double)tv.tv_usec / 1e6, 0);
    ev_timer_start(r->loop, &r->timer);
}

static void process(struct resolver *r, int readable, int writable)
{
    ares_process_fd(r->channel, readable, writable);
    set_timer(r);
}

static void on_io(struct ev_loop *loop, ev_io *io, int revents)
{
    const struct socket *s = io->data;
    (void)loop;

    process(s->resolver, revents & EV_READ ? io->fd : ARES_SOCKET_BAD,
            revents & EV_WRITE ? io->fd : ARES_SOCKET_BAD);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    process(timer->data, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static struct socket *socket_of(struct resolver *r, int fd)
{
    list_each (at, &r->sockets) {
        struct socket *s = list_entry(at, struct socket, link);
        if (s->io.fd == fd)
            return s;
    }
    struct socket *s = mem_new(struct socket);
    s->resolver = r;
    ev_io_init(&s->io, on_io, fd, 0);
    s->io.data = s;
    list_append(&r->sockets, &s->link);
    return s;
}

/* c-ares says what it waits for; neither means that it is about to close. */
static void on_socket_state(void *user, int fd, int readable, int writable)
{
    struct resolver *r = user;
    struct socket *s = socket_of(r, fd);

    ev_io_stop(r->loop, &s->io);
    if (!readable && !writable) {
        list_remove(&s->link);
        free(s);
        return;
    }
    ev_io_set(&s->io, fd, (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
    ev_io_start(r->loop, &s->io);
}

/* --- the servers ------------------------------------------------------------------------ */

static bool next_word(const char **at, char word[64])
{
    const char *start = *at + strspn(*at, ", \t");
    const size_t len = strcspn(start, ", \t");

    *at = start + len;
    snprintf(word, 64, "%.*s", (int)(len < 63 ? len : 63), start);
    return len > 0;
}

static bool is_server(const char *word)
{
    struct addr addr;
    struct ip ip;
    char why[256];

    return ip_parse(span_text(word), &ip) ||
           addr_parse(span_text(word), false, &addr, why, sizeof(why));
}

/* As c-ares wants it: parted by commas. */
static bool read_servers(const char *servers, char csv[SERVERS_TEXT_MAX], char *why,
                         size_t why_size)
{
    const char *at = servers;
    char word[64];
    size_t count = 0, len = 0;

    csv[0] = '\0';
    while (next_word(&at, word)) {
        if (!is_server(word)) {
            snprintf(why, why_size, "\"%s\" is no server: write IP, IP:port or [IPv6]:port", word);
            return false;
        }
        if (++count > SERVERS_MAX) {
            snprintf(why, why_size, "there are more than %d servers", SERVERS_MAX);
            return false;
        }
        len +=
            (size_t)snprintf(csv + len, SERVERS_TEXT_MAX - len, "%s%s", len == 0 ? "" : ",", word);
    }
    return true;
}

bool resolver_check_servers(const char *servers, char *why, size_t why_size)
{
    char csv[SERVERS_TEXT_MAX];

    return read_servers(servers, csv, why, why_size);
}

/* --- made and freed ----------------------------------------------------------------------- */

static int open_channel(struct resolver *r)
{
    struct ares_options options = {
        .flags = ARES_FLAG_EDNS,
        .timeout = TIMEOUT_MS,
        .tries = TRIES,
        .ednspsz = UDP_BYTES,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = r,
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
               ARES_OPT_SOCK_STATE_CB;

#ifdef ARES_OPT_QUERY_CACHE /* 1.31: on unless told otherwise, for longer than a caller's bound */
    options.qcache_max_ttl = 0;
    mask |= ARES_OPT_QUERY_CACHE;
#endif
    return ares_init_options(&r->channel, &options, mask);
}

struct resolver *resolver_new(struct ev_loop *loop, const char *servers, char *why, size_t why_size)
{
    char csv[SERVERS_TEXT_MAX];

    if (!read_servers(servers, csv, why, why_size))
        return NULL;
    struct resolver *r = mem_new(struct resolver);
    r->loop = loop;
    list_init(&r->sockets);
    ev_timer_init(&r->timer, on_timer, 0, 0);
    r->timer.data = r;
    int rc = open_channel(r);
    if (rc == ARES_SUCCESS && csv[0] != '\0')
        rc = ares_set_servers_ports_csv(r->channel, csv);
    if (rc == ARES_SUCCESS)
        return r;
    snprintf(why, why_size, "cannot use DNS: %s", ares_strerror(rc));
    resolver_free(&r);
    return NULL;
}

void resolver_free(struct resolver **resolver)
{
    struct resolver *r = *resolver;

    *resolver = NULL;
    if (r == NULL)
        return;
    r->is_ending = true;
    ev_timer_stop(r->loop, &r->timer);
    if (r->channel != NULL)
        ares_destroy(r->channel);
    list_each_safe (at, after, &r->sockets) {
        struct socket *s = list_entry(at, struct socket, link);
        ev_io_stop(r->loop, &s->io);
        free(s);
    }
    free(r);
}

/* --- questions ------------------------------------------------------------------------------ */

static bool take_ip(const struct ares_addrinfo_node *node, struct ip *ip)
{
    struct addr addr = { .len = node->ai_addrlen };

    memcpy(&addr.sa, node->ai_addr, node->ai_addrlen);
    return addr_ip(&addr, ip);
}

static uint32_t less(uint32_t ttl_s, int other)
{
    return other >= 0 && (uint32_t)other < ttl_s ? (uint32_t)other : ttl_s;
}

static void answer_found(struct question *q, const struct ares_addrinfo *found)
{
    struct resolver_answer answer = { .outcome = RESOLVER_FOUND, .ttl_s = UINT32_MAX };
    size_t size = 0;

    for (const struct ares_addrinfo_node *n = found->nodes; n != NULL; n = n->ai_next)
        size++;
    struct ip *ips = mem_array(struct ip, size);
    for (const struct ares_addrinfo_node *n = found->nodes; n != NULL; n = n->ai_next) {
        answer.count += take_ip(n, &ips[answer.count]);
        answer.ttl_s = less(answer.ttl_s, n->ai_ttl);
    }
    for (const struct ares_addrinfo_cname *c = found->cnames; c != NULL; c = c->next)
        answer.ttl_s = less(answer.ttl_s, c->ttl);
    answer.ips = ips;
    if (answer.count == 0)
        answer = (struct resolver_answer){ .outcome = RESOLVER_EMPTY, .why = "no address" };
    q->on_answer(q->user, &answer);
    free(ips);
}

static void answer_none(struct question *q, int status)
{
    const bool is_said = status == ARES_ENOTFOUND || status == ARES_ENODATA;
    const struct resolver_answer answer = {
        .outcome = is_said ? RESOLVER_EMPTY : RESOLVER_FAILED,
        .why = ares_strerror(status),
    };

    q->on_answer(q->user, &answer);
}

static void on_addresses(void *user, int status, int timeouts, struct ares_addrinfo *found)
{
    struct question *q = user;
    (void)timeouts;

    if (!q->resolver->is_ending) {
        if (status == ARES_SUCCESS && found != NULL)
            answer_found(q, found);
        else
            answer_none(q, status);
    }
    if (found != NULL)
        ares_freeaddrinfo(found);
    free(q);
}

void resolver_ask(struct resolver *r, const char *host, int family, resolver_fn *on_answer,
                  void *user)
{
    const struct ares_addrinfo_hints hints = {
        .ai_family = family == 4 ? AF_INET : AF_INET6,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = ARES_AI_NOSORT,
    };
    struct question *q = mem_new(struct question);

    *q = (struct question){ r, on_answer, user };
    ares_getaddrinfo(r->channel, host, NULL, &hints, on_addresses, q);
    set_timer(r);
}
