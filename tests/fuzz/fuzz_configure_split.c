/*
 * fuzz_configure_split.c -- whatever the text: when it is split, each program reads in its part
 * exactly the sections that are its own in the whole, at the same lines; and what is no text of
 * ours is refused with one sentence.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/ini_file.h"
#include "image/configure/split.h"
#include "image/configure/vet.h"

enum { CALLS_MAX = 4096 };

static const struct split_program programs[SPLIT_PROGRAMS] = {
    { "alb", SPAN_INIT("alb\nedge\nboth\n") },
    { "wsserver", SPAN_INIT("wsserver\nsqlite\nboth\n") },
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* What was read: a line, and a hash of all that stands there. */
struct call {
    int line, owner;
    uint64_t hash;
};

struct calls {
    struct call at[CALLS_MAX];
    int count;
};

static uint64_t mix(uint64_t h, struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        h = (h ^ (unsigned char)text.ptr[i]) * 1099511628211u;
    return (h ^ 0xff) * 1099511628211u;
}

/* Takes the prefix off, and says whose the kind is then. */
static int owner_of(struct span *kind)
{
    static const struct {
        struct span kind, bare;
        int owner;
    } kinds[] = {
        { SPAN_INIT("alb"), SPAN_INIT("alb"), 0 },
        { SPAN_INIT("edge"), SPAN_INIT("edge"), 0 },
        { SPAN_INIT("alb.alb"), SPAN_INIT("alb"), 0 },
        { SPAN_INIT("alb.edge"), SPAN_INIT("edge"), 0 },
        { SPAN_INIT("alb.both"), SPAN_INIT("both"), 0 },
        { SPAN_INIT("wsserver"), SPAN_INIT("wsserver"), 1 },
        { SPAN_INIT("sqlite"), SPAN_INIT("sqlite"), 1 },
        { SPAN_INIT("wsserver.wsserver"), SPAN_INIT("wsserver"), 1 },
        { SPAN_INIT("wsserver.sqlite"), SPAN_INIT("sqlite"), 1 },
        { SPAN_INIT("wsserver.both"), SPAN_INIT("both"), 1 },
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (span_equal(*kind, kinds[i].kind)) {
            *kind = kinds[i].bare;
            return kinds[i].owner;
        }
    }
    return -1;
}

static void note(struct calls *c, int owner, int line, uint64_t hash)
{
    if (c->count < CALLS_MAX)
        c->at[c->count++] = (struct call){ line, owner, hash };
}

static void on_whole(void *user, struct span kind, struct span name, struct span key,
                     struct span value, int line)
{
    const int owner = owner_of(&kind);

    must(owner >= 0);
    note(user, owner, line, mix(mix(mix(mix(1, kind), name), key), value));
}

static void on_part(void *user, struct span kind, struct span name, struct span key,
                    struct span value, int line)
{
    note(user, 0, line, mix(mix(mix(mix(1, kind), name), key), value));
}

static void read_part(struct span text, struct calls *c)
{
    struct problems problems;

    c->count = 0;
    problems_init(&problems, "part");
    ini_read_text(text, on_part, c, &problems);
    must(problems.count == 0);
    problems_done(&problems);
}

static void check_part(const struct calls *whole, int owner, struct span text)
{
    static struct calls part;
    int n = 0;

    read_part(text, &part);
    for (int i = 0; i < whole->count; i++) {
        if (whole->at[i].owner != owner)
            continue;
        must(n < part.count || part.count == CALLS_MAX);
        must(part.at[n].line == whole->at[i].line && part.at[n].hash == whole->at[i].hash);
        n++;
    }
    must(n == part.count || whole->count == CALLS_MAX);
}

static void check_parts(struct span text, const struct split_part *parts)
{
    static struct calls whole;
    struct problems problems;

    whole.count = 0;
    problems_init(&problems, "whole");
    ini_read_text(text, on_whole, &whole, &problems);
    must(problems.count == 0);
    problems_done(&problems);
    for (int i = 0; i < SPLIT_PROGRAMS; i++)
        check_part(&whole, i, buf_data(&parts[i].text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span text = span_of(data, size);
    struct split_part parts[SPLIT_PROGRAMS];
    struct problems problems;

    problems_init(&problems, "text");
    must(vet_text(text, &problems) == (problems.count == 0) && problems.count <= 1);
    problems_done(&problems);

    problems_init(&problems, "text");
    const bool is_split = split_text(text, programs, parts, &problems);
    must(is_split == (problems.errors == 0));
    if (is_split)
        check_parts(text, parts);
    split_done(parts);
    problems_done(&problems);
    return 0;
}
