/* upgrade_tell.c -- see upgrade_tell.h. */
#include "alb/upgrade_tell.h"

#include <string.h>

#include "base/clock.h"
#include "base/record.h"
#include "base/seal.h"
#include "net/handover.h"
#include "net/listener.h"
#include "net/tls.h"

#include "alb/admin.h"
#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/drain.h"
#include "alb/greeter.h"
#include "alb/handing.h"
#include "alb/worker.h"

enum { ONE_MAX = 8192, ALL_MAX = 16 * 1024 * 1024 };

/* --- sockets ---------------------------------------------------------------------------- */

struct sockets {
    struct buf bytes;
    int fds[HANDOVER_FDS_MAX];
    size_t count;
};

static void add_fd(struct sockets *s, int fd)
{
    if (s->count < HANDOVER_FDS_MAX)
        s->fds[s->count++] = fd;
}

static void put_listener(struct sockets *s, const struct listener *l, size_t sockets)
{
    struct buf one;

    buf_init(&one, ONE_MAX);
    record_put(&one, LISTENER_NAME, span_text(l->name));
    record_put(&one, LISTENER_BIND, span_text(l->bind));
    record_put_number(&one, LISTENER_PROTOCOL, (uint64_t)l->protocol);
    record_put(&one, LISTENER_BOUND, span_of(&l->bound, sizeof(l->bound)));
    record_put_number(&one, LISTENER_SOCKETS, sockets);
    record_put(&s->bytes, SOCKETS_LISTENER, buf_data(&one));
    buf_done(&one);
}

static void put_door(struct sockets *s, uint16_t type, int fd, const struct addr *bound)
{
    if (fd == -1)
        return;
    add_fd(s, fd);
    record_put(&s->bytes, type, span_of(bound, sizeof(*bound)));
}

static void tell_sockets(struct balancer *b, struct handover *link)
{
    struct sockets s = { .count = 0 };
    struct addr bound;
    int fd;

    buf_init(&s.bytes, ALL_MAX);
    list_each (at, &b->listeners) {
        const struct listener *l = list_entry(at, struct listener, link);
        const size_t before = s.count;
        for (size_t i = 0; l->is_open && i < l->socket_count; i++)
            add_fd(&s, l->sockets[i]);
        if (s.count > before)
            put_listener(&s, l, s.count - before);
    }
    fd = admin_socket(b->admin, false, &bound);
    put_door(&s, SOCKETS_ADMIN, fd, &bound);
    fd = admin_socket(b->admin, true, &bound);
    put_door(&s, SOCKETS_CONTROL, fd, &bound);
    handover_send(link, HANDING_SOCKETS, buf_data(&s.bytes), s.fds, s.count);
    buf_done(&s.bytes);
}

/* --- state -------------------------------------------------------------------------------- */

/* Of the paces that go on there. */
struct pages {
    int fds[HANDOVER_FDS_MAX];
    size_t count;
};

static void put_page(struct pages *pages, int fd, struct buf *to, uint16_t type)
{
    size_t i = 0;

    while (i < pages->count && pages->fds[i] != fd)
        i++;
    if (fd == -1 || i == HANDOVER_FDS_MAX)
        return;
    if (i == pages->count)
        pages->fds[pages->count++] = fd;
    record_put_number(to, type, i);
}

static void put_target(struct buf *to, struct target *t, struct pages *pages)
{
    const uint64_t ramp = atomic_load(&t->ramp_began_ms);
    uint32_t left_ms;
    struct buf one;

    buf_init(&one, ONE_MAX);
    record_put(&one, TARGET_GROUP, span_text(t->group));
    record_put(&one, TARGET_TEXT, span_text(t->text));
    record_put_number(&one, TARGET_STATE, (uint64_t)target_health_of(t));
    record_put_number(&one, TARGET_RAMP_BEGAN_MS, ramp);
    if (balancer_departs_in_ms(t, &left_ms)) {
        record_put(&one, TARGET_ADDRESS, span_of(&t->addr, sizeof(t->addr)));
        record_put_number(&one, TARGET_DELAY_LEFT, left_ms);
    }
    if (balancer_drains_for_ms(t, &left_ms))
        record_put_number(&one, TARGET_DRAIN_LEFT, left_ms);
    if (t->drain != NULL)
        put_page(pages, t->drain->pace->page, &one, TARGET_PAGE);
    record_put(to, STATE_TARGET, buf_data(&one));
    buf_done(&one);
}

static void put_said(struct buf *to, const struct registrations *said)
{
    struct buf text;

    buf_init(&text, ALL_MAX / 2);
    registrations_print(said, &text);
    record_put(to, STATE_SAID, buf_data(&text));
    buf_done(&text);
}

/* --- secrets -------------------------------------------------------------------------------- */

static void put_keys(struct buf *to, const struct seal_ring *ring)
{
    uint8_t keys[SEAL_KEYS_MAX * SEAL_KEY_BYTES];

    record_put(to, STATE_KEYS, span_of(keys, seal_ring_save(ring, keys)));
    explicit_bzero(keys, sizeof(keys));
}

/* Listeners with the same certificates share one server. */
static bool is_first_with(const struct config *config, size_t i)
{
    for (size_t j = 0; j < i; j++) {
        if (config->listeners[j].tls == config->listeners[i].tls)
            return false;
    }
    return config->listeners[i].tls != NULL;
}

static void put_tickets(struct buf *to, const struct config *config)
{
    uint8_t saved[TLS_SERVER_SAVED];

    for (size_t i = 0; i < config->listener_count; i++) {
        if (is_first_with(config, i) && tls_server_save_tickets(config->listeners[i].tls, saved))
            record_put(to, STATE_TICKETS, span_of(saved, sizeof(saved)));
    }
    explicit_bzero(saved, sizeof(saved));
}

/* After all else, with the room for them: no copy stays behind when the buffer grows. */
static void put_secrets(struct buf *to, struct balancer *b)
{
    const size_t room = RECORD_HEAD + SEAL_KEYS_MAX * SEAL_KEY_BYTES +
                        b->config->listener_count * (RECORD_HEAD + TLS_SERVER_SAVED);

    if (buf_space(to, room) == NULL)
        return;
    put_keys(to, b->ring);
    put_tickets(to, b->config);
}

static void tell_state(struct balancer *b, struct handover *link)
{
    struct pages pages = { .count = 0 };
    struct buf bytes;

    buf_init(&bytes, ALL_MAX);
    put_page(&pages, b->stop_page, &bytes, STATE_STOP_PAGE);
    put_said(&bytes, &b->said);
    list_each (at, &b->registry.targets)
        put_target(&bytes, list_entry(at, struct target, in_registry), &pages);
    put_secrets(&bytes, b);
    handover_send(link, HANDING_STATE, buf_data(&bytes), pages.fds, pages.count);
    buf_wipe(&bytes);
}

static void tell_hello(struct handover *link)
{
    struct buf bytes;

    buf_init(&bytes, ONE_MAX);
    record_put_number(&bytes, HELLO_VERSION, HANDING_VERSION);
    record_put_number(&bytes, HELLO_TAKES, TAKES_ORDERS | TAKES_ASKS);
    handover_send(link, HANDING_HELLO, buf_data(&bytes), NULL, 0);
    buf_done(&bytes);
}

void upgrade_tell(struct balancer *b, struct handover *link)
{
    tell_hello(link);
    tell_sockets(b, link);
    tell_state(b, link);
}
