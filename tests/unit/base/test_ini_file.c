/* The INI reader: what reaches the handler, every syntax error, and words. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/ini_file.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Each call as "LINE kind/name key=value\n"; a header has no "key=value". */
static void note(void *user, struct span kind, struct span name, struct span key, struct span value,
                 int line)
{
    struct buf *calls = user;

    buf_print(calls, "%d %.*s/%.*s", line, SPAN_ARGS(kind), SPAN_ARGS(name));
    if (key.len > 0)
        buf_print(calls, " %.*s=%.*s", SPAN_ARGS(key), SPAN_ARGS(value));
    buf_put(calls, SPAN("\n"));
}

/* The calls and the errors that a text makes. */
static void check(struct span text, const char *want_calls, const char *want_errors)
{
    struct problems p;
    struct buf calls;
    char *errors = NULL;
    size_t len;

    problems_init(&p, "f");
    buf_init(&calls, 1 << 20);
    ini_read_text(text, note, &calls, &p);
    FILE *to = open_memstream(&errors, &len);
    problems_print(&p, to);
    fclose(to);
    assert_string_equal(errors, want_errors);
    assert_int_equal(buf_len(&calls), strlen(want_calls));
    assert_memory_equal(buf_data(&calls).ptr, want_calls, strlen(want_calls));
    free(errors);
    buf_done(&calls);
    problems_done(&p);
}

static void test_read(void **state)
{
    static const struct {
        struct span text;
        const char *calls;
    } cases[] = {
        { SPAN_INIT(""), "" },
        { SPAN_INIT("\n\n; c\n  # c\n"), "" },
        { SPAN_INIT("[alb]"), "1 alb/\n" },
        { SPAN_INIT("[rule chat]\npriority = 10\n"), "1 rule/chat\n2 rule/chat priority=10\n" },
        { SPAN_INIT("\xef\xbb\xbf[alb]\r\nworkers=auto\r\n"), "1 alb/\n2 alb/ workers=auto\n" },
        { SPAN_INIT("  [ rule \t chat ]  ; c\n\t a.b-c_d\t=  v \t\n"),
          "1 rule/chat\n2 rule/chat a.b-c_d=v\n" },
        { SPAN_INIT("[g]\nname = a\n  b = c\n"), "1 g/\n2 g/ name=a\n3 g/ b=c\n" },
        { SPAN_INIT("[g]\ntarget = [::1]:80 weight=100\n"),
          "1 g/\n2 g/ target=[::1]:80 weight=100\n" },
        { SPAN_INIT("[g]\na = x ; c\na = x;y\na = x # c\na = x#y\na = ; c\na =;y\na=\n"),
          "1 g/\n2 g/ a=x\n3 g/ a=x;y\n4 g/ a=x\n5 g/ a=x#y\n6 g/ a=\n7 g/ a=;y\n8 g/ a=\n" },
        { SPAN_INIT(
              "[g]\na = \"x ; y\" ; c\na = \"\\\" ; y\" # c\na = \"\\\\\" ; c\na=\"x ; y\"\n"),
          "1 g/\n2 g/ a=\"x ; y\"\n3 g/ a=\"\\\" ; y\"\n4 g/ a=\"\\\\\"\n5 g/ a=\"x ; y\"\n" },
        { SPAN_INIT("[g]\na = 5\" disk ; c\"\n"), "1 g/\n2 g/ a=5\" disk\n" },
        { SPAN_INIT("[g]\na = \xe2\x82\xac \xc3\xa9\n"), "1 g/\n2 g/ a=\xe2\x82\xac \xc3\xa9\n" },
        { SPAN_INIT("[g]\n\n[g]\na=1\na=1\n"), "1 g/\n3 g/\n4 g/ a=1\n5 g/ a=1\n" },
        { SPAN_INIT("[g 12345678901234567890123456789012]"),
          "1 g/12345678901234567890123456789012\n" },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++)
        check(cases[i].text, cases[i].calls, "");
}

static void test_errors(void **state)
{
    static const struct {
        struct span text;
        const char *calls, *errors;
    } cases[] = {
        { SPAN_INIT("a = 1\n[g]\nb = 2\n"), "2 g/\n3 g/ b=2\n",
          "f:1: a stands before the first [section]; put it in one\n" },
        { SPAN_INIT("[g]\nworkers\n"), "1 g/\n",
          "f:2: \"workers\" has no '='; write key = value\n" },
        { SPAN_INIT("[g]\nworkers: 4\n"), "1 g/\n",
          "f:2: \"workers: 4\" has no '='; write key = value\n" },
        { SPAN_INIT("[g]\na b = 1\n= 2\na:b = 3\n"), "1 g/\n",
          "f:2: \"a b\" is not a key: letters, digits, '.', '_' and '-', at most 80\n"
          "f:3: \"\" is not a key: letters, digits, '.', '_' and '-', at most 80\n"
          "f:4: \"a:b\" is not a key: letters, digits, '.', '_' and '-', at most 80\n" },
        { SPAN_INIT("[g]\na = \"x ; c\n"), "1 g/\n",
          "f:2: a: a quote is opened and never closed; add a '\"'\n" },
        { SPAN_INIT("[g]\na = x\0y\n"), "1 g/\n",
          "f:2: the line holds a control character; save the file as plain text (UTF-8)\n" },
        { SPAN_INIT("[g]\na = 1\rb = 2\n"), "1 g/\n",
          "f:2: the line holds a control character; save the file as plain text (UTF-8)\n" },
        /* What belongs to a section that nobody knows goes nowhere. */
        { SPAN_INIT("[g]\n[h\na = 1\n[i]\nb = 2\n"), "1 g/\n4 i/\n5 i/ b=2\n",
          "f:2: section [h has no ']'\n" },
        { SPAN_INIT("[g]\n[h\x01]\na = 1\n"), "1 g/\n",
          "f:2: the line holds a control character; save the file as plain text (UTF-8)\n" },
        { SPAN_INIT("[]\n[a b c]\n[a;b]\n[\xc3\xa9]\n"), "",
          "f:1: section [] is not [KIND] or [KIND NAME] in letters, digits, '.', '_' and '-'\n"
          "f:2: section [a b c] is not [KIND] or [KIND NAME] in letters, digits, '.', '_' and '-'\n"
          "f:3: section [a;b] is not [KIND] or [KIND NAME] in letters, digits, '.', '_' and '-'\n"
          "f:4: section [\xc3\xa9] is not [KIND] or [KIND NAME] in letters, digits, '.', '_' and "
          "'-'\n" },
        { SPAN_INIT("[g] a = 1\n"), "",
          "f:1: section [g] a = 1 goes on after ']'; write the next setting on a line of its own, "
          "a "
          "comment after a blank\n" },
        { SPAN_INIT("[g 123456789012345678901234567890123]\n"), "",
          "f:1: section [g 123456789012345678901234567890123] has a name of more than 32 "
          "characters\n" },
        { SPAN_INIT("[1234567890123456789012345678901234567890123456789]\n"), "",
          "f:1: section [123456789012345678901234567890123456789 is longer than 48 characters\n" },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++)
        check(cases[i].text, cases[i].calls, cases[i].errors);
}

/* 8192 bytes are a line, whatever ends it; one more is an error. inih itself
 * would have cut it at 200. */
static void test_long_lines(void **state)
{
    static const char *const ends[] = { "", "\n", "\r\n" };
    static char text[9000], want[9000];
    (void)state;

    for (size_t i = 0; i < COUNT(ends); i++) {
        char *value = stpcpy(text, "[g]\na =");
        memset(value, 'v', 8192 - 3);
        strcpy(value + 8192 - 3, ends[i]);
        snprintf(want, sizeof(want), "1 g/\n2 g/ a=%.*s\n", 8192 - 3, value);
        check(span_text(text), want, "");
        value[8192 - 3] = 'v';
        strcpy(value + 8192 - 2, ends[i]);
        check(span_text(text), "1 g/\n",
              "f:2: the line is longer than 8192 bytes; split it over several lines of the same "
              "key\n");
    }
}

/* A file that ends early, after any line: the calls are a start of the whole's. */
static void test_every_start_reads_alike(void **state)
{
    struct span text = SPAN("[alb]\nworkers = 2\n\n; c\n[rule chat]\naction = \"a ; b\" ; c\n");
    static const char whole[] =
        "1 alb/\n2 alb/ workers=2\n5 rule/chat\n6 rule/chat action=\"a ; b\"\n";
    (void)state;

    for (size_t n = 0; n <= text.len; n++) {
        struct problems p;
        struct buf calls;
        if (n > 0 && text.ptr[n - 1] != '\n')
            continue;
        problems_init(&p, "f");
        buf_init(&calls, 4096);
        ini_read_text(span_of(text.ptr, n), note, &calls, &p);
        assert_int_equal(p.count, 0);
        assert_true(buf_len(&calls) < sizeof(whole));
        assert_memory_equal(buf_data(&calls).ptr, whole, buf_len(&calls));
        buf_done(&calls);
        problems_done(&p);
    }
}

static void test_file(void **state)
{
    char path[] = "/tmp/test_ini.XXXXXX";
    int fd = mkstemp(path);
    struct problems p;
    struct buf calls;
    (void)state;

    assert_int_equal(write(fd, "[g]\na=1", 7), 7);
    close(fd);
    problems_init(&p, path);
    buf_init(&calls, 4096);
    assert_true(ini_read_file(path, note, &calls, &p));
    assert_memory_equal(buf_data(&calls).ptr, "1 g/\n2 g/ a=1\n", 14);
    assert_int_equal(p.count, 0);
    unlink(path);
    assert_false(ini_read_file(path, note, &calls, &p));
    assert_int_equal(p.errors, 1);
    assert_non_null(strstr(p.items[0].text, ": cannot open /tmp/test_ini."));
    buf_done(&calls);
    problems_done(&p);
}

static void test_words(void **state)
{
    static const struct {
        struct span text;
        const char *words; /* each in <> */
        bool bad;
    } cases[] = {
        { SPAN_INIT(""), "", false },
        { SPAN_INIT(" \t "), "", false },
        { SPAN_INIT("a  b\tc "), "<a><b><c>", false },
        { SPAN_INIT("404 text/plain \"not here\""), "<404><text/plain><not here>", false },
        { SPAN_INIT("\"\" x"), "<><x>", false },
        { SPAN_INIT("\"a \\\"b\\\" \\\\ \\d\""), "<a \"b\" \\ \\d>", false },
        { SPAN_INIT("a\"b \\\"c"), "<a\"b><\\\"c>", false },
        { SPAN_INIT("a \"b"), "<a>", true },
        { SPAN_INIT("\""), "", true },
        { SPAN_INIT("\"a\\\""), "", true },
        { SPAN_INIT("\"a\"b"), "", true },
        { SPAN_INIT("123456789012345"), "<123456789012345>", false },
        { SPAN_INIT("1234567890123456"), "", true },
        { SPAN_INIT("\"123456789012345\""), "<123456789012345>", false },
        { SPAN_INIT("\"1234567890123456\""), "", true },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct span rest = cases[i].text;
        char word[16], all[128] = "";
        bool bad = false;
        while (ini_next_word(&rest, word, sizeof(word), &bad))
            snprintf(all + strlen(all), sizeof(all) - strlen(all), "<%s>", word);
        assert_string_equal(all, cases[i].words);
        assert_int_equal(bad, cases[i].bad);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),       cmocka_unit_test(test_errors),
        cmocka_unit_test(test_long_lines), cmocka_unit_test(test_every_start_reads_alike),
        cmocka_unit_test(test_file),       cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
