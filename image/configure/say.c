/* say.c -- see say.h. */
#include "image/configure/say.h"

#include <mbedtls/md.h>
#include <stdlib.h>

#include "base/log.h"

/* How both programs begin what they say of a file: "FILE: ok: ", "FILE:3: warning: ". */
static enum log_level level_of(struct span line)
{
    static const char ok[] = ": ok: ", warning[] = ": warning: ";

    if (memmem(line.ptr, line.len, ok, sizeof(ok) - 1) != NULL)
        return LOG_LEVEL_INFO;
    if (memmem(line.ptr, line.len, warning, sizeof(warning) - 1) != NULL)
        return LOG_LEVEL_WARN;
    return LOG_LEVEL_ERROR;
}

static void say_line(struct span line, const char *path, const char *name)
{
    const struct span start = span_text(path);

    if (start.len > 0 && span_starts_with(line, start))
        log_write(level_of(line), "%s%.*s", name, SPAN_ARGS(span_after(line, start.len)));
    else
        log_write(level_of(line), "%.*s", SPAN_ARGS(line));
}

void say_lines(struct span text, const char *path, const char *name)
{
    struct span rest = text, line;
    size_t count = 0;

    while (span_next(&rest, '\n', &line)) {
        if (line.len > 0 && ++count <= SAY_LINES_MAX)
            say_line(line, path, name);
    }
    if (count > SAY_LINES_MAX)
        log_error("%s: and %zu lines more", name, count - SAY_LINES_MAX);
}

void say_problems(struct problems *problems)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);

    if (to == NULL)
        return;
    problems_print(problems, to);
    fclose(to);
    say_lines(span_of(text, len), "", problems->file);
    free(text);
}

const char *say_sha256(struct span text, char out[SAY_SHA256_MAX])
{
    unsigned char hash[(SAY_SHA256_MAX - 1) / 2] = { 0 };

    mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), (const unsigned char *)text.ptr,
               text.len, hash);
    for (size_t i = 0; i < sizeof(hash); i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
    return out;
}
