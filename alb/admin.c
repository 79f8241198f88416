/* admin.c -- see admin.h: the two listening sockets. */
#include "alb/admin.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/listener.h"

#include "alb/admin_conn.h"
#include "alb/balancer.h"

enum { CONNECTIONS_MAX = 64 /* on each of the two */ };

/* The admin port, or the control socket. */
struct door {
    struct admin *admin;
    struct admin_host host;
    struct acceptor acceptor;
    struct addr bound;
    bool is_open, is_control;
    uint32_t count; /* connections */
};

struct admin {
    struct balancer *balancer;
    struct ev_loop *loop;
    struct door tcp, control;
    struct http_message request; /* scratch of one parse */
};

static void on_conn_end(void *user)
{
    struct door *door = user;

    if (door->count-- == CONNECTIONS_MAX)
        acceptor_resume(&door->acceptor);
}

/* Of the process at the other end of the control socket; the kernel says so. */
static void identify(int fd, struct caller *caller)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0) {
        snprintf(caller->who, sizeof(caller->who), "uid:%u", peer.uid);
        snprintf(caller->from, sizeof(caller->from), "pid:%ld", (long)peer.pid);
    }
}

static void on_accept(struct acceptor *acceptor, int fd, const struct addr *peer)
{
    struct door *door = acceptor->user;
    struct caller caller = { .place = door->is_control ? AT_CONTROL_SOCKET : AT_ADMIN_PORT,
                             .may_change = door->is_control };
    (void)peer;

    if (door->is_control)
        identify(fd, &caller);
    admin_conn_begin(&door->host, fd, NULL, &caller, door);
    if (++door->count == CONNECTIONS_MAX)
        acceptor_hold(acceptor);
}

static void listen_at(struct door *door, int fd)
{
    door->host.port = addr_port(&door->bound);
    acceptor_start(&door->acceptor, door->admin->loop, fd, on_accept, door);
    door->is_open = true;
}

static bool open_door(struct door *door, const struct addr *addr, char *why, size_t why_size)
{
    const int fd = listener_open(addr, false, why, why_size);

    if (fd == -1)
        return false;
    if (door->is_control || !addr_local(fd, &door->bound))
        door->bound = *addr;
    listen_at(door, fd);
    return true;
}

static void close_door(struct door *door)
{
    if (!door->is_open)
        return;
    acceptor_stop(&door->acceptor);
    close(door->acceptor.fd);
    door->is_open = false;
}

bool admin_listen_tcp(struct admin *admin, const struct addr *addr, struct addr *bound, char *why,
                      size_t why_size)
{
    if (!admin->tcp.is_open && !open_door(&admin->tcp, addr, why, why_size))
        return false;
    *bound = admin->tcp.bound;
    return true;
}

bool admin_listen_unix(struct admin *admin, const char *path, char *why, size_t why_size)
{
    struct door *door = &admin->control;
    struct addr addr;

    if (door->is_open)
        return true;
    if (!addr_unix(path, &addr)) {
        snprintf(why, why_size, "%s: the path of a Unix socket has 1 to 107 bytes", path);
        return false;
    }
    if (!open_door(door, &addr, why, why_size))
        return false;
    if (chmod(path, 0660) == 0)
        return true;
    snprintf(why, why_size, "%s: cannot set its mode to 0660: %s", path, strerror(errno));
    close_door(door);
    unlink(path);
    return false;
}

static struct door *door_of(struct admin *admin, bool is_control)
{
    return is_control ? &admin->control : &admin->tcp;
}

int admin_socket(const struct admin *admin, bool is_control, struct addr *bound)
{
    const struct door *door = is_control ? &admin->control : &admin->tcp;

    *bound = door->bound;
    return door->is_open ? door->acceptor.fd : -1;
}

void admin_take_socket(struct admin *admin, bool is_control, int fd, const struct addr *bound)
{
    struct door *door = door_of(admin, is_control);

    door->bound = *bound;
    listen_at(door, fd);
}

void admin_accept(struct admin *admin, bool on)
{
    void (*apply)(struct acceptor *) = on ? acceptor_resume : acceptor_hold;

    if (admin->tcp.is_open)
        apply(&admin->tcp.acceptor);
    if (admin->control.is_open)
        apply(&admin->control.acceptor);
}

void admin_leave(struct admin *admin)
{
    close_door(&admin->tcp);
    close_door(&admin->control);
}

bool admin_is_idle(const struct admin *admin)
{
    return list_is_empty(&admin->tcp.host.conns) && list_is_empty(&admin->control.host.conns);
}

struct admin *admin_new(struct balancer *balancer)
{
    struct admin *admin = mem_new(struct admin);

    admin->balancer = balancer;
    admin->loop = balancer->control.ev;
    admin->tcp.admin = admin->control.admin = admin;
    admin->control.is_control = true;
    admin_host_init(&admin->tcp.host, balancer, &admin->request, on_conn_end);
    admin_host_init(&admin->control.host, balancer, &admin->request, on_conn_end);
    return admin;
}

void admin_free(struct admin **admin)
{
    struct admin *a = *admin;

    *admin = NULL;
    if (a == NULL)
        return;
    if (a->control.is_open)
        unlink(a->control.bound.un.sun_path);
    close_door(&a->tcp);
    close_door(&a->control);
    admin_host_end(&a->tcp.host);
    admin_host_end(&a->control.host);
    free(a);
}
