/*
 * connection_log.h -- one row per connection that a client attempted, when its
 * handshake has ended one way or the other (a plain one: when it was accepted).
 *
 * Fifteen fields in the managed balancer's order. What the edge set refuses has no row:
 * for the managed balancer that is the business of a security group.
 */
#ifndef ALB_CONNECTION_LOG_H
#define ALB_CONNECTION_LOG_H

#include <stdint.h>

struct config;
struct handshake_result;
struct listener;
struct log_buffer;

/* Nothing when the log is off. */
void connection_log_row(struct log_buffer *b, const struct config *config,
                        const struct listener *listener, const struct handshake_result *r);

#endif
