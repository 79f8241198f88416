/* main.c -- the commands of wsserver. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "wsserver/counters.h"
#include "wsserver/options.h"
#include "wsserver/server.h"

static const char usage[] = "usage: wsserver run FILE [--ready-file F]   serve\n"
                            "       wsserver check FILE                  read a configuration and "
                            "say what is wrong with it\n"
                            "       wsserver settings                    print every setting\n"
                            "       wsserver sections                    print the sections that a "
                            "file may have\n"
                            "       wsserver metrics                     print every metric\n"
                            "       wsserver --help | --version\n";

static bool read_options(const char *path, struct options *options)
{
    struct problems problems;

    problems_init(&problems, path);
    bool ok = options_read_file(options, path, &problems);
    problems_print(&problems, stderr);
    problems_done(&problems);
    return ok;
}

static int run(const char *path, const char *ready_file)
{
    struct options options;

    if (!read_options(path, &options))
        return 1;
    log_set_level((enum log_level)options.log_level);
    int code = server_run(&options, ready_file);
    options_done(&options);
    return code;
}

static int check(const char *path)
{
    struct options options;

    if (!read_options(path, &options))
        return 1;
    printf("%s: ok: node %s on %s, store %s\n", path, options.node, options.bind,
           options.store == STORE_SQLITE ? options.sqlite_path : "memory");
    options_done(&options);
    return 0;
}

static bool is(const char *argument, const char *word)
{
    return strcmp(argument, word) == 0;
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";

    if (argc == 3 && is(command, "run"))
        return run(argv[2], NULL);
    if (argc == 5 && is(command, "run") && is(argv[3], "--ready-file"))
        return run(argv[2], argv[4]);
    if (argc == 3 && is(command, "check"))
        return check(argv[2]);
    if (argc == 2 && is(command, "settings")) {
        options_describe(stdout);
        return 0;
    }
    if (argc == 2 && is(command, "sections")) {
        options_list_sections(stdout);
        return 0;
    }
    if (argc == 2 && is(command, "metrics")) {
        counters_describe(stdout);
        return 0;
    }
    if (argc == 2 && is(command, "--help")) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc == 2 && is(command, "--version")) {
        printf("wsserver %s\n", POSTERN_VERSION);
        return 0;
    }
    fputs(usage, stderr);
    return 2;
}
