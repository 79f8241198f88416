/* upgrade.c -- see upgrade.h. */
#include "wsserver/upgrade.h"

#include "http/message.h"
#include "ws/handshake.h"
#include "wsserver/faults.h"
#include "wsserver/mode.h"
#include "wsserver/query.h"
#include "wsserver/server.h"

static const struct span rooms = SPAN_INIT("/ws/");

bool upgrade_room(const struct http_message *request, char room[PROTOCOL_CHANNEL_MAX + 1])
{
    size_t len;

    return span_starts_with(request->path, rooms) &&
           query_decode(span_after(request->path, rooms.len), false, room, PROTOCOL_CHANNEL_MAX + 1,
                        &len) &&
           protocol_is_channel(span_of(room, len));
}

static const struct client_mode *room_mode(const struct http_message *request)
{
    return ws_pick_protocol(request, chat_mode.protocol) ? &chat_mode : &plain_mode;
}

static enum upgrade refuse(struct upgrade_refusal *refusal, int status, const char *cause,
                           const char *cure)
{
    *refusal = (struct upgrade_refusal){ .status = status, .cause = cause, .cure = cure };
    return UPGRADE_REFUSED;
}

enum upgrade upgrade_check(struct server *server, const struct http_message *request,
                           const struct client_mode **mode, struct upgrade_refusal *refusal)
{
    char room[PROTOCOL_CHANNEL_MAX + 1];
    bool is_room = span_starts_with(request->path, rooms);

    *mode = is_room ? room_mode(request) : NULL;
    if (!is_room && !(server->options->test_enabled && faults_find(request, mode, refusal)))
        return UPGRADE_OTHER;
    if (*mode == &headers_mode && !ws_request_wants(request))
        return UPGRADE_OTHER; /* a page too */
    /* What concerns every client comes first, and 426 before what else is missing: so
     * one who asks with fetch() hears why a browser was refused, or learns by 426 that
     * its Upgrade field does not arrive. */
    if (is_room && !upgrade_room(request, room))
        return refuse(refusal, 400, "The path names no room.",
                      "Ask for /ws/ROOM, with 1 to 64 of A-Z a-z 0-9 _ . : - in ROOM.");
    if (!server_admit(server))
        return refuse(refusal, 503,
                      atomic_load(&server->is_draining)
                          ? "This server is going away."
                          : "This server has all the clients it may have.",
                      "Come again in a second: another server may answer then.");
    enum ws_refusal check = ws_request_check(request);
    if (check == WS_OK && *mode != NULL)
        return UPGRADE_GOOD;
    server_release(server);
    if (check == WS_OK)
        return UPGRADE_REFUSED; /* as asked for */
    return refuse(refusal, ws_request_wants(request) ? ws_refusal_status(check) : 426,
                  ws_refusal_cause(check), ws_refusal_cure(check, ws_behind_edge(request)));
}
