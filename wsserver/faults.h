/*
 * faults.h -- endpoints for testing clients, and whatever stands between them
 * and here. Served with `[test] enabled = yes` only.
 *
 *   /t/echo                          text and binary messages come back as they are
 *   /t/headers                       the handshake as it arrived, as the first message; to a
 *                                    plain GET, as the body
 *   /t/close?code=&reason=&after=    closes with that code (1000) after so many ms (0)
 *   /t/silence                       reads and never sends anything, not even pings
 *   /t/reject?status=                refuses the upgrade with that status (403)
 */
#ifndef WSSERVER_FAULTS_H
#define WSSERVER_FAULTS_H

#include <stdbool.h>

#include "base/buf.h"
#include "wsserver/upgrade.h"

/* Is the path one of these? *mode is NULL when it refuses as *refusal says. */
bool faults_find(const struct http_message *request, const struct client_mode **mode,
                 struct upgrade_refusal *refusal);

/* The JSON of /t/headers: method, target, fields as [name, value] in their
 * order, peer, and the Sec-WebSocket-* fields that are missing. */
void faults_write_headers(struct buf *to, const struct http_message *request, int fd);

#endif
