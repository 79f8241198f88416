/* tunnel_ring.c -- see tunnel_ring.h. */
#include "alb/tunnel_ring.h"

#include "base/mem.h"

/* How many a reader looks at before it lets the loops have their turn. */
enum { AT_ONCE = 64 };

void tunnel_ring_init(struct tunnel_ring *ring)
{
    *ring = (struct tunnel_ring){ .rows = NULL };
    pthread_mutex_init(&ring->lock, NULL);
}

static struct tunnel_view *row_of(const struct tunnel_ring *ring, uint64_t number)
{
    return &ring->rows[number % TUNNEL_RING_SIZE];
}

/* The number of the oldest that is there. */
static uint64_t oldest(const struct tunnel_ring *ring)
{
    return ring->added > TUNNEL_RING_SIZE ? ring->added - TUNNEL_RING_SIZE : 0;
}

void tunnel_ring_done(struct tunnel_ring *ring)
{
    for (uint64_t i = oldest(ring); i < ring->added; i++)
        tunnel_view_done(row_of(ring, i));
    mem_free(ring->rows);
    ring->added = 0;
    pthread_mutex_destroy(&ring->lock);
}

void tunnel_ring_add(struct tunnel_ring *ring, const struct tunnel_view *r)
{
    struct tunnel_view kept = *r, gone = { .target = NULL };

    tunnel_view_keep(&kept);
    pthread_mutex_lock(&ring->lock);
    if (ring->rows == NULL)
        ring->rows = mem_array(struct tunnel_view, TUNNEL_RING_SIZE);
    struct tunnel_view *row = row_of(ring, ring->added);
    gone = *row;
    *row = kept;
    ring->added++;
    pthread_mutex_unlock(&ring->lock);
    tunnel_view_done(&gone); /* of none it does nothing */
}

void tunnel_ring_each(struct tunnel_ring *ring,
                      void (*see)(void *user, const struct tunnel_view *r), void *user)
{
    uint64_t next = 0;
    bool is_more = true;

    while (is_more) {
        pthread_mutex_lock(&ring->lock);
        if (next < oldest(ring))
            next = oldest(ring);
        for (int i = 0; i < AT_ONCE && next < ring->added; i++)
            see(user, row_of(ring, next++));
        is_more = next < ring->added;
        pthread_mutex_unlock(&ring->lock);
    }
}
