/* admin_register.c -- POST /register and /deregister: an order in, its outcome out. */
#include <jansson.h>
#include <stdlib.h>

#include "alb/admin_private.h"
#include "alb/balancer.h"
#include "alb/config.h"

/* The order borrows its texts from `json`. */
static bool read_order(json_t *json, struct register_order *order)
{
    int weight = -1;

    if (order->is_register)
        order->has_weight = json_object_get(json, "weight") != NULL;
    if (json_unpack(json, order->has_weight ? "{s:s,s:s,s:i!}" : "{s:s,s:s!}", "target_group",
                    &order->group, "target", &order->target, "weight", &weight) != 0)
        return false;
    order->weight = order->has_weight ? (uint32_t)weight : TARGET_WEIGHT_DEFAULT;
    return !order->has_weight || (weight >= 0 && weight <= TARGET_WEIGHT_MAX);
}

static void run(struct balancer *b, const struct admin_request *r, struct register_order order,
                struct admin_answer *a)
{
    struct register_outcome outcome = { .answer.status = 400 };
    json_t *json = json_loadb(r->body.ptr, r->body.len, JSON_REJECT_DUPLICATES, NULL);

    if (json != NULL && read_order(json, &order))
        balancer_register(b, &order, &outcome);
    else
        snprintf(outcome.answer.text, sizeof(outcome.answer.text),
                 "send JSON: {\"target_group\": \"NAME\", \"target\": \"IP:port\"%s}",
                 order.is_register ? ", \"weight\": 0 to 999 or nothing" : "");
    json_decref(json);
    admin_answer_json(a, outcome.answer.status, admin_order_json(&outcome.answer));
    a->in_force = outcome.in_force;
}

void admin_post_register(struct balancer *b, const struct admin_request *r, struct admin_answer *a)
{
    run(b, r, (struct register_order){ .is_register = true }, a);
}

void admin_post_deregister(struct balancer *b, const struct admin_request *r,
                           struct admin_answer *a)
{
    run(b, r, (struct register_order){ .is_register = false }, a);
}
