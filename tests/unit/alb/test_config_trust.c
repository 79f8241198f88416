/* [edge] trust, what goes with it, and the origin secret: files that are refused or warned of, each
 * with the sentence that says why. */
#include <sys/stat.h>

#include "config_fixture.h"

#define OPEN(lines) "[edge]\nallow = any\n" lines LISTENER GROUP
#define CLOSED(lines) "[edge]\nallow = 10.0.1.37\n" lines LISTENER GROUP

static const struct text_case errors[] = {
    { "the edge", CLOSED("trust = edge\n"), "" },
    { "blocks", CLOSED("trust = 10.0.1.0/24 2001:db8::/32\ntrust = 10.9.0.1\n"), "" },
    { "both", CLOSED("trust = edge 10.0.1.0/24\n"), "" },
    { "nobody", CLOSED("trust = none\n"), "" },
    { "nobody and more", CLOSED("trust = none edge\n"),
      "f:3: trust: \"none\" stands alone, without other words\n" },
    { "host bits", CLOSED("trust = 10.0.1.1/24\n"),
      "f:3: trust: \"10.0.1.1/24\" has host bits set; did you mean 10.0.1.0/24?; or write edge or "
      "none\n" },
    { "another word", CLOSED("trust = all\n"),
      "f:3: trust: \"all\" is not an IP address or a block such as 10.0.0.0/8; or write edge or "
      "none\n" },
    { "a bad quote", CLOSED("trust = \"edge\"x\n"),
      "f:3: trust: \"\"edge\"x\" has a bad quote or a word too long\n" },
    { "an edge that is anybody", OPEN("trust = edge\n"),
      "f:3: trust: edge with allow = any would believe anybody; name the addresses that are to be "
      "believed, or say none\n" },
    { "open to all", OPEN("trust = 10.0.1.0/24\n"), "" },
    { "an unknown header", CLOSED("viewer_address = x-real-ip\n"),
      "f:3: viewer_address: \"x-real-ip\" is not one of x-forwarded-for, "
      "cloudfront-viewer-address\n" },
};

#define SECRET(name) "secret_header = " name "\nsecret_file = secret.txt\n"

static const struct text_case secret_errors[] = {
    { "both", CLOSED(SECRET("X-Origin-Verify")), "" },
    { "no file", CLOSED("secret_header = X-Origin-Verify\n"),
      "f:3: secret_header: needs the file that has the secret; add secret_file = FILE\n" },
    { "no header", CLOSED("secret_file = secret.txt\n"),
      "f:3: secret_file: needs the header that the secret comes in; add secret_header = "
      "X-Origin-Verify\n" },
    { "a file that is not there", CLOSED("secret_header = X\nsecret_file = none.txt\n"),
      "f:4: secret_file: cannot open none.txt: No such file or directory\n" },
    { "a file that others may read", CLOSED("secret_header = X\nsecret_file = one.txt\n"),
      "f:4: secret_file: one.txt: mode * lets others at it; chmod 600 one.txt\n" },
    { "a header that no edge can set", CLOSED(SECRET("Via")),
      "f:3: secret_header: \"Via\" is a header that CloudFront does not let an origin's custom "
      "headers set; choose another, such as X-Origin-Verify\n" },
    { "a header of a listener's own",
      CLOSED(SECRET("X-My-TLS")) "[listener tls]\nbind = 127.0.0.1:0\nprotocol = HTTPS\n"
                                 "certificate = both.pem\ndefault_action = forward chat\n"
                                 "routing.http.request.x_amzn_tls_version.header_name = X-My_TLS\n",
      "f:3: secret_header: \"X-My-TLS\" is what [listener tls] calls a header of its own; choose "
      "another\n" },
};

#define IDLE "[alb]\nidle_timeout.timeout_seconds = 300\n"

static const struct text_case warnings[] = {
    { "settings of the viewer",
      IDLE CLOSED("viewer_address = cloudfront-viewer-address\nsource_ip = viewer\n"), "" },
    { "settings of nobody's viewer",
      IDLE CLOSED("trust = none\nviewer_proto = x-forwarded-proto\nsource_ip = viewer\n"),
      "f:6: warning: viewer_proto: changes nothing, as nobody is believed; name whose word to take "
      "in "
      "trust\n"
      "f:7: warning: source_ip: changes nothing, as nobody is believed; name whose word to take in "
      "trust\n" },
    { "as nobody is named", IDLE OPEN("viewer_address = cloudfront-viewer-address\n"),
      "f:4: warning: allow = any: whoever reaches a listener may connect; name the addresses of "
      "the "
      "edge instead\n"
      "f:5: warning: viewer_address: changes nothing, as with allow = any nobody is believed; name "
      "whose "
      "word to take in trust\n" },
    { "everybody", IDLE CLOSED("trust = ::/0\n"),
      "f:5: warning: trust: ::/0 is everybody: whoever connects can say that it is another\n" },
    { "a rule that looks for the secret",
      IDLE CLOSED(SECRET("X-Origin-Verify"))
          RULE("http-header = x-origin-verify 0123456789abcdef\npath-pattern = /\n"),
      "f:12: warning: [rule r] never matches: http-header x-origin-verify is the secret_header of "
      "[edge], which no rule sees; take the condition out\n" },
    { "a group that goes by the secret",
      IDLE CLOSED(SECRET(
          "X-Origin-Verify")) "load_balancing.algorithm.type = consistent_hash\n"
                              "load_balancing.consistent_hash.key = header x-origin-verify\n",
      "f:13: warning: load_balancing.consistent_hash.key: header x-origin-verify is the "
      "secret_header of [edge], which is taken out before: no request has this key\n" },
};

static void test_trust(void **state)
{
    (void)state;
    run_cases(errors, COUNT(errors), false);
}

static int write_secret(void **state)
{
    if (enter_folder(state) != 0)
        return -1;
    write_text("secret.txt", "0123456789abcdef\n");
    return chmod("secret.txt", 0600);
}

static void test_secret(void **state)
{
    (void)state;
    run_cases(secret_errors, COUNT(secret_errors), false);
}

static void test_advice_on_trust(void **state)
{
    (void)state;
    run_cases(warnings, COUNT(warnings), true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_secret),
        cmocka_unit_test(test_advice_on_trust),
    };

    return cmocka_run_group_tests_name("config: trust", tests, write_secret, leave_folder);
}
