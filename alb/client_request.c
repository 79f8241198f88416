/*
 * client_request.c -- what a client asks: read a head, have it answered, see it end.
 *
 * The steps of the states in client.c. A step uses input, queues output, and
 * may change `state`; it never touches a watcher and never frees the client.
 */
#include "base/bug.h"
#include "base/log.h"
#include "http/parse.h"
#include "http/proxy_head.h"

#include "alb/balancer.h"
#include "alb/client_private.h"
#include "alb/config.h"
#include "alb/doctor.h"
#include "alb/leavers.h"
#include "alb/target.h"
#include "alb/tunnel.h"
#include "alb/viewer.h"
#include "alb/worker.h"

enum step { STEP_AGAIN, STEP_NEED_INPUT };

/* --- HEAD -------------------------------------------------------------------- */

/* There is no whole head. A client may close its sending half and read on, so
 * what was answered is still sent. */
static enum step need_input(struct client *c, struct span bytes)
{
    struct http_message *m = &c->worker->request;

    if (!c->in_eof)
        return STEP_NEED_INPUT;
    if (http_request_cut_off(bytes, m)) {
        client_count_class(c, m);
        client_refuse_head(c, m, bytes, 400, "client closed within the request head");
    } else {
        client_change_state(c, LINGER);
    }
    return STEP_AGAIN;
}

/* With an answer of our own nothing more of the body is read. */
static size_t body_that_came(const struct http_message *m, struct span bytes)
{
    if (m->framing == HTTP_BODY_NONE)
        return 0;
    return m->framing == HTTP_BODY_LENGTH && m->content_length < bytes.len
               ? (size_t)m->content_length
               : bytes.len;
}

void client_log_torn_head(struct client *c)
{
    static const char why[] = "client reset within the request head";
    struct http_message *m = c->waits_for_room ? NULL : &c->worker->request;

    if (m != NULL && !http_request_cut_off(buf_data(&c->in), m))
        return; /* nothing but empty lines */
    c->out_before = (uint32_t)buf_len(&c->out);
    if (m != NULL)
        client_count_class(c, m);
    client_log_own(c, m, c->is_cut ? 503 : 460, c->is_cut ? c->end_reason : why);
    if (m != NULL && !c->is_cut)
        client_upgrade_torn(c, buf_data(&c->in), why);
}

/* What is no request may be a head that no setting has us wait for. */
static void hint_at_proxy(const struct client *c, struct span bytes)
{
    if (proxy_head_begins(bytes))
        log_info("what came to listener %s looks like the PROXY protocol: set proxy_protocol = on"
                 " in [listener %s]",
                 c->listener->name, c->listener->name);
}

void client_expire_head(struct client *c)
{
    hint_at_proxy(c, buf_data(&c->in));
    if (http_request_cut_off(buf_data(&c->in), &c->worker->request))
        client_refuse_head(c, NULL, buf_data(&c->in), 408, "request head not whole in time");
    else
        client_end(c, "idle");
}

static enum step step_head(struct client *c, struct span *bytes)
{
    struct http_message *m = &c->worker->request;

    viewer_forget(&c->facts);
    c->waits_for_room = bytes->len > 0 && buf_len(&c->out) >= CLIENT_OUT_BUSY;
    if (c->waits_for_room)
        return STEP_NEED_INPUT;
    if (bytes->len == 0)
        return need_input(c, *bytes);
    c->asked = (uint32_t)bytes->len;
    c->out_before = (uint32_t)buf_len(&c->out);
    switch (http_request_parse(*bytes, (enum http_desync_mode)c->worker->config->alb.desync_mode, m,
                               &c->scanned)) {
    case HTTP_PARTIAL:
        return need_input(c, *bytes);
    case HTTP_REFUSED:
        hint_at_proxy(c, *bytes);
        client_count_class(c, m);
        client_refuse_head(c, m, span_of(bytes->ptr, m->head_len), m->refuse_status, m->refuse_why);
        return STEP_AGAIN;
    case HTTP_PARSED:
        break;
    }
    c->scanned = 0;
    *bytes = span_after(*bytes, m->head_len);
    c->asked = (uint32_t)(m->head_len + body_that_came(m, *bytes));
    client_answer(c, m);
    return STEP_AGAIN;
}

/* --- EXCHANGE ---------------------------------------------------------------- */

static void end_exchange(struct client *c, struct span rest)
{
    const bool close = exchange_must_close(c->exchange) || c->worker->is_draining ||
                       leaver_is_client(c->worker, &c->facts);

    client_doubt(c, rest);
    client_free_exchange(c);
    client_change_state(c, close ? LINGER : HEAD);
}

/* Nothing was answered yet: say so in place of the target. */
static void answer_for_target(struct client *c, struct span rest)
{
    const int status = exchange_status(c->exchange);
    struct target *t = exchange_target(c->exchange);
    const struct upgrade_case *failed = exchange_upgrade_failed(c->exchange);
    struct doctor_text text;
    struct http_reply how;
    const size_t before = buf_len(&c->out);

    client_doubt(c, rest);
    if (failed == NULL) /* the doctor has a line of its own */
        log_info("exchange failed status=%d reason=\"%s\" target=%s", status,
                 exchange_why(c->exchange), t == NULL ? "-" : t->text);
    if (failed != NULL) {
        doctor_reply(c->worker, failed, status, &how, &text);
        how.head_only = exchange_is_head(c->exchange);
        client_reply(c, &how);
    } else {
        client_reply_error(c, status, exchange_is_head(c->exchange));
    }
    exchange_count_sent(c->exchange, buf_len(&c->out) - before);
    client_free_exchange(c);
    client_change_state(c, LINGER);
}

static void become_tunnel(struct client *c, struct span *early)
{
    struct exchange_tunnel parts;

    exchange_take_tunnel(c->exchange, &parts);
    exchange_free(&c->exchange);
    tunnel_start(c->worker, &c->stream, &c->io, &c->out, *early, &parts);
    early->len = 0;
    c->became_tunnel = true;
    client_end(c, "upgraded");
}

/* What came of the response still goes out; then the client sees that it ends
 * too early. */
static void break_off(struct client *c)
{
    client_count_status(c, exchange_status(c->exchange));
    if (exchange_must_reset(c->exchange)) {
        stream_reset(&c->stream);
        client_end(c, exchange_why(c->exchange));
        return;
    }
    exchange_free(&c->exchange);
    client_change_state(c, LINGER);
}

static enum step step_exchange(struct client *c, struct span *bytes)
{
    exchange_take(c->exchange, bytes);
    switch (exchange_state(c->exchange)) {
    case EXCHANGE_RUNNING:
        return STEP_NEED_INPUT;
    case EXCHANGE_DONE:
        end_exchange(c, *bytes);
        return STEP_AGAIN;
    case EXCHANGE_FAILED:
        answer_for_target(c, *bytes);
        return STEP_AGAIN;
    case EXCHANGE_BROKEN:
        break_off(c);
        return STEP_AGAIN;
    case EXCHANGE_UPGRADED:
        become_tunnel(c, bytes);
        return STEP_NEED_INPUT;
    }
    bug("unknown exchange state");
}

/* --- LINGER ------------------------------------------------------------------ */

static enum step step_linger(struct client *c, struct span *bytes)
{
    *bytes = span_after(*bytes, bytes->len);
    if (c->in_eof && buf_len(&c->out) == 0 && !c->is_unproved)
        client_end(c, "closed");
    return STEP_NEED_INPUT;
}

static const struct {
    const char *name;
    enum step (*run)(struct client *, struct span *bytes);
} steps[] = {
    [HEAD] = { "head", step_head },
    [EXCHANGE] = { "exchange", step_exchange },
    [LINGER] = { "linger", step_linger },
};

void client_run(struct client *c, struct span *bytes)
{
    enum step next = STEP_AGAIN;

    while (next == STEP_AGAIN && c->end_reason == NULL)
        next = steps[c->state].run(c, bytes);
}

const char *client_state_name(const struct client *c)
{
    return steps[c->state].name;
}
