/*
 * fuzz_ws_probe.c -- however the bytes of a server are cut, a probe comes to the same end, and
 * it never takes more than its bound.
 */
#include <stdlib.h>
#include <string.h>

#include "ws/probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

struct outcome {
    enum ws_probe_step last;
    size_t used;
};

static bool is_end(enum ws_probe_step step)
{
    return step == WS_PROBE_CLOSED || step == WS_PROBE_BAD;
}

static struct outcome run(struct span all, size_t piece)
{
    struct ws_probe p;
    struct outcome o = { WS_PROBE_MORE, 0 };
    const char *why = NULL;

    ws_probe_init(&p, (const uint8_t *)"abcdefghijklmnopqrstuvwxyz01");
    for (size_t to = 0; to < all.len && !is_end(o.last);) {
        to = to + piece < all.len ? to + piece : all.len;
        for (enum ws_probe_step step = WS_PROBE_PONG; step == WS_PROBE_PONG;) {
            struct span in = span_of(all.ptr + o.used, to - o.used);
            step = ws_probe_read(&p, &in, &why);
            o.used = to - in.len;
            o.last = step == WS_PROBE_MORE ? o.last : step;
            check(step != WS_PROBE_BAD || why != NULL);
        }
        check(is_end(o.last) || p.taken <= WS_PROBE_MOST + WS_HEADER_MAX + WS_CONTROL_MAX);
    }
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span all = span_of((const char *)data, size);
    const struct outcome whole = run(all, size + 1), bytes = run(all, 1), some = run(all, 7);

    check(whole.last == bytes.last && whole.last == some.last);
    check(whole.last == WS_PROBE_BAD || (whole.used == bytes.used && whole.used == some.used));
    return 0;
}
