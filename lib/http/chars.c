/* chars.c -- the table behind chars.h; tests/unit/http/test_message.c checks it
 * against the definitions. */
#include "http/chars.h"

const uint8_t http_chars[256] = {
    /* clang-format off */
     0,  0,  0,  0,  0,  0,  0,  0,  0,  4,  0,  0,  0,  0,  0,  0,
     0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
     4, 53, 20,  5, 53, 21, 53, 53, 52, 52, 53, 53, 20, 55, 53, 20,
    55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 20, 52, 20, 52, 20, 20,
    20, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55,
    55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 20,  4, 20, 21, 53,
    21, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55,
    55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 20, 21, 20, 53,  0,
     8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,
     8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,
     8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,
     8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,
     8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,
     8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,
     8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,
     8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,
    /* clang-format on */
};

static bool is_clean_word(const char *at)
{
    const uint64_t each = 0x0101010101010101u;
    uint64_t eight;

    memcpy(&eight, at, sizeof(eight));
    /* The high bit of a byte is set by 0x80 and up as it is, by 0x7F when one
     * is added, and by less than 0x20 when that is taken away. A carry or a
     * borrow only comes out of a byte that has set its own. */
    return ((eight | (eight + each) | (eight - each * 0x20)) & (each * 0x80)) == 0;
}

static bool is_clean_short(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7e)
            return false;
    return true;
}

/* The last word may have bytes of the one before it. */
bool http_is_clean(struct span text)
{
    enum { WORD = sizeof(uint64_t) };

    if (text.len < WORD)
        return is_clean_short(text);
    for (size_t i = 0; i + WORD < text.len; i += WORD)
        if (!is_clean_word(text.ptr + i))
            return false;
    return is_clean_word(text.ptr + text.len - WORD);
}
