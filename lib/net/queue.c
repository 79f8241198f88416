/* queue.c -- the bounded queue: one turn number a cell says whose cell it is. */
#include <stdint.h>

#include "base/mem.h"

#include "net/queue.h"

/* A cell at position p (its index is p & mask) has turn
 *     p             free: the producer that claims p may fill it
 *     p + 1         full: the consumer may take it
 *     p + size      taken: free again, for position p + size */

void queue_init(struct queue *q, size_t size)
{
    size_t n = 2;
    while (n < size)
        n *= 2;

    q->cells = mem_array(struct queue_cell, n);
    for (size_t i = 0; i < n; i++)
        atomic_init(&q->cells[i].turn, i);
    q->mask = n - 1;
    atomic_init(&q->tail, 0);
    q->head = 0;
}

void queue_done(struct queue *q)
{
    mem_free(q->cells);
}

bool queue_push(struct queue *q, struct queue_job job)
{
    size_t at = atomic_load_explicit(&q->tail, memory_order_relaxed);

    for (;;) {
        struct queue_cell *cell = &q->cells[at & q->mask];
        size_t turn = atomic_load_explicit(&cell->turn, memory_order_acquire);

        if (turn == at) {
            if (atomic_compare_exchange_weak_explicit(&q->tail, &at, at + 1, memory_order_relaxed,
                                                      memory_order_relaxed)) {
                cell->job = job;
                atomic_store_explicit(&cell->turn, at + 1, memory_order_release);
                return true;
            }
        } else if ((ptrdiff_t)(turn - at) < 0) {
            return false; /* not taken yet since the last time round */
        } else {
            at = atomic_load_explicit(&q->tail, memory_order_relaxed);
        }
    }
}

bool queue_pop(struct queue *q, struct queue_job *job)
{
    struct queue_cell *cell = &q->cells[q->head & q->mask];

    if (atomic_load_explicit(&cell->turn, memory_order_acquire) != q->head + 1)
        return false;
    *job = cell->job;
    atomic_store_explicit(&cell->turn, q->head + q->mask + 1, memory_order_release);
    q->head++;
    return true;
}

size_t queue_claimed(const struct queue *q)
{
    return atomic_load_explicit(&q->tail, memory_order_acquire) - q->head;
}
