/* What is no configuration is refused with one sentence, and none of them repeats the text. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/mem.h"
#include "image/configure/vet.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void check(struct span text, const char *want, int line)
{
    struct problems p;

    problems_init(&p, "f");
    assert_int_equal(vet_text(text, &p), want == NULL);
    assert_int_equal(p.count, want == NULL ? 0 : 1);
    if (want != NULL) {
        assert_non_null(strstr(p.items[0].text, want));
        assert_int_equal(p.items[0].line, line);
    }
    problems_done(&p);
}

static void test_texts(void **state)
{
    static const struct {
        struct span text;
        const char *want; /* NULL: it is well */
        int line;
    } cases[] = {
        { SPAN_INIT(""), NULL, 0 },
        { SPAN_INIT("#postern\n[alb]\n"), NULL, 0 },
        { SPAN_INIT("# a comment\n[alb]\n"), NULL, 0 },
        { SPAN_INIT("\xef\xbb\xbf[alb]\nname = \xc3\xa9\xe2\x82\xac\n"), NULL, 0 },
        { SPAN_INIT("#!/bin/sh\nrm x\n"), "is a script, and nothing here runs scripts", 1 },
        { SPAN_INIT("#cloud-config\n"), "is for cloud-init, which is not here", 1 },
        { SPAN_INIT("#include\n"), "is for cloud-init", 1 },
        { SPAN_INIT("MIME-Version: 1.0\n"), "is a MIME message for cloud-init", 1 },
        { SPAN_INIT("#systemd-userdata\n{}"), "is for systemd-imds", 1 },
        { SPAN_INIT("{ \"ignition\": {} }"), "is JSON", 1 },
        { SPAN_INIT("\x1f\x8b\x08\x00\x00"), "is packed by gzip; send it as it is", 1 },
        { SPAN_INIT("\xff\xfe[\0a\0l\0"), "is UTF-16; save it as UTF-8", 1 },
        { SPAN_INIT("W2FsYl0KbmFtZSA9IHgKW2VkZ2VdCg=="), "looks like base64", 1 },
        { SPAN_INIT("[alb]\n; \xff\n"), "is not UTF-8", 2 },
        { SPAN_INIT("[alb]\n\n; \xe2\x82"), "is not UTF-8", 3 },
        { SPAN_INIT("[alb]\n-----BEGIN EC PRIVATE KEY-----\n"), "a private key in here", 2 },
        { SPAN_INIT("[alb]\n; x -----BEGIN PRIVATE KEY-----\n"), "a private key in here", 2 },
        { SPAN_INIT("-----BEGIN OPENSSH PRIVATE KEY-----"), "a private key in here", 1 },
        { SPAN_INIT("#!/bin/sh\n-----BEGIN PRIVATE KEY-----"), "a private key in here", 2 },
        { SPAN_INIT("[alb]\na = b\n-----BEGIN CERTIFICATE-----\n"), "certificates and keys come",
          3 },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++)
        check(cases[i].text, cases[i].want, cases[i].line);
}

static void test_the_largest_text(void **state)
{
    char *text = mem_zero(VET_MAX_BYTES + 1);
    (void)state;

    memset(text, ' ', VET_MAX_BYTES + 1);
    check(span_of(text, VET_MAX_BYTES), NULL, 0);
    check(span_of(text, VET_MAX_BYTES + 1), "the text has 65537 bytes; it may have 65536", 0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_the_largest_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
