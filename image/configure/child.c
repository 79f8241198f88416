/* child.c -- see child.h. */
#include "image/configure/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

/* Both of its outputs go into the pipe. Its pid, or -1 with errno. */
static pid_t start(char *const argv[], int pipe_to)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, pipe_to, 1);
    posix_spawn_file_actions_adddup2(&actions, pipe_to, 2);
    errno = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return errno == 0 ? pid : -1;
}

/* What is past the bound is read and dropped, so that the program can go on. */
static bool read_some(int fd, struct buf *output)
{
    char bytes[4096];
    const ssize_t n = read(fd, bytes, sizeof(bytes));

    if (n <= 0)
        return n == -1 && errno == EINTR;
    const size_t room = buf_room(output);
    buf_put(output, span_of(bytes, (size_t)n < room ? (size_t)n : room));
    return true;
}

/* False when the time is over before the outputs are closed. */
static bool read_output(int fd, uint64_t end_ms, struct buf *output)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    for (;;) {
        const uint64_t now = clock_mono_ms();
        const int n = now < end_ms ? poll(&p, 1, (int)(end_ms - now)) : 0;
        if (n == 0)
            return false;
        if (n > 0 && !read_some(fd, output))
            return true;
    }
}

static void judge(const char *name, int status, struct child_result *r)
{
    r->has_succeeded = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (WIFSIGNALED(status) && r->why[0] == '\0')
        snprintf(r->why, sizeof(r->why), "%s was ended by signal %d", name, WTERMSIG(status));
}

static void see_to_its_end(pid_t pid, char *const argv[], int fd, unsigned timeout_ms,
                           struct child_result *r)
{
    int status = 0;

    if (!read_output(fd, clock_mono_ms() + timeout_ms, &r->output)) {
        snprintf(r->why, sizeof(r->why), "%s did not end within %u s", argv[0], timeout_ms / 1000);
        kill(pid, SIGKILL);
    }
    while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
        ;
    judge(argv[0], status, r);
}

void child_run(char *const argv[], unsigned timeout_ms, struct child_result *r)
{
    int ends[2];

    *r = (struct child_result){ .has_succeeded = false };
    buf_init(&r->output, CHILD_OUTPUT_MAX);
    if (pipe2(ends, O_CLOEXEC) == -1) {
        snprintf(r->why, sizeof(r->why), "cannot make a pipe: %s", strerror(errno));
        return;
    }
    const pid_t pid = start(argv, ends[1]);
    const int error = errno;
    close(ends[1]);
    if (pid == -1)
        snprintf(r->why, sizeof(r->why), "cannot run %s: %s", argv[0], strerror(error));
    else
        see_to_its_end(pid, argv, ends[0], timeout_ms, r);
    close(ends[0]);
}
