/*
 * redirect.h -- the redirect action: a Location made from a template.
 *
 *     redirect 301 https://#{host}:443/#{path}?#{query}
 *
 * #{protocol}, #{host}, #{port}, #{path} (without its first '/') and #{query} are the
 * request's; the port is the listener's, as the managed balancer has it. Each may
 * stand in its own part of the URL and in those behind it. The Location always has a
 * port, and no '?' when the query is empty. What the request brings into it has passed
 * the parser, so it holds no blank and no control character, and its host no '/' or '@'.
 */
#ifndef ALB_REDIRECT_H
#define ALB_REDIRECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

enum { REDIRECT_PART_MAX = 128, REDIRECT_LOCATION_MAX = 8192 };

struct redirect {
    uint16_t status;                             /* 301 or 302 */
    char *protocol, *host, *port, *path, *query; /* owned; parts of the template */
};

/* `is_https`: what the listener speaks; a redirect from HTTPS to HTTP is refused. NULL with a
 * sentence in `why`. */
struct redirect *redirect_new(uint16_t status, struct span url, bool is_https, char *why,
                              size_t why_size);
void redirect_free(struct redirect **redirect);

/* Does each request on a listener of this port come back to where it was? */
bool redirect_is_loop(const struct redirect *r, bool is_https, uint16_t port);

struct redirect_request {
    bool is_https;
    struct span host; /* without its port */
    uint16_t port;    /* the listener's */
    struct span path; /* with its '/' */
    struct span query;
};

enum redirect_result {
    REDIRECT_MADE,
    REDIRECT_TOO_LONG, /* over 8 KB: not to be sent */
    REDIRECT_NO_HOST,  /* the template has #{host} and the request none (HTTP/1.0) */
};

/* Into `to`, which is empty and may hold REDIRECT_LOCATION_MAX bytes. */
enum redirect_result redirect_location(const struct redirect *r, const struct redirect_request *q,
                                       struct buf *to);

#endif
