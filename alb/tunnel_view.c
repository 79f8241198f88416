/* tunnel_view.c -- see tunnel_view.h. */
#include "alb/tunnel_view.h"

#include "base/bug.h"
#include "base/clock.h"
#include "base/text.h"

#include "alb/balancer.h"
#include "alb/log_put.h"
#include "alb/target.h"
#include "alb/target_name.h"

enum {
    NAME_MAX_ESCAPED = 6 * TARGET_NAME_MAX, /* any name of ours, in JSON */
    ROW_MAX = 3 * NAME_MAX_ESCAPED + 2048,  /* three names, and the rest */
};

const char *tunnel_state_name(enum tunnel_state state)
{
    switch (state) {
    case TUNNEL_OPEN:
        return "open";
    case TUNNEL_DRAINING:
        return "draining";
    case TUNNEL_HALF_CLOSED:
        return "half-closed";
    case TUNNEL_CLOSING:
        return "closing";
    case TUNNEL_STATES:
        break;
    }
    bug("unknown state of a tunnel");
}

void tunnel_view_keep(struct tunnel_view *r)
{
    target_key_ref(r->target);
}

void tunnel_view_done(struct tunnel_view *r)
{
    target_key_unref(&r->target);
}

static uint64_t frames_of(const struct tunnel_side *side)
{
    uint64_t n = 0;

    for (int i = 0; i < WS_KINDS; i++)
        n += side->frames[i];
    return n;
}

uint64_t tunnel_view_bytes(const struct tunnel_view *r)
{
    return r->from[FROM_CLIENT].bytes + r->from[FROM_TARGET].bytes;
}

uint64_t tunnel_view_frames(const struct tunnel_view *r)
{
    return frames_of(&r->from[FROM_CLIENT]) + frames_of(&r->from[FROM_TARGET]);
}

uint32_t tunnel_view_idle_ms(const struct tunnel_view *r)
{
    const uint32_t client = r->from[FROM_CLIENT].idle_ms, target = r->from[FROM_TARGET].idle_ms;

    return client < target ? client : target;
}

/* --- JSON ---------------------------------------------------------------------------------- */

/* `,"name":` */
static char *put_key(char *at, const char *name)
{
    at = LOG_PUT(at, ",\"");
    at = log_put_text(at, span_text(name));
    return LOG_PUT(at, "\":");
}

static char *put_number(char *at, const char *name, uint64_t n)
{
    return log_put_number(put_key(at, name), n);
}

/* One of ours, with nothing to escape. */
static char *put_word(char *at, const char *name, const char *word)
{
    at = put_key(at, name);
    *at++ = '"';
    at = log_put_text(at, span_text(word));
    *at++ = '"';
    return at;
}

static char *put_name(char *at, const char *name, const char *text)
{
    at = put_key(at, name);
    *at++ = '"';
    at += text_json_escape(span_text(text), at, NAME_MAX_ESCAPED);
    *at++ = '"';
    return at;
}

static char *put_time(char *at, const char *name, uint64_t wall_us)
{
    char text[CLOCK_TEXT_MAX];

    return put_word(at, name, clock_iso_us(wall_us, text));
}

static char *put_client(char *at, const struct tunnel_facts *f)
{
    at = LOG_PUT(at, ",\"client\":\"");
    at = log_put_ip(at, &f->client, true);
    *at++ = ':';
    at = log_put_number(at, f->port);
    *at++ = '"';
    return at;
}

static char *put_frames(char *at, const struct tunnel_side *side)
{
    at = put_key(at, "frames");
    char *const open = at;
    for (int i = 0; i < WS_KINDS; i++)
        at = put_number(at, ws_kind_name((enum ws_kind)i), side->frames[i]);
    *open = '{'; /* where the first comma is */
    *at++ = '}';
    return at;
}

static char *put_ping(char *at, const struct tunnel_side *side)
{
    if (side->rtt_most_ms == 0)
        return LOG_PUT(at, ",\"ping_ms\":null");
    at = log_put_number(LOG_PUT(at, ",\"ping_ms\":{\"last\":"), side->rtt_ms);
    at = log_put_number(LOG_PUT(at, ",\"most\":"), side->rtt_most_ms);
    *at++ = '}';
    return at;
}

static char *put_side(char *at, const char *name, const struct tunnel_side *side)
{
    at = put_key(at, name);
    char *const open = at;
    at = put_number(at, "bytes", side->bytes);
    *open = '{';
    at = put_frames(at, side);
    at = put_number(at, "idle_ms", side->idle_ms);
    at = put_ping(at, side);
    if (side->close_code == 0)
        at = LOG_PUT(at, ",\"close_code\":null");
    else
        at = put_number(at, "close_code", side->close_code);
    at = log_put_text(put_key(at, "opaque"), side->is_opaque ? SPAN("true") : SPAN("false"));
    *at++ = '}';
    return at;
}

static char *put_end(char *at, const struct tunnel_view *r)
{
    const enum tunnel_end end = (enum tunnel_end)r->end;

    if (r->is_over)
        at = put_time(at, "ended", r->seen_us);
    at = put_word(at, "end", tunnel_end_name(end));
    return put_word(at, "by", tunnel_party_name(tunnel_end_party(end)));
}

static char *put_row(char *at, const struct tunnel_view *r)
{
    const struct tunnel_facts *f = &r->facts;

    at = LOG_PUT(at, "{\"id\":\"TID_");
    at = log_put_hex(log_put_hex(at, f->id[0]), f->id[1]);
    *at++ = '"';
    at = put_name(at, "listener", f->listener->name);
    at = put_number(at, "rule", f->rule);
    at = put_name(at, "group", r->target->group);
    at = put_name(at, "target", r->target->text);
    at = put_client(at, f);
    at = put_word(at, "state", tunnel_state_name((enum tunnel_state)r->state));
    if (!r->is_over)
        at = put_number(at, "pid", r->pid);
    at = put_time(at, "started", r->seen_us - r->age_ms * 1000);
    at = put_number(at, "age_ms", r->age_ms);
    if (r->end != TUNNEL_ALIVE)
        at = put_end(at, r);
    at = put_side(at, "from_client", &r->from[FROM_CLIENT]);
    at = put_side(at, "from_target", &r->from[FROM_TARGET]);
    *at++ = '}';
    return at;
}

bool tunnel_view_put(struct buf *to, const struct tunnel_view *r)
{
    char *const at = buf_space(to, ROW_MAX);

    if (at == NULL)
        return false;
    buf_added(to, (size_t)(put_row(at, r) - at));
    return true;
}
