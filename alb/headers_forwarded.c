/* headers_forwarded.c -- what a target is told of the client's hop; see headers.h. */
#include "http/canonical.h"
#include "net/tls_peer_cert.h"

#include "alb/access_log.h"
#include "alb/config.h"
#include "alb/headers_private.h"
#include "alb/viewer.h"

enum { ADDRESSES_MAX = 30, HTTP_PORT = 80, HTTPS_PORT = 443 };

/* --- Host --------------------------------------------------------------------- */

void headers_choose_host(struct http_message *m, const struct alb_options *alb)
{
    const struct http_field *first;

    if (alb->preserve_host && m->authority.len > 0 && (first = http_find(m, HTTP_N_HOST)) != NULL)
        m->host = first->value;
}

/* The length of a host without its port: "[::1]:80" has 5. */
static size_t length_without_port(struct span host)
{
    const char *colon = host.ptr[0] == '[' ? NULL : memchr(host.ptr, ':', host.len);
    const char *bracket = host.ptr[0] == '[' ? memchr(host.ptr, ']', host.len) : NULL;

    if (bracket != NULL)
        return (size_t)(bracket - host.ptr) + 1;
    return colon == NULL ? host.len : (size_t)(colon - host.ptr);
}

/* A listener on a port that needs no saying takes it off; another one adds its
 * own where there is none. */
static bool write_adjusted(struct buf *to, struct span host, uint16_t port)
{
    const struct span name = span_of(host.ptr, length_without_port(host));

    if (port == HTTP_PORT || port == HTTPS_PORT)
        return http_write_field(to, SPAN("Host"), name);
    if (host.len > name.len + 1)
        return http_write_field(to, SPAN("Host"), host);
    return buf_put(to, SPAN("Host: ")) && buf_put(to, name) && buf_put(to, SPAN(":")) &&
           buf_put_number(to, port) && buf_put(to, SPAN("\r\n"));
}

static bool write_as_they_came(struct buf *to, const struct http_message *m)
{
    bool ok = true;

    for (const struct http_field *f = http_find(m, HTTP_N_HOST); ok && f != NULL;
         f = http_find_next(m, f))
        ok = http_write_field(to, f->name, f->value);
    return ok;
}

/* HTTP/1.1, which targets are spoken to in, has to have one. */
static bool write_missing(struct buf *to, const char *target)
{
    const struct span address = span_text(target);

    return http_write_field(to, SPAN("Host"), http_is_host(address) ? address : SPAN("localhost"));
}

bool headers_write_host(struct buf *to, const struct http_message *m,
                        const struct request_head *how)
{
    if (m->host.len == 0)
        return write_missing(to, how->target);
    if (how->host_is_rewritten)
        return http_write_field(to, SPAN("Host"), m->host);
    if (how->alb->preserve_host && http_find(m, HTTP_N_HOST) != NULL)
        return write_as_they_came(to, m);
    if (how->alb->preserve_host)
        return http_write_field(to, SPAN("Host"), m->host);
    return write_adjusted(to, m->host, how->client->listener_port);
}

/* --- X-Forwarded-* ------------------------------------------------------------ */

bool headers_has_too_many_addresses(const struct http_message *m)
{
    int addresses = 0;

    for (const struct http_field *f = http_find(m, HTTP_N_X_FORWARDED_FOR); f != NULL;
         f = http_find_next(m, f)) {
        struct span rest = f->value, address;
        while (span_next(&rest, ',', &address))
            addresses += address.len > 0;
    }
    return addresses > ADDRESSES_MAX;
}

static bool write_peer(struct buf *to, const struct access_client *client, bool with_port)
{
    char text[IP_TEXT_MAX];
    const struct span ip = span_text(ip_format(&client->ip, text));
    const bool is_v6 = client->ip.family == 6;

    if (!with_port)
        return buf_put(to, ip);
    return buf_put(to, is_v6 ? SPAN("[") : SPAN("")) && buf_put(to, ip) &&
           buf_put(to, is_v6 ? SPAN("]:") : SPAN(":")) && buf_put_number(to, client->port);
}

/* The addresses so far, then the peer's. */
bool headers_write_forwarded_for(struct buf *to, const struct http_message *m,
                                 const struct request_head *how)
{
    bool ok = buf_put(to, SPAN("X-Forwarded-For: "));

    for (const struct http_field *f = http_find(m, HTTP_N_X_FORWARDED_FOR); f != NULL;
         f = http_find_next(m, f)) {
        if (f->value.len > 0)
            ok = ok && buf_put(to, f->value) && buf_put(to, SPAN(", "));
    }
    return ok && write_peer(to, how->client, how->alb->xff_client_port) &&
           buf_put(to, SPAN("\r\n"));
}

bool headers_write_listener(struct buf *to, const struct request_head *how)
{
    static const struct span proto[2] = {
        SPAN_INIT("X-Forwarded-Proto: http\r\nX-Forwarded-Port: "),
        SPAN_INIT("X-Forwarded-Proto: https\r\nX-Forwarded-Port: "),
    };

    return buf_put(to, proto[viewer_is_https(how->client)]) &&
           buf_put_number(to, how->client->listener_port) && buf_put(to, SPAN("\r\n"));
}

/* --- TLS ------------------------------------------------------------------------ */

static const struct span request_names[REQUEST_HEADERS] = {
    [REQUEST_TLS_VERSION] = SPAN_INIT("x-amzn-tls-version"),
    [REQUEST_TLS_CIPHER_SUITE] = SPAN_INIT("x-amzn-tls-cipher-suite"),
    [REQUEST_CLIENT_CERT] = SPAN_INIT("X-Amzn-Mtls-Clientcert"),
    [REQUEST_CLIENT_CERT_SERIAL_NUMBER] = SPAN_INIT("X-Amzn-Mtls-Clientcert-Serial-Number"),
    [REQUEST_CLIENT_CERT_ISSUER] = SPAN_INIT("X-Amzn-Mtls-Clientcert-Issuer"),
    [REQUEST_CLIENT_CERT_SUBJECT] = SPAN_INIT("X-Amzn-Mtls-Clientcert-Subject"),
    [REQUEST_CLIENT_CERT_VALIDITY] = SPAN_INIT("X-Amzn-Mtls-Clientcert-Validity"),
    [REQUEST_CLIENT_CERT_LEAF] = SPAN_INIT("X-Amzn-Mtls-Clientcert-Leaf"),
};

_Static_assert((int)REQUEST_HEADERS - (int)REQUEST_CLIENT_CERT == (int)TLS_CERT_TEXTS,
               "every part of a certificate has a header");

struct span headers_request_name(enum request_header which)
{
    return request_names[which];
}

static bool write_named(struct buf *to, const struct request_head *how, enum request_header which,
                        const char *value)
{
    return value == NULL ||
           http_write_field(to, how->listener->request_names[which], span_text(value));
}

/* The chain alone when it is passed through, for others to judge; else what it was found
 * to say. */
static bool write_certificate(struct buf *to, const struct request_head *how,
                              const struct tls_peer_cert *cert)
{
    bool ok = true;

    if (cert->text[TLS_CERT_CHAIN] != NULL)
        return write_named(to, how, REQUEST_CLIENT_CERT, cert->text[TLS_CERT_CHAIN]);
    for (int i = TLS_CERT_SERIAL_NUMBER; ok && i < TLS_CERT_TEXTS; i++)
        ok = write_named(to, how, (enum request_header)(REQUEST_CLIENT_CERT + i), cert->text[i]);
    return ok;
}

bool headers_write_tls(struct buf *to, const struct request_head *how)
{
    const struct access_client *client = how->client;
    bool ok = true;

    if (how->alb->tls_headers && client->is_https)
        ok = write_named(to, how, REQUEST_TLS_VERSION, client->protocol) &&
             write_named(to, how, REQUEST_TLS_CIPHER_SUITE, client->cipher);
    return ok && (client->certificate == NULL || write_certificate(to, how, client->certificate));
}
