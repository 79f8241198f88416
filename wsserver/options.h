/*
 * options.h -- the settings of wsserver: one file, read whole and checked.
 *
 * The tables are in options.c; `wsserver settings` prints them.
 */
#ifndef WSSERVER_OPTIONS_H
#define WSSERVER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/problems.h"
#include "base/span.h"
#include "net/addr.h"

enum options_store { STORE_SQLITE, STORE_MEMORY };
enum options_durability { DURABILITY_DISK, DURABILITY_PROCESS };

struct options {
    char *bind; /* IP:port */
    char *node;
    uint32_t workers; /* 0: one a core */
    int store;        /* enum options_store */
    uint32_t ping_interval_ms;
    uint32_t max_message_bytes;
    uint32_t history_messages;
    uint32_t shutdown_timeout_ms;
    uint32_t max_connections; /* 0: from RLIMIT_NOFILE */
    int log_level;            /* enum log_level */

    char *sqlite_path;
    int sqlite_durability; /* enum options_durability */

    bool test_enabled;

    struct addr bind_addr; /* `bind`, parsed */
};

/* Read and check a file; everything that is wrong with it goes to `problems`.
 * False, and nothing to free, when there was an error. */
bool options_read_file(struct options *o, const char *path, struct problems *problems);

/* The same for text in memory. */
bool options_read_text(struct options *o, struct span text, struct problems *problems);

void options_done(struct options *o);

/* The names of the sections, one a line: `wsserver sections`, for who is to tell ours from another
 * program's (image/configure/). */
void options_list_sections(FILE *to);

/* Print all of it as one Markdown page: `wsserver settings`. */
void options_describe(FILE *to);

#endif
