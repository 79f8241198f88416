/* ticket.c -- see ticket.h. */
#include "ticket.h"

enum { COOKIE_DAYS_S = 7 * 86400 };

static void write_u64(uint8_t *out, uint64_t n)
{
    for (int i = 7; i >= 0; i--, n >>= 8)
        out[i] = (uint8_t)n;
}

static uint64_t read_u64(const uint8_t *in)
{
    uint64_t n = 0;

    for (int i = 0; i < 8; i++)
        n = n << 8 | in[i];
    return n;
}

void ticket_seal(const struct seal_ring *ring, struct span purpose, const struct ticket *t,
                 char out[TICKET_TEXT_SIZE])
{
    uint8_t plain[TICKET_BYTES];

    write_u64(plain, t->scope);
    write_u64(plain + 8, t->choice);
    write_u64(plain + 16, t->issued_s);
    write_u64(plain + 24, t->expires_s);
    seal(ring, purpose, span_of(plain, sizeof(plain)), out);
}

bool ticket_open(const struct seal_ring *ring, struct span purpose, struct span text,
                 struct ticket *t)
{
    uint8_t plain[SEAL_PLAIN_MAX];
    size_t n;

    if (!seal_open(ring, purpose, text, plain, &n) || n != TICKET_BYTES)
        return false;
    *t = (struct ticket){ read_u64(plain), read_u64(plain + 8), read_u64(plain + 16),
                          read_u64(plain + 24) };
    return true;
}

void ticket_expires_text(const struct ticket *t, char out[CLOCK_TEXT_MAX])
{
    clock_http_date((t->issued_s + COOKIE_DAYS_S) * 1000000, out);
}

bool ticket_holds(const struct ticket *t, uint64_t scope, uint64_t now_s, uint32_t duration_s)
{
    return t->scope == scope && now_s < t->expires_s && now_s < t->issued_s + duration_s;
}
