/* Whatever the Cookie fields: their cookies lie inside them, in order; none of them is taken for
 * one of ours, as a target's or as a group's; and ours in front is found, behind them too unless
 * false ones used up the tries. A line end parts two fields. */
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "stickiness/cookie.h"
#include "stickiness/stickiness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS = 16, SEALED_CHARS = 87 };

/* Short names, for a fuzzer to find. */
static const struct stickiness_policy policies[] = { { "S", "C", 60, STICKINESS_LB },
                                                     { "S", "C", 60, STICKINESS_GROUP } };

static struct seal_ring *ring;
static char ours[2][STICKINESS_SET_COOKIE_MAX];

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
    for (int kind = 0; kind < 2; kind++) {
        stickiness_issue(&policies[kind], &cache, 1, 2, 1000, ours[kind], cors);
        ours[kind][strcspn(ours[kind], ";")] = '\0';
    }
}

static bool found(const struct stickiness_policy *policy, const struct span *fields, size_t count)
{
    const struct stickiness_fields cookies = { fields, count };
    uint64_t id = 0;
    bool is = stickiness_read(policy, ring, cookies, 1, 1001, &id) == STICKINESS_FOUND;

    must(!is || id == 2);
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

/* Those that look like ours. */
static unsigned count_tries(const struct span *fields, size_t count)
{
    struct cookie_walk walk = { .fields = { fields, count } };
    struct cookie cookie;
    unsigned n = 0;

    while (cookie_walk_next(&walk, &cookie))
        n += cookie.value.len == SEALED_CHARS &&
             (span_equal(cookie.name, SPAN("S")) || span_equal(cookie.name, SPAN("C")));
    return n;
}

static void check_kind(int kind, struct span *fields, size_t count)
{
    const bool is_left = count_tries(fields + 1, count) < STICKINESS_TRIES;

    must(!found(&policies[kind], fields + 1, count));
    fields[0] = fields[count + 1] = span_text(ours[kind]);
    must(found(&policies[kind], fields, count + 1));
    must(found(&policies[kind], fields + 1, count + 1) == is_left);
    fields[0] = span_text(ours[1 - kind]); /* the other's is none */
    must(!found(&policies[kind], fields, count + 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(size == 0 ? (const uint8_t *)"" : data, size);
    struct span fields[FIELDS + 2];
    size_t count = 0;

    if (ring == NULL)
        set_up();
    while (count < FIELDS && span_next(&rest, '\n', &fields[count + 1]))
        check_pieces(fields[++count]);
    check_kind(STICKINESS_LB, fields, count);
    check_kind(STICKINESS_GROUP, fields, count);
    return 0;
}
