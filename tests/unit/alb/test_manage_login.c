/* Who may log in at [management]: by a request, a token file, and a certificate's name. */
#include "alb/manage_login.h"

#include "http/parse.h"

#include "config_fixture.h"

#define T32 "0123456789abcdef0123456789ABCDEF"

static struct http_message message;

static void read_request(const char *fields)
{
    static char text[4096];
    size_t scanned = 0;

    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    if (http_request_parse(span_text(text), HTTP_DEFENSIVE, &message, &scanned) != HTTP_PARSED)
        fail_msg("%s", message.refuse_why);
}

static const struct {
    const char *fields, *token;
} bearers[] = {
    { "", "" },
    { "Authorization: Bearer " T32 "\r\n", T32 },
    { "authorization: bEARER " T32 "\r\n", T32 },
    { "Authorization: Bearer   " T32 "  \r\n", T32 },
    { "Authorization: Bearer\r\n", "" },
    { "Authorization: Bearer" T32 "\r\n", "" },
    { "Authorization: Basic " T32 "\r\n", "" },
    { "Authorization: Bearer a\r\nAuthorization: Bearer a\r\n", "" },
    { "Authorization: Bearer\r\n " T32 "\r\n", "" },
    { "Proxy-Authorization: Bearer " T32 "\r\n", "" },
    { "Authorization: Bearer a b\r\n", "a b" },
};

static void test_bearers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bearers); i++) {
        read_request(bearers[i].fields);
        const struct span token = manage_bearer(&message);
        if (!span_equal(token, span_text(bearers[i].token)))
            fail_msg("%zu: \"%.*s\"", i, SPAN_ARGS(token));
    }
}

static struct config config;
static struct manage_user clients[] = { { "ops", true }, { "watch", false }, { "*", false } };

static void configure(bool with_token, size_t client_count)
{
    char why[256];

    edge_set_free(&config.doors[DOOR_MANAGEMENT].allow);
    manage_tokens_free(&config.management.tokens);
    memset(&config, 0, sizeof(config));
    struct cidr block;
    assert_true(cidr_parse(SPAN("10.0.0.0/8"), &block, why, sizeof(why)));
    config.doors[DOOR_MANAGEMENT].allow = edge_set_new();
    edge_set_add(config.doors[DOOR_MANAGEMENT].allow, &block);
    edge_set_build(config.doors[DOOR_MANAGEMENT].allow);
    if (with_token)
        config.management.tokens =
            manage_tokens_parse(SPAN("ops " T32 "\n"), "f", why, sizeof(why));
    config.management.clients = clients;
    config.management.client_count = client_count;
}

static const struct {
    const char *title;
    bool with_token;
    size_t clients; /* of the table above */
    const char *peer, *fields, *certificate;
    const char *who; /* NULL: not let in */
    bool may_change;
} logins[] = {
    { "a token", true, 0, "10.0.0.1:1", "Authorization: Bearer " T32 "\r\n", "", "token:ops",
      true },
    { "none", true, 0, "10.0.0.1:1", "", "", NULL, false },
    { "a wrong one", true, 0, "10.0.0.1:1", "Authorization: Bearer x\r\n", "ops", NULL, false },
    { "from elsewhere", true, 0, "11.0.0.1:1", "Authorization: Bearer " T32 "\r\n", "", NULL,
      false },
    { "a certificate", false, 2, "10.0.0.1:1", "", "ops", "cert:ops", true },
    { "one that reads", false, 2, "10.0.0.1:1", "", "watch", "cert:watch", false },
    { "another one", false, 2, "10.0.0.1:1", "", "else", NULL, false },
    { "any one", false, 3, "10.0.0.1:1", "", "else", "cert:else", false },
    { "one without a name", false, 3, "10.0.0.1:1", "", "", NULL, false },
    { "the star itself", false, 3, "10.0.0.1:1", "", "*", NULL, false },
    { "both", true, 2, "10.0.0.1:1", "Authorization: Bearer " T32 "\r\n", "ops",
      "token:ops+cert:ops", true },
    { "both, one reads", true, 2, "10.0.0.1:1", "Authorization: Bearer " T32 "\r\n", "watch",
      "token:ops+cert:watch", false },
    { "both, no token", true, 2, "10.0.0.1:1", "", "ops", NULL, false },
    { "both, no certificate", true, 2, "10.0.0.1:1", "Authorization: Bearer " T32 "\r\n", "", NULL,
      false },
    { "nobody any more", false, 0, "10.0.0.1:1", "Authorization: Bearer " T32 "\r\n", "ops", NULL,
      false },
};

static void test_logins(void **state)
{
    char why[256];
    (void)state;

    for (size_t i = 0; i < COUNT(logins); i++) {
        struct caller caller = { .may_change = true };
        configure(logins[i].with_token, logins[i].clients);
        snprintf(caller.certificate, sizeof(caller.certificate), "%s", logins[i].certificate);
        assert_true(addr_parse(span_text(logins[i].peer), false, &caller.peer, why, sizeof(why)));
        read_request(logins[i].fields);
        const char *blame = manage_objection_text(manage_login(&config, &message, &caller));
        if ((blame == NULL) != (logins[i].who != NULL))
            fail_msg("%s: %s", logins[i].title, blame == NULL ? "let in" : blame);
        assert_int_equal(caller.may_change, logins[i].may_change);
        if (blame == NULL && strcmp(caller.who, logins[i].who) != 0)
            fail_msg("%s: %s", logins[i].title, caller.who);
    }
    configure(false, 0);
    edge_set_free(&config.doors[DOOR_MANAGEMENT].allow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bearers),
        cmocka_unit_test(test_logins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
