/* What is found in a head lies in it, and may stand between quotes in a line of the log. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "alb/upgrade_signs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void check_text(struct span text, struct span head)
{
    check(text.len == 0 || span_equal(text, SPAN("/")) ||
          (text.ptr >= head.ptr && text.ptr + text.len <= head.ptr + head.len));
    for (size_t i = 0; i < text.len; i++)
        check(text.ptr[i] > ' ' && text.ptr[i] < 0x7f && text.ptr[i] != '"');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span head = span_of((const char *)data, size);
    struct upgrade_signs s;

    upgrade_signs_read(head, &s);
    check_text(s.host, head);
    check_text(s.path, head);
    check(s.host.len <= size && s.path.len <= size + 1);
    return 0;
}
