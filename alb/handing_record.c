/* handing_record.c -- see handing_record.h. */
#include "alb/handing_record.h"

#include <limits.h>

#include "base/record.h"
#include "net/handover.h"

#include "alb/drain.h"
#include "alb/handing.h"
#include "alb/pace.h"

enum { ONE_MAX = 16 * 1024 };

#define NUMBER(struct_name, type, member) RECORD_PLACE(type, RECORD_NUMBER, struct_name, member)
#define BYTES(struct_name, type, member) RECORD_PLACE(type, RECORD_BYTES, struct_name, member)
#define TEXT(struct_name, type, member) RECORD_PLACE(type, RECORD_SPAN, struct_name, member)

/* A table with its length, for the two that go by it. */
#define TABLE(places) (places), sizeof(places) / sizeof((places)[0])

static bool put_one(struct buf *to, uint16_t type, const struct record_place *places, size_t count,
                    const void *from)
{
    struct buf one;

    buf_init(&one, ONE_MAX);
    const bool ok =
        record_put_places(&one, places, count, from) && record_put(to, type, buf_data(&one));
    buf_done(&one);
    return ok;
}

/* Whoever takes it for one reads so many bytes of it. */
static bool is_addr(const struct addr *a)
{
    return a->len >= sizeof(a->sa.sa_family) && a->len <= sizeof(a->un);
}

/* --- what one is ---------------------------------------------------------------------------- */

static const struct record_place hello_places[] = {
    NUMBER(handing_hello, HELLO_VERSION, version),
    NUMBER(handing_hello, HELLO_TAKES, takes),
    NUMBER(handing_hello, HELLO_PID, pid),
};

bool handing_put_hello(struct buf *to, const struct handing_hello *hello)
{
    const size_t without_pid = hello->pid == 0;

    return record_put_places(to, hello_places,
                             sizeof(hello_places) / sizeof(hello_places[0]) - without_pid, hello);
}

bool handing_read_hello(struct span bytes, struct handing_hello *hello)
{
    *hello = (struct handing_hello){ 0 };
    return record_read_places(bytes, TABLE(hello_places), hello) && hello->pid <= INT_MAX;
}

static const struct record_place unwanted_places[] = {
    BYTES(handing_unwanted, LISTENER_BOUND, bound),
    NUMBER(handing_unwanted, LISTENER_PROTOCOL, protocol),
};

bool handing_put_unwanted(struct buf *to, const struct handing_unwanted *unwanted)
{
    return put_one(to, HELLO_UNWANTED, TABLE(unwanted_places), unwanted);
}

bool handing_read_unwanted(struct span bytes, struct handing_unwanted *unwanted)
{
    *unwanted = (struct handing_unwanted){ .protocol = UINT32_MAX };
    return record_read_places(bytes, TABLE(unwanted_places), unwanted) && is_addr(&unwanted->bound);
}

/* --- sockets -------------------------------------------------------------------------------- */

static const struct record_place listener_places[] = {
    TEXT(handing_listener, LISTENER_NAME, name),
    TEXT(handing_listener, LISTENER_BIND, bind),
    NUMBER(handing_listener, LISTENER_PROTOCOL, protocol),
    BYTES(handing_listener, LISTENER_BOUND, bound),
    NUMBER(handing_listener, LISTENER_SOCKETS, sockets),
};

bool handing_put_listener(struct buf *to, const struct handing_listener *listener)
{
    return put_one(to, SOCKETS_LISTENER, TABLE(listener_places), listener);
}

bool handing_read_listener(struct span bytes, struct handing_listener *l)
{
    *l = (struct handing_listener){ .sockets = 0 };
    return record_read_places(bytes, TABLE(listener_places), l) && l->name.ptr != NULL &&
           l->bind.ptr != NULL && is_addr(&l->bound) && l->sockets <= HANDOVER_FDS_MAX;
}

bool handing_read_door(struct span bytes, struct addr *bound)
{
    if (bytes.len != sizeof(*bound))
        return false;
    memcpy(bound, bytes.ptr, bytes.len);
    return is_addr(bound);
}

static const struct record_place filter_places[] = {
    NUMBER(handing_filter, FILTER_KIND, kind),
    NUMBER(handing_filter, FILTER_VERSION, version),
    NUMBER(handing_filter, FILTER_FIRST, first),
};

bool handing_put_filter(struct buf *to, const struct handing_filter *filter)
{
    return put_one(to, STATE_FILTER, TABLE(filter_places), filter);
}

bool handing_read_filter(struct span bytes, struct handing_filter *filter)
{
    *filter = (struct handing_filter){ .first = UINT64_MAX };
    return record_read_places(bytes, TABLE(filter_places), filter);
}

/* --- targets at the start -------------------------------------------------------------------- */

/* As it goes: what there may not be is a span. */
struct target_record {
    struct handing_target plain;
    struct span addr, delay, drain, page;
};

static const struct record_place target_places[] = {
    TEXT(target_record, TARGET_GROUP, plain.group),
    TEXT(target_record, TARGET_TEXT, plain.text),
    NUMBER(target_record, TARGET_STATE, plain.state),
    NUMBER(target_record, TARGET_RAMP_BEGAN_MS, plain.ramp_began_ms),
    TEXT(target_record, TARGET_ADDRESS, addr),
    TEXT(target_record, TARGET_DELAY_LEFT, delay),
    TEXT(target_record, TARGET_DRAIN_LEFT, drain),
    TEXT(target_record, TARGET_PAGE, page),
};

static struct span when(bool is_there, const void *at, size_t size)
{
    return is_there ? span_of(at, size) : span_of(NULL, 0);
}

bool handing_put_target(struct buf *to, const struct handing_target *t)
{
    const uint64_t delay = t->delay_ms, drain = t->drain_ms;
    const struct target_record r = {
        .plain = *t,
        .addr = when(t->addr.len > 0, &t->addr, sizeof(t->addr)),
        .delay = when(t->addr.len > 0, &delay, sizeof(delay)),
        .drain = when(t->is_drained, &drain, sizeof(drain)),
        .page = when(t->page != UINT64_MAX, &t->page, sizeof(t->page)),
    };

    return put_one(to, STATE_TARGET, TABLE(target_places), &r);
}

bool handing_read_target(struct span bytes, struct handing_target *t)
{
    struct target_record r = { .plain = { .page = UINT64_MAX } };

    if (!record_read_places(bytes, TABLE(target_places), &r) || r.plain.group.ptr == NULL ||
        r.plain.text.ptr == NULL)
        return false;
    *t = r.plain;
    t->delay_ms = (uint32_t)record_number(r.delay);
    t->is_drained = r.drain.ptr != NULL;
    t->drain_ms = (uint32_t)record_number(r.drain);
    t->page = r.page.ptr == NULL ? UINT64_MAX : record_number(r.page);
    return r.addr.ptr == NULL || handing_read_door(r.addr, &t->addr);
}

/* --- clients -------------------------------------------------------------------------------- */

/* As it goes: the second is only there when something was announced. */
struct client_record {
    struct handing_client plain;
    struct span announced;
};

static const struct record_place client_places[] = {
    TEXT(client_record, CLIENT_LISTENER_NAME, plain.name),
    TEXT(client_record, CLIENT_LISTENER_BIND, plain.bind),
    BYTES(client_record, CLIENT_LISTENER_BOUND, plain.bound),
    BYTES(client_record, CLIENT_ID, plain.id),
    NUMBER(client_record, CLIENT_ACCEPTED_US, plain.accepted_us),
    BYTES(client_record, CLIENT_PEER, plain.peer),
    TEXT(client_record, CLIENT_ANNOUNCED, announced),
};

bool handing_put_client(struct buf *to, const struct handing_client *client)
{
    const struct client_record r = {
        .plain = *client,
        .announced =
            when(client->announced.via.family != 0, &client->announced, sizeof(client->announced)),
    };

    return put_one(to, MOVE_CLIENT, TABLE(client_places), &r);
}

static bool read_announced(struct span bytes, struct announced *a)
{
    if (bytes.ptr == NULL)
        return true;
    if (bytes.len != sizeof(*a))
        return false;
    memcpy(a, bytes.ptr, bytes.len);
    return announced_makes_sense(a);
}

bool handing_read_client(struct span bytes, struct handing_client *c)
{
    struct client_record r = { .announced = { NULL, 0 } };

    if (!record_read_places(bytes, TABLE(client_places), &r) || r.plain.name.ptr == NULL ||
        r.plain.bind.ptr == NULL)
        return false;
    *c = r.plain;
    return is_addr(&c->bound) && is_addr(&c->peer) && read_announced(r.announced, &c->announced);
}

/* --- reports -------------------------------------------------------------------------------- */

static const struct record_place process_places[] = {
    NUMBER(handing_process, PROCESS_PID, pid),
    NUMBER(handing_process, PROCESS_LEFT_US, left_us),
    NUMBER(handing_process, PROCESS_CONNECTIONS, connections),
    NUMBER(handing_process, PROCESS_TUNNELS, tunnels),
};

bool handing_put_process(struct buf *to, const struct handing_process *process)
{
    return put_one(to, REPORT_PROCESS, TABLE(process_places), process);
}

bool handing_read_process(struct span bytes, struct handing_process *process)
{
    *process = (struct handing_process){ .pid = 0 };
    return record_read_places(bytes, TABLE(process_places), process) && process->pid <= INT_MAX;
}

static const struct record_place elsewhere_places[] = {
    TEXT(handing_elsewhere, ELSEWHERE_GROUP, group),
    TEXT(handing_elsewhere, ELSEWHERE_TEXT, text),
    NUMBER(handing_elsewhere, ELSEWHERE_OUTSTANDING, outstanding),
    NUMBER(handing_elsewhere, ELSEWHERE_TUNNELS, tunnels),
    NUMBER(handing_elsewhere, ELSEWHERE_UNTOLD, untold),
    NUMBER(handing_elsewhere, ELSEWHERE_CONNECTIONS, connections),
};

bool handing_put_elsewhere(struct buf *to, const struct handing_elsewhere *elsewhere)
{
    return put_one(to, REPORT_TARGET, TABLE(elsewhere_places), elsewhere);
}

bool handing_read_elsewhere(struct span bytes, struct handing_elsewhere *e)
{
    *e = (struct handing_elsewhere){ .connections = 0 };
    return record_read_places(bytes, TABLE(elsewhere_places), e) && e->group.ptr != NULL &&
           e->text.ptr != NULL;
}

/* --- orders --------------------------------------------------------------------------------- */

static const struct record_place subject_places[] = {
    TEXT(handing_subject, SUBJECT_GROUP, group),
    TEXT(handing_subject, SUBJECT_TEXT, text),
};

bool handing_put_subject(struct buf *to, uint16_t type, const struct handing_subject *subject)
{
    return put_one(to, type, TABLE(subject_places), subject);
}

bool handing_read_subject(struct span bytes, struct handing_subject *s)
{
    *s = (struct handing_subject){ .group = { NULL, 0 } };
    return record_read_places(bytes, TABLE(subject_places), s) && s->group.ptr != NULL &&
           s->text.ptr != NULL;
}

static const struct record_place drain_places[] = {
    NUMBER(handing_drain, DRAIN_CAUSE_SAID, cause), NUMBER(handing_drain, DRAIN_DELAY_MS, delay_ms),
    NUMBER(handing_drain, DRAIN_RATE, rate),        NUMBER(handing_drain, DRAIN_ORDER_SAID, order),
    NUMBER(handing_drain, DRAIN_IS_CUT, is_cut),
};

bool handing_put_drain(struct buf *to, const struct handing_drain *drain)
{
    return record_put_places(to, TABLE(drain_places), drain);
}

bool handing_read_drain(struct span bytes, struct handing_drain *d)
{
    *d = (struct handing_drain){ .rate = 0 };
    if (!record_read_places(bytes, TABLE(drain_places), d))
        return false;
    if (d->order != DRAIN_IDLEST)
        d->order = DRAIN_OLDEST;
    return d->cause < DRAIN_SHUTDOWN && d->rate <= PACE_RATE_MAX;
}

bool handing_next_drained(struct span *left, struct handing_subject *subject)
{
    struct span value;
    uint16_t type;

    while (record_next(left, &type, &value)) {
        if (type == DRAIN_TARGET && handing_read_subject(value, subject))
            return true;
    }
    return false;
}

/* --- lists ---------------------------------------------------------------------------------- */

static const struct record_place ask_places[] = {
    NUMBER(handing_ask, ASK_NUMBER, number),
    TEXT(handing_ask, ASK_QUERY, query),
};

bool handing_put_ask(struct buf *to, const struct handing_ask *ask)
{
    return record_put_places(to, TABLE(ask_places), ask);
}

bool handing_read_ask(struct span bytes, struct handing_ask *ask)
{
    *ask = (struct handing_ask){ .number = 0 };
    return record_read_places(bytes, TABLE(ask_places), ask) && ask->number != 0;
}

static const struct record_place listed_places[] = {
    NUMBER(handing_listed, LISTED_NUMBER, number),
    NUMBER(handing_listed, LISTED_SEEN, seen),
    NUMBER(handing_listed, LISTED_MATCHED, matched),
    NUMBER(handing_listed, LISTED_MISSING, missing),
};

bool handing_put_listed(struct buf *to, const struct handing_listed *listed)
{
    return record_put_places(to, TABLE(listed_places), listed);
}

bool handing_read_listed(struct span bytes, struct handing_listed *listed)
{
    *listed = (struct handing_listed){ .number = 0 };
    return record_read_places(bytes, TABLE(listed_places), listed);
}
