/* command.c -- see command.h. */
#include "alb/command.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http/parse.h"
#include "net/addr.h"

#include "alb/reload_table.h"
#include "alb/status.h"
#include "alb/tunnel_table.h"
#include "alb/upgrades.h"

enum {
    TIMEOUT_S = 60,
    READ_BYTES = 16 * 1024,
    ANSWER_MAX = 16 * 1024 * 1024 + HTTP_RESPONSE_HEAD_MAX + READ_BYTES,
    REQUEST_MAX = 16 * 1024,
};

typedef void command_printer(const json_t *body, FILE *to);

/* -1 with errno. */
static int dial(const char *path)
{
    const struct timeval patience = { .tv_sec = TIMEOUT_S };
    struct addr addr;

    if (!addr_unix(path, &addr)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, &addr.sa, addr.len) == 0)
        return fd;
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool ask(int fd, const char *method, const char *path, const char *body)
{
    char request[REQUEST_MAX];
    const int n = snprintf(request, sizeof(request),
                           "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                           "Content-Length: %zu\r\n\r\n%s",
                           method, path, strlen(body), body);

    if (n < 0 || (size_t)n >= sizeof(request)) {
        errno = ENAMETOOLONG;
        return false;
    }
    for (size_t sent = 0; sent < (size_t)n;) {
        const ssize_t moved = send(fd, request + sent, (size_t)n - sent, MSG_NOSIGNAL);
        if (moved == -1 && errno != EINTR)
            return false;
        sent += moved > 0 ? (size_t)moved : 0;
    }
    return true;
}

/* All of it, up to the end of the connection. */
static bool take_answer(int fd, struct buf *to)
{
    for (;;) {
        char *space = buf_space(to, READ_BYTES);
        if (space == NULL) {
            errno = EMSGSIZE;
            return false;
        }
        const ssize_t moved = recv(fd, space, READ_BYTES, 0);
        if (moved == 0)
            return true;
        if (moved > 0)
            buf_added(to, (size_t)moved);
        else if (errno != EINTR)
            return false;
    }
}

static void print_texts(const json_t *list, FILE *to)
{
    size_t i;
    json_t *text;

    json_array_foreach(list, i, text) fprintf(to, "%s\n", json_string_value(text));
}

static void dump(const json_t *body, FILE *to)
{
    json_dumpf(body, to, JSON_INDENT(2));
    fputc('\n', to);
}

/* A command's outcome has "ok"; anything else is what was asked for. */
static int print_json(const json_t *body, command_printer *print)
{
    const json_t *ok = json_object_get(body, "ok");

    if (ok == NULL) {
        print(body, stdout);
        return 0;
    }
    print_texts(json_object_get(body, "errors"), stderr);
    print_texts(json_object_get(body, "warnings"), stderr);
    if (!json_is_true(ok))
        return 1;
    puts(json_string_value(json_object_get(body, "message")));
    return 0;
}

/* The body of a whole answer; false when it is none. */
static bool read_body(struct span answer, int *status, struct span *body)
{
    struct http_message *m = mem_new(struct http_message);
    size_t scanned = 0;
    const bool ok = http_response_parse(answer, HTTP_GET, m, &scanned) == HTTP_PARSED &&
                    m->framing == HTTP_BODY_LENGTH && answer.len - m->head_len >= m->content_length;

    if (ok) {
        *status = m->status;
        *body = span_of(answer.ptr + m->head_len, (size_t)m->content_length);
    }
    free(m);
    return ok;
}

static int print_answer(const char *socket_path, struct span answer, command_printer *print)
{
    struct span body;
    int status;

    if (!read_body(answer, &status, &body)) {
        fprintf(stderr, "%s: what answers there is not alb\n", socket_path);
        return 1;
    }
    json_t *json = json_loadb(body.ptr, body.len, 0, NULL);
    int code = 1;
    if (json != NULL)
        code = print_json(json, print);
    else
        fprintf(stderr, "%d: %.*s", status, SPAN_ARGS(body));
    json_decref(json);
    return code;
}

static int run(const char *socket_path, const char *method, const char *path, const char *body,
               command_printer *print)
{
    const int fd = dial(socket_path);
    struct buf answer;
    int code = 1;

    if (fd == -1) {
        fprintf(stderr, "no alb answers at %s (%s): is it running? --socket PATH names another\n",
                socket_path, strerror(errno));
        return 1;
    }
    buf_init(&answer, ANSWER_MAX);
    if (ask(fd, method, path, body) && take_answer(fd, &answer))
        code = print_answer(socket_path, buf_data(&answer), print);
    else
        fprintf(stderr, "%s: no whole answer: %s\n", socket_path,
                errno == EAGAIN ? "nothing came for a minute" : strerror(errno));
    buf_done(&answer);
    close(fd);
    return code;
}

int command_run(const char *socket_path, const char *method, const char *path, const char *body)
{
    return run(socket_path, method, path, body, dump);
}

int command_dry_run(const char *socket_path, bool as_json)
{
    return run(socket_path, "POST", "/reload?dry_run=1", "", as_json ? dump : reload_table_print);
}

int command_status(const char *socket_path, bool as_json)
{
    return run(socket_path, "GET", "/status", "", as_json ? dump : status_print);
}

static int list(const char *socket_path, char *path, command_printer *print)
{
    if (path == NULL) {
        fprintf(stderr, "alb: a filter is NAME=VALUE, such as group=app or min_age=5m\n");
        return 2;
    }
    const int code = run(socket_path, "GET", path, "", print);
    free(path);
    return code;
}

int command_tunnels(const char *socket_path, const char *const *filters, int count, bool as_json)
{
    return list(socket_path, tunnel_table_path("/tunnels", filters, count),
                as_json ? dump : tunnel_table_print_live);
}

int command_closed(const char *socket_path, const char *const *filters, int count, bool as_json)
{
    return list(socket_path, tunnel_table_path("/closed", filters, count),
                as_json ? dump : tunnel_table_print_closed);
}

int command_upgrade(const char *socket_path, const char *binary)
{
    json_t *json = binary == NULL ? json_object() : json_pack("{s:s}", "binary", binary);
    char *body = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    const int code = body == NULL ? 1 : command_run(socket_path, "POST", "/upgrade", body);

    free(body);
    json_decref(json);
    return code;
}

int command_upgrades(const char *socket_path, bool as_json)
{
    return run(socket_path, "GET", "/upgrades/failed", "", as_json ? dump : upgrades_print);
}

/* Takes over `json`; NULL when it could not be made. */
static int post(const char *socket_path, const char *path, json_t *json)
{
    char *body = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    int code = 1;

    if (body == NULL)
        fprintf(stderr, "the names are no UTF-8\n");
    else
        code = command_run(socket_path, "POST", path, body);
    free(body);
    json_decref(json);
    return code;
}

static json_t *drain_order(const char *group, const char *target)
{
    if (group == NULL)
        return json_pack("{s:b}", "all", 1);
    if (target == NULL)
        return json_pack("{s:s}", "target_group", group);
    return json_pack("{s:s,s:s}", "target_group", group, "target", target);
}

int command_drain(const char *socket_path, const char *path, const char *group, const char *target)
{
    return post(socket_path, path, drain_order(group, target));
}

int command_register(const char *socket_path, const char *path, const struct command_target *t)
{
    json_t *json = json_pack("{s:s,s:s}", "target_group", t->group, "target", t->name);

    if (json != NULL && t->has_weight)
        json_object_set_new(json, "weight", json_integer((json_int_t)t->weight));
    return post(socket_path, path, json);
}
