/* state_file.c -- see state_file.h. */
#include "alb/state_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/new_file.h"
#include "base/text.h"

#include "alb/registrations.h"

enum { FILE_MAX = 8 * 1024 * 1024, LINE_MOST = TARGET_NAME_MAX + GROUP_NAME_MAX + 64 };

_Static_assert(FILE_MAX >
                   REGISTRATIONS_MAX * LINE_MOST + EDGE_ADDITIONS_MAX * EDGE_ADDITION_LINE_MAX,
               "what is written can be read");

bool state_file_read(const char *path, struct registrations *r, struct problems *problems)
{
    char why[512];
    size_t len;

    if (access(path, F_OK) == -1 && errno == ENOENT)
        return true;
    char *text = text_read_file(path, FILE_MAX, &len, why, sizeof(why));
    if (text == NULL) {
        problems_error(problems, 0, "cannot be read: %s", why);
        return false;
    }
    const bool ok = registrations_read(r, span_of(text, len), problems);
    free(text);
    return ok;
}

bool state_file_write(const char *path, const struct registrations *r, char *why, size_t why_size)
{
    struct new_file file;
    struct buf text;

    buf_init(&text, FILE_MAX);
    registrations_print(r, &text);
    const bool ok = new_file_write(&file, path, buf_data(&text), 0640) && new_file_replace(&file);
    if (!ok)
        snprintf(why, why_size, "cannot write the state file %s: %s", path, strerror(errno));
    buf_done(&text);
    return ok;
}
