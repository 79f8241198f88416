/* Giving up privileges, in a child, which shows what it has left in /proc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/privileges.h"

static const uint64_t BIND = PRIVILEGE(CAP_NET_BIND_SERVICE), ADMIN = PRIVILEGE(CAP_NET_ADMIN);

/* A number of /proc/self/status, of the base 16 or 10. */
static uint64_t shown(const char *name, int base)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256], *value = NULL;

    while (value == NULL && fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            value = line + strlen(name) + 1;
    }
    fclose(f);
    return value == NULL ? UINT64_MAX : strtoull(value, NULL, base);
}

static bool all_are(uint64_t privileges)
{
    return shown("CapEff", 16) == privileges && shown("CapPrm", 16) == privileges &&
           shown("CapInh", 16) == privileges && shown("CapAmb", 16) == privileges &&
           shown("CapBnd", 16) == privileges;
}

static bool keep(uint64_t privileges)
{
    char why[128];

    return privileges_keep(privileges, why, sizeof(why));
}

/* Is this true in a child? */
static bool in_child(bool (*what)(void))
{
    int status = 1;
    const pid_t child = fork();

    if (child == 0)
        _exit(what() ? 0 : 1);
    return waitpid(child, &status, 0) == child && status == 0;
}

static void need_root(void)
{
    if ((privileges_now() & ADMIN) == 0 || (privileges_now() & PRIVILEGE(CAP_SETPCAP)) == 0) {
        print_message("not tested: it needs root\n");
        skip();
    }
}

static bool keeps_one(void)
{
    return keep(BIND) && all_are(BIND) && privileges_now() == BIND && shown("NoNewPrivs", 10) == 1;
}

static bool keeps_less_and_less(void)
{
    return keep(BIND | ADMIN) && all_are(BIND | ADMIN) && keep(BIND) && privileges_now() == BIND &&
           keep(0) && privileges_now() == 0;
}

static bool gets_nothing_back(void)
{
    return keep(BIND) && keep(BIND | ADMIN) && privileges_now() == BIND;
}

/* Whatever it was: what is not there cannot be kept. */
static bool has_none(void)
{
    return keep(0) && keep(~0ull) && privileges_now() == 0;
}

static bool binds_a_low_port(void)
{
    const struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(7) };
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const bool ok = bind(fd, (const struct sockaddr *)&any, sizeof(any)) == 0;

    close(fd);
    return ok;
}

static bool can_bind(void)
{
    return keep(BIND) && binds_a_low_port();
}

/* As `alb upgrade` starts the new process. */
static bool passes_it_on(void)
{
    return keep(BIND) &&
           system("grep -q 'CapEff:[[:space:]]*0000000000000400' /proc/self/status") == 0;
}

static void test_as_root(void **state)
{
    (void)state;
    need_root();
    assert_true(in_child(keeps_one));
    assert_true(in_child(keeps_less_and_less));
    assert_true(in_child(gets_nothing_back));
    assert_true(in_child(can_bind));
    assert_true(in_child(passes_it_on));
}

static void test_as_anybody(void **state)
{
    (void)state;
    assert_true(in_child(has_none));
}

/* An ordinary user with what systemd gave him. */
static bool as_user(bool (*then)(void))
{
    return setgid(65534) == 0 && setuid(65534) == 0 && then();
}

static bool user_has_nothing(void)
{
    return as_user(has_none) && shown("NoNewPrivs", 10) == 1;
}

static void test_as_user(void **state)
{
    (void)state;
    need_root();
    assert_true(in_child(user_has_nothing));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_root),
        cmocka_unit_test(test_as_anybody),
        cmocka_unit_test(test_as_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
