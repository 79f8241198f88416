/*
 * client_core.h -- what the files of a client share; nobody else includes it.
 *
 *   client.c        states, frames in and out, settling
 *   client_time.c   pings, deadlines, the drain
 */
#ifndef WSSERVER_CLIENT_CORE_H
#define WSSERVER_CLIENT_CORE_H

#include "wsserver/client.h"

uint32_t client_now(const struct client *c);
void client_touch(struct client *c);

/* It is over; freed when it is settled. The first reason counts. */
void client_end(struct client *c, enum client_end how);

void client_send_control(struct client *c, uint8_t opcode, struct span payload, bool is_asked);

/* For the hub, or until the peer has read its answers. */
bool client_input_waits(const struct client *c);

/* --- client_time.c ------------------------------------------------------------ */

void client_on_timer(struct wheel_timer *timer);

/* Milliseconds until something is due; 0 when it is now. */
uint32_t client_due_in(const struct client *c);

#endif
