/*
 * fuzz_configure_answer.c -- whatever a metadata service sends, and however it is cut: the same
 * outcome, status and body, within the bound; and a token that is taken is one line of a request.
 */
#include <stdint.h>
#include <stdlib.h>

#include "image/configure/answer.h"
#include "image/configure/metadata.h"

enum { BODY_MAX = 64 };

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* In pieces of `size` bytes; the other side closes behind them. */
static enum answer_step take(struct answer *a, struct span bytes, size_t size)
{
    enum answer_step step = ANSWER_MORE;

    answer_init(a, BODY_MAX);
    while (bytes.len > 0 && step == ANSWER_MORE) {
        const size_t n = bytes.len < size ? bytes.len : size;
        step = answer_take(a, span_of(bytes.ptr, n));
        bytes = span_after(bytes, n);
    }
    return step == ANSWER_MORE ? answer_end(a) : step;
}

static void check_token(const struct answer *a)
{
    const struct span token = buf_data(&a->body);
    struct buf request;
    char why[256];
    size_t lines = 0;

    if (metadata_judge_token(a->status, token, why, sizeof(why)) != METADATA_FOUND)
        return;
    buf_init(&request, METADATA_REQUEST_MAX);
    metadata_put_text_request(&request, "h", token);
    const struct span text = buf_data(&request);
    for (size_t i = 0; i < text.len; i++)
        lines += text.ptr[i] == '\n';
    must(lines == 5);
    buf_done(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t pieces[] = { 1, 7, 4096 };
    const struct span bytes = span_of(data, size < 4096 ? size : 4096);
    struct answer whole, cut;
    const enum answer_step step = take(&whole, bytes, SIZE_MAX);

    must(step != ANSWER_MORE && buf_len(&whole.body) <= BODY_MAX);
    must(step != ANSWER_BAD || whole.why != NULL);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        must(take(&cut, bytes, pieces[i]) == step);
        must(step != ANSWER_WHOLE || (cut.status == whole.status &&
                                      span_equal(buf_data(&cut.body), buf_data(&whole.body))));
        answer_done(&cut);
    }
    if (step == ANSWER_WHOLE)
        check_token(&whole);
    answer_done(&whole);
    return 0;
}
