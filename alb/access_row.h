/*
 * access_row.h -- the access log's forms: how an entry becomes a row.
 *
 * Fields 1 to 34 are the managed balancer's; ours come after them, so that its
 * readers, which ignore what follows, read ours.
 */
#ifndef ALB_ACCESS_ROW_H
#define ALB_ACCESS_ROW_H

#include "alb/access_log.h"

struct log_buffer;

/* access_logs.format = alb: fields separated by blanks. `elb` is field 3, `now_us`
 * field 2. */
void access_row_alb(struct log_buffer *b, const struct access_entry *e, struct span elb,
                    uint64_t now_us);

/* access_logs.format = json: one object a line, with the fields' names. */
void access_row_json(struct log_buffer *b, const struct access_entry *e, struct span elb,
                     uint64_t now_us);

/* --- what both forms say ----------------------------------------------------- */

/* Both for log_put_padded(). */
struct span access_type(const struct access_entry *e);
struct span access_actions(const struct access_entry *e); /* "-" when there was none */

/* The three processing times in microseconds. False when there was no response of a
 * target: each is -1 then. */
bool access_times(const struct access_entry *e, uint64_t out[3]);

/* "192.0.2.1" or, if its port was said, "192.0.2.1:5678"; the address is known. */
enum { ACCESS_VIEWER_MAX = IP_TEXT_MAX + 16 };
char *access_put_viewer(char *at, const struct viewer *viewer);

/* The URL up to the target, and whether the port is to be added: `host` may have one. */
bool access_host_has_port(struct span host);

#endif
