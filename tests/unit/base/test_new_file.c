/* A file in the place of another: whole, or not at all. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/new_file.h"
#include "base/text.h"

static char folder[] = "/tmp/postern-test-XXXXXX";

static int enter(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL || chdir(folder) == -1;
}

static int leave(void **state)
{
    (void)state;
    return chdir("/") == -1 || rmdir(folder) == -1;
}

static void expect(const char *path, const char *want)
{
    char why[256];
    size_t len;
    char *text = text_read_file(path, 1000, &len, why, sizeof(why));

    if (text == NULL)
        fail_msg("%s", why);
    assert_string_equal(text, want);
    free(text);
}

static void put(const char *path, const char *text)
{
    struct new_file f;

    assert_true(new_file_write(&f, path, span_text(text), 0640));
    assert_true(new_file_replace(&f));
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void test_it_takes_the_place(void **state)
{
    struct new_file f;
    (void)state;

    put("a", "one");
    assert_true(new_file_write(&f, "a", SPAN("two"), 0640));
    expect("a", "one");
    assert_true(new_file_replace(&f));
    expect("a", "two");
    assert_int_equal(access("a.new", F_OK), -1);
    unlink("a");
}

static void test_or_it_does_not(void **state)
{
    struct new_file f;
    (void)state;

    put("a", "one");
    assert_true(new_file_write(&f, "a", SPAN("two"), 0640));
    new_file_discard(&f);
    expect("a", "one");
    assert_int_equal(access("a.new", F_OK), -1);
    unlink("a");
}

static void test_what_a_crash_left_is_overwritten(void **state)
{
    (void)state;
    FILE *left = fopen("a.new", "w");
    assert_non_null(left);
    fputs("a long text that was left behind", left);
    fclose(left);
    put("a", "new");
    expect("a", "new");
    unlink("a");
}

static void test_alike(void **state)
{
    static const mode_t modes[] = { 0600, 0644, 0604, 0440 };
    struct new_file f;
    (void)state;

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        put("a", "one");
        assert_int_equal(chmod("a", modes[i]), 0);
        assert_true(new_file_write_alike(&f, "a", SPAN("two")));
        assert_true(new_file_replace(&f));
        assert_int_equal(mode_of("a"), modes[i]);
        expect("a", "two");
        unlink("a");
    }
    assert_false(new_file_write_alike(&f, "none", SPAN("two")));
}

static void test_where_a_link_leads(void **state)
{
    struct new_file f;
    struct stat st;
    (void)state;

    put("real", "one");
    assert_int_equal(symlink("real", "link"), 0);
    assert_true(new_file_write_alike(&f, "link", SPAN("two")));
    assert_true(new_file_replace(&f));
    expect("real", "two");
    assert_true(lstat("link", &st) == 0 && S_ISLNK(st.st_mode));
    unlink("link");
    unlink("real");
}

static void test_where_nothing_can_be_written(void **state)
{
    struct new_file f;
    (void)state;

    assert_false(new_file_write(&f, "none/a", SPAN("one"), 0640));
    put("a", "one");
    assert_int_equal(mkdir("a.new", 0700), 0);
    assert_false(new_file_write(&f, "a", SPAN("two"), 0640));
    assert_int_equal(errno, EISDIR); /* why it does not give way */
    expect("a", "one");
    rmdir("a.new");
    unlink("a");
}

static int make_fifo(const char *other, const char *path)
{
    (void)other;
    return mkfifo(path, 0600);
}

/* Nobody has us write elsewhere, or wait for somebody who reads. */
static void test_what_others_left_is_not_written_to(void **state)
{
    static int (*const leave_it[])(const char *, const char *) = { symlink, link, make_fifo };
    struct new_file f;
    struct stat st;
    (void)state;

    put("a", "one");
    for (size_t i = 0; i < sizeof(leave_it) / sizeof(leave_it[0]); i++) {
        put("other", "precious");
        assert_int_equal(leave_it[i]("other", "a.new"), 0);
        alarm(10); /* the end of a test that hangs */
        assert_true(new_file_write(&f, "a", SPAN("two"), 0640));
        alarm(0);
        expect("other", "precious");
        expect("a", i == 0 ? "one" : "two");
        assert_true(new_file_replace(&f));
        assert_true(lstat("a", &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1);
        expect("a", "two");
        unlink("other");
    }
    unlink("a");
}

static void test_when_its_place_is_a_folder(void **state)
{
    struct new_file f;
    (void)state;

    assert_int_equal(mkdir("d", 0700), 0);
    assert_true(new_file_write(&f, "d", SPAN("one"), 0640));
    assert_false(new_file_replace(&f));
    assert_int_equal(access("d.new", F_OK), -1);
    rmdir("d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_takes_the_place),
        cmocka_unit_test(test_or_it_does_not),
        cmocka_unit_test(test_what_a_crash_left_is_overwritten),
        cmocka_unit_test(test_alike),
        cmocka_unit_test(test_where_a_link_leads),
        cmocka_unit_test(test_where_nothing_can_be_written),
        cmocka_unit_test(test_what_others_left_is_not_written_to),
        cmocka_unit_test(test_when_its_place_is_a_folder),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
