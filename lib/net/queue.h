/*
 * queue.h -- a bounded queue with many producers and one consumer, lock-free.
 *
 * Each cell has a sequence number that says whose turn it is (the bounded
 * queue of D. Vyukov): a producer claims a cell by advancing `tail`, fills it
 * and releases it by the number; the consumer does the same at `head`.
 */
#ifndef NET_QUEUE_H
#define NET_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct loop;

struct queue_job {
    void (*run)(struct loop *loop, void *arg);
    void *arg;
};

struct queue_cell {
    atomic_size_t turn;
    struct queue_job job;
};

struct queue {
    struct queue_cell *cells; /* owned */
    size_t mask;
    /* Padded, not aligned: a struct that embeds a queue may come from malloc().
     * Producers and the consumer still never share a cache line. */
    char pad_tail[64];
    atomic_size_t tail; /* producers */
    char pad_head[64];
    size_t head; /* the consumer */
    char pad_end[64];
};

/* `size` is rounded up to a power of two. */
void queue_init(struct queue *q, size_t size);
void queue_done(struct queue *q);

/* Any thread. False when it is full. */
bool queue_push(struct queue *q, struct queue_job job);

/* The consumer only. False when it is empty, or when the next job's producer
 * has claimed its cell but not filled it yet. */
bool queue_pop(struct queue *q, struct queue_job *job);

/* The consumer only: cells claimed so far and not popped. */
size_t queue_claimed(const struct queue *q);

#endif
