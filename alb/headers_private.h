/* headers_private.h -- between the headers*.c files. */
#ifndef ALB_HEADERS_PRIVATE_H
#define ALB_HEADERS_PRIVATE_H

#include "alb/headers.h"

/* Whole lines, as http_write_field() writes them. */
bool headers_write_host(struct buf *to, const struct http_message *m,
                        const struct request_head *how);
bool headers_write_forwarded_for(struct buf *to, const struct http_message *m,
                                 const struct request_head *how);

/* X-Forwarded-Proto and -Port. */
bool headers_write_listener(struct buf *to, const struct request_head *how);

/* TLS and the client's certificate, under the listener's names for them. */
bool headers_write_tls(struct buf *to, const struct request_head *how);

#endif
