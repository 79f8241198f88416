/* test_config_manage.c -- [management]: sections that are refused, each with the sentence that says
 * why, and what good ones come to. Where it listens is read as for [health]. */
#include "config_fixture.h"

#define T32 "0123456789abcdef0123456789ABCDEF"
#define FILE_OF(lines) EDGE LISTENER GROUP "[management]\nbind = 127.0.0.1:8443\n" lines
#define ALLOW "allow = 10.7.0.0/28\n"
#define TLS "certificate_file = both.pem\n"
#define TOKENS "token_file = tokens\n"
#define CLIENTS "client_ca_file = cert.pem\n"

/* The section's header is line 8, ALLOW line 10. */
static const struct text_case cases[] = {
    { "none", EDGE LISTENER GROUP, "" },
    { "tokens", FILE_OF(ALLOW TLS TOKENS), "" },
    { "a key of its own", FILE_OF(ALLOW "certificate_file = cert.pem\nkey_file = key.pem\n" TOKENS),
      "" },
    { "clients", FILE_OF(ALLOW TLS CLIENTS "client = ops\nclient = watch read\nclient = * read\n"),
      "" },
    { "both", FILE_OF(ALLOW TLS TOKENS CLIENTS "client = *\n"), "" },
    { "no address set", FILE_OF(TLS TOKENS),
      "f:8: [management] has no allow: name the addresses of the operators, or say allow = any\n" },
    { "no certificate", FILE_OF(ALLOW TOKENS),
      "f:8: [management] has no certificate_file: it speaks TLS only\n" },
    { "a certificate that is none", FILE_OF(ALLOW "certificate_file = body.json\n" TOKENS),
      "f:11: certificate_file: body.json: *\n" },
    { "another's key", FILE_OF(ALLOW "certificate_file = cert.pem\nkey_file = none\n" TOKENS),
      "f:11: certificate_file: cannot open none: *\n" },
    { "nobody", FILE_OF(ALLOW TLS),
      "f:8: [management] lets nobody log in: add token_file = FILE with a line NAME TOKEN for each "
      "who may, or client_ca_file = FILE.pem and client = NAME\n" },
    { "no tokens", FILE_OF(ALLOW TLS "token_file = none\n"), "f:12: token_file: *none*\n" },
    { "an authority alone", FILE_OF(ALLOW TLS CLIENTS),
      "f:12: client_ca_file: say whose certificates of that authority may log in: add client = "
      "NAME, or client = NAME read, for each common name\n" },
    { "clients alone", FILE_OF(ALLOW TLS TOKENS "client = ops\n"),
      "f:13: client: nobody is asked for a certificate; add client_ca_file = FILE.pem\n" },
    { "an authority that is none", FILE_OF(ALLOW TLS "client_ca_file = body.json\nclient = ops\n"),
      "f:12: client_ca_file: body.json: *\n" },
    { "another right", FILE_OF(ALLOW TLS CLIENTS "client = ops write\n"),
      "f:13: client: \"ops write\" is not NAME or NAME read, *\n" },
    { "two names", FILE_OF(ALLOW TLS CLIENTS "client = ops read me\n"),
      "f:13: client: \"ops read me\" is not *\n" },
    { "a name of two words", FILE_OF(ALLOW TLS CLIENTS "client = \"o ps\"\n"),
      "f:13: client: *\"o ps\"* is not *\n" },
    { "a part of a name", FILE_OF(ALLOW TLS CLIENTS "client = ops*\n"),
      "f:13: client: \"ops*\" is not *\n" },
    { "twice", FILE_OF(ALLOW TLS CLIENTS "client = ops\nclient = ops read\n"),
      "f:14: client: ops stands in another line already\n" },
};

static void test_what_it_may_say(void **state)
{
    (void)state;
    run_cases(cases, COUNT(cases), false);
}

static const struct text_case warned[] = {
    { "named", FILE_OF(ALLOW TLS TOKENS), "*" },
    { "anybody", FILE_OF("allow = any\n" TLS TOKENS),
      "*f:10: warning: allow: any address may try to log in; name those of the operators\n*" },
};

static void test_what_it_is_warned_of(void **state)
{
    (void)state;
    run_cases(warned, COUNT(warned), true);
}

static const struct {
    const char *name;
    bool is_there, may_change;
} clients[] = {
    { "ops", true, true },     { "watch", true, false }, { "anybody", true, false },
    { "", false, false },      { "*", false, false },    { "o ps", false, false },
    { "ops\n", false, false },
};

static void test_whose_certificates(void **state)
{
    struct problems p;
    struct config *c = read_text(
        FILE_OF(ALLOW TLS CLIENTS "client = * read\nclient = ops\nclient = watch read\n"), &p);
    (void)state;

    assert_non_null(c);
    assert_non_null(c->management.tls);
    assert_null(c->management.tokens);
    for (size_t i = 0; i < COUNT(clients); i++) {
        const struct manage_user *user = config_management_client(&c->management, clients[i].name);
        if ((user != NULL) != clients[i].is_there)
            fail_msg("\"%s\"", clients[i].name);
        if (user != NULL)
            assert_int_equal(user->may_change, clients[i].may_change);
    }
    config_free(&c);
    problems_done(&p);
}

static void test_health_has_its_place_first(void **state)
{
    static const struct text_case both[] = {
        { "one place", FILE_OF(ALLOW TLS TOKENS "[health]\nbind = 0.0.0.0:8443\nallow = any\n"),
          "f:9: bind: 127.0.0.1:8443 overlaps with 0.0.0.0:8443 of [health]; choose another "
          "port\n" },
    };

    (void)state;
    run_cases(both, COUNT(both), false);
}

static int enter(void **state)
{
    const int failed = enter_folder(state);

    write_text("tokens", "ops " T32 "\n");
    return failed || chmod("tokens", 0600) != 0;
}

static int leave(void **state)
{
    unlink("tokens");
    return leave_folder(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_may_say),
        cmocka_unit_test(test_what_it_is_warned_of),
        cmocka_unit_test(test_whose_certificates),
        cmocka_unit_test(test_health_has_its_place_first),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
