/* balancer_certificates.c -- once a day the log says which certificates end soon. */
#include "alb/balancer_private.h"
#include "alb/certificates.h"

static const double DAY_S = 86400;

static void on_day(struct ev_loop *loop, ev_timer *timer, int revents)
{
    const struct balancer *b = timer->data;
    (void)loop;
    (void)revents;

    if (balancer_serves(b)) /* else another process says it */
        certificates_log(b->config);
}

void balancer_watch_certificates(struct balancer *b)
{
    ev_timer_stop(b->control.ev, &b->certificates_timer);
    certificates_log(b->config);
    ev_timer_init(&b->certificates_timer, on_day, DAY_S, DAY_S);
    b->certificates_timer.data = b;
    ev_timer_start(b->control.ev, &b->certificates_timer);
}
