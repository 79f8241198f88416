/* main.c -- the command line of alb: a table of commands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#include "alb/balancer.h"
#include "alb/check.h"
#include "alb/command.h"
#include "alb/config.h"
#include "alb/explain.h"
#include "alb/foster.h"
#include "alb/options.h"
#include "alb/quick.h"
#include "alb/report.h"
#include "alb/upgrade.h"
#include "alb/upgrade_failures.h"

#define DEFAULT_SOCKET "/run/postern/alb.sock"

enum { WORDS_MAX = 16 };

/* What stands behind the command: positions and options. */
struct arguments {
    const char *words[WORDS_MAX]; /* those that are no options */
    int count;
    const char *file;       /* the first of them; NULL when there is none */
    const char *ready_file; /* --ready-file F */
    const char *socket;     /* --socket PATH */
    const char *profile;    /* --profile aws */
    const char *binary;     /* --binary PATH */
    bool is_json;           /* --json */
    bool is_all;            /* --all */
    bool is_dry_run;        /* --dry-run */
    bool lists_reasons;     /* --reasons */
    int argc;               /* all of it, for `quick` and `explain` */
    char **argv;
};

static int usage_error(const char *text)
{
    fprintf(stderr, "alb: %s; see `alb --help`\n", text);
    return 2;
}

static int run(const struct arguments *a)
{
    if (a->file == NULL)
        return usage_error("run needs a FILE");
    return balancer_run(a->file, SPAN(""), a->ready_file);
}

static int check(const struct arguments *a)
{
    if (a->file == NULL)
        return usage_error("check needs a FILE");
    if (a->profile == NULL)
        return check_file(a->file);
    if (strcmp(a->profile, "aws") != 0)
        return usage_error("the profile to compare with is aws");
    return check_file_as_aws(a->file);
}

static int quick(const struct arguments *a)
{
    struct buf text;
    char why[256];

    buf_init(&text, QUICK_TEXT_MAX);
    if (!quick_config(a->argc, a->argv, &text, why, sizeof(why))) {
        fprintf(stderr, "alb quick: %s\n\n%s", why, quick_usage);
        buf_done(&text);
        return 2;
    }
    printf("%.*s\n", SPAN_ARGS(buf_data(&text)));
    fflush(stdout);
    const int code = balancer_run(NULL, buf_data(&text), NULL);
    buf_done(&text);
    return code;
}

static int explain(const struct arguments *a)
{
    return explain_run(a->argc, a->argv);
}

static int settings(const struct arguments *a)
{
    (void)a;
    options_describe(stdout);
    return 0;
}

static int metrics(const struct arguments *a)
{
    (void)a;
    report_describe_metrics(stdout);
    return 0;
}

static int reload(const struct arguments *a)
{
    if (a->is_dry_run)
        return command_dry_run(a->socket, a->is_json);
    return command_run(a->socket, "POST", "/reload", "");
}

static int status(const struct arguments *a)
{
    return command_status(a->socket, a->is_json);
}

static int tunnels(const struct arguments *a)
{
    return command_tunnels(a->socket, a->words, a->count, a->is_json);
}

static int closed(const struct arguments *a)
{
    return command_closed(a->socket, a->words, a->count, a->is_json);
}

static int upgrades(const struct arguments *a)
{
    if (!a->lists_reasons)
        return command_upgrades(a->socket, a->is_json);
    upgrade_failures_describe(stdout);
    return 0;
}

static int upgrade(const struct arguments *a)
{
    return command_upgrade(a->socket, a->binary);
}

static int register_target(const struct arguments *a)
{
    struct command_target t = { .group = a->words[0], .name = a->words[1] };
    char why[128];

    if (a->count < 2)
        return usage_error("register needs a GROUP and an ADDRESS");
    t.has_weight = a->count == 3;
    if (t.has_weight && !config_weight(span_text(a->words[2]), &t.weight, why, sizeof(why)))
        return usage_error(why);
    return command_register(a->socket, "/register", &t);
}

static int deregister_target(const struct arguments *a)
{
    const struct command_target t = { .group = a->words[0], .name = a->words[1] };

    if (a->count != 2)
        return usage_error("deregister needs a GROUP and an ADDRESS");
    return command_register(a->socket, "/deregister", &t);
}

static int run_drain(const struct arguments *a, const char *path)
{
    if (a->is_all == (a->count > 0))
        return usage_error("it needs a GROUP, with an ADDRESS or not, or --all");
    return command_drain(a->socket, path, a->words[0], a->words[1]);
}

static int drain(const struct arguments *a)
{
    return run_drain(a, "/drain");
}

static int undrain(const struct arguments *a)
{
    return run_drain(a, "/undrain");
}

static int version(const struct arguments *a)
{
    (void)a;
    printf("alb (postern) %s\n", POSTERN_VERSION);
    return 0;
}

static int help(const struct arguments *a);

static const struct {
    const char *name;
    int (*run)(const struct arguments *);
    int words; /* at most */
    const char *usage, *help;
} commands[] = {
    { "run", run, 1, "FILE [--ready-file F]",
      "Serve. SIGHUP reloads the file and reopens the log, SIGUSR1 only reopens it, SIGTERM\n"
      "drains and ends, a second one cuts. --ready-file: JSON of what was bound, once it serves." },
    { "check", check, 1, "[--profile aws] FILE",
      "Print every error and warning of a file, with its line. --profile aws: also each setting\n"
      "in which it differs from the managed balancer." },
    { "explain", explain, 0, "FILE METHOD URL ['Name: value' ...] [--from IP] [--listener NAME]",
      "Which rule answers such a request, why, and what comes of it. Sends nothing." },
    { "quick", quick, 0, "--target HOST:PORT [--listen [HOST]:PORT]",
      "In front of a server of yours, on this machine only. Prints the file that it makes." },
    { "reload", reload, 0, "[--dry-run [--json]] [--socket PATH]",
      "Read the file again. Nothing changes if it is bad. --dry-run: nothing changes at all; say "
      "what\n"
      "would, which live WebSockets it would touch, and why." },
    { "upgrade", upgrade, 0, "[--binary PATH] [--socket PATH]",
      "Another process, of the file that is there now, takes over: listeners, live WebSockets and "
      "idle\n"
      "connections, without losing any. If it cannot, this one carries on. What speaks TLS ends "
      "where\n"
      "it is." },
    { "status", status, 0, "[--json] [--socket PATH]",
      "Listeners, target groups and their targets' health: as tables, or as JSON." },
    { "tunnels", tunnels, WORDS_MAX, "[NAME=VALUE ...] [--json] [--socket PATH]",
      "Live WebSockets, the oldest first. Filters: group, target, listener, client (an address or "
      "a\n"
      "block), state, min_age; sort=age|idle|bytes|frames, order=desc|asc, limit "
      "(docs/tunnels.md)." },
    { "closed", closed, WORDS_MAX, "[NAME=VALUE ...] [--json] [--socket PATH]",
      "The last 10,000 WebSockets that ended, the newest first, and who ended each and how. "
      "Filters\n"
      "as of tunnels; also end, by=client|target|us, since=10m or a time, sort=ended." },
    { "upgrades", upgrades, 0, "[--json | --reasons] [--socket PATH]",
      "WebSocket upgrades that failed last: why, and what to do about it. --reasons: all reasons\n"
      "that there are, as Markdown (docs/upgrades.md)." },
    { "register", register_target, 3, "GROUP ADDRESS[:PORT] [weight=N] [--socket PATH]",
      "A target comes, or gets another weight. Kept over a restart by the state_file setting." },
    { "deregister", deregister_target, 2, "GROUP ADDRESS[:PORT] [--socket PATH]",
      "A target goes: no new requests; what it carries may finish within the group's delay." },
    { "drain", drain, 2, "GROUP [ADDRESS[:PORT]] | --all [--socket PATH]",
      "Targets get no new requests or WebSockets until `alb undrain`, also after a restart. Their\n"
      "WebSockets are told to come again, one after the other, within the group's delay." },
    { "undrain", undrain, 2, "GROUP [ADDRESS[:PORT]] | --all [--socket PATH]",
      "They get them again. Those that were not told yet stay." },
    { "settings", settings, 0, "", "All settings, as Markdown (docs/settings.md)." },
    { "metrics", metrics, 0, "", "All metrics, as Markdown (docs/metrics.md)." },
    { "--version", version, 0, "", "The version." },
    { "--help", help, 0, "", "This text." },
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static int help(const struct arguments *a)
{
    (void)a;
    printf("alb -- an internal load balancer for HTTP/1.1 and WebSocket\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("alb %s %s\n%s\n\n", commands[i].name, commands[i].usage, commands[i].help);
    printf("The socket is %s unless --socket says otherwise.\n", DEFAULT_SOCKET);
    return 0;
}

/* How many words the option has; 0 when it is unknown or has no value. */
static int read_option(int argc, char **argv, struct arguments *a)
{
    const struct {
        const char *name;
        const char **value;
    } options[] = { { "--ready-file", &a->ready_file },
                    { "--socket", &a->socket },
                    { "--profile", &a->profile },
                    { "--binary", &a->binary } };

    if (strcmp(argv[0], "--all") == 0) {
        a->is_all = true;
        return 1;
    }
    if (strcmp(argv[0], "--dry-run") == 0) {
        a->is_dry_run = true;
        return 1;
    }
    if (strcmp(argv[0], "--json") == 0) {
        a->is_json = true;
        return 1;
    }
    if (strcmp(argv[0], "--reasons") == 0) {
        a->lists_reasons = true;
        return 1;
    }
    for (size_t o = 0; o < sizeof(options) / sizeof(options[0]); o++) {
        if (argc > 1 && strcmp(argv[0], options[o].name) == 0) {
            *options[o].value = argv[1];
            return 2;
        }
    }
    return 0;
}

/* False when one is not understood. */
static bool read_arguments(int argc, char **argv, struct arguments *a)
{
    for (int i = 0; i < argc;) {
        const bool is_word = argv[i][0] != '-' && a->count < WORDS_MAX;
        const int used = is_word ? 1 : read_option(argc - i, argv + i, a);
        if (is_word)
            a->words[a->count++] = argv[i];
        if (used == 0)
            return false;
        i += used;
    }
    a->file = a->words[0];
    return true;
}

int main(int argc, char **argv)
{
    struct arguments a = { .socket = DEFAULT_SOCKET };
    char text[128];

    foster_begin();
    upgrade_remember(argv);
    if (argc < 2)
        return usage_error("no command");
    a.argc = argc - 2;
    a.argv = argv + 2;
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        const bool reads_its_own = commands[i].run == quick || commands[i].run == explain;
        if (!reads_its_own && (!read_arguments(a.argc, a.argv, &a) || a.count > commands[i].words))
            return usage_error("an argument is not understood");
        return commands[i].run(&a);
    }
    snprintf(text, sizeof(text), "unknown command \"%.60s\"", argv[1]);
    return usage_error(text);
}
