/* new_file.c -- see new_file.h. */
#include "base/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

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

/* What was left there may lead elsewhere, be another file too, or a FIFO that nobody reads. */
static int create_anew(const char *path, mode_t mode)
{
    if (unlink(path) == -1 && errno != ENOENT)
        return -1;
    return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
}

static bool write_beside(const struct new_file *f, struct span bytes, mode_t mode)
{
    const int fd = create_anew(f->beside, mode);

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

static void forget(struct new_file *f)
{
    mem_free(f->path);
    mem_free(f->beside);
}

void new_file_discard(struct new_file *f)
{
    const int error = errno;

    unlink(f->beside);
    forget(f);
    errno = error;
}

bool new_file_write(struct new_file *f, const char *path, struct span bytes, mode_t mode)
{
    f->path = mem_text(path);
    if (asprintf(&f->beside, "%s.new", path) < 0)
        mem_check(NULL);
    if (write_beside(f, bytes, mode))
        return true;
    new_file_discard(f);
    return false;
}

/* Whoever may not give a file away gives it to its group, or to nobody. */
static bool make_alike(const char *path, const struct stat *st)
{
    if (chown(path, st->st_uid, st->st_gid) == -1 && chown(path, (uid_t)-1, st->st_gid) == -1 &&
        errno != EPERM)
        return false;
    return chmod(path, st->st_mode & 07777) == 0;
}

bool new_file_write_alike(struct new_file *f, const char *path, struct span bytes)
{
    char *real = realpath(path, NULL);
    struct stat st;

    bool ok = real != NULL && stat(real, &st) == 0 && new_file_write(f, real, bytes, 0600);
    free(real);
    if (ok && !make_alike(f->beside, &st)) {
        new_file_discard(f);
        ok = false;
    }
    return ok;
}

bool new_file_replace(struct new_file *f)
{
    if (rename(f->beside, f->path) == -1) {
        new_file_discard(f);
        return false;
    }
    sync_folder(f->path);
    forget(f);
    return true;
}
