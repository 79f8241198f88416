/*
 * log.h -- the application log: one line per event, on standard error.
 *
 *     log_info("target healthy group=%s target=%s", group, target);
 *
 * Lines read "subject verb key=value"; values with blanks are quoted by the
 * caller. The level and the time are put in front, by log_write(); under
 * systemd (JOURNAL_STREAM names what is written to) the time is left out and
 * the level is the "<N>" prefix that the journal reads. A line leaves in one
 * write(), so lines of several threads never mix; one over LOG_LINE_MAX bytes
 * is cut and ends in "...". Control characters become '?': what a peer sent
 * can never forge a line. errno is kept.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum log_level {
    LOG_LEVEL_ERROR, /* someone must act */
    LOG_LEVEL_WARN,  /* someone may want to know */
    LOG_LEVEL_INFO,  /* a change of state */
    LOG_LEVEL_DEBUG,
};

enum { LOG_LINE_MAX = 4096 };

/* Lines above this level are left out; LOG_LEVEL_INFO at first. */
void log_set_level(enum log_level level);

/* Where lines go; 2 by default. Unit tests and `make run` change it. */
void log_set_fd(int fd);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
