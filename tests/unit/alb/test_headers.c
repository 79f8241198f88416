/* What a target sees of a request and a client of a response, to the byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/parse.h"

#include "net/tls_peer_cert.h"

#include "alb/access_log.h"
#include "alb/config.h"
#include "alb/headers.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { NOW_S = 0x67891233 };

static struct http_message message; /* large: one for all */

static struct http_message *parse(const char *head)
{
    size_t scanned = 0;

    assert_int_equal(http_request_parse(span_text(head), HTTP_DEFENSIVE, &message, &scanned),
                     HTTP_PARSED);
    return &message;
}

/* --- X-Amzn-Trace-Id -------------------------------------------------------------- */

#define ROOT "Root=1-67891200-abcdef012345678912345678"

/* In `want`, NEW stands for a version, this second and 24 digits. */
static const struct {
    const char *name, *given, *want;
} traces[] = {
    { "none", "", "Root=NEW" },
    { "a root", ROOT, "Self=NEW;" ROOT },
    { "a root and more", ROOT ";CalledFrom=app", "Self=NEW;" ROOT ";CalledFrom=app" },
    { "more, then a root", "CalledFrom=app;" ROOT, "Self=NEW;CalledFrom=app;" ROOT },
    { "a self", "Self=1-2-3;" ROOT, "Self=NEW;" ROOT },
    { "a self behind", ROOT ";Self=1-2-3", ROOT ";Self=NEW" },
    { "a self between", ROOT ";Self=1-2-3;A=b", ROOT ";Self=NEW;A=b" },
    { "only a self", "Self=1-2-3", "Self=NEW" },
    { "an empty self", "Self=;A=b", "Self=NEW;A=b" },
    { "blanks stay", ROOT "; Self=1-2-3; A=b", ROOT "; Self=NEW; A=b" },
    { "only others", "CalledFrom=app;X", "Root=NEW;CalledFrom=app;X" },
    { "other names", "MyRoot=1;TheSelf=2", "Root=NEW;MyRoot=1;TheSelf=2" },
    { "another case", "root=1;self=2", "Root=NEW;root=1;self=2" },
    { "no value", "Root=", "Self=NEW;Root=" },
    { "garbage", ";;=;", "Root=NEW;;;=;" },
};

/* The text with what is new in it shortened to NEW. */
static const char *shorten(const char *text, char out[TRACE_ID_MAX])
{
    static const char fresh[] = "1-67891233-";
    const char *at = strstr(text, fresh);

    assert_non_null(at);
    const char *id = at + sizeof(fresh) - 1;
    assert_int_equal(strspn(id, "0123456789abcdef"), 24);
    snprintf(out, TRACE_ID_MAX, "%.*sNEW%s", (int)(at - text), text, id + 24);
    return out;
}

static void test_trace_ids(void **state)
{
    static char out[TRACE_ID_MAX], shown[TRACE_ID_MAX], head[16384];
    (void)state;

    for (size_t i = 0; i < COUNT(traces); i++) {
        snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: a\r\n%s%s\r\n\r\n",
                 traces[i].given[0] == '\0' ? "X: y" : "X-Amzn-Trace-Id: ", traces[i].given);
        const struct span trace = headers_trace_id(parse(head), NOW_S, out);
        assert_ptr_equal(trace.ptr, out);
        assert_int_equal(trace.len, strlen(out));
        assert_int_equal(headers_trace_is_ours(trace), strlen(traces[i].want) == 8);
        if (strcmp(shorten(out, shown), traces[i].want) != 0)
            fail_msg("%s: %s", traces[i].name, shown);
    }
}

/* Until the fields have more than 7 KB: 10 bytes are Host's, 7 the colon, blank
 * and line end of both. */
static void test_a_trace_id_is_made_anew_in_a_large_head(void **state)
{
    static char out[TRACE_ID_MAX], head[16384], fill[8192];
    static const char trace[] = "X-Amzn-Trace-Id: " ROOT "\r\n";
    (void)state;

    memset(fill, 'x', sizeof(fill) - 1);
    for (int over = 0; over < 2; over++) {
        const int room = 7 * 1024 - (int)strlen("Host: a\r\n") - (int)strlen(trace) -
                         (int)strlen("A: \r\n") + over;
        snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: a\r\n%sA: %.*s\r\n\r\n", trace, room,
                 fill);
        headers_trace_id(parse(head), NOW_S, out);
        assert_int_equal(strncmp(out, over ? "Root=1-67891233-" : "Self=1-67891233-", 16), 0);
        assert_int_equal(strstr(out, ROOT) == NULL, over);
    }
    snprintf(head, sizeof(head), "GET /?%s HTTP/1.1\r\nHost: a\r\n%s\r\n", fill, trace);
    headers_trace_id(parse(head), NOW_S, out);
    assert_non_null(strstr(out, ROOT)); /* a long URI is no header */
}

/* --- requests ------------------------------------------------------------------------ */

#define FILE_TEXT                                                                                  \
    "[edge]\nallow = any\n[target_group g]\ntarget = 127.0.0.1:1\n[listener l]\n"                  \
    "bind = 127.0.0.1:0\ndefault_action = forward g\n"

/* Lines of [alb] and [listener]. */
struct setup {
    const char *alb, *listener;
    uint16_t port;
    const char *peer;
    bool is_https;
};

static const struct setup plain = { .port = 8080 };
static const struct setup usual_port = { .port = 80 };
static const struct setup usual_tls_port = { .port = 443, .is_https = true };
static const struct setup v6 = { .port = 80, .peer = "2001:db8::9" };
static const struct setup ports = { "routing.http.xff_client_port.enabled = true\n", "", 80, NULL,
                                    false };
static const struct setup v6_ports = { "routing.http.xff_client_port.enabled = true\n", "", 80,
                                       "2001:db8::9", false };
static const struct setup keep = { "routing.http.xff_header_processing.mode = preserve\n"
                                   "routing.http.xff_client_port.enabled = true\n",
                                   "", 80, NULL, false };
static const struct setup drop = { "routing.http.xff_header_processing.mode = remove\n", "", 80,
                                   NULL, false };
static const struct setup same_host = { "routing.http.preserve_host_header.enabled = true\n", "",
                                        8080, NULL, false };

#define XFF(value) "X-Forwarded-For: " value "\r\n"
#define PROTO(proto, port) "X-Forwarded-Proto: " proto "\r\nX-Forwarded-Port: " port "\r\n"
#define PEER XFF("192.0.2.1")

static const struct {
    const char *name;
    const struct setup *setup;
    const char *given; /* version and fields */
    const char *want;  /* fields without the trace */
} requests[] = {
    { "plain", &plain, "1.1\r\nHost: a.example\r\nB: c\r\n",
      "Host: a.example:8080\r\nB: c\r\n" PEER PROTO("http", "8080") },
    { "a port of its own", &plain, "1.1\r\nHost: a.example:99\r\n",
      "Host: a.example:99\r\n" PEER PROTO("http", "8080") },
    { "an empty port", &plain, "1.1\r\nHost: a.example:\r\n",
      "Host: a.example:8080\r\n" PEER PROTO("http", "8080") },
    { "IPv6", &plain, "1.1\r\nHost: [::1]\r\n", "Host: [::1]:8080\r\n" PEER PROTO("http", "8080") },
    { "IPv6 and a port", &plain, "1.1\r\nHost: [::1]:99\r\n",
      "Host: [::1]:99\r\n" PEER PROTO("http", "8080") },
    { "80", &usual_port, "1.1\r\nHost: a.example\r\n",
      "Host: a.example\r\n" PEER PROTO("http", "80") },
    { "80 takes off any port", &usual_port, "1.1\r\nHost: a.example:8443\r\n",
      "Host: a.example\r\n" PEER PROTO("http", "80") },
    { "80 and IPv6", &usual_port, "1.1\r\nHost: [2001:db8::1]:80\r\n",
      "Host: [2001:db8::1]\r\n" PEER PROTO("http", "80") },
    { "443", &usual_tls_port, "1.1\r\nHost: a.example:443\r\n",
      "Host: a.example\r\n" PEER PROTO("https", "443") },
    { "the first of two hosts", &plain, "1.1\r\nHost: a\r\nHost: b\r\n",
      "Host: a:8080\r\n" PEER PROTO("http", "8080") },
    { "HTTP/1.0 without a host", &plain, "1.0\r\n",
      "Host: 10.0.0.7:9001\r\n" PEER PROTO("http", "8080") },
    { "hosts as they came", &same_host, "1.1\r\nHost: a\r\nX: y\r\nhost: b:1\r\n",
      "Host: a\r\nhost: b:1\r\nX: y\r\n" PEER PROTO("http", "8080") },
    { "no host to keep", &same_host, "1.0\r\n",
      "Host: 10.0.0.7:9001\r\n" PEER PROTO("http", "8080") },

    { "one address more", &usual_port, "1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1\r\n",
      "Host: a\r\n" XFF("10.0.0.1, 192.0.2.1") PROTO("http", "80") },
    { "what is there stays as it is", &usual_port,
      "1.1\r\nHost: a\r\nX-Forwarded-For:  10.0.0.1,unknown,  [::1]:5 \r\n",
      "Host: a\r\n" XFF("10.0.0.1,unknown,  [::1]:5, 192.0.2.1") PROTO("http", "80") },
    { "several fields become one", &usual_port,
      "1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1\r\nB: c\r\nx-forwarded-for:\r\n"
      "x-forwarded-for: 10.0.0.2\r\n",
      "Host: a\r\nB: c\r\n" XFF("10.0.0.1, 10.0.0.2, 192.0.2.1") PROTO("http", "80") },
    { "an IPv6 peer", &v6, "1.1\r\nHost: a\r\n",
      "Host: a\r\n" XFF("2001:db8::9") PROTO("http", "80") },
    { "a port", &ports, "1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1:7\r\n",
      "Host: a\r\n" XFF("10.0.0.1:7, 192.0.2.1:5678") PROTO("http", "80") },
    { "an IPv6 peer and a port", &v6_ports, "1.1\r\nHost: a\r\n",
      "Host: a\r\n" XFF("[2001:db8::9]:5678") PROTO("http", "80") },
    { "preserve", &keep,
      "1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1\r\nB: c\r\nx-forwarded-for: 10.0.0.2\r\n",
      "Host: a\r\n" XFF("10.0.0.1") "B: c\r\nx-forwarded-for: 10.0.0.2\r\n" PROTO("http", "80") },
    { "nothing to preserve", &keep, "1.1\r\nHost: a\r\n", "Host: a\r\n" PROTO("http", "80") },
    { "remove", &drop, "1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1\r\n",
      "Host: a\r\n" PROTO("http", "80") },
    { "the hop is ours", &usual_port,
      "1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 1\r\n"
      "X-Amzn-Mtls-Clientcert: forged\r\nX-Amzn-Mtls-Clientcert-Leaf: forged\r\n",
      "Host: a\r\n" PEER PROTO("http", "80") },
    { "TLS facts of others pass while ours are off", &usual_port,
      "1.1\r\nHost: a\r\nX-Amzn-Tls-Version: TLSv1.2\r\n",
      "Host: a\r\nX-Amzn-Tls-Version: TLSv1.2\r\n" PEER PROTO("http", "80") },
};

/* The snapshot for a setup; [listener] is HTTP, which is all that its headers need. */
static struct config *configure(const struct setup *setup)
{
    static char text[4096];
    struct problems problems;

    snprintf(text, sizeof(text), "[alb]\n%s" FILE_TEXT "%s", setup->alb == NULL ? "" : setup->alb,
             setup->listener == NULL ? "" : setup->listener);
    problems_init(&problems, "f");
    struct config *config = config_read_text(span_text(text), &problems);
    if (config == NULL)
        problems_print(&problems, stderr);
    problems_done(&problems);
    assert_non_null(config);
    return config;
}

static struct access_client client_of(const struct setup *setup)
{
    struct access_client client = {
        .port = 5678,
        .listener_port = setup->port,
        .is_https = setup->is_https,
        .protocol = "TLSv1.3",
        .cipher = "TLS_AES_128_GCM_SHA256",
    };

    assert_true(ip_parse(span_text(setup->peer == NULL ? "192.0.2.1" : setup->peer), &client.ip));
    return client;
}

static void write_request(struct buf *to, const struct config *config,
                          const struct access_client *client)
{
    const struct request_head how = {
        .alb = &config->alb,
        .listener = &config->listeners[0].headers,
        .client = client,
        .trace = SPAN("T"),
        .target = "10.0.0.7:9001",
    };

    assert_true(headers_write_request(to, &message, &how));
    assert_true(headers_write_hop(to, &message, &how));
}

static void test_requests(void **state)
{
    static char head[4096], want[4096];
    struct buf out;
    (void)state;

    for (size_t i = 0; i < COUNT(requests); i++) {
        struct config *config = configure(requests[i].setup);
        const struct access_client client = client_of(requests[i].setup);
        buf_init(&out, 8192);
        snprintf(head, sizeof(head), "GET /a?b HTTP/%s\r\n", requests[i].given);
        snprintf(want, sizeof(want), "GET /a?b HTTP/1.1\r\n%sX-Amzn-Trace-Id: T\r\n\r\n",
                 requests[i].want);
        parse(head);
        write_request(&out, config, &client);
        if (!span_equal(buf_data(&out), span_text(want)))
            fail_msg("%s:\n%.*s", requests[i].name, SPAN_ARGS(buf_data(&out)));
        buf_done(&out);
        config_free(&config);
    }
}

static void test_the_host_of_an_absolute_target(void **state)
{
    static const char head[] = "GET http://uri.example/ HTTP/1.1\r\nHost: field.example\r\n\r\n";
    struct config *config = configure(&same_host);
    (void)state;

    headers_choose_host(parse(head), &config->alb);
    assert_true(span_equal(message.host, SPAN("field.example")));
    config->alb.preserve_host = false;
    headers_choose_host(parse(head), &config->alb);
    assert_true(span_equal(message.host, SPAN("uri.example")));
    config_free(&config);
}

static void test_tls_facts_under_the_names_of_the_listener(void **state)
{
    static const char head[] =
        "GET / HTTP/1.1\r\nHost: a\r\nx-amzn-tls-version: forged\r\nX-Amzn-Tls-Cipher-Suite: "
        "forged\r\nClient_Tls: forged\r\nX-Serial: forged\r\nx-stays: 1\r\n\r\n";
    static char serial[] = "03A5B1", subject[] = "CN=rudi";
    static const struct tls_peer_cert certificate = {
        .text = { [TLS_CERT_SERIAL_NUMBER] = serial, [TLS_CERT_SUBJECT] = subject },
    };
    struct config *config =
        configure(&(struct setup){ "routing.http.x_amzn_tls_version_and_cipher_suite.enabled = "
                                   "true\n",
                                   "", 443, NULL, true });
    struct access_client client = client_of(&usual_tls_port);
    struct buf out;
    (void)state;

    client.certificate = &certificate;
    config->listeners[0].headers.request_names[REQUEST_TLS_VERSION] = SPAN("Client-Tls");
    config->listeners[0].headers.request_names[REQUEST_CLIENT_CERT_SERIAL_NUMBER] =
        SPAN("X-Serial");
    config->listeners[0].headers.renames = true;
    buf_init(&out, 8192);
    parse(head);
    write_request(&out, config, &client);
    const struct span want = SPAN("GET / HTTP/1.1\r\nHost: a\r\nx-stays: 1\r\n" PEER PROTO(
        "https", "443") "X-Amzn-Trace-Id: T\r\nClient-Tls: TLSv1.3\r\n"
                        "x-amzn-tls-cipher-suite: TLS_AES_128_GCM_SHA256\r\n"
                        "X-Serial: 03A5B1\r\nX-Amzn-Mtls-Clientcert-Subject: CN=rudi\r\n\r\n");
    if (!span_equal(buf_data(&out), want))
        fail_msg("%.*s", SPAN_ARGS(buf_data(&out)));
    buf_done(&out);
    config_free(&config);
}

static void test_more_than_30_addresses(void **state)
{
    static char head[4096];
    (void)state;

    for (int count = 29; count <= 32; count++) {
        size_t n = (size_t)snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: a");
        for (int i = 0; i < count; i++)
            n += (size_t)snprintf(head + n, sizeof(head) - n, "%s10.0.0.%d",
                                  i % 20 == 0 ? "\r\nX-Forwarded-For: " : ", ,", i);
        snprintf(head + n, sizeof(head) - n, "\r\n\r\n");
        assert_int_equal(headers_has_too_many_addresses(parse(head)), count > 30);
    }
}

/* --- responses ------------------------------------------------------------------------ */

#define INSERTS                                                                                    \
    "routing.http.response.server.enabled = false\n"                                               \
    "routing.http.response.strict_transport_security.header_value = max-age=60; preload\n"         \
    "routing.http.response.x_frame_options.header_value = DENY\n"

static const struct {
    const char *name, *listener;
    bool upgrade;
    const char *given, *want;
} responses[] = {
    { "as it is", "", false, "200 OK\r\nServer: s\r\nx-frame-options: a\r\nContent-Length: 0\r\n",
      "200 OK\r\nServer: s\r\nx-frame-options: a\r\nContent-Length: 0\r\n" },
    { "put in", INSERTS, false, "200 OK\r\nA: b\r\nContent-Length: 0\r\n",
      "200 OK\r\nA: b\r\nStrict-Transport-Security: max-age=60; preload\r\nX-Frame-Options: "
      "DENY\r\nContent-Length: 0\r\n" },
    { "in place of the target's", INSERTS, false,
      "200 OK\r\nserver: s\r\nx-frame-options: a\r\nX-Frame-Options: b\r\nContent-Length: 0\r\n",
      "200 OK\r\nStrict-Transport-Security: max-age=60; preload\r\nX-Frame-Options: "
      "DENY\r\nContent-Length: 0\r\n" },
    { "a 101 keeps its own", INSERTS, true,
      "101 Switching Protocols\r\nServer: s\r\nX-Frame-Options: a\r\nConnection: upgrade\r\n"
      "Upgrade: websocket\r\n",
      "101 Switching Protocols\r\nX-Frame-Options: a\r\nUpgrade: websocket\r\nConnection: "
      "Upgrade\r\n" },
};

static void test_responses(void **state)
{
    static char head[4096], want[4096];
    struct buf out;
    (void)state;

    for (size_t i = 0; i < COUNT(responses); i++) {
        size_t scanned = 0;
        struct config *config = configure(&(struct setup){ .listener = responses[i].listener });
        const struct response_head how = { .listener = &config->listeners[0].headers,
                                           .upgrade = responses[i].upgrade };
        buf_init(&out, 8192);
        snprintf(head, sizeof(head), "HTTP/1.1 %s\r\n", responses[i].given);
        snprintf(want, sizeof(want), "HTTP/1.1 %s\r\n", responses[i].want);
        assert_int_equal(http_response_parse(span_text(head), HTTP_GET, &message, &scanned),
                         HTTP_PARSED);
        assert_true(headers_write_response(&out, &message, &how));
        if (!span_equal(buf_data(&out), span_text(want)))
            fail_msg("%s:\n%.*s", responses[i].name, SPAN_ARGS(buf_data(&out)));
        buf_done(&out);
        config_free(&config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trace_ids),
        cmocka_unit_test(test_a_trace_id_is_made_anew_in_a_large_head),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_the_host_of_an_absolute_target),
        cmocka_unit_test(test_tls_facts_under_the_names_of_the_listener),
        cmocka_unit_test(test_more_than_30_addresses),
        cmocka_unit_test(test_responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
