/* chat_text.c -- see chat_text.h. */
#include "wsserver/chat_text.h"

#include <inttypes.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/text.h"

/* The longest escape of one byte is \u00XX. */
enum { ESCAPE_MAX = 6 };

void chat_text_string(struct buf *to, struct span text)
{
    size_t size = text.len * ESCAPE_MAX + 1;
    buf_put(to, SPAN("\""));
    buf_added(to, text_json_escape(text, mem_check(buf_space(to, size)), size));
    buf_put(to, SPAN("\""));
}

static void put_field(struct buf *to, const char *key, struct span text)
{
    buf_print(to, ",\"%s\":", key);
    chat_text_string(to, text);
}

void chat_text_message(struct buf *to, const struct chat_message *m)
{
    buf_put(to, SPAN("{\"t\":\"msg\""));
    put_field(to, "ch", m->channel);
    put_field(to, "ep", m->ep);
    buf_print(to, ",\"seq\":%" PRIu64, m->seq);
    put_field(to, "mid", m->mid);
    if (m->cid.len > 0)
        put_field(to, "cid", m->cid);
    put_field(to, "from", m->from);
    buf_print(to, ",\"ts\":%" PRIu64 ",\"d\":", m->ts);
    buf_put(to, m->data);
    buf_put(to, SPAN("}"));
}

void chat_text_mid(uint64_t wall_ms, char out[HUB_MID_LEN + 1])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint8_t noise[16];
    random_bytes(noise, sizeof(noise));
    for (int i = 0; i < 10; i++)
        out[i] = digits[wall_ms >> (45 - 5 * i) & 31];
    for (int i = 0; i < 16; i++)
        out[10 + i] = digits[noise[i] & 31];
    out[HUB_MID_LEN] = '\0';
}
