/* protocol.c -- reading what clients send; the writing is in protocol_write.c. */
#include "wsserver/protocol.h"

#include <jansson.h>

#include "ws/utf8.h"

static const uint64_t max_id = (UINT64_C(1) << 53) - 1;

enum field_kind { FIELD_ID, FIELD_COUNT, FIELD_TIME, FIELD_BOOL, FIELD_CHANNEL, FIELD_CID };

/* One field of a frame: where it goes, and its range when it is a count. */
struct field {
    const char *name;
    enum field_kind kind;
    bool is_required;
    size_t offset;
    uint64_t min, max;
    const char *why;
};

#define AT(name) offsetof(struct protocol_request, name)
#define ID                                                                                         \
    {                                                                                              \
        "id", FIELD_ID, true, AT(id), 1, 0, "id: an integer from 1 to 2^53-1"                      \
    }
#define CH                                                                                         \
    {                                                                                              \
        "ch", FIELD_CHANNEL, true, AT(ch), 0, 0, "ch: 1 to 64 of A-Z a-z 0-9 _ . : -"              \
    }

static const struct field auth_fields[] = { ID, { .name = NULL } };
static const struct field sub_fields[] = {
    ID,
    CH,
    { "hist", FIELD_COUNT, false, AT(hist), 0, PROTOCOL_HIST_MAX,
      "hist: an integer from 0 to 100" },
    { "pres", FIELD_BOOL, false, AT(pres), 0, 0, "pres: true or false" },
    { .name = NULL },
};
static const struct field unsub_fields[] = { ID, CH, { .name = NULL } };
static const struct field pub_fields[] = {
    ID,
    CH,
    { "cid", FIELD_CID, false, AT(cid), 0, 0,
      "cid: 1 to 64 bytes of text without control characters" },
    { .name = NULL },
};
static const struct field hist_fields[] = {
    ID,
    CH,
    { "before", FIELD_COUNT, false, AT(before), 0, INT64_MAX, "before: an integer from 0" },
    { "n", FIELD_COUNT, false, AT(n), 1, PROTOCOL_HIST_MAX, "n: an integer from 1 to 100" },
    { .name = NULL },
};
static const struct field time_fields[] = {
    { "ts", FIELD_TIME, true, AT(ts), 0, 0, "ts: an integer" },
    { .name = NULL },
};
static const struct field no_fields[] = { { .name = NULL } };

#undef AT
#undef ID
#undef CH

static const struct type {
    const char *name;
    const struct field *fields;
} types[] = {
    [PROTOCOL_AUTH] = { "auth", auth_fields },    [PROTOCOL_SUB] = { "sub", sub_fields },
    [PROTOCOL_UNSUB] = { "unsub", unsub_fields }, [PROTOCOL_PUB] = { "pub", pub_fields },
    [PROTOCOL_HIST] = { "hist", hist_fields },    [PROTOCOL_PING] = { "ping", time_fields },
    [PROTOCOL_PONG] = { "pong", time_fields },    [PROTOCOL_BYE] = { "bye", no_fields },
};

enum { TYPES = sizeof(types) / sizeof(types[0]) };

/* --- names ------------------------------------------------------------------ */

bool protocol_is_channel(struct span name)
{
    if (name.len == 0 || name.len > PROTOCOL_CHANNEL_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '.' || c == ':' || c == '-'))
            return false;
    }
    return true;
}

bool protocol_is_user(struct span name)
{
    if (name.len == 0 || name.len > PROTOCOL_USER_MAX || !ws_utf8_valid(name))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = (uint8_t)name.ptr[i];
        uint8_t next = i + 1 < name.len ? (uint8_t)name.ptr[i + 1] : 0;
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next < 0xa0))
            return false; /* C0, DEL, and C1 in its UTF-8 form */
    }
    return true;
}

/* --- fields ------------------------------------------------------------------ */

static struct span text_of(const json_t *value)
{
    return json_is_string(value) ? span_of(json_string_value(value), json_string_length(value))
                                 : SPAN("");
}

static bool read_count(const json_t *value, uint64_t min, uint64_t max, uint64_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out = (uint64_t)json_integer_value(value);
    return *out >= min && *out <= max;
}

static bool read_field(const struct field *f, const json_t *value, struct protocol_request *r)
{
    void *into = (char *)r + f->offset;
    struct span *text = into;

    switch (f->kind) {
    case FIELD_ID:
        return r->id != 0; /* read before all others */
    case FIELD_COUNT:
        return read_count(value, f->min, f->max, into);
    case FIELD_TIME:
        *(int64_t *)into = json_integer_value(value);
        return json_is_integer(value);
    case FIELD_BOOL:
        *(bool *)into = json_is_true(value);
        return json_is_boolean(value);
    case FIELD_CHANNEL:
        *text = text_of(value);
        return protocol_is_channel(*text);
    case FIELD_CID:
        *text = text_of(value);
        return protocol_is_user(*text);
    }
    return false;
}

static enum protocol_code read_fields(struct protocol_request *r, const char **why)
{
    for (const struct field *f = types[r->type].fields; f->name != NULL; f++) {
        const json_t *value = json_object_get(r->root, f->name);
        if (value == NULL ? !f->is_required : read_field(f, value, r))
            continue;
        *why = f->why;
        return f->kind == FIELD_CHANNEL && json_is_string(value) ? PROTOCOL_BAD_CH
                                                                 : PROTOCOL_BAD_FIELD;
    }
    return PROTOCOL_OK;
}

/* --- what single types have ---------------------------------------------------- */

/* Past one JSON value, in text that is known to be good JSON. */
static const char *skip_value(const char *at, const char *end)
{
    int depth = 0;
    bool in_text = false;

    for (; at < end; at++) {
        if (in_text && *at == '\\') {
            at++;
        } else if (in_text) {
            in_text = *at != '"';
        } else if (*at == '"') {
            in_text = true;
        } else if (*at == '{' || *at == '[') {
            depth++;
        } else if (*at == '}' || *at == ']' || *at == ',') {
            if (depth == 0)
                return at;
            depth -= *at == ',' ? 0 : 1;
        }
    }
    return at;
}

static struct span trim_json(const char *from, const char *end)
{
    while (from < end && strchr(" \t\r\n", *from) != NULL)
        from++;
    while (end > from && strchr(" \t\r\n", end[-1]) != NULL)
        end--;
    return span_of(from, (size_t)(end - from));
}

/* The value of a key of the object, as it is written. The key must be written
 * without escapes; the text must be a JSON object. */
static bool raw_value(struct span object, struct span quoted_key, struct span *out)
{
    const char *at = object.ptr, *end = object.ptr + object.len;

    at = (const char *)memchr(at, '{', object.len) + 1;
    while (at < end) {
        const char *colon = at;
        for (bool in_text = false; *colon != ':' || in_text; colon++) {
            if (in_text && *colon == '\\')
                colon++;
            else if (*colon == '"')
                in_text = !in_text;
            if (colon + 1 >= end)
                return false;
        }
        const char *stop = skip_value(colon + 1, end);
        if (span_equal(trim_json(at, colon), quoted_key)) {
            *out = trim_json(colon + 1, stop);
            return true;
        }
        at = stop + 1;
    }
    return false;
}

static enum protocol_code read_data(struct span text, struct protocol_request *r, const char **why)
{
    *why = "d: what to publish, any JSON value";
    if (json_object_get(r->root, "d") == NULL || !raw_value(text, SPAN("\"d\""), &r->d))
        return PROTOCOL_BAD_FIELD;
    return PROTOCOL_OK;
}

static enum protocol_code read_auth(struct protocol_request *r, const char **why)
{
    const json_t *resume = json_object_get(r->root, "resume");
    const json_t *sess = json_object_get(resume, "sess");

    r->user = text_of(json_object_get(r->root, "user"));
    r->sess = text_of(sess);
    r->positions = json_object_get(resume, "pos");
    *why = "resume: an object with sess (a string) and pos (an object)";
    if ((resume != NULL && !json_is_object(resume)) || (sess != NULL && !json_is_string(sess)) ||
        r->sess.len > PROTOCOL_SESS_MAX || (r->positions != NULL && !json_is_object(r->positions)))
        return PROTOCOL_BAD_FIELD;
    return PROTOCOL_OK;
}

static enum protocol_code read_type(struct protocol_request *r, const char **why)
{
    struct span name = text_of(json_object_get(r->root, "t"));

    for (size_t i = 0; i < TYPES; i++) {
        if (!span_equal(name, span_text(types[i].name)))
            continue;
        r->type = (enum protocol_type)i;
        return PROTOCOL_OK;
    }
    *why = "t: one of auth, sub, unsub, pub, hist, ping, pong, bye";
    return PROTOCOL_BAD_TYPE;
}

enum protocol_code protocol_read(struct span text, struct protocol_request *r, const char **why)
{
    *r = (struct protocol_request){ .n = 50 };
    r->root = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    *why = "one JSON object, each key once, integers within 64 bits";
    if (!json_is_object(r->root))
        return PROTOCOL_BAD_JSON;
    if (!read_count(json_object_get(r->root, "id"), 1, max_id, &r->id))
        r->id = 0;

    enum protocol_code code = read_type(r, why);
    if (code == PROTOCOL_OK)
        code = read_fields(r, why);
    if (code == PROTOCOL_OK && r->type == PROTOCOL_PUB)
        code = read_data(text, r, why);
    if (code == PROTOCOL_OK && r->type == PROTOCOL_AUTH)
        code = read_auth(r, why);
    return code;
}

void protocol_done(struct protocol_request *r)
{
    json_decref(r->root);
    r->root = NULL;
}

bool protocol_position(const struct protocol_request *r, void **at, struct protocol_position *out)
{
    *at = *at == NULL ? json_object_iter(r->positions) : json_object_iter_next(r->positions, *at);
    if (*at == NULL)
        return false;

    const json_t *pair = json_object_iter_value(*at);
    const char *key = json_object_iter_key(*at);
    *out = (struct protocol_position){ .ch = span_of(key, json_object_iter_key_len(*at)) };
    out->ep = text_of(json_array_get(pair, 0));
    out->is_good = protocol_is_channel(out->ch) && json_array_size(pair) == 2 && out->ep.len > 0 &&
                   out->ep.len <= PROTOCOL_EP_MAX &&
                   read_count(json_array_get(pair, 1), 0, INT64_MAX, &out->seq);
    return true;
}
