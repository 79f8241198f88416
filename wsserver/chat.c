/*
 * chat.c -- the full protocol, wsserver.v1.json: what requests do.
 *
 *     hello sent ---> auth ---> (the hub is asked about each position)
 *                                 ---> welcome sent ---> requests
 *
 * Whatever changes which channels the connection is in (auth, sub) makes its
 * further input wait for the hub's answer. So a client may send sub, pub,
 * unsub in one go and they mean what they say.
 */
#include "base/bug.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "wsserver/chat_core.h"
#include "wsserver/mode.h"

enum {
    AUTH_MS = 10000,
    HISTORY_BYTES_MAX = 1 << 20, /* in old messages behind an ok, which just begins later */
    HIST_ROOM = 256,             /* of a hist frame around its messages */
};

static void send_err(struct client *c, uint64_t id, enum protocol_code code, const char *msg)
{
    /* Not all at once again. */
    uint32_t retry = code == PROTOCOL_UNAVAILABLE ? 500 + (uint32_t)(random_jitter() % 1000) : 0;
    protocol_write_err(chat_out(c), id, code, retry, msg);
    client_send_text(c);
}

static void send_unavailable(struct client *c, uint64_t id)
{
    send_err(c, id, PROTOCOL_UNAVAILABLE, "the store cannot be used now");
}

void chat_send_presence(struct client *c, const struct member *m, struct shared_text *text)
{
    if (text == NULL)
        return;
    protocol_write_presence(chat_out(c), shared_text_span(text), m->room->rev);
    client_send_text(c);
}

void chat_send_messages(struct client *c, const struct hub_event *event, size_t from)
{
    for (size_t i = from; i < event->count; i++)
        client_send_asked(c, shared_text_span(event->messages[i]));
}

/* The first of the newest messages that fit. */
static size_t newest_within(const struct hub_event *event, size_t bytes)
{
    size_t from = event->count, used = 0;

    while (from > 0 && used + event->messages[from - 1]->len < bytes)
        used += event->messages[--from]->len + 1;
    return from;
}

/* --- requests -------------------------------------------------------------------------- */

static void do_sub(struct client *c, const struct protocol_request *r)
{
    struct chat *chat = c->own;
    bool is_member = members_of(chat->members, r->ch) != NULL;
    const struct hub_subscribe subscribe = {
        .conn = client_conn(c),
        .request = chat_number(CHAT_SUB, r->id),
        .channel = r->ch,
        .user = chat_user(chat),
        .session = span_of(chat->session, TOKEN_SESSION_LEN),
        .from = r->hist > 0 && !is_member ? HUB_FROM_HISTORY : HUB_FROM_NOW,
        .history = (uint32_t)r->hist,
        .want_presence = r->pres,
    };

    if (!is_member && chat->channels == PROTOCOL_CHANNELS_MAX)
        send_err(c, r->id, PROTOCOL_LIMIT, "leave a channel first");
    else if (hub_subscribe(chat_hub(c), &subscribe))
        client_wait(c);
    else
        send_unavailable(c, r->id);
}

static void on_subscribed(struct client *c, struct chat *chat, const struct hub_event *event)
{
    struct span channel = span_text(event->channel);
    struct member *m = members_of(chat->members, channel);
    size_t from = newest_within(event, HISTORY_BYTES_MAX);

    if (m == NULL) {
        m = members_add(&client_worker(c)->members, channel, c, &chat->members, false);
        chat->channels++;
    }
    m->watches |= event->presence != NULL;
    protocol_write_joined(chat_out(c), event->request & chat_id_mask, event->channel, event->ep,
                          event->seq - (event->count - from) + 1, event->seq);
    client_send_text(c);
    chat_send_messages(c, event, from);
    chat_send_presence(c, m, event->presence);
    client_go_on(c);
}

static void do_unsub(struct client *c, const struct protocol_request *r)
{
    struct chat *chat = c->own;
    struct member *m = members_of(chat->members, r->ch);

    if (m != NULL) {
        members_remove(&client_worker(c)->members, m, &chat->members);
        chat->channels--;
        hub_unsubscribe(chat_hub(c), client_conn(c), r->ch);
    }
    protocol_write_left(chat_out(c), r->id, r->ch);
    client_send_text(c);
}

/* False when it is not joined, and the client has heard so. */
static bool is_joined(struct client *c, const struct protocol_request *r)
{
    const struct chat *chat = c->own;
    char msg[128];

    if (members_of(chat->members, r->ch) != NULL)
        return true;
    snprintf(msg, sizeof(msg), "join %.*s first", SPAN_ARGS(r->ch));
    send_err(c, r->id, PROTOCOL_NOT_SUB, msg);
    return false;
}

static void do_pub(struct client *c, const struct protocol_request *r)
{
    const struct chat *chat = c->own;
    const struct hub_publish publish = {
        .conn = client_conn(c),
        .request = chat_number(CHAT_PUB, r->id),
        .channel = r->ch,
        .user = chat_user(chat),
        .cid = r->cid,
        .data = r->d,
    };

    if (!is_joined(c, r))
        return;
    if (protocol_message_size(r, chat_user(chat)) >
        client_worker(c)->server->options->max_message_bytes)
        send_err(c, r->id, PROTOCOL_TOO_BIG, "the message around d would be above limits.msg");
    else if (!hub_publish(chat_hub(c), &publish))
        send_unavailable(c, r->id);
}

static void on_ack(struct client *c, const struct hub_event *event)
{
    const struct protocol_ack ack = {
        .id = event->request & chat_id_mask,
        .seq = event->seq,
        .ch = event->channel,
        .ep = event->ep,
        .mid = event->mid,
        .durability = hub_durability(chat_hub(c)),
        .is_duplicate = event->duplicate,
    };

    protocol_write_ack(chat_out(c), &ack);
    client_send_text(c);
}

static void do_hist(struct client *c, const struct protocol_request *r)
{
    if (is_joined(c, r) && !hub_history(chat_hub(c), client_conn(c), chat_number(CHAT_HIST, r->id),
                                        r->ch, r->before, (uint32_t)r->n))
        send_unavailable(c, r->id);
}

static void on_history(struct client *c, const struct hub_event *event)
{
    struct buf *text = chat_out(c);
    size_t from =
        newest_within(event, client_worker(c)->server->options->max_message_bytes - HIST_ROOM);

    /* One that is nearly as large as a frame may be still has to be had. */
    if (from == event->count && from > 0)
        from--;
    protocol_begin_hist(text, event->request & chat_id_mask, event->channel, event->ep);
    for (size_t i = from; i < event->count; i++) {
        if (i > from)
            buf_put(text, SPAN(","));
        buf_put(text, shared_text_span(event->messages[i]));
    }
    protocol_end_hist(text, event->more || from > 0);
    client_send_text(c);
}

static void do_ping(struct client *c, const struct protocol_request *r)
{
    protocol_write_pong(chat_out(c), r->ts);
    client_send_text(c);
}

static void do_pong(struct client *c, const struct protocol_request *r)
{
    (void)c; /* that anything came is what counts */
    (void)r;
}

static void do_bye(struct client *c, const struct protocol_request *r)
{
    (void)r;
    client_close(c, WS_CLOSE_NORMAL, "bye");
}

static void (*const requests[])(struct client *c, const struct protocol_request *r) = {
    [PROTOCOL_AUTH] = chat_auth, [PROTOCOL_SUB] = do_sub,   [PROTOCOL_UNSUB] = do_unsub,
    [PROTOCOL_PUB] = do_pub,     [PROTOCOL_HIST] = do_hist, [PROTOCOL_PING] = do_ping,
    [PROTOCOL_PONG] = do_pong,   [PROTOCOL_BYE] = do_bye,
};

/* --- the mode ------------------------------------------------------------------------------ */

static void open_chat(struct client *c, const struct http_message *request)
{
    const struct options *o = client_worker(c)->server->options;
    char conn[64];
    const struct protocol_hello hello = {
        .node = o->node,
        .conn = conn,
        .ping_ms = o->ping_interval_ms,
        .max_message = o->max_message_bytes,
        .ts = clock_wall_ms(),
    };
    (void)request;

    snprintf(conn, sizeof(conn), "%s-%d-%llx", o->node, client_worker(c)->loop.index,
             (unsigned long long)c->id);
    protocol_write_hello(chat_out(c), &hello);
    client_send_text(c);
    client_set_alarm(c, AUTH_MS);
}

static void on_message(struct client *c, bool is_text, struct span payload)
{
    struct protocol_request r;
    const char *why;

    if (!is_text) {
        client_close(c, WS_CLOSE_UNSUPPORTED_DATA, "binary");
        return;
    }
    enum protocol_code code = protocol_read(payload, &r, &why);
    bool is_auth =
        code != PROTOCOL_BAD_JSON && code != PROTOCOL_BAD_TYPE && r.type == PROTOCOL_AUTH;
    if (c->own == NULL && !is_auth)
        client_close(c, CLOSE_BEFORE_AUTH, "auth first");
    else if (code != PROTOCOL_OK)
        send_err(c, r.id, code, why);
    else
        requests[r.type](c, &r);
    protocol_done(&r);
}

static void on_error(struct client *c, const struct hub_event *event)
{
    switch ((enum chat_kind)(event->request >> CHAT_SHIFT)) {
    case CHAT_RESUME: /* it keeps its positions, and comes again */
        chat_overloaded(c);
        return;
    case CHAT_SUB:
        client_go_on(c);
        break;
    case CHAT_PUB:
    case CHAT_HIST:
        break;
    }
    send_unavailable(c, event->request & chat_id_mask);
}

static bool on_answer(struct client *c, struct hub_event *event)
{
    struct chat *chat = c->own;

    switch (event->type) {
    case HUB_SUBSCRIBED:
        if (event->request >> CHAT_SHIFT == CHAT_RESUME)
            return chat_on_resumed(c, chat, event);
        on_subscribed(c, chat, event);
        return false;
    case HUB_ACK:
        on_ack(c, event);
        return false;
    case HUB_HISTORY:
        on_history(c, event);
        return false;
    case HUB_ERROR:
        on_error(c, event);
        return false;
    case HUB_MESSAGE:
    case HUB_PRESENCE:
    case HUB_EPHEMERAL:
    case HUB_RESET:
    case HUB_STATUS:
        break;
    }
    bug("not an answer");
}

static void send_ping(struct client *c)
{
    if (c->own == NULL)
        return; /* it may not answer before its auth */
    protocol_write_ping(chat_out(c), clock_wall_ms());
    client_send_text(c);
}

static void on_alarm(struct client *c)
{
    client_close(c, CLOSE_NO_AUTH, "no auth");
}

static bool drain(struct client *c, uint32_t after_ms, uint32_t by_ms)
{
    if (c->own == NULL)
        return false;
    protocol_write_drain(chat_out(c), after_ms, by_ms);
    client_send_text(c);
    return true;
}

static void left(struct client *c, enum hub_left how)
{
    struct chat *chat = c->own;

    if (chat == NULL)
        return;
    while (chat->members != NULL)
        members_remove(&client_worker(c)->members, chat->members, &chat->members);
    chat_free_resume(chat);
    hub_disconnect(chat_hub(c), client_conn(c), how);
    mem_free(c->own);
}

const struct client_mode chat_mode = {
    .name = "chat",
    .protocol = SPAN_INIT("wsserver.v1.json"),
    .open = open_chat,
    .message = on_message,
    .answer = on_answer,
    .hold = chat_hold,
    .ping = send_ping,
    .alarm = on_alarm,
    .drain = drain,
    .left = left,
};
