/* A row of the access log, byte for byte, against a model that printf() writes. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/text.h"
#include "http/message.h"
#include "net/loop.h"

#include "alb/access_row.h"
#include "alb/log_buffer.h"
#include "alb/target.h"

/* 2023-11-14T22:13:20Z */
enum { CREATED_AT = 1700000000 };

static struct loop loop;
static struct log_buffer buffer;
static char longest[900];

static struct access_client client = {
    .listener_port = 8080,
    .peer_len = 14,
    .peer = "10.0.0.1:65535",
    .id_len = 8,
    .id = "TID_abcd",
    .node_len = 8,
    .node = "10.0.0.2",
};
static struct access_client tls_client = {
    .is_https = true,
    .listener_port = 443,
    .peer_len = 8,
    .peer = "[::1]:80",
    .id_len = 8,
    .id = "TID_abcd",
    .node_len = 3,
    .node = "::1",
    .cipher = "ECDHE-RSA-AES128-GCM-SHA256",
    .protocol = "TLSv1.2",
    .sni = "a.example",
    .chosen_cert = "/etc/a.pem",
};
static struct access_client resumed_client = {
    .is_https = true,
    .listener_port = 443,
    .peer_len = 8,
    .peer = "[::1]:80",
    .id_len = 8,
    .id = "TID_abcd",
    .node_len = 3,
    .node = "::1",
    .cipher = "TLS_AES_128_GCM_SHA256",
    .protocol = "TLSv1.3",
    .sni = "",
    .chosen_cert = "/etc/a.pem",
    .resumed = true,
    .announced = { { 6, { 0xfd, [15] = 9 } }, 4711, "vpce-1" },
};

static struct access_client edge_client = {
    .listener_port = 80,
    .peer_len = 8,
    .peer = "[::1]:80",
    .id_len = 8,
    .id = "TID_abcd",
    .node_len = 3,
    .node = "::1",
    .viewer = { { 4, { 192, 0, 2, 1 } }, 0 },
};
static struct access_client edge_client_v6 = {
    .listener_port = 80,
    .peer_len = 8,
    .peer = "[::1]:80",
    .id_len = 8,
    .id = "TID_abcd",
    .node_len = 3,
    .node = "::1",
    .viewer = { { 6, { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } }, 65535 },
};

static struct target inet = { .text = "10.1.0.9:8001",
                              .text_len = 13,
                              .addr.sa.sa_family = AF_INET };
static struct target unix_path = { .text = "unix:/run/a\".sock",
                                   .text_len = 17,
                                   .addr.sa.sa_family = AF_UNIX };

/* What is not said here is as an entry is when it is new. */
struct row {
    const char *text[ACCESS_TEXTS];
    const struct access_entry *e;
    const char *want;
};

#define NO_RULE .rule_priority = ACCESS_RULE_NONE
#define GET [ACCESS_METHOD] = "GET"
#define HOST [ACCESS_HOST] = "a.b"
#define ROOT [ACCESS_TARGET] = "/"
#define TIME "2023-11-14T22:13:21.000002Z"
#define START " app/x/1 10.0.0.1:65535 "
#define BEGUN "2023-11-14T22:13:20.000000Z"
#define DASHES "\"-\" \"-\" "

static const struct row rows[] = {
    { .e = &(struct access_entry){ NO_RULE, .elb_status = 400, .received = 9, .sent = 1234567890123,
                                   .end = "a \"b\"" },
      .want =
          "http " TIME START "- -1 -1 -1 400 - 9 1234567890123 \"- http://1.2.3.4:8080- -\" \"-\""
          " - - - " DASHES "\"-\" - " BEGUN " " DASHES "\"-\" \"-\" \"-\" " DASHES
          "TID_abcd " DASHES "\"-\" 10.0.0.2 end=\"a \\x22b\\x22\"\n" },
    { .text = { GET, HOST, ROOT, [ACCESS_AGENT] = "wrk", [ACCESS_TRACE] = "Root=1-2-3",
                [ACCESS_GROUP] = "app" },
      .e = &(struct access_entry){ .rule_priority = 0,
                                   .minor = 1,
                                   .action = ACCESS_FORWARD,
                                   .target = &inet,
                                   .elb_status = 200,
                                   .target_status = 204,
                                   .received = 99,
                                   .sent = 100,
                                   .dispatched_us = 1999,
                                   .answered_us = 3998,
                                   .begun_us = 10003998 },
      .want = "http " TIME START "10.1.0.9:8001 0.000 0.001 10.000 200 204 99 100 "
              "\"GET http://a.b:8080/ HTTP/1.1\" \"wrk\" - - app \"Root=1-2-3\" " DASHES "0 " BEGUN
              " \"forward\" \"-\" \"-\" \"10.1.0.9:8001\" \"204\" " DASHES "TID_abcd " DASHES
              "\"-\" 10.0.0.2\n" },
    { .text = { GET, [ACCESS_HOST] = "a.b:99", ROOT,
                [ACCESS_AGENT] = "a\"b\\c\xff"
                                 "12345678" },
      .e = &(struct access_entry){ .rule_priority = ACCESS_RULE_ERROR,
                                   .elb_status = 500,
                                   .error = "Odd" },
      .want = "http " TIME START "- -1 -1 -1 500 - 0 0 \"GET http://a.b:99/ HTTP/1.0\" "
              "\"a\\x22b\\x5Cc\\xFF12345678\" - - - " DASHES "\"-\" -1 " BEGUN " " DASHES "\"Odd\" "
              "\"-\" \"-\" " DASHES "TID_abcd " DASHES "\"-\" 10.0.0.2\n" },
    { .text = { GET, [ACCESS_HOST] = "[::1]", [ACCESS_TARGET] = "/a\xc3\xa9" },
      .e = &(struct access_entry){ .client = &tls_client,
                                   .rule_priority = 50000,
                                   .minor = 1,
                                   .elb_status = 302,
                                   .action = ACCESS_REDIRECT,
                                   .target = &unix_path,
                                   .class_ = HTTP_AMBIGUOUS,
                                   .reason = HTTP_R_NON_COMPLIANT_HEADER },
      .want =
          "https " TIME " app/x/1 [::1]:80 unix:/run/a\\x22.sock:0 -1 -1 -1 302 - 0 0 "
          "\"GET https://[::1]:443/a\\xC3\\xA9 HTTP/1.1\" \"-\" ECDHE-RSA-AES128-GCM-SHA256 "
          "TLSv1.2 - \"-\" \"a.example\" \"/etc/a.pem\" 50000 " BEGUN " \"redirect\" \"-\" \"-\" "
          "\"unix:/run/a\\x22.sock:0\" \"-\" \"Ambiguous\" \"NonCompliantHeader\" TID_abcd " DASHES
          "\"-\" ::1\n" },
    { .text = { GET, HOST, [ACCESS_TARGET] = "http://x/", [ACCESS_REDIRECT_URL] = "https://a:443/",
                [ACCESS_TRANSFORMED_HOST] = "in", [ACCESS_TRANSFORMED_URI] = "/new" },
      .e = &(struct access_entry){ .client = &resumed_client,
                                   .rule_priority = 7,
                                   .minor = 1,
                                   .elb_status = 101,
                                   .target_status = 101,
                                   .action = ACCESS_FIXED_RESPONSE,
                                   .is_absolute = true,
                                   .is_websocket = true,
                                   .frames = { 1, 20 },
                                   .close_code = { 1000, 0 },
                                   .transform = "TransformSuccess",
                                   .target = &inet,
                                   .end = "" },
      .want =
          "wss " TIME " app/x/1 [::1]:80 10.1.0.9:8001 -1 -1 -1 101 101 0 0 "
          "\"GET http://x/ HTTP/1.1\" \"-\" TLS_AES_128_GCM_SHA256 TLSv1.3 - \"-\" \"-\" "
          "\"session-reused\" 7 " BEGUN " \"fixed-response\" \"https://a:443/\" \"-\" "
          "\"10.1.0.9:8001\" \"101\" " DASHES "TID_abcd \"in\" \"/new\" \"TransformSuccess\" ::1 "
          "via=[fd00::9]:4711 vpce=vpce-1 end=\"\" client_frames=1 target_frames=20 "
          "client_close=1000 target_close=0\n" },
    { .text = { GET, HOST, ROOT },
      .e =
          &(struct access_entry){
              .client = &edge_client, NO_RULE, .minor = 1, .elb_status = 463, .end = "why" },
      .want = "http " TIME " app/x/1 [::1]:80 - -1 -1 -1 463 - 0 0 "
              "\"GET http://a.b:80/ HTTP/1.1\" \"-\" - - - " DASHES "\"-\" - " BEGUN " " DASHES
              "\"-\" \"-\" \"-\" " DASHES "TID_abcd " DASHES "\"-\" ::1 end=\"why\" "
              "viewer=192.0.2.1\n" },
    { .text = { GET, HOST, ROOT },
      .e = &(struct access_entry){ .client = &edge_client_v6,
                                   NO_RULE,
                                   .minor = 1,
                                   .elb_status = 101,
                                   .is_websocket = true },
      .want = "ws " TIME " app/x/1 [::1]:80 - -1 -1 -1 101 - 0 0 "
              "\"GET http://a.b:80/ HTTP/1.1\" \"-\" - - - " DASHES "\"-\" - " BEGUN " " DASHES
              "\"-\" \"-\" \"-\" " DASHES "TID_abcd " DASHES "\"-\" ::1 client_frames=0 "
              "target_frames=0 client_close=0 target_close=0 viewer=[2001:db8::1]:65535\n" },
};

/* The same as JSON. */
static const char *const json_rows[] = {
    "{\"type\":\"http\",\"time\":\"2023-11-14T22:13:21.000002Z\",\"elb\":\"app/x/1\","
    "\"client:port\":\"10.0.0.1:65535\",\"target:port\":null,"
    "\"request_processing_time\":-1,\"target_processing_time\":-1,"
    "\"response_processing_time\":-1,\"elb_status_code\":400,"
    "\"target_status_code\":null,\"received_bytes\":9,\"sent_bytes\":1234567890123,"
    "\"request\":\"- http://1.2.3.4:8080- -\",\"user_agent\":null,"
    "\"ssl_cipher\":null,\"ssl_protocol\":null,\"target_group_arn\":null,"
    "\"trace_id\":null,\"domain_name\":null,\"chosen_cert_arn\":null,"
    "\"matched_rule_priority\":null,"
    "\"request_creation_time\":\"2023-11-14T22:13:20.000000Z\","
    "\"actions_executed\":null,\"redirect_url\":null,\"error_reason\":null,"
    "\"target:port_list\":null,\"target_status_code_list\":null,"
    "\"classification\":null,\"classification_reason\":null,"
    "\"conn_trace_id\":\"TID_abcd\",\"transformed_host\":null,"
    "\"transformed_uri\":null,\"request_transform_status\":null,"
    "\"ip_address\":\"10.0.0.2\",\"end\":\"a \\\"b\\\"\"}\n",
    "{\"type\":\"http\",\"time\":\"2023-11-14T22:13:21.000002Z\",\"elb\":\"app/x/1\","
    "\"client:port\":\"10.0.0.1:65535\",\"target:port\":\"10.1.0.9:8001\","
    "\"request_processing_time\":0.000,\"target_processing_time\":0.001,"
    "\"response_processing_time\":10.000,\"elb_status_code\":200,"
    "\"target_status_code\":204,\"received_bytes\":99,\"sent_bytes\":100,"
    "\"request\":\"GET http://a.b:8080/ HTTP/1.1\",\"user_agent\":\"wrk\","
    "\"ssl_cipher\":null,\"ssl_protocol\":null,\"target_group_arn\":\"app\","
    "\"trace_id\":\"Root=1-2-3\",\"domain_name\":null,\"chosen_cert_arn\":null,"
    "\"matched_rule_priority\":0,"
    "\"request_creation_time\":\"2023-11-14T22:13:20.000000Z\","
    "\"actions_executed\":\"forward\",\"redirect_url\":null,\"error_reason\":null,"
    "\"target:port_list\":\"10.1.0.9:8001\",\"target_status_code_list\":204,"
    "\"classification\":null,\"classification_reason\":null,"
    "\"conn_trace_id\":\"TID_abcd\",\"transformed_host\":null,"
    "\"transformed_uri\":null,\"request_transform_status\":null,"
    "\"ip_address\":\"10.0.0.2\",\"end\":null}\n",
    "{\"type\":\"http\",\"time\":\"2023-11-14T22:13:21.000002Z\",\"elb\":\"app/x/1\","
    "\"client:port\":\"10.0.0.1:65535\",\"target:port\":null,"
    "\"request_processing_time\":-1,\"target_processing_time\":-1,"
    "\"response_processing_time\":-1,\"elb_status_code\":500,"
    "\"target_status_code\":null,\"received_bytes\":0,\"sent_bytes\":0,"
    "\"request\":\"GET http://a.b:99/ "
    "HTTP/1.0\",\"user_agent\":\"a\\\"b\\\\c\357\277\27512345678\","
    "\"ssl_cipher\":null,\"ssl_protocol\":null,\"target_group_arn\":null,"
    "\"trace_id\":null,\"domain_name\":null,\"chosen_cert_arn\":null,"
    "\"matched_rule_priority\":-1,"
    "\"request_creation_time\":\"2023-11-14T22:13:20.000000Z\","
    "\"actions_executed\":null,\"redirect_url\":null,\"error_reason\":\"Odd\","
    "\"target:port_list\":null,\"target_status_code_list\":null,"
    "\"classification\":null,\"classification_reason\":null,"
    "\"conn_trace_id\":\"TID_abcd\",\"transformed_host\":null,"
    "\"transformed_uri\":null,\"request_transform_status\":null,"
    "\"ip_address\":\"10.0.0.2\",\"end\":null}\n",
    "{\"type\":\"https\",\"time\":\"2023-11-14T22:13:21.000002Z\",\"elb\":\"app/x/1\","
    "\"client:port\":\"[::1]:80\",\"target:port\":\"unix:/run/a\\\".sock\","
    "\"request_processing_time\":-1,\"target_processing_time\":-1,"
    "\"response_processing_time\":-1,\"elb_status_code\":302,"
    "\"target_status_code\":null,\"received_bytes\":0,\"sent_bytes\":0,"
    "\"request\":\"GET https://[::1]:443/a\303\251 HTTP/1.1\",\"user_agent\":null,"
    "\"ssl_cipher\":\"ECDHE-RSA-AES128-GCM-SHA256\",\"ssl_protocol\":\"TLSv1.2\","
    "\"target_group_arn\":null,\"trace_id\":null,\"domain_name\":\"a.example\","
    "\"chosen_cert_arn\":\"/etc/a.pem\",\"matched_rule_priority\":50000,"
    "\"request_creation_time\":\"2023-11-14T22:13:20.000000Z\","
    "\"actions_executed\":\"redirect\",\"redirect_url\":null,\"error_reason\":null,"
    "\"target:port_list\":\"unix:/run/a\\\".sock\",\"target_status_code_list\":null,"
    "\"classification\":\"Ambiguous\","
    "\"classification_reason\":\"NonCompliantHeader\",\"conn_trace_id\":\"TID_abcd\","
    "\"transformed_host\":null,\"transformed_uri\":null,"
    "\"request_transform_status\":null,\"ip_address\":\"::1\",\"end\":null}\n",
    "{\"type\":\"wss\",\"time\":\"2023-11-14T22:13:21.000002Z\",\"elb\":\"app/x/1\","
    "\"client:port\":\"[::1]:80\",\"target:port\":\"10.1.0.9:8001\","
    "\"request_processing_time\":-1,\"target_processing_time\":-1,"
    "\"response_processing_time\":-1,\"elb_status_code\":101,"
    "\"target_status_code\":101,\"received_bytes\":0,\"sent_bytes\":0,"
    "\"request\":\"GET http://x/ HTTP/1.1\",\"user_agent\":null,"
    "\"ssl_cipher\":\"TLS_AES_128_GCM_SHA256\",\"ssl_protocol\":\"TLSv1.3\","
    "\"target_group_arn\":null,\"trace_id\":null,\"domain_name\":null,"
    "\"chosen_cert_arn\":\"session-reused\",\"matched_rule_priority\":7,"
    "\"request_creation_time\":\"2023-11-14T22:13:20.000000Z\","
    "\"actions_executed\":\"fixed-response\",\"redirect_url\":\"https://a:443/\","
    "\"error_reason\":null,\"target:port_list\":\"10.1.0.9:8001\","
    "\"target_status_code_list\":101,\"classification\":null,"
    "\"classification_reason\":null,\"conn_trace_id\":\"TID_abcd\","
    "\"transformed_host\":\"in\",\"transformed_uri\":\"/new\","
    "\"request_transform_status\":\"TransformSuccess\",\"ip_address\":\"::1\",\"via\":\"[fd00::9]:"
    "4711\",\"vpce\":\"vpce-1\","
    "\"end\":null,\"client_frames\":1,\"target_frames\":20,\"client_close\":1000,"
    "\"target_close\":0}\n",
    "{\"type\":\"http\",\"time\":\"2023-11-14T22:13:21.000002Z\",\"elb\":\"app/x/1\","
    "\"client:port\":\"[::1]:80\",\"target:port\":null,"
    "\"request_processing_time\":-1,\"target_processing_time\":-1,"
    "\"response_processing_time\":-1,\"elb_status_code\":463,"
    "\"target_status_code\":null,\"received_bytes\":0,\"sent_bytes\":0,"
    "\"request\":\"GET http://a.b:80/ HTTP/1.1\",\"user_agent\":null,"
    "\"ssl_cipher\":null,\"ssl_protocol\":null,\"target_group_arn\":null,"
    "\"trace_id\":null,\"domain_name\":null,\"chosen_cert_arn\":null,"
    "\"matched_rule_priority\":null,"
    "\"request_creation_time\":\"2023-11-14T22:13:20.000000Z\","
    "\"actions_executed\":null,\"redirect_url\":null,\"error_reason\":null,"
    "\"target:port_list\":null,\"target_status_code_list\":null,"
    "\"classification\":null,\"classification_reason\":null,"
    "\"conn_trace_id\":\"TID_abcd\",\"transformed_host\":null,"
    "\"transformed_uri\":null,\"request_transform_status\":null,"
    "\"ip_address\":\"::1\",\"end\":\"why\",\"viewer\":\"192.0.2.1\"}\n",
    "{\"type\":\"ws\",\"time\":\"2023-11-14T22:13:21.000002Z\",\"elb\":\"app/x/1\","
    "\"client:port\":\"[::1]:80\",\"target:port\":null,"
    "\"request_processing_time\":-1,\"target_processing_time\":-1,"
    "\"response_processing_time\":-1,\"elb_status_code\":101,"
    "\"target_status_code\":null,\"received_bytes\":0,\"sent_bytes\":0,"
    "\"request\":\"GET http://a.b:80/ HTTP/1.1\",\"user_agent\":null,"
    "\"ssl_cipher\":null,\"ssl_protocol\":null,\"target_group_arn\":null,"
    "\"trace_id\":null,\"domain_name\":null,\"chosen_cert_arn\":null,"
    "\"matched_rule_priority\":null,"
    "\"request_creation_time\":\"2023-11-14T22:13:20.000000Z\","
    "\"actions_executed\":null,\"redirect_url\":null,\"error_reason\":null,"
    "\"target:port_list\":null,\"target_status_code_list\":null,"
    "\"classification\":null,\"classification_reason\":null,"
    "\"conn_trace_id\":\"TID_abcd\",\"transformed_host\":null,"
    "\"transformed_uri\":null,\"request_transform_status\":null,"
    "\"ip_address\":\"::1\",\"end\":null,\"client_frames\":0,\"target_frames\":0,"
    "\"client_close\":0,\"target_close\":0,\"viewer\":\"[2001:db8::1]:65535\"}\n",
};
_Static_assert(sizeof(json_rows) / sizeof(json_rows[0]) == sizeof(rows) / sizeof(rows[0]),
               "one for each");

/* As it is of a tunnel, or of any request while rows are JSON. */
static struct access_entry *entry_of(const struct row *row)
{
    struct access_entry numbers = *row->e;
    struct span texts[ACCESS_TEXTS];

    if (numbers.client == NULL)
        numbers.client = &client;
    numbers.created_wall_us = CREATED_AT * 1000000UL;
    numbers.created_us = 1000;
    for (int i = 0; i < ACCESS_TEXTS; i++)
        texts[i] = span_text(row->text[i]);
    return access_entry_of(&numbers, texts);
}

/* As it is of a request while rows are in the other form. */
static struct access_entry *entry_ahead(const struct row *row)
{
    struct access_entry *plain = entry_of(row);
    struct access_entry *e = mem_zero(sizeof(*e) + access_ahead_room(plain) + LOG_PAD);

    *e = *plain;
    access_row_ahead(e, &buffer);
    free(plain);
    return e;
}

typedef void write_row(struct log_buffer *b, const struct access_entry *e, struct span elb,
                       uint64_t now_us);

/* The row that is written, without a byte behind it. */
static void write_text(struct access_entry *e, write_row *write, char text[32768])
{
    write(&buffer, e, SPAN("app/x/1"), CREATED_AT * 1000000UL + 1000002);
    free(e);
    const struct span rows_now = buf_data(&buffer.rows);
    assert_true(rows_now.len < 32768);
    memcpy(text, rows_now.ptr, rows_now.len);
    text[rows_now.len] = '\0';
    buf_drop(&buffer.rows, rows_now.len);
}

/* The same of both kinds of entries. */
static const char *written(const struct row *row, write_row *write)
{
    static char text[32768], text_ahead[32768];

    write_text(entry_of(row), write, text);
    write_text(entry_ahead(row), write, text_ahead);
    assert_string_equal(text, text_ahead);
    return text;
}

static const char *row_of(const struct row *row)
{
    return written(row, access_row_alb);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(row_of(&rows[i]), rows[i].want);
}

static void test_rows_of_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(written(&rows[i], access_row_json), json_rows[i]);
}

static void test_an_address_of_ipv6_in_place_of_a_host(void **state)
{
    struct access_client six = client;
    const struct row row = { .e = &(struct access_entry){ NO_RULE, .client = &six } };
    (void)state;

    assert_true(ip_parse(SPAN("::1"), &six.local));
    assert_non_null(strstr(written(&row, access_row_alb), " \"- http://[::1]:8080- -\" "));
    assert_non_null(strstr(written(&row, access_row_json), ":\"- http://[::1]:8080- -\","));
}

/* Numbers of each count of digits, and times on both sides of a second. */
static void test_numbers_of_all_lengths(void **state)
{
    char want[160];
    uint64_t n = 0;
    (void)state;

    for (int digits = 1; digits <= 19; digits++, n = n * 10 + 9) {
        const uint64_t us = n % 1000000000000;
        const struct row row = { .e = &(struct access_entry){
                                     NO_RULE, .elb_status = 101, .target_status = 999,
                                     .received = n, .sent = n + 1, .dispatched_us = 1000 + us,
                                     .answered_us = 1000 + 2 * us, .begun_us = 1001 + 3 * us } };
        snprintf(want, sizeof(want),
                 " - %" PRIu64 ".%03u %" PRIu64 ".%03u %" PRIu64 ".%03u 101 999 %" PRIu64
                 " %" PRIu64 " \"",
                 us / 1000000, (unsigned)(us / 1000 % 1000), us / 1000000,
                 (unsigned)(us / 1000 % 1000), (us + 1) / 1000000,
                 (unsigned)((us + 1) / 1000 % 1000), n, n + 1);
        assert_non_null(strstr(row_of(&row), want));
    }
}

/* Ours is added behind a host that has no port. */
static void test_ports_of_hosts(void **state)
{
    static const struct {
        const char *host, *want;
    } hosts[] = {
        { "a.example", "a.example:8080" },
        { "a.example:", "a.example:" },
        { "a.example:1", "a.example:1" },
        { "a.example:65535", "a.example:65535" },
        { "a9", "a9:8080" },
        { "9", "9:8080" },
        { "192.0.2.1", "192.0.2.1:8080" },
        { "192.0.2.1:81", "192.0.2.1:81" },
        { "[2001:db8::1]", "[2001:db8::1]:8080" },
        { "[2001:db8::1]:81", "[2001:db8::1]:81" },
        { "", "1.2.3.4:8080" },
    };
    char want[80];
    (void)state;

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        const struct row row = { .text = { GET, [ACCESS_HOST] = hosts[i].host, ROOT },
                                 .e = &(struct access_entry){ NO_RULE } };
        snprintf(want, sizeof(want), "\"GET http://%s/ HTTP/1.0\"", hosts[i].want);
        assert_non_null(strstr(row_of(&row), want));
        assert_non_null(strstr(written(&row, access_row_json), want));
    }
}

/* As long as one of ours, or with what came. */
static void test_trace_ids(void **state)
{
    static const char *const traces[][2] = {
        { "Root=1-67891233-abcdef012345678912345678",
          "\"Root=1-67891233-abcdef012345678912345678\"" },
        { "Self=1-67891233-abcdef012345678912345678;A=\"",
          "\"Self=1-67891233-abcdef012345678912345678;A=\\x22\"" },
        { "\\\"", "\"\\x5C\\x22\"" },
        { "", "\"-\"" },
    };
    char want[80];
    (void)state;

    for (size_t i = 0; i < sizeof(traces) / sizeof(traces[0]); i++) {
        const struct row row = { .text = { GET, HOST, ROOT, [ACCESS_TRACE] = traces[i][0] },
                                 .e = &(struct access_entry){ NO_RULE } };
        snprintf(want, sizeof(want), " - %s \"-\"", traces[i][1]);
        assert_non_null(strstr(row_of(&row), want));
    }
}

/* An agent and a target of each length, with one odd byte at each place or none, against
 * the escaping of each byte by itself. */
static void test_json_texts_of_all_lengths(void **state)
{
    static const char odd_bytes[] = { '"', '\\', '\n', 0x7f, (char)0xc3, 0 };
    char text[40], escaped[6 * 40 + 1], agent[300], request[300];

    (void)state;
    for (size_t len = 1; len < sizeof(text); len++) {
        for (size_t i = 0; i < len * sizeof(odd_bytes); i++) {
            memset(text, 'x', len);
            text[len] = '\0';
            if (odd_bytes[i % sizeof(odd_bytes)] != 0)
                text[i / sizeof(odd_bytes)] = odd_bytes[i % sizeof(odd_bytes)];
            text_json_escape(span_text(text), escaped, sizeof(escaped));
            snprintf(agent, sizeof(agent), ",\"user_agent\":\"%s\",\"ssl", escaped);
            snprintf(request, sizeof(request), "\"GET http://a.b:8080%s HTTP/1.0\",", escaped);
            const struct row row = {
                .text = { GET, HOST, [ACCESS_TARGET] = text, [ACCESS_AGENT] = text },
                .e = &(struct access_entry){ NO_RULE }
            };
            const char *const got = written(&row, access_row_json);
            assert_true(strstr(got, agent) != NULL && strstr(got, request) != NULL);
        }
    }
}

/* Texts of all lengths, clean and with one odd byte at each place: nothing is lost at the ends. */
static void test_texts_of_all_lengths(void **state)
{
    char agent[80], want[4 * 80];

    (void)state;
    for (size_t len = 1; len < sizeof(agent); len++) {
        for (size_t odd = 0; odd <= len; odd++) {
            memset(agent, 'x', len);
            agent[len] = '\0';
            int n = snprintf(want, sizeof(want), " HTTP/1.0\" \"%.*s%s%s\" - - ", (int)odd, agent,
                             odd < len ? "\\x22" : "", odd < len ? agent + odd + 1 : "");
            if (odd < len)
                agent[odd] = '"';
            struct row row = { .text = { GET, HOST, ROOT, [ACCESS_AGENT] = agent },
                               .e = &(struct access_entry){ NO_RULE } };
            assert_true(n > 0 && strstr(row_of(&row), want) != NULL);
        }
    }
}

/* Every byte of every text becomes four. */
static void test_the_oddest_row(void **state)
{
    (void)state;
    memset(longest, '"', sizeof(longest) - 1);
    struct row row = { .e = &(struct access_entry){ .rule_priority = 50000,
                                                    .target = &unix_path,
                                                    .is_websocket = true,
                                                    .transform = "TransformSuccess",
                                                    .end = "the end" } };
    for (int i = 1; i < ACCESS_TEXTS; i++)
        row.text[i] = longest;
    row.text[ACCESS_METHOD] = "GET";
    const char *text = row_of(&row);
    size_t n = 0;
    for (; (text = strstr(text, "\\x22")) != NULL; text++)
        n++;
    assert_int_equal(n, (ACCESS_TEXTS - 1) * (sizeof(longest) - 1) + 2); /* and the target's */
}

static int set_up(void **state)
{
    (void)state;
    assert_true(ip_parse(SPAN("1.2.3.4"), &client.local));
    loop_init(&loop, 0, 8, NULL);
    log_buffer_init(&buffer, &loop, NULL);
    buffer.rows.bound = LOG_ROW_MAX;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_rows_of_json),
        cmocka_unit_test(test_an_address_of_ipv6_in_place_of_a_host),
        cmocka_unit_test(test_numbers_of_all_lengths),
        cmocka_unit_test(test_ports_of_hosts),
        cmocka_unit_test(test_trace_ids),
        cmocka_unit_test(test_json_texts_of_all_lengths),
        cmocka_unit_test(test_texts_of_all_lengths),
        cmocka_unit_test(test_the_oddest_row),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
