/*
 * chat_auth.c -- auth, and what was missed: from the client's positions to the
 * welcome, and the messages behind it.
 *
 * The hub answers for one channel after the other; the welcome waits for all.
 * What is published meanwhile to channels that are joined already is held, and
 * goes out behind what is older.
 */
#include "base/bug.h"
#include "base/mem.h"
#include "wsserver/chat_core.h"

/* In old messages for one client at once. A resume that needs more is a gap. */
enum { RESUME_BYTES_MAX = 4 << 20 };

/* Between auth and welcome. */
struct resume {
    uint64_t id;
    unsigned waiting;         /* for so many answers of the hub */
    size_t bytes;             /* of the messages so far */
    struct buf text;          /* the welcome, as far as it is known */
    struct hub_event *events; /* owned; of channels that are joined again */
    struct hub_event **last;
    struct outbox held; /* what came live meanwhile */
};

static size_t bytes_of(const struct hub_event *event)
{
    size_t bytes = 0;
    for (size_t i = 0; i < event->count; i++)
        bytes += event->messages[i]->len;
    return bytes;
}

static void begin_resume(struct client *c, struct chat *chat, uint64_t id)
{
    char token[TOKEN_LEN + 1];
    struct resume *r = mem_new(struct resume);

    r->id = id;
    r->last = &r->events;
    buf_init(&r->text, UINT32_MAX / 2);
    outbox_init(&r->held);
    token_make(client_worker(c)->server->secret, chat_user(chat), chat->session, token);
    protocol_begin_welcome(&r->text, id, chat_user(chat), token);
    chat->resume = r;
}

void chat_free_resume(struct chat *chat)
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
        chat_send_messages(c, e, 0);
        chat_send_presence(c, members_of(chat->members, span_text(e->channel)), e->presence);
    }
    outbox_move(&r->held, &c->out);
    chat_free_resume(chat);
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
        .request = chat_number(CHAT_RESUME, r->id),
        .channel = position->ch,
        .user = chat_user(chat),
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
    if (!hub_subscribe(chat_hub(c), &subscribe))
        return false;
    chat->channels++;
    r->waiting++;
    return true;
}

void chat_overloaded(struct client *c)
{
    client_close(c, WS_CLOSE_TRY_LATER, "overload;after=1000");
}

void chat_auth(struct client *c, const struct protocol_request *r)
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
    if (!token_open(client_worker(c)->server->secret, r->user, r->sess, chat->session))
        token_new_session(chat->session);
    c->own = chat;
    begin_resume(c, chat, r->id);
    while (protocol_position(r, &at, &position)) {
        if (resume_channel(c, chat, &position))
            continue;
        chat_overloaded(c);
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
    hub_unsubscribe(chat_hub(c), client_conn(c), channel);
    chat->channels--;
    protocol_welcome_lost(&chat->resume->text, channel, lost_because(event), event->ep, lo, hi);
}

/* True: keeps the event. */
bool chat_on_resumed(struct client *c, struct chat *chat, struct hub_event *event)
{
    struct resume *r = chat->resume;
    struct span channel = span_text(event->channel);
    size_t bytes = bytes_of(event);
    bool ok = event->resume == HUB_RESUME_OK && r->bytes + bytes <= RESUME_BYTES_MAX;

    if (ok) {
        r->bytes += bytes;
        struct member *m =
            members_add(&client_worker(c)->members, channel, c, &chat->members, false);
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

void chat_hold(struct client *c, struct frame *frame)
{
    struct chat *chat = c->own;

    outbox_push(&chat->resume->held, frame, false);
    if (outbox_is_over(&chat->resume->held))
        client_close(c, CLOSE_SLOW, "slow");
}
