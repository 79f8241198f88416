/*
 * ini_file.c -- see ini_file.h.
 *
 * What inih gets to see of a file is only what was checked here:
 *
 *     [rule chat]       is handed as    [rule chat]
 *                                       = 7             the header, announced
 *     action = forward "a ; b"          action = 8
 *
 * Comments and empty lines are not handed at all. inih calls back for a line
 * before it asks for the next one, so the value is still at hand then.
 */
#include "base/ini_file.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* inih has a type of the same name as ours. */
#define ini_handler inih_handler
#include <ini.h>
#undef ini_handler

#include "base/bug.h"
#include "base/text.h"

enum {
    FILE_MAX_BYTES = 4 << 20,
    LINE_MAX_BYTES = 8192,
    KEY_MAX = 80,
    SECTION_MAX = 48,
    NAME_MAX_BYTES = 32
};

enum { SHOWN_MAX = 40 }; /* bytes of a text that an error sentence repeats */

/* What a `key = value` belongs to. */
enum place { BEFORE_SECTIONS, IN_SECTION, IN_BAD_SECTION };

struct reader {
    struct span rest;  /* lines not yet taken */
    int line;          /* number of the last one taken */
    struct span value; /* of that line */
    enum place place;
    bool announce; /* a section was handed: its header comes next */

    ini_handler *handler;
    void *user;
    struct problems *problems;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int shown(struct span text)
{
    return text.len > SHOWN_MAX ? SHOWN_MAX : (int)text.len;
}

/* --- words and comments ----------------------------------------------------- */

/* Bytes of the quoted stretch that `text` begins with, both quotes counted; 0
 * when it is never closed. */
static size_t quoted_len(struct span text)
{
    for (size_t i = 1; i < text.len; i++) {
        if (text.ptr[i] == '"')
            return i + 1;
        if (text.ptr[i] == '\\')
            i++;
    }
    return 0;
}

/* A quote opens at the start of a word only, here and in ini_next_word(). */
static struct span without_comment(struct span text, bool *open_quote)
{
    size_t i = 0;

    while (i < text.len) {
        char c = text.ptr[i];
        bool after_blank = i > 0 && is_blank(text.ptr[i - 1]);
        size_t step = 1;
        if (after_blank && (c == ';' || c == '#')) {
            text.len = i;
        } else if (c == '"' && (after_blank || i == 0)) {
            step = quoted_len(span_after(text, i));
            *open_quote = step == 0;
            if (*open_quote)
                break;
        }
        i += step;
    }
    return span_trim(text);
}

/* False when it does not fit. */
static bool copy_word(struct span from, bool quoted, char *word, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < from.len; i++) {
        /* There is always a next byte: the closing quote, at the least. */
        if (quoted && from.ptr[i] == '\\' && (from.ptr[i + 1] == '"' || from.ptr[i + 1] == '\\'))
            i++;
        if (used + 1 >= size)
            return false;
        word[used++] = from.ptr[i];
    }
    word[used] = '\0';
    return true;
}

bool ini_next_word(struct span *rest, char *word, size_t size, bool *bad)
{
    *rest = span_trim(*rest);
    if (rest->len == 0)
        return false;
    bool quoted = rest->ptr[0] == '"';
    size_t n = quoted ? quoted_len(*rest) : 0;
    while (!quoted && n < rest->len && !is_blank(rest->ptr[n]))
        n++;
    struct span inside = quoted && n > 0 ? span_of(rest->ptr + 1, n - 2) : span_of(rest->ptr, n);
    if (n == 0 || (n < rest->len && !is_blank(rest->ptr[n])) ||
        !copy_word(inside, quoted, word, size)) {
        *bad = true;
        return false;
    }
    *rest = span_after(*rest, n);
    return true;
}

/* --- lines as inih gets them ------------------------------------------------- */

/* Letters, digits, '.', '_' and '-': what inih can take for nothing else. */
static bool is_name(struct span text, size_t most)
{
    if (text.len == 0 || text.len > most)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return false;
    }
    return true;
}

/* "rule chat" -> "rule" and "chat". */
static void split_section(struct span text, struct span *kind, struct span *name)
{
    size_t n = 0;

    text = span_trim(text);
    while (n < text.len && !is_blank(text.ptr[n]))
        n++;
    *kind = span_of(text.ptr, n);
    *name = span_trim(span_after(text, n));
}

/* What is wrong with a section line; NULL, with its two parts, when nothing is. */
static const char *check_section(struct span line, struct span *kind, struct span *name)
{
    const char *end = memchr(line.ptr, ']', line.len);
    bool open_quote = false;

    if (end == NULL)
        return "has no ']'";
    struct span text = span_of(line.ptr + 1, (size_t)(end - line.ptr) - 1);
    if (without_comment(span_after(line, text.len + 2), &open_quote).len > 0)
        return "goes on after ']'; write the next setting on a line of its own, "
               "a comment after a blank";
    if (text.len > SECTION_MAX)
        return "is longer than 48 characters";
    split_section(text, kind, name);
    if (!is_name(*kind, SECTION_MAX) || (name->len > 0 && !is_name(*name, SECTION_MAX)))
        return "is not [KIND] or [KIND NAME] in letters, digits, '.', '_' and '-'";
    if (name->len > NAME_MAX_BYTES)
        return "has a name of more than 32 characters";
    return NULL;
}

static bool rewrite_section(struct reader *r, struct span line, char *out, size_t size)
{
    struct span kind, name;
    const char *wrong = check_section(line, &kind, &name);

    r->place = wrong == NULL ? IN_SECTION : IN_BAD_SECTION;
    if (wrong != NULL) {
        problems_error(r->problems, r->line, "section %.*s %s", shown(line), line.ptr, wrong);
        return false;
    }
    r->value = span_of("", 0);
    r->announce = true;
    snprintf(out, size, "[%.*s %.*s]\n", SPAN_ARGS(kind), SPAN_ARGS(name));
    return true;
}

static bool rewrite_setting(struct reader *r, struct span line, char *out, size_t size)
{
    const char *equals = memchr(line.ptr, '=', line.len);
    bool open_quote = false;

    if (equals == NULL) {
        problems_error(r->problems, r->line, "\"%.*s\" has no '='; write key = value", shown(line),
                       line.ptr);
        return false;
    }
    struct span key = span_trim(span_of(line.ptr, (size_t)(equals - line.ptr)));
    struct span value = span_after(line, (size_t)(equals - line.ptr) + 1);
    r->value = without_comment(value, &open_quote);
    if (!is_name(key, KEY_MAX))
        problems_error(r->problems, r->line,
                       "\"%.*s\" is not a key: letters, digits, '.', '_' and '-', at most %d",
                       shown(key), key.ptr, KEY_MAX);
    else if (open_quote)
        problems_error(r->problems, r->line, "%.*s: a quote is opened and never closed; add a '\"'",
                       SPAN_ARGS(key));
    else if (r->place == BEFORE_SECTIONS)
        problems_error(r->problems, r->line,
                       "%.*s stands before the first [section]; put it in one", SPAN_ARGS(key));
    else if (r->place == IN_SECTION)
        return snprintf(out, size, "%.*s = %d\n", SPAN_ARGS(key), r->line) > 0;
    return false;
}

static const char *check_line(struct span line)
{
    if (line.len > LINE_MAX_BYTES)
        return "is longer than 8192 bytes; split it over several lines of the same key";
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return "holds a control character; save the file as plain text (UTF-8)";
    }
    return NULL;
}

/* True when the line says something, and is in `out` for inih. */
static bool rewrite(struct reader *r, struct span physical, char *out, size_t size)
{
    struct span line = span_trim(physical);
    const char *wrong = check_line(physical);

    if (wrong != NULL) {
        problems_error(r->problems, r->line, "the line %s", wrong);
        if (line.len > 0 && line.ptr[0] == '[')
            r->place = IN_BAD_SECTION;
        return false;
    }
    if (line.len == 0 || line.ptr[0] == ';' || line.ptr[0] == '#')
        return false;
    if (line.ptr[0] == '[')
        return rewrite_section(r, line, out, size);
    return rewrite_setting(r, line, out, size);
}

/* The next physical line, without its LF or CRLF. */
static bool take_line(struct reader *r, struct span *line)
{
    if (r->rest.len == 0)
        return false;
    const char *end = memchr(r->rest.ptr, '\n', r->rest.len);
    size_t n = end == NULL ? r->rest.len : (size_t)(end - r->rest.ptr);
    *line = span_of(r->rest.ptr, n);
    if (n > 0 && line->ptr[n - 1] == '\r')
        line->len--;
    r->rest = span_after(r->rest, n + 1);
    r->line++;
    return true;
}

/* inih's fgets(). */
static char *hand_line(char *out, int size, void *user)
{
    struct reader *r = user;
    struct span line;

    if (r->announce) {
        r->announce = false;
        snprintf(out, (size_t)size, "= %d\n", r->line);
        return out;
    }
    while (take_line(r, &line)) {
        if (rewrite(r, line, out, (size_t)size))
            return out;
    }
    return NULL;
}

static int on_setting(void *user, const char *section, const char *key, const char *number)
{
    struct reader *r = user;
    struct span kind, name;

    assert(atoi(number) == r->line); /* so `value` is the one of this key */
    split_section(span_text(section), &kind, &name);
    r->handler(r->user, kind, name, span_text(key), r->value, r->line);
    return 1;
}

void ini_read_text(struct span text, ini_handler *handler, void *user, struct problems *problems)
{
    struct reader r = { .handler = handler, .user = user, .problems = problems, .rest = text };

    if (span_starts_with(text, SPAN("\xef\xbb\xbf")))
        r.rest = span_after(text, 3);
    if (ini_parse_stream(hand_line, &r, on_setting, &r) != 0)
        bug("inih refused a line that we made");
}

bool ini_read_file(const char *path, ini_handler *handler, void *user, struct problems *problems)
{
    char why[512];
    size_t len;
    char *text = text_read_input(path, FILE_MAX_BYTES, &len, why, sizeof(why));

    if (text == NULL) {
        problems_error(problems, 0, "%s", why);
        return false;
    }
    ini_read_text(span_of(text, len), handler, user, problems);
    free(text);
    return true;
}
