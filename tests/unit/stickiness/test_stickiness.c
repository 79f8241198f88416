/* Cookies that were issued are read back; nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/mem.h"
#include "stickiness/stickiness.h"

enum { GROUP = 11, TARGET = 22, DURATION = 60 };

/* Sun, 22 Nov 2026 14:20:00 GMT */
static const uint64_t now = 1795357200;

static const struct stickiness_policy policy = { STICKINESS_COOKIE, STICKINESS_CORS_COOKIE,
                                                 DURATION, STICKINESS_LB };

static struct seal_ring *ring;
static struct stickiness_cache cache;

static char cookie[STICKINESS_SET_COOKIE_MAX], cors[STICKINESS_SET_COOKIE_MAX];

static int set_up(void **state)
{
    (void)state;
    ring = seal_ring_random();
    stickiness_cache_init(&cache, ring);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    seal_ring_free(&ring);
    return 0;
}

static void issue(uint64_t group, uint64_t target, uint64_t at)
{
    stickiness_issue(&policy, &cache, group, target, at, cookie, cors);
}

/* "NAME=VALUE" of a Set-Cookie, as a client sends it back; valid until the
 * fourth call after this one. */
static const char *sent_back(const char *set_cookie)
{
    static char out[4][STICKINESS_SET_COOKIE_MAX];
    static int turn;
    char *at = out[turn++ % 4];

    strcpy(at, set_cookie);
    *strchr(at, ';') = '\0';
    return at;
}

/* The sealed value alone. */
static const char *value_of(const char *set_cookie)
{
    return strchr(sent_back(set_cookie), '=') + 1;
}

static enum stickiness_lookup lookup; /* the last */

/* The target that a field asks for, or 0. */
static uint64_t read_at(const char *field, uint64_t group, uint64_t at)
{
    const struct span fields[] = { span_text(field) };
    uint64_t target = 0;

    lookup =
        stickiness_read(&policy, ring, (struct stickiness_fields){ fields, 1 }, group, at, &target);
    assert_int_equal(target != 0, lookup == STICKINESS_FOUND);
    return target;
}

static uint64_t read_field(const char *field)
{
    return read_at(field, GROUP, now);
}

/* --- issuing ---------------------------------------------------------------- */

static void test_the_two_lines(void **state)
{
    char want[STICKINESS_SET_COOKIE_MAX];
    (void)state;

    issue(GROUP, TARGET, now);
    assert_int_equal(strlen(value_of(cookie)), 87);
    snprintf(want, sizeof(want), "AWSALB=%s; Expires=Sun, 29 Nov 2026 14:20:00 GMT; Path=/",
             value_of(cookie));
    assert_string_equal(cookie, want);
    snprintf(want, sizeof(want),
             "AWSALBCORS=%s; Expires=Sun, 29 Nov 2026 14:20:00 GMT; Path=/; SameSite=None; Secure",
             value_of(cookie));
    assert_string_equal(cors, want);
}

static void test_longest_names_fit(void **state)
{
    char name[STICKINESS_NAME_MAX + 1];
    (void)state;

    memset(name, 'n', STICKINESS_NAME_MAX);
    name[STICKINESS_NAME_MAX] = '\0';
    const struct stickiness_policy long_names = { name, name, STICKINESS_DURATION_MAX_S, 0 };
    stickiness_issue(&long_names, &cache, GROUP, TARGET, now, cookie, cors);
    assert_non_null(strstr(cors, "; SameSite=None; Secure"));
    assert_int_equal(strcspn(cors, "="), STICKINESS_NAME_MAX);
}

static void test_one_value_a_target_and_second(void **state)
{
    char first[STICKINESS_SET_COOKIE_MAX];
    const struct stickiness_policy longer = { "OTHER", "OTHERCORS", DURATION + 1, 0 };
    (void)state;

    issue(GROUP, TARGET, now);
    strcpy(first, cookie);
    issue(GROUP, TARGET, now);
    assert_string_equal(cookie, first);
    issue(GROUP, TARGET, now + 1);
    assert_string_not_equal(value_of(cookie), value_of(first));
    issue(GROUP, TARGET + STICKINESS_SLOTS, now + 1); /* meets it in the cache */
    assert_int_equal(read_at(sent_back(cookie), GROUP, now + 1), TARGET + STICKINESS_SLOTS);
    issue(GROUP ^ 1, TARGET ^ 1, now + 1); /* so does this one */
    assert_int_equal(read_at(sent_back(cookie), GROUP ^ 1, now + 1), TARGET ^ 1);

    issue(GROUP, TARGET, now);
    strcpy(first, cookie);
    stickiness_issue(&longer, &cache, GROUP, TARGET, now, cookie, cors);
    assert_string_not_equal(value_of(cookie), value_of(first));
    assert_true(span_starts_with(span_text(cookie), SPAN("OTHER=")));
}

static void test_a_new_ring_forgets(void **state)
{
    struct seal_ring *before = ring;
    (void)state;

    issue(GROUP, TARGET, now);
    ring = seal_ring_random();
    assert_int_equal(read_field(sent_back(cookie)), 0);
    stickiness_cache_init(&cache, ring);
    issue(GROUP, TARGET, now);
    assert_int_equal(read_field(sent_back(cookie)), TARGET);
    seal_ring_free(&before);
}

/* --- reading ---------------------------------------------------------------- */

static void test_either_twin_will_do(void **state)
{
    (void)state;
    issue(GROUP, TARGET, now);
    assert_int_equal(read_field(sent_back(cookie)), TARGET);
    assert_int_equal(read_field(sent_back(cors)), TARGET);
}

/* In these, %s is a good value. */
static void test_fields(void **state)
{
    static const struct {
        const char *name, *field;
        uint64_t want;
    } cases[] = {
        { "among others", "a=1; AWSALB=%s; b=2", TARGET },
        { "quoted", "AWSALB=\"%s\"", TARGET },
        { "no blanks", "a=1;AWSALB=%s;b=2", TARGET },
        { "behind a managed balancer's", "AWSALB=AbCdEf+/AbCdEf==; AWSALBCORS=%s", TARGET },
        { "behind one that is empty", "AWSALB=; AWSALB=%s", TARGET },
        { "another name", "AWSALBX=%s", 0 },
        { "another case", "awsalb=%s", 0 },
        { "a name with a path", "$AWSALB=%s", 0 },
        { "a longer value", "AWSALB=%sA", 0 },
        { "half quoted", "AWSALB=\"%s", 0 },
        { "no such cookie", "a=%s", 0 },
        { "a value without a name", "%s", 0 },
    };
    (void)state;

    issue(GROUP, TARGET, now);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *hole = strstr(cases[i].field, "%s");
        char field[512];
        snprintf(field, sizeof(field), "%.*s%s%s", (int)(hole - cases[i].field), cases[i].field,
                 value_of(cookie), hole + 2);
        if (read_field(field) != cases[i].want)
            fail_msg("%s", cases[i].name);
    }
    assert_int_equal(read_field(""), 0);
}

static void test_changed_values_do_not_open(void **state)
{
    char field[STICKINESS_SET_COOKIE_MAX];
    (void)state;

    issue(GROUP, TARGET, now);
    strcpy(field, sent_back(cookie));
    for (char *c = strchr(field, '=') + 1; *c != '\0'; c++) {
        char kept = *c;
        *c = kept == 'A' ? 'B' : 'A';
        assert_int_equal(read_field(field), 0);
        *c = kept;
    }
    assert_int_equal(read_field(field), TARGET);
}

static void test_first_that_opens_wins(void **state)
{
    char field[1024], fake[88];
    (void)state;

    memset(fake, 'A', 87);
    fake[87] = '\0';
    issue(GROUP, TARGET, now);
    size_t n =
        (size_t)snprintf(field, sizeof(field), "AWSALB=%s; AWSALB=%s; ", fake, value_of(cookie));
    issue(GROUP, TARGET + 1, now);
    snprintf(field + n, sizeof(field) - n, "AWSALB=%s", value_of(cookie));
    assert_int_equal(read_field(field), TARGET);
}

static void test_cookie_of_another_group_is_passed_over(void **state)
{
    char field[1024];
    (void)state;

    issue(GROUP + 1, TARGET, now);
    strcpy(field, sent_back(cookie));
    assert_int_equal(read_field(field), 0);
    issue(GROUP, TARGET + 1, now);
    strcat(field, ";");
    strcat(field, sent_back(cookie));
    assert_int_equal(read_field(field), TARGET + 1);
}

static void test_expiry(void **state)
{
    const struct stickiness_policy shorter = { STICKINESS_COOKIE, STICKINESS_CORS_COOKIE, 10, 0 };
    const struct stickiness_policy longer = { STICKINESS_COOKIE, STICKINESS_CORS_COOKIE, 1000, 0 };
    const struct {
        const struct stickiness_policy *policy;
        uint64_t after_s;
        enum stickiness_lookup want;
    } cases[] = {
        { &policy, DURATION - 1, STICKINESS_FOUND }, { &policy, DURATION, STICKINESS_STALE },
        { &shorter, 9, STICKINESS_FOUND },           { &shorter, 10, STICKINESS_STALE },
        { &longer, DURATION - 1, STICKINESS_FOUND }, { &longer, DURATION, STICKINESS_STALE },
    };
    (void)state;

    issue(GROUP, TARGET, now);
    const char *field = sent_back(cookie);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct span fields[] = { span_text(field) };
        uint64_t target;
        assert_int_equal(stickiness_read(cases[i].policy, ring,
                                         (struct stickiness_fields){ fields, 1 }, GROUP,
                                         now + cases[i].after_s, &target),
                         cases[i].want);
    }
    /* Issued by another balancer whose clock is ahead. */
    assert_int_equal(read_at(field, GROUP, now - 5), TARGET);
}

/* A field of false cookies costs STICKINESS_TRIES openings, however many there are; what has the
 * wrong length costs none. */
static void test_tries_are_bounded(void **state)
{
    enum { COUNT = 1000, EACH = sizeof("AWSALB=;") - 1 + 87 };
    char *fakes = mem_zero(COUNT * EACH + STICKINESS_SET_COOKIE_MAX);
    (void)state;

    for (size_t i = 0; i < COUNT; i++) {
        memset(fakes + i * EACH, 'A', EACH);
        memcpy(fakes + i * EACH, "AWSALB=", 7);
        fakes[i * EACH + EACH - 1] = ';';
    }
    issue(GROUP, TARGET, now);
    strcpy(fakes + COUNT * EACH, sent_back(cookie));

    assert_int_equal(read_field(fakes + (COUNT - STICKINESS_TRIES + 1) * EACH), TARGET);
    assert_int_equal(read_field(fakes + (COUNT - STICKINESS_TRIES) * EACH), 0);
    assert_int_equal(read_field(fakes), 0);
    assert_int_equal(lookup, STICKINESS_INVALID);

    for (size_t i = 0; i < COUNT; i++)
        fakes[i * EACH + EACH - 2] = ' '; /* a character less: not even tried */
    assert_int_equal(read_field(fakes), TARGET);
    free(fakes);
}

/* A value sealed with our key for another use, of the same size, is no cookie. */
static void test_another_purpose_is_no_cookie(void **state)
{
    char field[SEAL_TEXT_SIZE(32) + 8] = "AWSALB=";
    uint8_t plain[32] = { [7] = GROUP, [15] = TARGET, [16] = 0, [24] = 0xff };
    (void)state;

    assert_int_equal(seal(ring, SPAN("session"), span_of(plain, 32), field + 7), 87);
    assert_int_equal(read_field(field), 0);
}

/* --- what the lookup says -------------------------------------------------------- */

/* <m>, <f> and <g> are these three. */
static void expand(const char *text, const char *const values[3], char *out, size_t size)
{
    static const char marks[] = "mfg";
    size_t n = 0;

    for (; *text != '\0'; text++) {
        const char *mark = *text == '<' ? strchr(marks, text[1]) : NULL;
        if (mark == NULL)
            n += (size_t)snprintf(out + n, size - n, "%c", *text);
        else
            n += (size_t)snprintf(out + n, size - n, "%s", values[mark - marks]);
        text += mark == NULL ? 0 : 2;
    }
}

/* The best of all is told. */
static void test_lookups(void **state)
{
    static const char managed[] =
        "2W/GV5RHWOnI1eKt8uaZZGlniavOP19H51ajcdACjRFKUYg1pXtMdosTOJYBMUm5+t7gFPQCFoYTeyXiJ3BXMHmdN"
        "qTcb7RnnW+S6BJaaay0rQtaJbdMrb8ii5NN";
    static const char forged[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                                 "AAAAAAAAAAAAAAAAAAAAAA";
    static const struct {
        const char *field; /* <m>: one of the managed balancer; <f>: forged; <g>: good */
        uint64_t after_s;
        enum stickiness_lookup want;
    } cases[] = {
        { "a=1", 0, STICKINESS_NONE },
        { "AWSALB=", 0, STICKINESS_FOREIGN },
        { "AWSALB=x", 0, STICKINESS_FOREIGN },
        { "AWSALB=%41<g>", 0, STICKINESS_FOREIGN },
        { "AWSALB=<m>", 0, STICKINESS_MANAGED },
        { "AWSALBCORS=<m>", 0, STICKINESS_MANAGED },
        { "AWSALB=<m>.", 0, STICKINESS_FOREIGN },
        { "AWSALB=<f>", 0, STICKINESS_INVALID },
        { "AWSALB=<f>; AWSALBCORS=<m>", 0, STICKINESS_INVALID },
        { "AWSALB=<g>", DURATION, STICKINESS_STALE },
        { "AWSALB=<f>; AWSALB=<g>", DURATION, STICKINESS_STALE },
        { "AWSALB=<m>; AWSALB=<g>", 0, STICKINESS_FOUND },
    };
    (void)state;

    issue(GROUP, TARGET, now);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *const values[] = { managed, forged, value_of(cookie) };
        char field[1024];
        expand(cases[i].field, values, field, sizeof(field));
        read_at(field, GROUP, now + cases[i].after_s);
        if (lookup != cases[i].want)
            fail_msg("%s: %d", cases[i].field, (int)lookup);
    }
}

static void test_several_fields_are_one(void **state)
{
    uint64_t id;
    (void)state;

    issue(GROUP, TARGET, now);
    const struct span fields[] = { SPAN(""), SPAN("a=1"), SPAN(";"), span_text(sent_back(cookie)) };
    const struct stickiness_fields all = { fields, 4 }, some = { fields, 3 }, none = { NULL, 0 };
    assert_int_equal(stickiness_read(&policy, ring, all, GROUP, now, &id), STICKINESS_FOUND);
    assert_int_equal(id, TARGET);
    assert_int_equal(stickiness_read(&policy, ring, some, GROUP, now, &id), STICKINESS_NONE);
    assert_int_equal(stickiness_read(&policy, ring, none, GROUP, now, &id), STICKINESS_NONE);
}

/* --- groups ---------------------------------------------------------------------- */

static void test_a_group_is_no_target(void **state)
{
    const struct stickiness_policy group = { STICKINESS_GROUP_COOKIE, STICKINESS_GROUP_CORS_COOKIE,
                                             DURATION, STICKINESS_GROUP };
    const struct stickiness_policy as_target = { STICKINESS_GROUP_COOKIE,
                                                 STICKINESS_GROUP_CORS_COOKIE, DURATION,
                                                 STICKINESS_LB };
    uint64_t id;
    (void)state;

    issue(0, GROUP, now); /* of the same numbers, and the same place in the cache */
    const char *const other = value_of(cookie);
    stickiness_issue(&group, &cache, 0, GROUP, now, cookie, cors);
    assert_string_not_equal(value_of(cookie), other);
    assert_true(span_starts_with(span_text(cookie), SPAN("AWSALBTG=")));
    assert_true(span_starts_with(span_text(cors), SPAN("AWSALBTGCORS=")));
    const struct span field = span_text(sent_back(cors));
    const struct stickiness_fields fields = { &field, 1 };
    assert_int_equal(stickiness_read(&group, ring, fields, 0, now, &id), STICKINESS_FOUND);
    assert_int_equal(id, GROUP);
    assert_int_equal(stickiness_read(&as_target, ring, fields, 0, now, &id), STICKINESS_INVALID);
}

/* --- names ------------------------------------------------------------------ */

static void test_ids(void **state)
{
    char a[24], b[24];
    (void)state;

    /* The published values of FNV-1a: cookies outlive this build. */
    assert_true(stickiness_id(SPAN("")) == 0xcbf29ce484222325);
    assert_true(stickiness_id(SPAN("a")) == 0xaf63dc4c8601ec8c);
    assert_true(stickiness_id(SPAN("foobar")) == 0x85944171f73967e8);
    for (int i = 0; i < 300; i++) {
        snprintf(a, sizeof(a), "10.0.1.%d:9001", i);
        for (int j = 0; j < i; j++) {
            snprintf(b, sizeof(b), "10.0.1.%d:9001", j);
            assert_true(stickiness_id(span_text(a)) != stickiness_id(span_text(b)));
        }
    }
}

static void test_cookie_names(void **state)
{
    static const char *const good[] = { "AWSALB", "a", "x-y_z.1", "!#$%&'*+-.^_`|~" };
    static const char *const bad[] = { "",    "a b", "a=b",      "a;b", "a\"",
                                       "a,b", "a/b", "\xc3\xa4", "a\n", "(a)" };
    char longest[STICKINESS_NAME_MAX + 2];
    (void)state;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(stickiness_is_cookie_name(span_text(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(stickiness_is_cookie_name(span_text(bad[i])));
    assert_false(stickiness_is_cookie_name(SPAN("a\0b")));
    memset(longest, 'n', sizeof(longest));
    assert_true(stickiness_is_cookie_name(span_of(longest, STICKINESS_NAME_MAX)));
    assert_false(stickiness_is_cookie_name(span_of(longest, STICKINESS_NAME_MAX + 1)));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_two_lines),
        TEST(test_longest_names_fit),
        TEST(test_one_value_a_target_and_second),
        TEST(test_a_new_ring_forgets),
        TEST(test_either_twin_will_do),
        TEST(test_fields),
        TEST(test_changed_values_do_not_open),
        TEST(test_first_that_opens_wins),
        TEST(test_cookie_of_another_group_is_passed_over),
        TEST(test_expiry),
        TEST(test_tries_are_bounded),
        TEST(test_another_purpose_is_no_cookie),
        TEST(test_lookups),
        TEST(test_several_fields_are_one),
        TEST(test_a_group_is_no_target),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_cookie_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
