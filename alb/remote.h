/*
 * remote.h -- the way to a running alb: its control socket, or [management] over TLS.
 *
 * For commands: everything waits, and what goes wrong is told on stderr.
 */
#ifndef ALB_REMOTE_H
#define ALB_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct remote_answer;

/* Where, and as whom. */
struct remote_options {
    const char *socket;            /* of the control socket, unless there is a URL */
    const char *url;               /* https://HOST:PORT */
    const char *token_file;        /* a file with a bearer token; NULL: that of ALB_TOKEN_FILE */
    const char *certificate, *key; /* ours, PEM; the key may be in the certificate's file */
    const char *ca_file;           /* whom to trust; NULL: the system's authorities */
    uint32_t timeout_s;            /* for all of it; 0: REMOTE_TIMEOUT_S */
};

enum { REMOTE_TIMEOUT_S = 300, REMOTE_TIMEOUT_MOST_S = 3600 };

struct remote_request {
    const char *method, *path;
    struct span body;
};

/* `answer` is initialised, and whole then. False: a sentence says why, with the cure. All of it is
 * bounded: by timeout_s from the looking up of a name on (a resolver that does not answer may take
 * longer), within it a minute of silence; by REMOTE_BODY_MAX. */
bool remote_ask(const struct remote_options *o, const struct remote_request *request,
                struct remote_answer *answer);

/* Where that is, for messages. */
const char *remote_place(const struct remote_options *o);

/* The token in the text of a file: it stands alone, or as in [management] token_file behind a name.
 * Empty when there is none, or more than one. */
struct span remote_find_token(struct span text);

#endif
