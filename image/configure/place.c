/* place.c -- see place.h. */
#include "image/configure/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODE = 0640 };

static bool fail(const char *doing, const char *path, char *why, size_t why_size)
{
    snprintf(why, why_size, "cannot %s %s: %s", doing, path, strerror(errno));
    return false;
}

const char *place_path(const char *folder, const char *program, char out[PLACE_PATH_MAX])
{
    snprintf(out, PLACE_PATH_MAX, "%s/%s.ini", folder, program);
    return out;
}

const char *place_draft_path(const char *folder, const char *program, char out[PLACE_PATH_MAX])
{
    snprintf(out, PLACE_PATH_MAX, "%s/%s.ini.new", folder, program);
    return out;
}

static bool write_whole(int fd, struct span text)
{
    while (text.len > 0) {
        const ssize_t n = write(fd, text.ptr, text.len);
        if (n == -1 && errno != EINTR)
            return false;
        text = span_after(text, n > 0 ? (size_t)n : 0);
    }
    return true;
}

bool place_write_draft(const char *folder, const char *program, struct span text, char *why,
                       size_t why_size)
{
    char path[PLACE_PATH_MAX];

    place_drop_draft(folder, program); /* one that was left has another owner, perhaps */
    place_draft_path(folder, program, path);
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, MODE);
    if (fd == -1)
        return fail("write", path, why, why_size);
    const bool is_written = fchmod(fd, MODE) == 0 && write_whole(fd, text); /* whatever the umask */
    if (!is_written)
        fail("write", path, why, why_size);
    return close(fd) == 0 && is_written;
}

bool place_use_draft(const char *folder, const char *program, char *why, size_t why_size)
{
    char draft[PLACE_PATH_MAX], path[PLACE_PATH_MAX];

    place_draft_path(folder, program, draft);
    place_path(folder, program, path);
    return rename(draft, path) == 0 || fail("write", path, why, why_size);
}

void place_drop_draft(const char *folder, const char *program)
{
    char path[PLACE_PATH_MAX];

    unlink(place_draft_path(folder, program, path));
}

void place_drop(const char *folder, const char *program)
{
    char path[PLACE_PATH_MAX];

    unlink(place_path(folder, program, path));
}
