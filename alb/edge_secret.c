/* edge_secret.c -- see edge_secret.h. */
#include "alb/edge_secret.h"

#include <mbedtls/constant_time.h>
#include <mbedtls/platform_util.h>
#include <stdint.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"
#include "http/message.h"

enum { FILE_MAX = 4096, NO_VALUE = 255 };

/* All values have one size, whatever their length: they are compared whole. */
struct padded {
    uint8_t length; /* one above EDGE_SECRET_MOST stands for all that are longer */
    char bytes[EDGE_SECRET_MOST];
};

_Static_assert(sizeof(struct padded) == 1 + EDGE_SECRET_MOST, "nothing between them");
_Static_assert(EDGE_SECRET_MOST + 1 < NO_VALUE, "no length is it");

struct edge_secret {
    char *header; /* owned */
    size_t count; /* 1 or 2 */
    struct padded values[EDGE_SECRETS_MAX];
};

const char *secret_verdict_text(enum secret_verdict verdict)
{
    return verdict == SECRET_MISSING ? "no origin secret" : "wrong origin secret";
}

/* --- the header's name ---------------------------------------------------------------------- */

/* What CloudFront refuses among an origin's custom headers. A name that ends in '-' stands for
 * all that begin so. */
static const struct span not_custom[] = {
    SPAN_INIT("Cache-Control"),  SPAN_INIT("Connection"),
    SPAN_INIT("Content-Length"), SPAN_INIT("Cookie"),
    SPAN_INIT("Host"),           SPAN_INIT("If-"),
    SPAN_INIT("Max-Forwards"),   SPAN_INIT("Pragma"),
    SPAN_INIT("Proxy-"),         SPAN_INIT("Range"),
    SPAN_INIT("Request-Range"),  SPAN_INIT("TE"),
    SPAN_INIT("Trailer"),        SPAN_INIT("Transfer-Encoding"),
    SPAN_INIT("Upgrade"),        SPAN_INIT("Via"),
    SPAN_INIT("X-Amz-"),         SPAN_INIT("X-Edge-"),
    SPAN_INIT("X-Real-Ip"),
};

static bool fits(struct span name, struct span row)
{
    if (row.ptr[row.len - 1] == '-' && name.len > row.len)
        name.len = row.len;
    return span_equal_nocase(name, row);
}

const char *edge_secret_blame_header(struct span name)
{
    if (!http_is_plain_name(name) || name.len > 128)
        return "is not a header's name: 1 to 128 letters, digits and hyphens";
    for (size_t i = 0; i < sizeof(not_custom) / sizeof(not_custom[0]); i++) {
        if (fits(name, not_custom[i]))
            return "is a header that CloudFront does not let an origin's custom headers set; "
                   "choose another, such as X-Origin-Verify";
    }
    if (fits(name, SPAN("CloudFront-")))
        return "is a header that CloudFront writes itself; choose another, such as "
               "X-Origin-Verify";
    for (int id = HTTP_N_OTHER + 1; id < HTTP_N_COUNT; id++) {
        if (http_name_is_alike(name, http_name_text((enum http_name)id)))
            return "is the name of a header that means something else; choose another, such as "
                   "X-Origin-Verify";
    }
    return NULL;
}

/* --- the file -------------------------------------------------------------------------------- */

static void pad(struct span value, struct padded *out)
{
    const size_t kept = value.len < EDGE_SECRET_MOST ? value.len : EDGE_SECRET_MOST;

    memset(out, 0, sizeof(*out));
    out->length = (uint8_t)(value.len > EDGE_SECRET_MOST ? EDGE_SECRET_MOST + 1 : value.len);
    if (kept > 0)
        memcpy(out->bytes, value.ptr, kept);
}

static bool is_visible(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] <= ' ' || value.ptr[i] >= 0x7f)
            return false;
    }
    return true;
}

/* What is wrong with a line, or NULL. Never says what stands there. */
static const char *blame_value(struct span line)
{
    if (!is_visible(line))
        return "has a blank, a carriage return or another byte that is no visible ASCII character; "
               "a line is the secret and nothing else (openssl rand -hex 32)";
    if (line.len < EDGE_SECRET_LEAST || line.len > EDGE_SECRET_MOST)
        return "is not 16 to 128 characters long (openssl rand -hex 32)";
    return NULL;
}

static bool add_line(struct edge_secret *s, struct span line, const char *path, int number,
                     char *why, size_t why_size)
{
    const char *blame = s->count == EDGE_SECRETS_MAX ? "is one secret too many: two are accepted "
                                                       "at a time, so remove the oldest"
                                                     : blame_value(line);

    if (blame != NULL)
        snprintf(why, why_size, "%s:%d: %s", path, number, blame);
    else
        pad(line, &s->values[s->count++]);
    return blame == NULL;
}

static bool add_lines(struct edge_secret *s, struct span text, const char *path, char *why,
                      size_t why_size)
{
    int number = 0;

    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        const size_t len = end == NULL ? text.len : (size_t)(end - text.ptr);
        if (!add_line(s, span_of(text.ptr, len), path, ++number, why, why_size))
            return false;
        text = span_after(text, len + 1);
    }
    if (number == 0)
        snprintf(why, why_size, "%s: no secret in it; make one: openssl rand -hex 32 > %s", path,
                 path);
    return number > 0;
}

struct edge_secret *edge_secret_read(const char *header, const char *path, char *why,
                                     size_t why_size)
{
    size_t len;

    char *text = text_read_secret(path, FILE_MAX, &len, why, why_size);
    if (text == NULL)
        return NULL;

    struct edge_secret *s = mem_new(struct edge_secret);
    s->header = mem_copy(header, strlen(header));
    for (size_t i = 0; i < EDGE_SECRETS_MAX; i++)
        s->values[i].length = NO_VALUE;
    if (!add_lines(s, span_of(text, len), path, why, why_size))
        edge_secret_free(&s);
    text_free_secret(text, len);
    return s;
}

void edge_secret_free(struct edge_secret **secret)
{
    struct edge_secret *s = *secret;

    *secret = NULL;
    if (s == NULL)
        return;
    free(s->header);
    mbedtls_platform_zeroize(s, sizeof(*s));
    free(s);
}

struct span edge_secret_header(const struct edge_secret *secret)
{
    return span_text(secret->header);
}

size_t edge_secret_count(const struct edge_secret *secret)
{
    return secret->count;
}

bool edge_secret_equal(const struct edge_secret *a, const struct edge_secret *b)
{
    return mbedtls_ct_memcmp(a->values, b->values, sizeof(a->values)) == 0;
}

/* --- a request -------------------------------------------------------------------------------- */

/* Both are compared, and each to its end. */
static enum secret_verdict compare(const struct edge_secret *s, struct span value)
{
    struct padded sent;

    pad(value, &sent);
    const int first = mbedtls_ct_memcmp(&sent, &s->values[0], sizeof(sent));
    const int second = mbedtls_ct_memcmp(&sent, &s->values[1], sizeof(sent));
    mbedtls_platform_zeroize(&sent, sizeof(sent));
    if (first == 0)
        return SECRET_RIGHT_FIRST;
    return second == 0 ? SECRET_RIGHT_SECOND : SECRET_WRONG;
}

enum secret_verdict edge_secret_take(const struct edge_secret *s, struct http_message *m)
{
    const struct span name = span_text(s->header);
    struct http_field found = { .is_folded = false };
    size_t kept = 0, count = 0;

    for (size_t i = 0; i < m->field_count; i++) {
        if (!http_name_is_alike(m->fields[i].name, name)) {
            m->fields[kept++] = m->fields[i];
        } else if (span_equal_nocase(m->fields[i].name, name)) {
            found = m->fields[i];
            count++;
        }
    }
    m->field_count = kept;
    if (count == 0)
        return SECRET_MISSING;
    return count == 1 && !found.is_folded ? compare(s, found.value) : SECRET_WRONG;
}
