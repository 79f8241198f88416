/*
 * announced.h -- what the PROXY protocol said of a connection, as far as it is kept besides the
 * client's address: that takes the place of the connecting one wherever a client is meant.
 */
#ifndef ALB_ANNOUNCED_H
#define ALB_ANNOUNCED_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/ip.h"
#include "http/proxy_head.h"

struct announced {
    struct ip via; /* who said it: the address that connected; family 0: nothing was said */
    uint16_t via_port;
    char endpoint_id[PROXY_ENDPOINT_ID_MAX + 1]; /* of the AWS VPC endpoint; "" without one */
};

/* Of one that another process has told: it can be printed. */
static inline bool announced_makes_sense(const struct announced *a)
{
    return memchr(a->endpoint_id, '\0', sizeof(a->endpoint_id)) != NULL &&
           (a->via.family == 0 || a->via.family == 4 || a->via.family == 6);
}

#endif
