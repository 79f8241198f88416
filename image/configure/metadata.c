/* metadata.c -- see metadata.h. */
#include "image/configure/metadata.h"

#include <stdio.h>

#include "http/reply.h"

/* Long enough for the one request that follows. */
#define TOKEN_TTL_SECONDS "60"

void metadata_put_token_request(struct buf *to, const char *host)
{
    buf_print(to,
              "PUT /latest/api/token HTTP/1.1\r\nHost: %s\r\n"
              "X-aws-ec2-metadata-token-ttl-seconds: " TOKEN_TTL_SECONDS "\r\n"
              "Content-Length: 0\r\nConnection: close\r\n\r\n",
              host);
}

void metadata_put_text_request(struct buf *to, const char *host, struct span token)
{
    buf_print(to,
              "GET /latest/user-data HTTP/1.1\r\nHost: %s\r\n"
              "X-aws-ec2-metadata-token: %.*s\r\nConnection: close\r\n\r\n",
              host, SPAN_ARGS(token));
}

/* Visible ASCII: nothing that could be a second line of our request. */
static bool is_token(struct span body)
{
    for (size_t i = 0; i < body.len; i++) {
        if (body.ptr[i] <= ' ' || body.ptr[i] > '~')
            return false;
    }
    return body.len > 0 && body.len <= METADATA_TOKEN_MAX;
}

static enum metadata_verdict again(const char *what, int status, char *why, size_t why_size)
{
    snprintf(why, why_size, "it answers a request for %s with %d %s%s", what, status,
             http_status_text(status),
             status == 403 ? "; is the metadata endpoint of the instance enabled?" : "");
    return METADATA_AGAIN;
}

enum metadata_verdict metadata_judge_token(int status, struct span body, char *why, size_t why_size)
{
    if (status != 200)
        return again("a token", status, why, why_size);
    if (is_token(body))
        return METADATA_FOUND;
    snprintf(why, why_size, "what it gives for a token is none");
    return METADATA_AGAIN;
}

enum metadata_verdict metadata_judge_text(int status, char *why, size_t why_size)
{
    if (status == 200)
        return METADATA_FOUND;
    if (status == 404)
        return METADATA_NONE;
    return again("user data", status, why, why_size);
}

unsigned metadata_pause_ms(unsigned tries)
{
    static const unsigned pauses_ms[] = { 100, 200, 400, 800, 1600, 3200, 5000 };
    const unsigned last = sizeof(pauses_ms) / sizeof(pauses_ms[0]) - 1;

    return pauses_ms[tries < last ? tries : last];
}
