/* refuse.c -- see refuse.h. */
#include "alb/refuse.h"

#include <stdio.h>

#include "http/message.h"
#include "http/reply.h"

enum { TEXT_MAX = 1024 };

static void reply_text(struct buf *to, int status, const char *fields, const char *text)
{
    const struct http_reply reply = {
        .status = status,
        .server = ALB_SERVER,
        .fields = fields,
        .content_type = SPAN("text/plain; charset=utf-8"),
        .body = span_text(text),
        .close = true,
    };

    http_reply(to, &reply);
}

void refuse_upgrade_reply(struct buf *to, const struct http_message *m, enum ws_refusal refusal)
{
    const bool behind_edge = ws_behind_edge(m);
    char text[TEXT_MAX];

    snprintf(text, sizeof(text), "WebSocket upgrade refused: %s\n%s\n%s\n",
             ws_refusal_name(refusal), ws_refusal_cause(refusal),
             ws_refusal_cure(refusal, behind_edge));
    reply_text(to, ws_refusal_status(refusal),
               ws_refusal_status(refusal) == 426
                   ? "Cache-Control: no-store\r\nSec-WebSocket-Version: 13\r\n"
                   : "Cache-Control: no-store\r\n",
               text);
}

void refuse_upgrade_by_target_reply(struct buf *to, int status, const char *why)
{
    char text[TEXT_MAX];

    for (enum ws_refusal r = WS_OK; r < WS_REFUSALS; r++) {
        if (strcmp(ws_refusal_name(r), why) != 0)
            continue;
        snprintf(text, sizeof(text), "WebSocket upgrade failed: %s\n%s\n%s\n", why,
                 ws_refusal_cause(r), ws_refusal_cure(r, false));
        reply_text(to, status, "Cache-Control: no-store\r\n", text);
        return;
    }
    snprintf(text, sizeof(text),
             "WebSocket upgrade failed: %s\n"
             "The target gave no answer to the upgrade that could be used.\n"
             "Look at the target's log and at its health in `alb status`.\n",
             why);
    reply_text(to, status, "Cache-Control: no-store\r\n", text);
}
