/* problems.c -- see problems.h. */
#include "base/problems.h"

#include <stdarg.h>

#include "base/mem.h"

void problems_init(struct problems *p, const char *file)
{
    *p = (struct problems){ .file = file };
}

void problems_done(struct problems *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->items[i].text);
    mem_free(p->items);
    p->count = p->errors = 0;
}

/* The list is kept in the order of lines, and of arrival within a line. */
static struct problem *insert(struct problems *p, int line)
{
    size_t at = p->count;

    p->items = mem_room(p->items, p->count++, sizeof(p->items[0]));
    while (at > 0 && p->items[at - 1].line > line)
        at--;
    memmove(&p->items[at + 1], &p->items[at], (p->count - 1 - at) * sizeof(p->items[0]));
    return &p->items[at];
}

static void add(struct problems *p, int line, bool is_warning, const char *format, va_list args)
{
    const char *mark = is_warning ? "warning: " : "";
    char *sentence, *text;

    if (vasprintf(&sentence, format, args) < 0)
        sentence = mem_check(NULL);
    int n = line > 0 ? asprintf(&text, "%s:%d: %s%s", p->file, line, mark, sentence)
                     : asprintf(&text, "%s: %s%s", p->file, mark, sentence);
    if (n < 0)
        text = mem_check(NULL);
    free(sentence);
    *insert(p, line) = (struct problem){ .text = text, .line = line, .is_warning = is_warning };
}

void problems_error(struct problems *p, int line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(p, line, false, format, args);
    va_end(args);
    p->errors++;
}

void problems_warning(struct problems *p, int line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(p, line, true, format, args);
    va_end(args);
}

void problems_print(struct problems *p, FILE *to)
{
    for (size_t i = 0; i < p->count; i++)
        fprintf(to, "%s\n", p->items[i].text);
}
