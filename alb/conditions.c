/* conditions.c -- see conditions.h. */
#include "alb/conditions.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"
#include "http/message.h"

#include "alb/regex.h"

struct span condition_host(struct span host)
{
    size_t n = host.len;

    while (n > 0 && host.ptr[n - 1] >= '0' && host.ptr[n - 1] <= '9')
        n--;
    if (n > 0 && host.ptr[n - 1] == ':')
        host.len = n - 1;
    return host;
}

void condition_request_init(struct condition_request *r, const struct http_message *message,
                            const struct ip *peer, struct regex_scratch *scratch)
{
    *r = (struct condition_request){ message, condition_host(message->host), peer, scratch };
}

/* Does one of the values fit this text? */
static bool fits_text(const struct condition *c, struct span text, bool nocase,
                      struct regex_scratch *scratch)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct condition_value *v = &c->values[i];
        if (v->regex != NULL ? regex_search(v->regex, text, scratch) == REGEX_MATCH
                             : text_wildcard(span_text(v->text), text, nocase))
            return true;
    }
    return false;
}

static bool fits_method(const struct condition *c, struct span method)
{
    for (size_t i = 0; i < c->count; i++) {
        if (span_equal(span_text(c->values[i].text), method))
            return true;
    }
    return false;
}

static bool fits_peer(const struct condition *c, const struct ip *peer)
{
    for (size_t i = 0; i < c->count; i++) {
        if (cidr_contains(&c->values[i].block, peer))
            return true;
    }
    return false;
}

/* --- http-header ---------------------------------------------------------------------- */

/* What said how long the body is, is no field of a message any more. */
static bool fits_framing(const struct condition *c, const struct condition_request *r)
{
    const struct http_message *m = r->message;
    char text[24];

    switch (http_name_of(span_text(c->name))) {
    case HTTP_N_CONTENT_LENGTH:
        snprintf(text, sizeof(text), "%" PRIu64, m->content_length);
        return m->has_length && fits_text(c, span_text(text), true, r->scratch);
    case HTTP_N_TRANSFER_ENCODING:
        return m->framing == HTTP_BODY_CHUNKED && fits_text(c, SPAN("chunked"), true, r->scratch);
    default:
        return false;
    }
}

static bool fits_header(const struct condition *c, const struct condition_request *r)
{
    const struct span name = span_text(c->name);

    for (const struct http_field *f = http_find_named(r->message, name, NULL); f != NULL;
         f = http_find_named(r->message, name, f)) {
        if (fits_text(c, f->value, true, r->scratch))
            return true;
    }
    return fits_framing(c, r);
}

/* --- query-string --------------------------------------------------------------------- */

static bool fits_pair(const struct condition *c, struct span key, struct span value)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct condition_value *v = &c->values[i];
        if ((v->key == NULL || text_wildcard_escaped(span_text(v->key), key, true)) &&
            text_wildcard_escaped(span_text(v->text), value, true))
            return true;
    }
    return false;
}

/* "a=1&b" is a with 1, and b with nothing. */
static bool fits_query(const struct condition *c, struct span query)
{
    struct span pair;

    while (span_next(&query, '&', &pair)) {
        const char *equals = pair.len == 0 ? NULL : memchr(pair.ptr, '=', pair.len);
        const size_t n = equals == NULL ? pair.len : (size_t)(equals - pair.ptr);
        if (pair.len > 0 && fits_pair(c, span_of(pair.ptr, n), span_after(pair, n + 1)))
            return true;
    }
    return false;
}

/* --- all ------------------------------------------------------------------------------ */

bool condition_holds(const struct condition *c, const struct condition_request *r)
{
    switch (c->kind) {
    case CONDITION_HOST:
        return fits_text(c, r->host, true, r->scratch);
    case CONDITION_PATH:
        return fits_text(c, r->message->path, false, r->scratch);
    case CONDITION_METHOD:
        return fits_method(c, r->message->method);
    case CONDITION_SOURCE_IP:
        return fits_peer(c, r->peer);
    case CONDITION_HEADER:
        return fits_header(c, r);
    case CONDITION_QUERY:
        return fits_query(c, r->message->query);
    }
    return false;
}

void condition_done(struct condition *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->values[i].text);
        free(c->values[i].key);
        regex_free(&c->values[i].regex);
    }
    mem_free(c->values);
    mem_free(c->name);
}
