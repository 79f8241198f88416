/*
 * fuzz_alb_tunnel_record.c -- what another process tells of a tunnel: whatever the bytes are,
 * they make a tunnel or none; and one that was made tells the same again.
 */
#include <stdlib.h>

#include "base/mem.h"

#include "alb/balancer.h"
#include "alb/target.h"
#include "alb/tunnel_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct listener listener = { .name = "http", .bind = "127.0.0.1:80" };

static struct target *a_target(void)
{
    static struct registry registry;
    static struct target *t;
    struct addr addr = { 0 };

    if (t == NULL) {
        listener_take_number(&listener);
        registry_init(&registry);
        t = registry_target(&registry, "app", "127.0.0.1:1", &addr);
    }
    atomic_fetch_add(&t->outstanding, 1);
    metric_add(&t->counters.connections_open, 1);
    return target_ref(t);
}

/* A fixed point: what is told of what was read is what is told of that again. */
static void check_again(const struct tunnel *t)
{
    struct buf one, two;
    int fds[2];

    buf_init(&one, 1 << 24);
    buf_init(&two, 1 << 24);
    if (!tunnel_pack(t, &one, fds) || fds[0] != -1 || fds[1] != -1)
        abort();
    struct tunnel *again = tunnel_unpack(buf_data(&one), -1, -1, a_target(), &listener);
    if (again == NULL || !tunnel_pack(again, &two, fds) ||
        !span_equal(buf_data(&one), buf_data(&two)))
        abort();
    tunnel_discard(again);
    buf_done(&one);
    buf_done(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span bytes = span_of(data, size);
    struct tunnel_origin origin;
    struct target *target = a_target();

    if (tunnel_read_origin(bytes, &origin))
        tunnel_origin_done(&origin);
    struct tunnel *t = tunnel_unpack(bytes, -1, -1, target, &listener);
    if (t != NULL) {
        check_again(t);
        tunnel_discard(t);
    } else {
        metric_sub(&target->counters.connections_open, 1);
        target_release(target);
        target_unref(&target);
    }
    return 0;
}
