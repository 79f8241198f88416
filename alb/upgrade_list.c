/* upgrade_list.c -- see upgrade_list.h. */
#include "alb/upgrade_list.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/handover.h"

#include "alb/balancer_private.h"
#include "alb/handing.h"
#include "alb/handing_record.h"
#include "alb/past_record.h"
#include "alb/tunnel_listing.h"

enum { ANSWER_MAX = 32 * 1024 * 1024, WHY_MAX = 1024 };

struct asked {
    struct upgrade_lists *lists;
    struct list link;
    struct tunnel_listing *listing;
    uint64_t number;
};

static void forget(struct asked *a)
{
    tunnel_listing_free(a->listing);
    list_remove(&a->link);
    free(a);
}

static void on_ready(void *user)
{
    struct asked *a = user;
    const struct tunnel_listing *l = a->listing;
    struct buf bytes;
    bool fits = true;

    buf_init(&bytes, ANSWER_MAX);
    handing_put_listed(
        &bytes, &(struct handing_listed){ a->number, l->top.seen, l->top.matched, l->missing });
    for (uint32_t i = 0; i < l->top.count && fits; i++)
        fits = past_put_view(&bytes, LISTED_ROW, &l->top.rows[i]);
    handover_send(a->lists->link, HANDING_LISTED, buf_data(&bytes), NULL, 0);
    buf_done(&bytes);
    forget(a);
}

static void start(struct upgrade_lists *lists, uint64_t number, struct span text)
{
    struct tunnel_query query;
    char why[WHY_MAX];

    if (!tunnel_query_read(&query, text, false, clock_wall_us(), why, sizeof(why)))
        return; /* another version's: it will not wait for long */
    struct asked *a = mem_new(struct asked);
    a->lists = lists;
    a->number = number;
    list_append(&lists->asked, &a->link);
    a->listing = tunnel_listing_start(lists->balancer, &query, text, on_ready, a);
}

void upgrade_lists_ask(struct upgrade_lists *l, struct span bytes)
{
    struct handing_ask ask;

    if (handing_read_ask(bytes, &ask))
        start(l, ask.number, ask.query);
}

void upgrade_lists_init(struct upgrade_lists *l, struct balancer *b, struct handover *link)
{
    *l = (struct upgrade_lists){ .balancer = b, .link = link };
    list_init(&l->asked);
}

void upgrade_lists_stop(struct upgrade_lists *l)
{
    list_each_safe (at, after, &l->asked)
        forget(list_entry(at, struct asked, link));
}
