/* admin_tunnels.c -- GET /tunnels and GET /closed: a query in, rows of JSON out. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/message.h"

#include "alb/admin_private.h"
#include "alb/balancer.h"
#include "alb/inherit.h"
#include "alb/tunnel_listing.h"
#include "alb/tunnel_query.h"
#include "alb/tunnel_ring.h"
#include "alb/tunnel_top.h"

static const char json_type[] = "application/json";

enum { WHY_MAX = 1024 };

static void refuse(struct admin_answer *a, const char *why)
{
    char escaped[6 * WHY_MAX];

    text_json_escape(span_text(why), escaped, sizeof(escaped));
    a->status = 400;
    a->type = json_type;
    buf_print(&a->body, "{\"ok\":false,\"errors\":[\"%s\"]}\n", escaped);
}

/* False when it is wrong, which has been answered. */
static bool read_query(struct tunnel_query *q, const struct admin_request *r, bool is_closed,
                       struct admin_answer *a)
{
    char why[WHY_MAX];

    if (tunnel_query_read(q, r->head->query, is_closed, clock_wall_us(), why, sizeof(why)))
        return true;
    refuse(a, why);
    return false;
}

static void put_head(struct buf *to, const struct tunnel_top *top)
{
    char now[CLOCK_TEXT_MAX];

    buf_print(to, "{\"now\":\"%s\",\"all\":%" PRIu64 ",\"matched\":%" PRIu64 ",\"shown\":%" PRIu32,
              clock_iso_us(clock_wall_us(), now), top->seen, top->matched, top->count);
}

/* After the head. An empty body says that it does not fit. */
static void put_rows(struct admin_answer *a, const char *name, const struct tunnel_top *top)
{
    struct buf *to = &a->body;
    bool fits = true;

    a->status = 200;
    a->type = json_type;
    buf_print(to, ",\"%s\":[", name);
    for (uint32_t i = 0; i < top->count && fits; i++)
        fits = buf_put(to, i == 0 ? SPAN("\n") : SPAN(",\n")) && tunnel_view_put(to, &top->rows[i]);
    if (!fits || !buf_put(to, SPAN("]}\n")))
        buf_drop(to, buf_len(to));
}

/* --- those that have ended -------------------------------------------------------------------- */

static void see(void *user, const struct tunnel_view *v)
{
    tunnel_top_add(user, v);
}

void admin_get_closed(struct balancer *b, const struct admin_request *r, struct admin_answer *a)
{
    struct tunnel_query query;
    struct tunnel_top top;

    if (!read_query(&query, r, true, a))
        return;
    tunnel_top_init(&top, &query);
    tunnel_ring_each(&b->closed, see, &top);
    tunnel_top_sort(&top);
    put_head(&a->body, &top);
    put_rows(a, "closed", &top);
    tunnel_top_done(&top);
}

/* --- live ones: the answer comes when every loop has looked -------------------------------------
 */

struct asked {
    struct admin_pending pending;
    struct tunnel_listing *listing;
};

static void on_ready(void *user)
{
    struct asked *asked = user;

    asked->pending.ready(asked->pending.user);
}

static void give_up(struct admin_pending *p)
{
    struct asked *asked = (struct asked *)p;

    tunnel_listing_free(asked->listing);
    free(asked);
}

/* Processes before this one that still have some, and how many of theirs are not in the list. */
static void put_elders(struct buf *to, const struct tunnel_listing *l)
{
    const struct elder *elders;
    const size_t count = inherit_elders(l->balancer->inherit, &elders);

    buf_print(to, ",\"missing\":%" PRIu64 ",\"old_processes\":[", l->missing);
    for (size_t i = 0; i < count; i++)
        buf_print(to, "%s{\"pid\":%d,\"tunnels\":%" PRIu32 "}", i == 0 ? "" : ",", elders[i].pid,
                  elders[i].tunnels);
    buf_put(to, SPAN("]"));
}

static void finish(struct admin_pending *p, struct admin_answer *a)
{
    const struct tunnel_listing *l = ((struct asked *)p)->listing;

    put_head(&a->body, &l->top);
    put_elders(&a->body, l);
    put_rows(a, "tunnels", &l->top);
    give_up(p);
}

void admin_get_tunnels(struct balancer *b, const struct admin_request *r, struct admin_answer *a)
{
    struct tunnel_query query;

    if (!read_query(&query, r, false, a))
        return;
    struct asked *asked = mem_new(struct asked);
    asked->pending.finish = finish;
    asked->pending.give_up = give_up;
    asked->listing = tunnel_listing_start(b, &query, r->head->query, on_ready, asked);
    a->pending = &asked->pending;
}
