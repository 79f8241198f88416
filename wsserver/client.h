/*
 * client.h -- one connection: HTTP requests, then perhaps a WebSocket.
 *
 * A client moves bytes and frames, keeps time, and closes properly. What the
 * messages of a WebSocket mean is its *mode*'s affair (mode.h): chat, bare
 * text, or one of the test endpoints.
 *
 * An idle client owns no memory but this struct and what its mode keeps.
 */
#ifndef WSSERVER_CLIENT_H
#define WSSERVER_CLIENT_H

#include <ev.h>

#include "net/stream.h"
#include "net/wheel.h"
#include "ws/close.h"
#include "ws/message.h"
#include "wsserver/hub.h"
#include "wsserver/outbox.h"
#include "wsserver/worker.h"

struct client_mode;

/* The chat protocol's close codes that the server sends. */
enum {
    CLOSE_BEFORE_AUTH = 4000,
    CLOSE_BAD_USER = 4001,
    CLOSE_NO_AUTH = 4101,
    CLOSE_SLOW = 4103,
    CLOSE_NO_PONG = 4104,
    CLOSE_RESYNC = 4200,
};

/* Drawn in client.c. */
enum client_state { CLIENT_HTTP, CLIENT_OPEN, CLIENT_CLOSING, CLIENT_FINISHING };

enum client_end {
    CLIENT_LIVES,
    CLIENT_ENDED,      /* as it should: HTTP is done, or the peer answered our Close or FIN */
    CLIENT_LOST,       /* the peer went without a word */
    CLIENT_UNANSWERED, /* nothing came where something had to */
};

struct client {
    ev_io io; /* io.data is the worker */
    struct wheel_timer timer;
    struct stream stream;
    struct ws_reader reader;
    struct outbox out;
    struct buf *in; /* owned; what could not be used yet; NULL when there is none */
    struct client *next_touched;
    const struct client_mode *mode; /* NULL while HTTP */
    void *own;                      /* the mode's */
    uint64_t id;

    /* loop_now_ms() of: */
    uint32_t since;    /* the state's begin */
    uint32_t heard;    /* the last byte from the peer */
    uint32_t sent;     /* the last byte to it */
    uint32_t pinged;   /* the ping that is not answered, while is_pinged */
    uint32_t alarm_at; /* when to call the mode, while has_alarm */
    uint32_t scanned;  /* of a request's head */

    uint8_t state; /* enum client_state */
    uint8_t end;   /* enum client_end */
    bool is_touched : 1;
    bool is_rearmed : 1; /* a deadline may have come nearer */
    bool is_waiting : 1; /* for the hub: input waits too */
    bool is_holding : 1; /* what is fanned out goes to mode->hold() */
    bool is_pinged : 1;
    bool has_alarm : 1;
    bool is_draining : 1;
    bool is_reused : 1;   /* a request was answered on it */
    bool is_finished : 1; /* FIN is out */
    bool has_eof : 1;
    bool peer_closed : 1; /* the peer sent Close first */
};

_Static_assert(sizeof(struct client) <= 256, "one for each idle connection");

static inline struct worker *client_worker(const struct client *c)
{
    return c->io.data;
}

/* The name that the hub knows it by. */
struct hub_conn client_conn(const struct client *c);

/* Takes a connected, non-blocking socket. */
void client_new(struct worker *w, int fd);

/* Queue a frame; it is held, the caller keeps its own hold. `is_asked`: it
 * answers the client (see outbox.h). */
void client_send(struct client *c, struct frame *frame, bool is_asked);

/* Send what is in the worker's text buffer as one text message, and empty it. */
void client_send_text(struct client *c);
void client_send_asked(struct client *c, struct span text);

/* Hand over what is fanned out. Closes the client when it reads too slowly. */
void client_deliver(struct client *c, struct frame *frame);

/* Begin the closing handshake, in the OPEN state only; the mode is left at
 * once. The reason is a literal or short text, see protocol.md. */
void client_close(struct client *c, uint16_t code, const char *reason);

/* Take no more input until client_go_on(): the hub was asked, and what follows
 * builds on the answer. */
void client_wait(struct client *c);
void client_go_on(struct client *c);

/* Call mode->alarm() after `ms`. */
void client_set_alarm(struct client *c, uint32_t ms);

/* The server is going away: say so now, and close within `by_ms`. */
void client_drain(struct client *c, uint32_t after_ms, uint32_t by_ms);

/* Write what is queued, use what input waits, set watchers and timer; or free
 * it when it has ended. The worker calls this for touched clients. */
void client_settle(struct client *c);

/* At once. */
void client_cut(struct client *c);

/* --- client_http.c ----------------------------------------------------------- */

/* Use one request at the start of `bytes`: answer it, or make the client a
 * WebSocket. Returns what it took; 0 when more is needed. */
size_t client_take_request(struct client *c, struct span bytes);

/* To client_http.c: the handshake was good. */
void client_open(struct client *c, const struct client_mode *mode);

/* Say no more after what is queued, wait for the peer's end. */
void client_finish(struct client *c);

#endif
