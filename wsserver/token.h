/*
 * token.h -- session tokens: "you are the one who was lost", for any node.
 *
 * A token is a session's name with an HMAC over it and its user, under the
 * secret that all nodes of a store share. It holds no time: the presence that
 * it gives back is the hub's to forget, when the grace of the lost connection
 * is over, and from then on an old token gives back nothing.
 */
#ifndef WSSERVER_TOKEN_H
#define WSSERVER_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "wsserver/hub.h"

/* A session's name is 128 random bits in base64url; a token is s1.NAME.HMAC. */
enum { TOKEN_SESSION_LEN = 22, TOKEN_LEN = 3 + TOKEN_SESSION_LEN + 1 + 22 };

/* A new name, NUL-terminated. */
void token_new_session(char session[TOKEN_SESSION_LEN + 1]);

/* The token of this user's session, NUL-terminated. */
void token_make(const uint8_t secret[HUB_SECRET_BYTES], struct span user, const char *session,
                char out[TOKEN_LEN + 1]);

/* False for what no node of ours made for this user; `session` is then as it
 * was. */
bool token_open(const uint8_t secret[HUB_SECRET_BYTES], struct span user, struct span token,
                char session[TOKEN_SESSION_LEN + 1]);

#endif
