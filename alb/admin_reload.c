/* admin_reload.c -- POST /reload?dry_run=1: what a reload would change, and which live tunnels it
 * would touch. The answer comes when every loop has looked at its own. */
#include <jansson.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"
#include "http/message.h"

#include "alb/admin_private.h"
#include "alb/balancer.h"
#include "alb/reload_plan.h"
#include "alb/tunnel_listing.h"

enum {
    LOOKED_AT_MOST = 100 * 1000, /* the most silent of more; the rest is counted */
    SHOWN_MOST = 1000,
};

struct look {
    struct admin_pending pending;
    struct balancer *balancer;
    struct tunnel_listing *listing;
    struct config *next;
    json_t *warnings;
};

static void on_ready(void *user)
{
    struct look *look = user;

    look->pending.ready(look->pending.user);
}

static void give_up(struct admin_pending *pending)
{
    struct look *look = (struct look *)(void *)pending;

    tunnel_listing_free(look->listing);
    config_free(&look->next);
    json_decref(look->warnings);
    free(look);
}

/* --- the tunnels ----------------------------------------------------------------------------- */

struct touched {
    uint64_t all, by_reason[PLAN_REASONS], at_once;
    json_t *shown;
};

static json_t *names_of(unsigned reasons)
{
    json_t *names = json_array();

    for (int i = 0; i < PLAN_REASONS; i++) {
        if (reasons >> i & 1)
            json_array_append_new(names, json_string(plan_reason_name((enum plan_reason)i)));
    }
    return names;
}

static void show(struct touched *t, const struct tunnel_view *v, unsigned reasons, bool at_once)
{
    char id[64], text[ADDR_TEXT_MAX];
    struct addr client;

    addr_of_ip(&v->facts.client, v->facts.port, &client);
    snprintf(id, sizeof(id), "TID_%016llx%016llx", (unsigned long long)v->facts.id[0],
             (unsigned long long)v->facts.id[1]);
    json_array_append_new(t->shown,
                          json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:o,s:b}", "id", id, "client",
                                    addr_format(&client, text), "listener", v->facts.listener->name,
                                    "group", v->target->group, "target", v->target->text, "idle_ms",
                                    (json_int_t)tunnel_view_idle_ms(v), "reasons",
                                    names_of(reasons), "ends_at_once", (int)at_once));
}

static void look_at(struct touched *t, const struct plan *p, const struct tunnel_view *v)
{
    const unsigned reasons = plan_reasons(p, v);
    const bool at_once = plan_ends_at_once(p, v);

    if (reasons == 0)
        return;
    t->all++;
    t->at_once += at_once;
    for (int i = 0; i < PLAN_REASONS; i++)
        t->by_reason[i] += reasons >> i & 1;
    if (json_array_size(t->shown) < SHOWN_MOST)
        show(t, v, reasons, at_once);
}

static json_t *reasons_json(const struct touched *t)
{
    json_t *list = json_array();

    for (int i = 0; i < PLAN_REASONS; i++) {
        const enum plan_reason reason = (enum plan_reason)i;
        if (t->by_reason[i] > 0)
            json_array_append_new(
                list, json_pack("{s:s,s:I,s:s}", "reason", plan_reason_name(reason), "tunnels",
                                (json_int_t)t->by_reason[i], "effect", plan_effect(reason)));
    }
    return list;
}

/* --- the answer ------------------------------------------------------------------------------- */

static void put(struct admin_answer *a, int status, json_t *json)
{
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);

    a->status = status;
    a->type = "application/json";
    if (text != NULL && buf_put(&a->body, span_text(text)))
        buf_put(&a->body, SPAN("\n"));
    free(text);
    json_decref(json);
}

static void finish(struct admin_pending *pending, struct admin_answer *a)
{
    struct look *look = (struct look *)(void *)pending;
    const struct balancer *b = look->balancer;
    const struct tunnel_top *top = &look->listing->top;
    const struct plan plan = { b->config, look->next, b->members, &b->said, look->listing->pid };
    struct touched t = { .shown = json_array() };

    for (uint32_t i = 0; i < top->count; i++)
        look_at(&t, &plan, &top->rows[i]);
    put(a, 200,
        json_pack("{s:b,s:O,s:o,s:I,s:I,s:I,s:I,s:o,s:o}", "dry_run", 1, "warnings", look->warnings,
                  "changes", plan_changes(&plan), "all", (json_int_t)top->seen, "looked_at",
                  (json_int_t)top->count, "touched", (json_int_t)t.all, "ends_at_once",
                  (json_int_t)t.at_once, "reasons", reasons_json(&t), "tunnels", t.shown));
    give_up(pending);
}

static json_t *texts(const struct problems *problems, bool warnings)
{
    json_t *list = json_array();

    for (size_t i = 0; i < problems->count; i++) {
        if (problems->items[i].is_warning == warnings)
            json_array_append_new(list, json_string(problems->items[i].text));
    }
    return list;
}

static void begin(struct balancer *b, struct config *next, json_t *warnings, struct admin_answer *a)
{
    const struct span text = SPAN("sort=idle&limit=10000"); /* of another process no more */
    struct tunnel_query query;
    char why[256];
    struct look *look = mem_new(struct look);

    tunnel_query_read(&query, text, false, 0, why, sizeof(why));
    query.limit = LOOKED_AT_MOST;
    query.wants_peer = true;
    look->pending.finish = finish;
    look->pending.give_up = give_up;
    look->balancer = b;
    look->next = next;
    look->warnings = warnings;
    look->listing = tunnel_listing_start(b, &query, text, on_ready, look);
    a->pending = &look->pending;
}

void admin_dry_run(struct balancer *b, const struct reload_order *order, struct admin_answer *a)
{
    struct problems problems;

    problems_init(&problems, b->path == NULL ? "alb quick" : b->path);
    struct config *next = balancer_look(b, order, &problems);
    if (next != NULL)
        begin(b, next, texts(&problems, true), a);
    else
        put(a, 400, json_pack("{s:b,s:o}", "ok", 0, "errors", texts(&problems, false)));
    problems_done(&problems);
}
