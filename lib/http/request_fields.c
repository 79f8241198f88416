/* request_fields.c -- the field lines of a request, one after the other (RFC 9112 5). */
#include "http/chars.h"
#include "http/request_private.h"

static bool has_stray_cr_or_nul(struct span text)
{
    return !http_is_clean(text) &&
           (memchr(text.ptr, '\0', text.len) != NULL || memchr(text.ptr, '\r', text.len) != NULL);
}

static void leave_out(struct http_scan *s, enum http_reason why)
{
    if (why != HTTP_R_NONE)
        http_note(s->m, why);
    s->m->dropped_fields++;
    s->before = HTTP_LEFT_OUT;
}

/* --- Content-Length and Transfer-Encoding ----------------------------------- */

static void see_length(struct http_scan *s, struct span value, bool is_genuine)
{
    enum http_reason r = http_see_length(&s->suspicious, value);

    if (is_genuine)
        http_see_length(&s->lengths, value);
    if (http_reason_class(r) == HTTP_SEVERE)
        http_refuse_for(s->m, r);
    http_note(s->m, r);
}

static void see_coding(struct http_scan *s, struct span value, bool is_genuine)
{
    enum http_reason r = http_see_coding(&s->suspicious, value);

    if (is_genuine)
        http_see_coding(&s->lengths, value);
    if (r != HTTP_R_NONE)
        http_refuse_for(s->m, r);
}

/* What one server reads as a length and another does not is taken for neither;
 * but it must not contradict the rest. */
static void see_disguised(struct http_scan *s, struct span name, struct span value)
{
    if (http_name_is_alike(name, http_name_text(HTTP_N_CONTENT_LENGTH)))
        see_length(s, value, false);
    else if (http_name_is_alike(name, http_name_text(HTTP_N_TRANSFER_ENCODING)))
        see_coding(s, value, false);
}

/* --- fields ------------------------------------------------------------------- */

/* A name that we do not know: no token, or stands for another one. True: left out. */
static bool is_bad_name(const struct http_scan *s, struct span name, enum http_reason *why)
{
    const bool is_plain = http_is_plain_name(name);
    const enum http_name disguised = http_name_disguised(name);

    s->m->invalid_names += is_plain ? 0 : 1;
    *why = HTTP_R_NONE;
    if (disguised == HTTP_N_CONTENT_LENGTH || disguised == HTTP_N_TRANSFER_ENCODING)
        *why = HTTP_R_SUSPICIOUS_HEADER;
    else if (!is_plain && !http_is_token(name))
        *why = HTTP_R_NON_COMPLIANT_HEADER;
    else if (disguised == HTTP_N_OTHER)
        return s->strictest && !is_plain &&
               (memchr(name.ptr, '_', name.len) != NULL || memchr(name.ptr, '.', name.len) != NULL);
    return true;
}

/* Whatever becomes of the field. False for a value that has more than text. */
static bool check_field(struct http_scan *s, struct span name, struct span value)
{
    if (s->strictest && (name.len > HTTP_STRICT_NAME_MAX || value.len > HTTP_STRICT_VALUE_MAX))
        http_refuse(s->m, 431, "a field is too long");
    if (http_is_clean(value) || http_all(value, HTTP_C_TEXT))
        return true;
    http_note(s->m, HTTP_R_NON_COMPLIANT_HEADER);
    return false;
}

static void keep_field(struct http_scan *s, struct span name, struct span value, enum http_name id)
{
    if (!check_field(s, name, value)) {
        if (id == HTTP_N_HOST)
            http_refuse(s->m, 400, "Host is malformed");
        if (!http_is_value(value)) { /* else high bytes */
            leave_out(s, HTTP_R_NONE);
            return;
        }
    }
    s->before = id == HTTP_N_HOST || id == HTTP_N_CONNECTION || id == HTTP_N_UPGRADE
                    ? HTTP_MUST_NOT_FOLD
                    : HTTP_A_FIELD;
    if (!http_add_field(s->m, name, value, id)) {
        s->before = HTTP_LEFT_OUT;
        http_refuse(s->m, s->strictest ? 431 : 400, "too many fields");
    }
}

static void read_named(struct http_scan *s, struct span name, struct span value)
{
    const enum http_name id = http_name_of(name);
    enum http_reason why;

    if (id == HTTP_N_OTHER && is_bad_name(s, name, &why)) {
        leave_out(s, why);
        check_field(s, name, span_trim(value));
        see_disguised(s, name, value);
        return;
    }
    switch (id) {
    case HTTP_N_CONTENT_LENGTH:
        s->before = HTTP_MUST_NOT_FOLD;
        see_length(s, value, true);
        break;
    case HTTP_N_TRANSFER_ENCODING:
        s->before = HTTP_MUST_NOT_FOLD;
        see_coding(s, value, true);
        break;
    default:
        keep_field(s, name, span_trim(value), id);
        break;
    }
}

static void read_field(struct http_scan *s, struct span line)
{
    const char *colon = memchr(line.ptr, ':', line.len);

    s->fields++;
    if (has_stray_cr_or_nul(line)) {
        http_refuse_for(s->m, HTTP_R_BAD_HEADER);
        s->before = HTTP_LEFT_OUT;
        return;
    }
    const size_t name_len = colon == NULL ? line.len : (size_t)(colon - line.ptr);
    if (colon == NULL || name_len == 0) {
        s->m->invalid_names++;
        leave_out(s, colon == NULL ? HTTP_R_MISSING_HEADER_COLON : HTTP_R_EMPTY_HEADER);
        return;
    }
    read_named(s, span_of(line.ptr, name_len), span_after(line, name_len + 1));
}

/* --- folded lines --------------------------------------------------------------- */

/* Join a folded line to the field before it with one SP. That field's value is
 * the last thing in the scratch, or is copied there now. */
static void unfold(struct http_scan *s, struct span more)
{
    struct http_message *m = s->m;
    struct http_field *f = &m->fields[m->field_count - 1];
    char *end = m->scratch + m->scratch_used;

    if (f->name.len + f->value.len + 1 + more.len > HTTP_LINE_MAX) {
        http_refuse(m, s->strictest ? 431 : 400, "a field is too long");
        return;
    }
    if (f->value.len == 0 || f->value.ptr + f->value.len != end) {
        if (f->value.len > 0)
            memcpy(end, f->value.ptr, f->value.len);
        f->value.ptr = end;
        m->scratch_used += f->value.len;
        end += f->value.len;
    }
    f->is_folded = true;
    size_t blank = f->value.len > 0 ? 1 : 0;
    if (blank)
        end[0] = ' ';
    memcpy(end + blank, more.ptr, more.len);
    f->value.len += blank + more.len;
    m->scratch_used += blank + more.len;
}

/* A server that does not know folds reads this line as a field. */
static void see_hidden_field(struct http_scan *s, struct span line)
{
    const char *colon = memchr(line.ptr, ':', line.len);

    if (colon != NULL) {
        const struct span name = span_of(line.ptr, (size_t)(colon - line.ptr));
        see_disguised(s, name, span_after(line, name.len + 1));
    }
}

static void continue_field(struct http_scan *s, struct span more)
{
    if (http_is_value(more)) {
        if (!http_all(more, HTTP_C_TEXT))
            http_note(s->m, HTTP_R_NON_COMPLIANT_HEADER);
        unfold(s, more);
        return;
    }
    s->m->field_count--;
    leave_out(s, HTTP_R_NON_COMPLIANT_HEADER);
}

static void read_fold(struct http_scan *s, struct span line)
{
    if (has_stray_cr_or_nul(line)) {
        http_refuse_for(s->m, HTTP_R_BAD_HEADER);
        return;
    }
    http_note(s->m, HTTP_R_MULTILINE_HEADER);
    if (s->before == HTTP_NOTHING) {
        read_field(s, line);
        return;
    }
    see_hidden_field(s, line);
    if (s->before == HTTP_MUST_NOT_FOLD)
        http_refuse(s->m, 400, "a field that must not go over several lines does");
    else if (s->before == HTTP_A_FIELD)
        continue_field(s, span_trim(line));
}

void http_read_field_line(struct http_scan *s, struct span line)
{
    if (line.len > HTTP_LINE_MAX)
        http_refuse(s->m, s->strictest ? 431 : 400, "a field is too long");
    if (line.ptr[0] != ' ' && line.ptr[0] != '\t')
        read_field(s, line);
    else if (span_trim(line).len > 0)
        read_fold(s, line);
    else
        http_note(s->m, HTTP_R_EMPTY_HEADER);
}
