/* Numbers, durations, sizes, base64, JSON, wildcards and files: cases and properties. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "base/text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* So that a failure names its row. */
static void check(bool right, const char *what, struct span text)
{
    if (!right)
        fail_msg("%s: \"%.*s\"", what, SPAN_ARGS(text));
}

struct number {
    struct span text;
    bool good;
    uint64_t value;
};

static void check_numbers(bool read(struct span, uint64_t *), const char *what,
                          const struct number *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t got = 0;
        check(read(cases[i].text, &got) == cases[i].good, what, cases[i].text);
        check(got == cases[i].value, what, cases[i].text);
    }
}

static void test_u64(void **state)
{
    static const struct number cases[] = {
        { SPAN_INIT("0"), true, 0 },
        { SPAN_INIT("007"), true, 7 },
        { SPAN_INIT("18446744073709551615"), true, UINT64_MAX },
        { SPAN_INIT("18446744073709551616"), false, 0 },
        { SPAN_INIT("99999999999999999999"), false, 0 },
        { SPAN_INIT("00000000000000000001"), true, 1 },
        { SPAN_INIT("000000000000000000001"), false, 0 },
        { SPAN_INIT(""), false, 0 },
        { SPAN_INIT("-1"), false, 0 },
        { SPAN_INIT("+1"), false, 0 },
        { SPAN_INIT(" 1"), false, 0 },
        { SPAN_INIT("1 "), false, 0 },
        { SPAN_INIT("0x1"), false, 0 },
        { SPAN_INIT("1\0"), false, 0 },
    };
    (void)state;

    check_numbers(text_u64, "u64", cases, COUNT(cases));
}

static void test_hex(void **state)
{
    static const struct number cases[] = {
        { SPAN_INIT("0"), true, 0 },
        { SPAN_INIT("fF"), true, 255 },
        { SPAN_INIT("ffffffffffffffff"), true, UINT64_MAX },
        { SPAN_INIT("0ffffffffffffffff"), false, 0 },
        { SPAN_INIT(""), false, 0 },
        { SPAN_INIT("0x1"), false, 0 },
        { SPAN_INIT("g"), false, 0 },
    };
    (void)state;

    check_numbers(text_hex_u64, "hex", cases, COUNT(cases));
}

static void test_durations(void **state)
{
    static const struct {
        struct span text;
        bool bare_seconds, good;
        uint32_t ms;
    } cases[] = {
        { SPAN_INIT("250ms"), false, true, 250 },
        { SPAN_INIT("30s"), false, true, 30000 },
        { SPAN_INIT("5m"), false, true, 300000 },
        { SPAN_INIT("2h"), false, true, 7200000 },
        { SPAN_INIT("1d"), false, true, 86400000 },
        { SPAN_INIT("0"), false, true, 0 },
        { SPAN_INIT("0s"), false, true, 0 },
        { SPAN_INIT("60"), false, false, 0 },
        { SPAN_INIT("60"), true, true, 60000 },
        { SPAN_INIT("60s"), true, true, 60000 },
        { SPAN_INIT("4294967295ms"), false, true, UINT32_MAX },
        { SPAN_INIT("4294967296ms"), false, false, 0 },
        { SPAN_INIT("50d"), false, false, 0 },
        { SPAN_INIT("4294968"), true, false, 0 },
        { SPAN_INIT("18446744073709551615"), true, false, 0 },
        { SPAN_INIT("18446744073709551615d"), true, false, 0 },
        { SPAN_INIT("1.5s"), false, false, 0 },
        { SPAN_INIT("30 s"), false, false, 0 },
        { SPAN_INIT("s"), false, false, 0 },
        { SPAN_INIT("1w"), false, false, 0 },
        { SPAN_INIT(""), true, false, 0 },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        uint32_t ms = 0;
        bool good = text_duration(cases[i].text, cases[i].bare_seconds, &ms);
        check(good == cases[i].good, "duration", cases[i].text);
        check(ms == cases[i].ms, "duration value", cases[i].text);
    }
}

static void test_sizes_and_formats(void **state)
{
    char out[16];
    uint64_t size;
    (void)state;

    assert_true(text_size(SPAN("65536"), &size) && size == 65536);
    assert_true(text_size(SPAN("64k"), &size) && size == 65536);
    assert_true(text_size(SPAN("1M"), &size) && size == 1048576);
    assert_true(text_size(SPAN("2g"), &size) && size == 2147483648);
    assert_false(text_size(SPAN("k"), &size));
    assert_false(text_size(SPAN("1kb"), &size));
    assert_false(text_size(SPAN("18446744073709551615k"), &size));
    assert_string_equal(text_format_size(65536, out), "64k");
    assert_string_equal(text_format_size(65537, out), "65537");
    assert_string_equal(text_format_duration(0, out), "0");
    assert_string_equal(text_format_duration(250, out), "250ms");
    assert_string_equal(text_format_duration(90000, out), "90s");
    assert_string_equal(text_format_duration(300000, out), "5m");
    assert_string_equal(text_format_duration(UINT32_MAX, out), "4294967295ms");
}

static void test_bool(void **state)
{
    static const struct {
        struct span text;
        int want; /* -1: refused */
    } cases[] = {
        { SPAN_INIT("true"), 1 }, { SPAN_INIT("Yes"), 1 },   { SPAN_INIT("ON"), 1 },
        { SPAN_INIT("no"), 0 },   { SPAN_INIT("FALSE"), 0 }, { SPAN_INIT("off"), 0 },
        { SPAN_INIT("1"), -1 },   { SPAN_INIT("y"), -1 },    { SPAN_INIT(""), -1 },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        bool got;
        int result = text_bool(cases[i].text, &got) ? got : -1;
        check(result == cases[i].want, "bool", cases[i].text);
    }
}

static void test_json_escape(void **state)
{
    static const struct {
        struct span text;
        const char *want;
    } cases[] = {
        { SPAN_INIT("plain"), "plain" },
        { SPAN_INIT("\"\\/"), "\\\"\\\\/" },
        { SPAN_INIT("a\n\t\r\b\f"), "a\\n\\t\\r\\b\\f" },
        { SPAN_INIT("\0\x1f\x7f"), "\\u0000\\u001f\x7f" },
        { SPAN_INIT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
          "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
        { SPAN_INIT("\xff\xc3"), "\xef\xbf\xbd\xef\xbf\xbd" },
        { SPAN_INIT("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd" },                 /* overlong */
        { SPAN_INIT("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }, /* surrogate */
        { SPAN_INIT("\xf4\x90\x80\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { SPAN_INIT(""), "" },
    };
    char out[64];
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = text_json_escape(cases[i].text, out, sizeof(out));
        assert_string_equal(out, cases[i].want);
        assert_int_equal(n, strlen(cases[i].want));
    }
}

/* However small the room, what is written is a start of the whole that ends
 * between characters. */
static void test_json_escape_cuts_between_characters(void **state)
{
    struct span text = SPAN("a\"\x01\xe2\x82\xac\xffz");
    const char *whole = "a\\\"\\u0001\xe2\x82\xac\xef\xbf\xbdz";
    char out[32];
    (void)state;

    assert_int_equal(text_json_escape(text, NULL, 0), 0);
    for (size_t size = 1; size < sizeof(out); size++) {
        size_t n = text_json_escape(text, out, size);
        bool is_boundary = n == 0 || n == 1 || n == 3 || n == 9 || n == 12 || n == 15 || n == 16;
        assert_true(n < size && is_boundary);
        assert_memory_equal(out, whole, n);
        assert_int_equal(out[n], '\0');
    }
}

static void test_base64(void **state)
{
    static const char *const cases[][2] = {
        /* RFC 4648 section 10 */
        { "", "" },
        { "f", "Zg==" },
        { "fo", "Zm8=" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" },
        { "fooba", "Zm9vYmE=" },
        { "foobar", "Zm9vYmFy" },
        { "\xfb\xff\xfe", "+//+" },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[32];
        assert_int_equal(text_base64(cases[i][0], strlen(cases[i][0]), out), strlen(cases[i][1]));
        assert_string_equal(out, cases[i][1]);
    }
}

static void test_base64_refusals(void **state)
{
    static const struct span bad[] = {
        SPAN_INIT("Zg"),   SPAN_INIT("Zg="),  SPAN_INIT("Zg==="),    SPAN_INIT("Zh=="),
        SPAN_INIT("Zm9="), SPAN_INIT("Z==="), SPAN_INIT("===="),     SPAN_INIT("Zm9v\n"),
        SPAN_INIT("Zm-_"), SPAN_INIT("Z m9"), SPAN_INIT("Zg==Zg=="), SPAN_INIT("=Zm9"),
    };
    static const struct span bad_url[] = { SPAN_INIT("Z"), SPAN_INIT("Zg=="), SPAN_INIT("Zh"),
                                           SPAN_INIT("+/++") };
    uint8_t out[16];
    size_t n;
    (void)state;

    for (size_t i = 0; i < COUNT(bad); i++)
        check(!text_base64_decode(bad[i], out, sizeof(out), &n), "base64", bad[i]);
    for (size_t i = 0; i < COUNT(bad_url); i++)
        check(!text_base64url_decode(bad_url[i], out, sizeof(out), &n), "base64url", bad_url[i]);
    assert_false(text_base64_decode(SPAN("Zm9v"), out, 2, &n));
    assert_true(text_base64_decode(SPAN("Zm9v"), out, 3, &n));
}

static void test_base64_round_trip(void **state)
{
    (void)state;

    for (size_t len = 0; len <= 48; len++) {
        uint8_t bytes[48], back[48];
        char text[TEXT_BASE64_SIZE(48)];
        size_t n;
        random_bytes(bytes, len);
        size_t written = text_base64(bytes, len, text);
        assert_int_equal(written, TEXT_BASE64_SIZE(len) - 1);
        assert_true(text_base64_decode(span_of(text, written), back, len, &n));
        assert_true(n == len && memcmp(back, bytes, len) == 0);
        written = text_base64url(bytes, len, text);
        assert_true(text_base64url_decode(span_of(text, written), back, len, &n));
        assert_true(n == len && memcmp(back, bytes, len) == 0);
    }
}

static void test_equal_constant_time(void **state)
{
    (void)state;

    assert_true(text_equal_constant_time(SPAN("secret"), SPAN("secret")));
    assert_true(text_equal_constant_time(SPAN(""), SPAN("")));
    assert_false(text_equal_constant_time(SPAN("secret"), SPAN("secreT")));
    assert_false(text_equal_constant_time(SPAN("secret"), SPAN("Secret")));
    assert_false(text_equal_constant_time(SPAN("secret"), SPAN("secret2")));
    assert_false(text_equal_constant_time(SPAN(""), SPAN("x")));
}

static void test_wildcards(void **state)
{
    static const struct {
        struct span pattern, text;
        bool nocase, want;
    } cases[] = {
        { SPAN_INIT("/ws/*"), SPAN_INIT("/ws/"), false, true },
        { SPAN_INIT("/ws/*"), SPAN_INIT("/ws/room/1"), false, true },
        { SPAN_INIT("/ws/*"), SPAN_INIT("/ws"), false, false },
        { SPAN_INIT("/WS/*"), SPAN_INIT("/ws/x"), false, false },
        { SPAN_INIT("*.Example.com"), SPAN_INIT("a.b.eXample.COM"), true, true },
        { SPAN_INIT("*.example.com"), SPAN_INIT("example.com"), true, false },
        { SPAN_INIT("a?c"), SPAN_INIT("abc"), false, true },
        { SPAN_INIT("a?c"), SPAN_INIT("ac"), false, false },
        { SPAN_INIT("*"), SPAN_INIT(""), false, true },
        { SPAN_INIT(""), SPAN_INIT(""), false, true },
        { SPAN_INIT(""), SPAN_INIT("a"), false, false },
        { SPAN_INIT("**"), SPAN_INIT("a"), false, true },
        { SPAN_INIT("*a*b"), SPAN_INIT("xaxbxb"), false, true },
        { SPAN_INIT("*a*b"), SPAN_INIT("xaxbx"), false, false },
        { SPAN_INIT("*aab"), SPAN_INIT("aaaab"), false, true },
        { SPAN_INIT("?*"), SPAN_INIT(""), false, false },
        { SPAN_INIT("*"), SPAN_INIT("*"), false, true },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++)
        check(text_wildcard(cases[i].pattern, cases[i].text, cases[i].nocase) == cases[i].want,
              "wildcard", cases[i].pattern);
}

static void test_escaped_wildcards(void **state)
{
    static const struct {
        struct span pattern, text;
        bool want;
    } cases[] = {
        { SPAN_INIT("a\\*"), SPAN_INIT("a*"), true },
        { SPAN_INIT("a\\*"), SPAN_INIT("ab"), false },
        { SPAN_INIT("a\\?c"), SPAN_INIT("A?C"), true },
        { SPAN_INIT("a\\?c"), SPAN_INIT("abc"), false },
        { SPAN_INIT("*\\**"), SPAN_INIT("x*y"), true },
        { SPAN_INIT("*\\**"), SPAN_INIT("xy"), false },
        { SPAN_INIT("*\\*"), SPAN_INIT("**a*"), true },
        { SPAN_INIT("a\\b"), SPAN_INIT("a\\b"), true }, /* any other backslash is one */
        { SPAN_INIT("a\\"), SPAN_INIT("a\\"), true },
        { SPAN_INIT("a\\*"), SPAN_INIT("a"), false },
        { SPAN_INIT("a\\\\*"), SPAN_INIT("a\\*"), true },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++)
        check(text_wildcard_escaped(cases[i].pattern, cases[i].text, true) == cases[i].want,
              "escaped wildcard", cases[i].pattern);
}

/* By the definition: exponential, for short texts only. */
static bool fits_by_definition(const char *pattern, const char *text)
{
    if (*pattern == '\0')
        return *text == '\0';
    if (*pattern == '*')
        return fits_by_definition(pattern + 1, text) ||
               (*text != '\0' && fits_by_definition(pattern, text + 1));
    return *text != '\0' && (*pattern == '?' || *pattern == *text) &&
           fits_by_definition(pattern + 1, text + 1);
}

/* The n-th word of at most `max` of these letters. */
static void nth_word(unsigned n, const char *letters, char *out)
{
    const unsigned base = (unsigned)strlen(letters);

    for (; n > 0; n = (n - 1) / base)
        *out++ = letters[(n - 1) % base];
    *out = '\0';
}

static void test_wildcards_are_what_their_definition_says(void **state)
{
    char pattern[16], text[16];
    (void)state;

    for (unsigned p = 0; p < 1365; p++) { /* up to 5 letters */
        nth_word(p, "ab*?", pattern);
        for (unsigned t = 0; t < 127; t++) { /* up to 6 */
            nth_word(t, "ab", text);
            if (text_wildcard(span_text(pattern), span_text(text), t % 2) !=
                fits_by_definition(pattern, text))
                fail_msg("%s and %s", pattern, text);
        }
    }
}

static void test_wildcards_count_what_they_cost(void **state)
{
    static const struct {
        const char *pattern;
        uint64_t least, most;
    } cases[] = {
        { "b*", 0, 1 },      { "*", 1, 2 },           { "a*", 1, 3 },
        { "*b", 900, 1100 }, { "*ab", 16000, 40000 }, { "*aaaaaaaab", 100000, 200000 },
    };
    char text[16000];
    (void)state;

    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t steps = 0;
        text_wildcard_counted(span_text(cases[i].pattern), span_of(text, sizeof(text)), false,
                              false, &steps);
        if (steps < cases[i].least || steps > cases[i].most)
            fail_msg("%s costs %llu", cases[i].pattern, (unsigned long long)steps);
    }
}

/* What makes a matcher that goes back over and over take for ever. */
static void test_wildcards_are_bounded(void **state)
{
    char text[16384], pattern[128];
    (void)state;

    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = i % 2 == 0 ? '*' : 'a';
    pattern[127] = 'b';
    assert_false(text_wildcard(span_of(pattern, 128), span_of(text, sizeof(text)), true));
    memset(pattern, 'a', sizeof(pattern));
    pattern[0] = '*';
    pattern[127] = 'b';
    assert_false(text_wildcard(span_of(pattern, 128), span_of(text, sizeof(text)), true));
}

static void test_files(void **state)
{
    char path[] = "/tmp/test_text.XXXXXX", why[128], bytes[9000];
    int fd = mkstemp(path);
    size_t len;
    (void)state;

    assert_true(fd >= 0);
    random_bytes(bytes, sizeof(bytes));
    assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
    close(fd);
    char *text = text_read_file(path, sizeof(bytes), &len, why, sizeof(why));
    assert_non_null(text);
    assert_int_equal(len, sizeof(bytes));
    assert_memory_equal(text, bytes, len);
    assert_int_equal(text[len], '\0');
    free(text);

    assert_null(text_read_file(path, sizeof(bytes) - 1, &len, why, sizeof(why)));
    assert_non_null(strstr(why, "is larger than 8999 bytes"));
    unlink(path);
    assert_null(text_read_file(path, 10, &len, why, sizeof(why)));
    assert_true(strstr(why, "cannot open ") == why && strstr(why, "No such file") != NULL);
    assert_null(text_read_file("/", 10, &len, why, sizeof(why)));
    assert_string_equal(why, "cannot read /: Is a directory");
}

/* Whoever opens one would wait for somebody to write into it, and reads what is never whole. */
static void test_a_pipe_is_no_file(void **state)
{
    char folder[] = "/tmp/test_text.XXXXXX", path[sizeof(folder) + 8], why[128], said[160];
    size_t len;
    (void)state;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_null(text_read_file(path, 10, &len, why, sizeof(why)));
    snprintf(said, sizeof(said), "cannot read %s: it is a pipe; name a file", path);
    assert_string_equal(why, said);
    unlink(path);
    rmdir(folder);
}

static void test_input_may_come_through_a_pipe(void **state)
{
    char path[32], why[128];
    size_t len;
    int ends[2];
    (void)state;

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "a = 1\n", 6), 6);
    close(ends[1]);
    snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
    assert_null(text_read_file(path, 10, &len, why, sizeof(why)));
    char *text = text_read_input(path, 10, &len, why, sizeof(why));
    assert_non_null(text);
    assert_string_equal(text, "a = 1\n");
    free(text);
    close(ends[0]);
    assert_null(text_read_input("/", 10, &len, why, sizeof(why)));
    assert_string_equal(why, "cannot read /: Is a directory");
}

static bool is_read(const char *path, char why[128])
{
    size_t len;
    char *text = text_read_secret(path, 10, &len, why, 128);

    if (text == NULL)
        return false;
    text_free_secret(text, len);
    return true;
}

/* As systemd has a credential: root's, and the service's by an ACL that shows as the group's. */
static void test_who_may_read_a_private_file(void **state)
{
    static const struct {
        mode_t mode;
        bool ours, of_root;
    } cases[] = {
        { 0600, true, true },   { 0400, true, true },   { 0440, false, true },
        { 0640, false, true },  { 0620, false, false }, { 0650, false, false },
        { 0604, false, false }, { 0644, false, false }, { 0601, false, false },
    };
    char path[] = "/tmp/test_text.XXXXXX", why[128];
    const int fd = mkstemp(path);
    struct stat st;
    (void)state;

    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (uid_t owner = 0; owner < 2; owner++) {
            fchmod(fd, cases[i].mode);
            assert_int_equal(fstat(fd, &st), 0);
            if (st.st_uid != owner && fchown(fd, owner, owner) != 0)
                continue; /* only root gives files away */
            assert_int_equal(is_read(path, why), owner == 0 ? cases[i].of_root : cases[i].ours);
        }
    }
    assert_non_null(strstr(why, "mode 0601 lets others at it; chmod 600"));
    close(fd);
    unlink(path);
    assert_false(is_read(path, why));
    assert_non_null(strstr(why, "No such file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_u64),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_sizes_and_formats),
        cmocka_unit_test(test_bool),
        cmocka_unit_test(test_json_escape),
        cmocka_unit_test(test_json_escape_cuts_between_characters),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_base64_refusals),
        cmocka_unit_test(test_base64_round_trip),
        cmocka_unit_test(test_equal_constant_time),
        cmocka_unit_test(test_wildcards),
        cmocka_unit_test(test_escaped_wildcards),
        cmocka_unit_test(test_wildcards_are_what_their_definition_says),
        cmocka_unit_test(test_wildcards_count_what_they_cost),
        cmocka_unit_test(test_wildcards_are_bounded),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_a_pipe_is_no_file),
        cmocka_unit_test(test_input_may_come_through_a_pipe),
        cmocka_unit_test(test_who_may_read_a_private_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
