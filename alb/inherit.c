/* inherit.c -- see inherit.h: the link to the old process, and the start. */
#include "alb/inherit.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/problems.h"
#include "net/service.h"

#include "alb/balancer_private.h"
#include "alb/foster.h"
#include "alb/greeter.h"
#include "alb/handing.h"
#include "alb/handing_record.h"
#include "alb/inherit_private.h"
#include "alb/tunnel_listing.h"
#include "alb/worker.h"

static const double PATIENCE_S = 10;
enum { READY_MAX = 1024 * 1024 };

/* --- what it tells --------------------------------------------------------------------- */

static bool read_hello(struct inherit *in, struct span bytes)
{
    struct handing_hello hello;
    const bool ok = handing_read_hello(bytes, &hello);

    in->version = hello.version;
    in->takes = hello.takes;
    return ok && in->version == HANDING_VERSION;
}

/* The old process drains what it has; so does this one, with what it has accepted by now. */
static void be_called_off(struct inherit *in)
{
    in->is_called_off = true;
    if (!in->is_ready)
        return;
    log_info("the upgrade was called off");
    balancer_stop(in->balancer);
}

static void on_message(void *user, struct handover_message *m)
{
    struct inherit *in = user;
    bool ok = true;

    switch (m->type) {
    case HANDING_HELLO:
        ok = read_hello(in, m->bytes);
        break;
    case HANDING_SOCKETS:
        ok = inherited_sockets_read(&in->sockets, m);
        break;
    case HANDING_STATE:
        inherited_state_keep(&in->state, m);
        break;
    case HANDING_PAST:
        if (in->is_ready)
            inherit_past(in, m->bytes);
        break;
    case HANDING_REPORT:
        if (in->is_ready)
            inherit_report(in, m->bytes);
        break;
    case HANDING_LISTED:
        inherit_listed(in, m->bytes);
        break;
    case HANDING_CALLED_OFF:
        be_called_off(in);
        break;
    default:
        inherit_take(in, m); /* may free `in` */
        return;
    }
    in->is_bad |= !ok;
}

static void announce_self(void)
{
    char text[64];

    snprintf(text, sizeof(text), "MAINPID=%ld\nREADY=1", (long)getpid());
    service_notify(text);
}

static void on_end(void *user, const char *why)
{
    struct inherit *in = user;
    (void)why;

    in->is_gone = true;
    inherit_drop_batch(in);
    inherit_forget_report(in);
    handover_free(&in->link);
    tunnel_listings_unanswered(in->balancer);
    if (!in->is_ready)
        return;
    log_info("the old process has ended");
    balancer_settle_filters(in->balancer);
    if (!in->has_left && !in->is_called_off)
        announce_self(); /* it may not have come to that */
}

/* --- the beginning --------------------------------------------------------------------- */

static void on_patience(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct inherit *in = timer->data;
    (void)loop;
    (void)revents;
    in->is_gone = true;
}

static bool wait_for_all(struct inherit *in, char *why, size_t why_size)
{
    struct ev_loop *loop = in->balancer->control.ev;
    ev_timer patience;

    ev_timer_init(&patience, on_patience, PATIENCE_S, 0);
    patience.data = in;
    ev_timer_start(loop, &patience);
    while (!in->is_gone && !in->is_bad && in->state.bytes == NULL)
        ev_run(loop, EVRUN_ONCE);
    ev_timer_stop(loop, &patience);
    if (!in->is_gone && !in->is_bad)
        return true;
    if (in->version != 0 && in->version != HANDING_VERSION)
        snprintf(
            why, why_size,
            "the running alb speaks version %llu of the hand-over, this one version %d: stop it "
            "and start this one",
            (unsigned long long)in->version, HANDING_VERSION);
    else
        snprintf(why, why_size, "the running alb did not say what there is to take over");
    return false;
}

/* The descriptor that the environment names; -1: none. */
static int take_environment(void)
{
    const char *text = getenv(HANDING_ENV);
    const int fd = text != NULL && isdigit((unsigned char)text[0]) ? atoi(text) : -1;

    unsetenv(HANDING_ENV); /* not for whom we start */
    if (fd != -1 && fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
        return -1;
    return fd;
}

bool inherit_open(struct balancer *b, char *why, size_t why_size)
{
    const int fd = take_environment();

    if (fd == -1)
        return true;
    struct inherit *in = mem_new(struct inherit);
    in->balancer = b;
    in->page = -1;
    inherited_sockets_init(&in->sockets);
    in->link = handover_new(b->control.ev, fd, on_message, on_end, in);
    b->inherit = in;
    return wait_for_all(in, why, why_size);
}

void inherit_free(struct inherit **inherit)
{
    struct inherit *in = *inherit;

    *inherit = NULL;
    if (in == NULL)
        return;
    inherit_drop_batch(in);
    inherited_sockets_close(&in->sockets);
    handover_free(&in->link);
    inherited_state_forget(&in->state);
    free(in);
}

bool inherit_goes_on(const struct inherit *in)
{
    return in != NULL && in->link != NULL;
}

/* --- ready, or not --------------------------------------------------------------------------- */

void inherit_failed(struct inherit *in, const struct problems *problems)
{
    char text[512] = "it could not start";

    if (in == NULL || in->link == NULL)
        return;
    for (size_t i = 0; i < problems->count; i++) {
        if (!problems->items[i].is_warning) {
            snprintf(text, sizeof(text), "%s", problems->items[i].text);
            break;
        }
    }
    handover_send(in->link, HANDING_FAILED, span_text(text), NULL, 0);
}

static void tell_ready(struct inherit *in)
{
    const struct handing_hello hello = { .version = HANDING_VERSION,
                                         .takes = TAKES_PAST | TAKES_REPORTS,
                                         .pid = (uint64_t)getpid() };
    struct buf bytes;

    buf_init(&bytes, READY_MAX);
    inherited_sockets_put_unwanted(&in->sockets, &bytes);
    handing_put_hello(&bytes, &hello);
    handover_send(in->link, HANDING_READY, buf_data(&bytes), NULL, 0);
    buf_done(&bytes);
}

/* When the old process has ended meanwhile, clients are here already: it goes on without. */
static void on_listening(struct loop *loop, void *arg)
{
    struct balancer *b = loop->user;
    struct inherit *in = b->inherit;
    (void)arg;

    if (in == NULL || --in->waiting > 0) /* NULL: the process ends */
        return;
    in->is_ready = true;
    foster_end();
    if (in->is_called_off)
        balancer_stop(b);
    else if (in->link != NULL)
        tell_ready(in);
    else
        announce_self();
    inherited_sockets_close(&in->sockets);
}

/* Posted behind the orders to listen: they have been carried out when this runs. */
static void tell_listening(struct loop *loop, void *arg)
{
    struct balancer *b = arg;
    (void)loop;

    balancer_must_post(&b->control, on_listening, NULL);
}

bool inherit_may_serve(const struct inherit *in, char *why, size_t why_size)
{
    if (in == NULL || (in->link != NULL && !handover_has_ended(in->link)))
        return true;
    snprintf(why, why_size, "the running alb has ended before this one could take over");
    return false;
}

void inherit_ready(struct inherit *in)
{
    if (in == NULL)
        return;
    in->waiting = in->balancer->worker_count + in->balancer->greeter_count;
    balancer_tell_workers(in->balancer, tell_listening, in->balancer);
    balancer_tell_greeters(in->balancer, tell_listening, in->balancer);
}
