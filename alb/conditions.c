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
    *r = (struct condition_request){ .message = message,
                                     .host = condition_host(message->host),
                                     .path = message->path,
                                     .peer = peer,
                                     .scratch = scratch,
                                     .left = CONDITION_BUDGET };
}

/* --- what it costs ------------------------------------------------------------------- */

enum {
    LOOK_COST = 4,       /* of a value, whatever it is compared with */
    REGEX_COST = 20,     /* of the beginning of a search */
    REGEX_STEP_COST = 4, /* an item of a regular expression takes as long as so many characters */
};

static bool fits_wildcard(struct span pattern, struct span text, bool nocase, bool escapes,
                          struct condition_request *r)
{
    uint64_t steps = LOOK_COST;

    if (condition_request_is_spent(r))
        return false;
    const bool fits = text_wildcard_counted(pattern, text, nocase, escapes, &steps);
    condition_request_charge(r, steps);
    return fits;
}

static bool fits_regex(const struct regex *regex, struct span text, struct condition_request *r)
{
    if (condition_request_is_spent(r))
        return false;
    const bool fits = regex_search(regex, text, r->scratch) == REGEX_MATCH;
    condition_request_charge(r, REGEX_COST + (uint64_t)REGEX_STEP_COST * regex_steps(r->scratch));
    return fits;
}

/* --- texts ------------------------------------------------------------------------------ */

/* Does one of the values fit this text? */
static bool fits_text(const struct condition *c, struct span text, bool nocase,
                      struct condition_request *r)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct condition_value *v = &c->values[i];
        if (v->regex != NULL ? fits_regex(v->regex, text, r)
                             : fits_wildcard(span_text(v->text), text, nocase, false, r))
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

bool condition_framing(const struct http_message *m, enum http_name id,
                       char out[CONDITION_FRAMING_MAX])
{
    if (id == HTTP_N_CONTENT_LENGTH && m->has_length)
        snprintf(out, CONDITION_FRAMING_MAX, "%" PRIu64, m->content_length);
    else if (id == HTTP_N_TRANSFER_ENCODING && m->framing == HTTP_BODY_CHUNKED)
        snprintf(out, CONDITION_FRAMING_MAX, "chunked");
    else
        return false;
    return true;
}

static bool fits_framing(const struct condition *c, struct condition_request *r)
{
    char text[CONDITION_FRAMING_MAX];

    return condition_framing(r->message, http_name_of(span_text(c->name)), text) &&
           fits_text(c, span_text(text), true, r);
}

/* The names of all fields are compared with its own. */
static bool fits_header(const struct condition *c, struct condition_request *r)
{
    const struct span name = span_text(c->name);

    condition_request_charge(r, r->message->field_count);
    for (const struct http_field *f = http_find_named(r->message, name, NULL); f != NULL;
         f = http_find_named(r->message, name, f)) {
        if (fits_text(c, f->value, true, r))
            return true;
    }
    return fits_framing(c, r);
}

/* --- query-string --------------------------------------------------------------------- */

static bool fits_pair(const struct condition *c, struct span key, struct span value,
                      struct condition_request *r)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct condition_value *v = &c->values[i];
        if ((v->key == NULL || fits_wildcard(span_text(v->key), key, true, true, r)) &&
            fits_wildcard(span_text(v->text), value, true, true, r))
            return true;
    }
    return false;
}

bool condition_next_pair(struct span *query, struct span *key, struct span *value)
{
    struct span pair;

    while (span_next(query, '&', &pair)) {
        if (pair.len == 0)
            continue;
        const char *equals = memchr(pair.ptr, '=', pair.len);
        const size_t n = equals == NULL ? pair.len : (size_t)(equals - pair.ptr);
        *key = span_of(pair.ptr, n);
        *value = span_after(pair, n + 1);
        return true;
    }
    return false;
}

/* What is passed over on the way to the next parameter is charged: "&&&&". The parameter itself,
 * with its '=' and '&', is when it is compared. */
static bool next_pair(struct span *query, struct span *key, struct span *value,
                      struct condition_request *r)
{
    const size_t before = query->len;
    const bool has_one = condition_next_pair(query, key, value);
    const size_t passed = before - query->len;
    const size_t own = has_one ? key->len + value->len + 2 : 0;

    condition_request_charge(r, passed > own ? passed - own : 0);
    return has_one && !condition_request_is_spent(r);
}

static bool fits_query(const struct condition *c, struct span query, struct condition_request *r)
{
    struct span key, value;

    while (next_pair(&query, &key, &value, r)) {
        if (fits_pair(c, key, value, r))
            return true;
    }
    return false;
}

/* --- all ------------------------------------------------------------------------------ */

bool condition_holds(const struct condition *c, struct condition_request *r)
{
    if (condition_request_is_spent(r))
        return false;
    switch (c->kind) {
    case CONDITION_HOST:
        return fits_text(c, r->host, true, r);
    case CONDITION_PATH:
        return fits_text(c, r->path, false, r);
    case CONDITION_METHOD:
        return fits_method(c, r->message->method);
    case CONDITION_SOURCE_IP:
        return fits_peer(c, r->peer);
    case CONDITION_HEADER:
        return fits_header(c, r);
    case CONDITION_QUERY:
        return fits_query(c, r->message->query, r);
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
