/*
 * fuzz_alb_handing_record.c -- what another process says while it hands over (handing_record.h):
 * the first byte is the kind of the record. Whatever the bytes are, they are refused, or they make
 * one in its bounds that is said, and read, as the same again.
 */
#include <limits.h>
#include <stdlib.h>

#include "base/record.h"
#include "net/handover.h"

#include "alb/drain.h"
#include "alb/handing.h"
#include "alb/handing_record.h"
#include "alb/pace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 1 << 22 };

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void must_be_addr(const struct addr *a)
{
    char text[ADDR_TEXT_MAX];

    must(a->len <= sizeof(a->un));
    addr_format(a, text);
}

/* Those that go as one record of a type, or as the message itself. */
typedef bool reader(struct span bytes, void *into);
typedef bool writer(struct buf *to, const void *from);
typedef void checker(const void *what);

#define KIND(what)                                                                                 \
    static bool read_##what(struct span bytes, void *into)                                         \
    {                                                                                              \
        return handing_read_##what(bytes, into);                                                   \
    }                                                                                              \
    static bool put_##what(struct buf *to, const void *from)                                       \
    {                                                                                              \
        return handing_put_##what(to, from);                                                       \
    }

KIND(hello)
KIND(unwanted)
KIND(listener)
KIND(target)
KIND(client)
KIND(process)
KIND(elsewhere)
KIND(drain)
KIND(ask)
KIND(listed)
KIND(filter)

static bool read_subject(struct span bytes, void *into)
{
    return handing_read_subject(bytes, into);
}

static bool put_subject(struct buf *to, const void *from)
{
    return handing_put_subject(to, ORDER_UNDRAIN, from);
}

static void check_hello(const void *what)
{
    const struct handing_hello *h = what;

    must(h->pid <= INT_MAX);
}

static void check_unwanted(const void *what)
{
    const struct handing_unwanted *u = what;

    must_be_addr(&u->bound);
}

static void check_listener(const void *what)
{
    const struct handing_listener *l = what;

    must(l->sockets <= HANDOVER_FDS_MAX);
    must_be_addr(&l->bound);
}

static void check_target(const void *what)
{
    const struct handing_target *t = what;

    must_be_addr(&t->addr);
}

static void check_client(const void *what)
{
    const struct handing_client *c = what;

    must_be_addr(&c->bound);
    must_be_addr(&c->peer);
    must(announced_makes_sense(&c->announced));
}

static void check_drain(const void *what)
{
    const struct handing_drain *d = what;

    must(d->cause < DRAIN_SHUTDOWN && d->rate <= PACE_RATE_MAX && d->order <= DRAIN_IDLEST);
}

union any {
    struct handing_hello hello;
    struct handing_unwanted unwanted;
    struct handing_listener listener;
    struct handing_target target;
    struct handing_client client;
    struct handing_process process;
    struct handing_elsewhere elsewhere;
    struct handing_subject subject;
    struct handing_drain drain;
    struct handing_ask ask;
    struct handing_listed listed;
    struct handing_filter filter;
};

static const struct {
    reader *read;
    writer *put;
    checker *check; /* NULL: it has no bounds */
    bool is_message;
} kinds[] = {
    { read_hello, put_hello, check_hello, true },
    { read_unwanted, put_unwanted, check_unwanted, false },
    { read_listener, put_listener, check_listener, false },
    { read_target, put_target, check_target, false },
    { read_client, put_client, check_client, false },
    { read_process, put_process, NULL, false },
    { read_elsewhere, put_elsewhere, NULL, false },
    { read_subject, put_subject, NULL, false },
    { read_drain, put_drain, check_drain, true },
    { read_ask, put_ask, NULL, true },
    { read_listed, put_listed, NULL, true },
    { read_filter, put_filter, NULL, false },
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static struct span said(const struct buf *b, bool is_message)
{
    struct span left = buf_data(b), value;
    uint16_t type;

    if (is_message)
        return left;
    must(record_next(&left, &type, &value) && left.len == 0);
    return value;
}

static void check_again(int kind, const union any *one)
{
    union any two;
    struct buf first, second;

    buf_init(&first, ROOM);
    buf_init(&second, ROOM);
    if (kinds[kind].check != NULL)
        kinds[kind].check(one);
    if (kinds[kind].put(&first, one)) { /* else it does not fit */
        must(kinds[kind].read(said(&first, kinds[kind].is_message), &two));
        must(kinds[kind].put(&second, &two));
        must(span_equal(buf_data(&first), buf_data(&second)));
    }
    buf_done(&first);
    buf_done(&second);
}

static void check_targets(struct span left)
{
    struct handing_subject s;
    size_t before = left.len;

    while (handing_next_drained(&left, &s)) {
        must(left.len < before);
        before = left.len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    union any one;
    struct addr bound;

    if (size == 0)
        return 0;
    const int kind = data[0] % KINDS;
    const struct span bytes = span_of(data + 1, size - 1);
    if (kinds[kind].read(bytes, &one))
        check_again(kind, &one);
    if (handing_read_door(bytes, &bound))
        must_be_addr(&bound);
    check_targets(bytes);
    return 0;
}
