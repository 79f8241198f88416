/*
 * scan.h -- what the two parsers share; private to lib/http.
 *
 * A step that returns false has refused the message and said why in it.
 */
#ifndef HTTP_SCAN_H
#define HTTP_SCAN_H

#include "http/message.h"

/* Give the message this class and reason, unless it has a worse class, or as
 * bad a one for a reason that is looked at before this one. */
void http_note(struct http_message *m, enum http_reason r);

/* Always false. The first refusal stays; reading on may still find a worse
 * class. */
bool http_refuse(struct http_message *m, int status, const char *why);
bool http_refuse_for(struct http_message *m, enum http_reason r); /* 400, noted */

/* Clear all but the arrays. */
void http_message_reset(struct http_message *m);

/* The length of a head that starts at `from` (not with an empty line), with
 * its last empty line; 0 while it is not all there. `*scanned` is as parse.h
 * has it. */
size_t http_head_end(struct span bytes, size_t from, size_t *scanned);

/* Take a line off the front without its end; `*bare` is set when that was LF
 * without CR. */
struct span http_next_line(struct span *rest, bool *bare);

/* False when there are HTTP_FIELDS_MAX already. */
bool http_add_field(struct http_message *m, struct span name, struct span value, enum http_name id);

/* Content-Length and Transfer-Encoding, as they are met. */
struct http_lengths {
    uint32_t lengths, codings; /* fields seen */
    uint64_t length;           /* of the first Content-Length */
    bool chunked, identity;    /* one Transfer-Encoding, which says just that */
    bool has_chunked;          /* it stands somewhere */
};

/* The line's value with the blanks still around it. HTTP_R_NONE is well;
 * DuplicateContentLength leaves the choice to the caller; all else is Severe. */
enum http_reason http_see_length(struct http_lengths *seen, struct span value);

/* Well as well is a list of registered codings (RFC 9112 7) which is neither
 * `chunked` nor `identity`: we do none of them. */
enum http_reason http_see_coding(struct http_lengths *seen, struct span value);

/* Set keep_alive, names_fields, upgrade, wants_upgrade and what is listed from the fields. */
void http_read_connection(struct http_message *m);

/* Check the request target, and split it into `m`. */
bool http_read_target(struct http_message *m, struct span raw, bool strictest);

#endif
