/* remote_url.h -- where `alb --remote` goes: https://HOST or https://HOST:PORT. */
#ifndef ALB_REMOTE_URL_H
#define ALB_REMOTE_URL_H

#include <stdbool.h>
#include <stddef.h>

enum { REMOTE_HOST_MAX = 253 };

struct remote_url {
    char host[REMOTE_HOST_MAX + 1];      /* a name, or an address without brackets */
    char authority[REMOTE_HOST_MAX + 9]; /* "host:port", "[v6]:port" */
};

/* False with a sentence that shows the right form. It never repeats what may be a secret. */
bool remote_url_parse(const char *text, struct remote_url *url, char *why, size_t why_size);

#endif
