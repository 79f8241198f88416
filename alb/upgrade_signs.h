/*
 * upgrade_signs.h -- what a request head that was refused tells of an upgrade.
 *
 * Such a head means nothing: it is not whole, too long, or could be read in two ways. Here it is
 * only looked at for what its sender wanted, line by line and with good will; nothing is done by it
 * but to say why the upgrade failed.
 */
#ifndef ALB_UPGRADE_SIGNS_H
#define ALB_UPGRADE_SIGNS_H

#include <stdbool.h>

#include "base/span.h"

struct upgrade_signs {
    bool asks;              /* for a WebSocket: as upgrade_is_asked() */
    bool behind_edge;       /* Via or X-Amz-Cf-Id */
    bool offers_protocol;   /* Sec-WebSocket-Protocol */
    struct span host, path; /* in the head; empty when they are not just text */
};

/* Of any bytes. */
void upgrade_signs_read(struct span head, struct upgrade_signs *out);

#endif
