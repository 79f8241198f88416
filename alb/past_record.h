/*
 * past_record.h -- what is said of a tunnel, or of an upgrade that failed, on its way to another
 * process (base/record.h).
 *
 * States, ends and reasons go by name: their numbers are this program's own, and the other process
 * may be another version of it. Pure.
 */
#ifndef ALB_PAST_RECORD_H
#define ALB_PAST_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "net/addr.h"

struct tunnel_view;
struct upgrade_case;

/* False when it does not fit. */
bool past_put_view(struct buf *to, uint16_t type, const struct tunnel_view *v);
bool past_put_case(struct buf *to, uint16_t type, const struct upgrade_case *c);

/* Whom it names, in the bytes of the record. */
struct past_names {
    struct span listener, bind;
    struct addr bound;
    int protocol;              /* enum protocol */
    struct span group, target; /* empty: none */
};

/* False (NULL) when it makes no sense. The listener and the target are the caller's to find and to
 * set. */
bool past_read_view(struct span bytes, struct tunnel_view *v, struct past_names *names);
struct upgrade_case *past_read_case(struct span bytes, struct past_names *names);

#endif
