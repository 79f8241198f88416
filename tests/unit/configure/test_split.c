/* One text for two programs: whose each line is, and every section that is nobody's. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/ini_file.h"
#include "image/configure/split.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* [both] is a kind of either. */
static const struct split_program programs[SPLIT_PROGRAMS] = {
    { "alb", SPAN_INIT("alb\nedge\nlistener\nboth\n") },
    { "wsserver", SPAN_INIT("wsserver\nsqlite\nboth\n") },
};

static void assert_text(const struct split_part *part, const char *want)
{
    char got[1024];

    snprintf(got, sizeof(got), "%.*s", SPAN_ARGS(buf_data(&part->text)));
    assert_string_equal(got, want);
}

static void test_lines_go_to_the_owner_of_their_section(void **state)
{
    static const struct {
        struct span text;
        const char *alb, *wsserver;
        bool alb_has, wsserver_has;
    } cases[] = {
        { SPAN_INIT(""), "", "", false, false },
        { SPAN_INIT("#postern\n\n; c\n"), "\n\n\n", "\n\n\n", false, false },
        { SPAN_INIT("[alb]\nname = x\n"), "[alb]\nname = x\n", "\n\n", true, false },
        { SPAN_INIT("[sqlite]\npath = p"), "\n\n", "[sqlite]\npath = p", false, true },
        { SPAN_INIT("; c\n[alb]\na = 1\n[wsserver]\nb = 2\n\n[edge]\nc = 3\n"),
          "\n[alb]\na = 1\n\n\n\n[edge]\nc = 3\n", "\n\n\n[wsserver]\nb = 2\n\n\n\n", true, true },
        { SPAN_INIT("[listener one]\nbind = [::1]:80\n[listener two] ; [wsserver]\nx = [sqlite]\n"),
          "[listener one]\nbind = [::1]:80\n[listener two] ; [wsserver]\nx = [sqlite]\n",
          "\n\n\n\n", true, false },
        { SPAN_INIT("[alb]\n;[wsserver]\na = 1\n"), "[alb]\n;[wsserver]\na = 1\n", "\n\n\n", true,
          false },
        { SPAN_INIT("\xef\xbb\xbf[alb]\r\na = 1\r\n"), "[alb]\r\na = 1\r\n", "\n\n", true, false },
        { SPAN_INIT("[alb.both]\na = 1\n \t[ \twsserver.both x ]\nb = 2\n"), "[both]\na = 1\n\n\n",
          "\n\n \t[ \tboth x ]\nb = 2\n", true, true },
        { SPAN_INIT("[alb.edge]\n[wsserver.sqlite]"), "[edge]\n\n", "\n[sqlite]", true, true },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct split_part parts[SPLIT_PROGRAMS];
        struct problems p;

        problems_init(&p, "f");
        assert_true(split_text(cases[i].text, programs, parts, &p));
        assert_int_equal(p.count, 0);
        assert_text(&parts[0], cases[i].alb);
        assert_text(&parts[1], cases[i].wsserver);
        assert_int_equal(parts[0].has_sections, cases[i].alb_has);
        assert_int_equal(parts[1].has_sections, cases[i].wsserver_has);
        split_done(parts);
        problems_done(&p);
    }
}

#define KINDS                                                                                      \
    "alb has [alb], [edge], [listener], [both], and wsserver has [wsserver], [sqlite], [both]"

static void test_what_is_nobodys_is_an_error(void **state)
{
    static const struct {
        const char *text, *errors;
    } cases[] = {
        { "[alb]\n[sql]\nx = 1\n", "f:2: unknown section [sql]; " KINDS "\n" },
        { "[alb.sqlite]\n", "f:1: unknown section [alb.sqlite]; " KINDS "\n" },
        { "[albedge]\n[alb.]\n",
          "f:1: unknown section [albedge]; " KINDS "\nf:2: unknown section [alb.]; " KINDS "\n" },
        { "[both]\n",
          "f:1: both programs have a section [both]; write [alb.both] or [wsserver.both]\n" },
        { "a = 1\n[alb]\n", "f:1: a stands before the first [section]; put it in one\n" },
        { "[alb]\nx\n[edge\n[sql]\n", "f:2: \"x\" has no '='; write key = value\n"
                                      "f:3: section [edge has no ']'\n"
                                      "f:4: unknown section [sql]; " KINDS "\n" },
        { "[alb]\n# \x01\n",
          "f:2: the line holds a control character; save the file as plain text (UTF-8)\n" },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct split_part parts[SPLIT_PROGRAMS];
        struct problems p;
        char *errors = NULL;
        size_t len;

        problems_init(&p, "f");
        assert_false(split_text(span_text(cases[i].text), programs, parts, &p));
        FILE *to = open_memstream(&errors, &len);
        problems_print(&p, to);
        fclose(to);
        assert_string_equal(errors, cases[i].errors);
        free(errors);
        split_done(parts);
        problems_done(&p);
    }
}

/* --- random texts against what the reader says of the whole ------------------------- */

/* "3 sqlite path=x" of a section, but of those of other kinds. */
struct listing {
    struct buf calls;
    const char *kinds; /* of these only; NULL: all */
};

static void list(void *user, struct span kind, struct span name, struct span key, struct span value,
                 int line)
{
    struct listing *l = user;
    char word[64];
    (void)name;

    snprintf(word, sizeof(word), "\n%.*s\n", SPAN_ARGS(kind));
    if (l->kinds == NULL || strstr(l->kinds, word) != NULL)
        buf_print(&l->calls, "%d %.*s %.*s=%.*s\n", line, SPAN_ARGS(kind), SPAN_ARGS(key),
                  SPAN_ARGS(value));
}

static void list_calls(struct listing *l, struct span text, const char *kinds)
{
    struct problems p;

    problems_init(&p, "f");
    buf_init(&l->calls, 1 << 16);
    l->kinds = kinds;
    ini_read_text(text, list, l, &p);
    assert_int_equal(p.count, 0);
    problems_done(&p);
}

static void assert_reads_as(struct span whole, const char *kinds, struct span part)
{
    struct listing want, got;

    list_calls(&want, whole, kinds);
    list_calls(&got, part, NULL);
    assert_true(span_equal(buf_data(&want.calls), buf_data(&got.calls)));
    buf_done(&want.calls);
    buf_done(&got.calls);
}

static void test_each_program_reads_its_part_of_random_texts(void **state)
{
    static const char *const lines[] = { "[alb]\n",    "[edge] ; x\n", "\t[wsserver]\r\n",
                                         "\n",         "a = [alb]\n",  "b = \"x ; y\"\n",
                                         "[sqlite]\n", "# [edge]\n" };
    (void)state;

    srand(7);
    for (int round = 0; round < 2000; round++) {
        char text[512] = "[alb]\n";
        struct split_part parts[SPLIT_PROGRAMS];
        struct problems p;
        for (int n = rand() % 20; n > 0; n--)
            strcat(text, lines[(size_t)rand() % COUNT(lines)]);
        problems_init(&p, "f");
        assert_true(split_text(span_text(text), programs, parts, &p));
        assert_reads_as(span_text(text), "\nalb\nedge\n", buf_data(&parts[0].text));
        assert_reads_as(span_text(text), "\nwsserver\nsqlite\n", buf_data(&parts[1].text));
        split_done(parts);
        problems_done(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_go_to_the_owner_of_their_section),
        cmocka_unit_test(test_what_is_nobodys_is_an_error),
        cmocka_unit_test(test_each_program_reads_its_part_of_random_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
