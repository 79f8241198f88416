/* main.c -- the command line of alb: a table of commands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

#include "alb/balancer.h"
#include "alb/check.h"
#include "alb/command.h"
#include "alb/config.h"
#include "alb/explain.h"
#include "alb/foster.h"
#include "alb/nft.h"
#include "alb/options.h"
#include "alb/quick.h"
#include "alb/remote.h"
#include "alb/report.h"
#include "alb/upgrade_failures.h"
#include "alb/upgrade_process.h"

#define DEFAULT_SOCKET "/run/postern/alb.sock"

enum { WORDS_MAX = 16 };

/* What stands behind the command: positions and options. */
struct arguments {
    const char *words[WORDS_MAX]; /* those that are no options */
    int count;
    const char *file;         /* the first of them; NULL when there is none */
    const char *ready_file;   /* --ready-file F */
    const char *state_file;   /* --state-file FILE */
    struct remote_options at; /* --socket PATH, --remote URL... */
    const char *name;         /* --name DOMAIN */
    const char *config;       /* --config FILE */
    const char *profile;      /* --profile aws */
    const char *binary;       /* --binary PATH */
    const char *time;         /* --for TIME */
    const char *timeout;      /* --timeout SECONDS */
    bool is_json;             /* --json */
    bool is_all;              /* --all */
    bool is_dry_run;          /* --dry-run */
    bool is_forced;           /* --force */
    bool lists_reasons;       /* --reasons */
    int argc;                 /* all of it, for `quick` and `explain` */
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
    return balancer_run(a->file, SPAN(""), a->ready_file, a->state_file);
}

static int check(const struct arguments *a)
{
    if (a->file == NULL)
        return usage_error("check needs a FILE");
    if (a->profile != NULL && strcmp(a->profile, "aws") != 0)
        return usage_error("the profile to compare with is aws");
    return check_file(a->file, &(struct check_options){ .as_aws = a->profile != NULL,
                                                        .name = a->name,
                                                        .ca_file = a->at.ca_file });
}

static int nft(const struct arguments *a)
{
    return a->file == NULL ? usage_error("nft needs a FILE") : nft_file(a->file, a->state_file);
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
    const int code = balancer_run(NULL, buf_data(&text), NULL, NULL);
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

static int sections(const struct arguments *a)
{
    (void)a;
    options_list_sections(stdout);
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
    return command_reload(&a->at, &(struct command_reload){ .file = a->config,
                                                            .is_dry_run = a->is_dry_run,
                                                            .is_forced = a->is_forced,
                                                            .as_json = a->is_json });
}

static int status(const struct arguments *a)
{
    return command_status(&a->at, a->is_json);
}

static int tunnels(const struct arguments *a)
{
    return command_tunnels(&a->at, a->words, a->count, a->is_json);
}

static int closed(const struct arguments *a)
{
    return command_closed(&a->at, a->words, a->count, a->is_json);
}

static int upgrades(const struct arguments *a)
{
    if (!a->lists_reasons)
        return command_upgrades(&a->at, a->is_json);
    upgrade_failures_describe(stdout);
    return 0;
}

static int upgrade(const struct arguments *a)
{
    return command_upgrade(&a->at, a->binary);
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
    return command_register(&a->at, "/register", &t);
}

static int deregister_target(const struct arguments *a)
{
    const struct command_target t = { .group = a->words[0], .name = a->words[1] };

    if (a->count != 2)
        return usage_error("deregister needs a GROUP and an ADDRESS");
    return command_register(&a->at, "/deregister", &t);
}

static int run_drain(const struct arguments *a, const char *path)
{
    if (a->is_all == (a->count > 0))
        return usage_error("it needs a GROUP, with an ADDRESS or not, or --all");
    return command_drain(&a->at, path, a->words[0], a->words[1]);
}

static int drain(const struct arguments *a)
{
    return run_drain(a, "/drain");
}

static int undrain(const struct arguments *a)
{
    return run_drain(a, "/undrain");
}

static int edge(const struct arguments *a)
{
    const char *verb = a->count > 0 ? a->words[0] : "";
    const bool has_subject = a->count == 2;

    if (a->time != NULL && strcmp(verb, "add") != 0)
        return usage_error("--for stands with `alb edge add` only");
    if (strcmp(verb, "show") == 0 && !has_subject)
        return command_edge_show(&a->at, a->is_json);
    if (strcmp(verb, "refused") == 0 && !has_subject)
        return command_edge_refused(&a->at, a->is_json);
    if (strcmp(verb, "check") == 0 && has_subject)
        return command_edge_check(&a->at, a->words[1], a->is_json);
    if (strcmp(verb, "remove") == 0 && has_subject)
        return command_edge_change(&a->at, a->words[1], NULL);
    if (strcmp(verb, "add") != 0 || !has_subject)
        return usage_error("edge needs show, refused, check ADDRESS, add CIDR --for TIME or remove "
                           "CIDR");
    if (a->time == NULL)
        return usage_error("edge add needs --for TIME, such as --for 10m; who is to stay belongs "
                           "into [edge] of the configuration file");
    return command_edge_change(&a->at, a->words[1], a->time);
}

static int version(const struct arguments *a)
{
    (void)a;
    printf("alb (postern) %s\n", POSTERN_VERSION);
    return 0;
}

static int help(const struct arguments *a);

/* Whom a command asks. */
enum asking { NOBODY, DAEMON_ANYWHERE, DAEMON_HERE /* on this machine alone */ };

static const struct {
    const char *name;
    int (*run)(const struct arguments *);
    int words; /* at most */
    enum asking asks;
    const char *usage, *help;
} commands[] = {
    { "run", run, 1, NOBODY, "FILE [--ready-file F] [--state-file FILE]",
      "Serve. SIGHUP reloads the file and reopens the log, SIGUSR1 only reopens it, SIGTERM\n"
      "drains and ends, a second one cuts. --ready-file: JSON of what was bound, once it serves;\n"
      "with --state-file it keeps its state there, whatever state_file says." },
    { "check", check, 1, NOBODY, "[--profile aws] [--name DOMAIN] [--ca FILE] FILE",
      "Print every error and warning of a file, with its line. --profile aws: also each setting\n"
      "in which it differs from the managed balancer. Certificates that a CDN edge would refuse "
      "are\n"
      "warnings: --name is what it asks for (the origin's domain name), --ca whom it trusts." },
    { "explain", explain, 0, NOBODY,
      "FILE METHOD URL ['Name: value' ...] [--from IP] [--listener NAME]",
      "Which rule answers such a request, why, and what comes of it. Sends nothing." },
    { "quick", quick, 0, NOBODY, "--target HOST:PORT [--listen [HOST]:PORT] [--allow CIDR|any]",
      "In front of a server of yours, for this machine only unless more is allowed. Prints the\n"
      "file that it makes." },
    { "reload", reload, 0, DAEMON_ANYWHERE, "[--config FILE] [--dry-run [--json]] [--force]",
      "Read the file again, or put FILE in its place. Nothing changes if it is bad. --dry-run: "
      "nothing\n"
      "changes at all; say what would, which live WebSockets it would touch, and why. --force: "
      "also if it\n"
      "shuts out whoever asks for it from afar, which is refused otherwise." },
    { "upgrade", upgrade, 0, DAEMON_HERE, "[--binary PATH]",
      "Another process, of the file that is there now, takes over: listeners, live WebSockets and "
      "idle\n"
      "connections, without losing any. If it cannot, this one carries on. What speaks TLS ends "
      "where\n"
      "it is." },
    { "status", status, 0, DAEMON_ANYWHERE, "[--json]",
      "Listeners, target groups and their targets' health: as tables, or as JSON." },
    { "tunnels", tunnels, WORDS_MAX, DAEMON_ANYWHERE, "[NAME=VALUE ...] [--json]",
      "Live WebSockets, the oldest first. Filters: group, target, listener, client (an address or "
      "a\n"
      "block), state, min_age; sort=age|idle|bytes|frames, order=desc|asc, limit "
      "(docs/tunnels.md)." },
    { "closed", closed, WORDS_MAX, DAEMON_ANYWHERE, "[NAME=VALUE ...] [--json]",
      "The last 10,000 WebSockets that ended, the newest first, and who ended each and how. "
      "Filters\n"
      "as of tunnels; also end, by=client|target|us, since=10m or a time, sort=ended." },
    { "upgrades", upgrades, 0, DAEMON_ANYWHERE, "[--json | --reasons]",
      "WebSocket upgrades that failed last: why, and what to do about it. --reasons: all reasons\n"
      "that there are, as Markdown (docs/upgrades.md)." },
    { "register", register_target, 3, DAEMON_ANYWHERE, "GROUP ADDRESS[:PORT] [weight=N]",
      "A target comes, or gets another weight. Kept over a restart by the state_file setting." },
    { "deregister", deregister_target, 2, DAEMON_ANYWHERE, "GROUP ADDRESS[:PORT]",
      "A target goes: no new requests; what it carries may finish within the group's delay." },
    { "drain", drain, 2, DAEMON_ANYWHERE, "GROUP [ADDRESS[:PORT]] | --all",
      "Targets get no new requests or WebSockets until `alb undrain`, also after a restart. Their\n"
      "WebSockets are told to come again, one after the other, within the group's delay." },
    { "undrain", undrain, 2, DAEMON_ANYWHERE, "GROUP [ADDRESS[:PORT]] | --all",
      "They get them again. Those that were not told yet stay." },
    { "edge", edge, 2, DAEMON_ANYWHERE,
      "show | refused | check ADDRESS | add CIDR --for TIME | remove CIDR [--json]",
      "Who may connect and why; who tried and may not; may this one? add: CIDR may connect for a\n"
      "while (1s to 30d), over reloads and upgrades; remove: no longer so (docs/edge.md)." },
    { "nft", nft, 1, NOBODY, "FILE [--state-file FILE]",
      "Print a packet filter for the machine, made from the same file: the listeners' ports "
      "for the "
      "edge\nset, and until his time is up for whoever was added for a while, by the state file.\n"
      "For `nft -f -`, again after each change (docs/edge.md)." },
    { "settings", settings, 0, NOBODY, "", "All settings, as Markdown (docs/settings.md)." },
    { "sections", sections, 0, NOBODY, "",
      "The kinds of section that a file may have, one a line." },
    { "metrics", metrics, 0, NOBODY, "", "All metrics, as Markdown (docs/metrics.md)." },
    { "--version", version, 0, NOBODY, "", "The version." },
    { "--help", help, 0, NOBODY, "", "This text." },
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static const char *const wheres[] = {
    [NOBODY] = "", [DAEMON_ANYWHERE] = " [AT]", [DAEMON_HERE] = " [--socket PATH]"
};

static int help(const struct arguments *a)
{
    (void)a;
    printf("alb -- an internal load balancer for HTTP/1.1 and WebSocket\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("alb %s %s%s\n%s\n\n", commands[i].name, commands[i].usage, wheres[commands[i].asks],
               commands[i].help);
    printf("AT is --socket PATH, else %s; or another machine (docs/management.md), for all but\n"
           "upgrade:\n"
           "  --remote https://HOST:PORT  a bind of [management] there\n"
           "  --token-file FILE           the token; or ALB_TOKEN_FILE in the environment\n"
           "  --cert FILE [--key FILE]    a certificate to log in with, and its key\n"
           "  --ca FILE                   who signs the certificate there; else the system's\n"
           "  --timeout SECONDS           for all of it, 1 to 3600; else 300 (here as well)\n"
           "These may also stand before the command.\n",
           DEFAULT_SOCKET);
    return 0;
}

/* How many words the option has; 0 when it is unknown or has no value. */
static int read_option(int argc, char **argv, struct arguments *a)
{
    const struct {
        const char *name;
        const char **value;
    } options[] = { { "--ready-file", &a->ready_file },
                    { "--state-file", &a->state_file },
                    { "--socket", &a->at.socket },
                    { "--remote", &a->at.url },
                    { "--token-file", &a->at.token_file },
                    { "--cert", &a->at.certificate },
                    { "--key", &a->at.key },
                    { "--ca", &a->at.ca_file },
                    { "--config", &a->config },
                    { "--name", &a->name },
                    { "--profile", &a->profile },
                    { "--binary", &a->binary },
                    { "--for", &a->time },
                    { "--timeout", &a->timeout } };

    const struct {
        const char *name;
        bool *flag;
    } flags[] = { { "--all", &a->is_all },
                  { "--dry-run", &a->is_dry_run },
                  { "--force", &a->is_forced },
                  { "--json", &a->is_json },
                  { "--reasons", &a->lists_reasons } };

    for (size_t f = 0; f < sizeof(flags) / sizeof(flags[0]); f++) {
        if (strcmp(argv[0], flags[f].name) == 0) {
            *flags[f].flag = true;
            return 1;
        }
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

static bool says_where(const char *word)
{
    static const char *const names[] = { "--socket", "--remote", "--token-file", "--cert",
                                         "--key",    "--ca",     "--timeout" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(word, names[i]) == 0)
            return true;
    }
    return false;
}

/* What says where to ask may stand before the command: how many words that has. -1: one has no
 * value. */
static int read_place(int argc, char **argv, struct arguments *a)
{
    int used = 0;

    while (used < argc && says_where(argv[used])) {
        const int more = read_option(argc - used, argv + used, a);
        if (more == 0)
            return -1;
        used += more;
    }
    return used;
}

/* NULL, or what is wrong. */
static const char *blame_place(const struct remote_options *at, enum asking asks)
{
    const bool is_remote = at->url != NULL;

    if (is_remote && asks == NOBODY)
        return "--remote is for the commands that ask a running alb";
    if (is_remote && asks == DAEMON_HERE)
        return "upgrade is for the machine itself: [management] starts no program";
    if (is_remote && at->socket != NULL)
        return "--socket and --remote are two places; name one";
    if (!is_remote && (at->token_file != NULL || at->certificate != NULL || at->key != NULL ||
                       (at->ca_file != NULL && asks != NOBODY)))
        return "--token-file, --cert, --key and --ca stand with --remote URL only";
    if (at->key != NULL && at->certificate == NULL)
        return "--key stands with --cert FILE only";
    return NULL;
}

/* The same. */
static const char *read_timeout(struct arguments *a, enum asking asks)
{
    uint64_t seconds;

    if (a->timeout == NULL)
        return NULL;
    if (asks == NOBODY)
        return "--timeout is for the commands that ask a running alb";
    if (!text_u64(span_text(a->timeout), &seconds) || seconds == 0 ||
        seconds > REMOTE_TIMEOUT_MOST_S)
        return "--timeout is a number of seconds, 1 to 3600";
    a->at.timeout_s = (uint32_t)seconds;
    return NULL;
}

static int run_command(size_t i, struct arguments *a)
{
    const bool reads_its_own = commands[i].run == quick || commands[i].run == explain;

    if (!reads_its_own && (!read_arguments(a->argc, a->argv, a) || a->count > commands[i].words))
        return usage_error("an argument is not understood");
    const char *blame = blame_place(&a->at, commands[i].asks);
    if (blame == NULL)
        blame = read_timeout(a, commands[i].asks);
    if (blame != NULL)
        return usage_error(blame);
    if (a->at.socket == NULL)
        a->at.socket = DEFAULT_SOCKET;
    return commands[i].run(a);
}

int main(int argc, char **argv)
{
    struct arguments a = { .count = 0 };
    char text[128];

    foster_begin();
    upgrade_remember(argv);
    const int place = read_place(argc - 1, argv + 1, &a);
    if (place == -1)
        return usage_error("an argument is not understood");
    if (argc < 2 + place)
        return usage_error("no command");
    const char *name = argv[1 + place];
    a.argc = argc - 2 - place;
    a.argv = argv + 2 + place;
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(name, commands[i].name) == 0)
            return run_command(i, &a);
    }
    snprintf(text, sizeof(text), "unknown command \"%.60s\"", name);
    return usage_error(text);
}
