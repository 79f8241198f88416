/*
 * fuzz_alb_past_record.c -- what another process tells of what has been: whatever the bytes are,
 * they make a record that can be shown, or none; and one that was made tells the same again.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "base/record.h"

#include "alb/balancer.h"
#include "alb/past_record.h"
#include "alb/target.h"
#include "alb/tunnel_view.h"
#include "alb/upgrade_case.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct listener listener = { .name = "http", .bind = "127.0.0.1:80" };
static struct target_key *key;

static struct span only_record(struct buf *b)
{
    struct span left = buf_data(b), value;
    uint16_t type;

    if (!record_next(&left, &type, &value) || left.len != 0)
        abort();
    return value;
}

static void check_view(struct tunnel_view *v)
{
    struct buf one, two, json;
    struct tunnel_view again;
    struct past_names names;

    buf_init(&one, 1 << 20);
    buf_init(&two, 1 << 20);
    buf_init(&json, 1 << 20);
    v->facts.listener = &listener;
    v->target = key;
    if (!tunnel_view_put(&json, v) || !past_put_view(&one, 1, v) ||
        !past_read_view(only_record(&one), &again, &names))
        abort();
    again.facts.listener = &listener;
    again.target = key;
    if (!past_put_view(&two, 1, &again) || !span_equal(buf_data(&one), buf_data(&two)))
        abort();
    buf_done(&one);
    buf_done(&two);
    buf_done(&json);
}

static void check_case(struct upgrade_case *c)
{
    struct buf one, two, json;
    struct past_names names;

    buf_init(&one, 1 << 20);
    buf_init(&two, 1 << 20);
    buf_init(&json, 1 << 20);
    c->listener = &listener;
    if (!upgrade_case_put(&json, c) || !past_put_case(&one, 1, c))
        abort();
    struct upgrade_case *again = past_read_case(only_record(&one), &names);
    if (again == NULL)
        abort();
    again->listener = &listener;
    if (!past_put_case(&two, 1, again) || !span_equal(buf_data(&one), buf_data(&two)))
        abort();
    upgrade_case_free(&again);
    buf_done(&one);
    buf_done(&two);
    buf_done(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span bytes = span_of(data, size);
    struct past_names names;
    struct tunnel_view v;

    if (key == NULL)
        key = target_key_new("app", "127.0.0.1:1");
    if (past_read_view(bytes, &v, &names))
        check_view(&v);
    struct upgrade_case *c = past_read_case(bytes, &names);
    if (c != NULL && c->group[0] != '\0' && strlen(c->group) < 512)
        check_case(c);
    upgrade_case_free(&c);
    return 0;
}
