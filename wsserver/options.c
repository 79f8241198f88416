/* options.c -- the settings of wsserver, as tables: everything that a file may say. */
#include "wsserver/options.h"

#include "base/ini_file.h"
#include "base/log.h"
#include "base/settings.h"
#include "wsserver/hub.h"

enum { SECOND = 1000, HOUR = 3600 * SECOND };

static const char *const stores[] = { "sqlite", "memory", NULL };
static const char *const durabilities[] = { "disk", "process", NULL };
static const char *const log_levels[] = { "error", "warn", "info", "debug", NULL };

#define FIELD(name) offsetof(struct options, name)

static const struct setting wsserver_settings[] = {
    { "bind", SETTING_TEXT, FIELD(bind), "127.0.0.1:9001", 0, 0, NULL, APPLIES_RESTART,
      "IP:port or [IPv6]:port to listen on; port 0 is any free one." },
    { "node", SETTING_TEXT, FIELD(node), "n1", 0, 0, NULL, APPLIES_RESTART,
      "Name of this node: 1 to 32 letters, digits, - or _. Every node of one database has its "
      "own." },
    { "workers", SETTING_COUNT, FIELD(workers), "auto", 1, 256, NULL, APPLIES_RESTART,
      "Threads that carry connections; auto is one for each processor." },
    { "store", SETTING_CHOICE, FIELD(store), "sqlite", 0, 0, stores, APPLIES_RESTART,
      "Where messages are kept: a database file that several nodes of one host may share, or the "
      "memory of this process." },
    { "ping_interval", SETTING_DURATION, FIELD(ping_interval_ms), "25s", SECOND / 10, HOUR, NULL,
      APPLIES_RESTART, "A connection that was silent for this long, either way, gets a ping." },
    { "max_message_bytes", SETTING_BYTES, FIELD(max_message_bytes), "65536", 1024, 16 << 20, NULL,
      APPLIES_RESTART, "A larger message closes its connection with 1009." },
    { "history_messages", SETTING_COUNT, FIELD(history_messages), "1000", HUB_HISTORY_MIN, 1000000,
      NULL, APPLIES_RESTART, "Messages kept for each channel." },
    { "shutdown_timeout", SETTING_DURATION, FIELD(shutdown_timeout_ms), "5s", 0, HOUR, NULL,
      APPLIES_RESTART,
      "How long a stop takes at most: clients are asked to move, then closed, then cut." },
    { "max_connections", SETTING_COUNT, FIELD(max_connections), "auto", 1, 10000000, NULL,
      APPLIES_RESTART,
      "WebSockets at a time; auto is what the limit of open files allows. More get a 503." },
    { "log_level", SETTING_CHOICE, FIELD(log_level), "info", 0, 0, log_levels, APPLIES_RESTART,
      "What is worth a line on standard error; debug has one for each connection." },
    { .key = NULL },
};

static const struct setting sqlite_settings[] = {
    { "path", SETTING_TEXT, FIELD(sqlite_path), "", 0, 0, NULL, APPLIES_RESTART,
      "Required with store = sqlite. The database file, in a folder that is there; nodes of one "
      "host that name the same file are one chat." },
    { "durability", SETTING_CHOICE, FIELD(sqlite_durability), "disk", 0, 0, durabilities,
      APPLIES_RESTART,
      "What a stored message survives: disk is power loss, process is the end of this process "
      "only, and much faster." },
    { .key = NULL },
};

static const struct setting test_settings[] = {
    { "enabled", SETTING_BOOL, FIELD(test_enabled), "no", 0, 0, NULL, APPLIES_RESTART,
      "Serve the endpoints under /t/ that echo, show handshakes and misbehave on demand." },
    { .key = NULL },
};

#undef FIELD

static const struct section {
    const char *kind;
    const struct setting *settings;
    const char *help;
} sections[] = {
    { "wsserver", wsserver_settings, "The server." },
    { "sqlite", sqlite_settings, "The database, with store = sqlite." },
    { "test", test_settings, "For tests of clients and of what stands in front." },
};

enum { SECTIONS = sizeof(sections) / sizeof(sections[0]) };

struct reading {
    struct options *options;
    struct problems *problems;
    uint64_t seen[SECTIONS];
};

static bool node_is_good(struct span node)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

    if (node.len == 0 || node.len > HUB_NODE_MAX)
        return false;
    for (size_t i = 0; i < node.len; i++)
        if (node.ptr[i] == '\0' || strchr(allowed, node.ptr[i]) == NULL)
            return false;
    return true;
}

/* What the type of a setting does not say. */
static void check_value(struct reading *r, struct span key, struct span value, int line)
{
    char why[256];

    if (span_equal(key, SPAN("bind")) &&
        !addr_parse(value, true, &r->options->bind_addr, why, sizeof(why)))
        problems_error(r->problems, line, "bind: %s", why);
    if (span_equal(key, SPAN("node")) && !node_is_good(value))
        problems_error(r->problems, line,
                       "node: \"%.*s\" is no name for a node: 1 to %d letters, digits, - or _",
                       SPAN_ARGS(value), HUB_NODE_MAX);
}

static void on_pair(void *user, struct span kind, struct span name, struct span key,
                    struct span value, int line)
{
    struct reading *r = user;
    char why[256];

    for (size_t i = 0; i < SECTIONS; i++) {
        if (name.len > 0 || !span_equal(kind, span_text(sections[i].kind)))
            continue;
        if (key.len == 0)
            return;
        if (settings_set(sections[i].settings, r->options, &r->seen[i], key, value, line, why,
                         sizeof(why)))
            check_value(r, key, value, line);
        else
            problems_error(r->problems, line, "%s", why);
        return;
    }
    if (key.len == 0)
        problems_error(r->problems, line,
                       "unknown section [%.*s%s%.*s]: there are [wsserver], [sqlite] and [test]",
                       SPAN_ARGS(kind), name.len > 0 ? " " : "", SPAN_ARGS(name));
}

static void begin(struct options *o)
{
    *o = (struct options){ .bind = NULL };
    for (size_t i = 0; i < SECTIONS; i++)
        settings_init(sections[i].settings, o);
}

static bool finish(struct reading *r)
{
    struct options *o = r->options;
    char why[256];

    if (o->bind_addr.len == 0 && r->problems->errors == 0 &&
        !addr_parse(span_text(o->bind), true, &o->bind_addr, why, sizeof(why)))
        problems_error(r->problems, 0, "bind: %s", why);
    if (o->store == STORE_SQLITE && o->sqlite_path[0] == '\0')
        problems_error(r->problems, 0,
                       "[sqlite] path is missing: name the database file, or set store = memory");
    if (r->problems->errors == 0)
        return true;
    options_done(o);
    return false;
}

bool options_read_file(struct options *o, const char *path, struct problems *problems)
{
    struct reading r = { .options = o, .problems = problems };

    begin(o);
    if (ini_read_file(path, on_pair, &r, problems))
        return finish(&r);
    options_done(o);
    return false;
}

bool options_read_text(struct options *o, struct span text, struct problems *problems)
{
    struct reading r = { .options = o, .problems = problems };

    begin(o);
    ini_read_text(text, on_pair, &r, problems);
    return finish(&r);
}

void options_done(struct options *o)
{
    for (size_t i = 0; i < SECTIONS; i++)
        settings_done(sections[i].settings, o);
}

void options_list_sections(FILE *to)
{
    for (size_t i = 0; i < SECTIONS; i++)
        fprintf(to, "%s\n", sections[i].kind);
}

void options_describe(FILE *to)
{
    fprintf(to, "# Settings of wsserver\n\nPrinted by `wsserver settings` from the tables in "
                "wsserver/options.c. Durations are written `250ms`,\n`30s`, `5m`, `2h` or `1d`; "
                "sizes in bytes, or `64k`, `1m`. `;` and `#` start a comment.\n");
    for (size_t i = 0; i < SECTIONS; i++) {
        fprintf(to, "\n## [%s]\n\n%s\n\n", sections[i].kind, sections[i].help);
        settings_describe(sections[i].settings, to);
    }
}
