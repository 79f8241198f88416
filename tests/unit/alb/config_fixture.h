/*
 * config_fixture.h -- what the tests of the configuration share: small good
 * pieces of a file, a folder with the files that they name, and tables of texts
 * with what is to be said of them.
 */
#ifndef TESTS_CONFIG_FIXTURE_H
#define TESTS_CONFIG_FIXTURE_H

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

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#include "alb/config.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A good file is these four; most cases damage one of them. */
#define ALB "[alb]\nidle_timeout.timeout_seconds = 300\n"
#define EDGE "[edge]\nallow = 10.0.1.37/32\n"
#define LISTENER "[listener web]\nbind = 127.0.0.1:8080\ndefault_action = forward chat\n"
#define GROUP "[target_group chat]\ntarget = 127.0.0.1:9001\n"
#define RULE(lines) "[rule r]\nlistener = web\npriority = 10\naction = forward chat\n" lines
#define ACTION(text) EDGE GROUP "[listener web]\nbind = 127.0.0.1:8080\ndefault_action = " text "\n"

/* --- files beside the configuration --------------------------------------------- */

static int home_fd = -1;
static char folder[] = "/tmp/test_config.XXXXXX";

static inline void write_text(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static const char ranges_json[] =
    "{\"syncToken\":\"1767225600\",\"createDate\":\"2026-01-01-00-00-00\",\"prefixes\":["
    "{\"ip_prefix\":\"120.52.22.96/27\",\"region\":\"GLOBAL\",\"service\":\"EDGE\"}],"
    "\"ipv6_prefixes\":[{\"ipv6_prefix\":\"2600:9000::/28\",\"region\":\"GLOBAL\","
    "\"service\":\"EDGE\"}]}";

static inline int enter_folder(void **state)
{
    (void)state;
    home_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    write_text("one.txt", "# the edge\n192.0.2.0/24\n2001:db8::/32\n");
    write_text("two.txt", "192.0.2.128/25\n198.51.100.7\n");
    write_text("slip.edge", "192.0.2.0/24\n192.0.2.1/24\n");
    write_text("seal.keys", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n");
    assert_int_equal(chmod("seal.keys", 0600), 0);
    write_text("body.json", "{\"ok\":true}\n");
    write_text("ranges.json", ranges_json);
    assert_int_equal(system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
                            "-subj /CN=test -days 90 -keyout key.pem -out cert.pem 2>/dev/null && "
                            "cat cert.pem key.pem >both.pem && head -c 1025 /dev/zero >big.body && "
                            "head -c 9 /dev/zero >nul.body"),
                     0);
    clock_fix(0, UINT64_C(1767225600) * 1000000); /* the day of ranges.json */
    return 0;
}

static inline int leave_folder(void **state)
{
    (void)state;
    clock_run();
    assert_int_equal(system("rm -f *.keys *.body *.txt *.edge *.json *.pem *.ini"), 0);
    assert_int_equal(fchdir(home_fd), 0);
    close(home_fd);
    return rmdir(folder);
}

/* --- reading ----------------------------------------------------------------------- */

/* The errors, or the warnings, one a line; free() it. */
static inline char *said(const struct problems *p, bool warnings)
{
    struct buf b;

    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < p->count; i++) {
        if (p->items[i].is_warning == warnings)
            assert_true(buf_print(&b, "%s\n", p->items[i].text));
    }
    char *text = mem_copy(buf_data(&b).ptr, buf_len(&b));
    buf_done(&b);
    return text;
}

/* A '*' stands for what another module says: it has tests of its own. */
static inline void expect(const char *name, const struct problems *p, bool warnings,
                          const char *want)
{
    char *got = said(p, warnings);

    if (!text_wildcard(span_text(want), span_text(got), false))
        fail_msg("%s:\n--- got\n%s--- want\n%s", name, got, want);
    free(got);
}

static inline struct config *read_text(const char *text, struct problems *p)
{
    problems_init(p, "f");
    struct config *c = config_read_text(span_text(text), p);
    assert_int_equal(c == NULL, p->errors > 0);
    return c;
}

struct text_case {
    const char *name, *text, *want;
};

static inline void run_cases(const struct text_case *cases, size_t count, bool warnings)
{
    for (size_t i = 0; i < count; i++) {
        struct problems p;
        struct config *c = read_text(cases[i].text, &p);
        expect(cases[i].name, &p, warnings, cases[i].want);
        config_free(&c);
        assert_null(c);
        problems_done(&p);
    }
}

#endif
