/*
 * parse.h -- from bytes to a message: a strict scan of one head.
 *
 * Nothing is kept between calls but `*scanned`, which the caller sets to 0 for
 * a new head and passes again with more bytes of the same one: it remembers
 * how far the end of the head was looked for, so that a head that comes one
 * byte at a time costs no more than one that comes at once.
 *
 * A request gets a class and a reason by what was seen; what the mode blocks
 * is HTTP_REFUSED. What is let through has one meaning only: everything that
 * two servers could read differently is left out, put right or refused. The
 * class is that of the worst part, also of a request that is refused for another.
 */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include "http/message.h"

enum http_parse {
    HTTP_PARSED,
    HTTP_PARTIAL, /* well so far; call again with more */
    HTTP_REFUSED, /* refuse_status and refuse_why are set; answer, and close */
};

enum http_parse http_request_parse(struct span bytes, enum http_desync_mode mode,
                                   struct http_message *m, size_t *scanned);

/* The head of a target's response to a request with this method. Refused (502)
 * whenever it is not exactly well formed, as soon as its first bytes show that
 * it is no response. Interim responses come out as
 * messages with their 1xx status. A 101 that carries a length is refused with this reason;
 * whether it is a good 101 is for lib/ws to say. */
#define HTTP_WHY_101_LENGTH "a 101 response cannot have a length"
enum http_parse http_response_parse(struct span bytes, enum http_method of_request,
                                    struct http_message *m, size_t *scanned);

/* The client has left with only these bytes of a head sent. False when that is
 * no request at all (nothing, or empty lines); else `m` becomes a refused one
 * (400) with the reason PartialHeaderLine or MissingLastEmptyLine. */
bool http_request_cut_off(struct span bytes, struct http_message *m);

#endif
