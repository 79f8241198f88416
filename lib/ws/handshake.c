/* handshake.c -- what an opening handshake must have, in both directions. */
#include "ws/handshake.h"

#include <mbedtls/md.h>

#include "base/bug.h"
#include "base/buf.h"
#include "base/text.h"
#include "http/message.h"

enum { KEY_LEN = 24, KEY_DIGITS = 22, SHA1_BYTES = 20 };

_Static_assert(WS_ACCEPT_SIZE == TEXT_BASE64_SIZE(SHA1_BYTES), "the accept is a hash in base64");

#define FORWARD_FIELDS                                                                             \
    "Attach the AllViewer origin request policy (or one that forwards every "                      \
    "Sec-WebSocket-* header) to this path's cache behavior at the CDN."

static const struct row {
    const char *name;
    int status;
    const char *cause, *cure;
    const char *edge_cure; /* behind an edge, when it differs */
} rows[] = {
    [WS_OK] = { "ok", 101, "The handshake is good.", "Nothing to do.", NULL },
    [WS_NOT_UPGRADE] = { "not_upgrade", 400,
                         "The request has no Upgrade field that says just \"websocket\".",
                         "Connect with a WebSocket client, and let every proxy on the way pass "
                         "Upgrade and Connection on.",
                         NULL },
    [WS_STRIPPED] = { "stripped", 400, "The request has no Sec-WebSocket-* field at all.",
                      "Find what removes the Sec-WebSocket-* fields between the client and here.",
                      FORWARD_FIELDS },
    [WS_NOT_GET] = { "not_get", 400, "The method of the upgrade request is not GET.",
                     "Open WebSockets with GET.", NULL },
    [WS_BAD_HTTP_VERSION] = { "bad_http_version", 400, "The upgrade request is not HTTP/1.1.",
                              "Let the proxy in front speak HTTP/1.1 to here.", NULL },
    [WS_NO_CONNECTION_TOKEN] = { "no_connection_token", 400,
                                 "The Connection field does not list \"upgrade\".",
                                 "Let the proxy in front send \"Connection: upgrade\".", NULL },
    [WS_BODY_ON_UPGRADE] = { "body_on_upgrade", 400, "The upgrade request announces a body.",
                             "Send no Content-Length over 0 and no Transfer-Encoding with it.",
                             NULL },
    [WS_MISSING_VERSION] = { "missing_version", 426, "There is no Sec-WebSocket-Version field.",
                             "Send \"Sec-WebSocket-Version: 13\".", FORWARD_FIELDS },
    [WS_BAD_VERSION] = { "bad_version", 426, "Sec-WebSocket-Version is not 13.",
                         "Use a client that speaks RFC 6455 (version 13).", NULL },
    [WS_MISSING_KEY] = { "missing_key", 400, "There is no Sec-WebSocket-Key field.",
                         "Send a fresh Sec-WebSocket-Key with each request.", FORWARD_FIELDS },
    [WS_BAD_KEY] = { "bad_key", 400,
                     "Sec-WebSocket-Key is not one field of 16 bytes in 24 base64 characters.",
                     "Send 16 random bytes in base64.", NULL },
    [WS_STATUS_NOT_101] = { "status_not_101", 502,
                            "The target did not answer the upgrade with an HTTP/1.1 101.",
                            "Look into the target's own log: it serves no WebSocket on this path, "
                            "or refused this client.",
                            NULL },
    [WS_NO_UPGRADE_FIELD] = { "no_upgrade_field", 502,
                              "The target's 101 does not say \"Upgrade: websocket\".",
                              "Use a target that speaks WebSocket on this path.", NULL },
    [WS_NO_CONNECTION_FIELD] = { "no_connection_field", 502,
                                 "The target's 101 does not list \"upgrade\" in Connection.",
                                 "Let the target answer with \"Connection: Upgrade\".", NULL },
    [WS_BODY_ON_101] = { "body_on_101", 502, "The target's 101 announces a body.",
                         "Take Content-Length and Transfer-Encoding off the target's 101.", NULL },
    [WS_ACCEPT_MISSING] = { "accept_missing", 502,
                            "The target's 101 has no Sec-WebSocket-Accept field.",
                            "Use a target that speaks RFC 6455.", NULL },
    [WS_ACCEPT_MISMATCH] = { "accept_mismatch", 502,
                             "Sec-WebSocket-Accept does not belong to the key that was sent.",
                             "Look for a cache or a proxy before the target that answers with "
                             "another request's response.",
                             NULL },
    [WS_PROTOCOL_NOT_OFFERED] = { "protocol_not_offered", 502,
                                  "The target chose a subprotocol that was not offered.",
                                  "Let the target choose one of Sec-WebSocket-Protocol, or none.",
                                  NULL },
    [WS_EXTENSION_NOT_OFFERED] = { "extension_not_offered", 502,
                                   "The target chose an extension that was not offered.",
                                   "Let the target choose from Sec-WebSocket-Extensions only, 16 "
                                   "at most.",
                                   NULL },
};

_Static_assert(sizeof rows / sizeof *rows == WS_REFUSALS, "each refusal has its row");

const char *ws_refusal_name(enum ws_refusal refusal)
{
    return rows[refusal].name;
}

int ws_refusal_status(enum ws_refusal refusal)
{
    return rows[refusal].status;
}

const char *ws_refusal_cause(enum ws_refusal refusal)
{
    return rows[refusal].cause;
}

const char *ws_refusal_cure(enum ws_refusal refusal, bool behind_edge)
{
    const struct row *row = &rows[refusal];
    return behind_edge && row->edge_cure != NULL ? row->edge_cure : row->cure;
}

/* The only field of that name; NULL when there is none, or a second one. */
static const struct http_field *find_one(const struct http_message *m, enum http_name id)
{
    const struct http_field *field = http_find(m, id);
    return field != NULL && http_find_next(m, field) == NULL ? field : NULL;
}

static bool has_body(const struct http_message *m)
{
    return m->framing == HTTP_BODY_CHUNKED || m->content_length > 0;
}

static bool says_websocket(const struct http_message *m)
{
    const struct http_field *upgrade = find_one(m, HTTP_N_UPGRADE);
    return upgrade != NULL && span_equal_nocase(upgrade->value, SPAN("websocket"));
}

static bool has_websocket_field(const struct http_message *m)
{
    const struct span start = SPAN("Sec-WebSocket-");
    if (http_find(m, HTTP_N_SEC_WEBSOCKET_KEY) != NULL)
        return true;
    for (size_t i = 0; i < m->field_count; i++) {
        struct span name = m->fields[i].name;
        if (name.len >= start.len && span_equal_nocase(span_of(name.ptr, start.len), start))
            return true;
    }
    return false;
}

bool ws_behind_edge(const struct http_message *request)
{
    return http_find(request, HTTP_N_VIA) != NULL ||
           http_find_named(request, SPAN("X-Amz-Cf-Id"), NULL) != NULL;
}

bool ws_request_wants(const struct http_message *request)
{
    return http_field_lists(request, HTTP_N_UPGRADE, SPAN("websocket"));
}

static bool is_base64_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

/* 16 bytes in base64. What the last digit says beyond them is not looked at: the key is never
 * decoded, by anybody. */
static bool key_is_valid(struct span key)
{
    if (key.len != KEY_LEN || !span_equal(span_after(key, KEY_DIGITS), SPAN("==")))
        return false;
    for (size_t i = 0; i < KEY_DIGITS; i++) {
        if (!is_base64_digit(key.ptr[i]))
            return false;
    }
    return true;
}

static enum ws_refusal check_own_fields(const struct http_message *request)
{
    if (http_find(request, HTTP_N_SEC_WEBSOCKET_VERSION) == NULL)
        return WS_MISSING_VERSION;
    const struct http_field *version = find_one(request, HTTP_N_SEC_WEBSOCKET_VERSION);
    if (version == NULL || !span_equal(version->value, SPAN("13")))
        return WS_BAD_VERSION;
    if (http_find(request, HTTP_N_SEC_WEBSOCKET_KEY) == NULL)
        return WS_MISSING_KEY;
    const struct http_field *key = find_one(request, HTTP_N_SEC_WEBSOCKET_KEY);
    return key != NULL && key_is_valid(key->value) ? WS_OK : WS_BAD_KEY;
}

enum ws_refusal ws_request_check(const struct http_message *request)
{
    if (!has_websocket_field(request) && (ws_request_wants(request) || ws_behind_edge(request)))
        return WS_STRIPPED;
    if (!says_websocket(request))
        return WS_NOT_UPGRADE;
    if (request->method_id != HTTP_GET)
        return WS_NOT_GET;
    if (request->minor != 1)
        return WS_BAD_HTTP_VERSION;
    if (!http_field_lists(request, HTTP_N_CONNECTION, SPAN("upgrade")))
        return WS_NO_CONNECTION_TOKEN;
    if (has_body(request))
        return WS_BODY_ON_UPGRADE;
    return check_own_fields(request);
}

void ws_accept_value(struct span key, char out[WS_ACCEPT_SIZE])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 1.3 */
    uint8_t text[KEY_LEN + sizeof guid - 1], hash[SHA1_BYTES];
    if (key.len != KEY_LEN)
        bug("a WebSocket key that was not checked");
    memcpy(text, key.ptr, KEY_LEN);
    memcpy(text + KEY_LEN, guid, sizeof guid - 1);
    if (mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA1), text, sizeof text, hash) != 0)
        bug("no SHA-1");
    text_base64(hash, sizeof hash, out);
}

/* Extensions by name: what stands before the first ';'. */
static struct span name_of(struct span item)
{
    const char *at = item.len == 0 ? NULL : memchr(item.ptr, ';', item.len);
    return at == NULL ? item : span_trim(span_of(item.ptr, (size_t)(at - item.ptr)));
}

static bool offers_extension(struct span offered, struct span item)
{
    struct span piece;
    while (span_next(&offered, ',', &piece))
        if (span_equal_nocase(name_of(piece), name_of(item)))
            return true;
    return false;
}

static bool offers_protocol(struct span offered, struct span protocol)
{
    struct span piece;
    while (protocol.len > 0 && span_next(&offered, ',', &piece))
        if (span_equal(piece, protocol))
            return true;
    return false;
}

static bool protocol_is_offered(const struct http_message *response, struct span offered)
{
    if (http_find(response, HTTP_N_SEC_WEBSOCKET_PROTOCOL) == NULL)
        return true;
    const struct http_field *chosen = find_one(response, HTTP_N_SEC_WEBSOCKET_PROTOCOL);
    return chosen != NULL && offers_protocol(offered, chosen->value);
}

/* Each one chosen is looked for among all that were offered, and both lists are only bounded
 * by their heads: nobody needs more than a few. */
enum { CHOSEN_MAX = 16 };

static bool extensions_are_offered(const struct http_message *response, struct span offered)
{
    const struct http_field *field = http_find(response, HTTP_N_SEC_WEBSOCKET_EXTENSIONS);
    size_t chosen = 0;

    for (; field != NULL; field = http_find_next(response, field)) {
        struct span rest = field->value, item;
        while (span_next(&rest, ',', &item))
            if (item.len > 0 && (++chosen > CHOSEN_MAX || !offers_extension(offered, item)))
                return false;
    }
    return true;
}

enum ws_refusal ws_response_check(const struct http_message *response, struct span expected_accept,
                                  struct span offered_protocols, struct span offered_extensions)
{
    if (response->status != 101 || response->minor != 1)
        return WS_STATUS_NOT_101;
    if (!says_websocket(response))
        return WS_NO_UPGRADE_FIELD;
    if (!http_field_lists(response, HTTP_N_CONNECTION, SPAN("upgrade")))
        return WS_NO_CONNECTION_FIELD;
    if (has_body(response))
        return WS_BODY_ON_101;
    if (http_find(response, HTTP_N_SEC_WEBSOCKET_ACCEPT) == NULL)
        return WS_ACCEPT_MISSING;
    const struct http_field *accept = find_one(response, HTTP_N_SEC_WEBSOCKET_ACCEPT);
    if (accept == NULL || !span_equal(accept->value, expected_accept))
        return WS_ACCEPT_MISMATCH;
    if (!protocol_is_offered(response, offered_protocols))
        return WS_PROTOCOL_NOT_OFFERED;
    if (!extensions_are_offered(response, offered_extensions))
        return WS_EXTENSION_NOT_OFFERED;
    return WS_OK;
}

bool ws_pick_protocol(const struct http_message *request, struct span wanted)
{
    const struct http_field *field = http_find(request, HTTP_N_SEC_WEBSOCKET_PROTOCOL);
    for (; field != NULL; field = http_find_next(request, field))
        if (offers_protocol(field->value, wanted))
            return true;
    return false;
}

bool ws_write_101(struct buf *to, struct span key, struct span protocol, struct span extra_fields)
{
    char accept[WS_ACCEPT_SIZE];
    ws_accept_value(key, accept);
    return buf_print(to,
                     "HTTP/1.1 101 Switching Protocols\r\n"
                     "Upgrade: websocket\r\n"
                     "Connection: Upgrade\r\n"
                     "Sec-WebSocket-Accept: %s\r\n"
                     "%s%.*s%s%.*s\r\n",
                     accept, protocol.len > 0 ? "Sec-WebSocket-Protocol: " : "",
                     SPAN_ARGS(protocol), protocol.len > 0 ? "\r\n" : "", SPAN_ARGS(extra_fields));
}
