/*
 * hub.c -- the hub's queue, its thread, and its timers.
 *
 * A turn of the thread takes all that is queued, does each request in order
 * (publishes are kept for the end of the turn, or until there are enough for a
 * transaction), lets sessions whose grace is over leave, and commits.
 */
#include "wsserver/hub.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/bug.h"
#include "base/clock.h"
#include "base/mem.h"
#include "wsserver/hub_core.h"

/* Messages reach loops by being read after the commit, on other nodes too. */
_Static_assert((int)HUB_HISTORY_MIN >= 2 * (int)HUB_BATCH_MAX, "a batch is kept until it is read");

/* --- requests in ------------------------------------------------------------- */

static struct request *request_new(enum request_kind kind, struct hub_conn conn, uint64_t number,
                                   const struct span text[TEXT_COUNT])
{
    static const size_t longest[TEXT_COUNT] = {
        [TEXT_CHANNEL] = HUB_CHANNEL_MAX,
        [TEXT_USER] = HUB_USER_MAX,
        [TEXT_SESSION] = HUB_SESSION_MAX,
        [TEXT_CID] = HUB_CID_MAX,
        [TEXT_EP] = 256,
        [TEXT_DATA] = HUB_QUEUE_BYTES / 4,
    };
    size_t bytes = sizeof(struct request);
    for (int i = 0; i < TEXT_COUNT; i++) {
        if (text[i].len > longest[i])
            bug("a text for the hub is too long");
        bytes += text[i].len;
    }
    struct request *r = mem_zero(bytes);
    char *at = (char *)(r + 1);
    for (int i = 0; i < TEXT_COUNT; i++) {
        if (text[i].len > 0)
            memcpy(at, text[i].ptr, text[i].len);
        r->text[i] = span_of(at, text[i].len);
        at += text[i].len;
    }
    r->kind = kind;
    r->conn = conn;
    r->number = number;
    r->bytes = bytes;
    return r;
}

static void wake(struct hub *hub)
{
    uint64_t one = 1;
    while (write(hub->wake_fd, &one, sizeof(one)) == -1 && errno == EINTR)
        ;
}

static bool post(struct hub *hub, struct request *r, bool may_refuse)
{
    pthread_mutex_lock(&hub->lock);
    bool full = hub->queued >= HUB_QUEUE_MAX || hub->queued_bytes + r->bytes > HUB_QUEUE_BYTES;
    bool refuse = full && may_refuse;
    bool first = hub->queued == 0;
    if (!refuse) {
        list_append(&hub->queue, &r->link);
        hub->queued++;
        hub->queued_bytes += r->bytes;
    }
    pthread_mutex_unlock(&hub->lock);
    if (refuse) {
        atomic_fetch_add(&hub->counts.refused, 1);
        free(r);
    } else if (first) {
        wake(hub);
    }
    return !refuse;
}

bool hub_subscribe(struct hub *hub, const struct hub_subscribe *s)
{
    const struct span text[TEXT_COUNT] = {
        [TEXT_CHANNEL] = s->channel,
        [TEXT_USER] = s->user,
        [TEXT_SESSION] = s->session,
        [TEXT_EP] = s->ep,
    };
    struct request *r = request_new(REQUEST_SUBSCRIBE, s->conn, s->request, text);
    r->from = s->from;
    r->n = s->history;
    r->seq = s->seq;
    r->want_presence = s->want_presence;
    return post(hub, r, true);
}

void hub_unsubscribe(struct hub *hub, struct hub_conn conn, struct span channel)
{
    const struct span text[TEXT_COUNT] = { [TEXT_CHANNEL] = channel };
    post(hub, request_new(REQUEST_UNSUBSCRIBE, conn, 0, text), false);
}

bool hub_publish(struct hub *hub, const struct hub_publish *p)
{
    const struct span text[TEXT_COUNT] = {
        [TEXT_CHANNEL] = p->channel,
        [TEXT_USER] = p->user,
        [TEXT_CID] = p->cid,
        [TEXT_DATA] = p->data,
    };
    return post(hub, request_new(REQUEST_PUBLISH, p->conn, p->request, text), true);
}

bool hub_history(struct hub *hub, struct hub_conn conn, uint64_t request, struct span channel,
                 uint64_t before, uint32_t n)
{
    const struct span text[TEXT_COUNT] = { [TEXT_CHANNEL] = channel };
    struct request *r = request_new(REQUEST_HISTORY, conn, request, text);
    r->seq = before;
    r->n = n;
    return post(hub, r, true);
}

bool hub_catch_up(struct hub *hub, struct hub_conn conn, uint64_t request, struct span channel,
                  struct span ep, uint64_t seq, uint32_t n)
{
    const struct span text[TEXT_COUNT] = { [TEXT_CHANNEL] = channel, [TEXT_EP] = ep };
    struct request *r = request_new(REQUEST_CATCH_UP, conn, request, text);
    r->seq = seq;
    r->n = n;
    return post(hub, r, true);
}

bool hub_ephemeral(struct hub *hub, struct span channel, struct span bytes)
{
    const struct span text[TEXT_COUNT] = { [TEXT_CHANNEL] = channel, [TEXT_DATA] = bytes };
    if (bytes.len > HUB_EPHEMERAL_MAX)
        bug("an ephemeral text is too long");
    return post(hub, request_new(REQUEST_EPHEMERAL, (struct hub_conn){ 0, 0 }, 0, text), true);
}

void hub_disconnect(struct hub *hub, struct hub_conn conn, enum hub_left how)
{
    const struct span text[TEXT_COUNT] = { { NULL, 0 } };
    struct request *r = request_new(REQUEST_DISCONNECT, conn, 0, text);
    r->left = how;
    post(hub, r, false);
}

/* --- the thread ------------------------------------------------------------------ */

/* Move the queue to `out`. False when the hub is to stop after it. */
static bool take_queue(struct hub *hub, struct list *out)
{
    list_init(out);
    pthread_mutex_lock(&hub->lock);
    bool go_on = !hub->stopping;
    if (!list_is_empty(&hub->queue)) {
        list_append(&hub->queue, out); /* take the head's place in the ring ... */
        list_remove(&hub->queue);      /* ... and the head out of it */
    }
    hub->queued = 0;
    hub->queued_bytes = 0;
    pthread_mutex_unlock(&hub->lock);
    return go_on;
}

static void handle_all(struct hub *hub, struct list *requests)
{
    while (!list_is_empty(requests)) {
        struct request *r = list_entry(requests->next, struct request, link);
        list_remove(&r->link);
        hub_handle(hub, r);
    }
    sessions_expire(&hub->sessions, clock_mono_ms());
    hub_flush(hub);
}

static void beat(struct hub *hub, uint64_t now)
{
    enum engine_beat result = hub->ops->beat(hub->engine);
    bool failed = result == ENGINE_BEAT_FAILED;
    hub_set_degraded(hub, failed);
    if (result == ENGINE_BEAT_FORGOTTEN)
        sessions_forgotten(&hub->sessions);
    hub->beat_at = now + (failed ? hub->options.poll_ms : hub->options.beat_ms);
}

static void run_timers(struct hub *hub, bool woken)
{
    uint64_t now = clock_mono_ms();
    if (now >= hub->beat_at)
        beat(hub, now);
    if (woken || now >= hub->poll_at)
        hub_poll(hub);
    if (now >= hub->tell_at)
        hub_tell_presence(hub);
    atomic_store(&hub->counts.channels, HASH_CNT(by_name, hub->channels.by_name));
    atomic_store(&hub->counts.sessions, HASH_COUNT(hub->sessions.all));
}

static int wait_ms(const struct hub *hub)
{
    uint64_t now = clock_mono_ms(), at = hub->poll_at;
    if (hub->beat_at < at)
        at = hub->beat_at;
    if (hub->tell_at < at)
        at = hub->tell_at;
    if (sessions_next(&hub->sessions) < at)
        at = sessions_next(&hub->sessions);
    return at <= now ? 0 : (int)(at - now);
}

/* Sleep until there is something to do; true when another node sent something. */
static bool wait_for_work(struct hub *hub)
{
    struct pollfd fds[] = {
        { .fd = hub->wake_fd, .events = POLLIN },
        { .fd = hub->ops->wake_fd(hub->engine), .events = POLLIN }, /* -1 is skipped */
    };
    uint64_t count;
    poll(fds, 2, wait_ms(hub));
    if ((fds[0].revents & POLLIN) != 0 && read(hub->wake_fd, &count, sizeof(count)) == -1 &&
        errno != EAGAIN && errno != EINTR)
        bug("cannot read the hub's eventfd");
    return (fds[1].revents & POLLIN) != 0;
}

static void *run(void *user)
{
    struct hub *hub = user;
    struct list requests;
    bool go_on = true;
    while (go_on) {
        bool woken = wait_for_work(hub);
        go_on = take_queue(hub, &requests);
        handle_all(hub, &requests);
        run_timers(hub, woken && hub_receive(hub));
    }
    buf_thread_done();
    return NULL;
}

/* --- start and stop ---------------------------------------------------------------- */

static void set_default(uint32_t *number, uint32_t value)
{
    if (*number == 0)
        *number = value;
}

static void set_options(struct hub_options *to, const struct hub_options *from)
{
    *to = *from;
    to->engine = NULL;
    to->path = from->path == NULL ? NULL : mem_text(from->path);
    to->node = mem_text(from->node);
    set_default(&to->history_messages, 1000);
    if (to->history_messages < HUB_HISTORY_MIN)
        to->history_messages = HUB_HISTORY_MIN;
    set_default(&to->presence_grace_ms, 15000);
    set_default(&to->presence_goodbye_ms, 2000);
    set_default(&to->presence_batch_ms, 250);
    set_default(&to->beat_ms, 3000);
    set_default(&to->lease_ms, 6000);
    set_default(&to->poll_ms, 1000);
}

static bool node_name_is_fine(const char *node)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t len = strlen(node);
    return len > 0 && len <= HUB_NODE_MAX && strspn(node, allowed) == len;
}

static const struct engine_ops *find_engine(const char *name)
{
    static const struct engine_ops *const engines[] = { &engine_memory, &engine_sqlite };
    for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++)
        if (strcmp(engines[i]->name, name) == 0)
            return engines[i];
    return NULL;
}

static bool check_options(const struct hub_options *options, char *why, size_t why_size)
{
    if (find_engine(options->engine) == NULL)
        snprintf(why, why_size, "there is no store \"%s\": it is memory or sqlite",
                 options->engine);
    else if (!node_name_is_fine(options->node))
        snprintf(why, why_size, "node name \"%s\" must be 1 to %d letters, digits, '-' or '_'",
                 options->node, HUB_NODE_MAX);
    else
        return true;
    return false;
}

/* Sessions of the process before us under this name: their clients come back
 * soon, or they leave. */
static void on_old_session(void *user, struct span name, struct span who, struct span session)
{
    struct hub *hub = user;
    struct channel *channel = channels_find(&hub->channels, name);
    struct engine_head head = { 0 };
    if (channel == NULL && !hub->ops->head(hub->engine, name, &head))
        return;
    if (channel == NULL)
        channel = channels_add(&hub->channels, name, &head);
    session_inherit(&hub->sessions, channel, who, session,
                    clock_mono_ms() + hub->options.presence_grace_ms);
}

static void hub_free(struct hub **hub)
{
    struct hub *h = *hub;
    hub_forget_clients(h);
    sessions_done(&h->sessions);
    channels_done(&h->channels);
    if (h->engine != NULL)
        h->ops->close(&h->engine);
    if (h->wake_fd != -1)
        close(h->wake_fd);
    pthread_mutex_destroy(&h->lock);
    free((char *)h->options.path);
    free((char *)h->options.node);
    mem_free(*hub);
}

static struct hub *hub_new(const struct hub_options *options)
{
    struct hub *hub = mem_new(struct hub);
    set_options(&hub->options, options);
    hub->ops = find_engine(options->engine);
    hub->wake_fd = -1;
    hub->tell_at = UINT64_MAX;
    hub->poll_at = clock_mono_ms() + hub->options.poll_ms;
    hub->beat_at = clock_mono_ms() + hub->options.beat_ms;
    pthread_mutex_init(&hub->lock, NULL);
    list_init(&hub->queue);
    list_init(&hub->changed);
    list_init(&hub->holed);
    channels_init(&hub->channels, options->loops);
    sessions_init(&hub->sessions);
    return hub;
}

struct hub *hub_start(const struct hub_options *options, char *why, size_t why_size)
{
    if (!check_options(options, why, why_size))
        return NULL;
    struct hub *hub = hub_new(options);
    hub->engine = hub->ops->open(&hub->options, why, why_size);
    if (hub->engine == NULL)
        goto failed;
    if (!hub->ops->sessions(hub->engine, on_old_session, hub)) {
        snprintf(why, why_size, "cannot read the store: %s", hub->ops->error(hub->engine));
        goto failed;
    }
    hub->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int error = hub->wake_fd == -1 ? errno : pthread_create(&hub->thread, NULL, run, hub);
    if (error == 0)
        return hub;
    snprintf(why, why_size, "cannot start the hub's thread: %s", strerror(error));
failed:
    hub_free(&hub);
    return NULL;
}

void hub_stop(struct hub **hub)
{
    if (*hub == NULL)
        return;
    pthread_mutex_lock(&(*hub)->lock);
    (*hub)->stopping = true;
    pthread_mutex_unlock(&(*hub)->lock);
    wake(*hub);
    pthread_join((*hub)->thread, NULL);
    hub_free(hub);
}

void hub_secret(const struct hub *hub, uint8_t out[HUB_SECRET_BYTES])
{
    hub->ops->secret(hub->engine, out);
}

const char *hub_durability(const struct hub *hub)
{
    return hub->ops->durability(hub->engine);
}

void hub_stats(const struct hub *hub, struct hub_stats *out)
{
    const struct hub_counts *counts = &hub->counts;
    pthread_mutex_t *lock = (pthread_mutex_t *)&hub->lock;
    pthread_mutex_lock(lock);
    uint64_t queued = hub->queued;
    pthread_mutex_unlock(lock);
    *out = (struct hub_stats){
        .published = atomic_load(&counts->published),
        .duplicates = atomic_load(&counts->duplicates),
        .commits = atomic_load(&counts->commits),
        .failures = atomic_load(&counts->failures),
        .delivered = atomic_load(&counts->delivered),
        .refused = atomic_load(&counts->refused),
        .queued = queued,
        .channels = atomic_load(&counts->channels),
        .sessions = atomic_load(&counts->sessions),
    };
}
