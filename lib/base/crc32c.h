/* crc32c.h -- the CRC-32C checksum (Castagnoli; RFC 9260, Appendix A). */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stdint.h>

#include "base/span.h"

/* Of what `before` is the checksum of (0: nothing), and these bytes behind it. */
uint32_t crc32c(uint32_t before, struct span bytes);

#endif
