/*
 * bare.h -- recv() and send() without libc around them.
 *
 * In libc they are points where a thread may be cancelled, so in a process of several
 * threads each is put between two atomic changes of a flag: about 40 ns, with four
 * calls for each request. No thread of ours is ever cancelled. What instruments the
 * program knows libc's, and gets them.
 */
#ifndef NET_BARE_H
#define NET_BARE_H

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/span.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BARE_IS_LIBC 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define BARE_IS_LIBC 1
#endif
#endif

#ifdef BARE_IS_LIBC

static inline ssize_t bare_recv(int fd, void *into, size_t size)
{
    return recv(fd, into, size, 0);
}

static inline ssize_t bare_send(int fd, struct span bytes, int flags)
{
    return send(fd, bytes.ptr, bytes.len, flags);
}

#else

static inline ssize_t bare_recv(int fd, void *into, size_t size)
{
    return syscall(SYS_recvfrom, fd, into, size, 0, NULL, NULL);
}

static inline ssize_t bare_send(int fd, struct span bytes, int flags)
{
    return syscall(SYS_sendto, fd, bytes.ptr, bytes.len, flags, NULL, 0);
}

#endif

#endif
