/* pages.c -- see pages.h. */
#include "wsserver/pages.h"

#include "base/mem.h"
#include "http/message.h"
#include "wsserver/client.h"
#include "wsserver/faults.h"
#include "wsserver/page_files.h"
#include "wsserver/server.h"

#define TEXT SPAN("text/plain; charset=utf-8")
#define NO_STORE "Cache-Control: no-store\r\n"
#define FILE_FIELDS                                                                                \
    "Cache-Control: no-cache\r\n"                                                                  \
    "Content-Security-Policy: default-src 'self'; connect-src 'self' ws: wss:\r\n"                 \
    "X-Content-Type-Options: nosniff\r\n"

static struct page health(const struct client *c, const struct http_message *m, struct buf *body)
{
    (void)c;
    (void)m;
    buf_put(body, SPAN("ok\n"));
    return (struct page){ 200, NO_STORE, TEXT };
}

/* A store that fails is no reason to send clients elsewhere: all nodes of it
 * would say so at once, and what is connected can still read. */
static struct page ready(const struct client *c, const struct http_message *m, struct buf *body)
{
    const struct server *s = client_worker(c)->server;
    bool is_draining = atomic_load(&s->is_draining);
    (void)m;

    buf_put(body, is_draining ? SPAN("draining\n") : SPAN("ready\n"));
    if (atomic_load(&s->is_degraded))
        buf_put(body, SPAN("degraded: the store fails\n"));
    return (struct page){ is_draining ? 503 : 200, NO_STORE, TEXT };
}

static struct page metrics(const struct client *c, const struct http_message *m, struct buf *body)
{
    const struct server *s = client_worker(c)->server;
    const void **counters = mem_array(const void *, (size_t)s->worker_count);
    struct hub_counters hub = { .published = 0 };
    const void *const hubs[] = { &hub };
    (void)m;

    for (int i = 0; i < s->worker_count; i++)
        counters[i] = &s->workers[i].counters;
    hub_counters_take(&hub, s->hub);
    metric_set(&hub.is_degraded, atomic_load(&s->is_degraded));
    metric_set(&hub.is_draining, atomic_load(&s->is_draining));
    const struct metric_instance all = { NULL, counters, (size_t)s->worker_count };
    const struct metric_instance one = { NULL, hubs, 1 };
    metrics_print(body, "wsserver_", counter_metrics, &all, 1);
    metrics_print(body, "wsserver_", hub_metrics, &one, 1);
    free(counters);
    return (struct page){ 200, NO_STORE, SPAN("text/plain; version=0.0.4; charset=utf-8") };
}

static struct page headers(const struct client *c, const struct http_message *m, struct buf *body)
{
    faults_write_headers(body, m, c->stream.fd);
    return (struct page){ 200, NO_STORE, SPAN("application/json") };
}

static const struct {
    struct span path;
    bool is_test;
    struct page (*make)(const struct client *c, const struct http_message *m, struct buf *body);
} pages[] = {
    { SPAN_INIT("/health"), false, health },
    { SPAN_INIT("/ready"), false, ready },
    { SPAN_INIT("/metrics"), false, metrics },
    { SPAN_INIT("/t/headers"), true, headers },
};

static struct page not_found(struct buf *body)
{
    buf_put(body, SPAN("There is nothing at this path.\n"
                       "Chat is at /ws/ROOM (a WebSocket), the demo page at /.\n"));
    return (struct page){ 404, NO_STORE, TEXT };
}

struct page pages_answer(const struct client *c, const struct http_message *m, struct buf *body)
{
    bool test = client_worker(c)->server->options->test_enabled;

    if (m->method_id != HTTP_GET && m->method_id != HTTP_HEAD) {
        buf_put(body, SPAN("Only GET and HEAD are answered here.\n"));
        return (struct page){ 405, "Allow: GET, HEAD\r\n" NO_STORE, TEXT };
    }
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
        if (span_equal(m->path, pages[i].path) && (test || !pages[i].is_test))
            return pages[i].make(c, m, body);
    for (const struct page_file *f = page_files; f->begin != NULL; f++) {
        if (!span_equal(m->path, f->path))
            continue;
        buf_put(body, span_of(f->begin, (size_t)(f->end - f->begin)));
        return (struct page){ 200, FILE_FIELDS, f->content_type };
    }
    return not_found(body);
}
