/* protocol_write.c -- the server's own frames of wsserver.v1.json. */
#include <assert.h>
#include <inttypes.h>
#include <jansson.h>

#include "base/bug.h"
#include "wsserver/chat_text.h"
#include "wsserver/hub.h"
#include "wsserver/protocol.h"

static const char *const codes[] = {
    [PROTOCOL_OK] = "",
    [PROTOCOL_BAD_JSON] = "bad_json",
    [PROTOCOL_BAD_TYPE] = "bad_type",
    [PROTOCOL_BAD_FIELD] = "bad_field",
    [PROTOCOL_BAD_CH] = "bad_ch",
    [PROTOCOL_NOT_SUB] = "not_sub",
    [PROTOCOL_LIMIT] = "limit",
    [PROTOCOL_TOO_BIG] = "too_big",
    [PROTOCOL_UNAVAILABLE] = "unavailable",
};

void protocol_write_hello(struct buf *to, const struct protocol_hello *h)
{
    buf_print(to,
              "{\"t\":\"hello\",\"proto\":\"wsserver.v1.json\",\"node\":\"%s\",\"conn\":\"%s\","
              "\"ping\":%u,\"limits\":{\"msg\":%u,\"ch\":%d},\"resume_ttl\":%d,\"ts\":%" PRIu64 "}",
              h->node, h->conn, h->ping_ms, h->max_message, PROTOCOL_CHANNELS_MAX,
              PROTOCOL_RESUME_TTL_MS, h->ts);
}

/* --- welcome ------------------------------------------------------------------ */

void protocol_begin_welcome(struct buf *to, uint64_t id, struct span user, const char *sess)
{
    buf_print(to, "{\"t\":\"welcome\",\"id\":%" PRIu64 ",\"user\":", id);
    chat_text_string(to, user);
    buf_print(to, ",\"sess\":\"%s\",\"sess_exp\":%d,\"resumed\":{", sess, PROTOCOL_RESUME_TTL_MS);
}

static void begin_outcome(struct buf *to, struct span ch)
{
    struct span so_far = buf_data(to);

    assert(so_far.len > 0);
    if (so_far.len > 0 && so_far.ptr[so_far.len - 1] != '{')
        buf_put(to, SPAN(","));
    chat_text_string(to, ch);
}

void protocol_welcome_ok(struct buf *to, struct span ch, const char *ep, uint64_t from,
                         uint64_t end)
{
    begin_outcome(to, ch);
    buf_print(to, ":{\"ok\":true,\"ep\":\"%s\",\"from\":%" PRIu64 ",\"to\":%" PRIu64 "}", ep, from,
              end);
}

void protocol_welcome_lost(struct buf *to, struct span ch, const char *why, const char *ep,
                           uint64_t have_lo, uint64_t have_hi)
{
    begin_outcome(to, ch);
    buf_print(to, ":{\"ok\":false,\"why\":\"%s\"", why);
    if (ep != NULL)
        buf_print(to, ",\"ep\":\"%s\",\"have\":[%" PRIu64 ",%" PRIu64 "]", ep, have_lo, have_hi);
    buf_put(to, SPAN("}"));
}

void protocol_end_welcome(struct buf *to)
{
    buf_put(to, SPAN("}}"));
}

/* --- answers -------------------------------------------------------------------- */

void protocol_write_joined(struct buf *to, uint64_t id, const char *ch, const char *ep,
                           uint64_t from, uint64_t seq)
{
    buf_print(to,
              "{\"t\":\"ok\",\"id\":%" PRIu64 ",\"ch\":\"%s\",\"ep\":\"%s\",\"from\":%" PRIu64
              ",\"seq\":%" PRIu64 "}",
              id, ch, ep, from, seq);
}

void protocol_write_left(struct buf *to, uint64_t id, struct span ch)
{
    buf_print(to, "{\"t\":\"ok\",\"id\":%" PRIu64 ",\"ch\":\"%.*s\"}", id, SPAN_ARGS(ch));
}

void protocol_write_ack(struct buf *to, const struct protocol_ack *a)
{
    buf_print(to,
              "{\"t\":\"ack\",\"id\":%" PRIu64 ",\"ch\":\"%s\",\"ep\":\"%s\",\"seq\":%" PRIu64
              ",\"mid\":\"%s\",\"dup\":%s,\"dur\":\"%s\"}",
              a->id, a->ch, a->ep, a->seq, a->mid, a->is_duplicate ? "true" : "false",
              a->durability);
}

void protocol_begin_hist(struct buf *to, uint64_t id, const char *ch, const char *ep)
{
    buf_print(to, "{\"t\":\"hist\",\"id\":%" PRIu64 ",\"ch\":\"%s\",\"ep\":\"%s\",\"msgs\":[", id,
              ch, ep);
}

void protocol_end_hist(struct buf *to, bool more)
{
    buf_print(to, "],\"more\":%s}", more ? "true" : "false");
}

void protocol_write_err(struct buf *to, uint64_t id, enum protocol_code code, uint32_t retry_ms,
                        const char *msg)
{
    buf_put(to, SPAN("{\"t\":\"err\""));
    if (id != 0)
        buf_print(to, ",\"id\":%" PRIu64, id);
    buf_print(to, ",\"code\":\"%s\",\"temp\":%s", codes[code], retry_ms > 0 ? "true" : "false");
    if (retry_ms > 0)
        buf_print(to, ",\"retry\":%u", retry_ms);
    buf_put(to, SPAN(",\"msg\":"));
    chat_text_string(to, span_text(msg));
    buf_put(to, SPAN("}"));
}

void protocol_write_ping(struct buf *to, uint64_t ts)
{
    buf_print(to, "{\"t\":\"ping\",\"ts\":%" PRIu64 "}", ts);
}

void protocol_write_pong(struct buf *to, int64_t ts)
{
    buf_print(to, "{\"t\":\"pong\",\"ts\":%" PRId64 "}", ts);
}

void protocol_write_drain(struct buf *to, uint32_t after_ms, uint32_t by_ms)
{
    buf_print(to, "{\"t\":\"drain\",\"after\":%u,\"by\":%u,\"why\":\"restart\"}", after_ms, by_ms);
}

/* --- the hub's texts ---------------------------------------------------------------- */

size_t protocol_message_size(const struct protocol_request *pub, struct span user)
{
    static const char frame[] =
        "{\"t\":\"msg\",\"ch\":\"\",\"ep\":\"\",\"seq\":9223372036854775807,\"mid\":\"\","
        "\"cid\":\"\",\"from\":\"\",\"ts\":9223372036854775807,\"d\":}";

    /* A quote or a backslash is two bytes in JSON; nothing else in a name grows. */
    return sizeof(frame) + HUB_EP_LEN + HUB_MID_LEN + pub->ch.len + 2 * pub->cid.len +
           2 * user.len + pub->d.len;
}

void protocol_write_presence(struct buf *to, struct span text, uint64_t rev)
{
    /* The first match is the field: before it there is a channel name only. */
    static const char key[] = "\"rev\":";
    const char *at = memmem(text.ptr, text.len, key, sizeof(key) - 1);
    if (at == NULL)
        bug("a presence text without a rev");
    at += sizeof(key) - 1;

    const char *end = text.ptr + text.len;
    buf_put(to, span_of(text.ptr, (size_t)(at - text.ptr)));
    buf_print(to, "%" PRIu64, rev);
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    buf_put(to, span_of(at, (size_t)(end - at)));
}

/* --- bare text mode ----------------------------------------------------------------- */

void protocol_write_text_data(struct buf *to, struct span text)
{
    buf_put(to, SPAN("{\"text\":"));
    chat_text_string(to, text);
    buf_put(to, SPAN("}"));
}

void protocol_write_bare(struct buf *to, struct span msg)
{
    json_t *root = json_loadb(msg.ptr, msg.len, JSON_ALLOW_NUL, NULL);
    const json_t *from = json_object_get(root, "from"), *d = json_object_get(root, "d");
    const json_t *text = json_object_get(d, "text");

    buf_print(to, "%s: ", json_is_string(from) ? json_string_value(from) : "?");
    if (json_is_string(text)) {
        buf_put(to, span_of(json_string_value(text), json_string_length(text)));
    } else {
        char *dump = json_dumps(d, JSON_COMPACT | JSON_ENCODE_ANY);
        buf_put(to, span_text(dump == NULL ? "null" : dump));
        free(dump);
    }
    json_decref(root);
}
