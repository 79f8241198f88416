/*
 * admin_edge.c -- GET /edge, /edge/refused and /edge/check: who may connect, who may not, and may
 * this one? POST /edge/add and /edge/remove: somebody may for a while, or no longer so.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/message.h"

#include "alb/admin_private.h"
#include "alb/balancer.h"
#include "alb/config.h"
#include "alb/edge.h"
#include "alb/worker.h"

enum { SHOWN_MOST = 60000 /* blocks of the configuration */, FILE_MAX = 1024 };

static const char edge_type[] = "application/json";

/* An answer that does not fit is none: run_route() says so. */
static void empty_unless(bool fits, struct admin_answer *a)
{
    if (!fits)
        buf_drop(&a->body, buf_len(&a->body));
}

/* --- where a block stands ------------------------------------------------------------------ */

static bool put_origin(struct buf *to, const struct edge_origin *o)
{
    char block[CIDR_TEXT_MAX], file[FILE_MAX] = "", service[FILE_MAX] = "";

    if (o->file != NULL)
        text_json_escape(span_text(o->file), file, sizeof(file));
    if (o->service != NULL)
        text_json_escape(span_text(o->service), service, sizeof(service));
    return buf_print(to, "{\"block\":\"%s\",\"file\":\"%s\",\"line\":%d,\"service\":\"%s\"}",
                     cidr_format(&o->block, block), file, o->line, service);
}

static bool put_addition(struct buf *to, const struct edge_addition *item)
{
    const uint64_t now_us = clock_wall_us(), until_us = item->until_s * 1000000;
    char block[CIDR_TEXT_MAX], until[CLOCK_TEXT_MAX];

    return buf_print(to, "{\"block\":\"%s\",\"until\":\"%s\",\"left_s\":%" PRIu64 "}",
                     cidr_format(&item->block, block), clock_iso_us(until_us, until),
                     until_us > now_us ? (until_us - now_us + 999999) / 1000000 : 0);
}

/* Those that hold this address, or (NULL) all; as two members of a JSON object. */
static bool put_blocks(const struct balancer *b, const struct ip *only, struct buf *to)
{
    const struct edge_set *set = b->config->edge;
    const struct edge_additions *more = &b->said.edge;
    const char *before = "";
    size_t shown = 0;

    bool fits = buf_print(to, "\"configured\":[");
    for (size_t i = 0; i < edge_set_blocks(set) && shown < SHOWN_MOST && fits; i++) {
        const struct edge_origin o = edge_set_origin(set, i);
        if (only != NULL && !cidr_contains(&o.block, only))
            continue;
        fits = buf_print(to, "%s", before) && put_origin(to, &o);
        before = ",\n";
        shown++;
    }
    fits = fits && buf_print(to, "],\"temporary\":[");
    before = "";
    for (size_t i = 0; i < more->count && fits; i++) {
        if (only != NULL && !cidr_contains(&more->items[i].block, only))
            continue;
        fits = buf_print(to, "%s", before) && put_addition(to, &more->items[i]);
        before = ",\n";
    }
    return fits && buf_print(to, "]");
}

/* --- GET /edge ------------------------------------------------------------------------------ */

static const char *mode_of(const struct balancer *b)
{
    if (b->config->edge_any)
        return "any";
    return edge_set_ranges(b->edge->set) == 0 ? "none" : "set";
}

static void add_up(const struct balancer *b, uint64_t *admitted, uint64_t *refused,
                   uint64_t *observed)
{
    *admitted = metric_get(&b->counters.edge_admitted);
    *refused = metric_get(&b->counters.refused_edge);
    *observed = metric_get(&b->counters.edge_observed);
    for (int i = 0; i < b->worker_count; i++) {
        const struct counters *n = &b->workers[i].counters;
        *admitted += metric_get(&n->edge_admitted);
        *refused += metric_get(&n->refused_edge);
        *observed += metric_get(&n->edge_observed);
    }
}

void admin_get_edge(struct balancer *b, const struct admin_request *r, struct admin_answer *a)
{
    uint64_t admitted, refused, observed;
    char now[CLOCK_TEXT_MAX];

    if (admin_refuses_query(r, a))
        return;
    a->type = edge_type;
    add_up(b, &admitted, &refused, &observed);
    const bool fits =
        buf_print(&a->body,
                  "{\"now\":\"%s\",\"mode\":\"%s\",\"enforce\":\"%s\",\"on_leave\":\"%s\","
                  "\"blocks\":%zu,\"ranges\":%zu,\"admitted\":%" PRIu64 ",\"refused\":%" PRIu64
                  ",\"observed\":%" PRIu64 ",",
                  clock_iso_us(clock_wall_us(), now), mode_of(b),
                  b->edge->observes ? "observe" : "enforce",
                  b->edge->closes_leavers ? "close" : "keep", edge_set_blocks(b->edge->set),
                  edge_set_ranges(b->edge->set), admitted, refused, observed) &&
        put_blocks(b, NULL, &a->body) && buf_print(&a->body, "}\n");
    empty_unless(fits, a);
}

/* --- GET /edge/refused ------------------------------------------------------------------------ */

static bool put_stranger(struct buf *to, const struct stranger *s)
{
    char ip[IP_TEXT_MAX], first[CLOCK_TEXT_MAX], last[CLOCK_TEXT_MAX];

    return buf_print(to,
                     "{\"address\":\"%s\",\"count\":%" PRIu64 ",\"dropped\":%" PRIu64
                     ",\"first\":\"%s\",\"last\":\"%s\",\"listener\":\"%s\"}",
                     ip_format(&s->ip, ip), s->count, s->dropped, clock_iso_us(s->first_us, first),
                     clock_iso_us(s->last_us, last), s->listener);
}

void admin_get_refused(struct balancer *b, const struct admin_request *r, struct admin_answer *a)
{
    char now[CLOCK_TEXT_MAX];
    size_t count;
    uint64_t all;

    if (admin_refuses_query(r, a))
        return;
    balancer_look_for_strangers(b);
    struct stranger *list = strangers_list(&b->strangers, &count, &all);
    a->type = edge_type;
    bool fits = buf_print(
        &a->body, "{\"now\":\"%s\",\"enforce\":\"%s\",\"all\":%" PRIu64 ",\"refused\":[",
        clock_iso_us(clock_wall_us(), now), b->edge->observes ? "observe" : "enforce", all);
    for (size_t i = 0; i < count && fits; i++)
        fits = buf_print(&a->body, i == 0 ? "\n" : ",\n") && put_stranger(&a->body, &list[i]);
    fits = fits && buf_print(&a->body, "]}\n");
    free(list);
    empty_unless(fits, a);
}

/* --- GET /edge/check?address=IP --------------------------------------------------------------- */

void admin_get_edge_check(struct balancer *b, const struct admin_request *r, struct admin_answer *a)
{
    static const struct span key = SPAN_INIT("address=");
    const struct span query = r->head->query;
    char text[IP_TEXT_MAX];
    struct ip ip;

    if (!span_starts_with(query, key) || !ip_parse(span_after(query, key.len), &ip)) {
        admin_answer_json(a, 400,
                          json_pack("{s:b,s:[s]}", "ok", 0, "errors",
                                    "ask for an address, such as 10.0.1.37 or 2001:db8::1"));
        return;
    }
    a->type = edge_type;
    const bool fits =
        buf_print(&a->body,
                  "{\"address\":\"%s\",\"mode\":\"%s\",\"enforce\":\"%s\","
                  "\"admitted\":%s,",
                  ip_format(&ip, text), mode_of(b), b->edge->observes ? "observe" : "enforce",
                  edge_has(b->edge, &ip) ? "true" : "false") &&
        put_blocks(b, &ip, &a->body) && buf_print(&a->body, "}\n");
    empty_unless(fits, a);
}

/* --- POST /edge/add, /edge/remove ------------------------------------------------------------- */

static bool read_order(json_t *json, bool is_add, struct edge_order *order, char *why, size_t size)
{
    const char *time = NULL;

    if (json_unpack(json, is_add ? "{s:s,s:s!}" : "{s:s!}", "block", &order->block, "for", &time) !=
        0) {
        snprintf(why, size, "send JSON: {\"block\": \"10.0.9.0/24\"%s}",
                 is_add ? ", \"for\": \"10m\"" : "");
        return false;
    }
    return !is_add || edge_addition_time(span_text(time), &order->seconds, why, size);
}

static void run(struct balancer *b, const struct admin_request *r, bool is_add,
                struct admin_answer *a)
{
    struct edge_outcome outcome = { .answer.status = 400 };
    struct edge_order order = { .seconds = 0 };
    json_t *json = json_loadb(r->body.ptr, r->body.len, JSON_REJECT_DUPLICATES, NULL);

    if (read_order(json, is_add, &order, outcome.answer.text, sizeof(outcome.answer.text)))
        balancer_edge(b, &order, &outcome);
    admin_answer_json(a, outcome.answer.status, admin_order_json(&outcome.answer));
    json_decref(json);
    a->in_force = outcome.in_force;
}

void admin_post_edge_add(struct balancer *b, const struct admin_request *r, struct admin_answer *a)
{
    run(b, r, true, a);
}

void admin_post_edge_remove(struct balancer *b, const struct admin_request *r,
                            struct admin_answer *a)
{
    run(b, r, false, a);
}
