/*
 * fanout.c -- see fanout.h.
 *
 * A frame is made once for an event and held by every receiver. Handing it
 * over may close a client that reads too slowly, which takes it out of the
 * room: hence the walks from the end, where the last takes the leaver's place.
 */
#include "wsserver/fanout.h"

#include "ws/frame.h"
#include "wsserver/client.h"
#include "wsserver/hub.h"
#include "wsserver/mode.h"
#include "wsserver/protocol.h"
#include "wsserver/server.h"

static struct frame *take_text(struct worker *w)
{
    struct frame *frame = frame_new(WS_OP_TEXT, buf_data(&w->text));
    buf_drop(&w->text, buf_len(&w->text));
    return frame;
}

static void send_message(struct worker *w, struct room *room, struct span text)
{
    struct frame *json = frame_new(WS_OP_TEXT, text), *bare = NULL;

    if (room->bare > 0) {
        protocol_write_bare(&w->text, text);
        bare = take_text(w);
    }
    metric_add(&w->counters.deliveries, room->count);
    for (uint32_t i = room->count; i-- > 0;) {
        const struct member *m = room->members[i];
        client_deliver(m->client, m->is_bare ? bare : json);
    }
    frame_drop(&json);
    frame_drop(&bare);
}

static void send_presence(struct worker *w, struct room *room, struct span text)
{
    struct frame *frame;

    protocol_write_presence(&w->text, text, ++room->rev);
    frame = take_text(w);
    for (uint32_t i = room->count; i-- > 0;)
        if (room->members[i]->watches)
            client_deliver(room->members[i]->client, frame);
    frame_drop(&frame);
}

/* Messages were missed and are gone. A client that comes again with its
 * position hears that; one without positions is told. */
static void send_reset(struct room *room)
{
    struct frame *missed = frame_new(WS_OP_TEXT, SPAN("! some messages were missed"));

    for (uint32_t i = room->count; i-- > 0;) {
        const struct member *m = room->members[i];
        if (m->is_bare)
            client_deliver(m->client, missed);
        else
            client_close(m->client, CLOSE_RESYNC, "resync");
    }
    frame_drop(&missed);
}

/* True when the connection keeps the event. */
static bool answer(struct worker *w, struct hub_event *event)
{
    struct client *c = worker_find(w, event->conn.id);

    return c != NULL && c->state == CLIENT_OPEN && c->mode->answer != NULL &&
           c->mode->answer(c, event);
}

void fanout(struct worker *w, struct hub_event *event)
{
    struct room *room = members_find(&w->members, span_text(event->channel));

    switch (event->type) {
    case HUB_SUBSCRIBED:
    case HUB_ACK:
    case HUB_HISTORY:
    case HUB_ERROR:
        if (answer(w, event))
            return;
        break;
    case HUB_MESSAGE:
        if (room != NULL)
            send_message(w, room, shared_text_span(event->text));
        break;
    case HUB_PRESENCE:
        if (room != NULL)
            send_presence(w, room, shared_text_span(event->text));
        break;
    case HUB_RESET:
        if (room != NULL)
            send_reset(room);
        break;
    case HUB_EPHEMERAL:
        break; /* no client of this version knows what it is */
    case HUB_STATUS:
        atomic_store(&w->server->is_degraded, event->is_degraded);
        break;
    }
    hub_event_free(&event);
}
