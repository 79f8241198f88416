/* reading.c -- see reading.h. */
#include "reading.h"

#include "ticket.h"

/* Seen of the managed balancer are 124 to 172 characters of standard base64. */
enum { MANAGED_SHORTEST = 96, MANAGED_LONGEST = 4096 };

static bool is_base64(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || c == '=';
}

static bool is_managed(struct span value)
{
    if (value.len < MANAGED_SHORTEST || value.len > MANAGED_LONGEST)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (!is_base64(value.ptr[i]))
            return false;
    }
    return true;
}

static enum stickiness_lookup look(struct reading *r, struct span purpose, struct span value)
{
    struct ticket t;

    if (value.len != TICKET_CHARS)
        return is_managed(value) ? STICKINESS_MANAGED : STICKINESS_FOREIGN;
    r->tries--;
    if (!ticket_open(r->ring, purpose, value, &t))
        return STICKINESS_INVALID;
    if (!ticket_holds(&t, r->scope, r->now_s, r->duration_s))
        return STICKINESS_STALE;
    r->id = t.choice;
    return STICKINESS_FOUND;
}

void reading_try(struct reading *r, struct span purpose, struct span value)
{
    const enum stickiness_lookup one = look(r, purpose, value);

    r->best = one > r->best ? one : r->best;
}
