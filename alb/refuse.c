/* refuse.c -- see refuse.h. */
#include "alb/refuse.h"

#include <stdio.h>

#include "http/message.h"

static void make_reply(struct http_reply *reply, int status, const char *fields, const char *text)
{
    *reply = (struct http_reply){
        .status = status,
        .fields = fields,
        .content_type = SPAN("text/plain; charset=utf-8"),
        .body = span_text(text),
        .close = true,
    };
}

void refuse_upgrade_reply(struct http_reply *reply, struct refuse_text *text,
                          const struct http_message *m, enum ws_refusal refusal)
{
    const int status = ws_refusal_status(refusal);

    snprintf(text->text, sizeof(text->text), "WebSocket upgrade refused: %s\n%s\n%s\n",
             ws_refusal_name(refusal), ws_refusal_cause(refusal),
             ws_refusal_cure(refusal, ws_behind_edge(m)));
    make_reply(reply, status,
               status == 426 ? "Cache-Control: no-store\r\nSec-WebSocket-Version: 13\r\n"
                             : "Cache-Control: no-store\r\n",
               text->text);
}

void refuse_upgrade_by_target_reply(struct http_reply *reply, struct refuse_text *text, int status,
                                    const char *why)
{
    const char *cause = "The target gave no answer to the upgrade that could be used.";
    const char *cure = "Look at the target's log and at its health in `alb status`.";

    for (enum ws_refusal r = WS_OK; r < WS_REFUSALS; r++) {
        if (strcmp(ws_refusal_name(r), why) == 0) {
            cause = ws_refusal_cause(r);
            cure = ws_refusal_cure(r, false);
        }
    }
    snprintf(text->text, sizeof(text->text), "WebSocket upgrade failed: %s\n%s\n%s\n", why, cause,
             cure);
    make_reply(reply, status, "Cache-Control: no-store\r\n", text->text);
}
