/* test_token.c -- session tokens open for their user, under their secret, and as they are. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "wsserver/token.h"

static const uint8_t secret[HUB_SECRET_BYTES] = { 1, 2, 3 };
static const uint8_t other_secret[HUB_SECRET_BYTES] = { 1, 2, 4 };

static void test_a_token_opens_for_its_user(void **state)
{
    char session[TOKEN_SESSION_LEN + 1], token[TOKEN_LEN + 1], opened[TOKEN_SESSION_LEN + 1] = "-";
    (void)state;

    token_new_session(session);
    assert_int_equal(strlen(session), TOKEN_SESSION_LEN);
    token_make(secret, SPAN("alice"), session, token);
    assert_int_equal(strlen(token), TOKEN_LEN);
    assert_memory_equal(token, "s1.", 3);
    assert_true(token_open(secret, SPAN("alice"), span_text(token), opened));
    assert_string_equal(opened, session);
}

static void test_anything_else_does_not(void **state)
{
    char session[TOKEN_SESSION_LEN + 1], token[TOKEN_LEN + 1], opened[TOKEN_SESSION_LEN + 1] = "-";
    (void)state;

    token_new_session(session);
    token_make(secret, SPAN("alice"), session, token);
    assert_false(token_open(secret, SPAN("alicia"), span_text(token), opened));
    assert_false(token_open(secret, SPAN(""), span_text(token), opened));
    assert_false(token_open(other_secret, SPAN("alice"), span_text(token), opened));
    for (size_t len = 0; len < TOKEN_LEN; len++)
        assert_false(token_open(secret, SPAN("alice"), span_of(token, len), opened));
    for (size_t i = 0; i < TOKEN_LEN; i++) {
        char changed[TOKEN_LEN];
        memcpy(changed, token, TOKEN_LEN);
        for (int bit = 0; bit < 8; bit++) {
            changed[i] = (char)(token[i] ^ 1 << bit);
            assert_false(token_open(secret, SPAN("alice"), span_of(changed, TOKEN_LEN), opened));
        }
    }
    char zeros[TOKEN_LEN] = { 0 };
    assert_false(token_open(secret, SPAN("alice"), span_of(zeros, TOKEN_LEN), opened));
    assert_string_equal(opened, "-");
}

static void test_sessions_differ(void **state)
{
    char a[TOKEN_SESSION_LEN + 1], b[TOKEN_SESSION_LEN + 1];
    (void)state;

    token_new_session(a);
    token_new_session(b);
    assert_string_not_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_token_opens_for_its_user),
        cmocka_unit_test(test_anything_else_does_not),
        cmocka_unit_test(test_sessions_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
