/* test_registrations.c -- what commands said, in memory, as text and on the disk. */
#include "alb/registrations.h"

#include <sys/stat.h>

#include "alb/state_file.h"

#include "config_fixture.h"

#define FIRST "postern-alb-state 1\n"
#define CURE                                                                                       \
    "; mend the line, or move the file away to start without what commands said (registered "      \
    "targets and the like)\n"

static const char whole[] = FIRST "register chat 10.0.1.12:9001 weight=100\n"
                                  "deregister chat 10.0.1.10:9001\n"
                                  "register b.c-d_E unix:/run/a.sock weight=0\n"
                                  "end 3\n";

static const struct text_case bad[] = {
    { "empty", "", "f: \"\": the line \"end N\" is missing: the file was cut off" CURE },
    { "another file", "[alb]\n", "f:1: \"[alb]\": is not \"postern-alb-state 1\"*" CURE },
    { "a later version", "postern-alb-state 2\n", "f:1: *this is no state file of this alb" CURE },
    { "no end", FIRST "register c 10.0.0.1:1 weight=1\n", "f:2: *\"end N\" is missing*" CURE },
    { "cut in a line", FIRST "register c 10.0.0.1:1 wei", "f:2: *" CURE },
    { "cut in the end", FIRST "end 0", "f:2: \"end 0\": is cut off" CURE },
    { "another spelling of the number", FIRST "end 00\n",
      "f:2: \"end 00\": the number is not that of the lines before: some are missing" CURE },
    { "a line is missing", FIRST "register c 10.0.0.1:1 weight=1\nend 2\n",
      "f:3: \"end 2\": the number is not that of the lines before: some are missing" CURE },
    { "more behind the end", FIRST "end 0\n\n", "f:3: \"\": stands behind the end" CURE },
    { "an empty line", FIRST "\nend 0\n", "f:2: \"\": is none of \"register *" CURE },
    { "an unknown word", FIRST "remove c 10.0.0.1:1\nend 1\n", "f:2: *is none of *" CURE },
    { "no weight", FIRST "register c 10.0.0.1:1\nend 1\n", "f:2: *is none of *" CURE },
    { "a weight too many", FIRST "deregister c 10.0.0.1:1 weight=1\nend 1\n",
      "f:2: *is none of *" CURE },
    { "weight 1000", FIRST "register c 10.0.0.1:1 weight=1000\nend 1\n",
      "f:2: *: a weight is a whole number of 0..999" CURE },
    { "another spelling", FIRST "register c 10.0.0.1:1 weight=01\nend 1\n",
      "f:2: *: has to be written \"register c 10.0.0.1:1 weight=1\"" CURE },
    { "a carriage return", FIRST "deregister c 10.0.0.1:1\r\nend 1\n", "f:2: *" CURE },
    { "no name of a group", FIRST "register a/b 10.0.0.1:1 weight=1\nend 1\n",
      "f:2: *\"a/b\" is no name of a target group" CURE },
    { "33 characters",
      FIRST "register abcdefghijklmnopqrstuvwxyzABCDEFG 10.0.0.1:1 weight=1\nend 1\n",
      "f:2: *is no name of a target group" CURE },
    { "no target", FIRST "register c 10.0.0.1 weight=1\nend 1\n", "f:2: *has no port*" CURE },
    { "a DNS name", FIRST "register c dns:a:1 weight=1\nend 1\n",
      "f:2: *: a DNS name stands in the configuration file, not here" CURE },
    { "multicast", FIRST "register c 224.0.0.1:1 weight=1\nend 1\n", "f:2: *multicast*" CURE },
    { "drained twice", FIRST "drain c 10.0.0.1:1\ndrain c 10.0.0.1:1\nend 2\n",
      "f:3: *the same target is there at line 2" CURE },
    { "drained with a weight", FIRST "drain c 10.0.0.1:1 weight=1\nend 1\n",
      "f:2: *is none of *" CURE },
    { "twice", FIRST "register c 10.0.0.1:1 weight=1\nderegister c 10.0.0.1:1\nend 2\n",
      "f:3: *the same target is there at line 2" CURE },
};

static struct registrations read_good(struct span text)
{
    struct registrations r = { .count = 0 };
    struct problems p;

    problems_init(&p, "f");
    if (!registrations_read(&r, text, &p))
        fail_msg("%s", p.items[0].text);
    problems_done(&p);
    return r;
}

static void expect_text(const struct registrations *r, const char *want)
{
    struct buf text;

    buf_init(&text, 65536);
    registrations_print(r, &text);
    buf_put(&text, span_of("", 1));
    assert_string_equal(buf_data(&text).ptr, want);
    buf_done(&text);
}

static void test_what_is_printed_is_read(void **state)
{
    struct registrations r = read_good(span_text(whole));
    (void)state;

    assert_int_equal(r.count, 3);
    assert_string_equal(r.items[0].group, "chat");
    assert_int_equal(r.items[0].weight, 100);
    assert_true(r.items[1].is_out);
    assert_int_equal(r.items[2].name.addr.sa.sa_family, AF_UNIX);
    expect_text(&r, whole);
    registrations_done(&r);
}

static void test_damaged_text_names_the_line_and_the_cure(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct registrations r = { .count = 0 };
        struct problems p;
        problems_init(&p, "f");
        assert_false(registrations_read(&r, span_text(bad[i].text), &p));
        char line[1024];
        snprintf(line, sizeof(line), "%s\n", p.items[0].text);
        if (p.errors != 1 || !text_wildcard(span_text(bad[i].want), span_text(line), false))
            fail_msg("%s: %s", bad[i].name, line);
        problems_done(&p);
        registrations_done(&r);
    }
}

static void test_every_prefix_is_damaged(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof(whole) - 1; n++) {
        struct registrations r = { .count = 0 };
        struct problems p;
        problems_init(&p, "f");
        assert_false(registrations_read(&r, span_of(whole, n), &p));
        problems_done(&p);
        registrations_done(&r);
    }
}

static void test_find_add_and_remove(void **state)
{
    struct registrations r = read_good(span_text(whole)), copy = registrations_copy(&r);
    (void)state;

    assert_null(registrations_find(&r, "chat", "10.0.1.13:9001"));
    assert_null(registrations_find(&r, "b", "10.0.1.12:9001"));
    struct registration *first = registrations_find(&r, "chat", "10.0.1.12:9001");
    assert_ptr_equal(first, &r.items[0]);
    struct registration again = *first;
    registrations_remove(&r, first);
    assert_int_equal(r.count, 2);
    assert_null(registrations_find(&r, "chat", "10.0.1.12:9001"));
    again.weight = 7;
    assert_true(registrations_add(&r, &again));
    expect_text(&r, FIRST "deregister chat 10.0.1.10:9001\n"
                          "register b.c-d_E unix:/run/a.sock weight=0\n"
                          "register chat 10.0.1.12:9001 weight=7\nend 3\n");
    expect_text(&copy, whole);
    registrations_done(&copy);
    registrations_done(&r);
}

static void test_no_more_than_so_many(void **state)
{
    struct registrations r = { .count = 0 };
    struct registration item = { .group = "g", .name.text = "10.0.0.1:1" };
    (void)state;

    for (int i = 0; i < REGISTRATIONS_MAX; i++)
        assert_true(registrations_add(&r, &item));
    assert_false(registrations_add(&r, &item));
    registrations_done(&r);
}

/* What lapses with the targets that the file no longer has. */
static void check_pruned(const char *said, const char *left)
{
    struct registrations r = read_good(span_text(said));
    struct problems p;
    struct config *c = read_text(EDGE LISTENER GROUP, &p);

    assert_non_null(c);
    assert_true(registrations_prune(&r, c));
    expect_text(&r, left);
    assert_false(registrations_prune(&r, c));
    registrations_done(&r);
    problems_done(&p);
    config_free(&c);
}

static void test_what_is_out_lapses_with_the_files_target(void **state)
{
    static const char said[] = FIRST "deregister chat 127.0.0.1:9001\n"
                                     "deregister chat 127.0.0.1:9002\n"
                                     "deregister gone 127.0.0.1:9003\n"
                                     "register chat 127.0.0.1:9004 weight=1\nend 4\n";
    static const char left[] = FIRST "deregister chat 127.0.0.1:9001\n"
                                     "deregister gone 127.0.0.1:9003\n"
                                     "register chat 127.0.0.1:9004 weight=1\nend 3\n";
    (void)state;

    check_pruned(said, left);
}

static void test_what_is_drained_is_said_beside_the_rest(void **state)
{
    static const char said[] = FIRST "register c 10.0.0.1:1 weight=7\n"
                                     "drain c 10.0.0.1:1\n"
                                     "drain c 10.0.0.2:1\nend 3\n";
    struct registrations r = read_good(span_text(said));
    (void)state;

    expect_text(&r, said);
    assert_int_equal(registrations_find(&r, "c", "10.0.0.1:1")->weight, 7);
    assert_null(registrations_find(&r, "c", "10.0.0.2:1"));
    assert_true(registrations_find_drain(&r, "c", "10.0.0.1:1")->is_drain);
    assert_null(registrations_find_drain(&r, "c", "10.0.0.3:1"));
    registrations_remove(&r, registrations_find_drain(&r, "c", "10.0.0.1:1"));
    assert_non_null(registrations_find(&r, "c", "10.0.0.1:1"));
    registrations_done(&r);
}

static void test_a_drain_lapses_with_its_target(void **state)
{
    static const char said[] = FIRST "drain chat 127.0.0.1:9001\n"
                                     "drain chat 127.0.0.1:9002\n"
                                     "drain chat 127.0.0.1:9004\n"
                                     "drain gone 127.0.0.1:9003\n"
                                     "register chat 127.0.0.1:9004 weight=1\nend 5\n";
    static const char left[] = FIRST "drain chat 127.0.0.1:9001\n"
                                     "drain chat 127.0.0.1:9004\n"
                                     "drain gone 127.0.0.1:9003\n"
                                     "register chat 127.0.0.1:9004 weight=1\nend 4\n";
    (void)state;

    check_pruned(said, left);
}

/* --- on the disk -------------------------------------------------------------------- */

static void test_the_file_comes_back(void **state)
{
    struct registrations r = read_good(span_text(whole)), back = { .count = 0 };
    struct problems p;
    char why[256];
    (void)state;

    problems_init(&p, "s.state");
    assert_true(state_file_read("s.state", &back, &p));
    assert_int_equal(back.count, 0);
    write_text("s.state.new", "left behind by a crash");
    assert_true(state_file_write("s.state", &r, why, sizeof(why)));
    assert_int_equal(access("s.state.new", F_OK), -1);
    assert_true(state_file_read("s.state", &back, &p));
    expect_text(&back, whole);
    registrations_done(&back);
    write_text("s.state", "");
    assert_false(state_file_read("s.state", &back, &p));
    assert_int_equal(p.errors, 1);
    registrations_done(&back);
    registrations_done(&r);
    problems_done(&p);
    unlink("s.state");
}

static void test_what_cannot_be_written_changes_nothing(void **state)
{
    struct registrations r = read_good(span_text(whole));
    char why[256];
    (void)state;

    assert_false(state_file_write("none/s.state", &r, why, sizeof(why)));
    assert_string_equal(why, "cannot write the state file none/s.state: No such file or directory");
    assert_int_equal(mkdir("s.state", 0700), 0);
    assert_false(state_file_write("s.state", &r, why, sizeof(why)));
    assert_int_equal(access("s.state.new", F_OK), -1);
    assert_int_equal(rmdir("s.state"), 0);
    registrations_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_printed_is_read),
        cmocka_unit_test(test_damaged_text_names_the_line_and_the_cure),
        cmocka_unit_test(test_every_prefix_is_damaged),
        cmocka_unit_test(test_find_add_and_remove),
        cmocka_unit_test(test_no_more_than_so_many),
        cmocka_unit_test(test_what_is_out_lapses_with_the_files_target),
        cmocka_unit_test(test_what_is_drained_is_said_beside_the_rest),
        cmocka_unit_test(test_a_drain_lapses_with_its_target),
        cmocka_unit_test(test_the_file_comes_back),
        cmocka_unit_test(test_what_cannot_be_written_changes_nothing),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
