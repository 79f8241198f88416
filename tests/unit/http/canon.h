/* canon.h -- a message written again whole, as alb would but with every field. */
#ifndef TESTS_HTTP_CANON_H
#define TESTS_HTTP_CANON_H

#include "http/canonical.h"

static inline bool write_all_fields(struct buf *to, const struct http_message *m)
{
    for (size_t i = 0; i < m->field_count; i++)
        if (!http_write_field(to, m->fields[i].name, m->fields[i].value))
            return false;
    return http_write_framing(to, m) && http_end_head(to);
}

static inline bool write_request(struct buf *to, const struct http_message *m)
{
    return http_write_request_line(to, m) && write_all_fields(to, m);
}

static inline bool write_response(struct buf *to, const struct http_message *m)
{
    return http_write_status_line(to, m->status, m->reason_phrase) && write_all_fields(to, m);
}

#endif
