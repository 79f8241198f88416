/* admin_upgrade.c -- POST /upgrade: start another process, and say what came of it. */
#include <jansson.h>
#include <stdio.h>

#include "base/mem.h"

#include "alb/admin_private.h"
#include "alb/upgrade.h"

static void say(struct admin_answer *a, int status, const char *text)
{
    json_t *json = status == 200 ? json_pack("{s:b,s:s}", "ok", 1, "message", text)
                                 : json_pack("{s:b,s:[s]}", "ok", 0, "errors", text);

    admin_answer_json(a, status, json);
}

/* NULL when the body names none; then it is the file that this process was started from. */
static const char *binary_of(const json_t *body)
{
    return json_string_value(json_object_get(body, "binary"));
}

static bool read_body(struct span body, json_t **json)
{
    *json = body.len == 0 ? NULL : json_loadb(body.ptr, body.len, 0, NULL);
    return body.len == 0 || json_is_object(*json);
}

/* Who asked, until there is something to say. */
struct asked {
    struct admin_pending pending;
    struct balancer *balancer;
    bool ok;
    char text[512];
};

static void on_told(void *user, bool ok, const char *text)
{
    struct asked *asked = user;

    asked->ok = ok;
    snprintf(asked->text, sizeof(asked->text), "%s", text);
    asked->pending.ready(asked->pending.user);
}

static void finish(struct admin_pending *pending, struct admin_answer *a)
{
    struct asked *asked = (struct asked *)(void *)pending;

    say(a, asked->ok ? 200 : 500, asked->text);
    free(asked);
}

static void give_up(struct admin_pending *pending)
{
    struct asked *asked = (struct asked *)(void *)pending;

    upgrade_forget(asked->balancer, asked);
    free(asked);
}

static void start(struct balancer *b, const char *binary, struct admin_answer *a)
{
    struct asked *asked = mem_new(struct asked);
    char why[256];

    asked->pending.finish = finish;
    asked->pending.give_up = give_up;
    asked->balancer = b;
    if (upgrade_start(b, binary, on_told, asked, why, sizeof(why))) {
        a->pending = &asked->pending;
    } else {
        free(asked);
        say(a, 409, why);
    }
}

void admin_post_upgrade(struct balancer *b, const struct admin_request *r, struct admin_answer *a)
{
    json_t *json;

    if (read_body(r->body, &json))
        start(b, binary_of(json), a);
    else
        say(a, 400, "the body is no JSON object, such as {\"binary\":\"/usr/sbin/alb\"}");
    json_decref(json);
}
