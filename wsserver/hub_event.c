/* hub_event.c -- making events and giving them to loops. */
#include "base/mem.h"
#include "wsserver/hub_core.h"

struct hub_event *event_new(enum hub_event_type type, struct span channel)
{
    struct hub_event *event = mem_new(struct hub_event);
    event->type = type;
    if (channel.len > 0)
        memcpy(event->channel, channel.ptr, channel.len);
    return event;
}

struct hub_event *event_answer(enum hub_event_type type, const struct request *to)
{
    struct hub_event *event = event_new(type, to->text[TEXT_CHANNEL]);
    event->conn = to->conn;
    event->request = to->number;
    return event;
}

void event_place(struct hub_event *event, const struct channel *channel)
{
    memcpy(event->ep, channel->head.ep, sizeof(event->ep));
    event->seq = channel->head.seq;
}

void event_add(struct hub_event *event, struct shared_text *text)
{
    event->messages = mem_room(event->messages, event->count, sizeof(struct shared_text *));
    event->messages[event->count++] = text;
}

void event_skip(struct hub_event *event, size_t n)
{
    for (size_t i = 0; i < n; i++)
        shared_text_drop(&event->messages[i]);
    event->count -= n;
    memmove(event->messages, event->messages + n, event->count * sizeof(struct shared_text *));
}

void hub_event_free(struct hub_event **event)
{
    struct hub_event *e = *event;
    if (e == NULL)
        return;
    shared_text_drop(&e->text);
    shared_text_drop(&e->presence);
    for (size_t i = 0; i < e->count; i++)
        shared_text_drop(&e->messages[i]);
    free(e->messages);
    mem_free(*event);
}

void event_to_conn(struct hub *hub, struct hub_event *event)
{
    hub->options.deliver(hub->options.user, event->conn.loop, event);
}

/* A copy for one more loop; the texts are shared. */
static struct hub_event *event_copy(const struct hub_event *event)
{
    struct hub_event *copy = mem_new(struct hub_event);
    *copy = *event;
    copy->messages = NULL;
    copy->count = 0;
    if (copy->text != NULL)
        shared_text_hold(copy->text);
    for (size_t i = 0; i < event->count; i++)
        event_add(copy, shared_text_hold(event->messages[i]));
    return copy;
}

void event_to_members(struct hub *hub, const struct channel *channel, struct hub_event *event)
{
    for (int loop = 0; loop < hub->options.loops; loop++)
        if (channel->members_on[loop] > 0)
            hub->options.deliver(hub->options.user, loop, event_copy(event));
    hub_event_free(&event);
}

void event_unavailable(struct hub *hub, const struct request *to)
{
    struct hub_event *event = event_answer(HUB_ERROR, to);
    event->code = "unavailable";
    event->is_temporary = true;
    event_to_conn(hub, event);
}
