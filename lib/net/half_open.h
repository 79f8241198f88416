/*
 * half_open.h -- TCP handshakes that have begun at an address where we listen, and not ended: the
 * SYN was answered, the last ACK has not come. The kernel tells (sock_diag), to anybody.
 */
#ifndef NET_HALF_OPEN_H
#define NET_HALF_OPEN_H

struct addr;

/* How many there are now, at all sockets that listen there; -1 when the kernel does not say. It
 * looks at every connection of the machine: some milliseconds for 100,000. */
int half_open_count(const struct addr *listening);

#endif
