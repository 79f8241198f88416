/*
 * privileges.c -- see privileges.h. The five sets of capabilities(7), one after the other:
 *
 *   bounding     what a program that we start could get at most. To take from it needs CAP_SETPCAP,
 *                which root has; without it NO_NEW_PRIVS (below) does the same
 *   permitted    what we may make effective; effective: what we may do
 *   inheritable, ambient   what a program that we start gets
 */
#include "net/privileges.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HALVES = _LINUX_CAPABILITY_U32S_3, LAST_OF_ALL = 63 };

static struct __user_cap_header_struct header(void)
{
    return (struct __user_cap_header_struct){ .version = _LINUX_CAPABILITY_VERSION_3 };
}

static uint64_t permitted(uint64_t *effective)
{
    struct __user_cap_header_struct h = header();
    struct __user_cap_data_struct d[HALVES] = { { 0 } };

    syscall(SYS_capget, &h, d);
    *effective = (uint64_t)d[1].effective << 32 | d[0].effective;
    return (uint64_t)d[1].permitted << 32 | d[0].permitted;
}

static void bound(uint64_t kept)
{
    for (int i = 0; i <= LAST_OF_ALL && prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++) {
        if ((kept & PRIVILEGE(i)) == 0)
            prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
    }
}

static void set_three(uint64_t kept)
{
    struct __user_cap_header_struct h = header();
    struct __user_cap_data_struct d[HALVES];

    for (int i = 0; i < HALVES; i++)
        d[i].effective = d[i].permitted = d[i].inheritable = (uint32_t)(kept >> (32 * i));
    syscall(SYS_capset, &h, d);
}

static void set_ambient(uint64_t kept)
{
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (int i = 0; i <= LAST_OF_ALL; i++) {
        if ((kept & PRIVILEGE(i)) != 0)
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0);
    }
}

uint64_t privileges_now(void)
{
    uint64_t effective;

    permitted(&effective);
    return effective;
}

bool privileges_keep(uint64_t kept, char *why, size_t why_size)
{
    uint64_t effective, have = permitted(&effective);

    kept &= have;
    bound(kept);
    set_three(kept);
    set_ambient(kept);
    const bool is_final = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    const int error = errno;
    have = permitted(&effective);
    if (is_final && (have | effective) == kept)
        return true;
    snprintf(why, why_size, "privileges cannot be given up: %s",
             is_final ? "some are still there" : strerror(error));
    return false;
}
