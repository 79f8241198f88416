/*
 * access_record.c -- see access_record.h.
 *
 * Numbers go by two tables of what is where. Pointers to literals do not go: those that are
 * kept (request_transform_status, error_reason) have a single value each.
 */
#include "alb/access_record.h"

#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "base/record.h"
#include "http/message.h"

#include "alb/access_log.h"
#include "alb/sticky.h"
#include "alb/target.h"

#define ENTRY(type, member) RECORD_PLACE(type, RECORD_BYTES, access_entry, member)
#define CLIENT(type, member) RECORD_PLACE(type, RECORD_BYTES, access_client, member)

/* A number here is never used for anything else again. */
enum {
    ENTRY_GROUP_COOKIE = 29,
    ENTRY_TRANSFORMED = 30,
    ENTRY_CLIENT = 31,
    ENTRY_TEXT = 32, /* and on, one for each text */
};

static const struct record_place entry_places[] = {
    ENTRY(1, created_wall_us),
    ENTRY(2, created_us),
    ENTRY(3, dispatched_us),
    ENTRY(4, answered_us),
    ENTRY(5, begun_us),
    ENTRY(6, received),
    ENTRY(7, sent),
    ENTRY(8, elb_status),
    ENTRY(9, target_status),
    ENTRY(10, rule_priority),
    ENTRY(11, action),
    ENTRY(12, class_),
    ENTRY(13, reason),
    ENTRY(14, minor),
    ENTRY(15, is_absolute),
    ENTRY(16, is_websocket),
};

static const struct record_place client_places[] = {
    CLIENT(1, ip),           CLIENT(2, local),         CLIENT(3, port),
    CLIENT(4, conn_id),      CLIENT(5, listener_port), CLIENT(6, peer_len),
    CLIENT(7, node_len),     CLIENT(8, id_len),        CLIENT(9, peer),
    CLIENT(10, node),        CLIENT(11, id),           CLIENT(12, viewer.ip),
    CLIENT(13, viewer.port), CLIENT(14, announced),
};

enum {
    ENTRY_PLACES = sizeof(entry_places) / sizeof(entry_places[0]),
    CLIENT_PLACES = sizeof(client_places) / sizeof(client_places[0]),
};

/* --- out ------------------------------------------------------------------------------- */

static bool put_client(struct buf *to, const struct access_client *client)
{
    struct buf bytes;

    buf_init(&bytes, sizeof(*client) + CLIENT_PLACES * RECORD_HEAD);
    record_put_places(&bytes, client_places, CLIENT_PLACES, client);
    const bool ok = record_put(to, ENTRY_CLIENT, buf_data(&bytes));
    buf_done(&bytes);
    return ok;
}

bool access_entry_pack(const struct access_entry *e, struct buf *to)
{
    bool ok = record_put_places(to, entry_places, ENTRY_PLACES, e) && put_client(to, e->client);

    ok &= record_put_number(to, ENTRY_TRANSFORMED, e->transform != NULL);
    ok &= record_put_number(to, ENTRY_GROUP_COOKIE, e->error != NULL);
    for (int i = 0; i < ACCESS_TEXTS; i++)
        ok &= record_put(to, (uint16_t)(ENTRY_TEXT + i), e->text[i]);
    return ok;
}

/* --- in -------------------------------------------------------------------------------- */

static struct access_client *read_client(struct span bytes)
{
    struct access_client *c = mem_new(struct access_client);
    struct span value;
    uint16_t type;

    while (record_next(&bytes, &type, &value))
        record_take_place(client_places, CLIENT_PLACES, type, value, c);
    if (c->peer_len > sizeof(c->peer) || c->node_len > sizeof(c->node) ||
        c->id_len > sizeof(c->id) - LOG_PAD || !announced_makes_sense(&c->announced))
        mem_free(c);
    return c;
}

struct parts {
    struct span texts[ACCESS_TEXTS];
    struct span client;
    bool is_transformed, had_bad_group_cookie;
    struct access_entry *numbers;
};

static bool is_bool(const bool *flag)
{
    uint8_t byte;

    memcpy(&byte, flag, 1);
    return byte <= 1;
}

/* A row can be written of them. */
static bool make_sense(const struct access_entry *numbers)
{
    return numbers->elb_status <= 999 && numbers->target_status <= 999 &&
           numbers->action <= ACCESS_FIXED_RESPONSE && numbers->class_ <= HTTP_SEVERE &&
           numbers->reason < HTTP_REASONS && numbers->minor <= 9 &&
           is_bool(&numbers->is_absolute) && is_bool(&numbers->is_websocket);
}

static bool read_parts(struct parts *p, struct span bytes)
{
    struct span value;
    uint16_t type;

    while (record_next(&bytes, &type, &value)) {
        if (type >= ENTRY_TEXT && type < ENTRY_TEXT + ACCESS_TEXTS)
            p->texts[type - ENTRY_TEXT] = value;
        else if (type == ENTRY_CLIENT)
            p->client = value;
        else if (type == ENTRY_TRANSFORMED)
            p->is_transformed = record_number(value) != 0;
        else if (type == ENTRY_GROUP_COOKIE)
            p->had_bad_group_cookie = record_number(value) != 0;
        else
            record_take_place(entry_places, ENTRY_PLACES, type, value, p->numbers);
    }
    return bytes.len == 0 && make_sense(p->numbers);
}

static void set_pointers(struct access_entry *e, const struct parts *p,
                         const struct access_client *client, struct target *target)
{
    e->client = client;
    e->owns_client = true;
    e->target = target_ref(target);
    e->transform = p->is_transformed ? "TransformSuccess" : NULL;
    e->error = p->had_bad_group_cookie ? STICKY_GROUP_COOKIE_INVALID : NULL;
}

struct access_entry *access_entry_unpack(struct span bytes, struct target *target)
{
    struct parts p = { .client = SPAN(""), .numbers = mem_new(struct access_entry) };
    struct access_entry *e = NULL;

    struct access_client *client =
        read_parts(&p, bytes) && p.client.len > 0 ? read_client(p.client) : NULL;
    if (client != NULL) {
        set_pointers(p.numbers, &p, client, target);
        e = access_entry_of(p.numbers, p.texts);
    }
    free(p.numbers);
    return e;
}
