/* faults.c -- see faults.h. */
#include "wsserver/faults.h"

#include "base/mem.h"
#include "http/message.h"
#include "net/addr.h"
#include "wsserver/chat_text.h"
#include "wsserver/mode.h"
#include "wsserver/query.h"

enum { AFTER_MAX_MS = 3600 * 1000 };

static const struct client_mode reject_mode;

static const struct {
    struct span path;
    const struct client_mode *mode;
} endpoints[] = {
    { SPAN_INIT("/t/echo"), &echo_mode },     { SPAN_INIT("/t/headers"), &headers_mode },
    { SPAN_INIT("/t/close"), &close_mode },   { SPAN_INIT("/t/silence"), &silence_mode },
    { SPAN_INIT("/t/reject"), &reject_mode },
};

bool faults_find(const struct http_message *request, const struct client_mode **mode,
                 struct upgrade_refusal *refusal)
{
    for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
        if (!span_equal(request->path, endpoints[i].path))
            continue;
        *mode = endpoints[i].mode;
        if (*mode != &reject_mode)
            return true;
        *mode = NULL;
        uint64_t status = query_number(request->query, "status", 403, 599);
        *refusal = (struct upgrade_refusal){
            .status = status < 200 ? 403 : (int)status,
            .cause = "This endpoint refuses every upgrade.",
            .cure = "None: it was asked for.",
        };
        return true;
    }
    return false;
}

static void open_quietly(struct client *c, const struct http_message *request)
{
    (void)c;
    (void)request;
}

static void ignore(struct client *c, bool is_text, struct span payload)
{
    (void)c;
    (void)is_text;
    (void)payload;
}

/* --- /t/echo, /t/silence ----------------------------------------------------------- */

static void echo(struct client *c, bool is_text, struct span payload)
{
    struct frame *frame = frame_new(is_text ? WS_OP_TEXT : WS_OP_BINARY, payload);
    client_send(c, frame, true);
    frame_drop(&frame);
}

const struct client_mode echo_mode = { .name = "echo", .open = open_quietly, .message = echo };

const struct client_mode silence_mode = {
    .name = "silence", .is_silent = true, .open = open_quietly, .message = ignore
};

/* --- /t/headers ---------------------------------------------------------------------- */

static void write_fields(struct buf *to, const struct http_message *request)
{
    for (size_t i = 0; i < request->field_count; i++) {
        buf_put(to, i == 0 ? SPAN("[") : SPAN(",["));
        chat_text_string(to, request->fields[i].name);
        buf_put(to, SPAN(","));
        chat_text_string(to, request->fields[i].value);
        buf_put(to, SPAN("]"));
    }
}

static void write_missing(struct buf *to, const struct http_message *request)
{
    static const enum http_name wanted[] = {
        HTTP_N_SEC_WEBSOCKET_KEY,
        HTTP_N_SEC_WEBSOCKET_VERSION,
        HTTP_N_SEC_WEBSOCKET_PROTOCOL,
        HTTP_N_SEC_WEBSOCKET_EXTENSIONS,
    };
    bool is_first = true;

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (http_find(request, wanted[i]) != NULL)
            continue;
        buf_put(to, is_first ? SPAN("") : SPAN(","));
        chat_text_string(to, http_name_text(wanted[i]));
        is_first = false;
    }
}

void faults_write_headers(struct buf *to, const struct http_message *request, int fd)
{
    struct addr peer = { .len = 0 };
    char text[ADDR_TEXT_MAX];

    addr_peer(fd, &peer);
    buf_put(to, SPAN("{\"method\":"));
    chat_text_string(to, request->method);
    buf_put(to, SPAN(",\"target\":"));
    chat_text_string(to, request->target);
    buf_put(to, SPAN(",\"fields\":["));
    write_fields(to, request);
    buf_print(to, "],\"peer\":\"%s\",\"missing\":[", addr_format(&peer, text));
    write_missing(to, request);
    buf_put(to, SPAN("]}"));
}

static void open_headers(struct client *c, const struct http_message *request)
{
    faults_write_headers(&client_worker(c)->text, request, c->stream.fd);
    client_send_text(c);
}

const struct client_mode headers_mode = { .name = "headers",
                                          .open = open_headers,
                                          .message = ignore };

/* --- /t/close -------------------------------------------------------------------------- */

struct closing {
    uint16_t code;
    char reason[WS_CONTROL_MAX - 1];
};

static void close_as_asked(struct client *c)
{
    struct closing asked = *(struct closing *)c->own;
    client_close(c, asked.code, asked.reason);
}

static void open_close(struct client *c, const struct http_message *request)
{
    struct closing *asked = mem_new(struct closing);
    size_t len;
    uint64_t code = query_number(request->query, "code", WS_CLOSE_NORMAL, 4999);

    asked->code = ws_close_is_valid((uint16_t)code) ? (uint16_t)code : WS_CLOSE_NO_STATUS;
    if (query_get(request->query, "reason", asked->reason, sizeof(asked->reason), &len) !=
        QUERY_GOOD)
        asked->reason[0] = '\0';
    c->own = asked;
    uint64_t after = query_number(request->query, "after", 0, AFTER_MAX_MS);
    if (after == 0)
        close_as_asked(c);
    else
        client_set_alarm(c, (uint32_t)after);
}

static void close_left(struct client *c, enum hub_left how)
{
    (void)how;
    mem_free(c->own);
}

const struct client_mode close_mode = {
    .name = "close",
    .open = open_close,
    .message = ignore,
    .alarm = close_as_asked,
    .left = close_left,
};

/* --- /t/reject: never opened ----------------------------------------------------------- */

static const struct client_mode reject_mode = { .name = "reject",
                                                .open = open_quietly,
                                                .message = ignore };
