/*
 * upgrade.h -- where WebSockets are served, and what they are for there; why
 * one is refused, with the cure.
 */
#ifndef WSSERVER_UPGRADE_H
#define WSSERVER_UPGRADE_H

#include <stdbool.h>

#include "base/span.h"
#include "wsserver/protocol.h"

struct client_mode;
struct http_message;
struct server;

/* An answer in place of a 101: two lines of text. */
struct upgrade_refusal {
    int status;
    const char *cause, *cure;
};

enum upgrade {
    UPGRADE_OTHER,   /* nothing for WebSockets lives at this path */
    UPGRADE_GOOD,    /* *mode says what for */
    UPGRADE_REFUSED, /* *refusal says why */
};

/* The server has admitted it when this says UPGRADE_GOOD: see server_admit(). */
enum upgrade upgrade_check(struct server *server, const struct http_message *request,
                           const struct client_mode **mode, struct upgrade_refusal *refusal);

/* The room that the path names; false when that is not a channel name. */
bool upgrade_room(const struct http_message *request, char room[PROTOCOL_CHANNEL_MAX + 1]);

#endif
