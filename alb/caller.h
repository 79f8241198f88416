/* caller.h -- who asks for a page or a change, where and from where. */
#ifndef ALB_CALLER_H
#define ALB_CALLER_H

#include <stdbool.h>

#include "net/addr.h"

struct tls_server;
struct tls_session;

enum caller_place { AT_ADMIN_PORT, AT_CONTROL_SOCKET, AT_MANAGEMENT };

enum { CALLER_NAME_MAX = 64, CALLER_WHO_MAX = 2 * CALLER_NAME_MAX + 16 };

struct caller {
    enum caller_place place;
    bool may_change; /* else it may only read */
    char who[2 * CALLER_NAME_MAX +
             16];             /* "uid:0", "token:NAME", "cert:NAME", "token:NAME+cert:NAME" */
    char from[ADDR_TEXT_MAX]; /* "pid:4711", or an address */
    struct addr peer;         /* at [management] */
    char
        certificate[CALLER_NAME_MAX + 1]; /* there: the name of the client's; "" when it has none */
    const struct tls_server *judge;       /* there: what has verified it */
    const struct tls_session *tls;        /* there: its connection's, which lives longer */
};

#endif
