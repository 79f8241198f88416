/*
 * access_record.h -- a tunnel's log entry on its way to another process (tunnel_record.h).
 */
#ifndef ALB_ACCESS_RECORD_H
#define ALB_ACCESS_RECORD_H

#include "base/buf.h"
#include "base/span.h"

struct access_entry;
struct target;

/* Add the entry's fields as records (base/record.h). Of a client without TLS only. */
bool access_entry_pack(const struct access_entry *entry, struct buf *to);

/* The same entry, its target (a new reference) given; NULL when that is no entry. */
struct access_entry *access_entry_unpack(struct span bytes, struct target *target);

#endif
