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
#include "wsserver/mode.h"
#include "wsserver/protocol.h"
#include "wsserver/server.h"
#include "wsserver/token.h"

enum {
    AUTH_MS = 10000,
    /* What a client may be owed at once in old messages; a resume that needs
     * more is a gap, an ok just begins later. */
    RESUME_BYTES_MAX = 4 << 20,
    HISTORY_BYTES_MAX = 1 << 20,
    HIST_ROOM = 256, /* of a hist frame around its messages */
};

/* What the hub is told as the number of a request: the client's id, and above
 * it what kind of answer is expected. */
enum kind { KIND_PUB, KIND_SUB, KIND_HIST, KIND_RESUME };
enum { KIND_SHIFT = 56 };

static const uint64_t id_mask = (UINT64_C(1) << KIND_SHIFT) - 1;

/* Between auth and welcome. */
struct resume {
    uint64_t id;
    unsigned waiting;         /* for so many answers of the hub */
    size_t bytes;             /* of the messages so far */
    struct buf text;          /* the welcome, as far as it is known */
    struct hub_event *events; /* owned; of channels that are joined again */
    struct hub_event **last;
    struct outbox held; /* what came live meanwhile; it goes out behind the old */
};

/* From auth on. Before that client.own is NULL. */
struct chat {
    struct member *members;
    struct resume *resume; /* owned; NULL after the welcome */
    unsigned channels;     /* joined, or asked for in a resume */
    char session[TOKEN_SESSION_LEN + 1];
    uint8_t user_len;
    char user[];
};

static struct span user_of(const struct chat *chat)
{
    return span_of(chat->user, chat->user_len);
}

static struct worker *worker_of(const struct client *c)
{
    return client_worker(c);
}

static struct hub *hub_of(const struct client *c)
{
    return client_worker(c)->server->hub;
}

static struct buf *text_of(const struct client *c)
{
    return &client_worker(c)->text;
}

static uint64_t number(enum kind kind, uint64_t id)
{
    return (uint64_t)kind << KIND_SHIFT | id;
}

static void send_err(struct client *c, uint64_t id, enum protocol_code code, const char *msg)
{
    /* Not all at once again. */
    uint32_t retry = code == PROTOCOL_UNAVAILABLE ? 500 + (uint32_t)(random_jitter() % 1000) : 0;
    protocol_write_err(text_of(c), id, code, retry, msg);
    client_send_text(c);
}

static void send_unavailable(struct client *c, uint64_t id)
{
    send_err(c, id, PROTOCOL_UNAVAILABLE, "the store cannot be used now");
}

static void send_full_presence(struct client *c, const struct member *m, struct shared_text *text)
{
    if (text == NULL)
        return;
    protocol_write_presence(text_of(c), shared_text_span(text), m->room->rev);
    client_send_text(c);
}

static void send_messages(struct client *c, const struct hub_event *event, size_t from)
{
    for (size_t i = from; i < event->count; i++)
        client_send_asked(c, shared_text_span(event->messages[i]));
}

static size_t bytes_of(const struct hub_event *event)
{
    size_t bytes = 0;
    for (size_t i = 0; i < event->count; i++)
        bytes += event->messages[i]->len;
    return bytes;
}

/* The first of the newest messages that fit. */
static size_t newest_within(const struct hub_event *event, size_t bytes)
{
    size_t from = event->count, used = 0;

    while (from > 0 && used + event->messages[from - 1]->len < bytes)
        used += event->messages[--from]->len + 1;
    return from;
}

/* --- auth and welcome --------------------------------------------------------------- */

static void begin_resume(struct client *c, struct chat *chat, uint64_t id)
{
    char token[TOKEN_LEN + 1];
    struct resume *r = mem_new(struct resume);

    r->id = id;
    r->last = &r->events;
    buf_init(&r->text, UINT32_MAX / 2);
    outbox_init(&r->held);
    token_make(worker_of(c)->server->secret, user_of(chat), chat->session, token);
    protocol_begin_welcome(&r->text, id, user_of(chat), token);
    chat->resume = r;
}

static void free_resume(struct chat *chat)
{
    struct resume *r = chat->resume;

    if (r == NULL)
        return;
    while (r->events != NULL) {
        struct hub_event *event = r->events;
        r->events = event->next;
        hub_event_free(&event);
    }
    outbox_done(&r->held);
    buf_done(&r->text);
    mem_free(chat->resume);
}

static void send_welcome(struct client *c, struct chat *chat)
{
    struct resume *r = chat->resume;

    protocol_end_welcome(&r->text);
    client_send_asked(c, buf_data(&r->text));
    for (const struct hub_event *e = r->events; e != NULL; e = e->next) {
        send_messages(c, e, 0);
        send_full_presence(c, members_of(chat->members, span_text(e->channel)), e->presence);
    }
    outbox_move(&r->held, &c->out);
    free_resume(chat);
    c->is_holding = false;
    c->has_alarm = c->is_draining; /* no longer for auth */
    client_go_on(c);
}

/* False when the hub cannot be asked. */
static bool resume_channel(struct client *c, struct chat *chat,
                           const struct protocol_position *position)
{
    struct resume *r = chat->resume;
    const struct hub_subscribe subscribe = {
        .conn = client_conn(c),
        .request = number(KIND_RESUME, r->id),
        .channel = position->ch,
        .user = user_of(chat),
        .session = span_of(chat->session, TOKEN_SESSION_LEN),
        .from = HUB_FROM_POSITION,
        .ep = position->ep,
        .seq = position->seq,
        .want_presence = true,
    };

    if (!position->is_good) {
        protocol_welcome_lost(&r->text, position->ch, "bad_ch", NULL, 0, 0);
        return true;
    }
    if (chat->channels == PROTOCOL_CHANNELS_MAX) {
        protocol_welcome_lost(&r->text, position->ch, "limit", NULL, 0, 0);
        return true;
    }
    if (!hub_subscribe(hub_of(c), &subscribe))
        return false;
    chat->channels++;
    r->waiting++;
    return true;
}

static void overloaded(struct client *c)
{
    client_close(c, WS_CLOSE_TRY_LATER, "overload;after=1000");
}

static void do_auth(struct client *c, const struct protocol_request *r)
{
    struct protocol_position position;
    void *at = NULL;

    if (c->own != NULL) {
        client_close(c, CLOSE_BEFORE_AUTH, "second auth");
        return;
    }
    if (!protocol_is_user(r->user)) {
        client_close(c, CLOSE_BAD_USER, "bad user name");
        return;
    }
    struct chat *chat = mem_zero(sizeof(*chat) + r->user.len);
    memcpy(chat->user, r->user.ptr, r->user.len);
    chat->user_len = (uint8_t)r->user.len;
    if (!token_open(worker_of(c)->server->secret, r->user, r->sess, chat->session))
        token_new_session(chat->session);
    c->own = chat;
    begin_resume(c, chat, r->id);
    while (protocol_position(r, &at, &position)) {
        if (resume_channel(c, chat, &position))
            continue;
        overloaded(c);
        return;
    }
    c->is_holding = true;
    client_wait(c);
    if (chat->resume->waiting == 0)
        send_welcome(c, chat);
}

static const char *lost_because(const struct hub_event *event)
{
    switch (event->resume) {
    case HUB_RESUME_OK:
    case HUB_RESUME_NONE:
    case HUB_RESUME_GAP:
        return "gap";
    case HUB_RESUME_EPOCH:
        return "epoch";
    }
    bug("unknown outcome");
}

/* The hub has joined it all the same. */
static void resume_lost(struct client *c, struct chat *chat, const struct hub_event *event)
{
    uint64_t lo = event->have_lo, hi = event->have_hi;
    struct span channel = span_text(event->channel);

    if (event->resume == HUB_RESUME_OK) { /* more than we will keep for one client */
        lo = event->seq - event->count + 1;
        hi = event->seq;
    }
    hub_unsubscribe(hub_of(c), client_conn(c), channel);
    chat->channels--;
    protocol_welcome_lost(&chat->resume->text, channel, lost_because(event), event->ep, lo, hi);
}

/* True: keeps the event. */
static bool on_resumed(struct client *c, struct chat *chat, struct hub_event *event)
{
    struct resume *r = chat->resume;
    struct span channel = span_text(event->channel);
    size_t bytes = bytes_of(event);
    bool ok = event->resume == HUB_RESUME_OK && r->bytes + bytes <= RESUME_BYTES_MAX;

    if (ok) {
        r->bytes += bytes;
        struct member *m = members_add(&worker_of(c)->members, channel, c, &chat->members, false);
        m->watches = true;
        protocol_welcome_ok(&r->text, channel, event->ep, event->seq - event->count + 1,
                            event->seq);
        *r->last = event;
        r->last = &event->next;
    } else {
        resume_lost(c, chat, event);
    }
    if (--r->waiting == 0)
        send_welcome(c, chat);
    return ok;
}

static void hold(struct client *c, struct frame *frame)
{
    struct chat *chat = c->own;

    outbox_push(&chat->resume->held, frame, false);
    if (outbox_is_over(&chat->resume->held))
        client_close(c, CLOSE_SLOW, "slow");
}

/* --- requests -------------------------------------------------------------------------- */

static void do_sub(struct client *c, const struct protocol_request *r)
{
    struct chat *chat = c->own;
    bool is_member = members_of(chat->members, r->ch) != NULL;
    const struct hub_subscribe subscribe = {
        .conn = client_conn(c),
        .request = number(KIND_SUB, r->id),
        .channel = r->ch,
        .user = user_of(chat),
        .session = span_of(chat->session, TOKEN_SESSION_LEN),
        .from = r->hist > 0 && !is_member ? HUB_FROM_HISTORY : HUB_FROM_NOW,
        .history = (uint32_t)r->hist,
        .want_presence = r->pres,
    };

    if (!is_member && chat->channels == PROTOCOL_CHANNELS_MAX)
        send_err(c, r->id, PROTOCOL_LIMIT, "leave a channel first");
    else if (hub_subscribe(hub_of(c), &subscribe))
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
        m = members_add(&worker_of(c)->members, channel, c, &chat->members, false);
        chat->channels++;
    }
    m->watches |= event->presence != NULL;
    protocol_write_joined(text_of(c), event->request & id_mask, event->channel, event->ep,
                          event->seq - (event->count - from) + 1, event->seq);
    client_send_text(c);
    send_messages(c, event, from);
    send_full_presence(c, m, event->presence);
    client_go_on(c);
}

static void do_unsub(struct client *c, const struct protocol_request *r)
{
    struct chat *chat = c->own;
    struct member *m = members_of(chat->members, r->ch);

    if (m != NULL) {
        members_remove(&worker_of(c)->members, m, &chat->members);
        chat->channels--;
        hub_unsubscribe(hub_of(c), client_conn(c), r->ch);
    }
    protocol_write_left(text_of(c), r->id, r->ch);
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
        .request = number(KIND_PUB, r->id),
        .channel = r->ch,
        .user = user_of(chat),
        .cid = r->cid,
        .data = r->d,
    };

    if (!is_joined(c, r))
        return;
    if (protocol_message_size(r, user_of(chat)) > worker_of(c)->server->options->max_message_bytes)
        send_err(c, r->id, PROTOCOL_TOO_BIG, "the message around d would be above limits.msg");
    else if (!hub_publish(hub_of(c), &publish))
        send_unavailable(c, r->id);
}

static void on_ack(struct client *c, const struct hub_event *event)
{
    const struct protocol_ack ack = {
        .id = event->request & id_mask,
        .seq = event->seq,
        .ch = event->channel,
        .ep = event->ep,
        .mid = event->mid,
        .durability = hub_durability(hub_of(c)),
        .is_duplicate = event->duplicate,
    };

    protocol_write_ack(text_of(c), &ack);
    client_send_text(c);
}

static void do_hist(struct client *c, const struct protocol_request *r)
{
    if (is_joined(c, r) && !hub_history(hub_of(c), client_conn(c), number(KIND_HIST, r->id), r->ch,
                                        r->before, (uint32_t)r->n))
        send_unavailable(c, r->id);
}

static void on_history(struct client *c, const struct hub_event *event)
{
    struct buf *text = text_of(c);
    size_t from =
        newest_within(event, worker_of(c)->server->options->max_message_bytes - HIST_ROOM);

    /* One that is nearly as large as a frame may be still has to be had. */
    if (from == event->count && from > 0)
        from--;
    protocol_begin_hist(text, event->request & id_mask, event->channel, event->ep);
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
    protocol_write_pong(text_of(c), r->ts);
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
    [PROTOCOL_AUTH] = do_auth, [PROTOCOL_SUB] = do_sub,   [PROTOCOL_UNSUB] = do_unsub,
    [PROTOCOL_PUB] = do_pub,   [PROTOCOL_HIST] = do_hist, [PROTOCOL_PING] = do_ping,
    [PROTOCOL_PONG] = do_pong, [PROTOCOL_BYE] = do_bye,
};

/* --- the mode ------------------------------------------------------------------------------ */

static void open_chat(struct client *c, const struct http_message *request)
{
    const struct options *o = worker_of(c)->server->options;
    char conn[64];
    const struct protocol_hello hello = {
        .node = o->node,
        .conn = conn,
        .ping_ms = o->ping_interval_ms,
        .max_message = o->max_message_bytes,
        .ts = clock_wall_ms(),
    };
    (void)request;

    snprintf(conn, sizeof(conn), "%s-%d-%llx", o->node, worker_of(c)->loop.index,
             (unsigned long long)c->id);
    protocol_write_hello(text_of(c), &hello);
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
    switch ((enum kind)(event->request >> KIND_SHIFT)) {
    case KIND_RESUME: /* it keeps its positions, and comes again */
        overloaded(c);
        return;
    case KIND_SUB:
        client_go_on(c);
        break;
    case KIND_PUB:
    case KIND_HIST:
        break;
    }
    send_unavailable(c, event->request & id_mask);
}

static bool on_answer(struct client *c, struct hub_event *event)
{
    struct chat *chat = c->own;

    switch (event->type) {
    case HUB_SUBSCRIBED:
        if (event->request >> KIND_SHIFT == KIND_RESUME)
            return on_resumed(c, chat, event);
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
    protocol_write_ping(text_of(c), clock_wall_ms());
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
    protocol_write_drain(text_of(c), after_ms, by_ms);
    client_send_text(c);
    return true;
}

static void left(struct client *c, enum hub_left how)
{
    struct chat *chat = c->own;

    if (chat == NULL)
        return;
    while (chat->members != NULL)
        members_remove(&worker_of(c)->members, chat->members, &chat->members);
    free_resume(chat);
    hub_disconnect(hub_of(c), client_conn(c), how);
    mem_free(c->own);
}

const struct client_mode chat_mode = {
    .name = "chat",
    .protocol = SPAN_INIT("wsserver.v1.json"),
    .open = open_chat,
    .message = on_message,
    .answer = on_answer,
    .hold = hold,
    .ping = send_ping,
    .alarm = on_alarm,
    .drain = drain,
    .left = left,
};
