/* upgrade_ring.c -- see upgrade_ring.h. */
#include "alb/upgrade_ring.h"

/* How many a reader looks at before it lets the loops have their turn. */
enum { AT_ONCE = 32 };

void upgrade_ring_init(struct upgrade_ring *ring)
{
    *ring = (struct upgrade_ring){ .added = 0 };
    pthread_mutex_init(&ring->lock, NULL);
}

void upgrade_ring_done(struct upgrade_ring *ring)
{
    for (int i = 0; i < UPGRADE_RING_SIZE; i++)
        upgrade_case_free(&ring->rows[i]);
    ring->added = 0;
    pthread_mutex_destroy(&ring->lock);
}

void upgrade_ring_add(struct upgrade_ring *ring, struct upgrade_case **c)
{
    pthread_mutex_lock(&ring->lock);
    struct upgrade_case **row = &ring->rows[ring->added % UPGRADE_RING_SIZE];
    struct upgrade_case *gone = *row;
    *row = *c;
    ring->added++;
    pthread_mutex_unlock(&ring->lock);
    *c = NULL;
    upgrade_case_free(&gone);
}

uint64_t upgrade_ring_each(struct upgrade_ring *ring,
                           bool (*see)(void *user, const struct upgrade_case *c), void *user)
{
    uint64_t next = UINT64_MAX, added = 0;
    bool goes_on = true;

    while (goes_on) {
        pthread_mutex_lock(&ring->lock);
        if (next > ring->added)
            next = added = ring->added;
        const uint64_t oldest =
            ring->added > UPGRADE_RING_SIZE ? ring->added - UPGRADE_RING_SIZE : 0;
        for (int i = 0; i < AT_ONCE && next > oldest && goes_on; i++)
            goes_on = see(user, ring->rows[--next % UPGRADE_RING_SIZE]);
        goes_on = goes_on && next > oldest;
        pthread_mutex_unlock(&ring->lock);
    }
    return added;
}
