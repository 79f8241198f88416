/*
 * upgrade_rounds.h -- connections go to the process that takes over, in rounds over all loops.
 *
 *     round:  for each loop, batches (moving.h) until nothing more of it can go
 *     batch:  MOVE ---> TAKEN ---> GO: until TAKEN it can be put back
 *
 * The first round is over when everything was asked once. Others follow four times a second for
 * what could not go before. Clients over TLS that only idle can never go: after 20 rounds they are
 * hung up on. On the control thread.
 */
#ifndef ALB_UPGRADE_ROUNDS_H
#define ALB_UPGRADE_ROUNDS_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct balancer;
struct handover;
struct moving;

typedef void upgrade_rounds_fn(void *user);

struct upgrade_rounds {
    struct balancer *balancer;
    struct handover *link;        /* borrowed; NULL: nobody takes anything any more */
    upgrade_rounds_fn *on_first;  /* the first round is over */
    upgrade_rounds_fn *on_silent; /* there is no TAKEN within 5 seconds */
    void *user;
    ev_timer patience, next;
    struct moving *moving; /* the batch that was sent, or is being packed */
    bool is_sent;          /* TAKEN is to come */
    int worker;            /* whose turn it is in this round */
    uint64_t count;
    uint64_t tunnels, clients; /* that were taken */
};

void upgrade_rounds_init(struct upgrade_rounds *r, struct balancer *b, struct handover *link,
                         upgrade_rounds_fn *on_first, upgrade_rounds_fn *on_silent, void *user);

/* No loop accepts any more: the first one begins. */
void upgrade_rounds_start(struct upgrade_rounds *r);

/* TAKEN. False when no batch waits for one. */
bool upgrade_rounds_taken(struct upgrade_rounds *r);

/* The link is gone, or about to be: what was not taken goes on here. May be called again. */
void upgrade_rounds_stop(struct upgrade_rounds *r);

#endif
