/* crc32c.c -- see crc32c.h. */
#include "base/crc32c.h"

/* What four bits make of the polynomial 0x1EDC6F41, lowest bit first. */
static const uint32_t table[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

static uint32_t take_four(uint32_t crc, unsigned bits)
{
    return crc >> 4 ^ table[(crc ^ bits) & 15];
}

uint32_t crc32c(uint32_t before, struct span bytes)
{
    uint32_t crc = ~before;

    for (size_t i = 0; i < bytes.len; i++) {
        const unsigned byte = (unsigned char)bytes.ptr[i];
        crc = take_four(take_four(crc, byte), byte >> 4);
    }
    return ~crc;
}
