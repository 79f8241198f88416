/* remote.c -- see remote.h. */
#include "alb/remote.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/lines.h"
#include "base/text.h"
#include "net/stream.h"
#include "net/tls_client.h"

#include "alb/remote_answer.h"
#include "alb/remote_dial.h"
#include "alb/remote_url.h"

enum {
    SILENCE_MS = 60 * 1000, /* of the other side, within an answer */
    READ_BYTES = 16 * 1024,
    HEAD_MAX = 4096,
    TOKEN_FILE_MAX = 4096,
};

static const char system_authorities[] = "/etc/ssl/certs/ca-certificates.crt";

/* One request, with the time that it has. */
struct visit {
    const struct remote_options *options;
    uint32_t timeout_s;
    uint64_t end_ms;
};

const char *remote_place(const struct remote_options *o)
{
    return o->url != NULL ? o->url : o->socket;
}

/* --- a connection --------------------------------------------------------------------------- */

static bool open_local(const struct visit *v, struct stream *s)
{
    const char *path = v->options->socket;
    const int fd = remote_dial_local(path, v->end_ms);

    if (fd == -1)
        fprintf(stderr, "no alb answers at %s (%s): is it running? --socket PATH names another\n",
                path, strerror(errno));
    else
        stream_init(s, fd, NULL);
    return fd != -1;
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

static enum tls_step shake_hands(struct tls_session *session, int fd, uint64_t end_ms)
{
    enum tls_step step = tls_handshake(session);

    while ((step == TLS_WANT_READ || step == TLS_WANT_WRITE) && clock_mono_ms() < end_ms &&
           remote_wait(fd, step == TLS_WANT_READ ? POLLIN : POLLOUT, REMOTE_CONNECT_MS, end_ms))
        step = tls_handshake(session);
    return step;
}

static uint64_t handshake_end_ms(const struct visit *v)
{
    const uint64_t most_ms = clock_mono_ms() + REMOTE_CONNECT_MS;

    return most_ms < v->end_ms ? most_ms : v->end_ms;
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
static bool secure(const struct visit *v, const struct remote_url *url, int fd, struct stream *s)
{
    const struct remote_options *o = v->options;
    struct tls_client *client = demand(o);
    struct tls_resume *resume = tls_resume_new();
    struct tls_session *session = NULL;
    bool ok = false;

    tls_resume_set_name(resume, url->host);
    if (client != NULL) {
        session = tls_client_session(client, resume, fd);
        const enum tls_step step = shake_hands(session, fd, handshake_end_ms(v));
        ok = step == TLS_DONE;
        if (step == TLS_FAILED)
            explain_tls(o, session);
        else if (!ok)
            fprintf(stderr,
                    "%s: no TLS connection in time: it has 10 s, and not more than "
                    "--timeout\n",
                    o->url);
    }
    tls_client_unref(&client);
    tls_resume_unref(&resume);
    stream_init(s, fd, session);
    if (!ok)
        stream_close(s);
    return ok;
}

static bool open_remote(const struct visit *v, const struct remote_url *url, struct stream *s)
{
    const int fd = remote_dial(url, v->end_ms);

    return fd != -1 && secure(v, url, fd, s);
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
static bool wait_stream(const struct visit *v, struct stream *s, short events)
{
    return remote_wait(s->fd, stream_wants(s) != 0 ? POLLOUT : events, SILENCE_MS, v->end_ms);
}

static bool send_all(const struct visit *v, struct stream *s, struct span bytes)
{
    size_t moved;

    while (bytes.len > 0 || stream_wants(s) != 0) {
        const enum stream_io io =
            bytes.len > 0 ? stream_write(s, bytes, &moved) : (moved = 0, stream_flush(s));
        bytes = span_after(bytes, moved);
        if (io == STREAM_FAILED || io == STREAM_EOF)
            return false;
        if (io == STREAM_BLOCKED && !wait_stream(v, s, POLLOUT))
            return false;
    }
    return true;
}

/* How an answer came. */
enum heard { HEARD_ALL, HEARD_MORE, SILENT, LATE, TOO_MUCH, NONSENSE, HUNG_UP, BROKEN };

static enum heard look(struct remote_answer *answer)
{
    switch (remote_answer_look(answer)) {
    case REMOTE_PART:
        return HEARD_MORE;
    case REMOTE_WHOLE:
        return HEARD_ALL;
    case REMOTE_TOO_MUCH:
        return TOO_MUCH;
    case REMOTE_NONSENSE:
        return NONSENSE;
    }
    bug("unknown outcome of a look at an answer");
}

static enum heard take_some(const struct visit *v, struct stream *s, struct remote_answer *answer)
{
    char *space = buf_space(&answer->bytes, READ_BYTES);
    size_t moved;

    if (space == NULL)
        bug("an answer has more than it said");
    switch (stream_read(s, space, READ_BYTES, &moved)) {
    case STREAM_MOVED:
        buf_added(&answer->bytes, moved);
        return look(answer);
    case STREAM_BLOCKED:
        if (wait_stream(v, s, POLLIN))
            return HEARD_MORE;
        return clock_mono_ms() < v->end_ms ? SILENT : LATE;
    case STREAM_EOF:
        return HUNG_UP;
    case STREAM_FAILED:
        return BROKEN;
    }
    bug("unknown outcome of a read");
}

static enum heard take_answer(const struct visit *v, struct stream *s, struct remote_answer *answer)
{
    enum heard heard = HEARD_MORE;

    while (heard == HEARD_MORE)
        heard = clock_mono_ms() < v->end_ms ? take_some(v, s, answer) : LATE;
    return heard;
}

/* In TLS 1.3 whoever connects has done his part before his certificate is judged. */
static const char *hint_of(const struct remote_options *o)
{
    if (o->url == NULL)
        return "";
    return o->certificate == NULL ? "; if it wants a certificate, --cert FILE has one"
                                  : "; it may not take the certificate of --cert";
}

static void explain_answer(const struct visit *v, const struct stream *s, enum heard heard,
                           size_t came)
{
    const char *place = remote_place(v->options), *hint = came == 0 ? hint_of(v->options) : "";

    if (heard == NONSENSE)
        fprintf(stderr, "%s: what answers there is not alb\n", place);
    else if (heard == TOO_MUCH)
        fprintf(stderr, "%s: its answer would have more than 16 MB, which alb does not send\n",
                place);
    else if (heard == LATE)
        fprintf(stderr,
                "%s: no whole answer within %u s, but %zu bytes of it: --timeout SECONDS "
                "allows more\n",
                place, v->timeout_s, came);
    else if (heard == SILENT)
        fprintf(stderr, "%s: no whole answer: nothing came for a minute, after %zu bytes%s\n",
                place, came, hint);
    else if (heard == HUNG_UP)
        fprintf(stderr, "%s: no whole answer: it hung up after %zu bytes%s\n", place, came, hint);
    else
        fprintf(stderr, "%s: no whole answer: %s%s\n", place, stream_error(s), hint);
}

/* Without a whole answer nobody knows. */
static void warn_of_change(const struct remote_request *request)
{
    if (strcmp(request->method, "GET") != 0)
        fprintf(stderr, "it may have been done there all the same: its log has a row, `audit`, for "
                        "each change\n");
}

/* An answer may be there although not all was sent: that the head was refused. */
static bool talk(const struct visit *v, struct stream *s, struct span head,
                 const struct remote_request *request, struct remote_answer *answer)
{
    if (send_all(v, s, head))
        send_all(v, s, request->body);
    const enum heard heard = take_answer(v, s, answer);
    if (heard == HEARD_ALL)
        return true;
    explain_answer(v, s, heard, buf_len(&answer->bytes));
    if (heard != NONSENSE)
        warn_of_change(request);
    return false;
}

static struct visit begin(const struct remote_options *o)
{
    const uint32_t timeout_s = o->timeout_s == 0 ? REMOTE_TIMEOUT_S : o->timeout_s;

    return (struct visit){ o, timeout_s, clock_mono_ms() + timeout_s * UINT64_C(1000) };
}

bool remote_ask(const struct remote_options *o, const struct remote_request *request,
                struct remote_answer *answer)
{
    const struct visit v = begin(o);
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
        (o->url == NULL ? open_local(&v, &s) : open_remote(&v, &url, &s))) {
        ok = talk(&v, &s, buf_data(&head), request, answer);
        stream_close(&s);
    }
    buf_wipe(&head);
    return ok;
}
