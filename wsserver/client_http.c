/* client_http.c -- the HTTP part of a connection: requests, and the 101. */
#include <stdio.h>

#include "base/bug.h"
#include "http/parse.h"
#include "http/reply.h"
#include "ws/handshake.h"
#include "wsserver/client.h"
#include "wsserver/mode.h"
#include "wsserver/pages.h"
#include "wsserver/server.h"
#include "wsserver/upgrade.h"

static void send_raw(struct client *c)
{
    struct buf *text = &client_worker(c)->text;
    struct frame *frame = frame_raw(buf_data(text));

    outbox_push(&c->out, frame, true);
    frame_drop(&frame);
    buf_drop(text, buf_len(text));
    worker_touch(client_worker(c), c);
}

static void send_reply(struct client *c, const struct http_reply *reply)
{
    if (!http_reply(&client_worker(c)->text, reply))
        bug("a reply that cannot be written");
    send_raw(c);
    if (reply->close)
        client_finish(c);
    /* The time for the next request begins. */
    c->since = loop_now_ms(&client_worker(c)->loop);
    c->is_reused = true;
    c->is_rearmed = true;
}

/* Nothing is read behind a request with a body, or one that two servers could
 * read differently. */
static bool must_close(const struct http_message *m)
{
    bool has_body = m->framing == HTTP_BODY_CHUNKED ||
                    (m->framing == HTTP_BODY_LENGTH && m->content_length > 0);
    return !m->keep_alive || has_body || m->class_ >= HTTP_AMBIGUOUS;
}

static void answer_page(struct client *c, const struct http_message *m)
{
    struct buf body;

    buf_init(&body, UINT32_MAX / 2);
    struct page page = pages_answer(c, m, &body);
    const struct http_reply reply = {
        .status = page.status,
        .server = "wsserver",
        .fields = page.fields,
        .content_type = page.content_type,
        .body = buf_data(&body),
        .head_only = m->method_id == HTTP_HEAD,
        .close = must_close(m),
    };
    send_reply(c, &reply);
    buf_done(&body);
    metric_add(&client_worker(c)->counters.requests, 1);
}

/* Fields that tell a client what to do about the status. */
static const char *cure_fields(int status)
{
    switch (status) {
    case 426:
        return "Cache-Control: no-store\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    case 503:
        return "Cache-Control: no-store\r\nRetry-After: 1\r\n";
    default:
        return "Cache-Control: no-store\r\n";
    }
}

static void refuse(struct client *c, int status, const char *cause, const char *cure,
                   bool head_only, bool close)
{
    char body[1024];
    int len = snprintf(body, sizeof(body), "%s\n%s\n", cause, cure);
    const struct http_reply reply = {
        .status = status,
        .server = "wsserver",
        .fields = cure_fields(status),
        .content_type = SPAN("text/plain; charset=utf-8"),
        .body = span_of(body, (size_t)len),
        .head_only = head_only,
        .close = close,
    };

    send_reply(c, &reply);
}

static void refuse_upgrade(struct client *c, const struct http_message *m,
                           const struct upgrade_refusal *why)
{
    metric_add(&client_worker(c)->counters.upgrades_refused, 1);
    /* A client that asked to upgrade may send frames already. */
    refuse(c, why->status, why->cause, why->cure, m->method_id == HTTP_HEAD,
           m->wants_upgrade || must_close(m));
}

static void open_websocket(struct client *c, const struct http_message *m,
                           const struct client_mode *mode)
{
    struct worker *w = client_worker(c);
    struct span key = http_value(m, HTTP_N_SEC_WEBSOCKET_KEY);

    if (!ws_write_101(&w->text, key, mode->protocol, SPAN("")))
        bug("a 101 that cannot be written");
    send_raw(c);
    metric_add(&w->counters.upgrades_opened, 1);
    client_open(c, mode);
    mode->open(c, m);
}

static void answer(struct client *c, const struct http_message *m)
{
    const struct client_mode *mode;
    struct upgrade_refusal refusal = { 0 };

    switch (upgrade_check(client_worker(c)->server, m, &mode, &refusal)) {
    case UPGRADE_OTHER:
        answer_page(c, m);
        return;
    case UPGRADE_GOOD:
        open_websocket(c, m, mode);
        return;
    case UPGRADE_REFUSED:
        refuse_upgrade(c, m, &refusal);
        return;
    }
    bug("unknown outcome");
}

size_t client_take_request(struct client *c, struct span bytes)
{
    struct http_message *m = client_worker(c)->message;
    size_t scanned = c->scanned;

    switch (http_request_parse(bytes, HTTP_DEFENSIVE, m, &scanned)) {
    case HTTP_PARTIAL:
        c->scanned = (uint32_t)scanned;
        return 0;
    case HTTP_REFUSED:
        refuse(c, m->refuse_status, m->refuse_why, "Send a request as RFC 9112 has it.", false,
               true);
        return bytes.len;
    case HTTP_PARSED:
        c->scanned = 0;
        answer(c, m);
        return m->head_len;
    }
    bug("unknown outcome of a parse");
}
