/* The token file of [management]: what is taken, what is refused without being shown. */
#include "alb/manage_tokens.h"

#include "config_fixture.h"

#define T32 "0123456789abcdef0123456789ABCDEF"
#define U32 "ZYXWVUTSRQPONMLKJIHGFEDCBA-._~+/="

static char why[1024];

static struct manage_tokens *parse(const char *text)
{
    why[0] = '\0';
    return manage_tokens_parse(span_text(text), "f", why, sizeof(why));
}

static const struct {
    const char *title, *text, *token;
    const char *name; /* NULL: nobody's */
    bool may_change;
} good[] = {
    { "one", "ops " T32 "\n", T32, "ops", true },
    { "no newline", "ops " T32, T32, "ops", true },
    { "read only", "ops " T32 " read\n", T32, "ops", false },
    { "blanks and comments", "# me\n\n \t ops \t " T32 "\t read  # him\r\n", T32, "ops", false },
    { "odd characters", "a.b_c@d-1 " U32 "\n", U32, "a.b_c@d-1", true },
    { "the second", "ops " T32 "\nme " U32 " read\n", U32, "me", false },
    { "two of one name", "ops " T32 "\nops " U32 "\n", T32, "ops", true },
    { "another", "ops " T32 "\n", U32, NULL, false },
    { "a part", "ops " T32 "\n", "0123456789abcdef0123456789ABCDE", NULL, false },
    { "more", "ops " T32 "\n", T32 "0", NULL, false },
    { "another case", "ops " T32 "\n", "0123456789ABCDEF0123456789ABCDEF", NULL, false },
    { "nothing", "ops " T32 "\n", "", NULL, false },
    { "the whole line", "ops " T32 "\n", "ops " T32, NULL, false },
};

static void test_whose_token_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct manage_tokens *t = parse(good[i].text);
        if (t == NULL)
            fail_msg("%s: %s", good[i].title, why);
        const struct manage_user *user = manage_tokens_find(t, span_text(good[i].token));
        if ((user != NULL) != (good[i].name != NULL))
            fail_msg("%s: found %d", good[i].title, user != NULL);
        if (user != NULL) {
            assert_string_equal(user->name, good[i].name);
            assert_int_equal(user->may_change, good[i].may_change);
        }
        manage_tokens_free(&t);
    }
}

static const struct {
    const char *title, *text, *why;
} bad[] = {
    { "empty", "", "f: no token in it" },
    { "comments", "# ops " T32 "\n\n", "f: no token in it" },
    { "a name", "ops\n", "f:1: has no token" },
    { "a token", T32 "\n", "f:1: has no token" },
    { "short", "ops 0123456789abcdef0123456789ABCDE\n", "f:1: has a token that is not 32 to 256" },
    { "a quote", "ops \"" T32 "\"\n", "f:1: has a token that is not 32 to 256" },
    { "a control character", "ops " T32 "\x01\n", "f:1: has a token that is not" },
    { "another right", "ops " T32 " write\n", "f:1: has more behind the token" },
    { "more", "ops " T32 " read it\n", "f:1: has more behind the token" },
    { "a bad name", "# x\no/s " T32 "\n", "f:2: does not begin with a name" },
    { "a long name", "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn " T32 "\n",
      "f:1: does not begin with a name" },
    { "twice", "ops " T32 "\nme " T32 " read\n", "f:2: has a token that stands above" },
};

static void test_what_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct manage_tokens *t = parse(bad[i].text);
        if (t != NULL || strstr(why, bad[i].why) == NULL)
            fail_msg("%s: %s", bad[i].title, why);
        assert_null(strstr(why, "0123456789"));
    }
}

/* Every beginning of a file is a file, or has an error; what it lets in, the whole one does. */
static void test_cut_at_every_byte(void **state)
{
    static const char text[] = "# all\nops " T32 "\n\nme " U32 " read\n";
    (void)state;

    for (size_t len = 0; len < sizeof(text); len++) {
        struct manage_tokens *t = manage_tokens_parse(span_of(text, len), "f", why, sizeof(why));
        if (t != NULL)
            assert_in_range(manage_tokens_count(t), 1, 2);
        else
            assert_true(why[0] == 'f');
        manage_tokens_free(&t);
    }
}

static void test_64_and_one_more(void **state)
{
    char text[65 * 64], *at = text;
    (void)state;

    for (int i = 0; i < 65; i++) {
        struct manage_tokens *t = i == 0 ? NULL : parse(text);
        if (i > 0)
            assert_int_equal(manage_tokens_count(t), i);
        manage_tokens_free(&t);
        at += sprintf(at, "n%d %032d\n", i, i);
    }
    assert_null(parse(text));
    assert_non_null(strstr(why, "f:65: is one token too many"));
}

static void test_which_files_are_the_same(void **state)
{
    struct manage_tokens *a = parse("ops " T32 "\n"), *same = parse("# x\nops " T32 " # y\n");
    struct manage_tokens *b = parse("ops " T32 " read\n"), *c = parse("ops " U32 "\n");
    (void)state;

    assert_true(manage_tokens_equal(a, same));
    assert_false(manage_tokens_equal(a, b));
    assert_false(manage_tokens_equal(a, c));
    manage_tokens_free(&a);
    manage_tokens_free(&same);
    manage_tokens_free(&b);
    manage_tokens_free(&c);
}

static void test_files(void **state)
{
    struct manage_tokens *t;
    (void)state;

    write_text("tokens", "ops " T32 "\n");
    assert_int_equal(chmod("tokens", 0600), 0);
    assert_non_null(t = manage_tokens_read("tokens", why, sizeof(why)));
    manage_tokens_free(&t);
    assert_int_equal(chmod("tokens", 0644), 0);
    assert_null(manage_tokens_read("tokens", why, sizeof(why)));
    assert_non_null(strstr(why, "chmod 600 tokens"));
    assert_null(manage_tokens_read("none", why, sizeof(why)));
    assert_non_null(strstr(why, "none"));
    manage_tokens_free(&t); /* NULL is fine */
    unlink("tokens");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whose_token_it_is),        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_cut_at_every_byte),        cmocka_unit_test(test_64_and_one_more),
        cmocka_unit_test(test_which_files_are_the_same), cmocka_unit_test(test_files),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
