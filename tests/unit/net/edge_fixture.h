/* edge_fixture.h -- sets of blocks and addresses from texts, for the tests of the edge filter. */
#ifndef TEST_EDGE_FIXTURE_H
#define TEST_EDGE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/edge_set.h"

static inline struct ip ip_of(const char *text)
{
    struct ip ip;

    if (!ip_parse(span_text(text), &ip))
        fail_msg("%s", text);
    return ip;
}

/* Built, of the blocks in a text with blanks between. */
static inline struct edge_set *set_of(const char *blocks)
{
    struct edge_set *set = edge_set_new();
    struct span rest = span_text(blocks);
    char why[160];

    while (rest.len > 0) {
        const char *blank = memchr(rest.ptr, ' ', rest.len);
        const size_t len = blank == NULL ? rest.len : (size_t)(blank - rest.ptr);
        struct cidr block;
        if (!cidr_parse(span_of(rest.ptr, len), &block, why, sizeof(why)))
            fail_msg("%s", why);
        edge_set_add(set, &block);
        rest = span_of(rest.ptr + len + (blank != NULL), rest.len - len - (blank != NULL));
    }
    edge_set_build(set);
    return set;
}

#endif
