/* hub_request.c -- what each request does, on the hub thread. */
#include "base/bug.h"
#include "base/clock.h"
#include "base/mem.h"
#include "wsserver/hub_core.h"

/* --- connections and their channels --------------------------------------- */

static struct client *find_client(struct hub *hub, struct hub_conn conn)
{
    struct client_key key = { (uint64_t)conn.loop, conn.id };
    struct client *client;
    HASH_FIND(hh, hub->clients, &key, sizeof(key), client);
    return client;
}

static struct client *find_or_add_client(struct hub *hub, struct hub_conn conn)
{
    struct client *client = find_client(hub, conn);
    if (client != NULL)
        return client;
    client = mem_new(struct client);
    client->key = (struct client_key){ (uint64_t)conn.loop, conn.id };
    list_init(&client->members);
    HASH_ADD(hh, hub->clients, key, sizeof(client->key), client);
    return client;
}

static void forget_client(struct hub *hub, struct client *client)
{
    HASH_DEL(hub->clients, client);
    free(client);
}

/* A connection is in some tens of channels at most. */
static struct member *find_member(const struct client *client, const struct channel *channel)
{
    list_each (at, &client->members) {
        struct member *member = list_entry(at, struct member, link);
        if (member->channel == channel)
            return member;
    }
    return NULL;
}

/* The first who watches needs the state that later changes are told against. */
static bool know_presence(struct hub *hub, struct channel *channel)
{
    struct shared_text *ignored;
    if (channel->watchers > 0)
        return true;
    presence_clear(&channel->presence);
    bool ok = hub_read_presence(hub, channel, &ignored);
    shared_text_drop(&ignored);
    return ok;
}

static void watch(struct channel *channel, struct member *member)
{
    if (!member->watches)
        channel->watchers++;
    member->watches = true;
}

static struct member *join(struct hub *hub, struct channel *channel, const struct request *r)
{
    struct client *client = find_or_add_client(hub, r->conn);
    struct member *member = find_member(client, channel);
    if (member != NULL)
        return member;
    member = mem_new(struct member);
    member->channel = channel;
    list_append(&client->members, &member->link);
    channel->members++;
    channel->members_on[r->conn.loop]++;
    if (r->text[TEXT_SESSION].len > 0)
        member->session =
            session_join(&hub->sessions, channel, r->text[TEXT_USER], r->text[TEXT_SESSION]);
    return member;
}

static uint32_t grace(const struct hub *hub, enum hub_left how)
{
    switch (how) {
    case HUB_LEFT_CLEAN:
        return 0;
    case HUB_LEFT_GOING_AWAY:
        return hub->options.presence_goodbye_ms;
    case HUB_LEFT_LOST:
        return hub->options.presence_grace_ms;
    }
    bug("unknown way to leave");
}

static void leave(struct hub *hub, struct client *client, struct member *member, enum hub_left how)
{
    struct channel *channel = member->channel;
    channel->members--;
    channel->members_on[client->key.loop]--;
    if (member->watches && --channel->watchers == 0)
        presence_clear(&channel->presence);
    if (member->session != NULL)
        session_leave(&hub->sessions, member->session, clock_mono_ms() + grace(hub, how));
    list_remove(&member->link);
    free(member);
    channels_release(&hub->channels, channel);
}

static void leave_all(struct hub *hub, struct client *client, enum hub_left how)
{
    list_each_safe (at, after, &client->members) {
        leave(hub, client, list_entry(at, struct member, link), how);
    }
    forget_client(hub, client);
}

void hub_forget_clients(struct hub *hub)
{
    struct client *client, *after;
    HASH_ITER (hh, hub->clients, client, after) {
        leave_all(hub, client, HUB_LEFT_LOST);
    }
}

/* --- reading ----------------------------------------------------------------- */

/* The channel, from the store if need be; release it after use. */
static struct channel *load(struct hub *hub, struct span name)
{
    struct channel *channel = channels_find(&hub->channels, name);
    struct engine_head head = { 0 };
    if (channel != NULL)
        return channel;
    if (!hub->ops->head(hub->engine, name, &head))
        return NULL;
    return channels_add(&hub->channels, name, &head);
}

/* The newest `n` up to `hi`. */
static bool add_newest(struct hub *hub, const struct channel *channel, uint64_t hi, uint32_t n,
                       struct hub_event *event)
{
    uint64_t oldest;
    if (!hub->ops->oldest(hub->engine, channel->head.id, &oldest))
        return false;
    if (oldest == 0 || oldest > hi || n == 0) {
        event->more = oldest != 0 && oldest <= hi;
        return true;
    }
    uint64_t lo = hi - oldest + 1 > n ? hi - n + 1 : oldest;
    event->more = lo > oldest;
    return hub_collect(hub, channel, lo, hi, event);
}

static bool note_gap(struct hub *hub, const struct channel *channel, struct hub_event *event)
{
    event->resume = HUB_RESUME_GAP;
    event->have_hi = channel->head.seq;
    if (!hub->ops->oldest(hub->engine, channel->head.id, &event->have_lo))
        return false;
    if (event->have_lo == 0)
        event->have_lo = event->have_hi + 1;
    return true;
}

/* At most `n` messages after the position. */
static bool add_after(struct hub *hub, struct channel *channel, const struct request *r, uint64_t n,
                      struct hub_event *event)
{
    /* From a node that was faster than we are: catch up with it first. */
    if (r->seq > channel->head.seq)
        hub_poll(hub);
    event_place(event, channel);
    if (!span_equal(r->text[TEXT_EP], span_text(channel->head.ep))) {
        const bool known = note_gap(hub, channel, event);
        event->resume = HUB_RESUME_EPOCH;
        return known;
    }
    if (r->seq > channel->head.seq)
        return note_gap(hub, channel, event);
    uint64_t wanted = channel->head.seq - r->seq;
    event->more = wanted > n;
    if (event->more)
        wanted = n;
    if (!hub_collect(hub, channel, r->seq + 1, r->seq + wanted, event))
        return false;
    event->resume = HUB_RESUME_OK;
    if (event->count == wanted)
        return true;
    event_skip(event, event->count);
    event->more = false;
    return note_gap(hub, channel, event);
}

static bool add_start(struct hub *hub, struct channel *channel, const struct request *r,
                      struct hub_event *event)
{
    switch (r->from) {
    case HUB_FROM_NOW:
        return true;
    case HUB_FROM_HISTORY:
        return add_newest(hub, channel, channel->head.seq, r->n, event);
    case HUB_FROM_POSITION:
        if (!add_after(hub, channel, r, UINT64_MAX, event))
            return false;
        return event->resume == HUB_RESUME_OK ||
               add_newest(hub, channel, channel->head.seq, r->n, event);
    }
    bug("unknown start");
}

/* --- the requests --------------------------------------------------------------- */

static bool try_subscribe(struct hub *hub, struct channel *channel, const struct request *r,
                          struct hub_event *event)
{
    if (!add_start(hub, channel, r, event) || (r->want_presence && !know_presence(hub, channel)))
        return false;
    struct member *member = join(hub, channel, r);
    event_place(event, channel);
    if (r->want_presence) {
        watch(channel, member);
        event->presence = presence_snapshot(&channel->presence, span_text(channel->name));
        event->rev = channel->presence.rev;
    }
    return true;
}

static void answer(struct hub *hub, const struct request *r, struct hub_event *event, bool ok)
{
    if (ok) {
        event_to_conn(hub, event);
        return;
    }
    hub_event_free(&event);
    event_unavailable(hub, r);
}

static void subscribe(struct hub *hub, const struct request *r)
{
    struct channel *channel = load(hub, r->text[TEXT_CHANNEL]);
    struct hub_event *event = event_answer(HUB_SUBSCRIBED, r);
    bool ok = channel != NULL && try_subscribe(hub, channel, r, event);
    if (channel != NULL)
        channels_release(&hub->channels, channel);
    answer(hub, r, event, ok);
}

static void unsubscribe(struct hub *hub, const struct request *r)
{
    struct client *client = find_client(hub, r->conn);
    struct channel *channel = channels_find(&hub->channels, r->text[TEXT_CHANNEL]);
    if (client == NULL || channel == NULL)
        return;
    struct member *member = find_member(client, channel);
    if (member == NULL)
        return;
    leave(hub, client, member, HUB_LEFT_CLEAN);
    if (list_is_empty(&client->members))
        forget_client(hub, client);
}

static void disconnect(struct hub *hub, const struct request *r)
{
    struct client *client = find_client(hub, r->conn);
    if (client != NULL)
        leave_all(hub, client, r->left);
}

static bool try_history(struct hub *hub, struct channel *channel, const struct request *r,
                        struct hub_event *event)
{
    if (r->kind == REQUEST_CATCH_UP)
        return add_after(hub, channel, r, r->n, event);
    event_place(event, channel);
    uint64_t hi = r->seq == 0 || r->seq > channel->head.seq ? channel->head.seq : r->seq - 1;
    return add_newest(hub, channel, hi, r->n, event);
}

static void history(struct hub *hub, const struct request *r)
{
    struct channel *channel = load(hub, r->text[TEXT_CHANNEL]);
    struct hub_event *event = event_answer(HUB_HISTORY, r);
    bool ok = channel != NULL && try_history(hub, channel, r, event);
    if (channel != NULL)
        channels_release(&hub->channels, channel);
    answer(hub, r, event, ok);
}

static void publish(struct hub *hub, struct request *r)
{
    hub->pending[hub->pending_count++] = r;
    if (hub->pending_count == HUB_BATCH_MAX)
        hub_flush(hub);
}

void hub_handle(struct hub *hub, struct request *r)
{
    switch (r->kind) {
    case REQUEST_SUBSCRIBE:
        subscribe(hub, r);
        break;
    case REQUEST_UNSUBSCRIBE:
        unsubscribe(hub, r);
        break;
    case REQUEST_PUBLISH:
        publish(hub, r); /* answers and frees it later */
        return;
    case REQUEST_HISTORY:
    case REQUEST_CATCH_UP:
        history(hub, r);
        break;
    case REQUEST_EPHEMERAL:
        hub_send_ephemeral(hub, r->text[TEXT_CHANNEL], r->text[TEXT_DATA]);
        break;
    case REQUEST_DISCONNECT:
        disconnect(hub, r);
        break;
    }
    free(r);
}
