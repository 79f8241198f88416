/* test_tunnel_view.c -- a tunnel as JSON, and the names in it. */
#include "tunnel_fixture.h"

#include <jansson.h>

static json_t *print(const struct tunnel_view *v)
{
    struct buf out;

    buf_init(&out, 64 * 1024);
    assert_true(tunnel_view_put(&out, v));
    json_t *json = json_loadb(buf_data(&out).ptr, buf_len(&out), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    buf_done(&out);
    return json;
}

static json_int_t number(const json_t *json, const char *side, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(json, side), key));
}

static void test_every_field(void **state)
{
    struct target_key *key = fixture_key("app", "10.9.9.9:80");
    struct tunnel_view v = fixture_view(key, 0xab);
    const char *id, *listener, *group, *target, *client, *shown, *started, *ended, *end, *by;
    int rule, age;

    (void)state;
    v.end = TUNNEL_IDLE_TARGET;
    v.is_over = true;
    v.state = TUNNEL_OPEN;
    v.from[FROM_CLIENT].bytes = UINT64_C(5000000000);
    v.from[FROM_CLIENT].frames[WS_KIND_TEXT] = UINT32_MAX;
    v.from[FROM_TARGET].close_code = 1005;
    v.from[FROM_TARGET].idle_ms = 9;
    v.from[FROM_TARGET].is_opaque = true;
    json_t *json = print(&v);
    assert_int_equal(json_unpack(json, "{s:s,s:s,s:i,s:s,s:s,s:s,s:s,s:s,s:i,s:s,s:s,s:s,s:o,s:o!}",
                                 "id", &id, "listener", &listener, "rule", &rule, "group", &group,
                                 "target", &target, "client", &client, "state", &shown, "started",
                                 &started, "age_ms", &age, "ended", &ended, "end", &end, "by", &by,
                                 "from_client", &(json_t *){ 0 }, "from_target", &(json_t *){ 0 }),
                     0);
    assert_string_equal(id, "TID_00000000000000ab0000000000000001");
    assert_string_equal(listener, "web");
    assert_int_equal(rule, 7);
    assert_string_equal(group, "app");
    assert_string_equal(target, "10.9.9.9:80");
    assert_string_equal(client, "10.1.2.3:4711");
    assert_string_equal(shown, "open");
    assert_string_equal(started, "2024-02-29T23:58:58.122456Z");
    assert_int_equal(age, 61001);
    assert_string_equal(ended, "2024-02-29T23:59:59.123456Z");
    assert_string_equal(end, "idle: target silent longer");
    assert_string_equal(by, "us");
    assert_true(number(json, "from_client", "bytes") == 5000000000);
    assert_true(json_is_null(json_object_get(json_object_get(json, "from_client"), "close_code")));
    assert_int_equal(number(json, "from_target", "close_code"), 1005);
    assert_int_equal(number(json, "from_target", "idle_ms"), 9);
    assert_true(json_is_true(json_object_get(json_object_get(json, "from_target"), "opaque")));
    const json_t *frames = json_object_get(json_object_get(json, "from_client"), "frames");
    assert_int_equal(json_object_size(frames), WS_KINDS);
    assert_true(json_integer_value(json_object_get(frames, "text")) == UINT32_MAX);
    json_decref(json);
    target_key_unref(&key);
}

static void test_a_live_one_has_no_end(void **state)
{
    struct target_key *key = fixture_key("app", "t");
    struct tunnel_view v = fixture_view(key, 1);

    (void)state;
    v.pid = 4711;
    json_t *json = print(&v);
    assert_int_equal(json_integer_value(json_object_get(json, "pid")), 4711);
    assert_null(json_object_get(json, "end"));
    assert_null(json_object_get(json, "ended"));
    assert_null(json_object_get(json, "by"));
    json_decref(json);
    target_key_unref(&key);
}

/* A path may have any bytes. */
static void test_odd_names(void **state)
{
    char odd[250];
    struct target_key *key;

    (void)state;
    memset(odd, 1, sizeof(odd) - 1);
    memcpy(odd, "unix:/\"\\\xff\n", 10);
    odd[sizeof(odd) - 1] = '\0';
    key = fixture_key("app", odd);
    struct tunnel_view v = fixture_view(key, 1);
    v.facts.client = (struct ip){ .family = 6, .bytes = { 0x20, 1, [15] = 1 } };
    json_t *json = print(&v);
    assert_int_equal(strncmp(json_string_value(json_object_get(json, "target")), "unix:/\"\\", 8),
                     0);
    assert_string_equal(json_string_value(json_object_get(json, "client")), "[2001::1]:4711");
    json_decref(json);
    target_key_unref(&key);
}

static void test_no_room(void **state)
{
    struct target_key *key = fixture_key("app", "t");
    const struct tunnel_view v = fixture_view(key, 1);
    struct buf out;

    (void)state;
    buf_init(&out, 100);
    assert_false(tunnel_view_put(&out, &v));
    assert_int_equal(buf_len(&out), 0);
    buf_done(&out);
    target_key_unref(&key);
}

/* Every way to end has a name of its own, and somebody who began it. */
static void test_the_table_of_ends(void **state)
{
    (void)state;
    for (int i = 0; i < TUNNEL_ENDS; i++) {
        const char *name = tunnel_end_name((enum tunnel_end)i);
        assert_non_null(name);
        assert_int_equal(tunnel_end_party((enum tunnel_end)i) == PARTY_NOBODY, i == TUNNEL_ALIVE);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(name, tunnel_end_name((enum tunnel_end)j));
    }
    for (int i = 0; i < TUNNEL_STATES; i++)
        assert_non_null(tunnel_state_name((enum tunnel_state)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field),       cmocka_unit_test(test_a_live_one_has_no_end),
        cmocka_unit_test(test_odd_names),         cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_the_table_of_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
