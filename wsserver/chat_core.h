/*
 * chat_core.h -- what the files of the full protocol share; nobody else
 * includes it.
 *
 *   chat.c        requests and their answers
 *   chat_auth.c   auth, resume, welcome
 */
#ifndef WSSERVER_CHAT_CORE_H
#define WSSERVER_CHAT_CORE_H

#include "wsserver/client.h"
#include "wsserver/protocol.h"
#include "wsserver/server.h"
#include "wsserver/token.h"

/* What the hub is told as the number of a request: the client's id, and above
 * it what kind of answer is expected. */
enum chat_kind { CHAT_PUB, CHAT_SUB, CHAT_HIST, CHAT_RESUME };
enum { CHAT_SHIFT = 56 };

static const uint64_t chat_id_mask = (UINT64_C(1) << CHAT_SHIFT) - 1;

static inline uint64_t chat_number(enum chat_kind kind, uint64_t id)
{
    return (uint64_t)kind << CHAT_SHIFT | id;
}

/* From auth on. Before that client.own is NULL. */
struct chat {
    struct member *members;
    struct resume *resume; /* owned; NULL after the welcome */
    unsigned channels;     /* joined, or asked for in a resume */
    char session[TOKEN_SESSION_LEN + 1];
    uint8_t user_len;
    char user[];
};

static inline struct span chat_user(const struct chat *chat)
{
    return span_of(chat->user, chat->user_len);
}

static inline struct hub *chat_hub(const struct client *c)
{
    return client_worker(c)->server->hub;
}

/* For the text of the next frame: see client_send_text(). */
static inline struct buf *chat_out(const struct client *c)
{
    return &client_worker(c)->text;
}

/* Those of the event from number `from` on. */
void chat_send_messages(struct client *c, const struct hub_event *event, size_t from);

/* A full list; NULL sends none. */
void chat_send_presence(struct client *c, const struct member *m, struct shared_text *text);

/* --- chat_auth.c --------------------------------------------------------------- */

void chat_auth(struct client *c, const struct protocol_request *r);

/* The hub's answer for one channel. True: keeps the event. */
bool chat_on_resumed(struct client *c, struct chat *chat, struct hub_event *event);

/* What is fanned out before the welcome. */
void chat_hold(struct client *c, struct frame *frame);
void chat_free_resume(struct chat *chat);

/* The hub cannot be asked, or cannot answer, about a position: the client comes
 * again with it. */
void chat_overloaded(struct client *c);

#endif
