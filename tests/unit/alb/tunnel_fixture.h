/* tunnel_fixture.h -- views of tunnels that never were. */
#ifndef TUNNEL_FIXTURE_H
#define TUNNEL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#include "alb/balancer.h"
#include "alb/target.h"
#include "alb/tunnel_view.h"

static const struct listener fixture_listener = { .name = (char *)(uintptr_t) "web" };

static inline struct target_key *fixture_key(const char *group, const char *text)
{
    const size_t size = strlen(group) + strlen(text) + 2;
    struct target_key *key = mem_zero(sizeof(*key) + size);

    memcpy(key->bytes, group, strlen(group));
    memcpy(key->bytes + strlen(group) + 1, text, strlen(text));
    key->group = key->bytes;
    key->text = key->bytes + strlen(group) + 1;
    atomic_init(&key->refs, 1);
    return key;
}

static inline unsigned fixture_refs(struct target_key *key)
{
    return atomic_load(&key->refs);
}

static inline struct tunnel_view fixture_view(struct target_key *key, uint64_t id)
{
    return (struct tunnel_view){
        .facts = { .id = { id, 1 },
                   .listener = &fixture_listener,
                   .client = { .family = 4, .bytes = { 10, 1, 2, 3 } },
                   .port = 4711,
                   .rule = 7 },
        .target = key,
        .seen_us = 1709251199123456,
        .age_ms = 61001,
    };
}

#endif
