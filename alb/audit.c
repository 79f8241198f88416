/* audit.c -- see audit.h. */
#include "alb/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <mbedtls/md.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#include "alb/caller.h"
#include "alb/log_path.h"
#include "alb/log_put.h"

enum {
    TOLD_MOST = 512, /* bytes of arguments that are told as they are */
    MARK_MOST = 32,
    ROW_MAX = 8 * 1024,
    DIGEST_BYTES = 32,
};

/* --- the file ------------------------------------------------------------------------------- */

void audit_init(struct audit *a, metric_value *written, metric_value *failed)
{
    *a = (struct audit){ .path = mem_text(""), .fd = -1, .written = written, .failed = failed };
}

static void close_file(struct audit *a)
{
    if (a->fd > STDERR_FILENO)
        close(a->fd);
    a->fd = -1;
}

void audit_done(struct audit *a)
{
    close_file(a);
    mem_free(a->path);
}

static bool cannot_open(const char *path, char *why, size_t why_size)
{
    snprintf(why, why_size, "audit_log.file: cannot open %s: %s", path, strerror(errno));
    return false;
}

bool audit_open(struct audit *a, const char *path, char *why, size_t why_size)
{
    int fd = -1;

    if (strcmp(path, "-") == 0)
        fd = STDOUT_FILENO;
    else if (path[0] != '\0' && (fd = log_path_open(path)) == -1)
        return cannot_open(path, why, why_size);
    char *copy = mem_text(path);
    close_file(a);
    free(a->path);
    a->path = copy;
    a->fd = fd;
    return true;
}

bool audit_may_open(const char *path, char *why, size_t why_size)
{
    if (path[0] == '\0' || strcmp(path, "-") == 0 || log_path_may_open(path))
        return true;
    return cannot_open(path, why, why_size);
}

/* A row that a full disk cut off is taken back: the next one begins a line. */
static bool append(int fd, struct span row)
{
    struct stat st;
    const bool is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    const ssize_t n = write(fd, row.ptr, row.len);

    if (n == (ssize_t)row.len)
        return true;
    if (n >= 0)
        errno = ENOSPC;
    const int error = errno;
    if (n > 0 && is_file && ftruncate(fd, st.st_size) == -1)
        log_error("audit row is torn reason=\"%s\"", strerror(errno));
    errno = error;
    return false;
}

static bool write_row(struct audit *a, struct span row)
{
    if (a->path[0] == '\0')
        return true;
    const bool ok = append(a->fd, row);
    metric_add(ok ? a->written : a->failed, 1);
    if (!ok)
        log_error("audit row not written file=%s reason=\"%s\"", a->path, strerror(errno));
    return ok;
}

/* --- rows ------------------------------------------------------------------------------------- */

struct field {
    const char *name, *value;
    bool is_quoted; /* it may hold anything */
};

static void put_safe(struct buf *to, const char *value)
{
    char *at = buf_space(to, strlen(value) * LOG_SAFE_FACTOR + LOG_SAFE_SPARE);

    if (at != NULL)
        buf_added(to, (size_t)(log_put_safe(at, span_text(value)) - at));
}

static void put_words(struct buf *to, const struct field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].value[0] == '\0')
            continue;
        buf_print(to, "%s%s=%s", i == 0 ? "" : " ", fields[i].name,
                  fields[i].is_quoted ? "\"" : "");
        put_safe(to, fields[i].value);
        if (fields[i].is_quoted)
            buf_put(to, SPAN("\""));
    }
}

static void put_json(struct buf *to, const struct field *fields, size_t count)
{
    char escaped[6 * (TOLD_MOST + MARK_MOST) + 8];

    for (size_t i = 0; i < count; i++) {
        text_json_escape(span_text(fields[i].value), escaped, sizeof(escaped));
        if (fields[i].value[0] == '\0')
            buf_print(to, ",\"%s\":null", fields[i].name);
        else
            buf_print(to, ",\"%s\":\"%s\"", fields[i].name, escaped);
    }
}

static bool put_row(struct audit *a, enum log_format format, const struct field *fields,
                    size_t count)
{
    char now[CLOCK_TEXT_MAX];
    struct buf row;

    clock_iso_us(clock_wall_us(), now);
    buf_init(&row, ROW_MAX);
    buf_print(&row, format == LOG_FORMAT_JSON ? "{\"time\":\"%s\"" : "%s audit ", now);
    if (format == LOG_FORMAT_JSON)
        put_json(&row, fields, count);
    else
        put_words(&row, fields, count);
    buf_put(&row, format == LOG_FORMAT_JSON ? SPAN("}\n") : SPAN("\n"));
    const bool ok = write_row(a, buf_data(&row));
    buf_done(&row);
    return ok;
}

static void log_row(const struct field *fields, size_t count)
{
    struct buf row;

    buf_init(&row, ROW_MAX);
    put_words(&row, fields, count);
    log_info("audit %.*s", SPAN_ARGS(buf_data(&row)));
    buf_done(&row);
}

/* The id holds over the processes of a chain of upgrades, which write to one file. */
static bool put(struct audit *a, const struct audit_entry *e, const char *outcome, int status)
{
    char id[48], number[16] = "";

    snprintf(id, sizeof(id), "%ld-%" PRIu64, (long)getpid(), e->number);
    if (status != 0)
        snprintf(number, sizeof(number), "%d", status);
    const struct field fields[] = {
        { "id", id, false },
        { "who", e->caller->who, false },
        { "from", e->caller->from, false },
        { "command", e->command, false },
        { "arguments", e->arguments, true },
        { "outcome", outcome, false },
        { "status", number, false },
    };
    const size_t count = sizeof(fields) / sizeof(fields[0]);
    log_row(fields, count);
    return put_row(a, e->format, fields, count);
}

/* --- a change -----------------------------------------------------------------------------------
 */

static void put_digest(struct span body, char *out, size_t size)
{
    unsigned char digest[DIGEST_BYTES];
    size_t len = 0;

    if (mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), (const unsigned char *)body.ptr,
                   body.len, digest) != 0)
        bug("SHA-256 failed");
    len = (size_t)snprintf(out, size, "bytes=%zu sha256=", body.len);
    for (size_t i = 0; i < DIGEST_BYTES; i++)
        len += (size_t)snprintf(out + len, size - len, "%02x", digest[i]);
}

/* An object as the commands read it, which blanks in it do not make longer; NULL when it is none.
 * To be freed. */
static char *object_text(struct span body)
{
    json_t *json = json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL);
    char *text = json_is_object(json) ? json_dumps(json, 0) : NULL;

    json_decref(json);
    return text;
}

/* Commands have an object of JSON; what is long, or a configuration, is told by what it is. */
static void tell_body(struct span body, char *out, size_t size)
{
    char *object = body.len == 0 ? NULL : object_text(body);

    if (body.len == 0)
        out[0] = '\0';
    else if (object != NULL && strlen(object) <= TOLD_MOST)
        snprintf(out, size, "%s", object);
    else
        put_digest(body, out, size);
    free(object);
}

static void tell_arguments(struct audit_entry *e, const struct audit_change *change)
{
    char body[TOLD_MOST + 1];

    tell_body(change->body, body, sizeof(body));
    snprintf(e->arguments, sizeof(e->arguments), "%.*s%s%s", MARK_MOST, change->mark,
             change->mark[0] == '\0' || body[0] == '\0' ? "" : " ", body);
}

static void describe(struct audit *a, struct audit_entry *e, const struct audit_change *change)
{
    e->number = ++a->entries;
    e->format = change->format;
    e->caller = change->caller;
    snprintf(e->command, sizeof(e->command), "%.*s", SPAN_ARGS(change->command));
    tell_arguments(e, change);
}

bool audit_begin(struct audit *a, struct audit_entry *e, const struct audit_change *change,
                 char *why, size_t why_size)
{
    describe(a, e, change);
    e->is_open = put(a, e, "asked", 0);
    if (!e->is_open)
        snprintf(why, why_size,
                 "nothing was changed, because the row for it cannot be written to %s (%s): make "
                 "room there, or set audit_log.file to another file and send SIGHUP",
                 a->path, strerror(errno));
    return e->is_open;
}

void audit_note(struct audit *a, struct audit_entry *e, const struct audit_change *change)
{
    describe(a, e, change);
    put(a, e, "asked", 0);
    e->is_open = true;
}

/* Who may only read shall not fill the disk either, without which nobody can change anything. */
void audit_deny(struct audit *a, const struct audit_change *change)
{
    struct audit_entry e;
    unsigned kept;

    if (!seldom_may(&a->denials, clock_mono_ms(), &kept))
        return;
    describe(a, &e, change);
    put(a, &e, "denied", 403);
}

static const char *const outcomes[] = {
    [AUDIT_DONE] = "done",
    [AUDIT_REFUSED] = "refused",
    [AUDIT_FAILED] = "failed",
};

static const char *outcome_of(int status)
{
    if (status == 0)
        return "left";
    return outcomes[status < 300 ? AUDIT_DONE : status < 500 ? AUDIT_REFUSED : AUDIT_FAILED];
}

static void end(struct audit *a, struct audit_entry *e, const char *outcome, int status)
{
    if (!e->is_open)
        return;
    e->is_open = false;
    put(a, e, outcome, status);
}

void audit_end(struct audit *a, struct audit_entry *e, int status)
{
    end(a, e, outcome_of(status), status);
}

void audit_close(struct audit *a, struct audit_entry *e, enum audit_outcome outcome)
{
    end(a, e, outcomes[outcome], 0);
}
