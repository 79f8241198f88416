/*
 * second.h -- a second opinion on heads, from an independent parser.
 *
 * Our scan decides; http-parser must then read the same. It never sees bodies.
 * A difference is a bug of ours or an attack: the caller answers 400 (502 for
 * a response) and counts it.
 */
#ifndef HTTP_SECOND_H
#define HTTP_SECOND_H

#include "http/message.h"

/* `head` is the canonical head about to go to a target, and `m` the request
 * that it was made from: its method and framing must be what is read there,
 * and every line must come out as it was written. The empty line at its end may
 * be missing: fields that the caller makes out of what it knows itself may
 * follow, and need no second opinion. `*why` is a literal. */
bool http_second_request(struct span head, const struct http_message *m, const char **why);

/* `head` is the raw head that `m` was parsed from (head_len bytes). */
bool http_second_response(struct span head, const struct http_message *m, const char **why);

#endif
