/* tunnel_listing.c -- see tunnel_listing.h. */
#include "alb/tunnel_listing.h"

#include <unistd.h>

#include "base/mem.h"

#include "alb/balancer_private.h"
#include "alb/inherit.h"
#include "alb/tunnel_private.h"
#include "alb/worker.h"

/* Tunnels that a loop looks at in a turn: some tens of microseconds. */
enum { AT_ONCE = 256 };

/* For the process before this one. */
static const double PATIENCE_S = 2;

/* --- on a loop ---------------------------------------------------------------------------- */

static void end_part(struct tunnel_listing_part *part)
{
    struct tunnel_listing *l = part->listing;
    struct ev_loop *control = l->balancer->control.ev;

    tunnel_walk_end(&part->walk);
    if (atomic_fetch_sub_explicit(&l->waiting, 1, memory_order_acq_rel) == 1)
        ev_async_send(control, &l->done);
}

/* False when there is no more. */
static bool look_at_some(struct worker *w, struct tunnel_listing_part *part)
{
    for (int i = 0; i < AT_ONCE; i++) {
        const struct tunnel *t = tunnel_walk_next(w, &part->walk);
        struct tunnel_view view;
        if (t == NULL)
            return false;
        tunnel_view(t, &view);
        view.pid = part->listing->pid;
        if (part->listing->query.wants_peer)
            tunnel_peer(t, &view.peer);
        tunnel_top_add(&part->top, &view);
    }
    return true;
}

static void work(struct loop *loop, void *arg)
{
    struct tunnel_listing_part *part = arg;
    struct worker *w = loop->user;

    worker_here = w;
    if (!part->is_begun)
        tunnel_walk_begin(w, &part->walk);
    part->is_begun = true;
    if (!look_at_some(w, part))
        end_part(part);
    else if (!loop_post(loop, work, part))
        wheel_set(&loop->wheel, &part->again, 0);
}

static void on_again(struct wheel_timer *timer)
{
    struct tunnel_listing_part *part = list_entry(timer, struct tunnel_listing_part, again);

    work(part->loop, part);
}

/* --- on the control thread ------------------------------------------------------------------ */

static void free_parts(struct tunnel_listing *l)
{
    for (int i = 0; i < l->part_count; i++)
        tunnel_top_done(&l->parts[i].top);
    l->part_count = 0;
    mem_free(l->parts);
}

static void free_listing(struct tunnel_listing *l)
{
    ev_async_stop(l->balancer->control.ev, &l->done);
    ev_timer_stop(l->balancer->control.ev, &l->patience);
    list_remove(&l->link);
    free_parts(l);
    tunnel_top_done(&l->top);
    free(l->text);
    free(l);
}

static void begin(struct tunnel_listing *l)
{
    struct balancer *b = l->balancer;

    l->parts = mem_array(struct tunnel_listing_part, (size_t)b->worker_count);
    l->part_count = b->worker_count;
    atomic_init(&l->waiting, l->part_count);
    for (int i = 0; i < l->part_count; i++) {
        struct tunnel_listing_part *part = &l->parts[i];
        part->listing = l;
        part->loop = &b->workers[i].loop;
        tunnel_top_init(&part->top, &l->query);
        wheel_timer_init(&part->again, on_again);
        balancer_must_post(part->loop, work, part);
    }
    if (l->part_count == 0)
        ev_async_send(b->control.ev, &l->done);
    l->is_asking = inherit_ask(b->inherit, l->number, span_text(l->text));
    if (l->is_asking)
        ev_timer_start(b->control.ev, &l->patience);
}

/* The next one that somebody still wants has its turn. */
static void go_on(struct balancer *b)
{
    while (!list_is_empty(&b->listings)) {
        struct tunnel_listing *l = list_entry(b->listings.next, struct tunnel_listing, link);
        if (l->ready != NULL) {
            if (l->parts == NULL)
                begin(l);
            return;
        }
        free_listing(l);
    }
}

static void end_if_done(struct tunnel_listing *l)
{
    struct balancer *b = l->balancer;

    if (!l->loops_are_done || l->is_asking)
        return;
    for (int i = 0; i < l->part_count; i++)
        tunnel_top_merge(&l->top, &l->parts[i].top);
    tunnel_top_sort(&l->top);
    free_parts(l);
    list_remove(&l->link);
    if (l->ready != NULL)
        l->ready(l->user);
    else
        free_listing(l);
    go_on(b);
}

static void on_done(struct ev_loop *loop, ev_async *done, int revents)
{
    struct tunnel_listing *l = done->data;
    (void)loop;
    (void)revents;

    if (atomic_load_explicit(&l->waiting, memory_order_acquire) != 0)
        return; /* never; it orders what the loops wrote before what is read here */
    l->loops_are_done = true;
    end_if_done(l);
}

/* --- the process before this one ------------------------------------------------------------ */

static uint64_t tunnels_of_elders(const struct balancer *b)
{
    const struct elder *elders;
    const size_t count = inherit_elders(b->inherit, &elders);
    uint64_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += elders[i].tunnels;
    return n;
}

static void on_patience(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct tunnel_listing *l = timer->data;
    (void)loop;
    (void)revents;

    l->missing = tunnels_of_elders(l->balancer);
    tunnel_listing_answered(l);
}

struct tunnel_listing *tunnel_listing_find(struct balancer *b, uint64_t number)
{
    list_each (at, &b->listings) {
        struct tunnel_listing *l = list_entry(at, struct tunnel_listing, link);
        if (l->is_asking && l->number == number)
            return l;
    }
    return NULL;
}

void tunnel_listing_answered(struct tunnel_listing *l)
{
    l->is_asking = false;
    ev_timer_stop(l->balancer->control.ev, &l->patience);
    end_if_done(l);
}

/* Only one is under way: the first. */
void tunnel_listings_unanswered(struct balancer *b)
{
    struct tunnel_listing *l = list_entry(b->listings.next, struct tunnel_listing, link);

    if (!list_is_empty(&b->listings) && l->is_asking)
        tunnel_listing_answered(l);
}

/* --- asking --------------------------------------------------------------------------------- */

struct tunnel_listing *tunnel_listing_start(struct balancer *b, const struct tunnel_query *query,
                                            struct span text, void (*ready)(void *user), void *user)
{
    struct tunnel_listing *l = mem_new(struct tunnel_listing);

    l->balancer = b;
    l->number = ++b->listings_begun;
    l->pid = (uint32_t)getpid();
    l->query = *query;
    l->text = mem_copy(text.ptr, text.len);
    ev_timer_init(&l->patience, on_patience, PATIENCE_S, 0);
    l->patience.data = l;
    l->ready = ready;
    l->user = user;
    tunnel_top_init(&l->top, &l->query);
    ev_async_init(&l->done, on_done);
    l->done.data = l;
    ev_async_start(b->control.ev, &l->done);
    list_append(&b->listings, &l->link);
    go_on(b);
    return l;
}

void tunnel_listing_free(struct tunnel_listing *l)
{
    const bool is_under_way = l->parts != NULL;

    l->ready = NULL;
    if (!is_under_way)
        free_listing(l);
}

void tunnel_listings_done(struct balancer *b)
{
    list_each_safe (at, after, &b->listings)
        free_listing(list_entry(at, struct tunnel_listing, link));
}
