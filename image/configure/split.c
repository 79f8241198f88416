/*
 * split.c -- see split.h. Twice over the text:
 *
 *   read    the reader of both programs finds the sections and all that is not well formed
 *   write   line by line, to the owner of the last section line above
 */
#include "image/configure/split.h"

#include <stdlib.h>

#include "base/ini_file.h"
#include "base/mem.h"

enum { NOBODY = SPLIT_PROGRAMS };

/* A section line: whose the lines are from there on. */
struct header {
    int line;
    int owner;
    size_t prefix; /* bytes of "alb." before the kind; 0: it has none */
};

struct reader {
    const struct split_program *programs;
    struct problems *problems;
    struct header *headers; /* owned */
    size_t count;
};

/* --- whose a section is ----------------------------------------------------------- */

static bool has_kind(const struct split_program *p, struct span kind)
{
    struct span rest = p->kinds, one;

    while (span_next(&rest, '\n', &one)) {
        if (one.len > 0 && span_equal(one, kind))
            return true;
    }
    return false;
}

/* "alb.edge": the program that it names, and the bytes of "alb."; NOBODY without such a prefix. */
static int named_program(const struct split_program *programs, struct span kind, size_t *prefix)
{
    for (int i = 0; i < SPLIT_PROGRAMS; i++) {
        const struct span name = span_text(programs[i].name);
        if (kind.len > name.len && kind.ptr[name.len] == '.' && span_starts_with(kind, name)) {
            *prefix = name.len + 1;
            return i;
        }
    }
    return NOBODY;
}

/* "[alb], [edge] and [rule]" */
static const char *list_kinds(const struct split_program *p, char *out, size_t size)
{
    struct span rest = p->kinds, kind;
    size_t used = 0;

    out[0] = '\0';
    while (span_next(&rest, '\n', &kind) && used < size) {
        if (kind.len > 0)
            used += (size_t)snprintf(out + used, size - used, "%s[%.*s]", used == 0 ? "" : ", ",
                                     SPAN_ARGS(kind));
    }
    return out;
}

static void refuse_unknown(struct reader *r, struct span kind, int line)
{
    char first[512], second[512];

    problems_error(r->problems, line, "unknown section [%.*s]; %s has %s, and %s has %s",
                   SPAN_ARGS(kind), r->programs[0].name,
                   list_kinds(&r->programs[0], first, sizeof(first)), r->programs[1].name,
                   list_kinds(&r->programs[1], second, sizeof(second)));
}

/* NOBODY when it is reported. */
static int owner_of(struct reader *r, struct span kind, int line, size_t *prefix)
{
    const struct split_program *p = r->programs;
    const int named = named_program(p, kind, prefix);

    if (named != NOBODY && has_kind(&p[named], span_after(kind, *prefix)))
        return named;
    *prefix = 0;
    const bool is_first = has_kind(&p[0], kind), is_second = has_kind(&p[1], kind);
    if (is_first != is_second)
        return is_first ? 0 : 1;
    if (is_first)
        problems_error(r->problems, line,
                       "both programs have a section [%.*s]; write [%s.%.*s] or [%s.%.*s]",
                       SPAN_ARGS(kind), p[0].name, SPAN_ARGS(kind), p[1].name, SPAN_ARGS(kind));
    else
        refuse_unknown(r, kind, line);
    return NOBODY;
}

static void on_ini(void *user, struct span kind, struct span name, struct span key,
                   struct span value, int line)
{
    struct reader *r = user;
    struct header h = { .line = line };
    (void)name, (void)value;

    if (key.len > 0)
        return;
    h.owner = owner_of(r, kind, line, &h.prefix);
    r->headers = mem_resize(r->headers, (r->count + 1) * sizeof(h));
    r->headers[r->count++] = h;
}

/* --- writing ------------------------------------------------------------------------ */

/* "[ alb.edge ]" as "[ edge ]". */
static void put_header(struct buf *to, struct span line, size_t prefix)
{
    size_t n = (size_t)((const char *)memchr(line.ptr, '[', line.len) - line.ptr) + 1;

    while (line.ptr[n] == ' ' || line.ptr[n] == '\t')
        n++;
    buf_put(to, span_of(line.ptr, n));
    buf_put(to, span_after(line, n + prefix));
}

/* With its end, which the last line may lack. */
static struct span take_line(struct span *rest)
{
    const char *end = memchr(rest->ptr, '\n', rest->len);
    const struct span line =
        end == NULL ? *rest : span_of(rest->ptr, (size_t)(end - rest->ptr) + 1);

    *rest = span_after(*rest, line.len);
    return line;
}

static void put_line(struct split_part *part, struct span line, bool is_theirs,
                     const struct header *starts)
{
    if (!is_theirs)
        buf_put(&part->text, SPAN("\n"));
    else if (starts != NULL && starts->prefix > 0)
        put_header(&part->text, line, starts->prefix);
    else
        buf_put(&part->text, line);
    part->has_sections = part->has_sections || is_theirs;
}

static void write_parts(const struct reader *r, struct span rest, struct split_part *parts)
{
    size_t next = 0;
    int owner = NOBODY;

    for (int number = 1; rest.len > 0; number++) {
        const struct span line = take_line(&rest);
        const bool is_header = next < r->count && r->headers[next].line == number;
        const struct header *starts = is_header ? &r->headers[next++] : NULL;
        if (starts != NULL)
            owner = starts->owner;
        for (int i = 0; i < SPLIT_PROGRAMS; i++)
            put_line(&parts[i], line, owner == i, starts);
    }
}

/* --- the whole ----------------------------------------------------------------------- */

bool split_text(struct span text, const struct split_program programs[SPLIT_PROGRAMS],
                struct split_part parts[SPLIT_PROGRAMS], struct problems *problems)
{
    static const struct span mark = SPAN_INIT("\xef\xbb\xbf"); /* the reader skips it too */
    struct reader r = { .programs = programs, .problems = problems };
    const size_t errors = problems->errors;

    for (int i = 0; i < SPLIT_PROGRAMS; i++) {
        parts[i].has_sections = false;
        buf_init(&parts[i].text, text.len + 1); /* the last line may get an end */
    }
    ini_read_text(text, on_ini, &r, problems);
    const bool is_good = problems->errors == errors;
    if (is_good)
        write_parts(&r, span_starts_with(text, mark) ? span_after(text, mark.len) : text, parts);
    free(r.headers);
    return is_good;
}

void split_done(struct split_part parts[SPLIT_PROGRAMS])
{
    for (int i = 0; i < SPLIT_PROGRAMS; i++)
        buf_done(&parts[i].text);
}
