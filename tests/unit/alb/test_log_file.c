/* test_log_file.c -- whether a log's file could be opened, and that trying does nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "alb/log_file.h"

static metric_value written, dropped;
static struct log_file file;
static char folder[] = "/tmp/test_log_file.XXXXXX";

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(system("mkdir folder closed && echo row >there && mkfifo fifo && "
                            "chmod 777 . folder fifo && chmod 500 closed && chmod 400 there"),
                     0);
    log_file_init(&file, "access_logs.file", &written, &dropped);
    return 0;
}

static int tear_down(void **state)
{
    char command[64];

    (void)state;
    log_file_done(&file);
    assert_int_equal(chdir("/"), 0);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

static const struct {
    const char *name, *path;
    const char *why;         /* NULL: it may be opened */
    const char *why_as_user; /* where root may do more */
} cases[] = {
    { "off", "", NULL, NULL },
    { "standard output", "-", NULL, NULL },
    { "one that is there", "there", NULL, "Permission denied" },
    { "a new one", "new", NULL, NULL },
    { "a new one in a folder", "folder/new", NULL, NULL },
    { "a new one in a folder that is not ours", "closed/new", NULL, "Permission denied" },
    { "a new one at the root", "/new", NULL, "Permission denied" },
    { "a FIFO without a reader", "fifo", NULL, NULL },
    { "a folder", "folder", "Is a directory", NULL },
    { "in no folder", "nowhere/new", "No such file or directory", NULL },
    { "below a file", "there/new", "Not a directory", NULL },
};

static void check(size_t i, const char *want)
{
    char why[256], sentence[256];

    const bool may = log_file_may_open(&file, cases[i].path, why, sizeof(why));
    if (may != (want == NULL))
        fail_msg("%s: %s", cases[i].name, may ? "may" : why);
    if (may)
        return;
    snprintf(sentence, sizeof(sentence), "access_logs.file: cannot open %s: %s", cases[i].path,
             want);
    assert_string_equal(why, sentence);
}

static void check_all_as_user(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check(i, cases[i].why_as_user != NULL ? cases[i].why_as_user : cases[i].why);
}

static void test_what_a_user_may_open(void **state)
{
    const bool is_root = geteuid() == 0;

    (void)state;
    if (is_root && seteuid(65534) == -1)
        skip();
    check_all_as_user();
    if (is_root)
        assert_int_equal(seteuid(0), 0);
}

static void test_what_root_may_open(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check(i, cases[i].why);
}

static void test_trying_does_nothing(void **state)
{
    struct stat st;
    char why[256];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        log_file_may_open(&file, cases[i].path, why, sizeof(why));
    assert_int_equal(access("new", F_OK), -1);
    assert_int_equal(access("folder/new", F_OK), -1);
    assert_int_equal(stat("there", &st), 0);
    assert_int_equal(st.st_size, 4);
    assert_string_equal(file.path, "");
    assert_false(file.is_started);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_root_may_open),
        cmocka_unit_test(test_what_a_user_may_open),
        cmocka_unit_test(test_trying_does_nothing),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
