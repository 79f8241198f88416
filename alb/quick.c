/* quick.c -- see quick.h. */
#include "alb/quick.h"

#include <stdio.h>

#include "base/ip.h"
#include "base/text.h"
#include "net/addr.h"

enum { TARGETS_MAX = 64 };

const char quick_usage[] =
    "alb quick --target [HOST]:PORT [--target ...] [--listen [HOST]:PORT] [--allow CIDR|any]\n"
    "          [--admin PORT] [--control PATH]\n"
    "    --target  where requests go; repeat it for several\n"
    "    --listen  where clients connect; 127.0.0.1:8080 unless said\n"
    "    --allow   who may connect besides this machine: a block of addresses, or any\n"
    "    --admin   port of the admin page on 127.0.0.1; none unless said\n"
    "    --control socket that alb status and other commands ask; none unless said\n";

struct target {
    const char *asked; /* borrowed */
    struct addr addr;
};

struct quick {
    struct target targets[TARGETS_MAX];
    size_t target_count;
    const char *listen_asked;
    struct addr listen;
    const char *allow;   /* borrowed; NULL: this machine alone */
    uint64_t admin_port; /* 0: none */
    const char *control; /* borrowed; NULL: none */
};

/* Where `why` goes, handed through the options' functions. */
struct reason {
    char *text;
    size_t size;
};

/* --- the options ------------------------------------------------------------------ */

/* ":8080" is this machine's. */
static bool resolve(const char *text, bool port_0, struct addr *addr, struct reason *why)
{
    char with_host[512];
    char wrong[256];
    bool is_bare = text[0] == ':';
    int n = snprintf(with_host, sizeof(with_host), "%s%s", is_bare ? "127.0.0.1" : "", text);

    if (n < 0 || (size_t)n >= sizeof(with_host)) {
        snprintf(why->text, why->size, "an address of %zu characters is too long", strlen(text));
        return false;
    }
    if ((port_0 && addr_parse(span_text(with_host), true, addr, wrong, sizeof(wrong))) ||
        addr_resolve(span_text(with_host), addr, wrong, sizeof(wrong)))
        return true;
    snprintf(why->text, why->size, "%s: %s", text, wrong);
    return false;
}

static bool take_target(struct quick *q, const char *value, struct reason *why)
{
    if (q->target_count == TARGETS_MAX) {
        snprintf(why->text, why->size, "more than %d targets: write a file instead", TARGETS_MAX);
        return false;
    }
    struct target *t = &q->targets[q->target_count];
    if (!resolve(value, false, &t->addr, why))
        return false;
    for (size_t i = 0; i < q->target_count; i++) {
        if (addr_equal(&q->targets[i].addr, &t->addr)) {
            snprintf(why->text, why->size, "--target %s is the same as --target %s", value,
                     q->targets[i].asked);
            return false;
        }
    }
    t->asked = value;
    q->target_count++;
    return true;
}

static bool take_listen(struct quick *q, const char *value, struct reason *why)
{
    if (q->listen_asked != NULL) {
        snprintf(why->text, why->size, "--listen is there twice");
        return false;
    }
    q->listen_asked = value;
    return resolve(value, true, &q->listen, why);
}

static bool take_allow(struct quick *q, const char *value, struct reason *why)
{
    struct cidr block;
    char wrong[256];

    if (q->allow != NULL) {
        snprintf(why->text, why->size, "--allow is there twice");
        return false;
    }
    q->allow = value;
    if (strcmp(value, "any") == 0 || cidr_parse(span_text(value), &block, wrong, sizeof(wrong)))
        return true;
    snprintf(why->text, why->size, "--allow %s: %s", value, wrong);
    return false;
}

static bool take_admin(struct quick *q, const char *value, struct reason *why)
{
    if (text_u64(span_text(value), &q->admin_port) && q->admin_port >= 1 && q->admin_port <= 65535)
        return true;
    snprintf(why->text, why->size, "--admin %s is not a port of 1..65535", value);
    return false;
}

static bool take_control(struct quick *q, const char *value, struct reason *why)
{
    q->control = value;
    if (value[0] == '/' && strpbrk(value, "\r\n;#\"") == NULL)
        return true;
    snprintf(why->text, why->size, "--control %s is no plain path that begins with /", value);
    return false;
}

static const struct {
    const char *name;
    bool (*take)(struct quick *q, const char *value, struct reason *why);
} options[] = {
    { "--target", take_target }, { "--listen", take_listen },   { "--allow", take_allow },
    { "--admin", take_admin },   { "--control", take_control },
};

enum { OPTIONS = sizeof(options) / sizeof(options[0]) };

static bool take_option(struct quick *q, const char *name, const char *value, struct reason *why)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        if (strcmp(name, options[i].name) != 0)
            continue;
        if (value != NULL)
            return options[i].take(q, value, why);
        snprintf(why->text, why->size, "%s needs a value behind it", name);
        return false;
    }
    snprintf(why->text, why->size, "unknown argument %s", name);
    return false;
}

static bool take_all(struct quick *q, int argc, char **argv, struct reason *why)
{
    for (int i = 0; i < argc; i += 2) {
        if (!take_option(q, argv[i], i + 1 < argc ? argv[i + 1] : NULL, why))
            return false;
    }
    if (q->target_count == 0) {
        snprintf(why->text, why->size, "no --target: where should requests go?");
        return false;
    }
    return q->listen_asked != NULL || take_listen(q, ":8080", why);
}

/* --- the file ------------------------------------------------------------------------ */

static bool print_alb(const struct quick *q, struct buf *to)
{
    bool ok = buf_print(
        to, "; Made by alb quick. Keep it as a file, change it, and start it with: alb run FILE\n"
            "\n"
            "[alb]\n"
            "; A connection or WebSocket that is quiet for this long is closed. 60 is what the\n"
            "; managed balancer has; raise it when your WebSockets go quiet for longer.\n"
            "idle_timeout.timeout_seconds = 60\n"
            "; One line for each request, and for each WebSocket when it ends; - is the terminal.\n"
            "access_logs.enabled = true\n"
            "access_logs.file = -\n");
    if (ok && q->admin_port != 0)
        ok = buf_print(to,
                       "; Metrics and status, to read only.\n"
                       "admin = 127.0.0.1:%u\n",
                       (unsigned)q->admin_port);
    if (ok && q->control != NULL)
        ok = buf_print(to,
                       "; The commands talk to it here: alb status, tunnels, drain.\n"
                       "control = %s\n",
                       q->control);
    return ok;
}

static bool print_edge(const struct quick *q, struct buf *to)
{
    bool is_open = q->allow != NULL && strcmp(q->allow, "any") == 0;
    bool ok = buf_print(to,
                        "\n"
                        "[edge]\n"
                        "; Who may connect: %s. In production, the addresses of your CDN.\n",
                        is_open            ? "anybody"
                        : q->allow != NULL ? "this machine and who was asked for"
                                           : "this machine alone");

    if (!ok || is_open)
        return ok && buf_print(to, "allow = any\n");
    return buf_print(to, "allow = 127.0.0.0/8 ::1/128%s%s\n", q->allow != NULL ? " " : "",
                     q->allow != NULL ? q->allow : "");
}

static bool print_listener(const struct quick *q, struct buf *to)
{
    char text[ADDR_TEXT_MAX];

    return buf_print(to,
                     "\n"
                     "[listener quick]\n"
                     "bind = %s\n"
                     "protocol = HTTP\n"
                     "; Requests that no [rule NAME] takes; here, all of them. A rule looks like:\n"
                     ";   [rule chat]\n"
                     ";   listener = quick\n"
                     ";   priority = 10\n"
                     ";   path-pattern = /ws/*\n"
                     ";   action = forward quick\n"
                     "default_action = forward quick\n",
                     addr_format(&q->listen, text));
}

static bool print_target(const struct target *t, struct buf *to)
{
    char text[ADDR_TEXT_MAX];

    addr_format(&t->addr, text);
    if (strcmp(text, t->asked) == 0)
        return buf_print(to, "target = %s\n", text);
    return buf_print(to, "target = %s ; %s\n", text, t->asked);
}

static bool print_group(const struct quick *q, struct buf *to)
{
    bool ok = buf_print(to, "\n"
                            "[target_group quick]\n");

    for (size_t i = 0; i < q->target_count && ok; i++)
        ok = print_target(&q->targets[i], to);
    return ok && buf_print(to, "; A server on a laptop seldom has a page for probes. With one, say "
                               "true and name it.\n"
                               "health_check.enabled = false\n"
                               ";health_check.path = /health\n"
                               "; true sends a client back to its target by a cookie, as "
                               "Socket.IO's polling needs.\n"
                               "stickiness.enabled = false\n");
}

bool quick_config(int argc, char **argv, struct buf *ini_text, char *why, size_t why_size)
{
    struct quick q = { .target_count = 0 };
    struct reason reason = { why, why_size };

    if (!take_all(&q, argc, argv, &reason))
        return false;
    if (print_alb(&q, ini_text) && print_edge(&q, ini_text) && print_listener(&q, ini_text) &&
        print_group(&q, ini_text))
        return true;
    snprintf(why, why_size, "the configuration does not fit into %d bytes", QUICK_TEXT_MAX);
    return false;
}
