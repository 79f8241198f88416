/* test_tunnel_facts.c -- what is said of a tunnel's beginning is what was told, in few bytes. */
#include "tunnel_fixture.h"

#include <malloc.h>

#include "alb/tunnel_private.h"

static struct listener web = { .name = (char *)(uintptr_t) "web" };

static void check(const struct tunnel_facts *told, size_t most)
{
    struct tunnel *t = tunnel_new(NULL, told);
    const struct tunnel_facts said = tunnel_facts(t);

    assert_true(malloc_usable_size(t) <= most);
    assert_memory_equal(said.id, told->id, sizeof(said.id));
    assert_true(said.from_ms == told->from_ms);
    assert_int_equal(t->started_ms, (uint32_t)told->from_ms);
    assert_ptr_equal(said.listener, told->listener);
    assert_true(ip_equal(&said.client, &told->client));
    assert_int_equal(said.port, told->port);
    assert_int_equal(said.rule, told->rule);
    assert_int_equal(t->is_ipv6, told->client.family == 6);
    free(t);
}

static void test_both_families(void **state)
{
    struct tunnel_facts facts = { .id = { UINT64_MAX, 1 },
                                  .from_ms = UINT64_C(0xfedcba9876),
                                  .listener = &web,
                                  .client = { .family = 4, .bytes = { 255, 0, 1, 254 } },
                                  .port = 65535,
                                  .rule = 50000 };

    (void)state;
    listener_take_number(&web);
    check(&facts, 384 - sizeof(size_t));
    facts.client = (struct ip){ .family = 6, .bytes = { [0] = 0x20, [1] = 1, [15] = 255 } };
    facts.from_ms = 5;
    check(&facts, 400 - sizeof(size_t));
}

static void test_numbers_of_listeners(void **state)
{
    static struct listener many[UINT16_MAX + 10];

    (void)state;
    assert_string_equal(listener_of_number(0)->name, "-");
    for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
        listener_take_number(&many[i]);
        if (many[i].number != 0)
            assert_ptr_equal(listener_of_number(many[i].number), &many[i]);
    }
    assert_ptr_equal(listener_of_number(many[1].number), &many[1]);
    assert_int_equal(many[UINT16_MAX + 5].number, 0);
    assert_string_equal(listener_of_number(0)->name, "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_families),
        cmocka_unit_test(test_numbers_of_listeners),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
