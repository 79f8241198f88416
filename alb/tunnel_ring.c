/* tunnel_ring.c -- see tunnel_ring.h. */
#include "alb/tunnel_ring.h"

#include "base/mem.h"

/* How many a reader looks at before it lets the loops have their turn. */
enum { AT_ONCE = 64 };

void tunnel_ring_init(struct tunnel_ring *ring)
{
    /* So that there are numbers for older ones: a ring that was full once takes none. */
    *ring = (struct tunnel_ring){ .first = TUNNEL_RING_SIZE, .next = TUNNEL_RING_SIZE };
    pthread_mutex_init(&ring->lock, NULL);
}

static struct tunnel_view *row_of(const struct tunnel_ring *ring, uint64_t number)
{
    return &ring->rows[number % TUNNEL_RING_SIZE];
}

void tunnel_ring_done(struct tunnel_ring *ring)
{
    for (; ring->first < ring->next; ring->first++)
        tunnel_view_done(row_of(ring, ring->first));
    mem_free(ring->rows);
    pthread_mutex_destroy(&ring->lock);
}

static void need_rows(struct tunnel_ring *ring)
{
    if (ring->rows == NULL)
        ring->rows = mem_array(struct tunnel_view, TUNNEL_RING_SIZE);
}

static bool is_full(const struct tunnel_ring *ring)
{
    return ring->next - ring->first == TUNNEL_RING_SIZE;
}

void tunnel_ring_add(struct tunnel_ring *ring, const struct tunnel_view *r)
{
    struct tunnel_view kept = *r, gone = { .target = NULL };

    tunnel_view_keep(&kept);
    pthread_mutex_lock(&ring->lock);
    need_rows(ring);
    if (is_full(ring))
        gone = *row_of(ring, ring->first++);
    *row_of(ring, ring->next++) = kept;
    pthread_mutex_unlock(&ring->lock);
    tunnel_view_done(&gone); /* of none it does nothing */
}

void tunnel_ring_add_older(struct tunnel_ring *ring, const struct tunnel_view *r)
{
    pthread_mutex_lock(&ring->lock);
    need_rows(ring);
    if (!is_full(ring)) {
        struct tunnel_view *row = row_of(ring, --ring->first);
        *row = *r;
        tunnel_view_keep(row);
    }
    pthread_mutex_unlock(&ring->lock);
}

void tunnel_ring_each(struct tunnel_ring *ring,
                      void (*see)(void *user, const struct tunnel_view *r), void *user)
{
    uint64_t next = 0;
    bool is_more = true;

    while (is_more) {
        pthread_mutex_lock(&ring->lock);
        if (next < ring->first)
            next = ring->first;
        for (int i = 0; i < AT_ONCE && next < ring->next; i++)
            see(user, row_of(ring, next++));
        is_more = next < ring->next;
        pthread_mutex_unlock(&ring->lock);
    }
}

/* --- bit by bit --------------------------------------------------------------------------- */

uint64_t tunnel_ring_first(struct tunnel_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    const uint64_t first = ring->first;
    pthread_mutex_unlock(&ring->lock);
    return first;
}

uint64_t tunnel_ring_next(struct tunnel_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    const uint64_t next = ring->next;
    pthread_mutex_unlock(&ring->lock);
    return next;
}

static void copy(const struct tunnel_ring *ring, uint64_t number, struct tunnel_view *out)
{
    *out = *row_of(ring, number);
    tunnel_view_keep(out);
}

size_t tunnel_ring_before(struct tunnel_ring *ring, uint64_t *number, struct tunnel_view *out,
                          size_t most)
{
    size_t n = 0;

    pthread_mutex_lock(&ring->lock);
    while (n<most && * number> ring->first)
        copy(ring, --*number, &out[n++]);
    pthread_mutex_unlock(&ring->lock);
    return n;
}

size_t tunnel_ring_since(struct tunnel_ring *ring, uint64_t *number, struct tunnel_view *out,
                         size_t most)
{
    size_t n = 0;

    pthread_mutex_lock(&ring->lock);
    if (*number < ring->first)
        *number = ring->first;
    while (n < most && *number < ring->next)
        copy(ring, (*number)++, &out[n++]);
    pthread_mutex_unlock(&ring->lock);
    return n;
}
