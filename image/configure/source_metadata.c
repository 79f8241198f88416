/*
 * source_metadata.c -- the instance metadata service as a source (metadata.h has what is said).
 *
 * Its addresses are tried in turn until one answers, or the time is over: early in a boot the
 * network may not be there yet, and the service may be busy.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "image/configure/fetch.h"
#include "image/configure/machine.h"
#include "image/configure/metadata.h"
#include "image/configure/source.h"
#include "image/configure/vet.h"

enum { REQUEST_TIMEOUT_MS = 5000 };

/* What is said when all of it fails. */
enum { WHY_MAX = 256 };

struct asking {
    const struct addr *from;
    char host[ADDR_TEXT_MAX];
    char why[WHY_MAX];
};

/* One request and its answer. */
static enum metadata_verdict exchange(struct asking *a, struct buf *request, struct answer *answer)
{
    switch (fetch(a->from, buf_data(request), REQUEST_TIMEOUT_MS, answer, a->why, WHY_MAX)) {
    case ANSWER_WHOLE:
        return METADATA_FOUND;
    case ANSWER_TOO_LARGE:
        snprintf(a->why, WHY_MAX, "the answer is larger than %u bytes", answer->body.bound);
        return METADATA_REFUSED;
    case ANSWER_MORE:
    case ANSWER_BAD:
        break;
    }
    return METADATA_AGAIN;
}

static enum metadata_verdict ask_token(struct asking *a, struct answer *token)
{
    struct buf request;

    buf_init(&request, METADATA_REQUEST_MAX);
    metadata_put_token_request(&request, a->host);
    const enum metadata_verdict verdict = exchange(a, &request, token);
    buf_done(&request);
    if (verdict != METADATA_FOUND)
        return METADATA_AGAIN;
    return metadata_judge_token(token->status, buf_data(&token->body), a->why, WHY_MAX);
}

static enum metadata_verdict ask_text(struct asking *a, struct span token, struct answer *answer)
{
    struct buf request;

    buf_init(&request, METADATA_REQUEST_MAX);
    metadata_put_text_request(&request, a->host, token);
    const enum metadata_verdict verdict = exchange(a, &request, answer);
    buf_done(&request);
    if (verdict != METADATA_FOUND)
        return verdict;
    return metadata_judge_text(answer->status, a->why, WHY_MAX);
}

/* Both requests, once. */
static enum metadata_verdict ask(const struct addr *from, struct source_text *text,
                                 char why[WHY_MAX])
{
    struct asking a = { .from = from };
    struct answer token, answer;

    addr_format(from, a.host);
    answer_init(&token, METADATA_TOKEN_MAX);
    answer_init(&answer, VET_MAX_BYTES);
    enum metadata_verdict verdict = ask_token(&a, &token);
    if (verdict == METADATA_FOUND)
        verdict = ask_text(&a, buf_data(&token.body), &answer);
    if (verdict == METADATA_FOUND) {
        text->len = buf_len(&answer.body);
        text->bytes = mem_copy(buf_data(&answer.body).ptr, text->len);
    }
    answer_done(&token);
    answer_done(&answer);
    memcpy(why, a.why, WHY_MAX);
    return verdict;
}

/* Each address once, up to the first that answers. What the first one came to is told: most
 * machines have that one only. */
static enum metadata_verdict ask_each(const struct source_places *places, struct source_text *text,
                                      char why[WHY_MAX])
{
    enum metadata_verdict verdict = ask(&places->metadata[0], text, why);

    for (size_t i = 1; i < places->metadata_count && verdict == METADATA_AGAIN; i++) {
        char other[WHY_MAX];
        verdict = ask(&places->metadata[i], text, other);
        if (verdict == METADATA_REFUSED)
            memcpy(why, other, WHY_MAX);
    }
    return verdict;
}

static void pause_for(unsigned ms)
{
    nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

static enum metadata_verdict ask_until(const struct source_places *places, uint64_t end_ms,
                                       struct source_text *text, char why[WHY_MAX])
{
    for (unsigned tries = 0;; tries++) {
        const enum metadata_verdict verdict = ask_each(places, text, why);
        if (verdict != METADATA_AGAIN || clock_mono_ms() + metadata_pause_ms(tries) > end_ms)
            return verdict;
        pause_for(metadata_pause_ms(tries));
    }
}

enum source_outcome source_read_metadata(const struct source_places *places,
                                         struct source_text *text)
{
    const uint64_t end_ms = clock_mono_ms() + places->metadata_wait_ms;
    char why[WHY_MAX];

    if (places->metadata_count == 0 || !machine_has_metadata(places->dmi))
        return SOURCE_ABSENT;
    switch (ask_until(places, end_ms, text, why)) {
    case METADATA_FOUND:
        return SOURCE_FOUND;
    case METADATA_NONE:
        return SOURCE_ABSENT;
    case METADATA_REFUSED:
        snprintf(text->why, sizeof(text->why), "%s", why);
        return SOURCE_FAILED;
    case METADATA_AGAIN:
        break;
    }
    snprintf(text->why, sizeof(text->why), "the metadata service gave no user data in %u s: %s",
             places->metadata_wait_ms / 1000, why);
    return SOURCE_FAILED;
}
