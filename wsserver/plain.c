/*
 * plain.c -- bare text mode: a room for whoever has only a WebSocket and a
 * keyboard. Text in is published, messages come as "name: text".
 */
#include "base/bug.h"
#include "base/mem.h"
#include "http/message.h"
#include "wsserver/mode.h"
#include "wsserver/protocol.h"
#include "wsserver/query.h"
#include "wsserver/server.h"
#include "wsserver/token.h"
#include "wsserver/upgrade.h"

enum { JOIN = 1, PUBLISH = 2 }; /* numbers of requests to the hub */

struct plain {
    struct member *member; /* in a list of one, or NULL */
    char room[PROTOCOL_CHANNEL_MAX + 1];
    uint8_t user_len;
    char user[];
};

static struct hub *hub_of(const struct client *c)
{
    return client_worker(c)->server->hub;
}

static void join(struct client *c, const struct plain *p)
{
    char session[TOKEN_SESSION_LEN + 1];

    token_new_session(session);
    const struct hub_subscribe subscribe = {
        .conn = client_conn(c),
        .request = JOIN,
        .channel = span_text(p->room),
        .user = span_of(p->user, p->user_len),
        .session = span_text(session),
        .from = HUB_FROM_NOW,
    };
    if (hub_subscribe(hub_of(c), &subscribe))
        client_wait(c);
    else
        client_close(c, WS_CLOSE_TRY_LATER, "overload;after=1000");
}

static void open_plain(struct client *c, const struct http_message *request)
{
    char name[PROTOCOL_USER_MAX + 1] = "guest";
    size_t len = strlen(name);
    enum query given = query_get(request->query, "name", name, sizeof(name), &len);

    if (given == QUERY_BAD || !protocol_is_user(span_of(name, len))) {
        client_close(c, CLOSE_BAD_USER, "bad user name");
        return;
    }
    struct plain *p = mem_zero(sizeof(*p) + len);
    memcpy(p->user, name, len);
    p->user_len = (uint8_t)len;
    upgrade_room(request, p->room);
    c->own = p;
    join(c, p);
}

static void tell(struct client *c, const char *what)
{
    client_send_asked(c, span_text(what));
}

static void on_message(struct client *c, bool is_text, struct span payload)
{
    struct worker *w = client_worker(c);
    const struct plain *p = c->own;

    if (!is_text) {
        client_close(c, WS_CLOSE_UNSUPPORTED_DATA, "binary");
        return;
    }
    protocol_write_text_data(&w->text, payload);
    const struct protocol_request request = { .ch = span_text(p->room), .d = buf_data(&w->text) };
    struct span user = span_of(p->user, p->user_len);
    const struct hub_publish publish = {
        .conn = client_conn(c),
        .request = PUBLISH,
        .channel = request.ch,
        .user = user,
        .data = request.d,
    };
    bool fits = protocol_message_size(&request, user) <= w->server->options->max_message_bytes;
    bool taken = fits && hub_publish(hub_of(c), &publish);
    buf_drop(&w->text, buf_len(&w->text));
    if (!fits)
        tell(c, "! not sent: too long");
    else if (!taken)
        tell(c, "! not sent: the server is busy, try again");
}

static void on_joined(struct client *c)
{
    struct plain *p = c->own;

    members_add(&client_worker(c)->members, span_text(p->room), c, &p->member, true);
    client_go_on(c);
}

static void on_error(struct client *c, const struct hub_event *event)
{
    if (event->request == JOIN)
        client_close(c, WS_CLOSE_TRY_LATER, "overload;after=1000");
    else
        tell(c, "! not sent: the store cannot be used now, try again");
}

static bool on_answer(struct client *c, struct hub_event *event)
{
    if (event->type == HUB_SUBSCRIBED)
        on_joined(c);
    if (event->type == HUB_ERROR)
        on_error(c, event);
    return false;
}

static void left(struct client *c, enum hub_left how)
{
    struct plain *p = c->own;

    if (p == NULL)
        return;
    if (p->member != NULL)
        members_remove(&client_worker(c)->members, p->member, &p->member);
    hub_disconnect(hub_of(c), client_conn(c), how);
    mem_free(c->own);
}

const struct client_mode plain_mode = {
    .name = "plain",
    .open = open_plain,
    .message = on_message,
    .answer = on_answer,
    .left = left,
};
