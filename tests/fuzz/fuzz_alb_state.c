/*
 * Any text: it is refused with one error, or it is exactly what is printed of the
 * registrations that were read from it.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"

#include "alb/config.h"
#include "alb/registrations.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct registrations r = { .count = 0 };
    struct problems problems;
    struct buf text;

    problems_init(&problems, "f");
    if (registrations_read(&r, span_of(data, size), &problems)) {
        buf_init(&text, 8 * 1024 * 1024);
        registrations_print(&r, &text);
        assert(span_equal(buf_data(&text), span_of(data, size)));
        for (size_t i = 0; i < r.count; i++)
            assert(r.items[i].weight <= TARGET_WEIGHT_MAX && r.items[i].name.addr.len != 0);
        buf_done(&text);
    } else {
        assert(problems.errors == 1);
    }
    problems_done(&problems);
    registrations_done(&r);
    return 0;
}
