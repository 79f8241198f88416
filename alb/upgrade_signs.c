/* upgrade_signs.c -- see upgrade_signs.h. */
#include "alb/upgrade_signs.h"

#include "http/message.h"

/* Signs that mean something together only. */
struct seen {
    struct upgrade_signs *signs;
    bool lists_upgrade, names_protocol, has_host;
};

/* What may stand between quotes in a line of the log. */
static bool is_plain(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\')
            return false;
    }
    return true;
}

static bool starts_nocase(struct span text, struct span start)
{
    return text.len >= start.len && span_equal_nocase(span_of(text.ptr, start.len), start);
}

/* --- the request line -------------------------------------------------------------------- */

static struct span without_authority(struct span target)
{
    const char *slash;

    if (!starts_nocase(target, SPAN("http://")))
        return target;
    target = span_after(target, sizeof("http://") - 1);
    slash = target.len == 0 ? NULL : memchr(target.ptr, '/', target.len);
    return slash == NULL ? SPAN("/") : span_after(target, (size_t)(slash - target.ptr));
}

static void read_first_line(struct span line, struct upgrade_signs *out)
{
    struct span method, target, path;

    if (!span_next(&line, ' ', &method) || !span_next(&line, ' ', &target))
        return;
    target = without_authority(target);
    if (span_next(&target, '?', &path) && is_plain(path))
        out->path = path;
}

/* --- the fields ------------------------------------------------------------------------------ */

static void see_upgrade(struct seen *s, struct span value)
{
    s->names_protocol = true;
    s->signs->asks |= http_list_has(value, SPAN("websocket"));
}

static void see_connection(struct seen *s, struct span value)
{
    s->lists_upgrade |= http_list_has(value, SPAN("upgrade"));
}

static void see_edge(struct seen *s, struct span value)
{
    (void)value;
    s->signs->behind_edge = true;
}

static void see_host(struct seen *s, struct span value)
{
    if (!s->has_host && http_is_host(value))
        s->signs->host = value;
    s->has_host = true;
}

static void see_protocol(struct seen *s, struct span value)
{
    (void)value;
    s->signs->offers_protocol = true;
}

static const struct {
    struct span name;
    void (*see)(struct seen *s, struct span value);
} fields[] = {
    { SPAN_INIT("Upgrade"), see_upgrade }, { SPAN_INIT("Connection"), see_connection },
    { SPAN_INIT("Via"), see_edge },        { SPAN_INIT("X-Amz-Cf-Id"), see_edge },
    { SPAN_INIT("Host"), see_host },       { SPAN_INIT("Sec-WebSocket-Protocol"), see_protocol },
};

static void read_field(struct seen *s, struct span line)
{
    struct span name;

    if (!span_next(&line, ':', &name))
        return;
    s->signs->asks |= starts_nocase(name, SPAN("Sec-WebSocket-"));
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (span_equal_nocase(name, fields[i].name))
            fields[i].see(s, span_trim(line));
    }
}

/* --- the whole ----------------------------------------------------------------------------------
 */

void upgrade_signs_read(struct span head, struct upgrade_signs *out)
{
    struct seen seen = { .signs = out };
    struct span line;
    bool is_first = true;

    *out = (struct upgrade_signs){ .asks = false };
    while (span_next(&head, '\n', &line)) {
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0)
            continue; /* before the request line; behind the head nothing was passed */
        if (is_first)
            read_first_line(line, out);
        else
            read_field(&seen, line);
        is_first = false;
    }
    out->asks |= seen.lists_upgrade && !seen.names_protocol;
}
