/* shared_text.c -- see shared_text.h. */
#include "wsserver/shared_text.h"

#include "base/mem.h"

struct shared_text *shared_text_new(struct span bytes)
{
    struct shared_text *text = mem_check(malloc(sizeof(*text) + bytes.len + 1));
    atomic_init(&text->refs, 1);
    text->len = (uint32_t)bytes.len;
    if (bytes.len > 0)
        memcpy(text->bytes, bytes.ptr, bytes.len);
    text->bytes[bytes.len] = '\0';
    return text;
}

struct shared_text *shared_text_hold(struct shared_text *text)
{
    atomic_fetch_add_explicit(&text->refs, 1, memory_order_relaxed);
    return text;
}

void shared_text_drop(struct shared_text **text)
{
    if (*text != NULL && atomic_fetch_sub_explicit(&(*text)->refs, 1, memory_order_acq_rel) == 1)
        free(*text);
    *text = NULL;
}
