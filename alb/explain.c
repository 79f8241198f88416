/* explain.c -- see explain.h: the arguments, the listener, the request. */
#include "alb/explain.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/parse.h"

#include "alb/explain_private.h"
#include "alb/viewer.h"

enum { HEADERS_MAX = 64 };

static const char usage[] =
    "alb explain FILE METHOD URL ['Name: value' ...] [--from IP] [--listener NAME]\n";

struct asked {
    const char *file, *method, *url;
    const char *headers[HEADERS_MAX];
    size_t header_count;
    const char *from, *listener; /* NULL: not said */

    /* The parts of the URL; of "/path" only the last. */
    struct span scheme, authority, target;
};

static bool wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Always false. */
static bool wrong(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("alb explain: ", stderr);
    vfprintf(stderr, format, args);
    fputs("\n", stderr);
    va_end(args);
    return false;
}

/* --- arguments ------------------------------------------------------------------------ */

static bool take_option(struct asked *a, int argc, char **argv, int *i)
{
    const char **into = strcmp(argv[*i], "--from") == 0       ? &a->from
                        : strcmp(argv[*i], "--listener") == 0 ? &a->listener
                                                              : NULL;

    if (into == NULL)
        return wrong("unknown option %s", argv[*i]);
    if (*i + 1 == argc)
        return wrong("%s needs a value", argv[*i]);
    *into = argv[++*i];
    return true;
}

static bool take_word(struct asked *a, const char *word)
{
    const char **places[] = { &a->file, &a->method, &a->url };

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (*places[i] == NULL) {
            *places[i] = word;
            return true;
        }
    }
    if (strchr(word, ':') == NULL)
        return wrong("\"%s\" is no header; write 'Name: value'", word);
    if (a->header_count == HEADERS_MAX)
        return wrong("more than %d headers", HEADERS_MAX);
    a->headers[a->header_count++] = word;
    return true;
}

static bool take_all(struct asked *a, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strpbrk(argv[i], "\r\n") != NULL)
            return wrong("an argument holds a line end");
        if (strncmp(argv[i], "--", 2) == 0 ? !take_option(a, argc, argv, &i)
                                           : !take_word(a, argv[i]))
            return false;
    }
    return a->url != NULL || wrong("needs FILE METHOD URL\n\n%s", usage);
}

static bool split_url(struct asked *a)
{
    struct span url = span_text(a->url);
    const char *fragment = strchr(a->url, '#'); /* never sent */
    const char *mark = strstr(a->url, "://");

    if (fragment != NULL)
        url.len = (size_t)(fragment - a->url);
    if (url.len > 0 && (url.ptr[0] == '/' || url.ptr[0] == '*')) {
        a->target = url;
        return true;
    }
    if (mark == NULL)
        return wrong("\"%s\" is no URL; write http://host/path, or /path with --listener", a->url);
    a->scheme = span_of(url.ptr, (size_t)(mark - url.ptr));
    struct span rest = span_after(url, a->scheme.len + 3);
    const size_t n = strcspn(rest.ptr, "/?#");
    a->authority = span_of(rest.ptr, n);
    a->target = span_after(rest, n);
    if (span_equal_nocase(a->scheme, SPAN("wss")))
        a->scheme = SPAN("https");
    if (span_equal_nocase(a->scheme, SPAN("ws")))
        a->scheme = SPAN("http");
    return span_equal_nocase(a->scheme, SPAN("http")) ||
           span_equal_nocase(a->scheme, SPAN("https")) ||
           wrong("\"%.*s\" is not http, https, ws or wss", SPAN_ARGS(a->scheme));
}

/* --- the listener --------------------------------------------------------------------- */

static bool is_https(const struct asked *a)
{
    return span_equal_nocase(a->scheme, SPAN("https"));
}

static uint16_t port_of(const struct asked *a)
{
    const struct span host = condition_host(a->authority);
    uint64_t port;

    if (text_u64(span_after(a->authority, host.len + 1), &port) && port <= UINT16_MAX)
        return (uint16_t)port;
    return is_https(a) ? 443 : 80;
}

static bool speaks(const struct listener_config *l, const struct asked *a)
{
    return a->scheme.len == 0 || (l->options.protocol == PROTOCOL_HTTPS) == is_https(a);
}

/* The one on the URL's port; else the only one that speaks its protocol. */
static bool guess_listener(const struct asked *a, struct explanation *x)
{
    size_t possible = 0;

    for (size_t i = 0; i < x->config->listener_count; i++) {
        const struct listener_config *l = &x->config->listeners[i];
        if (!speaks(l, a))
            continue;
        if (a->scheme.len > 0 && addr_port(&l->bind) == port_of(a)) {
            x->listener = l;
            x->listener_why = "by the URL's port";
            return true;
        }
        x->listener = l;
        possible++;
    }
    x->listener_why = "the only one that it can be";
    return possible == 1 ||
           wrong("%s; say --listener NAME", possible == 0 ? "no listener speaks this protocol"
                                                          : "several listeners are possible");
}

static bool choose_listener(const struct asked *a, struct explanation *x)
{
    if (a->listener == NULL)
        return guess_listener(a, x);
    x->listener = config_listener(x->config, span_text(a->listener));
    x->listener_why = "by --listener";
    return x->listener != NULL || wrong("there is no [listener %s]", a->listener);
}

/* --- the request ------------------------------------------------------------------------ */

static bool has_header(const struct asked *a, struct span name)
{
    for (size_t i = 0; i < a->header_count; i++) {
        const struct span header = span_text(a->headers[i]);
        if (header.len > name.len && header.ptr[name.len] == ':' &&
            span_equal_nocase(span_of(header.ptr, name.len), name))
            return true;
    }
    return false;
}

static bool write_request(const struct asked *a, struct buf *to)
{
    const bool has_path = a->target.len > 0 && a->target.ptr[0] != '?';
    bool ok = buf_print(to, "%s %s", a->method, has_path ? "" : "/") && buf_put(to, a->target) &&
              buf_put(to, SPAN(" HTTP/1.1\r\n"));

    if (a->authority.len > 0 && !has_header(a, SPAN("Host")))
        ok = ok && buf_print(to, "Host: %.*s\r\n", SPAN_ARGS(a->authority));
    for (size_t i = 0; i < a->header_count; i++)
        ok = ok && buf_print(to, "%s\r\n", a->headers[i]);
    return (ok && buf_put(to, SPAN("\r\n"))) || wrong("the request is too long");
}

static bool explain_request(struct explanation *x, struct span bytes)
{
    const enum http_desync_mode mode = (enum http_desync_mode)x->config->alb.desync_mode;
    size_t scanned = 0;

    switch (http_request_parse(bytes, mode, x->message, &scanned)) {
    case HTTP_PARSED:
        if (x->config->alb.drop_invalid_header_fields)
            http_drop_invalid_names(x->message);
        if (x->config->secret != NULL)
            x->secret = edge_secret_take(x->config->secret, x->message);
        x->viewer_is_readable = viewer_learn(x->config, x->message, &x->client);
        return explain_print(x);
    case HTTP_REFUSED:
        explain_print_refused(x);
        return false;
    case HTTP_PARTIAL:
        break;
    }
    return wrong("this is no whole request");
}

static bool explain_asked(const struct asked *a, struct explanation *x)
{
    struct buf bytes;

    x->has_peer = a->from != NULL;
    if (!ip_parse(span_text(a->from == NULL ? "127.0.0.1" : a->from), &x->client.ip))
        return wrong("--from: \"%s\" is no IP address", a->from);
    if (!choose_listener(a, x))
        return false;
    buf_init(&bytes, HTTP_HEAD_MAX);
    x->message = mem_new(struct http_message);
    const bool ok = write_request(a, &bytes) && explain_request(x, buf_data(&bytes));
    mem_free(x->message);
    buf_done(&bytes);
    return ok;
}

int explain_run(int argc, char **argv)
{
    struct asked a = { .file = NULL };
    struct problems problems;

    if (!take_all(&a, argc, argv) || !split_url(&a))
        return 1;
    problems_init(&problems, a.file);
    struct config *config = config_read_file(a.file, &problems);
    if (config == NULL)
        problems_print(&problems, stderr);
    problems_done(&problems);
    if (config == NULL)
        return 1;
    struct explanation x = { .file = a.file, .config = config };
    const bool ok = explain_asked(&a, &x);
    config_free(&config);
    return ok ? 0 : 1;
}
