/* log_path.c -- see log_path.h. */
#include "alb/log_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int log_path_open(const char *path)
{
    struct stat st;
    const bool is_fifo = stat(path, &st) == 0 && S_ISFIFO(st.st_mode);
    const int how = is_fifo ? O_RDWR : O_WRONLY | O_APPEND | O_CREAT;

    return open(path, how | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
}

static bool may(const char *path, int how)
{
    return faccessat(AT_FDCWD, path, how, AT_EACCESS) == 0;
}

static bool may_make_in_folder_of(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const size_t len = slash == NULL ? 0 : (size_t)(slash - path);

    if (len >= sizeof(folder)) {
        errno = ENAMETOOLONG;
        return false;
    }
    snprintf(folder, sizeof(folder), "%.*s", (int)len, path);
    return may(slash == NULL ? "." : len == 0 ? "/" : folder, W_OK | X_OK);
}

/* Who reads a FIFO would see it open and close. */
bool log_path_may_open(const char *path)
{
    struct stat st;

    if (stat(path, &st) == -1)
        return errno == ENOENT && may_make_in_folder_of(path);
    if (S_ISFIFO(st.st_mode))
        return may(path, R_OK | W_OK);
    const int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd == -1)
        return false;
    close(fd);
    return true;
}
