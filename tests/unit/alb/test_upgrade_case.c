/* test_upgrade_case.c -- which requests ask for a WebSocket, what is kept of them, and the ring
 * of those that failed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/mem.h"
#include "http/parse.h"

#include "alb/access_log.h"
#include "alb/balancer.h"
#include "alb/route.h"
#include "alb/upgrade_ring.h"

static const struct http_message *parse(const char *text)
{
    static struct http_message m;
    size_t scanned = 0;

    assert_int_equal(http_request_parse(span_text(text), HTTP_DEFENSIVE, &m, &scanned),
                     HTTP_PARSED);
    return &m;
}

#define GET(fields) "GET /a?b HTTP/1.1\r\nHost: x\r\n" fields "\r\n"

static const struct {
    const char *request;
    bool asks;
} signs[] = {
    { GET(""), false },
    { GET("Connection: keep-alive\r\n"), false },
    { GET("Connection: keep-alive, Upgrade\r\n"), true },
    { GET("Connection: close\r\nConnection: UPGRADE\r\n"), true },
    { GET("Connection: upgrades\r\n"), false },
    { GET("Upgrade: WebSocket\r\n"), true },
    { GET("Upgrade: h2c, websocket\r\n"), true },
    { GET("Upgrade: h2c\r\n"), false },
    { GET("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"),
      false },
    { GET("Connection: Upgrade\r\nUpgrade: TLS/1.0\r\nSec-WebSocket-Key: a\r\n"), true },
    { GET("sec-websocket-protocol: chat\r\n"), true },
    { GET("Sec-WebSocket-Something: 1\r\n"), true },
    { GET("Sec-WebSockets: 1\r\n"), false },
    { GET("Via: 1.1 edge\r\nX-Amz-Cf-Id: a\r\n"), false },
};

static void test_signs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (upgrade_is_asked(parse(signs[i].request)) != signs[i].asks)
            fail_msg("%s", signs[i].request);
    }
}

static struct listener listener = { .name = (char *)(uintptr_t) "http" };
static const struct access_client client = { .ip = { .family = 4, .bytes = { 192, 0, 2, 7 } },
                                             .port = 1234,
                                             .conn_id = { 1, 2 } };

static struct upgrade_case *make(const char *request)
{
    return upgrade_case_new(&client, &listener, parse(request), NULL, 1700000000000000);
}

static const struct {
    const char *request, *host, *path;
} asked[] = {
    { GET(""), "x", "/a" },
    { "GET http://y:8080/c/d?e=f HTTP/1.1\r\nHost: y:8080\r\n\r\n", "y:8080", "/c/d" },
    { "GET http://y?q HTTP/1.1\r\nHost: y\r\n\r\n", "y", "/" },
    { "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "x", "*" },
};

static void test_what_is_kept_of_a_request(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        struct upgrade_case *c = make(asked[i].request);
        assert_string_equal(c->host, asked[i].host);
        assert_string_equal(c->path, asked[i].path);
        assert_string_equal(c->group, "");
        assert_int_equal(c->rule, ACCESS_RULE_NONE);
        upgrade_case_free(&c);
        assert_null(c);
    }
}

static void test_a_long_path_is_cut_and_anything_is_json(void **state)
{
    char request[8192], path[4096];
    struct buf to;

    (void)state;
    memset(path, '"', sizeof(path));
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    struct upgrade_case *c = make(request);
    assert_int_equal(strlen(c->path), 1024);
    c->failure = UPGRADE_RULE_FAILED;
    buf_init(&to, 65536);
    assert_true(upgrade_case_put(&to, c));
    json_t *json = json_loadb(buf_data(&to).ptr, buf_len(&to), 0, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "path")), c->path);
    assert_string_equal(json_string_value(json_object_get(json, "client")), "192.0.2.7:1234");
    assert_string_equal(json_string_value(json_object_get(json, "reason")), "rule_failed");
    assert_true(json_is_null(json_object_get(json, "rule")));
    json_decref(json);
    buf_done(&to);
    buf_init(&to, 64);
    assert_false(upgrade_case_put(&to, c));
    buf_done(&to);
    upgrade_case_free(&c);
}

/* --- the ring ----------------------------------------------------------------------------- */

struct seen {
    uint64_t count, newest, last, most;
};

static bool see(void *user, const struct upgrade_case *c)
{
    struct seen *seen = user;

    if (seen->count++ == 0)
        seen->newest = c->id[0];
    else
        assert_int_equal(c->id[0], seen->last - 1);
    seen->last = c->id[0];
    return seen->count < seen->most;
}

static void test_the_ring_holds_the_last_1000(void **state)
{
    struct upgrade_ring *ring = mem_new(struct upgrade_ring);

    (void)state;
    upgrade_ring_init(ring);
    struct seen none = { .most = 1 };
    assert_int_equal(upgrade_ring_each(ring, see, &none), 0);
    assert_int_equal(none.count, 0);
    for (uint64_t i = 0; i < 2500; i++) {
        struct upgrade_case *c = make(GET(""));
        c->id[0] = i;
        upgrade_ring_add(ring, &c);
        assert_null(c);
        if (i % 311 != 0 && i != 999 && i != 1000)
            continue;
        struct seen seen = { .most = UINT64_MAX };
        assert_int_equal(upgrade_ring_each(ring, see, &seen), i + 1);
        assert_int_equal(seen.count, i < 1000 ? i + 1 : 1000);
        assert_int_equal(seen.newest, i);
        struct seen few = { .most = 3 };
        upgrade_ring_each(ring, see, &few);
        assert_true(few.count <= 3);
    }
    upgrade_ring_done(ring);
    free(ring);
}

static struct upgrade_case *numbered(uint64_t id)
{
    struct upgrade_case *c = make(GET(""));

    c->id[0] = id;
    return c;
}

static void count(void *user, const struct upgrade_case *c)
{
    struct seen *seen = user;

    seen->count++;
    seen->last = c->id[0];
}

static void test_older_ones_fill_the_ring_and_it_is_read_bit_by_bit(void **state)
{
    struct upgrade_ring *ring = mem_new(struct upgrade_ring);
    struct seen all = { .most = UINT64_MAX }, older = { .count = 0 }, newer = { .count = 0 };

    (void)state;
    upgrade_ring_init(ring);
    for (uint64_t i = 0; i < 10; i++) {
        struct upgrade_case *c = numbered(5000 + i);
        upgrade_ring_add(ring, &c);
    }
    for (uint64_t i = 1; i <= 1500; i++) {
        struct upgrade_case *c = numbered(5000 - i);
        upgrade_ring_add_older(ring, &c);
        assert_null(c);
    }
    assert_int_equal(upgrade_ring_each(ring, see, &all), 1510);
    assert_int_equal(all.count, 1000);
    assert_int_equal(all.newest, 5009);
    assert_int_equal(all.last, 4010);
    uint64_t before = upgrade_ring_next(ring), since = before;
    for (uint64_t i = 0; i < 10; i++) {
        struct upgrade_case *c = numbered(5010 + i);
        upgrade_ring_add(ring, &c);
    }
    while (upgrade_ring_since(ring, &since, count, &newer) > 0)
        ;
    assert_int_equal(newer.count, 10);
    assert_int_equal(newer.last, 5019);
    while (upgrade_ring_before(ring, &before, count, &older) > 0)
        ;
    assert_int_equal(older.count, 990);
    assert_int_equal(older.last, 4020);
    upgrade_ring_done(ring);
    free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signs),
        cmocka_unit_test(test_what_is_kept_of_a_request),
        cmocka_unit_test(test_a_long_path_is_cut_and_anything_is_json),
        cmocka_unit_test(test_the_ring_holds_the_last_1000),
        cmocka_unit_test(test_older_ones_fill_the_ring_and_it_is_read_bit_by_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
