/* The log: prefixes, levels, what a line may hold, where it is cut. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

static int ends[2];
static char got[2 * LOG_LINE_MAX];

/* What was written since the last call. */
static const char *logged(void)
{
    ssize_t n = read(ends[0], got, sizeof(got) - 1);

    got[n > 0 ? n : 0] = '\0';
    return got;
}

static int set_up(void **state)
{
    (void)state;
    unsetenv("JOURNAL_STREAM");
    if (pipe2(ends, O_NONBLOCK) != 0)
        return -1;
    log_set_fd(ends[1]);
    clock_fix(0, 1795357200123999); /* 2026-11-22 14:20:00.123999 */
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_INFO);
    clock_run();
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static void test_line(void **state)
{
    (void)state;

    log_info("target healthy group=%s", "chat");
    assert_string_equal(logged(), "2026-11-22T14:20:00.123Z info target healthy group=chat\n");
    log_error("x");
    assert_string_equal(logged(), "2026-11-22T14:20:00.123Z error x\n");
}

static void test_levels(void **state)
{
    (void)state;

    log_debug("not shown");
    assert_string_equal(logged(), "");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("shown");
    assert_non_null(strstr(logged(), " debug shown\n"));
    log_set_level(LOG_LEVEL_ERROR);
    log_warn("not shown");
    assert_string_equal(logged(), "");
}

static void test_journal(void **state)
{
    struct stat st;
    char named[64];
    (void)state;

    assert_int_equal(fstat(ends[1], &st), 0);
    snprintf(named, sizeof(named), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    setenv("JOURNAL_STREAM", named, 1);
    log_info("target healthy");
    assert_string_equal(logged(), "<6>target healthy\n");
    log_error("x");
    assert_string_equal(logged(), "<3>x\n");
    setenv("JOURNAL_STREAM", "8:1", 1); /* inherited, but not what we write to */
    log_warn("x");
    assert_string_equal(logged(), "2026-11-22T14:20:00.123Z warn x\n");
    unsetenv("JOURNAL_STREAM");
}

static void test_no_line_is_forged(void **state)
{
    (void)state;

    log_info("%s", "a\r\nb\tc\x1b[1m\x7f \xc3\xa9");
    assert_string_equal(strstr(logged(), "info "), "info a??b?c?[1m? \xc3\xa9\n");
}

static void test_long_lines_are_cut(void **state)
{
    char text[LOG_LINE_MAX + 100];
    const size_t prefix = strlen("2026-11-22T14:20:00.123Z info ");
    (void)state;

    memset(text, 'x', sizeof(text));
    for (size_t len = LOG_LINE_MAX - prefix - 5; len < sizeof(text) - 1; len++) {
        text[len] = '\0';
        log_info("%s", text);
        size_t n = strlen(logged());
        bool cut = prefix + len + 1 > LOG_LINE_MAX;
        assert_int_equal(n, cut ? LOG_LINE_MAX : prefix + len + 1);
        assert_string_equal(got + n - 4, cut ? "...\n" : "xxx\n");
        text[len] = 'x';
    }
}

static void test_never_cut_inside_a_character(void **state)
{
    char text[LOG_LINE_MAX + 100] = "";
    (void)state;

    for (int shift = 0; shift < 2; shift++) {
        for (size_t i = 0; i + 2 < sizeof(text); i += 2)
            memcpy(text + shift + i, "\xc3\xa9", 2);
        text[0] = shift == 1 ? 'x' : text[0];
        text[sizeof(text) - 1] = '\0';
        log_info("%s", text);
        size_t n = strlen(logged());
        assert_string_equal(got + n - 6, "\xc3\xa9...\n");
        assert_true(n >= LOG_LINE_MAX - 1);
    }
}

static void test_errno_is_kept(void **state)
{
    (void)state;

    log_set_fd(-1);
    errno = ENOENT;
    log_info("nobody reads this");
    assert_int_equal(errno, ENOENT);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_line),
        CASE(test_levels),
        CASE(test_journal),
        CASE(test_no_line_is_forged),
        CASE(test_long_lines_are_cut),
        CASE(test_never_cut_inside_a_character),
        CASE(test_errno_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
