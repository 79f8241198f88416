/* test_utf8.c -- texts as in Autobahn's section 6, cut everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ws/utf8.h"

enum { GOOD = -1, UNFINISHED = -2 };

static const struct utf8_case {
    const char *name;
    struct span text;
    int bad_at; /* the index of the first bad byte, or GOOD, or UNFINISHED */
} cases[] = {
    { "empty", SPAN_INIT(""), GOOD },
    { "ASCII over a word", SPAN_INIT("Hello World, hello world"), GOOD },
    { "NUL is a character", SPAN_INIT("a\0b"), GOOD },
    { "kosme", SPAN_INIT("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"), GOOD },
    { "surrogate between good text",
      SPAN_INIT("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80"
                "edited"),
      12 },
    { "past U+10FFFF between good text",
      SPAN_INIT("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80"
                "edited"),
      12 },
    { "first of 2 bytes", SPAN_INIT("\xc2\x80"), GOOD },
    { "last of 2 bytes", SPAN_INIT("\xdf\xbf"), GOOD },
    { "first of 3 bytes", SPAN_INIT("\xe0\xa0\x80"), GOOD },
    { "last of 3 bytes, a noncharacter", SPAN_INIT("\xef\xbf\xbf"), GOOD },
    { "before the surrogates", SPAN_INIT("\xed\x9f\xbf"), GOOD },
    { "after the surrogates", SPAN_INIT("\xee\x80\x80"), GOOD },
    { "first of 4 bytes", SPAN_INIT("\xf0\x90\x80\x80"), GOOD },
    { "U+10FFFF", SPAN_INIT("\xf4\x8f\xbf\xbf"), GOOD },
    { "U+110000", SPAN_INIT("\xf4\x90\x80\x80"), 1 },
    { "5 bytes", SPAN_INIT("\xf8\x88\x80\x80\x80"), 0 },
    { "6 bytes", SPAN_INIT("\xfc\x84\x80\x80\x80\x80"), 0 },
    { "FE", SPAN_INIT("\xfe"), 0 },
    { "FF after 8 ASCII", SPAN_INIT("12345678\xff"), 8 },
    { "lone continuation", SPAN_INIT("\x80"), 0 },
    { "lone continuation after ASCII", SPAN_INIT("ab\xbf"), 2 },
    { "overlong slash in 2", SPAN_INIT("\xc0\xaf"), 0 },
    { "overlong slash in 3", SPAN_INIT("\xe0\x80\xaf"), 1 },
    { "overlong slash in 4", SPAN_INIT("\xf0\x80\x80\xaf"), 1 },
    { "overlong last of 2", SPAN_INIT("\xc1\xbf"), 0 },
    { "overlong last of 3", SPAN_INIT("\xe0\x9f\xbf"), 1 },
    { "overlong last of 4", SPAN_INIT("\xf0\x8f\xbf\xbf"), 1 },
    { "first surrogate", SPAN_INIT("\xed\xa0\x80"), 1 },
    { "last surrogate", SPAN_INIT("\xed\xbf\xbf"), 1 },
    { "surrogate pair", SPAN_INIT("\xed\xa0\x80\xed\xb0\x80"), 1 },
    { "ASCII in place of a continuation",
      SPAN_INIT("\xe2\x82"
                "a"),
      2 },
    { "lead in place of a continuation", SPAN_INIT("\xe2\xe2\x82\xac"), 1 },
    { "1 of 2", SPAN_INIT("\xc2"), UNFINISHED },
    { "2 of 3", SPAN_INIT("\xe2\x82"), UNFINISHED },
    { "3 of 4", SPAN_INIT("\xf0\x9f\x98"), UNFINISHED },
};

/* The index at which feeding in two pieces, cut at `cut`, fails; or GOOD, or
 * UNFINISHED. The second piece comes byte by byte. */
static int first_bad(struct span text, size_t cut)
{
    struct ws_utf8 state = { 0 };
    if (!ws_utf8_feed(&state, span_of(text.ptr, cut)))
        return -3;
    for (size_t i = cut; i < text.len; i++)
        if (!ws_utf8_feed(&state, span_of(text.ptr + i, 1)))
            return (int)i;
    return ws_utf8_done(&state) ? GOOD : UNFINISHED;
}

static void test_every_text_fails_at_its_first_bad_byte(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct utf8_case *c = &cases[i];
        print_message("%s\n", c->name);
        size_t good = c->bad_at >= 0 ? (size_t)c->bad_at : c->text.len;
        for (size_t cut = 0; cut <= good; cut++)
            assert_int_equal(first_bad(c->text, cut), c->bad_at);
        struct ws_utf8 state = { 0 };
        assert_int_equal(ws_utf8_feed(&state, c->text), c->bad_at < 0);
        assert_int_equal(ws_utf8_valid(c->text), c->bad_at == GOOD);
    }
}

/* All code points, against an encoder. */
static size_t encode(uint32_t c, char out[4])
{
    size_t more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = { 0, 0xC0, 0xE0, 0xF0 };
    out[0] = (char)(lead[more] | c >> (6 * more));
    for (size_t i = 1; i <= more; i++)
        out[i] = (char)(0x80 | (c >> (6 * (more - i)) & 0x3F));
    return more + 1;
}

static void test_every_code_point(void **unused)
{
    (void)unused;
    for (uint32_t c = 0; c < 0x120000; c++) {
        char text[4];
        size_t n = encode(c, text);
        bool is_valid = c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
        if (ws_utf8_valid(span_of(text, n)) != is_valid)
            fail_msg("U+%04X", (unsigned)c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_text_fails_at_its_first_bad_byte),
        cmocka_unit_test(test_every_code_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
