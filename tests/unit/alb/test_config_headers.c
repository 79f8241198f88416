/* What a listener may call request headers, and may put into responses. */
#include "config_fixture.h"

#define TLS_LISTENER                                                                               \
    "[listener web]\nbind = 127.0.0.1:8443\ndefault_action = forward chat\n"                       \
    "protocol = HTTPS\ncertificate = both.pem\n"
#define REQUEST "routing.http.request."
#define RESPONSE "routing.http.response."
#define LONG_100                                                                                   \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaa"
#define LONG_1000                                                                                  \
    LONG_100 LONG_100 LONG_100 LONG_100 LONG_100 LONG_100 LONG_100 LONG_100 LONG_100 LONG_100

/* One setting in the listener, at line 8 or 6. */
#define NAMED(key, value) EDGE GROUP TLS_LISTENER REQUEST key ".header_name = " value "\n"
#define VALUE(key, value) EDGE GROUP LISTENER RESPONSE key ".header_value = " value "\n"
#define AT_NAME "f:10: " REQUEST
#define AT_VALUE "f:8: " RESPONSE

static const struct text_case name_cases[] = {
    { "a name", NAMED("x_amzn_tls_version", "Client-Tls"), "" },
    { "its own name", NAMED("x_amzn_tls_version", "X-Amzn-Tls-Version"), "" },
    { "all of them",
      NAMED("x_amzn_tls_version", "A") REQUEST
      "x_amzn_tls_cipher_suite.header_name = B\n" REQUEST
      "x_amzn_mtls_clientcert.header_name = C\n" REQUEST
      "x_amzn_mtls_clientcert_serial_number.header_name = D\n" REQUEST
      "x_amzn_mtls_clientcert_issuer.header_name = E\n" REQUEST
      "x_amzn_mtls_clientcert_subject.header_name = F\n" REQUEST
      "x_amzn_mtls_clientcert_validity.header_name = G\n" REQUEST
      "x_amzn_mtls_clientcert_leaf.header_name = H\n",
      "" },
    { "no token", NAMED("x_amzn_tls_version", "Client Tls"),
      AT_NAME "x_amzn_tls_version.header_name: \"Client Tls\" is not a header's name: 1 to 128 "
              "letters, digits and !#$%&'*+-.^_`|~\n" },
    { "too long", NAMED("x_amzn_tls_version", LONG_100 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbb"),
      AT_NAME "x_amzn_tls_version.header_name: \"*\" is not a header's name: *\n" },
    { "somebody else's", NAMED("x_amzn_mtls_clientcert_leaf", "hOST"),
      AT_NAME "x_amzn_mtls_clientcert_leaf.header_name: \"hOST\" is the name of a header that "
              "means something else; choose another\n" },
    { "somebody else's in disguise", NAMED("x_amzn_mtls_clientcert_leaf", "Content_Length"),
      AT_NAME "x_amzn_mtls_clientcert_leaf.header_name: \"Content_Length\" is the name of a header "
              "that means something else; choose another\n" },
    { "two alike",
      NAMED("x_amzn_tls_version", "Client-Tls") REQUEST
      "x_amzn_mtls_clientcert_subject.header_name = client_tls\n",
      "f:11: " REQUEST "x_amzn_mtls_clientcert_subject.header_name: \"client_tls\" is the name of "
      "another header of this listener; choose another\n" },
    { "on HTTP", EDGE GROUP LISTENER REQUEST "x_amzn_tls_version.header_name = Client-Tls\n",
      "f:8: " REQUEST "x_amzn_tls_version.header_name: \"Client-Tls\" is for HTTPS; say protocol = "
      "HTTPS or take it out\n" },
};

static const struct text_case value_cases[] = {
    { "HSTS", VALUE("strict_transport_security", "max-age=31536000; includeSubDomains; preload"),
      "" },
    { "an odd HSTS", VALUE("strict_transport_security", "31536000;includeSubdomains"),
      AT_VALUE
      "strict_transport_security.header_value: the value begins with max-age=SECONDS, such "
      "as max-age=31536000; includeSubDomains\n" },
    { "any origin", VALUE("access_control_allow_origin", "*"), "" },
    { "one origin", VALUE("access_control_allow_origin", "https://example.com:8443"), "" },
    { "two origins", VALUE("access_control_allow_origin", "https://a.example, https://b.example"),
      AT_VALUE "access_control_allow_origin.header_value: the value is one origin, such as "
               "https://example.com, or *\n" },
    { "methods", VALUE("access_control_allow_methods", "GET, POST,OPTIONS"), "" },
    { "no method", VALUE("access_control_allow_methods", "GET, FETCH"),
      AT_VALUE "access_control_allow_methods.header_value: the value is a list of methods, such as "
               "GET, POST\n" },
    { "headers", VALUE("access_control_allow_headers", "X-One, x-two"), "" },
    { "no header", VALUE("access_control_expose_headers", "X One"),
      AT_VALUE
      "access_control_expose_headers.header_value: the value is a list of header names, or "
      "*\n" },
    { "credentials", VALUE("access_control_allow_credentials", "true"), "" },
    { "no credentials", VALUE("access_control_allow_credentials", "false"),
      AT_VALUE "access_control_allow_credentials.header_value: the value is true, or is left "
               "out\n" },
    { "age", VALUE("access_control_max_age", "86400"), "" },
    { "no age", VALUE("access_control_max_age", "1d"),
      AT_VALUE "access_control_max_age.header_value: the value is a whole number of seconds\n" },
    { "a policy", VALUE("content_security_policy", "default-src 'self'; img-src *"), "" },
    { "1024 characters", VALUE("content_security_policy", LONG_1000 "aaaaaaaaaaaaaaaaaaaaaaaa"),
      "" },
    { "one more", VALUE("content_security_policy", LONG_1000 "aaaaaaaaaaaaaaaaaaaaaaaaa"),
      AT_VALUE "content_security_policy.header_value: the value has at most 1024 characters\n" },
    { "nosniff", VALUE("x_content_type_options", "nosniff"), "" },
    { "sniff", VALUE("x_content_type_options", "sniff"),
      AT_VALUE "x_content_type_options.header_value: the value is nosniff, or is left out\n" },
    { "frames", VALUE("x_frame_options", "SAMEORIGIN"), "" },
    { "frames of one", VALUE("x_frame_options", "ALLOW-FROM https://example.com"), "" },
    { "odd frames", VALUE("x_frame_options", "deny"),
      AT_VALUE "x_frame_options.header_value: the value is DENY, SAMEORIGIN or ALLOW-FROM URI\n" },
};

static const struct text_case advice_cases[] = {
    { "a port of nobody",
      ALB "routing.http.xff_client_port.enabled = true\n"
          "routing.http.xff_header_processing.mode = remove\n" EDGE LISTENER GROUP,
      "f:3: warning: routing.http.xff_client_port.enabled: changes nothing unless "
      "routing.http.xff_header_processing.mode is append\n" },
    { "targets of another tongue", ALB EDGE LISTENER GROUP "protocol_version = GRPC\n",
      "f:10: warning: protocol_version: every client speaks HTTP/1.1 here, so this group answers "
      "464 to each request; say HTTP1 if its targets speak that too\n" },
};

static void test_names(void **state)
{
    (void)state;
    run_cases(name_cases, COUNT(name_cases), false);
}

static void test_values(void **state)
{
    (void)state;
    run_cases(value_cases, COUNT(value_cases), false);
}

static void test_advice(void **state)
{
    (void)state;
    run_cases(advice_cases, COUNT(advice_cases), true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_advice),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
