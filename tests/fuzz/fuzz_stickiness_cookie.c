/* Whatever the Cookie field: its cookies lie inside it, in order; none of them
 * is taken for one of ours; and ours in front of it is found, behind it too
 * unless false ones used up the tries. */
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "stickiness/cookie.h"
#include "stickiness/stickiness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Short names, for a fuzzer to find. */
static const struct stickiness_policy policy = { "S", "C", 60 };

static struct seal_ring *ring;
static char ours[STICKINESS_SET_COOKIE_MAX];

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void set_up(void)
{
    static struct stickiness_cache cache;
    char cors[STICKINESS_SET_COOKIE_MAX];

    ring = seal_ring_random();
    stickiness_cache_init(&cache, ring);
    stickiness_issue(&policy, &cache, 1, 2, 1000, ours, cors);
    ours[strcspn(ours, ";")] = '\0';
}

static bool found(struct span field, unsigned *tries)
{
    uint64_t target = 0;
    bool is = stickiness_read(&policy, ring, field, 1, 1001, tries, &target) == STICKINESS_FOUND;

    must(!is || target == 2);
    return is;
}

static void check_pieces(struct span field)
{
    const char *at = field.ptr, *end = field.ptr + field.len;
    struct cookie cookie;

    while (cookie_next(&field, &cookie)) {
        must(cookie.name.len > 0 && cookie.name.ptr >= at);
        must(memchr(cookie.name.ptr, '=', cookie.name.len) == NULL);
        must(cookie.value.ptr > cookie.name.ptr + cookie.name.len - 1);
        at = cookie.value.ptr + cookie.value.len;
        must(at <= end && memchr(cookie.name.ptr, ';', (size_t)(at - cookie.name.ptr)) == NULL);
    }
}

/* first;second */
static bool found_in_both(struct span first, struct span second)
{
    char *field = mem_zero(first.len + 1 + second.len);
    unsigned tries = STICKINESS_TRIES;

    memcpy(field, first.ptr, first.len);
    field[first.len] = ';';
    memcpy(field + first.len + 1, second.ptr, second.len);
    bool is = found(span_of(field, first.len + 1 + second.len), &tries);
    free(field);
    return is;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span field = span_of(size == 0 ? (const uint8_t *)"" : data, size);
    unsigned tries = STICKINESS_TRIES;

    if (ring == NULL)
        set_up();
    check_pieces(field);
    must(!found(field, &tries));
    must(found_in_both(span_text(ours), field));
    must(found_in_both(field, span_text(ours)) == (tries > 0));
    return 0;
}
