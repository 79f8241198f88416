/* test_edge_secret.c -- the origin secret: its file, its header's name, and which requests have
 * it. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "http/parse.h"

#include "alb/edge_secret.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define ONE "#1secret,=\"quoted\";~"
#define TWO "0123456789abcdef"
#define LONG_64 TWO TWO TWO TWO
#define LONGEST LONG_64 LONG_64

static struct http_message message; /* large */
static char path[] = "/tmp/test_secret.XXXXXX";

static void write_file(const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_TRUNC);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    /* The group may read one of root's (base/text.h). */
    if (geteuid() == 0)
        assert_int_equal(fchown(fd, 65534, 65534), 0);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static struct edge_secret *read_file(const char *text, char why[512])
{
    write_file(text, 0600);
    return edge_secret_read("X-Origin-Verify", path, why, 512);
}

static struct edge_secret *good(const char *text)
{
    char why[512];
    struct edge_secret *s = read_file(text, why);

    assert_non_null(s);
    return s;
}

/* --- the file -------------------------------------------------------------------------------- */

#define NOT_LONG "*:1: is not 16 to 128 characters long (openssl rand -hex 32)"
#define NOT_VISIBLE                                                                                \
    "has a blank, a carriage return or another byte that is no visible ASCII character; a line "   \
    "is "                                                                                          \
    "the secret and nothing else (openssl rand -hex 32)"

static const struct {
    const char *name, *text, *want; /* a '*' is any text */
} bad_files[] = {
    { "nothing", "", "*: no secret in it; make one: openssl rand -hex 32 > *" },
    { "an empty line", "\n", NOT_LONG },
    { "15 characters", "0123456789abcde\n", NOT_LONG },
    { "129 characters", LONGEST "g\n", NOT_LONG },
    { "three", ONE "\n" TWO "\n" LONGEST "\n",
      "*:3: is one secret too many: two are accepted at a time, so remove the oldest" },
    { "an empty line behind", ONE "\n\n", "*:2: is not 16 to 128 characters long *" },
    { "a blank within", "0123456789 abcdef\n", "*:1: " NOT_VISIBLE },
    { "a blank in front", " 0123456789abcdef\n", "*:1: " NOT_VISIBLE },
    { "a blank behind", ONE "\n0123456789abcdef \n", "*:2: " NOT_VISIBLE },
    { "a comment", "# the old one comes last\n" ONE "\n", "*:1: " NOT_VISIBLE },
    { "CRLF", ONE "\r\n", "*:1: " NOT_VISIBLE },
    { "not ASCII", "0123456789abcd\xc3\xa9\n", "*:1: " NOT_VISIBLE },
    { "DEL", "0123456789abcdef\x7f\n", "*:1: " NOT_VISIBLE },
};

/* And none says what stands there. */
static void test_files_that_are_no_good(void **state)
{
    char why[512];
    (void)state;

    for (size_t i = 0; i < COUNT(bad_files); i++) {
        assert_null(read_file(bad_files[i].text, why));
        if (!text_wildcard(span_text(bad_files[i].want), span_text(why), false))
            fail_msg("%s: %s", bad_files[i].name, why);
        assert_null(strstr(why, "23456789"));
        assert_null(strstr(why, "secret,="));
    }
}

static void test_only_its_owner_may_read_it(void **state)
{
    static const mode_t modes[] = { 0640, 0604, 0660, 0601, 0620 };
    char why[512];
    (void)state;

    for (size_t i = 0; i < COUNT(modes); i++) {
        write_file(ONE "\n", modes[i]);
        assert_null(edge_secret_read("X", path, why, sizeof(why)));
        assert_non_null(strstr(why, " lets others at it; chmod 600 /tmp/"));
    }
    assert_null(edge_secret_read("X", "/nonexistent/secret", why, sizeof(why)));
    assert_string_equal(why, "cannot open /nonexistent/secret: No such file or directory");
}

static void test_good_files(void **state)
{
    static const struct {
        const char *text;
        size_t count;
    } files[] = { { ONE, 1 }, { ONE "\n", 1 }, { TWO "\n" ONE, 2 }, { TWO "\n" LONGEST "\n", 2 } };
    (void)state;

    for (size_t i = 0; i < COUNT(files); i++) {
        struct edge_secret *s = good(files[i].text);
        assert_int_equal(edge_secret_count(s), files[i].count);
        assert_true(span_equal(edge_secret_header(s), SPAN("X-Origin-Verify")));
        edge_secret_free(&s);
        assert_null(s);
    }
}

static void test_equal(void **state)
{
    struct edge_secret *s[] = { good(ONE), good(ONE "\n"), good(ONE "\n" TWO), good(TWO "\n" ONE),
                                good(TWO) };
    (void)state;

    for (size_t i = 0; i < COUNT(s); i++) {
        for (size_t j = 0; j < COUNT(s); j++)
            assert_int_equal(edge_secret_equal(s[i], s[j]), i == j || i + j == 1);
    }
    for (size_t i = 0; i < COUNT(s); i++)
        edge_secret_free(&s[i]);
}

/* --- the header's name --------------------------------------------------------------------------
 */

#define CDN "*CloudFront does not let an origin's custom headers set*"
#define TAKEN "*means something else*"
#define NO_NAME "is not a header's name*"

static const struct {
    const char *name, *want; /* NULL: it will do */
} headers[] = {
    { "X-Origin-Verify", NULL },
    { "x-shared-1", NULL },
    { "Iffy", NULL },
    { "X-Amzn-Secret", NULL },
    { "Viable", NULL },
    { "", NO_NAME },
    { "X_Origin", NO_NAME },
    { "X Origin", NO_NAME },
    { "X-Origin:", NO_NAME },
    { LONGEST, NULL },
    { LONGEST "x", NO_NAME },
    { "Cache-Control", CDN },
    { "cookie", CDN },
    { "If-None-Match", CDN },
    { "If-", CDN },
    { "Proxy-Secret", CDN },
    { "Request-Range", CDN },
    { "TE", CDN },
    { "Via", CDN },
    { "X-Amz-Meta-Secret", CDN },
    { "X-Edge-Key", CDN },
    { "X-Real-IP", CDN },
    { "Host", CDN },
    { "CloudFront-Viewer-Address", "*CloudFront writes itself*" },
    { "User-Agent", TAKEN },
    { "X-Forwarded-For", TAKEN },
    { "XForwarded-For", TAKEN },
    { "Sec-WebSocket-Key", TAKEN },
    { "X-Amzn-Trace-Id", TAKEN },
    { "Authorization", TAKEN },
};

static void test_header_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(headers); i++) {
        const char *got = edge_secret_blame_header(span_text(headers[i].name));
        const bool ok =
            headers[i].want == NULL
                ? got == NULL
                : got != NULL && text_wildcard(span_text(headers[i].want), span_text(got), false);
        if (!ok)
            fail_msg("%s: %s", headers[i].name, got == NULL ? "will do" : got);
    }
}

/* --- requests ------------------------------------------------------------------------------------
 */

#define X "X-Origin-Verify: "
#define N "\r\n"

static const struct {
    const char *name, *fields;
    enum secret_verdict want;
    const char *left; /* names of the fields that stay */
} requests[] = {
    { "the first value", X ONE N, SECRET_RIGHT_FIRST, "Host" },
    { "the second", X TWO N, SECRET_RIGHT_SECOND, "Host" },
    { "in another case, between others", "A: b" N "x-ORIGIN-verify:" ONE N "C: d" N,
      SECRET_RIGHT_FIRST, "Host A C" },
    { "blanks around", "X-Origin-Verify: \t " ONE " \t" N, SECRET_RIGHT_FIRST, "Host" },
    { "none", "A: b" N, SECRET_MISSING, "Host A" },
    { "empty", X N, SECRET_WRONG, "Host" },
    { "another", X LONG_64 N, SECRET_WRONG, "Host" },
    { "a part", X "0123456789abcde" N, SECRET_WRONG, "Host" },
    { "one more character", X TWO "0" N, SECRET_WRONG, "Host" },
    { "in another case of letters", X "0123456789ABCDEF" N, SECRET_WRONG, "Host" },
    { "the longest that may be", X LONGEST N, SECRET_WRONG, "Host" },
    { "longer than may be", X LONGEST LONGEST N, SECRET_WRONG, "Host" },
    { "both in one", X ONE "," TWO N, SECRET_WRONG, "Host" },
    { "quoted", X "\"" TWO "\"" N, SECRET_WRONG, "Host" },
    { "the right one twice", X ONE N X ONE N, SECRET_WRONG, "Host" },
    { "the right one and another", X ONE N X "x" N, SECRET_WRONG, "Host" },
    { "another and the right one", X "x" N "A: b" N X ONE N, SECRET_WRONG, "Host A" },
    { "both", X ONE N X TWO N, SECRET_WRONG, "Host" },
    { "on a line of its own", X N " " ONE N, SECRET_WRONG, "Host" },
    { "with an empty line behind it", X ONE N "\t" N, SECRET_RIGHT_FIRST, "Host" },
    { "over two lines", X "01234567" N " 89abcdef" N, SECRET_WRONG, "Host" },
    { "a disguise alone", "X_Origin_Verify: " ONE N, SECRET_MISSING, "Host" },
    { "disguises", "X.Origin-Verify: " ONE N "XOriginVerify: " ONE N "X--Origin-Verify: " ONE N,
      SECRET_MISSING, "Host" },
    { "the right one and a disguise", "X-Origin_Verify: x" N X ONE N "A: b" N, SECRET_RIGHT_FIRST,
      "Host A" },
    { "a blank before the colon", "X-Origin-Verify : " ONE N, SECRET_MISSING, "Host" },
    { "other names", "X-Origin-Verify-2: " ONE N "Origin-Verify: " ONE N, SECRET_MISSING,
      "Host X-Origin-Verify-2 Origin-Verify" },
    { "listed in Connection", "Connection: X-Origin-Verify" N X ONE N, SECRET_RIGHT_FIRST,
      "Host Connection" },
};

static void parse(const char *fields)
{
    static char head[4096];
    size_t scanned = 0;

    snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    assert_int_equal(http_request_parse(span_text(head), HTTP_MONITOR, &message, &scanned),
                     HTTP_PARSED);
}

static const char *names_left(char out[256])
{
    out[0] = '\0';
    for (size_t i = 0; i < message.field_count; i++) {
        const size_t n = strlen(out);
        snprintf(out + n, 256 - n, "%s%.*s", n == 0 ? "" : " ", SPAN_ARGS(message.fields[i].name));
    }
    return out;
}

static void test_requests(void **state)
{
    struct edge_secret *s = good(ONE "\n" TWO "\n");
    char left[256];
    (void)state;

    for (size_t i = 0; i < COUNT(requests); i++) {
        parse(requests[i].fields);
        const enum secret_verdict got = edge_secret_take(s, &message);
        if (got != requests[i].want || strcmp(names_left(left), requests[i].left) != 0)
            fail_msg("%s: %d, %s", requests[i].name, got, names_left(left));
    }
    edge_secret_free(&s);
}

/* Nothing stands for the second value that is not there. */
static void test_with_one_value(void **state)
{
    static const char *const wrong[] = { X N, X TWO N, X LONGEST "x" N };
    struct edge_secret *s = good(ONE);
    (void)state;

    for (size_t i = 0; i < COUNT(wrong); i++) {
        parse(wrong[i]);
        assert_int_equal(edge_secret_take(s, &message), SECRET_WRONG);
    }
    parse(X ONE N);
    assert_int_equal(edge_secret_take(s, &message), SECRET_RIGHT_FIRST);
    edge_secret_free(&s);
}

/* Of the longest value, each single character counts. */
static void test_each_character_counts(void **state)
{
    struct edge_secret *s = good(TWO "\n" LONGEST "\n");
    char fields[512];
    (void)state;

    for (size_t i = 0; i <= strlen(LONGEST); i++) {
        const size_t at = strlen(X) + i;
        snprintf(fields, sizeof(fields), X LONGEST N);
        const bool is_whole = i == strlen(LONGEST);
        if (!is_whole)
            fields[at] = (char)(fields[at] ^ 1);
        parse(fields);
        assert_int_equal(edge_secret_take(s, &message),
                         is_whole ? SECRET_RIGHT_SECOND : SECRET_WRONG);
    }
    edge_secret_free(&s);
}

static int make_file(void **state)
{
    int fd = mkstemp(path);
    (void)state;

    return fd == -1 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_that_are_no_good),
        cmocka_unit_test(test_only_its_owner_may_read_it),
        cmocka_unit_test(test_good_files),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_header_names),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_with_one_value),
        cmocka_unit_test(test_each_character_counts),
    };

    return cmocka_run_group_tests_name("edge secret", tests, make_file, remove_file);
}
