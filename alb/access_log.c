/*
 * access_log.c -- see access_log.h.
 *
 * Fields 1 to 34 are the managed balancer's; ours come after them, so that its
 * readers, which ignore what follows, read ours. A field that it quotes is
 * quoted, with '"' and control characters as \xHH, so that no client can forge
 * a field or a row.
 */
#include "alb/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/message.h"

#include "alb/balancer.h"
#include "alb/config.h"
#include "alb/route.h"
#include "alb/target.h"
#include "alb/worker.h"

/* The texts of an entry, in this order. */
enum text {
    TEXT_CLIENT,
    TEXT_REQUEST,
    TEXT_USER_AGENT,
    TEXT_TRACE,
    TEXT_CIPHER,
    TEXT_PROTOCOL,
    TEXT_SNI,
    TEXT_CONNECTION,
    TEXT_REDIRECT_URL,
    TEXT_TRANSFORMED_HOST,
    TEXT_TRANSFORMED_URI,
    TEXT_COUNT
};

enum { TEXTS_BOUND = 11 * (4 * ACCESS_TEXT_MAX + 8) };

/* A text cut to the bound (with a mark), safe inside quotes. */
static void put_safe(struct buf *to, struct span text)
{
    const size_t n = text.len < ACCESS_TEXT_MAX ? text.len : ACCESS_TEXT_MAX;

    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
            buf_print(to, "\\x%02X", c);
        else
            buf_put(to, span_of(&text.ptr[i], 1));
    }
    if (n < text.len)
        buf_put(to, SPAN("..."));
}

static void end_text(struct buf *to)
{
    buf_put(to, span_of("", 1));
}

static void put_or_dash(struct buf *to, struct span text)
{
    if (text.len == 0)
        buf_put(to, SPAN("-"));
    else
        put_safe(to, text);
    end_text(to);
}

static void put_address(struct buf *to, const struct access_client *c)
{
    char ip[IP_TEXT_MAX];

    buf_print(to, c->ip.family == 6 ? "[%s]:%u" : "%s:%u", ip_format(&c->ip, ip), c->port);
    end_text(to);
}

/* METHOD scheme://host:port/uri HTTP/x.y */
static void put_request(struct buf *to, const struct access_client *c, const struct http_message *m,
                        struct span host)
{
    const char *scheme = c->is_https ? "https" : "http";

    if (m == NULL) {
        buf_print(to, "- %s://-:%u- -", scheme, c->listener_port);
        end_text(to);
        return;
    }
    put_safe(to, m->method);
    if (m->authority.len > 0) {
        buf_put(to, SPAN(" "));
        put_safe(to, m->target);
    } else {
        const bool has_port = host.len > 0 && host.ptr[host.len - 1] != ']' &&
                              memchr(host.ptr, ':', host.len) != NULL;
        buf_print(to, " %s://", scheme);
        put_safe(to, host);
        if (!has_port)
            buf_print(to, ":%u", c->listener_port);
        put_safe(to, m->target);
    }
    buf_print(to, " HTTP/1.%d", m->minor);
    end_text(to);
}

/* As it came, whatever a transform made of it. */
static struct span host_asked_for(const struct http_message *m, const struct route *route)
{
    if (m == NULL)
        return SPAN("");
    return route != NULL && route->transformed_host.len > 0 ? route->asked_host : m->host;
}

static void put_outcome(struct buf *to, const struct route *route)
{
    static const struct route none;
    const struct route *r = route == NULL ? &none : route;

    put_or_dash(to, r->redirect_url);
    put_or_dash(to, r->transformed_host);
    put_or_dash(to, r->transformed_uri);
}

struct access_entry *access_entry_new(const struct access_client *c, const struct http_message *m,
                                      const struct route *route, const char *trace)
{
    const struct http_message *understood = m == NULL || m->refuse_why != NULL ? NULL : m;
    struct buf texts;

    buf_init(&texts, TEXTS_BOUND);
    put_address(&texts, c);
    put_request(&texts, c, understood, host_asked_for(understood, route));
    put_or_dash(&texts, understood == NULL ? SPAN("") : http_value(m, HTTP_N_USER_AGENT));
    put_or_dash(&texts, span_text(trace));
    put_or_dash(&texts, span_text(c->cipher));
    put_or_dash(&texts, span_text(c->protocol));
    put_or_dash(&texts, span_text(c->sni));
    buf_print(&texts, "TID_%016" PRIx64 "%016" PRIx64, c->conn_id[0], c->conn_id[1]);
    end_text(&texts);
    put_outcome(&texts, route);

    struct access_entry *e = mem_zero(sizeof(*e) + buf_len(&texts));
    memcpy(e->texts, buf_data(&texts).ptr, buf_len(&texts));
    buf_done(&texts);
    e->created_us = clock_wall_us();
    e->rule_priority = route == NULL ? -1 : (int32_t)route->rule->priority;
    e->transform = route == NULL ? NULL : route->transform_status;
    e->is_https = c->is_https;
    e->is_resumed = c->resumed;
    if (m != NULL) {
        e->class_ = (uint8_t)m->class_;
        e->reason = (uint8_t)m->reason;
    }
    return e;
}

void access_entry_free(struct access_entry **entry)
{
    if (*entry == NULL)
        return;
    target_unref(&(*entry)->target);
    mem_free(*entry);
}

static void split_texts(const struct access_entry *e, const char *out[TEXT_COUNT])
{
    const char *at = e->texts;

    for (int i = 0; i < TEXT_COUNT; i++) {
        out[i] = at;
        at += strlen(at) + 1;
    }
}

static const char *type_name(const struct access_entry *e)
{
    if (e->is_websocket)
        return e->is_https ? "wss" : "ws";
    return e->is_https ? "https" : "http";
}

static const char *action_name(const struct access_entry *e)
{
    switch ((enum access_action)e->action) {
    case ACCESS_NONE:
        return "-";
    case ACCESS_FORWARD:
        return "forward";
    case ACCESS_REDIRECT:
        return "redirect";
    case ACCESS_FIXED_RESPONSE:
        return "fixed-response";
    }
    return "-";
}

/* Seconds with three decimals; -1 when it was never got so far. */
static void put_span_s(struct buf *to, uint64_t from_us, uint64_t to_us)
{
    if (from_us == 0 || to_us == 0)
        buf_put(to, SPAN("-1 "));
    else
        buf_print(to, "%.3f ", (double)(to_us > from_us ? to_us - from_us : 0) / 1e6);
}

static const char *status_text(uint16_t status, char out[8])
{
    snprintf(out, 8, "%u", status);
    return status == 0 ? "-" : out;
}

/* Fields 1 to 12. */
static void put_numbers(struct buf *to, const struct access_entry *e, const char *elb,
                        const char *const *text, uint64_t now)
{
    char when[CLOCK_TEXT_MAX], target_status[8], elb_status[8];

    buf_print(to, "%s %s %s %s %s ", type_name(e), clock_iso_us(now, when), elb, text[TEXT_CLIENT],
              e->target == NULL ? "-" : e->target->text);
    put_span_s(to, e->created_us, e->dispatched_us);
    put_span_s(to, e->dispatched_us, e->answered_us);
    put_span_s(to, e->answered_us, e->answered_us);
    buf_print(to, "%s %s %" PRIu64 " %" PRIu64 " ", status_text(e->elb_status, elb_status),
              status_text(e->target_status, target_status), e->received, e->sent);
}

/* Fields 13 to 34. */
static void put_texts(struct buf *to, const struct access_entry *e, const char *const *text)
{
    char created[CLOCK_TEXT_MAX], status[8], priority[16];
    const char *target = e->target == NULL ? "-" : e->target->text;

    snprintf(priority, sizeof(priority), "%d", e->rule_priority);
    buf_print(to, "\"%s\" \"%s\" %s %s %s \"%s\" \"%s\" \"%s\" %s %s ", text[TEXT_REQUEST],
              text[TEXT_USER_AGENT], text[TEXT_CIPHER], text[TEXT_PROTOCOL],
              e->target == NULL ? "-" : e->target->group, text[TEXT_TRACE], text[TEXT_SNI],
              e->is_resumed ? "session-reused" : "-", e->rule_priority < 0 ? "-" : priority,
              clock_iso_us(e->created_us, created));
    buf_print(to, "\"%s\" \"%s\" \"-\" \"%s\" \"%s\" \"%s\" \"%s\" %s \"%s\" \"%s\" \"%s\" \"-\"",
              action_name(e), text[TEXT_REDIRECT_URL], target,
              status_text(e->target_status, status), http_class_name((enum http_class)e->class_),
              http_reason_name((enum http_reason)e->reason), text[TEXT_CONNECTION],
              text[TEXT_TRANSFORMED_HOST], text[TEXT_TRANSFORMED_URI],
              e->transform == NULL ? "-" : e->transform);
}

/* Ours, as key=value. */
static void put_extras(struct buf *to, const struct access_entry *e)
{
    if (e->end != NULL)
        buf_print(to, " end=\"%s\"", e->end);
    if (e->is_websocket && e->elb_status == 101)
        buf_print(to,
                  " client_frames=%" PRIu32 " target_frames=%" PRIu32
                  " client_close=%u target_close=%u",
                  e->frames[0], e->frames[1], e->close_code[0], e->close_code[1]);
    buf_put(to, SPAN("\n"));
}

static void format_row(struct buf *to, const struct access_entry *e, const char *elb)
{
    const char *text[TEXT_COUNT];

    split_texts(e, text);
    put_numbers(to, e, elb, text, clock_wall_us());
    put_texts(to, e, text);
    put_extras(to, e);
}

/* --- the loop's buffer ---------------------------------------------------- */

static void on_timer(struct wheel_timer *timer)
{
    (void)timer;
    access_log_flush(worker_here);
}

void access_buffer_init(struct access_buffer *b)
{
    buf_init(&b->rows, ACCESS_CHUNK_BYTES + TEXTS_BOUND + 1024);
    wheel_timer_init(&b->timer, on_timer);
}

void access_buffer_done(struct access_buffer *b)
{
    buf_done(&b->rows);
}

void access_log_flush(struct worker *w)
{
    struct access_buffer *b = &w->log;

    wheel_stop(&w->loop.wheel, &b->timer);
    if (buf_len(&b->rows) == 0)
        return;
    struct buf *chunk = mem_new(struct buf);
    *chunk = b->rows;
    buf_init(&b->rows, chunk->bound);
    if (balancer_take_log(w->balancer, chunk)) {
        metric_add(&w->counters.log_rows, b->count);
    } else {
        metric_add(&w->counters.log_rows_dropped, b->count);
        buf_done(chunk);
        free(chunk);
    }
    b->count = 0;
}

void access_log_row(struct worker *w, struct access_entry **entry)
{
    struct access_buffer *b = &w->log;

    if (*entry == NULL)
        return;
    format_row(&b->rows, *entry, w->config->alb.name);
    access_entry_free(entry);
    b->count++;
    if (buf_len(&b->rows) >= ACCESS_CHUNK_BYTES)
        access_log_flush(w);
    else if (!wheel_is_set(&b->timer))
        wheel_set(&w->loop.wheel, &b->timer, ACCESS_CHUNK_MS);
}

/* --- the file ------------------------------------------------------------- */

void access_file_init(struct access_file *f)
{
    *f = (struct access_file){ .path = mem_text(""), .fd = -1 };
}

static void close_file(struct access_file *f)
{
    if (f->fd > STDERR_FILENO)
        close(f->fd);
    f->fd = -1;
}

void access_file_done(struct access_file *f)
{
    close_file(f);
    mem_free(f->path);
}

bool access_file_open(struct access_file *f, const char *path, char *why, size_t why_size)
{
    int fd = -1;

    if (strcmp(path, "-") == 0) {
        fd = STDOUT_FILENO;
    } else if (path[0] != '\0') {
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
        if (fd == -1) {
            snprintf(why, why_size, "access_logs.file: cannot open %s: %s", path, strerror(errno));
            return false;
        }
    }
    char *copy = mem_text(path);
    close_file(f);
    free(f->path);
    f->path = copy;
    f->fd = fd;
    return true;
}

void access_file_write(struct access_file *f, struct span rows)
{
    while (f->fd != -1 && rows.len > 0) {
        ssize_t n = write(f->fd, rows.ptr, rows.len);
        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1) {
            log_warn("access_log write failed file=%s error=\"%s\"", f->path, strerror(errno));
            return;
        }
        rows = span_after(rows, (size_t)n);
    }
}
