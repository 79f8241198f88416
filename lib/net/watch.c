/* watch.c -- see watch.h. */
#include "net/watch.h"

static void change(struct ev_loop *loop, ev_io *io, int fd, int events)
{
    ev_io_stop(loop, io);
    if (io->fd == fd)
        ev_io_modify(io, events);
    else
        ev_io_set(io, fd, events);
    if (events != 0)
        ev_io_start(loop, io);
}

void watch_stream(struct ev_loop *loop, ev_io *io, const struct stream *s, int events)
{
    events |= stream_wants(s);
    if (events != (ev_is_active(io) ? io->events & (EV_READ | EV_WRITE) : 0))
        change(loop, io, s->fd, events);
    /* TLS may hold bytes that the socket will never announce again. */
    if ((events & EV_READ) && stream_pending(s) > 0)
        ev_feed_event(loop, io, EV_READ);
}

void watch_hand_on(struct ev_loop *loop, ev_io *from, ev_io *to)
{
    ev_io_stop(loop, from);
    *to = *from;
}
