/* redirect.c -- see redirect.h. */
#include "alb/redirect.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"

enum placeholder { PROTOCOL, HOST, PORT, PATH, QUERY, PLACEHOLDERS };

static const struct span placeholders[PLACEHOLDERS] = {
    [PROTOCOL] = SPAN_INIT("#{protocol}"), [HOST] = SPAN_INIT("#{host}"),
    [PORT] = SPAN_INIT("#{port}"),         [PATH] = SPAN_INIT("#{path}"),
    [QUERY] = SPAN_INIT("#{query}"),
};

static enum placeholder placeholder_at(struct span text)
{
    enum placeholder p = PROTOCOL;

    while (p < PLACEHOLDERS && !span_starts_with(text, placeholders[p]))
        p++;
    return p;
}

#define refuse(why, size, ...) (snprintf((why), (size), __VA_ARGS__), false)

/* --- reading --------------------------------------------------------------------------- */

/* Where the parts of a template are. */
struct parts {
    struct span protocol, host, port, path, query;
};

static const char *find(struct span text, const char *one)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(one, text.ptr[i]) != NULL)
            return text.ptr + i;
    }
    return text.ptr + text.len;
}

static bool split(struct span url, struct parts *parts, char *why, size_t size)
{
    const char *mark = memmem(url.ptr, url.len, "://", 3);

    if (mark == NULL)
        return refuse(why, size,
                      "\"%.*s\" is no URL; write for example "
                      "https://#{host}:443/#{path}?#{query}",
                      SPAN_ARGS(url));
    parts->protocol = span_of(url.ptr, (size_t)(mark - url.ptr));
    struct span rest = span_after(url, parts->protocol.len + 3);
    struct span authority = span_of(rest.ptr, (size_t)(find(rest, "/?") - rest.ptr));
    parts->host = span_of(authority.ptr, (size_t)(find(authority, ":") - authority.ptr));
    parts->port = span_after(authority, parts->host.len + 1);
    if (authority.len > parts->host.len && parts->port.len == 0)
        return refuse(why, size, "the port behind the ':' is missing");
    rest = span_after(rest, authority.len);
    parts->path = span_of(rest.ptr, (size_t)(find(rest, "?") - rest.ptr));
    parts->query = span_after(rest, parts->path.len + 1);
    return true;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Letters, digits, `others`, and placeholders of the part itself and those before it. */
static bool check_part(const char *name, struct span text, const char *others,
                       enum placeholder first, enum placeholder last, char *why, size_t size)
{
    if (text.len > REDIRECT_PART_MAX)
        return refuse(why, size, "the %s is longer than %d characters", name, REDIRECT_PART_MAX);
    for (size_t i = 0; i < text.len;) {
        const struct span rest = span_after(text, i);
        const enum placeholder p = placeholder_at(rest);
        if (p < PLACEHOLDERS && (p < first || p > last))
            return refuse(why, size, "the %s cannot hold %.*s", name, SPAN_ARGS(placeholders[p]));
        if (p == PLACEHOLDERS && rest.ptr[0] == '#')
            return refuse(why, size,
                          "the %s holds a '#' that begins none of #{protocol}, #{host}, "
                          "#{port}, #{path} and #{query}",
                          name);
        if (p == PLACEHOLDERS && !is_alnum(rest.ptr[0]) &&
            memchr(others, rest.ptr[0], strlen(others)) == NULL)
            return refuse(why, size, "the %s cannot hold '%c'", name, rest.ptr[0]);
        i += p == PLACEHOLDERS ? 1 : placeholders[p].len;
    }
    return true;
}

static bool check_protocol(struct span protocol, bool is_https, char *why, size_t size)
{
    const bool is_http = span_equal_nocase(protocol, SPAN("http"));

    if (!is_http && !span_equal_nocase(protocol, SPAN("https")) &&
        !span_equal(protocol, placeholders[PROTOCOL]))
        return refuse(why, size, "the protocol \"%.*s\" is not http, https or #{protocol}",
                      SPAN_ARGS(protocol));
    if (is_http && is_https)
        return refuse(why, size, "from HTTPS to HTTP is not allowed; redirect to https");
    return true;
}

static bool check_port(struct span port, char *why, size_t size)
{
    uint64_t number;

    if (port.len == 0 || span_equal(port, placeholders[PORT]))
        return true;
    if (!text_u64(port, &number) || number < 1 || number > 65535)
        return refuse(why, size, "the port \"%.*s\" is not 1 to 65535 or #{port}", SPAN_ARGS(port));
    return true;
}

static bool is_unchanged(const struct parts *p)
{
    return span_equal(p->protocol, placeholders[PROTOCOL]) &&
           span_equal(p->host, placeholders[HOST]) &&
           (p->port.len == 0 || span_equal(p->port, placeholders[PORT])) &&
           span_equal(p->path, SPAN("/#{path}"));
}

static bool check(const struct parts *p, bool is_https, char *why, size_t size)
{
    static const char path_others[] = "-._~:/@!$&'()*+,;=%[]";

    if (!check_protocol(p->protocol, is_https, why, size) || !check_port(p->port, why, size))
        return false;
    if (p->host.len == 0)
        return refuse(why, size, "the host is missing; write #{host} to keep it");
    if (p->path.len == 0)
        return refuse(why, size, "the path is missing; write /#{path} to keep it, or /");
    if (!check_part("host", p->host, "-._", HOST, HOST, why, size) ||
        !check_part("path", p->path, path_others, HOST, PATH, why, size) ||
        !check_part("query", p->query, path_others, PROTOCOL, QUERY, why, size))
        return false;
    if (is_unchanged(p))
        return refuse(why, size,
                      "would change nothing; protocol, host, port or path must be "
                      "another");
    return true;
}

/* What a URL without a port means. */
static struct span default_port(struct span protocol)
{
    if (span_equal(protocol, placeholders[PROTOCOL]))
        return placeholders[PORT];
    return span_equal_nocase(protocol, SPAN("https")) ? SPAN("443") : SPAN("80");
}

static char *copy(struct span text)
{
    return mem_copy(text.ptr, text.len);
}

struct redirect *redirect_new(uint16_t status, struct span url, bool is_https, char *why,
                              size_t why_size)
{
    struct parts p;

    if (!split(url, &p, why, why_size) || !check(&p, is_https, why, why_size))
        return NULL;
    struct redirect *r = mem_new(struct redirect);
    r->status = status;
    r->protocol = copy(p.protocol);
    r->host = copy(p.host);
    r->port = copy(p.port.len == 0 ? default_port(p.protocol) : p.port);
    r->path = copy(p.path);
    r->query = copy(p.query);
    for (char *at = r->protocol; *at != '\0'; at++)
        *at = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
    return r;
}

void redirect_free(struct redirect **redirect)
{
    struct redirect *r = *redirect;

    if (r == NULL)
        return;
    free(r->protocol);
    free(r->host);
    free(r->port);
    free(r->path);
    free(r->query);
    mem_free(*redirect);
}

bool redirect_is_loop(const struct redirect *r, bool is_https, uint16_t port)
{
    uint64_t number = port;
    const struct span protocol = span_text(r->protocol);
    const bool same_protocol = span_equal(protocol, placeholders[PROTOCOL]) ||
                               span_equal(protocol, is_https ? SPAN("https") : SPAN("http"));

    text_u64(span_text(r->port), &number); /* stays for #{port} */
    return same_protocol && number == port && strcmp(r->host, "#{host}") == 0 &&
           strcmp(r->path, "/#{path}") == 0;
}

/* --- making ------------------------------------------------------------------------------ */

struct values {
    struct span of[PLACEHOLDERS];
};

static bool put_part(struct buf *to, const char *text, const struct values *values)
{
    struct span rest = span_text(text);
    bool ok = true;

    while (ok && rest.len > 0) {
        const enum placeholder p = placeholder_at(rest);
        ok = buf_put(to, p < PLACEHOLDERS ? values->of[p] : span_of(rest.ptr, 1));
        rest = span_after(rest, p < PLACEHOLDERS ? placeholders[p].len : 1);
    }
    return ok;
}

static bool put_query(struct buf *to, const char *text, const struct values *values)
{
    struct buf query;

    buf_init(&query, REDIRECT_LOCATION_MAX);
    bool ok = put_part(&query, text, values) &&
              (buf_len(&query) == 0 || (buf_put(to, SPAN("?")) && buf_put(to, buf_data(&query))));
    buf_done(&query);
    return ok;
}

enum redirect_result redirect_location(const struct redirect *r, const struct redirect_request *q,
                                       struct buf *to)
{
    char port[8];
    const bool is_path = q->path.len > 0 && q->path.ptr[0] == '/'; /* not the '*' of OPTIONS */

    snprintf(port, sizeof(port), "%u", q->port);
    const struct values values = { .of = {
                                       [PROTOCOL] = q->is_https ? SPAN("https") : SPAN("http"),
                                       [HOST] = q->host,
                                       [PORT] = span_text(port),
                                       [PATH] = is_path ? span_after(q->path, 1) : SPAN(""),
                                       [QUERY] = q->query,
                                   } };

    if (q->host.len == 0 && strstr(r->host, "#{host}") != NULL)
        return REDIRECT_NO_HOST;
    const bool ok = put_part(to, r->protocol, &values) && buf_put(to, SPAN("://")) &&
                    put_part(to, r->host, &values) && buf_put(to, SPAN(":")) &&
                    put_part(to, r->port, &values) && put_part(to, r->path, &values) &&
                    put_query(to, r->query, &values);
    return ok ? REDIRECT_MADE : REDIRECT_TOO_LONG;
}
