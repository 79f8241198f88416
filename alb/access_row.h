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

/* Its fields 13 to 22, written into a new entry while the request is there, whose bytes the
 * entry's texts are before: access_row_alb() copies them if nothing in them is to be
 * escaped. `b` is the buffer that the row will go to. There must be access_ahead_room()
 * bytes of `texts`. */
void access_row_ahead(struct access_entry *e, struct log_buffer *b);
size_t access_ahead_room(const struct access_entry *e);

/* access_logs.format = json: one object a line, with the fields' names. */
void access_row_json(struct log_buffer *b, const struct access_entry *e, struct span elb,
                     uint64_t now_us);

/* --- what both forms say ----------------------------------------------------- */

/* Of a tunnel, with TLS. */
extern const struct span access_types[2][2];

/* Of each enum access_action. */
extern const struct span access_action_names[];

/* Both for log_put_padded(). */
static inline struct span access_type(const struct access_entry *e)
{
    return access_types[e->is_websocket][e->client->is_https];
}

static inline struct span access_actions(const struct access_entry *e)
{
    return access_action_names[e->action]; /* "-" when there was none */
}

size_t access_texts_len(const struct span texts[ACCESS_TEXTS]);

/* Has none of its texts a byte to be escaped? */
bool access_is_safe(const struct access_entry *e);

static inline uint64_t access_passed(uint64_t from, uint64_t to)
{
    return to > from ? to - from : 0; /* answered before it was sent */
}

/* The three processing times in microseconds. False when there was no response of a
 * target: each is -1 then. */
static inline bool access_times(const struct access_entry *e, uint64_t out[3])
{
    if (e->answered_us == 0)
        return false;
    out[0] = access_passed(e->created_us, e->dispatched_us);
    out[1] = access_passed(e->dispatched_us, e->answered_us);
    out[2] = e->begun_us == 0 ? 0 : access_passed(e->answered_us, e->begun_us);
    return true;
}

/* "192.0.2.1" or, if its port was said, "192.0.2.1:5678"; the address is known. */
enum { ACCESS_VIEWER_MAX = IP_TEXT_MAX + 16 };
char *access_put_viewer(char *at, const struct viewer *viewer);

/* Does this host (http_is_host()) have a port, or the colon of one? Else ours is added. */
bool access_host_has_port(struct span host);

#endif
