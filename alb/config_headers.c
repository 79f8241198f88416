/*
 * config_headers.c -- [listener NAME]: the names of request headers and the values
 * of response headers that it sets.
 */
#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"
#include "http/message.h"

#include "alb/config_parts.h"
#include "alb/headers.h"

enum { NAME_LONGEST = 128, VALUE_LONGEST = 1024, KEY_MAX = 80 };

/* "x_frame_options" of routing.http.response.x_frame_options.header_value, by the
 * header's own name; the CORS ones and X-Amzn-* as well. */
static const char *key_of(struct span header, const char *before, const char *after,
                          char out[KEY_MAX])
{
    size_t n = (size_t)snprintf(out, KEY_MAX, "%s", before);

    for (size_t i = 0; i < header.len; i++, n++) {
        const char c = header.ptr[i];
        out[n] = c == '-' ? '_' : (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    snprintf(out + n, KEY_MAX - n, "%s", after);
    return out;
}

static const char *request_key(int which, char out[KEY_MAX])
{
    return key_of(headers_request_name((enum request_header)which), "routing.http.request.",
                  ".header_name", out);
}

static const char *response_key(int which, char out[KEY_MAX])
{
    return key_of(headers_response_name((enum response_header)which), "routing.http.response.",
                  ".header_value", out);
}

static int line_of(const struct listener_config *l, const char *key)
{
    return config_line(&l->lines, listener_settings, key);
}

/* --- names of request headers ------------------------------------------------- */

/* A sentence, or NULL when it may be called so. */
static const char *blame_name(const struct listener_config *l, int which)
{
    const struct span name = span_text(l->options.request_names[which]);
    const struct span usual = headers_request_name((enum request_header)which);

    if (l->options.protocol != PROTOCOL_HTTPS)
        return "is for HTTPS; say protocol = HTTPS or take it out";
    if (!http_is_token(name) || name.len > NAME_LONGEST)
        return "is not a header's name: 1 to 128 letters, digits and !#$%&'*+-.^_`|~";
    if (span_equal_nocase(name, usual))
        return NULL;
    if (http_name_of(name) != HTTP_N_OTHER || http_name_disguised(name) != HTTP_N_OTHER)
        return "is the name of a header that means something else; choose another";
    for (int i = 0; i < which; i++) {
        if (http_name_is_alike(name, l->headers.request_names[i]))
            return "is the name of another header of this listener; choose another";
    }
    return NULL;
}

static void check_name(struct listener_config *l, int which, struct problems *problems)
{
    const char *name = l->options.request_names[which];
    const char *blame = name[0] == '\0' ? NULL : blame_name(l, which);
    char key[KEY_MAX];

    l->headers.request_names[which] =
        name[0] == '\0' ? headers_request_name((enum request_header)which) : span_text(name);
    l->headers.renames |= name[0] != '\0';
    if (blame != NULL)
        problems_error(problems, line_of(l, request_key(which, key)), "%s: \"%s\" %s", key, name,
                       blame);
}

/* --- values of response headers ------------------------------------------------ */

static bool is_true(struct span value)
{
    return span_equal(value, SPAN("true"));
}

static bool is_nosniff(struct span value)
{
    return span_equal(value, SPAN("nosniff"));
}

static bool is_frame_option(struct span value)
{
    return span_equal(value, SPAN("DENY")) || span_equal(value, SPAN("SAMEORIGIN")) ||
           span_starts_with(value, SPAN("ALLOW-FROM http"));
}

static bool is_seconds(struct span value)
{
    uint64_t n;

    return text_u64(value, &n);
}

static bool is_origin(struct span value)
{
    return span_equal(value, SPAN("*")) || span_equal(value, SPAN("null")) ||
           (memchr(value.ptr, ' ', value.len) == NULL &&
            memchr(value.ptr, ',', value.len) == NULL &&
            (span_starts_with(value, SPAN("http://")) ||
             span_starts_with(value, SPAN("https://"))));
}

static bool is_list_of_tokens(struct span value)
{
    struct span rest = value, token;

    while (span_next(&rest, ',', &token)) {
        if (!http_is_token(token))
            return false;
    }
    return true;
}

static bool is_list_of_methods(struct span value)
{
    struct span rest = value, method;

    while (span_next(&rest, ',', &method)) {
        if (!span_equal(method, SPAN("*")) && http_method_of(method) == HTTP_METHOD_OTHER)
            return false;
    }
    return true;
}

static bool is_transport_security(struct span value)
{
    return value.len >= 8 && strncasecmp(value.ptr, "max-age=", 8) == 0;
}

static bool is_any(struct span value)
{
    (void)value;
    return true;
}

static const struct {
    bool (*allows)(struct span value);
    const char *wants;
} values[RESPONSE_HEADERS] = {
    [RESPONSE_STRICT_TRANSPORT_SECURITY] = { is_transport_security,
                                             "begins with max-age=SECONDS, such as "
                                             "max-age=31536000; includeSubDomains" },
    [RESPONSE_ALLOW_ORIGIN] = { is_origin, "is one origin, such as https://example.com, or *" },
    [RESPONSE_ALLOW_METHODS] = { is_list_of_methods, "is a list of methods, such as GET, POST" },
    [RESPONSE_ALLOW_HEADERS] = { is_list_of_tokens, "is a list of header names, or *" },
    [RESPONSE_ALLOW_CREDENTIALS] = { is_true, "is true, or is left out" },
    [RESPONSE_EXPOSE_HEADERS] = { is_list_of_tokens, "is a list of header names, or *" },
    [RESPONSE_MAX_AGE] = { is_seconds, "is a whole number of seconds" },
    [RESPONSE_CONTENT_SECURITY_POLICY] = { is_any, "" },
    [RESPONSE_CONTENT_TYPE_OPTIONS] = { is_nosniff, "is nosniff, or is left out" },
    [RESPONSE_FRAME_OPTIONS] = { is_frame_option, "is DENY, SAMEORIGIN or ALLOW-FROM URI" },
};

static const char *blame_value(struct span value, int which)
{
    if (!http_is_value(value))
        return "has a control character";
    if (value.len > VALUE_LONGEST)
        return "has at most 1024 characters";
    return values[which].allows(value) ? NULL : values[which].wants;
}

static void add_value(struct listener_config *l, int which, struct buf *lines,
                      struct problems *problems)
{
    const struct span value = span_text(l->options.response_values[which]);
    const char *blame = value.len == 0 ? NULL : blame_value(value, which);
    char key[KEY_MAX];

    if (blame != NULL)
        problems_error(problems, line_of(l, response_key(which, key)), "%s: the value %s", key,
                       blame);
    if (value.len == 0)
        return;
    l->headers.inserted |= 1U << which;
    buf_print(lines, "%.*s: %.*s\r\n",
              SPAN_ARGS(headers_response_name((enum response_header)which)), SPAN_ARGS(value));
}

void config_headers(struct listener_config *l, struct problems *problems)
{
    struct buf lines;

    for (int i = 0; i < REQUEST_HEADERS; i++)
        check_name(l, i, problems);
    buf_init(&lines, RESPONSE_HEADERS * 2 * 8192);
    for (int i = 0; i < RESPONSE_HEADERS; i++)
        add_value(l, i, &lines, problems);
    if (buf_len(&lines) > 0)
        l->headers.lines = mem_copy(buf_data(&lines).ptr, buf_len(&lines));
    buf_done(&lines);
    l->headers.hides_server = !l->options.server_header;
}
