/* ready_page.c -- see ready_page.h. */
#include "alb/ready_page.h"

#include "alb/balancer.h"
#include "alb/config.h"
#include "alb/group_health.h"
#include "alb/members.h"

static bool has_healthy_target(const struct balancer *b)
{
    size_t used = 0;

    for (size_t i = 0; i < b->members->group_count; i++) {
        const struct group *g = &b->members->groups[i];
        if (!g->config->is_used)
            continue;
        used++;
        if (group_healthy_count(g) > 0)
            return true;
    }
    return used == 0;
}

/* NULL, or in one line why /ready is 503: a literal. */
static const char *not_ready(const struct balancer *b)
{
    if (b->state != RUN_SERVING)
        return "it is shutting down\n";
    if (balancer_delays(b))
        return "it is about to be drained\n";
    if (balancer_is_drained(b))
        return "all targets are drained\n";
    if (b->config->health.options.ready_needs_target && !has_healthy_target(b))
        return "no target of any group is healthy\n";
    return NULL;
}

static void answer_health(const struct balancer *b, struct http_reply *reply)
{
    (void)b;
    reply->status = 200;
    reply->body = SPAN("ok\n");
}

static void answer_ready(const struct balancer *b, struct http_reply *reply)
{
    const char *why = not_ready(b);

    reply->status = why == NULL ? 200 : 503;
    reply->body = why == NULL ? SPAN("ready\n") : span_text(why);
}

static const struct {
    struct span path;
    void (*answer)(const struct balancer *b, struct http_reply *reply);
} pages[] = {
    { SPAN_INIT("/health"), answer_health },
    { SPAN_INIT("/ready"), answer_ready },
};

void ready_page(const struct balancer *b, const struct http_message *m, struct http_reply *reply)
{
    reply->status = 404;
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (!span_equal(m->path, pages[i].path))
            continue;
        reply->status = 405;
        reply->fields = "Allow: GET, HEAD\r\n";
        if (m->method_id == HTTP_GET || m->method_id == HTTP_HEAD) {
            reply->fields = NULL;
            pages[i].answer(b, reply);
        }
    }
}
