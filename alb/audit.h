/*
 * audit.h -- a row for each change by command or signal: who, when, from where, what, and what came
 * of it.
 *
 * Two rows for each, of one id: `outcome=asked` before, and one after. They go to the program's
 * log, and to the file of audit_log.file if there is one: at once, by the control thread. Where the
 * first cannot be written nothing may be changed; so nothing is that is not in the file.
 */
#ifndef ALB_AUDIT_H
#define ALB_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/seldom.h"
#include "base/span.h"

#include "alb/options.h"

struct caller;

struct audit {
    char *path; /* owned; "": there is no file */
    int fd;     /* -1: it is not open */
    uint64_t entries;
    struct seldom denials;
    metric_value *written, *failed; /* rows of the file */
};

/* What is asked for. */
struct audit_change {
    const struct caller *caller; /* borrowed: lives longer than the change is under way */
    struct span command;
    const char *mark; /* before the arguments: "force"; "" for none */
    struct span body; /* the arguments: told as they are when they are few, else by their size and
                         SHA-256 */
    enum log_format format;
};

/* One change that is under way. */
struct audit_entry {
    bool is_open;
    uint64_t number;
    enum log_format format;
    const struct caller *caller;
    char command[32];
    char arguments[1024]; /* "" when there are none */
};

void audit_init(struct audit *a, metric_value *written, metric_value *failed);
void audit_done(struct audit *a);

/* Write to this path from now on, "" for none; also to open it again. False with a sentence: the
 * old file stays. And could it be opened? */
bool audit_open(struct audit *a, const char *path, char *why, size_t why_size);
bool audit_may_open(const char *path, char *why, size_t why_size);

/* It is asked for: false with a sentence when that cannot be written, and then it must not be
 * done. */
bool audit_begin(struct audit *a, struct audit_entry *e, const struct audit_change *change,
                 char *why, size_t why_size);

/* The same for what cannot be refused (a signal): what cannot be written is not. */
void audit_note(struct audit *a, struct audit_entry *e, const struct audit_change *change);

/* It was asked for by somebody who may not: one row, and not for all of many. */
void audit_deny(struct audit *a, const struct audit_change *change);

/* What came of it, by the status that was answered; 0: whoever asked has left before. Harmless for
 * one that is not open. */
void audit_end(struct audit *a, struct audit_entry *e, int status);

/* The same of what has no status. */
enum audit_outcome { AUDIT_DONE, AUDIT_REFUSED, AUDIT_FAILED };
void audit_close(struct audit *a, struct audit_entry *e, enum audit_outcome outcome);

#endif
