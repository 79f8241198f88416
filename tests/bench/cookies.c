/*
 * cookies.c -- what it costs to read a request's sticky cookies: false ones beside a good one.
 *
 *     bench-cookies [COUNT]        requests of each kind, 1,000,000 unless said
 *
 * Each kind is read COUNT times in ROUNDS parts, which take turns; printed is the median of the CPU
 * time of one reading, and of its ratio to the good one in the same round. At the end: by how much
 * the process grew.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/text.h"
#include "stickiness/stickiness.h"

enum { ROUNDS = 11, GROUP = 1, TARGET = 2, DURATION = 60, NOW = 1000000, FIELD_MAX = 1024 };

static const struct stickiness_policy policy = { STICKINESS_COOKIE, STICKINESS_CORS_COOKIE,
                                                 DURATION, STICKINESS_LB };
static const struct stickiness_app_policy app = { "SID", STICKINESS_APP_COOKIE, DURATION };

static struct seal_ring *ring;

struct kind {
    const char *name;
    bool is_app;
    enum stickiness_lookup want;
    char field[FIELD_MAX];
    double ns[ROUNDS];
};

/* --- the cookies ------------------------------------------------------------------------- */

static char *value_of(char *set_cookie)
{
    char *value = strchr(set_cookie, '=') + 1;

    value[strcspn(value, ";")] = '\0';
    return value;
}

/* Sealed with `with`, at this time, for this group. */
static void put_sealed(char field[FIELD_MAX], const struct seal_ring *with, uint64_t group,
                       uint64_t at)
{
    static struct stickiness_cache cache;
    char cookie[STICKINESS_SET_COOKIE_MAX], cors[STICKINESS_SET_COOKIE_MAX];

    stickiness_cache_init(&cache, with);
    stickiness_issue(&policy, &cache, group, TARGET, at, cookie, cors);
    snprintf(field, FIELD_MAX, "AWSALB=%s", value_of(cookie));
}

static void put_session(char field[FIELD_MAX], const char *set, const char *sent)
{
    char cookies[STICKINESS_SHARDS][STICKINESS_SET_COOKIE_MAX], pair[64];
    struct stickiness_session session;

    snprintf(pair, sizeof(pair), "SID=%s", set);
    if (!stickiness_app_is_set(&app, span_text(pair), &session))
        abort();
    stickiness_app_issue(&app, ring, &session, GROUP, TARGET, NOW, false, cookies);
    snprintf(field, FIELD_MAX, "SID=%s; AWSALBAPP-0=%s", sent, value_of(cookies[0]));
}

static struct kind kinds[] = {
    { .name = "a good one", .want = STICKINESS_FOUND },
    { .name = "forged, under a key of ours", .want = STICKINESS_INVALID },
    { .name = "of a key that we do not have", .want = STICKINESS_INVALID },
    { .name = "of another group", .want = STICKINESS_STALE },
    { .name = "expired", .want = STICKINESS_STALE },
    { .name = "torn", .want = STICKINESS_FOREIGN },
    { .name = "none", .want = STICKINESS_NONE },
    { .name = "a good session", .is_app = true, .want = STICKINESS_FOUND },
    { .name = "another session's", .is_app = true, .want = STICKINESS_INVALID },
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]), GOOD = 0, GOOD_SESSION = 7 };

static void fill_fields(void)
{
    struct seal_ring *other = seal_ring_random();

    put_sealed(kinds[0].field, ring, GROUP, NOW);
    put_sealed(kinds[1].field, ring, GROUP, NOW);
    char *const inside = kinds[1].field + 60; /* of the ciphertext */
    *inside = *inside == 'A' ? 'B' : 'A';
    put_sealed(kinds[2].field, other, GROUP, NOW);
    put_sealed(kinds[3].field, ring, GROUP + 1, NOW);
    put_sealed(kinds[4].field, ring, GROUP, NOW - DURATION);
    put_sealed(kinds[5].field, ring, GROUP, NOW);
    kinds[5].field[strlen(kinds[5].field) - 1] = '\0';
    strcpy(kinds[6].field, "a=1");
    put_session(kinds[7].field, "one", "one");
    put_session(kinds[8].field, "one", "two");
    seal_ring_free(&other);
}

/* --- measuring --------------------------------------------------------------------------- */

static enum stickiness_lookup read_one(const struct kind *k)
{
    const struct span field = span_text(k->field);
    const struct stickiness_fields cookies = { &field, 1 };
    struct stickiness_session session;
    uint64_t id;

    if (k->is_app)
        return stickiness_app_read(&app, ring, cookies, GROUP, NOW, &id, &session);
    return stickiness_read(&policy, ring, cookies, GROUP, NOW, &id);
}

static double cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double measure(const struct kind *k, uint64_t times)
{
    const double from = cpu_ns();

    for (uint64_t i = 0; i < times; i++) {
        if (read_one(k) != k->want)
            abort();
    }
    return (cpu_ns() - from) / (double)times;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(const double values[ROUNDS])
{
    double sorted[ROUNDS];

    memcpy(sorted, values, sizeof(sorted));
    qsort(sorted, ROUNDS, sizeof(sorted[0]), by_size);
    return sorted[ROUNDS / 2];
}

static void print_kind(const struct kind *k)
{
    const struct kind *good = &kinds[k->is_app ? GOOD_SESSION : GOOD];
    double ratios[ROUNDS];

    for (int i = 0; i < ROUNDS; i++)
        ratios[i] = k->ns[i] / good->ns[i];
    printf("%-30s %8.0f ns %8.3f\n", k->name, median(k->ns), median(ratios));
}

static long resident_kb(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

int main(int argc, char **argv)
{
    uint64_t count = 1000000;

    if (argc > 2 || (argc == 2 && (!text_u64(span_text(argv[1]), &count) || count < ROUNDS))) {
        fprintf(stderr, "bench-cookies [COUNT]\n");
        return 1;
    }
    ring = seal_ring_random();
    fill_fields();
    for (int k = 0; k < KINDS; k++)
        measure(&kinds[k], 1000);
    const long before_kb = resident_kb();
    for (int round = 0; round < ROUNDS; round++) {
        for (int k = 0; k < KINDS; k++)
            kinds[k].ns[round] = measure(&kinds[k], count / ROUNDS);
    }
    printf("%-30s %11s %8s\n", "one cookie", "CPU", "ratio");
    for (int k = 0; k < KINDS; k++)
        print_kind(&kinds[k]);
    printf("memory grew by %ld KB\n", resident_kb() - before_kb);
    seal_ring_free(&ring);
    return 0;
}
