/*
 * request_private.h -- the scan of one request head, for request.c (the whole),
 * request_line.c and request_fields.c.
 *
 * A step that refuses says so in the message, and the scan goes on: the class
 * of a request is that of its worst part, wherever that stands.
 */
#ifndef HTTP_REQUEST_PRIVATE_H
#define HTTP_REQUEST_PRIVATE_H

#include "http/scan.h"

/* load-balancers.md 4b, for strictest. */
enum {
    HTTP_STRICT_HEAD_MAX = 16384,
    HTTP_STRICT_LINE_MAX = 8192,
    HTTP_STRICT_FIELDS_MAX = 100,
    HTTP_STRICT_NAME_MAX = 128,
    HTTP_STRICT_VALUE_MAX = 8192,
};

/* What a folded line would continue. */
enum http_before { HTTP_NOTHING, HTTP_A_FIELD, HTTP_LEFT_OUT, HTTP_MUST_NOT_FOLD };

struct http_scan {
    struct http_message *m;
    bool strictest;
    bool is_old; /* HTTP/0.9, or no version */
    enum http_before before;
    uint32_t fields;                /* lines so far, those that are left out as well */
    struct http_lengths lengths;    /* of the genuine fields: they decide */
    struct http_lengths suspicious; /* with those in a disguise: is it an attack? */
};

void http_read_request_line(struct http_scan *s, struct span line);

/* Refuse when these bytes begin with a longer line than may be. */
void http_check_line_length(struct http_scan *s, struct span bytes);

/* The bytes so far cannot become a request line: refuse. */
void http_check_begun_line(struct http_scan *s, struct span bytes);

/* One line, not empty. */
void http_read_field_line(struct http_scan *s, struct span line);

#endif
