/*
 * client_proof.c -- did a client that had finished sending get its answer?
 *
 * shutdown(SHUT_WR) and close() look alike: a FIN. So such a client is answered; and if it had
 * closed, its kernel refuses the answer by RST. Until that is known the connection stays and the
 * row of its last request waits: 460 when it had gone, what the answer was when it had not
 * (docs/decisions/0002-half-closed-clients.md).
 */
#include "alb/client_private.h"
#include "alb/worker.h"

void client_doubt(struct client *c, struct span rest)
{
    c->is_unproved = c->in_eof && rest.len == 0 && exchange_request_is_done(c->exchange);
}

void client_free_exchange(struct client *c)
{
    if (c->is_unproved)
        c->unproved = exchange_take_entry(c->exchange);
    exchange_free(&c->exchange);
}

void client_prove(struct client *c)
{
    switch (stream_fate(&c->stream)) {
    case STREAM_UNKNOWN:
        break;
    case STREAM_TAKEN:
        client_end(c, "closed");
        break;
    case STREAM_REFUSED:
        client_end(c, "client closed before it had the answer");
        break;
    }
}

void client_settle_doubt(struct client *c)
{
    struct access_entry *e = c->unproved;
    const bool is_gone = c->stream.error != 0;

    if (!c->is_unproved)
        return;
    client_count_status(c, is_gone ? 460 : c->unproved_status);
    if (e != NULL && is_gone) {
        e->elb_status = 460;
        e->end = "client closed before it had the answer";
    }
    access_log_row(c->worker, &c->unproved);
}
