/*
 * admin.h -- the admin port and the control socket: small HTTP/1.1 servers on
 * the control thread, one table of routes for both.
 *
 * The admin port is TCP, for reading only (GET and HEAD), and checks Host
 * against its own address (a web page that resolves its name to 127.0.0.1 must
 * not read it). The control socket (mode 0660) also takes commands (POST).
 */
#ifndef ALB_ADMIN_H
#define ALB_ADMIN_H

#include <stdbool.h>
#include <stddef.h>

#include "net/addr.h"

struct admin;
struct balancer;

struct admin *admin_new(struct balancer *balancer);
void admin_free(struct admin **admin);

/* Listen where the configuration says; what is there already stays. The port 0
 * is resolved into `bound`. False with a sentence in `why`: for the admin port
 * that is an error at start; for the control socket the caller only warns. */
bool admin_listen_tcp(struct admin *admin, const struct addr *addr, struct addr *bound, char *why,
                      size_t why_size);
bool admin_listen_unix(struct admin *admin, const char *path, char *why, size_t why_size);

/* For another process: the admin port's listening socket, or the control socket's; -1 when there
 * is none. And take such a one over: the descriptor is its own then. */
int admin_socket(const struct admin *admin, bool is_control, struct addr *bound);
void admin_take_socket(struct admin *admin, bool is_control, int fd, const struct addr *bound);

/* Accept connections, or not for now. */
void admin_accept(struct admin *admin, bool on);

/* Another process has the sockets: close ours, and leave the control socket's file. */
void admin_leave(struct admin *admin);

/* No connection is there: every answer has gone. */
bool admin_is_idle(const struct admin *admin);

#endif
