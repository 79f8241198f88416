/* Which literals a text contains: as a search for each of them says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "base/literals.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/span.h"

enum { MOST = 64, ROUNDS = 3000, TEXT_MAX = 40 };

/* The numbers that are found, as "2 0 1 ". */
struct seen {
    char text[256];
    size_t most; /* so many, and no more */
};

static enum literals_next note(void *user, uint32_t number)
{
    struct seen *seen = user;
    const size_t n = strlen(seen->text);

    snprintf(seen->text + n, sizeof(seen->text) - n, "%u ", number);
    return --seen->most > 0 ? LITERALS_GO_ON : LITERALS_END;
}

static const struct row {
    const char *what, *literals[6]; /* numbered from 0 on */
    const char *text, *found;
} rows[] = {
    { "at the end", { ".png" }, "/a/b.png", "0 " },
    { "at the start", { "/a" }, "/a/b.png", "0 " },
    { "all of it", { "/a" }, "/a", "0 " },
    { "not there", { ".png" }, "/a/b.pn", "" },
    { "any case", { ".pNg" }, "/a/b.PnG", "0 " },
    { "each time", { "a" }, "aba", "0 0 " },
    { "over each other", { "aa" }, "aaa", "0 0 " },
    { "one in another", { "bc", "abcd", "c" }, "abcd", "0 2 1 " },
    { "one in another that fails", { "bc", "abcd" }, "abcx", "0 " },
    { "the end of another", { "xabc", "bc", "c" }, "xabc", "0 1 2 " },
    { "a failed start", { "aab" }, "aaab", "0 " },
    { "two starts back", { "abcabd", "cab" }, "abcabcabd", "1 1 0 " },
    { "any byte", { "\xff\x01" }, "a\xff\x01", "0 " },
    { "nothing in nothing", { "a" }, "", "" },
    { "no literals", { NULL }, "abc", "" },
};

static struct literals *make(const char *const texts[], size_t most)
{
    struct literal all[MOST];
    size_t count = 0;

    for (; count < most && texts[count] != NULL; count++)
        all[count] = (struct literal){ span_text(texts[count]), 0, (uint32_t)count };
    return literals_new(all, count, 1);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct literals *l = make(rows[i].literals, 6);
        struct seen seen = { "", MOST };
        literals_search(l, 0, span_text(rows[i].text), note, &seen);
        if (strcmp(seen.text, rows[i].found) != 0)
            fail_msg("%s: found %s", rows[i].what, seen.text);
        literals_free(&l);
        assert_null(l);
    }
}

static void test_groups_do_not_mix(void **state)
{
    const struct literal all[] = { { SPAN("ab"), 0, 7 },
                                   { SPAN("ab"), 2, 8 },
                                   { SPAN("b"), 1, 9 } };
    struct literals *l = literals_new(all, 3, 4);
    static const char *const found[] = { "7 ", "9 ", "8 ", "" };
    (void)state;

    for (uint32_t group = 0; group < 4; group++) {
        struct seen seen = { "", MOST };
        literals_search(l, group, SPAN("xab"), note, &seen);
        assert_string_equal(seen.text, found[group]);
    }
    literals_free(&l);
}

static void test_a_search_ends_when_it_is_told_to(void **state)
{
    struct literals *l = make((const char *const[]){ "abc", "bc", "c", NULL }, 4);
    struct seen seen = { "", 2 };
    (void)state;

    literals_search(l, 0, SPAN("abcabc"), note, &seen);
    assert_string_equal(seen.text, "0 1 ");
    literals_free(&l);
}

/* Of each place only the longest: what ends in it, too, is known by it. */
static enum literals_next note_longest(void *user, uint32_t number)
{
    return note(user, number) == LITERALS_END ? LITERALS_END : LITERALS_SKIP_SHORTER;
}

static void test_shorter_ones_of_a_place_are_skipped(void **state)
{
    struct literals *l = make((const char *const[]){ "abc", "bc", "c", NULL }, 4);
    struct seen seen = { "", MOST };
    (void)state;

    literals_search(l, 0, SPAN("cabcbc"), note_longest, &seen);
    assert_string_equal(seen.text, "2 0 1 ");
    literals_free(&l);
}

/* --- against a plain search --------------------------------------------------------------- */

static void fill(char *text, size_t n, const char *letters)
{
    for (size_t i = 0; i < n; i++)
        text[i] = letters[(size_t)random_jitter() % strlen(letters)];
    text[n] = '\0';
}

struct counts {
    size_t of[MOST];
};

static enum literals_next count(void *user, uint32_t number)
{
    struct counts *counts = user;

    counts->of[number]++;
    return LITERALS_GO_ON;
}

static size_t occurrences(const char *text, const char *literal)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += strncasecmp(text, literal, strlen(literal)) == 0;
    return n;
}

static bool is_new(char texts[][8], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(texts[i], texts[count]) == 0)
            return false;
    }
    return true;
}

static size_t make_texts(char texts[][8])
{
    const size_t wanted = (size_t)random_jitter() % 20;
    size_t made = 0;

    for (size_t i = 0; i < wanted; i++) {
        fill(texts[made], 1 + (size_t)random_jitter() % 6, "abA");
        made += is_new(texts, made);
    }
    return made;
}

static void check_random(void)
{
    char texts[MOST][8], text[TEXT_MAX + 1];
    const char *pointers[MOST + 1] = { NULL };
    const size_t made = make_texts(texts);
    struct counts counts = { { 0 } };

    for (size_t i = 0; i < made; i++)
        pointers[i] = texts[i];
    fill(text, (size_t)random_jitter() % TEXT_MAX, "aBbc");
    struct literals *l = make(pointers, MOST);
    literals_search(l, 0, span_text(text), count, &counts);
    for (size_t i = 0; i < made; i++) {
        if (counts.of[i] != occurrences(text, texts[i]))
            fail_msg("\"%s\" in \"%s\": %zu times", texts[i], text, counts.of[i]);
    }
    literals_free(&l);
}

static void test_agrees_with_a_plain_search(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++)
        check_random();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_groups_do_not_mix),
        cmocka_unit_test(test_a_search_ends_when_it_is_told_to),
        cmocka_unit_test(test_shorter_ones_of_a_place_are_skipped),
        cmocka_unit_test(test_agrees_with_a_plain_search),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
