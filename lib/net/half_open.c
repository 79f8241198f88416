/* half_open.c -- see half_open.h. A dump of sock_diag(7): what is asked for is the port and the
 * state; the kernel makes the answer as it is read. */
#include "net/half_open.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/addr.h"

enum { ANSWER_MAX = 32 * 1024 };

static bool ask(int fd, const struct addr *at)
{
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 body;
    } question = {
        .head = { .nlmsg_len = sizeof(question),
                  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
        .body = { .sdiag_family = (__u8)at->sa.sa_family,
                  .sdiag_protocol = IPPROTO_TCP,
                  .idiag_states = 1u << TCP_SYN_RECV,
                  .id.idiag_sport = htons(addr_port(at)) },
    };

    return send(fd, &question, sizeof(question), 0) == (ssize_t)sizeof(question);
}

/* Both IPv4 or both IPv6. */
static bool is_at(const struct inet_diag_msg *found, const struct addr *at)
{
    static const struct in6_addr any;
    const void *ours = at->sa.sa_family == AF_INET ? (const void *)&at->in.sin_addr
                                                   : (const void *)&at->in6.sin6_addr;
    const size_t len = at->sa.sa_family == AF_INET ? sizeof(struct in_addr) : sizeof(any);

    return memcmp(ours, &any, len) == 0 || memcmp(ours, found->id.idiag_src, len) == 0;
}

/* What one part of the answer adds to the count; false at the end, or when there is none (-1). */
static bool take(const struct nlmsghdr *part, size_t len, const struct addr *at, int *count)
{
    for (; NLMSG_OK(part, len); part = NLMSG_NEXT(part, len)) {
        if (part->nlmsg_type == NLMSG_ERROR)
            *count = -1;
        if (part->nlmsg_type == NLMSG_ERROR || part->nlmsg_type == NLMSG_DONE)
            return false;
        *count += is_at(NLMSG_DATA(part), at);
    }
    return true;
}

static int count_answer(int fd, const struct addr *at)
{
    _Alignas(struct nlmsghdr) char answer[ANSWER_MAX];
    int count = 0;

    for (;;) {
        const ssize_t n = recv(fd, answer, sizeof(answer), 0);
        if (n <= 0)
            return -1;
        if (!take((const struct nlmsghdr *)(const void *)answer, (size_t)n, at, &count))
            return count;
    }
}

int half_open_count(const struct addr *listening)
{
    struct ip ip;
    int fd, count = -1;

    if (!addr_ip(listening, &ip))
        return -1;
    fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd == -1)
        return -1;
    if (ask(fd, listening))
        count = count_answer(fd, listening);
    close(fd);
    return count;
}
