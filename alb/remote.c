/* remote.c -- see remote.h. */
#include "alb/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lines.h"
#include "base/text.h"
#include "net/addr.h"
#include "net/stream.h"
#include "net/tls_client.h"

#include "alb/remote_url.h"

enum {
    CONNECT_MS = 10 * 1000,
    SILENCE_MS = 60 * 1000, /* of the other side, within an answer */
    READ_BYTES = 16 * 1024,
    HEAD_MAX = 4096,
    TOKEN_FILE_MAX = 4096,
};

static const char system_authorities[] = "/etc/ssl/certs/ca-certificates.crt";

const char *remote_place(const struct remote_options *o)
{
    return o->url != NULL ? o->url : o->socket;
}

/* False when that does not come in time. */
static bool wait_for(int fd, short events, int ms)
{
    struct pollfd p = { .fd = fd, .events = events };
    int n;

    do {
        n = poll(&p, 1, ms);
    } while (n == -1 && errno == EINTR);
    if (n == 0)
        errno = EAGAIN;
    return n > 0;
}

/* --- a connection --------------------------------------------------------------------------- */

static bool is_connected(int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (!wait_for(fd, POLLOUT, CONNECT_MS))
        return false;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
        return false;
    errno = error;
    return error == 0;
}

/* -1 with errno; `from` is the address that it was tried from. */
static int dial(const struct addr *to, struct addr *from)
{
    const int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd == -1)
        return -1;
    const bool ok = connect(fd, &to->sa, to->len) == 0 ||
                    ((errno == EINPROGRESS || errno == EAGAIN) && is_connected(fd));
    const int error = errno;
    if (!addr_local(fd, from))
        from->len = 0;
    if (ok)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

static bool open_local(const struct remote_options *o, struct stream *s)
{
    struct addr addr, from;
    int fd = -1;

    if (addr_unix(o->socket, &addr))
        fd = dial(&addr, &from);
    else
        errno = ENAMETOOLONG;
    if (fd == -1)
        fprintf(stderr, "no alb answers at %s (%s): is it running? --socket PATH names another\n",
                o->socket, strerror(errno));
    else
        stream_init(s, fd, NULL);
    return fd != -1;
}

/* Who is not in the set gets no answer at all. */
static void explain_dial(const struct remote_url *url, const struct addr *from, int error)
{
    char text[ADDR_TEXT_MAX];
    struct addr host = *from;

    if (error != EAGAIN && error != ETIMEDOUT) {
        fprintf(stderr, "cannot connect to %s: %s%s\n", url->authority, strerror(error),
                error == ECONNREFUSED ? "; nobody listens there: is it a bind of [management]?"
                                      : "");
        return;
    }
    if (addr_port(&host) != 0)
        addr_set_port(&host, 0);
    char *end = strrchr(addr_format(&host, text), ':');
    if (end != NULL)
        *end = '\0';
    fprintf(stderr,
            "no answer from %s: is the address of this machine (%s, unless it is translated on the "
            "way) in allow of [management] there? Others get none. Or a packet filter, or a route, "
            "is in the way\n",
            url->authority, text);
}

/* --- TLS -------------------------------------------------------------------------------------- */

static const char *cure_of(enum tls_objection objection)
{
    switch (objection) {
    case TLS_UNKNOWN_AUTHORITY:
        return "its certificate is signed by no authority that is trusted here: --ca FILE names "
               "one, or the certificate itself";
    case TLS_OTHER_NAME:
        return "its certificate is for another name: write the URL with one that it has, or give "
               "it one for this";
    case TLS_EXPIRED:
        return "its certificate has expired: renew certificate_file there";
    case TLS_NOT_VALID_YET:
        return "its certificate is not valid yet: is the clock of this machine right?";
    case TLS_NO_CERTIFICATE:
    case TLS_TOO_WEAK:
    case TLS_NOT_FOR_SERVERS:
    case TLS_DOES_NOT_HOLD:
        return "its certificate does not hold: renew certificate_file there";
    case TLS_NO_OBJECTION:
        break;
    }
    return NULL;
}

static void explain_tls(const struct remote_options *o, const struct tls_session *session)
{
    const char *cure = cure_of(tls_client_objection(session));

    if (cure != NULL)
        fprintf(stderr, "%s is not trusted: %s\n", o->url, cure);
    else
        fprintf(stderr, "%s: no TLS connection: %s; %s\n", o->url, tls_session_error(session),
                o->certificate == NULL ? "if it wants a certificate, --cert FILE has one"
                                       : "it may not take the certificate of --cert");
}

static enum tls_step shake_hands(struct tls_session *session, int fd)
{
    const uint64_t end_ms = clock_mono_ms() + CONNECT_MS;
    enum tls_step step = tls_handshake(session);

    while (step == TLS_WANT_READ || step == TLS_WANT_WRITE) {
        const uint64_t now_ms = clock_mono_ms();
        if (now_ms >= end_ms ||
            !wait_for(fd, step == TLS_WANT_READ ? POLLIN : POLLOUT, (int)(end_ms - now_ms)))
            break;
        step = tls_handshake(session);
    }
    return step;
}

static struct tls_client *demand(const struct remote_options *o)
{
    const struct tls_client_options demands = {
        .verify = true,
        .ca_file = o->ca_file != NULL ? o->ca_file : system_authorities,
        .server_name = "",
        .certificate = o->certificate,
        .key = o->key,
    };
    char why[512];
    struct tls_client *client = tls_client_new(&demands, why, sizeof(why));

    if (client == NULL)
        fprintf(stderr, "alb: %s%s\n", why,
                o->ca_file == NULL ? " (--ca FILE names other authorities)" : "");
    return client;
}

/* Takes the descriptor. */
static bool secure(const struct remote_options *o, const struct remote_url *url, int fd,
                   struct stream *s)
{
    struct tls_client *client = demand(o);
    struct tls_resume *resume = tls_resume_new();
    struct tls_session *session = NULL;
    bool ok = false;

    tls_resume_set_name(resume, url->host);
    if (client != NULL) {
        session = tls_client_session(client, resume, fd);
        const enum tls_step step = shake_hands(session, fd);
        ok = step == TLS_DONE;
        if (step == TLS_FAILED)
            explain_tls(o, session);
        else if (!ok)
            fprintf(stderr, "%s: no TLS connection within 10 s\n", o->url);
    }
    tls_client_unref(&client);
    tls_resume_unref(&resume);
    stream_init(s, fd, session);
    if (!ok)
        stream_close(s);
    return ok;
}

static bool open_remote(const struct remote_options *o, const struct remote_url *url,
                        struct stream *s)
{
    struct addr to, from = { .len = 0 };
    char why[256];

    if (!addr_resolve(span_text(url->authority), &to, why, sizeof(why))) {
        fprintf(stderr, "%s\n", why);
        return false;
    }
    const int fd = dial(&to, &from);
    if (fd == -1) {
        explain_dial(url, &from, errno);
        return false;
    }
    return secure(o, url, fd, s);
}

/* --- the token -------------------------------------------------------------------------------- */

struct span remote_find_token(struct span text)
{
    struct lines lines = { .rest = text };
    struct span line, more, word[3];
    size_t count = 0;

    if (!lines_next(&lines, &line) || lines_next(&lines, &more))
        return SPAN("");
    for (size_t i = 0; i < line.len;) {
        size_t len = 0;
        while (i + len < line.len && line.ptr[i + len] != ' ' && line.ptr[i + len] != '\t')
            len++;
        if (len > 0 && count == 3)
            return SPAN("");
        if (len > 0)
            word[count++] = span_of(line.ptr + i, len);
        i += len + 1;
    }
    return count == 0 ? SPAN("") : word[count > 1];
}

/* A field of the request. */
static bool put_token(const char *path, struct buf *head)
{
    char why[512];
    size_t len;

    char *text = text_read_secret(path, TOKEN_FILE_MAX, &len, why, sizeof(why));
    if (text == NULL) {
        fprintf(stderr, "alb: the token: %s\n", why);
        return false;
    }
    const struct span token = remote_find_token(span_of(text, len));
    bool ok = token.len > 0;
    for (size_t i = 0; i < token.len; i++)
        ok = ok && token.ptr[i] > ' ' && token.ptr[i] < 0x7f;
    if (!ok)
        fprintf(stderr, "alb: the token: %s: is not one line with a token\n", path);
    ok = ok && buf_print(head, "Authorization: Bearer %.*s\r\n", SPAN_ARGS(token));
    text_free_secret(text, len);
    return ok;
}

/* --- a request ----------------------------------------------------------------------------------
 */

static bool put_head(const struct remote_options *o, const struct remote_url *url,
                     const struct remote_request *r, struct buf *head)
{
    const char *token_file = o->token_file != NULL ? o->token_file : getenv("ALB_TOKEN_FILE");

    if (!buf_print(
            head, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %zu\r\n",
            r->method, r->path, o->url == NULL ? "localhost" : url->authority, r->body.len)) {
        fprintf(stderr, "alb: what is asked for is too long\n");
        return false;
    }
    if (o->url != NULL && token_file != NULL && token_file[0] != '\0' &&
        !put_token(token_file, head))
        return false;
    return buf_put(head, SPAN("\r\n"));
}

/* Behind what could not go on. */
static bool wait_stream(struct stream *s, short events)
{
    return wait_for(s->fd, stream_wants(s) != 0 ? POLLOUT : events, SILENCE_MS);
}

static bool send_all(struct stream *s, struct span bytes)
{
    size_t moved;

    while (bytes.len > 0 || stream_wants(s) != 0) {
        const enum stream_io io =
            bytes.len > 0 ? stream_write(s, bytes, &moved) : (moved = 0, stream_flush(s));
        bytes = span_after(bytes, moved);
        if (io == STREAM_FAILED || io == STREAM_EOF)
            return false;
        if (io == STREAM_BLOCKED && !wait_stream(s, POLLOUT))
            return false;
    }
    return true;
}

/* All of it, up to the end of the connection. */
static bool take_answer(struct stream *s, struct buf *to)
{
    size_t moved;

    for (;;) {
        char *space = buf_space(to, READ_BYTES);
        if (space == NULL) {
            s->error = EMSGSIZE;
            return false;
        }
        switch (stream_read(s, space, READ_BYTES, &moved)) {
        case STREAM_MOVED:
            buf_added(to, moved);
            break;
        case STREAM_BLOCKED:
            if (!wait_stream(s, POLLIN))
                return false;
            break;
        case STREAM_EOF:
            return true;
        case STREAM_FAILED:
            return false;
        }
    }
}

/* In TLS 1.3 whoever connects has done his part before his certificate is judged. */
static const char *hint_of(const struct remote_options *o)
{
    if (o->url == NULL)
        return "";
    return o->certificate == NULL ? "; if it wants a certificate, --cert FILE has one"
                                  : "; it may not take the certificate of --cert";
}

static const char *blame_talk(const struct stream *s, bool was_silent)
{
    if (s->error != 0)
        return stream_error(s);
    return was_silent ? "nothing came for a minute" : "it hung up";
}

/* An answer may be there although not all was sent: that the head was refused. */
static bool talk(const struct remote_options *o, struct stream *s, struct span head,
                 struct span body, struct buf *answer)
{
    errno = 0;
    if (send_all(s, head))
        send_all(s, body);
    if (take_answer(s, answer) && buf_len(answer) > 0)
        return true;
    fprintf(stderr, "%s: no whole answer: %s%s\n", remote_place(o), blame_talk(s, errno == EAGAIN),
            buf_len(answer) == 0 ? hint_of(o) : "");
    return false;
}

bool remote_ask(const struct remote_options *o, const struct remote_request *request,
                struct buf *answer)
{
    struct remote_url url;
    struct stream s;
    struct buf head;
    char why[256];
    bool ok = false;

    if (o->url != NULL && !remote_url_parse(o->url, &url, why, sizeof(why))) {
        fprintf(stderr, "alb: %s\n", why);
        return false;
    }
    buf_init(&head, HEAD_MAX);
    if (put_head(o, &url, request, &head) &&
        (o->url == NULL ? open_local(o, &s) : open_remote(o, &url, &s))) {
        ok = talk(o, &s, buf_data(&head), request->body, answer);
        stream_close(&s);
    }
    buf_wipe(&head);
    return ok;
}
