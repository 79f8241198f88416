/* admin_drain.c -- POST /drain and /undrain: an order in, what is to be expected of it out. */
#include <jansson.h>
#include <stdlib.h>

#include "alb/admin_private.h"
#include "alb/balancer.h"

static json_t *outlook_json(const struct drain_outlook *d)
{
    json_t *rate = d->rate == 0 ? json_string("auto") : json_integer((json_int_t)d->rate);

    return json_pack("{s:I,s:I,s:o,s:I,s:I,s:I}", "targets", (json_int_t)d->targets, "tunnels",
                     (json_int_t)d->tunnels, "rate", rate, "window_ms", (json_int_t)d->window_ms,
                     "delay_ms", (json_int_t)d->delay_ms, "cut_at_end", (json_int_t)d->cut_at_end);
}

static json_t *wait_json(const struct drain_outlook *d)
{
    return json_pack("{s:I,s:I,s:I}", "targets", (json_int_t)d->targets, "tunnels",
                     (json_int_t)d->tunnels, "wait_ms", (json_int_t)d->wait_ms);
}

static void answer(struct admin_answer *a, const struct drain_outcome *o, bool is_drain)
{
    json_t *json = admin_order_json(&o->answer);

    if (o->answer.status == 200 && is_drain && o->outlook.wait_ms > 0)
        json_object_update_new(json, wait_json(&o->outlook));
    else if (o->answer.status == 200 && is_drain)
        json_object_update_new(json, outlook_json(&o->outlook));
    else if (o->answer.status == 200)
        json_object_set_new(json, "targets", json_integer(o->outlook.targets));
    admin_answer_json(a, o->answer.status, json);
}

/* The order borrows its texts from `json`. */
static bool read_order(json_t *json, struct drain_request *order)
{
    int all = 0;

    if (json_unpack(json, "{s:b!}", "all", &all) == 0)
        return all;
    return json_unpack(json, "{s:s,s?s!}", "target_group", &order->group, "target",
                       &order->target) == 0;
}

static void run(struct balancer *b, const struct admin_request *r, bool is_drain,
                struct admin_answer *a)
{
    struct drain_request order = { .is_drain = is_drain };
    struct drain_outcome outcome = { .answer.status = 400 };
    json_t *json = json_loadb(r->body.ptr, r->body.len, JSON_REJECT_DUPLICATES, NULL);

    if (json != NULL && read_order(json, &order))
        balancer_drain(b, &order, &outcome);
    else
        snprintf(outcome.answer.text, sizeof(outcome.answer.text),
                 "send JSON: {\"target_group\": \"NAME\", \"target\": \"IP:port\"}, "
                 "{\"target_group\": \"NAME\"} or {\"all\": true}");
    json_decref(json);
    answer(a, &outcome, is_drain);
}

void admin_post_drain(struct balancer *b, const struct admin_request *r, struct admin_answer *a)
{
    run(b, r, true, a);
}

void admin_post_undrain(struct balancer *b, const struct admin_request *r, struct admin_answer *a)
{
    run(b, r, false, a);
}
