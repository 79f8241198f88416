/* upgrade_process.c -- see upgrade_process.h. */
#include "alb/upgrade_process.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

#include "alb/handing.h"

enum { CHILD_FD = 3, END_MS = 300 };

/* --- its start ------------------------------------------------------------------- */

static struct {
    char path[4096];
    char **argv;
} self;

void upgrade_remember(char **argv)
{
    const ssize_t n = readlink("/proc/self/exe", self.path, sizeof(self.path) - 1);

    self.path[n > 0 ? n : 0] = '\0';
    self.argv = argv;
}

static char **environment(void)
{
    static char mark[] = HANDING_ENV "=3";
    size_t n = 0, kept = 0;

    while (environ[n] != NULL)
        n++;
    char **env = mem_array(char *, n + 2);
    for (size_t i = 0; i < n; i++) {
        if (strncmp(environ[i], mark, sizeof(HANDING_ENV)) != 0)
            env[kept++] = environ[i];
    }
    env[kept] = mark;
    return env;
}

const char *upgrade_own_path(void)
{
    return self.path;
}

/* No signal is blocked or ignored there that was not here at the start. */
int upgrade_process_start(struct upgrade_process *p, const char *path, int fd)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, usual;
    char **env = environment();

    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, fd, CHILD_FD);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    const int error = posix_spawn(&p->pid, path, &files, &attributes, self.argv, env);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    free(env);
    p->pidfd = -1;
    return error;
}

/* --- its end ---------------------------------------------------------------------------------- */

/* It ends by itself within a moment, when it has closed its socket. */
static bool has_ended(pid_t pid, int *status)
{
    const struct timespec moment = { .tv_nsec = 10 * 1000 * 1000 };

    for (int i = 0; i < 30; i++) {
        if (waitpid(pid, status, WNOHANG) == pid)
            return true;
        nanosleep(&moment, NULL);
    }
    return false;
}

static bool is_child(const struct upgrade_process *p)
{
    return p->pidfd == -1;
}

void upgrade_process_signal(const struct upgrade_process *p, int number)
{
    if (is_child(p))
        kill(p->pid, number);
    else
        pidfd_send_signal(p->pidfd, number, NULL, 0);
}

/* Nobody tells us how. */
static void end_orphan(const struct upgrade_process *p)
{
    struct pollfd end = { .fd = p->pidfd, .events = POLLIN };

    if (poll(&end, 1, END_MS) == 0)
        upgrade_process_signal(p, SIGKILL);
}

/* How it ended, or was made to. */
static void reap(pid_t pid, char *text, size_t size)
{
    int status = 0;

    if (!has_ended(pid, &status)) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    if (WIFEXITED(status))
        snprintf(text, size, " (it exited with %d; its own words are in the log)",
                 WEXITSTATUS(status));
    else
        text[0] = '\0';
}

bool upgrade_process_is_dead(const struct upgrade_process *p)
{
    struct pollfd end = { .fd = p->pidfd, .events = POLLIN };
    int status;

    return is_child(p) ? has_ended(p->pid, &status) : poll(&end, 1, END_MS) != 0;
}

void upgrade_process_end(const struct upgrade_process *p, char *how, size_t size)
{
    how[0] = '\0';
    if (is_child(p))
        reap(p->pid, how, size);
    else
        end_orphan(p);
}

void upgrade_process_collect(const struct upgrade_process *p)
{
    waitpid(p->pid, NULL, WNOHANG);
}

void upgrade_process_done(struct upgrade_process *p)
{
    if (p->pidfd != -1)
        close(p->pidfd);
    p->pidfd = -1;
}

/* --- another one is it ------------------------------------------------------------------------ */

/* It is not the process that we have started, which has gone (foster.h). */
void upgrade_process_follow(struct upgrade_process *p, pid_t pid)
{
    int status;

    if (pid == 0 || pid == p->pid)
        return;
    has_ended(p->pid, &status);
    p->pid = pid;
    p->pidfd = pidfd_open(pid, 0);
}
