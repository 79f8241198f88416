/* foster.c -- see foster.h. */
#include "alb/foster.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "alb/handing.h"

enum { CORD_FD = 3, PATIENCE_MS = 1000 };

static int cord = -1; /* to the foster parent; -1: there is none */
static pid_t parent;

/* --- the foster parent -------------------------------------------------------------------- */

/* Whoever waits for the end of the link to the old process would wait for us. */
static void keep_only(int fd)
{
    if (fd != CORD_FD)
        dup2(fd, CORD_FD);
    close_range(CORD_FD + 1, ~0U, 0);
}

static bool is_told_to_go(void)
{
    char byte;
    ssize_t n;

    do
        n = read(CORD_FD, &byte, 1);
    while (n == -1 && errno == EINTR);
    return n == 1;
}

static _Noreturn void end_as(pid_t child)
{
    int status = 0;

    while (waitpid(child, &status, 0) == -1 && errno == EINTR)
        ;
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

static _Noreturn void care(pid_t child, int fd)
{
    keep_only(fd);
    if (is_told_to_go())
        _exit(EXIT_SUCCESS);
    end_as(child);
}

/* --- the new process ------------------------------------------------------------------------ */

static void grow_up(pid_t of, int fd)
{
    parent = of;
    cord = fd;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it has gone already */
        _exit(EXIT_FAILURE);
}

/* Without a foster parent (no descriptor, no process more) it goes as well: as the old one's child.
 */
void foster_begin(void)
{
    const pid_t self = getpid();
    int fds[2];

    if (getenv(HANDING_ENV) == NULL || pipe2(fds, O_CLOEXEC) == -1)
        return;
    const pid_t child = fork();
    if (child > 0)
        care(child, fds[0]);
    close(fds[0]);
    if (child == 0)
        grow_up(self, fds[1]);
    else
        close(fds[1]);
}

void foster_end(void)
{
    const struct timespec moment = { .tv_nsec = 1000000 };

    if (cord == -1)
        return;
    prctl(PR_SET_PDEATHSIG, 0);
    (void)!write(cord, "", 1);
    close(cord);
    cord = -1;
    for (int i = 0; i < PATIENCE_MS && getppid() == parent; i++)
        nanosleep(&moment, NULL);
}
