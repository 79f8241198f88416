/* message.c -- looking things up in a message: methods, names, fields, lists. */
#include "http/message.h"
#include "http/chars.h"

static const struct span methods[] = {
    [HTTP_GET] = SPAN_INIT("GET"),       [HTTP_HEAD] = SPAN_INIT("HEAD"),
    [HTTP_POST] = SPAN_INIT("POST"),     [HTTP_PUT] = SPAN_INIT("PUT"),
    [HTTP_DELETE] = SPAN_INIT("DELETE"), [HTTP_OPTIONS] = SPAN_INIT("OPTIONS"),
    [HTTP_PATCH] = SPAN_INIT("PATCH"),   [HTTP_CONNECT] = SPAN_INIT("CONNECT"),
    [HTTP_TRACE] = SPAN_INIT("TRACE"),
};

enum http_method http_method_of(struct span name)
{
    for (size_t i = 0; i < HTTP_METHOD_OTHER; i++)
        if (span_equal(name, methods[i]))
            return (enum http_method)i;
    return HTTP_METHOD_OTHER;
}

enum {
    HOP = 1,  /* about one connection: never forwarded */
    KEPT = 2, /* Connection cannot take it out */
};

static const struct {
    struct span text;
    unsigned flags;
} names[HTTP_N_COUNT] = {
    [HTTP_N_OTHER] = { SPAN_INIT(""), 0 },
    [HTTP_N_HOST] = { SPAN_INIT("Host"), KEPT },
    [HTTP_N_CONNECTION] = { SPAN_INIT("Connection"), HOP },
    [HTTP_N_CONTENT_LENGTH] = { SPAN_INIT("Content-Length"), KEPT },
    [HTTP_N_TRANSFER_ENCODING] = { SPAN_INIT("Transfer-Encoding"), HOP },
    [HTTP_N_UPGRADE] = { SPAN_INIT("Upgrade"), HOP },
    [HTTP_N_EXPECT] = { SPAN_INIT("Expect"), KEPT },
    [HTTP_N_COOKIE] = { SPAN_INIT("Cookie"), KEPT },
    [HTTP_N_SET_COOKIE] = { SPAN_INIT("Set-Cookie"), KEPT },
    [HTTP_N_FORWARDED] = { SPAN_INIT("Forwarded"), KEPT },
    [HTTP_N_X_FORWARDED_FOR] = { SPAN_INIT("X-Forwarded-For"), KEPT },
    [HTTP_N_X_FORWARDED_PROTO] = { SPAN_INIT("X-Forwarded-Proto"), KEPT },
    [HTTP_N_X_FORWARDED_PORT] = { SPAN_INIT("X-Forwarded-Port"), KEPT },
    [HTTP_N_X_FORWARDED_HOST] = { SPAN_INIT("X-Forwarded-Host"), KEPT },
    [HTTP_N_X_AMZN_TRACE_ID] = { SPAN_INIT("X-Amzn-Trace-Id"), KEPT },
    [HTTP_N_X_AMZN_TLS_VERSION] = { SPAN_INIT("X-Amzn-Tls-Version"), KEPT },
    [HTTP_N_X_AMZN_TLS_CIPHER_SUITE] = { SPAN_INIT("X-Amzn-Tls-Cipher-Suite"), KEPT },
    [HTTP_N_X_AMZN_MTLS_CLIENTCERT] = { SPAN_INIT("X-Amzn-Mtls-Clientcert"), KEPT },
    [HTTP_N_X_AMZN_MTLS_CLIENTCERT_SERIAL_NUMBER] = { SPAN_INIT("X-Amzn-Mtls-Clientcert-"
                                                                "Serial-Number"),
                                                      KEPT },
    [HTTP_N_X_AMZN_MTLS_CLIENTCERT_ISSUER] = { SPAN_INIT("X-Amzn-Mtls-Clientcert-Issuer"), KEPT },
    [HTTP_N_X_AMZN_MTLS_CLIENTCERT_SUBJECT] = { SPAN_INIT("X-Amzn-Mtls-Clientcert-Subject"), KEPT },
    [HTTP_N_X_AMZN_MTLS_CLIENTCERT_VALIDITY] = { SPAN_INIT("X-Amzn-Mtls-Clientcert-Validity"),
                                                 KEPT },
    [HTTP_N_X_AMZN_MTLS_CLIENTCERT_LEAF] = { SPAN_INIT("X-Amzn-Mtls-Clientcert-Leaf"), KEPT },
    [HTTP_N_SEC_WEBSOCKET_KEY] = { SPAN_INIT("Sec-WebSocket-Key"), KEPT },
    [HTTP_N_SEC_WEBSOCKET_VERSION] = { SPAN_INIT("Sec-WebSocket-Version"), KEPT },
    [HTTP_N_SEC_WEBSOCKET_PROTOCOL] = { SPAN_INIT("Sec-WebSocket-Protocol"), KEPT },
    [HTTP_N_SEC_WEBSOCKET_EXTENSIONS] = { SPAN_INIT("Sec-WebSocket-Extensions"), KEPT },
    [HTTP_N_SEC_WEBSOCKET_ACCEPT] = { SPAN_INIT("Sec-WebSocket-Accept"), KEPT },
    [HTTP_N_USER_AGENT] = { SPAN_INIT("User-Agent"), 0 },
    [HTTP_N_VIA] = { SPAN_INIT("Via"), KEPT },
    [HTTP_N_SERVER] = { SPAN_INIT("Server"), 0 },
    [HTTP_N_DATE] = { SPAN_INIT("Date"), 0 },
    [HTTP_N_KEEP_ALIVE] = { SPAN_INIT("Keep-Alive"), HOP },
    [HTTP_N_PROXY_CONNECTION] = { SPAN_INIT("Proxy-Connection"), HOP },
    [HTTP_N_PROXY_AUTHENTICATE] = { SPAN_INIT("Proxy-Authenticate"), HOP },
    [HTTP_N_PROXY_AUTHORIZATION] = { SPAN_INIT("Proxy-Authorization"), HOP },
    [HTTP_N_TE] = { SPAN_INIT("TE"), HOP },
    [HTTP_N_TRAILER] = { SPAN_INIT("Trailer"), HOP },
    [HTTP_N_HTTP2_SETTINGS] = { SPAN_INIT("HTTP2-Settings"), HOP },
    [HTTP_N_AUTHORIZATION] = { SPAN_INIT("Authorization"), KEPT },
    [HTTP_N_ORIGIN] = { SPAN_INIT("Origin"), KEPT },
    [HTTP_N_LOCATION] = { SPAN_INIT("Location"), KEPT },
    [HTTP_N_RETRY_AFTER] = { SPAN_INIT("Retry-After"), 0 },
    [HTTP_N_CONTENT_TYPE] = { SPAN_INIT("Content-Type"), KEPT },
    [HTTP_N_CACHE_CONTROL] = { SPAN_INIT("Cache-Control"), 0 },
};

/* Which of them have that length, so that a look-up compares few texts. */
static const uint8_t of_length[][4] = {
    [2] = { HTTP_N_TE },
    [3] = { HTTP_N_VIA },
    [4] = { HTTP_N_HOST, HTTP_N_DATE },
    [6] = { HTTP_N_COOKIE, HTTP_N_ORIGIN, HTTP_N_EXPECT, HTTP_N_SERVER },
    [7] = { HTTP_N_UPGRADE, HTTP_N_TRAILER },
    [8] = { HTTP_N_LOCATION },
    [9] = { HTTP_N_FORWARDED },
    [10] = { HTTP_N_CONNECTION, HTTP_N_USER_AGENT, HTTP_N_SET_COOKIE, HTTP_N_KEEP_ALIVE },
    [11] = { HTTP_N_RETRY_AFTER },
    [12] = { HTTP_N_CONTENT_TYPE },
    [13] = { HTTP_N_AUTHORIZATION, HTTP_N_CACHE_CONTROL },
    [14] = { HTTP_N_CONTENT_LENGTH, HTTP_N_HTTP2_SETTINGS },
    [15] = { HTTP_N_X_FORWARDED_FOR, HTTP_N_X_AMZN_TRACE_ID },
    [16] = { HTTP_N_X_FORWARDED_PORT, HTTP_N_X_FORWARDED_HOST, HTTP_N_PROXY_CONNECTION },
    [17] = { HTTP_N_TRANSFER_ENCODING, HTTP_N_X_FORWARDED_PROTO, HTTP_N_SEC_WEBSOCKET_KEY },
    [18] = { HTTP_N_X_AMZN_TLS_VERSION, HTTP_N_PROXY_AUTHENTICATE },
    [19] = { HTTP_N_PROXY_AUTHORIZATION },
    [20] = { HTTP_N_SEC_WEBSOCKET_ACCEPT },
    [21] = { HTTP_N_SEC_WEBSOCKET_VERSION },
    [22] = { HTTP_N_SEC_WEBSOCKET_PROTOCOL, HTTP_N_X_AMZN_MTLS_CLIENTCERT },
    [23] = { HTTP_N_X_AMZN_TLS_CIPHER_SUITE },
    [24] = { HTTP_N_SEC_WEBSOCKET_EXTENSIONS },
    [27] = { HTTP_N_X_AMZN_MTLS_CLIENTCERT_LEAF },
    [29] = { HTTP_N_X_AMZN_MTLS_CLIENTCERT_ISSUER },
    [30] = { HTTP_N_X_AMZN_MTLS_CLIENTCERT_SUBJECT },
    [31] = { HTTP_N_X_AMZN_MTLS_CLIENTCERT_VALIDITY },
    [36] = { HTTP_N_X_AMZN_MTLS_CLIENTCERT_SERIAL_NUMBER },
};

enum http_name http_name_of(struct span name)
{
    if (name.len >= sizeof(of_length) / sizeof(of_length[0]))
        return HTTP_N_OTHER;
    for (size_t i = 0; i < 4 && of_length[name.len][i] != HTTP_N_OTHER; i++) {
        enum http_name id = (enum http_name)of_length[name.len][i];
        if (span_equal_nocase(name, names[id].text))
            return id;
    }
    return HTTP_N_OTHER;
}

struct span http_name_text(enum http_name id)
{
    return names[id].text;
}

static bool is_alnum(char c)
{
    return (http_chars[(uint8_t)c] & HTTP_C_PLAIN) != 0 && c != '-';
}

/* The next letter (in lower case) or digit at or behind `*at`, and moves past
 * it; 0 at the end. Some servers make capitals of a name that they take for
 * UTF-8: then a long s, a dotless i and the Kelvin sign are letters too. */
static char next_letter(struct span name, size_t *at)
{
    static const struct {
        struct span bytes;
        char letter;
    } more[] = { { SPAN_INIT("\xc5\xbf"), 's' },
                 { SPAN_INIT("\xc4\xb1"), 'i' },
                 { SPAN_INIT("\xe2\x84\xaa"), 'k' } };

    for (; *at < name.len; (*at)++) {
        const struct span rest = span_after(name, *at);
        if (is_alnum(rest.ptr[0])) {
            (*at)++;
            return (char)(rest.ptr[0] | 0x20);
        }
        for (size_t i = 0; i < sizeof(more) / sizeof(more[0]) && (rest.ptr[0] & 0x80); i++)
            if (span_starts_with(rest, more[i].bytes)) {
                *at += more[i].bytes.len;
                return more[i].letter;
            }
    }
    return 0;
}

bool http_name_is_alike(struct span name, struct span other)
{
    size_t i = 0, j = 0;
    char a, b;

    do {
        a = next_letter(name, &i);
        b = next_letter(other, &j);
    } while (a == b && a != 0);
    return a == b;
}

/* Of nothing but letters, digits and hyphens: only with hyphens to spare. */
static enum http_name disguised_by_hyphens(struct span name)
{
    static const enum http_name lengths[] = { HTTP_N_CONTENT_LENGTH, HTTP_N_TRANSFER_ENCODING };

    for (size_t i = 0; i < 2; i++)
        if (name.len > names[lengths[i]].text.len &&
            http_name_is_alike(name, names[lengths[i]].text))
            return lengths[i];
    return HTTP_N_OTHER;
}

enum http_name http_name_disguised(struct span name)
{
    const struct span coding = names[HTTP_N_TRANSFER_ENCODING].text;

    /* http-parser takes a longer name for the field as well. */
    if (name.len > coding.len && span_equal_nocase(span_of(name.ptr, coding.len), coding))
        return HTTP_N_TRANSFER_ENCODING;
    if (http_is_plain_name(name))
        return disguised_by_hyphens(name);
    for (size_t i = HTTP_N_OTHER + 1; i < HTTP_N_COUNT; i++)
        if (names[i].flags != 0 && http_name_is_alike(name, names[i].text))
            return (enum http_name)i;
    return HTTP_N_OTHER;
}

bool http_is_plain_name(struct span name)
{
    return name.len > 0 && http_all(name, HTTP_C_PLAIN);
}

void http_drop_invalid_names(struct http_message *m)
{
    size_t kept = 0;

    if (m->invalid_names == 0)
        return;
    for (size_t i = 0; i < m->field_count; i++)
        if (http_is_plain_name(m->fields[i].name))
            m->fields[kept++] = m->fields[i];
    m->dropped_fields += (uint32_t)(m->field_count - kept);
    m->field_count = kept;
}

const struct http_field *http_find(const struct http_message *m, enum http_name id)
{
    for (size_t i = 0; i < m->field_count; i++)
        if (m->fields[i].id == id)
            return &m->fields[i];
    return NULL;
}

const struct http_field *http_find_next(const struct http_message *m, const struct http_field *at)
{
    for (const struct http_field *f = at + 1; f < m->fields + m->field_count; f++)
        if (f->id == at->id)
            return f;
    return NULL;
}

const struct http_field *http_find_named(const struct http_message *m, struct span name,
                                         const struct http_field *at)
{
    for (const struct http_field *f = at == NULL ? m->fields : at + 1;
         f < m->fields + m->field_count; f++)
        if (span_equal_nocase(f->name, name))
            return f;
    return NULL;
}

struct span http_value(const struct http_message *m, enum http_name id)
{
    const struct http_field *f = http_find(m, id);
    return f == NULL ? SPAN("") : f->value;
}

bool http_list_has(struct span value, struct span token)
{
    struct span rest = value;
    struct span piece;

    while (span_next(&rest, ',', &piece))
        if (span_equal_nocase(piece, token))
            return true;
    return false;
}

bool http_field_lists(const struct http_message *m, enum http_name id, struct span token)
{
    for (const struct http_field *f = http_find(m, id); f != NULL; f = http_find_next(m, f))
        if (http_list_has(f->value, token))
            return true;
    return false;
}

bool http_is_hop_by_hop(enum http_name id)
{
    return (names[id].flags & HOP) != 0;
}

static bool starts_with_nocase(struct span s, struct span start)
{
    return s.len >= start.len && span_equal_nocase(span_of(s.ptr, start.len), start);
}

bool http_may_be_listed(struct span name)
{
    static const struct span families[] = {
        SPAN_INIT("Content-"), SPAN_INIT("X-Forwarded-"),   SPAN_INIT("X-Amzn-"),
        SPAN_INIT("X-Amz-"),   SPAN_INIT("Sec-WebSocket-"), SPAN_INIT("CloudFront-"),
        SPAN_INIT("X-Real-"),
    };

    if (names[http_name_of(name)].flags & KEPT)
        return false;
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        if (starts_with_nocase(name, families[i]))
            return false;
    return true;
}

bool http_is_token(struct span text)
{
    unsigned all = HTTP_C_TOKEN;

    for (size_t i = 0; i < text.len; i++)
        all &= http_chars[(uint8_t)text.ptr[i]];
    return text.len > 0 && all != 0;
}

bool http_is_value(struct span text)
{
    return http_is_clean(text) || http_all(text, HTTP_C_TEXT | HTTP_C_HIGH);
}
