/* test_config_stickiness.c -- the settings of sticky cookies. */
#include "config_fixture.h"

#define STICKY(lines) EDGE LISTENER GROUP "stickiness.enabled = yes\n" lines
#define APP "stickiness.type = app_cookie\n"
#define APP_NAME(name) STICKY(APP "stickiness.app_cookie.cookie_name = " name "\n")
#define NAME_64 "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
#define CHARACTERS " letters, digits and !#$%&'*+-.^_`|~\n"

static const struct text_case cases[] = {
    { "lb_cookie", STICKY(""), "" },
    { "names of our own",
      STICKY("stickiness.lb_cookie.cookie_name = " NAME_64 "\n"
             "stickiness.lb_cookie.cors_cookie_name = cors\n"),
      "" },
    { "too long a name", STICKY("stickiness.lb_cookie.cookie_name = " NAME_64 "n\n"),
      "f:9: stickiness.lb_cookie.cookie_name: \"" NAME_64
      "n\" is not a cookie name: 1 to 64" CHARACTERS },
    { "a name with a blank", STICKY("stickiness.lb_cookie.cors_cookie_name = a b\n"),
      "f:9: stickiness.lb_cookie.cors_cookie_name: \"a b\" is not a cookie name: 1 to "
      "64" CHARACTERS },
    { "twins of one name",
      STICKY("stickiness.lb_cookie.cookie_name = a\nstickiness.lb_cookie.cors_cookie_name = a\n"),
      "f:10: stickiness.lb_cookie.cors_cookie_name: \"a\" is the other cookie's name\n" },
    { "a name that browsers keep for Secure cookies",
      STICKY("stickiness.lb_cookie.cookie_name = __Host-lb\n"),
      "f:9: stickiness.lb_cookie.cookie_name: \"__Host-lb\" begins as cookies do that a browser "
      "drops unless they are Secure, and this one is not\n" },
    { "the same, in small letters", STICKY("stickiness.lb_cookie.cookie_name = __secure-lb\n"),
      "f:9: stickiness.lb_cookie.cookie_name: \"__secure-lb\" begins as cookies do that a browser "
      "drops unless they are Secure, and this one is not\n" },
    { "its twin is Secure", STICKY("stickiness.lb_cookie.cors_cookie_name = __Host-lb\n"), "" },
    { "a part of a second", STICKY("stickiness.lb_cookie.duration_seconds = 1500ms\n"),
      "f:9: stickiness.lb_cookie.duration_seconds: is not a whole number of seconds\n" },

    { "app_cookie", APP_NAME("JSESSIONID"), "" },
    { "app_cookie that is off, and has no name", EDGE LISTENER GROUP APP, "" },
    { "app_cookie without a name", STICKY(APP),
      "f:9: stickiness.type: app_cookie needs stickiness.app_cookie.cookie_name, the cookie by "
      "which the application knows a session\n" },
    { "app_cookie of no name", APP_NAME("a;b"),
      "f:10: stickiness.app_cookie.cookie_name: \"a;b\" is not a cookie name: 1 to 64" CHARACTERS },
    { "as ours are called", APP_NAME("AWSALB"),
      "f:10: stickiness.app_cookie.cookie_name: \"AWSALB\" begins with AWSALB, as the balancer's "
      "own "
      "do; name the application's cookie\n" },
    { "as ours begin", APP_NAME("AWSALBAPP-0"),
      "f:10: stickiness.app_cookie.cookie_name: \"AWSALBAPP-0\" begins with AWSALB, as the "
      "balancer's own do; name the application's cookie\n" },
    { "as a group's", APP_NAME("AWSALBTG"),
      "f:10: stickiness.app_cookie.cookie_name: \"AWSALBTG\" begins with AWSALB, as the balancer's "
      "own do; name the application's cookie\n" },
    { "a session's half second",
      APP_NAME("sid") "stickiness.app_cookie.duration_seconds = 1500ms\n",
      "f:11: stickiness.app_cookie.duration_seconds: is not a whole number of seconds\n" },
    { "the balancer's cookie beside it",
      APP_NAME("sid") "stickiness.app_cookie.lb_cookie_name = B\n", "" },
    { "the balancer's cookie in its place",
      APP_NAME("B-3") "stickiness.app_cookie.lb_cookie_name = B\n",
      "f:11: stickiness.app_cookie.lb_cookie_name: with \"B\" the balancer would set \"B-3\", "
      "which "
      "is the application's cookie\n" },
    { "hardly beside it", APP_NAME("B-4") "stickiness.app_cookie.lb_cookie_name = B\n", "" },
    { "a session's that is not always Secure",
      APP_NAME("sid") "stickiness.app_cookie.lb_cookie_name = __Secure-B\n",
      "f:11: stickiness.app_cookie.lb_cookie_name: \"__Secure-B\" begins as cookies do that a "
      "browser drops unless they are Secure, and this one is not\n" },
    { "the application's own may", APP_NAME("__Host-sid"), "" },
    { "a name without room for -0",
      APP_NAME("sid") "stickiness.app_cookie.lb_cookie_name = " NAME_64 "\n",
      "f:11: stickiness.app_cookie.lb_cookie_name: \"" NAME_64
      "\" is not a cookie name: 1 to 62" CHARACTERS },

    { "groups' twins of one name",
      "[alb]\nstickiness.group_cookie.cookie_name = a\n"
      "stickiness.group_cookie.cors_cookie_name = a\n" EDGE LISTENER GROUP,
      "f:3: stickiness.group_cookie.cors_cookie_name: \"a\" is the other cookie's name\n" },
    { "a group's that is not Secure",
      "[alb]\nstickiness.group_cookie.cookie_name = __Host-g\n" EDGE LISTENER GROUP,
      "f:2: stickiness.group_cookie.cookie_name: \"__Host-g\" begins as cookies do that a browser "
      "drops unless they are Secure, and this one is not\n" },
    { "a group's without a name",
      "[alb]\nstickiness.group_cookie.cookie_name =\n" EDGE LISTENER GROUP,
      "f:2: stickiness.group_cookie.cookie_name: \"\" is not a cookie name: 1 to 64" CHARACTERS },
    { "where they stand", EDGE LISTENER GROUP "stickiness.group_cookie.cookie_name = a\n",
      "f:8: stickiness.group_cookie.cookie_name does not stand here, but in [alb]\n" },

    { "keys that are not there", "[alb]\nseal_key_file = none.keys\n" EDGE LISTENER GROUP,
      "f:2: seal_key_file: cannot open none.keys: No such file or directory\n" },
    { "keys that others may read", "[alb]\nseal_key_file = one.txt\n" EDGE LISTENER GROUP,
      "f:2: seal_key_file: one.txt: mode 0644 lets others at it; chmod 600 one.txt\n" },
};

static void test_settings(void **state)
{
    (void)state;
    umask(022);
    run_cases(cases, COUNT(cases), false);
}

static void test_what_the_profile_changes(void **state)
{
    struct problems p;
    struct config *c = read_text(STICKY(""), &p);
    (void)state;

    assert_false(c->groups[0].options.sticky_public);
    config_free(&c);
    problems_done(&p);
    c = read_text("[alb]\nprofile = aws\n" STICKY(""), &p);
    assert_true(c->groups[0].options.sticky_public);
    config_free(&c);
    problems_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_what_the_profile_changes),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
