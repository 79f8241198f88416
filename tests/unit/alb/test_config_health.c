/* test_config_health.c -- [health]: sections that are refused, each with the sentence that says
 * why, and what good ones come to. */
#include "config_fixture.h"

#define FILE_OF(lines) EDGE LISTENER GROUP "[health]\n" lines
#define BIND "bind = 127.0.0.1:8081\n"
#define EIGHT                                                                                      \
    "bind = 10.0.0.1:1\nbind = 10.0.0.1:2\nbind = 10.0.0.1:3\nbind = 10.0.0.1:4\n"                 \
    "bind = 10.0.0.1:5\nbind = 10.0.0.1:6\nbind = 10.0.0.1:7\nbind = 10.0.0.1:8\n"

/* The section's header is line 8. */
static const struct text_case cases[] = {
    { "none", EDGE LISTENER GROUP, "" },
    { "blocks", FILE_OF(BIND "allow = 10.0.1.0/24 2001:db8::/32\nallow = 10.9.0.1\n"), "" },
    { "anybody", FILE_OF(BIND "allow = any\n"), "" },
    { "two of any port", FILE_OF("bind = 127.0.0.1:0\nbind = [::1]:0\nallow = any\n"), "" },
    { "eight", FILE_OF(EIGHT "allow = any\n"), "" },
    { "nine", FILE_OF(EIGHT BIND "allow = any\n"), "f:17: bind: more than 8 of them\n" },
    { "empty", FILE_OF(""),
      "f:8: [health] has no bind\n"
      "f:8: [health] has no allow: name the addresses that check, or say allow = any\n" },
    { "nowhere", FILE_OF("allow = any\n"), "f:8: [health] has no bind\n" },
    { "for nobody", FILE_OF(BIND),
      "f:8: [health] has no allow: name the addresses that check, or say allow = any\n" },
    { "no address", FILE_OF("bind = here\nallow = any\n"), "f:9: bind: *\n" },
    { "anybody and more", FILE_OF(BIND "allow = any 10.0.0.1\n"),
      "f:10: allow: \"any\" stands alone, without other addresses\n" },
    { "host bits", FILE_OF(BIND "allow = 10.0.1.1/24\n"),
      "f:10: allow: \"10.0.1.1/24\" has host bits set; did you mean 10.0.1.0/24?\n" },
    { "another word", FILE_OF(BIND "allow = 10.0.0.1\nallow = edge\n"),
      "f:11: allow: \"edge\" *\n" },
    { "a bad quote", FILE_OF(BIND "allow = \"10.0.0.1\"x\n"),
      "f:10: allow: \"\"10.0.0.1\"x\" has a bad quote or a word too long\n" },
    { "a listener's place", FILE_OF("bind = 127.0.0.1:8080\nallow = any\n"),
      "f:9: bind: 127.0.0.1:8080 overlaps with 127.0.0.1:8080 of [listener web]; choose another "
      "port\n" },
    { "all addresses of a listener's port", FILE_OF("bind = 0.0.0.0:8080\nallow = any\n"),
      "f:9: bind: 0.0.0.0:8080 overlaps with 127.0.0.1:8080 of [listener web]; choose another "
      "port\n" },
    { "one place twice", FILE_OF(BIND BIND "allow = any\n"),
      "f:10: bind: 127.0.0.1:8081 overlaps with 127.0.0.1:8081 of another line here; choose "
      "another port\n" },
    { "the admin port's place", "[alb]\nadmin = 127.0.0.1:8081\n" FILE_OF(BIND "allow = any\n"),
      "f:11: bind: 127.0.0.1:8081 overlaps with 127.0.0.1:8081 of admin; choose another port\n" },
};

static void test_what_it_may_say(void **state)
{
    (void)state;
    run_cases(cases, COUNT(cases), false);
}

static bool allows(const struct door_config *h, const char *text)
{
    struct ip ip;

    assert_true(ip_parse(span_text(text), &ip));
    return edge_set_contains(h->allow, &ip);
}

static void test_what_it_comes_to(void **state)
{
    struct problems p;
    struct config *c = read_text(
        FILE_OF(
            "bind = 127.0.0.1:0\nbind = [::1]:8081\nallow = 10.0.2.0/24\nallow = 2001:db8::7\n"),
        &p);
    const struct door_config *h = &c->doors[DOOR_HEALTH];
    (void)state;

    assert_int_equal(h->bind_count, 2);
    assert_int_equal(addr_port(&h->binds[0]), 0);
    assert_int_equal(addr_port(&h->binds[1]), 8081);
    assert_false(h->any);
    assert_true(c->health.options.ready_needs_target);
    assert_true(allows(h, "10.0.2.255") && allows(h, "2001:db8::7"));
    assert_false(allows(h, "10.0.3.0") || allows(h, "2001:db8::8"));
    assert_false(allows(h, "10.0.1.37")); /* [edge] means nothing here */
    config_free(&c);
    problems_done(&p);
}

static void test_without_the_section(void **state)
{
    struct problems p;
    struct config *c = read_text(EDGE LISTENER GROUP, &p);
    (void)state;

    assert_int_equal(c->doors[DOOR_HEALTH].bind_count, 0);
    assert_false(c->doors[DOOR_HEALTH].any || allows(&c->doors[DOOR_HEALTH], "10.0.1.37"));
    config_free(&c);
    problems_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_may_say),
        cmocka_unit_test(test_what_it_comes_to),
        cmocka_unit_test(test_without_the_section),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
