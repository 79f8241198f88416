/* tunnel_top.c -- see tunnel_top.h. */
#include "alb/tunnel_top.h"

#include "base/mem.h"

void tunnel_top_init(struct tunnel_top *t, const struct tunnel_query *query)
{
    *t = (struct tunnel_top){ .query = query };
}

void tunnel_top_done(struct tunnel_top *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        tunnel_view_done(&t->rows[i]);
    mem_free(t->rows);
    t->count = t->size = 0;
}

/* --- the heap: each row is shown after those below it --------------------------------- */

static bool is_after(const struct tunnel_top *t, uint32_t a, uint32_t b)
{
    return tunnel_query_before(t->query, &t->rows[b], &t->rows[a]);
}

static void swap(struct tunnel_top *t, uint32_t a, uint32_t b)
{
    const struct tunnel_view row = t->rows[a];

    t->rows[a] = t->rows[b];
    t->rows[b] = row;
}

static void rise(struct tunnel_top *t, uint32_t at)
{
    for (; at > 0 && is_after(t, at, (at - 1) / 2); at = (at - 1) / 2)
        swap(t, at, (at - 1) / 2);
}

/* Among the first `count` rows. */
static void sink(struct tunnel_top *t, uint32_t at, uint32_t count)
{
    for (;;) {
        uint32_t last = at;
        for (uint32_t below = 2 * at + 1; below <= 2 * at + 2 && below < count; below++) {
            if (is_after(t, below, last))
                last = below;
        }
        if (last == at)
            return;
        swap(t, at, last);
        at = last;
    }
}

static void append(struct tunnel_top *t, const struct tunnel_view *r)
{
    if (t->count == t->size) {
        t->size = t->size == 0 ? 16 : t->size * 2;
        t->rows = mem_resize(t->rows, t->size * sizeof(t->rows[0]));
    }
    t->rows[t->count] = *r;
    tunnel_view_keep(&t->rows[t->count]);
    rise(t, t->count++);
}

static void replace_last(struct tunnel_top *t, const struct tunnel_view *r)
{
    tunnel_view_done(&t->rows[0]);
    t->rows[0] = *r;
    tunnel_view_keep(&t->rows[0]);
    sink(t, 0, t->count);
}

static void offer(struct tunnel_top *t, const struct tunnel_view *r)
{
    if (t->count < t->query->limit)
        append(t, r);
    else if (t->count > 0 && tunnel_query_before(t->query, r, &t->rows[0]))
        replace_last(t, r);
}

/* --- what comes by ----------------------------------------------------------------------- */

void tunnel_top_add(struct tunnel_top *t, const struct tunnel_view *r)
{
    t->seen++;
    if (!tunnel_query_fits(t->query, r))
        return;
    t->matched++;
    offer(t, r);
}

void tunnel_top_merge(struct tunnel_top *t, struct tunnel_top *from)
{
    t->seen += from->seen;
    t->matched += from->matched;
    for (uint32_t i = 0; i < from->count; i++)
        offer(t, &from->rows[i]);
    tunnel_top_done(from);
    from->seen = from->matched = 0;
}

void tunnel_top_sort(struct tunnel_top *t)
{
    for (uint32_t left = t->count; left > 1; left--) {
        swap(t, 0, left - 1);
        sink(t, 0, left - 1);
    }
}
