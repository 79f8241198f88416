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
#include "alb/handing_record.h"
#include "alb/doors.h"
#include "alb/worker.h"

enum { HELLO_MAX = 256, ALL_MAX = 16 * 1024 * 1024 };

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
    handing_put_listener(&s->bytes, &(struct handing_listener){ .name = span_text(l->name),
                                                                .bind = span_text(l->bind),
                                                                .protocol = (uint32_t)l->protocol,
                                                                .bound = l->bound,
                                                                .sockets = sockets });
}

static void put_door(struct sockets *s, uint16_t type, int fd, const struct addr *bound)
{
    if (fd == -1)
        return;
    add_fd(s, fd);
    record_put(&s->bytes, type, span_of(bound, sizeof(*bound)));
}

static void put_doors(struct sockets *s, const struct doors *doors, enum door_kind kind)
{
    struct addr bound;
    size_t at = 0;
    int fd;

    while ((fd = doors_next(doors, kind, &at, &bound)) != -1)
        put_door(s, (uint16_t)(SOCKETS_DOORS + kind), fd, &bound);
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
    for (int kind = 0; kind < DOOR_KINDS; kind++)
        put_doors(&s, b->doors, (enum door_kind)kind);
    handover_send(link, HANDING_SOCKETS, buf_data(&s.bytes), s.fds, s.count);
    buf_done(&s.bytes);
}

/* --- state -------------------------------------------------------------------------------- */

/* Of filters, and of the paces that go on there. */
struct pages {
    int fds[HANDOVER_FDS_MAX];
    size_t count;
};

/* Its number; UINT64_MAX when there is none. */
static uint64_t page_number(struct pages *pages, int fd)
{
    size_t i = 0;

    while (i < pages->count && pages->fds[i] != fd)
        i++;
    if (fd == -1 || i == HANDOVER_FDS_MAX)
        return UINT64_MAX;
    if (i == pages->count)
        pages->fds[pages->count++] = fd;
    return i;
}

/* First of all: there is room for them. */
static void put_filter(struct pages *pages, const struct edge_filter *f, uint32_t kind,
                       struct buf *to)
{
    const struct handing_filter told = { kind, EDGE_FILTER_VERSION, pages->count };

    if (!edge_filter_handles(f, pages->fds + pages->count))
        return;
    pages->count += EDGE_FILTER_FDS;
    handing_put_filter(to, &told);
}

static void put_stop_page(struct pages *pages, int fd, struct buf *to)
{
    const uint64_t number = page_number(pages, fd);

    if (number != UINT64_MAX)
        record_put_number(to, STATE_STOP_PAGE, number);
}

static void put_target(struct buf *to, struct target *t, struct pages *pages)
{
    struct handing_target told = { .group = span_text(t->group),
                                   .text = span_text(t->text),
                                   .state = (uint32_t)target_health_of(t),
                                   .ramp_began_ms = atomic_load(&t->ramp_began_ms) };

    if (balancer_departs_in_ms(t, &told.delay_ms))
        told.addr = t->addr;
    told.is_drained = balancer_drains_for_ms(t, &told.drain_ms);
    told.page = t->drain == NULL ? UINT64_MAX : page_number(pages, t->drain->pace->page);
    handing_put_target(to, &told);
}

static void put_text(struct buf *to, uint16_t type, const struct registrations *said)
{
    struct buf text;

    buf_init(&text, ALL_MAX / 2);
    registrations_print(said, &text);
    record_put(to, type, buf_data(&text));
    buf_done(&text);
}

/* In two: a process that knows nothing of the second still takes the first. */
static void put_said(struct buf *to, const struct registrations *said)
{
    struct registrations targets = *said;
    const struct registrations edge = { .edge = said->edge };

    targets.edge = (struct edge_additions){ .count = 0 };
    put_text(to, STATE_SAID, &targets);
    put_text(to, STATE_EDGE, &edge);
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
    put_keys(to, balancer_seal_ring(b, b->config));
    put_tickets(to, b->config);
}

static void tell_state(struct balancer *b, struct handover *link)
{
    struct pages pages = { .count = 0 };
    struct buf bytes;

    buf_init(&bytes, ALL_MAX);
    for (uint32_t i = 0; i < FILTERS; i++)
        put_filter(&pages, b->filters[i], i, &bytes);
    put_stop_page(&pages, b->stop_page, &bytes);
    put_said(&bytes, &b->said);
    list_each (at, &b->registry.targets)
        put_target(&bytes, list_entry(at, struct target, in_registry), &pages);
    put_secrets(&bytes, b);
    handover_send(link, HANDING_STATE, buf_data(&bytes), pages.fds, pages.count);
    buf_wipe(&bytes);
}

static void tell_hello(struct handover *link)
{
    const struct handing_hello hello = { .version = HANDING_VERSION,
                                         .takes = TAKES_ORDERS | TAKES_ASKS };
    struct buf bytes;

    buf_init(&bytes, HELLO_MAX);
    handing_put_hello(&bytes, &hello);
    handover_send(link, HANDING_HELLO, buf_data(&bytes), NULL, 0);
    buf_done(&bytes);
}

void upgrade_tell(struct balancer *b, struct handover *link)
{
    tell_hello(link);
    tell_sockets(b, link);
    tell_state(b, link);
}
