/*
 * connection_log.h -- one row per connection that a client attempted, when its
 * handshake has ended one way or the other (a plain one: when it was accepted).
 *
 * Fifteen fields in the managed balancer's order, then ours. What the edge set refuses has no
 * row: for the managed balancer that is the business of a security group.
 */
#ifndef ALB_CONNECTION_LOG_H
#define ALB_CONNECTION_LOG_H

#include <stdint.h>

struct arrival;
struct config;
struct log_buffer;
struct usher_result;

/* Nothing when the log is off. */
void connection_log_row(struct log_buffer *b, const struct config *config,
                        const struct arrival *arrival);

/* The same for one that has sent something, but not the head of the PROXY protocol that its
 * listener demands: with `why` as its end. */
void connection_log_turned_away(struct log_buffer *b, const struct config *config,
                                const struct usher_result *result);

#endif
