/* Sealed values open for us only; key files are refused with the cure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/seal.h"

#define KEY_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_B "F0E0D0C0B0A090807060504030201000f1e1d1c1b1a191817161514131211101"

#define COOKIE SPAN("cookie")

static char text[SEAL_TEXT_SIZE(SEAL_PLAIN_MAX)];
static uint8_t opened[SEAL_PLAIN_MAX];
static size_t opened_len;

static bool opens(const struct seal_ring *ring, struct span purpose, const char *sealed)
{
    return seal_open(ring, purpose, span_text(sealed), opened, &opened_len);
}

static void test_round_trip_of_every_length(void **state)
{
    struct seal_ring *ring = seal_ring_random();
    uint8_t plain[SEAL_PLAIN_MAX];
    (void)state;

    for (size_t n = 0; n <= SEAL_PLAIN_MAX; n++) {
        for (size_t i = 0; i < n; i++)
            plain[i] = (uint8_t)(i * n);
        size_t len = seal(ring, COOKIE, span_of(plain, n), text);
        assert_int_equal(len, strlen(text));
        assert_true(len < SEAL_TEXT_SIZE(n));
        assert_true(opens(ring, COOKIE, text));
        assert_int_equal(opened_len, n);
        assert_memory_equal(opened, plain, n);
    }
    seal_ring_free(&ring);
    assert_null(ring);
}

static void test_every_other_character_is_refused(void **state)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. ";
    struct seal_ring *ring = seal_ring_random();
    (void)state;

    /* Lengths 30 to 32: the last character carries 0, 4 and 2 spare bits, and a
     * text that differs in those alone is not ours either. */
    for (size_t n = 30; n <= 32; n++) {
        size_t len = seal(ring, COOKIE, span_of("0123456789abcdef0123456789abcdef", n), text);
        for (size_t i = 0; i < len; i++) {
            char kept = text[i];
            for (const char *c = alphabet; *c != '\0'; c++) {
                text[i] = *c;
                assert_int_equal(opens(ring, COOKIE, text), *c == kept);
            }
            text[i] = kept;
        }
    }
    seal_ring_free(&ring);
}

static void test_no_prefix_opens(void **state)
{
    struct seal_ring *ring = seal_ring_random();
    size_t len = seal(ring, COOKIE, SPAN("ten bytes."), text);
    (void)state;

    for (size_t n = 0; n < len; n++)
        assert_false(seal_open(ring, COOKIE, span_of(text, n), opened, &opened_len));
    strcat(text, "A");
    assert_false(opens(ring, COOKIE, text));
    memset(text, 'A', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_false(opens(ring, COOKIE, text));
    seal_ring_free(&ring);
}

static void test_purpose_and_ring_matter(void **state)
{
    struct seal_ring *ring = seal_ring_random(), *other = seal_ring_random();
    (void)state;

    seal(ring, COOKIE, SPAN("x"), text);
    assert_true(opens(ring, COOKIE, text));
    assert_false(opens(ring, SPAN("cooki"), text));
    assert_false(opens(ring, SPAN("cookie2"), text));
    assert_false(opens(ring, SPAN(""), text));
    assert_false(opens(other, COOKIE, text));
    seal_ring_free(&ring);
    seal_ring_free(&other);
}

static void test_same_value_never_looks_the_same(void **state)
{
    struct seal_ring *ring = seal_ring_random();
    char again[SEAL_TEXT_SIZE(1)];
    (void)state;

    seal(ring, COOKIE, SPAN("x"), text);
    seal(ring, COOKIE, SPAN("x"), again);
    assert_string_not_equal(text, again);
    seal_ring_free(&ring);
}

/* --- key files -------------------------------------------------------------- */

static char path[64];

static struct seal_ring *read_keys(const char *content, mode_t mode, char why[300])
{
    strcpy(path, "/tmp/test_seal.XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd != -1);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    /* The group may read one of root's (base/text.h). */
    if (geteuid() == 0)
        assert_int_equal(fchown(fd, 65534, 65534), 0);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    struct seal_ring *ring = seal_ring_read(path, why, 300);
    unlink(path);
    return ring;
}

static struct seal_ring *good_keys(const char *content)
{
    char why[300];
    struct seal_ring *ring = read_keys(content, 0600, why);

    if (ring == NULL)
        fail_msg("%s", why);
    return ring;
}

/* AES-256-GCM of "hello" with key A, nonce 00..0b and purpose "cookie", made
 * with another library (python3-cryptography). */
#define KNOWN "AWMNzSkAAQIDBAUGBwgJCgsvZ7p3qsHr0C1eeIjS0K4GdR6gYy0"

static void test_known_value(void **state)
{
    struct seal_ring *ring = good_keys(KEY_A "\n");
    (void)state;

    assert_true(opens(ring, COOKIE, KNOWN));
    assert_int_equal(opened_len, 5);
    assert_memory_equal(opened, "hello", 5);
    seal_ring_free(&ring);
}

static void test_rotation(void **state)
{
    struct seal_ring *before = good_keys("# January\n" KEY_A "\n");
    struct seal_ring *both = good_keys("# February\r\n  " KEY_B "  # new\r\n\r\n" KEY_A);
    struct seal_ring *after = good_keys(KEY_B "\n");
    (void)state;

    seal(before, COOKIE, SPAN("x"), text);
    assert_true(opens(both, COOKIE, text));
    assert_false(opens(after, COOKIE, text));
    seal(both, COOKIE, SPAN("x"), text);
    assert_true(opens(after, COOKIE, text));
    assert_false(opens(before, COOKIE, text));
    seal_ring_free(&before);
    seal_ring_free(&both);
    seal_ring_free(&after);
}

static void test_bad_key_files(void **state)
{
    static const struct {
        const char *name, *content;
        mode_t mode;
        const char *says;
    } cases[] = {
        { "others may read", KEY_A "\n", 0604, "mode 0604 lets others at it; chmod 600 /tmp" },
        { "the group may read", KEY_A "\n", 0640, "chmod 600 /tmp" },
        { "empty", "", 0600, "no key in it" },
        { "comments only", "# " KEY_A "\n", 0600, "no key in it" },
        { "a digit short", "# one\n" KEY_A "\n0" KEY_A "\n", 0400, ":3: a key is 64 hexadecimal" },
        { "no digits", "x" KEY_A "\n", 0600, ":1: a key is 64 hexadecimal" },
        { "two on a line", KEY_A " " KEY_B "\n", 0600, ":1: a key is 64 hexadecimal" },
        { "another letter",
          "g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
          "\n",
          0600, ":1: a key is 64 hexadecimal" },
    };
    char why[300];
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_null(read_keys(cases[i].content, cases[i].mode, why));
        if (strstr(why, cases[i].says) == NULL || !span_starts_with(span_text(why), SPAN("/tmp")))
            fail_msg("%s: said \"%s\"", cases[i].name, why);
        assert_null(strstr(why, "0a0b0c0d"));
    }
    assert_null(seal_ring_read("/nonexistent/keys", why, sizeof(why)));
    assert_non_null(strstr(why, "/nonexistent/keys"));
}

static void test_number_of_keys(void **state)
{
    char many[(SEAL_KEYS_MAX + 1) * 65 + 1], why[300];
    (void)state;

    for (size_t i = 0; i <= SEAL_KEYS_MAX; i++)
        snprintf(many + 65 * i, 66, "%064zx\n", i);
    assert_null(read_keys(many, 0600, why));
    assert_non_null(strstr(why, ":17: more than 16 keys"));
    struct seal_ring *oldest = good_keys(many + 65 * (SEAL_KEYS_MAX - 1) + 65);
    many[65 * SEAL_KEYS_MAX] = '\0';
    struct seal_ring *ring = good_keys(many), *last = good_keys(many + 65 * (SEAL_KEYS_MAX - 1));
    seal(last, COOKIE, SPAN("x"), text);
    assert_true(opens(ring, COOKIE, text));
    seal(oldest, COOKIE, SPAN("x"), text);
    assert_false(opens(ring, COOKIE, text));
    seal_ring_free(&oldest);
    seal_ring_free(&last);
    seal_ring_free(&ring);
}

static void test_a_saved_ring_opens_what_the_first_sealed(void **state)
{
    struct seal_ring *ring = seal_ring_random();
    uint8_t keys[SEAL_KEYS_MAX * SEAL_KEY_BYTES];
    (void)state;

    const size_t len = seal_ring_save(ring, keys);
    struct seal_ring *again = seal_ring_load(span_of(keys, len));
    assert_non_null(again);
    seal(ring, COOKIE, SPAN("plain"), text);
    assert_true(opens(again, COOKIE, text));
    for (size_t cut = 0; cut < len; cut++) {
        struct seal_ring *part = seal_ring_load(span_of(keys, cut));
        assert_true((part != NULL) == (cut > 0 && cut % SEAL_KEY_BYTES == 0));
        seal_ring_free(&part);
    }
    seal_ring_free(&ring);
    seal_ring_free(&again);
}

static const char hex[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde";

/* A letter stands for a key. */
static struct seal_ring *ring_of(const char *letters)
{
    char content[1024] = "";
    size_t n = 0;

    for (; *letters != '\0'; letters++)
        n += (size_t)snprintf(content + n, sizeof(content) - n, "%s%c\n", hex, *letters);
    return good_keys(content);
}

static void test_rings_are_compared(void **state)
{
    static const struct {
        const char *now, *next;
        bool goes_on, seals_alike;
        size_t come, go;
    } rows[] = {
        { "a", "a", true, true, 0, 0 },      { "a", "ba", true, false, 1, 0 },
        { "a", "ab", true, true, 1, 0 },     { "ba", "b", true, true, 0, 1 },
        { "ba", "a", false, false, 0, 1 },   { "a", "b", false, false, 1, 1 },
        { "abc", "cab", true, false, 0, 0 }, { "ab", "cd", false, false, 2, 2 },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct seal_ring *now = ring_of(rows[i].now), *next = ring_of(rows[i].next);
        if (seal_ring_goes_on(now, next) != rows[i].goes_on ||
            seal_ring_seals_alike(now, next) != rows[i].seals_alike ||
            seal_ring_count_missing(next, now) != rows[i].come ||
            seal_ring_count_missing(now, next) != rows[i].go)
            fail_msg("%s to %s", rows[i].now, rows[i].next);
        seal_ring_free(&now);
        seal_ring_free(&next);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_saved_ring_opens_what_the_first_sealed),
        cmocka_unit_test(test_round_trip_of_every_length),
        cmocka_unit_test(test_every_other_character_is_refused),
        cmocka_unit_test(test_no_prefix_opens),
        cmocka_unit_test(test_purpose_and_ring_matter),
        cmocka_unit_test(test_same_value_never_looks_the_same),
        cmocka_unit_test(test_known_value),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_bad_key_files),
        cmocka_unit_test(test_number_of_keys),
        cmocka_unit_test(test_rings_are_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
