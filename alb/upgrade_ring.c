/* upgrade_ring.c -- see upgrade_ring.h. */
#include "alb/upgrade_ring.h"

/* How many a reader looks at before it lets the loops have their turn. */
enum { AT_ONCE = 32 };

void upgrade_ring_init(struct upgrade_ring *ring)
{
    /* So that there are numbers for older ones: a ring that was full once takes none. */
    *ring = (struct upgrade_ring){ .first = UPGRADE_RING_SIZE, .next = UPGRADE_RING_SIZE };
    pthread_mutex_init(&ring->lock, NULL);
}

void upgrade_ring_done(struct upgrade_ring *ring)
{
    for (int i = 0; i < UPGRADE_RING_SIZE; i++)
        upgrade_case_free(&ring->rows[i]);
    pthread_mutex_destroy(&ring->lock);
}

static struct upgrade_case **row_of(struct upgrade_ring *ring, uint64_t number)
{
    return &ring->rows[number % UPGRADE_RING_SIZE];
}

/* What was there goes into the variable: NULL when it is to be freed by nobody. */
static void put(struct upgrade_ring *ring, uint64_t number, struct upgrade_case **c)
{
    struct upgrade_case **row = row_of(ring, number), *gone = *row;

    *row = *c;
    *c = gone;
}

static bool is_full(const struct upgrade_ring *ring)
{
    return ring->next - ring->first == UPGRADE_RING_SIZE;
}

void upgrade_ring_add(struct upgrade_ring *ring, struct upgrade_case **c)
{
    pthread_mutex_lock(&ring->lock);
    if (is_full(ring))
        ring->first++;
    put(ring, ring->next++, c);
    ring->added++;
    pthread_mutex_unlock(&ring->lock);
    upgrade_case_free(c);
}

void upgrade_ring_add_older(struct upgrade_ring *ring, struct upgrade_case **c)
{
    pthread_mutex_lock(&ring->lock);
    if (!is_full(ring))
        put(ring, --ring->first, c);
    ring->added++;
    pthread_mutex_unlock(&ring->lock);
    upgrade_case_free(c);
}

uint64_t upgrade_ring_each(struct upgrade_ring *ring,
                           bool (*see)(void *user, const struct upgrade_case *c), void *user)
{
    uint64_t next = UINT64_MAX, added = 0;
    bool goes_on = true;

    while (goes_on) {
        pthread_mutex_lock(&ring->lock);
        if (next > ring->next) {
            next = ring->next;
            added = ring->added;
        }
        for (int i = 0; i < AT_ONCE && next > ring->first && goes_on; i++)
            goes_on = see(user, *row_of(ring, --next));
        goes_on = goes_on && next > ring->first;
        pthread_mutex_unlock(&ring->lock);
    }
    return added;
}

/* --- bit by bit --------------------------------------------------------------------------- */

uint64_t upgrade_ring_first(struct upgrade_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    const uint64_t first = ring->first;
    pthread_mutex_unlock(&ring->lock);
    return first;
}

uint64_t upgrade_ring_next(struct upgrade_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    const uint64_t next = ring->next;
    pthread_mutex_unlock(&ring->lock);
    return next;
}

size_t upgrade_ring_before(struct upgrade_ring *ring, uint64_t *number,
                           void (*see)(void *user, const struct upgrade_case *c), void *user)
{
    size_t n = 0;

    pthread_mutex_lock(&ring->lock);
    for (; n<AT_ONCE && * number> ring->first; n++)
        see(user, *row_of(ring, --*number));
    pthread_mutex_unlock(&ring->lock);
    return n;
}

size_t upgrade_ring_since(struct upgrade_ring *ring, uint64_t *number,
                          void (*see)(void *user, const struct upgrade_case *c), void *user)
{
    size_t n = 0;

    pthread_mutex_lock(&ring->lock);
    if (*number < ring->first)
        *number = ring->first;
    for (; n < AT_ONCE && *number < ring->next; n++)
        see(user, *row_of(ring, (*number)++));
    pthread_mutex_unlock(&ring->lock);
    return n;
}
