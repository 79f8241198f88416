/* state_file.c -- see state_file.h. */
#include "alb/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

#include "alb/registrations.h"

enum { FILE_MAX = 8 * 1024 * 1024, LINE_MOST = TARGET_NAME_MAX + GROUP_NAME_MAX + 64 };

_Static_assert(FILE_MAX > REGISTRATIONS_MAX * LINE_MOST, "what is written can be read");

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

/* False with errno. */
static bool write_whole(int fd, struct span bytes)
{
    while (bytes.len > 0) {
        const ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n == -1 && errno != EINTR)
            return false;
        bytes = span_after(bytes, n == -1 ? 0 : (size_t)n);
    }
    return true;
}

static bool write_beside(const char *path, struct span bytes)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);

    if (fd == -1)
        return false;
    bool ok = write_whole(fd, bytes) && fsync(fd) == 0;
    const int error = errno;
    ok &= close(fd) == 0;
    if (!ok)
        errno = error;
    return ok;
}

/* The new name of the file is in its folder, which is synced as well. */
static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? mem_text(".") : mem_copy(path, (size_t)(slash - path) + 1);
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    free(folder);
    if (fd == -1)
        return;
    fsync(fd); /* not every file system can: the change is in the file all the same */
    close(fd);
}

bool state_file_write(const char *path, const struct registrations *r, char *why, size_t why_size)
{
    struct buf text;
    char *beside;

    if (asprintf(&beside, "%s.new", path) < 0)
        mem_check(NULL);
    buf_init(&text, FILE_MAX);
    registrations_print(r, &text);
    const bool ok = write_beside(beside, buf_data(&text)) && rename(beside, path) == 0;
    if (ok) {
        sync_folder(path);
    } else {
        snprintf(why, why_size, "cannot write the state file %s: %s", path, strerror(errno));
        unlink(beside);
    }
    buf_done(&text);
    free(beside);
    return ok;
}
