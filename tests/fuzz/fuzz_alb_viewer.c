/* What is read of a viewer, written as an edge writes it, is read as the same again; and what
 * stands before the last entry of a list changes nothing. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#include "alb/viewer_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const struct viewer *a, const struct viewer *b)
{
    assert(ip_equal(&a->ip, &b->ip) && a->port == b->port);
}

static void check_written(const struct viewer *v)
{
    char ip[IP_TEXT_MAX], text[80];
    struct viewer again;

    ip_format(&v->ip, ip);
    snprintf(text, sizeof(text), v->ip.family == 6 ? "[%s]:%u" : "%s:%u", ip, v->port);
    if (v->port == 0)
        snprintf(text, sizeof(text), "%s", ip);
    assert(viewer_of_forwarded_for(span_text(text), &again));
    check_same(v, &again);
    if (v->port == 0)
        return;
    snprintf(text, sizeof(text), "%s:%u", ip, v->port);
    assert(viewer_of_cloudfront(span_text(text), &again));
    check_same(v, &again);
}

static void check_behind_others(struct span list, bool ok, const struct viewer *v)
{
    char *longer = mem_check(malloc(list.len + 6));
    struct viewer again;

    memcpy(longer, "::1, ", 5);
    if (list.len > 0)
        memcpy(longer + 5, list.ptr, list.len);
    assert(viewer_of_forwarded_for(span_of(longer, list.len + 5), &again) == ok);
    check_same(v, &again);
    free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span text = span_of((const char *)data, size);
    struct viewer v;

    const bool ok = viewer_of_forwarded_for(text, &v);
    assert(ok == (v.ip.family != 0) && (ok || v.port == 0));
    if (ok)
        check_written(&v);
    check_behind_others(text, ok, &v);
    if (viewer_of_cloudfront(text, &v)) {
        assert(v.port != 0);
        check_written(&v);
    }
    viewer_proto_of(text);
    return 0;
}
