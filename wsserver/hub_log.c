/*
 * hub_log.c -- the way to the store and back.
 *
 * A turn's publishes and changes of presence go in with one transaction: while
 * it is on its way to the disk the next ones gather in the queue, so the group
 * grows with the load and nobody waits for a timer. What was committed, here
 * or by another node, comes back through hub_poll(), which is the only place
 * that tells loops of messages.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "wsserver/hub_core.h"

_Static_assert(HUB_CHANNEL_MAX <= UINT8_MAX, "a channel's length fits a byte of a datagram");

enum { HUB_DATAGRAM_MAX = 2 + HUB_CHANNEL_MAX + HUB_EPHEMERAL_MAX };

void hub_set_degraded(struct hub *hub, bool is_degraded)
{
    if (hub->is_degraded == is_degraded)
        return;
    hub->is_degraded = is_degraded;
    if (is_degraded)
        log_error("store failed engine=%s error=\"%s\"", hub->ops->name,
                  hub->ops->error(hub->engine));
    else
        log_info("store recovered engine=%s", hub->ops->name);
    for (int loop = 0; loop < hub->options.loops; loop++) {
        struct hub_event *event = event_new(HUB_STATUS, SPAN(""));
        event->is_degraded = is_degraded;
        hub->options.deliver(hub->options.user, loop, event);
    }
}

/* --- from the store --------------------------------------------------------- */

static void on_message(void *user, int64_t id, uint64_t seq, struct span bytes)
{
    struct hub *hub = user;
    struct channel *channel = channels_find_id(&hub->channels, id);
    /* One that was there when the channel was loaded is part of its history. */
    if (channel == NULL || seq <= channel->head.seq)
        return;
    if (seq != channel->head.seq + 1 && list_is_empty(&channel->holed))
        list_append(&hub->holed, &channel->holed);
    struct shared_text *text = shared_text_new(bytes);
    channel_append(channel, seq, text);
    if (!list_is_empty(&channel->holed))
        return;
    struct hub_event *event = event_new(HUB_MESSAGE, span_text(channel->name));
    event_place(event, channel);
    event->text = shared_text_hold(text);
    event_to_members(hub, channel, event);
    atomic_fetch_add(&hub->counts.delivered, 1);
}

static void on_change(void *user, int64_t id, uint64_t rev)
{
    struct hub *hub = user;
    struct channel *channel = channels_find_id(&hub->channels, id);
    if (channel == NULL || channel->watchers == 0 || channel->presence.rev >= rev ||
        !list_is_empty(&channel->changed))
        return;
    list_append(&hub->changed, &channel->changed);
    if (hub->tell_at == UINT64_MAX)
        hub->tell_at = clock_mono_ms() + hub->options.presence_batch_ms;
}

/* What is left is all in the ring: the hole emptied it. */
static void reset_members(struct hub *hub, struct channel *channel)
{
    struct hub_event *event = event_new(HUB_RESET, span_text(channel->name));
    event_place(event, channel);
    for (uint64_t seq = channel_ring_start(channel); seq <= channel->head.seq; seq++)
        event_add(event, shared_text_hold(channel_in_ring(channel, seq)));
    log_warn("channel missed messages channel=%s seq=%llu", channel->name,
             (unsigned long long)channel->head.seq);
    event_to_members(hub, channel, event);
}

void hub_poll(struct hub *hub)
{
    hub->poll_at = clock_mono_ms() + hub->options.poll_ms;
    if (!hub->ops->poll(hub->engine, on_message, on_change, hub))
        hub_set_degraded(hub, true);
    while (!list_is_empty(&hub->holed)) {
        struct channel *channel = list_entry(hub->holed.next, struct channel, holed);
        list_remove(&channel->holed);
        reset_members(hub, channel);
    }
}

static void on_stored(void *user, int64_t channel, uint64_t seq, struct span text)
{
    (void)channel;
    (void)seq;
    event_add(user, shared_text_new(text));
}

bool hub_collect(struct hub *hub, const struct channel *channel, uint64_t lo, uint64_t hi,
                 struct hub_event *event)
{
    if (lo < channel_ring_start(channel) && lo <= hi)
        return hub->ops->read(hub->engine, channel->head.id, lo, hi, on_stored, event);
    for (uint64_t seq = lo; seq <= hi; seq++)
        event_add(event, shared_text_hold(channel_in_ring(channel, seq)));
    return true;
}

/* --- datagrams: 'w' (look into the store), or 'e', length and name of a channel, text --- */

static void give_ephemeral(struct hub *hub, struct span name, struct span text)
{
    struct channel *channel = channels_find(&hub->channels, name);
    if (channel == NULL || channel->members == 0)
        return;
    struct hub_event *event = event_new(HUB_EPHEMERAL, name);
    event_place(event, channel);
    event->text = shared_text_new(text);
    event_to_members(hub, channel, event);
}

void hub_send_ephemeral(struct hub *hub, struct span channel, struct span text)
{
    char datagram[HUB_DATAGRAM_MAX];
    datagram[0] = 'e';
    datagram[1] = (char)channel.len;
    memcpy(datagram + 2, channel.ptr, channel.len);
    memcpy(datagram + 2 + channel.len, text.ptr, text.len);
    give_ephemeral(hub, channel, text);
    hub->ops->send(hub->engine, span_of(datagram, 2 + channel.len + text.len));
}

bool hub_receive(struct hub *hub)
{
    char datagram[HUB_DATAGRAM_MAX];
    bool stored = false;
    size_t n;
    while ((n = hub->ops->receive(hub->engine, datagram, sizeof(datagram))) > 0) {
        size_t name_len = n < 2 ? 0 : (uint8_t)datagram[1];
        if (datagram[0] == 'w')
            stored = true;
        else if (datagram[0] == 'e' && n > 2 + name_len)
            give_ephemeral(hub, span_of(datagram + 2, name_len),
                           span_of(datagram + 2 + name_len, n - 2 - name_len));
    }
    return stored;
}

/* --- presence ---------------------------------------------------------------- */

static void on_user(void *user, struct span name, uint32_t sessions)
{
    presence_user(user, name, sessions);
}

bool hub_read_presence(struct hub *hub, struct channel *channel, struct shared_text **difference)
{
    uint64_t rev = 0;
    struct presence_reading *reading = presence_begin(&channel->presence);
    bool ok = hub->ops->presence(hub->engine, channel->head.id, &rev, on_user, reading);
    *difference = presence_end(&reading, span_text(channel->name), rev);
    return ok;
}

static void tell(struct hub *hub, struct channel *channel)
{
    struct shared_text *difference;
    if (!hub_read_presence(hub, channel, &difference))
        hub_set_degraded(hub, true);
    if (difference == NULL)
        return;
    struct hub_event *event = event_new(HUB_PRESENCE, span_text(channel->name));
    event->text = difference;
    event->rev = channel->presence.rev;
    event_to_members(hub, channel, event);
}

void hub_tell_presence(struct hub *hub)
{
    hub->tell_at = UINT64_MAX;
    while (!list_is_empty(&hub->changed)) {
        struct channel *channel = list_entry(hub->changed.next, struct channel, changed);
        list_remove(&channel->changed);
        if (channel->watchers > 0)
            tell(hub, channel);
    }
}

/* --- to the store -------------------------------------------------------------- */

static struct engine_publish *batch_publishes(const struct hub *hub)
{
    struct engine_publish *publishes = mem_array(struct engine_publish, hub->pending_count);
    for (size_t i = 0; i < hub->pending_count; i++) {
        const struct request *request = hub->pending[i];
        publishes[i].channel = request->text[TEXT_CHANNEL];
        publishes[i].user = request->text[TEXT_USER];
        publishes[i].cid = request->text[TEXT_CID];
        publishes[i].data = request->text[TEXT_DATA];
    }
    return publishes;
}

static void acknowledge(struct hub *hub, const struct request *request,
                        const struct engine_publish *stored)
{
    struct hub_event *event = event_answer(HUB_ACK, request);
    memcpy(event->ep, stored->ep, sizeof(event->ep));
    memcpy(event->mid, stored->mid, sizeof(event->mid));
    event->seq = stored->seq;
    event->duplicate = stored->duplicate;
    atomic_fetch_add(stored->duplicate ? &hub->counts.duplicates : &hub->counts.published, 1);
    event_to_conn(hub, event);
}

static void answer_pending(struct hub *hub, const struct engine_publish *publishes, bool stored)
{
    for (size_t i = 0; i < hub->pending_count; i++) {
        if (stored)
            acknowledge(hub, hub->pending[i], &publishes[i]);
        else
            event_unavailable(hub, hub->pending[i]);
        free(hub->pending[i]);
    }
    hub->pending_count = 0;
}

void hub_flush(struct hub *hub)
{
    if (hub->pending_count == 0 && hub->sessions.unstored_count == 0)
        return;
    struct engine_publish *publishes = batch_publishes(hub);
    struct engine_session *sessions = sessions_changes(&hub->sessions);
    struct engine_batch batch = { publishes, hub->pending_count, sessions,
                                  hub->sessions.unstored_count };
    bool stored = hub->ops->commit(hub->engine, &batch);
    atomic_fetch_add(stored ? &hub->counts.commits : &hub->counts.failures, 1);
    hub_set_degraded(hub, !stored);
    if (stored) {
        sessions_stored(&hub->sessions, &hub->channels);
        hub->ops->send(hub->engine, SPAN("w"));
        hub_poll(hub);
    }
    answer_pending(hub, publishes, stored);
    free(publishes);
    free(sessions);
}
