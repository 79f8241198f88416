/* log_fields.h -- a log row whose fields are texts, all there when it is written: those
 * of the connection log and of the health check log. */
#ifndef ALB_LOG_FIELDS_H
#define ALB_LOG_FIELDS_H

#include <stddef.h>

#include "alb/options.h"

struct log_buffer;

/* How one is written: with quotes in the managed balancer's form, as a number in JSON. */
enum log_kind {
    LOG_WORD,
    LOG_QUOTED,
    LOG_NUMBER,
    LOG_OURS, /* behind all of the managed balancer's, as name=value, and only if there is one */
    LOG_OURS_QUOTED, /* the same, with quotes */
};

struct log_field {
    const char *name; /* the managed balancer's, in JSON */
    enum log_kind kind;
    const char *value; /* NULL or "": there is none; a dash, null in JSON */
};

/* One row. What is no safe text is escaped. */
void log_fields_row(struct log_buffer *b, enum log_format format, const struct log_field *fields,
                    size_t count);

#endif
