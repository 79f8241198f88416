/*
 * mode.h -- what a WebSocket is for: one table of functions for each purpose.
 *
 * A mode keeps what it needs in client.own. It is called on the client's loop
 * only, never after left().
 */
#ifndef WSSERVER_MODE_H
#define WSSERVER_MODE_H

#include "wsserver/client.h"
#include "wsserver/hub.h"

struct http_message;

struct client_mode {
    const char *name;
    struct span protocol; /* the subprotocol that the 101 names, or empty */
    bool is_silent;       /* sends nothing by itself: no pings, no pongs */

    /* The 101 is queued. `request` is its request. */
    void (*open)(struct client *c, const struct http_message *request);
    void (*message)(struct client *c, bool is_text, struct span payload);

    /* All others may be NULL. */
    bool (*answer)(struct client *c, struct hub_event *event); /* of the hub; true: keeps it */
    void (*hold)(struct client *c, struct frame *frame);       /* while client.is_holding */
    void (*ping)(struct client *c);                            /* a ping of its own, beside RFC's */
    void (*alarm)(struct client *c);
    bool (*drain)(struct client *c, uint32_t after_ms, uint32_t by_ms); /* true: told to move, so
                                                                           leave it until then */
    void (*left)(struct client *c, enum hub_left how);                  /* the end: free `own` */
};

extern const struct client_mode chat_mode, plain_mode;
extern const struct client_mode echo_mode, headers_mode, close_mode, silence_mode;

#endif
