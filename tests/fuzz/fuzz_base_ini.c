/*
 * The INI reader against a naive scan of the same text.
 *
 * Whatever the bytes: each call names a line that holds just that key, value
 * or section, and the last section line above it is the one that inih gave.
 * When nothing is reported, every line that says something made one call.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/ini_file.h"

struct scan {
    struct span text;
    int calls, last_line;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Line `number` (from 1), without its end; false past the last one. */
static bool line_at(struct span text, int number, struct span *line)
{
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t n = end == NULL ? text.len : (size_t)(end - text.ptr);
        if (--number == 0) {
            *line = span_of(text.ptr, n > 0 && text.ptr[n - 1] == '\r' ? n - 1 : n);
            return true;
        }
        text = span_after(text, n + 1);
    }
    return false;
}

static bool says_something(struct span line)
{
    line = span_trim(line);
    return line.len > 0 && line.ptr[0] != ';' && line.ptr[0] != '#';
}

static bool is_section(struct span line)
{
    line = span_trim(line);
    return line.len > 0 && line.ptr[0] == '[';
}

/* A state machine, where the reader jumps from quote to quote. */
static struct span naive_value(struct span value)
{
    bool quoted = false, escaped = false;
    char before = '\0';

    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        bool starts_word = i == 0 || before == ' ' || before == '\t';
        if (quoted) {
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if (c == '"' && starts_word) {
            quoted = true;
        } else if ((c == ';' || c == '#') && starts_word && i > 0) {
            return span_trim(span_of(value.ptr, i));
        }
        before = c;
    }
    must(!quoted);
    return span_trim(value);
}

static void check_setting(struct span line, struct span key, struct span value)
{
    const char *equals = memchr(line.ptr, '=', line.len);

    must(equals != NULL);
    size_t n = (size_t)(equals - line.ptr);
    must(span_equal(key, span_trim(span_of(line.ptr, n))));
    must(span_equal(value, naive_value(span_after(line, n + 1))));
}

static void check_section(struct span line, struct span kind, struct span name)
{
    const char *open = memchr(line.ptr, '[', line.len), *close = memchr(line.ptr, ']', line.len);

    must(open != NULL && close != NULL);
    struct span inside = span_trim(span_of(open + 1, (size_t)(close - open) - 1));
    must(kind.len > 0 && span_starts_with(inside, kind));
    must(span_equal(span_trim(span_after(inside, kind.len)), name));
    must(name.len <= 32 && inside.len <= 48);
    must(name.len == 0 || inside.ptr[kind.len] == ' ' || inside.ptr[kind.len] == '\t');
}

static void on_call(void *user, struct span kind, struct span name, struct span key,
                    struct span value, int number)
{
    struct scan *scan = user;
    struct span line;

    must(number > scan->last_line);
    scan->last_line = number;
    scan->calls++;
    must(line_at(scan->text, number, &line) && line.len <= 8192);
    must(is_section(line) == (key.len == 0));
    if (key.len > 0)
        check_setting(line, key, value);
    while (!is_section(line))
        must(line_at(scan->text, --number, &line));
    check_section(line, kind, name);
}

static void check_words(struct span text)
{
    char word[64];
    bool bad = false;
    size_t before = text.len;

    while (ini_next_word(&text, word, sizeof(word), &bad)) {
        must(text.len < before && strlen(word) < sizeof(word) && !bad);
        before = text.len;
    }
    must(bad || text.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size), line;
    struct problems problems;
    struct scan scan = { .text = text };
    int lines = 0;

    if (span_starts_with(text, SPAN("\xef\xbb\xbf")))
        scan.text = span_after(text, 3);
    problems_init(&problems, "fuzz.ini");
    ini_read_text(text, on_call, &scan, &problems);
    for (int n = 1; line_at(scan.text, n, &line); n++)
        lines += says_something(line);
    must(scan.calls <= lines);
    must(problems.errors > 0 || scan.calls == lines);
    problems_done(&problems);
    if (size > 0 && memchr(data, '\0', size) == NULL)
        check_words(text);
    return 0;
}
