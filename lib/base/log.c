/* log.c -- see log.h. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

static const struct {
    const char *name;
    int syslog; /* the journal's number for it (sd-daemon(3)) */
} levels[] = {
    [LOG_LEVEL_ERROR] = { "error", 3 },
    [LOG_LEVEL_WARN] = { "warn", 4 },
    [LOG_LEVEL_INFO] = { "info", 6 },
    [LOG_LEVEL_DEBUG] = { "debug", 7 },
};

static _Atomic enum log_level most = LOG_LEVEL_INFO;
static atomic_int fd = 2;

void log_set_level(enum log_level level)
{
    most = level;
}

void log_set_fd(int to)
{
    fd = to;
}

/* JOURNAL_STREAM is inherited, also by programs whose standard error is no
 * longer the journal: it counts only when it names the file that we write to
 * (systemd.exec(5)). */
static bool is_journal(int to)
{
    const char *named = getenv("JOURNAL_STREAM");
    uintmax_t device, inode;
    struct stat st;

    return named != NULL && sscanf(named, "%ju:%ju", &device, &inode) == 2 && fstat(to, &st) == 0 &&
           st.st_dev == device && st.st_ino == inode;
}

static size_t write_prefix(enum log_level level, int to, char out[64])
{
    char time[CLOCK_TEXT_MAX];

    if (is_journal(to))
        return (size_t)snprintf(out, 64, "<%d>", levels[level].syslog);
    clock_iso_us(clock_wall_us(), time);
    int shown = (int)(strchr(time, '.') - time) + 4; /* to the millisecond */
    return (size_t)snprintf(out, 64, "%.*sZ %s ", shown, time, levels[level].name);
}

/* Where to cut a text of more than `at` bytes: not inside a UTF-8 character,
 * for the journal shows a line that is no UTF-8 as a blob. */
static size_t cut_at(const char *text, size_t at)
{
    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    return at;
}

void log_write(enum log_level level, const char *format, ...)
{
    char line[LOG_LINE_MAX];
    int saved = errno, to = fd;
    va_list args;

    if (level > most)
        return;
    size_t start = write_prefix(level, to, line);
    va_start(args, format);
    int n = vsnprintf(line + start, sizeof(line) - start, format, args);
    va_end(args);
    size_t len = start + (n < 0 ? 0 : (size_t)n);
    if (len > sizeof(line) - 1) {
        len = cut_at(line, sizeof(line) - 4);
        memcpy(line + len, "...", 3);
        len += 3;
    }
    for (size_t i = start; i < len; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    }
    line[len++] = '\n';
    /* There is nobody to tell when the log itself cannot be written. */
    while (write(to, line, len) == -1 && errno == EINTR)
        continue;
    errno = saved;
}
