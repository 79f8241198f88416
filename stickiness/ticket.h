/*
 * ticket.h -- what is sealed in every sticky cookie: four numbers, and what for.
 *
 * Only for the files of this library. README.md has the layout.
 */
#ifndef STICKINESS_TICKET_H
#define STICKINESS_TICKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/seal.h"
#include "base/span.h"

enum { TICKET_BYTES = 4 * 8, TICKET_TEXT_SIZE = SEAL_TEXT_SIZE(TICKET_BYTES) };

/* Characters of a sealed ticket: without padding, unlike TICKET_TEXT_SIZE. */
enum { TICKET_CHARS = ((TICKET_BYTES + SEAL_OVERHEAD) * 8 + 5) / 6 };

struct ticket {
    uint64_t scope;     /* of a target its group; of a group 0 */
    uint64_t choice;    /* the id of the target or the group */
    uint64_t issued_s;  /* seconds since 1970 */
    uint64_t expires_s; /* issued_s + the duration that the policy had */
};

/* Always TICKET_CHARS characters, and a NUL. `purpose` is authenticated with it: what was sealed
 * for one opens for no other. */
void ticket_seal(const struct seal_ring *ring, struct span purpose, const struct ticket *t,
                 char out[TICKET_TEXT_SIZE]);

/* False for all that is not one of ours for this purpose. */
bool ticket_open(const struct seal_ring *ring, struct span purpose, struct span text,
                 struct ticket *t);

/* What its cookie has behind "Expires=": seven days after it was issued, whatever its duration. */
void ticket_expires_text(const struct ticket *t, char out[CLOCK_TEXT_MAX]);

/* Does it hold for this scope, and by both durations: its own, and the one of now? */
bool ticket_holds(const struct ticket *t, uint64_t scope, uint64_t now_s, uint32_t duration_s);

#endif
