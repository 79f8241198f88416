/* test_options.c -- the configuration: defaults, values, and every way to be wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "wsserver/options.h"

static void test_defaults(void **state)
{
    struct problems problems;
    struct options o;
    (void)state;

    problems_init(&problems, "t.ini");
    assert_true(options_read_text(&o, SPAN("[sqlite]\npath = /x/chat.db\n"), &problems));
    assert_string_equal(o.bind, "127.0.0.1:9001");
    assert_int_equal(addr_port(&o.bind_addr), 9001);
    assert_string_equal(o.node, "n1");
    assert_int_equal(o.store, STORE_SQLITE);
    assert_int_equal(o.sqlite_durability, DURABILITY_DISK);
    assert_int_equal(o.ping_interval_ms, 25000);
    assert_int_equal(o.max_message_bytes, 65536);
    assert_int_equal(o.history_messages, 1000);
    assert_int_equal(o.shutdown_timeout_ms, 5000);
    assert_true(o.workers == 0 && o.max_connections == 0 && !o.test_enabled);
    options_done(&o);
    problems_done(&problems);
}

static void test_values(void **state)
{
    struct problems problems;
    struct options o;
    (void)state;

    problems_init(&problems, "t.ini");
    assert_true(options_read_text(&o,
                                  SPAN("[wsserver]\nbind = [::1]:0\nnode = a-b_C9\nworkers = 3\n"
                                       "store = memory\nping_interval = 1m\n"
                                       "max_message_bytes = 1m\nshutdown_timeout = 0\n"
                                       "[test]\nenabled = on\n"),
                                  &problems));
    assert_int_equal(o.bind_addr.sa.sa_family, AF_INET6);
    assert_int_equal(addr_port(&o.bind_addr), 0);
    assert_string_equal(o.node, "a-b_C9");
    assert_int_equal(o.store, STORE_MEMORY);
    assert_true(o.workers == 3 && o.ping_interval_ms == 60000 && o.shutdown_timeout_ms == 0);
    assert_true(o.max_message_bytes == 1 << 20 && o.test_enabled);
    options_done(&o);
    problems_done(&problems);
}

/* One problem each, at its line, with a word that names it. */
static const struct {
    const char *name, *text;
    int line;
    const char *word;
} wrong[] = {
    { "no path", "[wsserver]\nnode = x\n", 0, "[sqlite] path" },
    { "empty path", "[sqlite]\npath =\n", 0, "[sqlite] path" },
    { "no such section", "[wsserver]\nstore=memory\n[redis]\nurl = x\n", 3, "[redis]" },
    { "a named section", "[wsserver]\nstore=memory\n[test x]\nenabled = yes\n", 3, "[test x]" },
    { "no such key", "[wsserver]\nstore=memory\nnod = x\n", 3, "node" },
    { "twice", "[wsserver]\nstore=memory\nnode = x\nnode = y\n", 4, "node" },
    { "no address", "[wsserver]\nstore=memory\nbind = localhost\n", 3, "bind" },
    { "a node with a blank", "[wsserver]\nstore=memory\nnode = a b\n", 3, "node" },
    { "an empty node", "[wsserver]\nstore=memory\nnode =\n", 3, "node" },
    { "a long node", "[wsserver]\nstore=memory\nnode = 123456789012345678901234567890123\n", 3,
      "node" },
    { "too short", "[wsserver]\nstore=memory\nping_interval = 1ms\n", 3, "ping_interval" },
    { "too much", "[wsserver]\nstore=memory\nmax_message_bytes = 1g\n", 3, "max_message_bytes" },
    { "too little", "[wsserver]\nstore=memory\nhistory_messages = 10\n", 3, "history_messages" },
    { "no choice", "[wsserver]\nstore=memory\n[sqlite]\ndurability = tape\n", 4, "durability" },
};

static void test_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct problems problems;
        struct options o;
        problems_init(&problems, "t.ini");
        bool ok = options_read_text(&o, span_text(wrong[i].text), &problems);
        if (ok || problems.errors != 1 || problems.items[0].line != wrong[i].line ||
            strstr(problems.items[0].text, wrong[i].word) == NULL)
            fail_msg("%s: %zu errors, first: %s", wrong[i].name, problems.errors,
                     problems.count == 0 ? "none" : problems.items[0].text);
        problems_done(&problems);
    }
}

static void test_no_file(void **state)
{
    struct problems problems;
    struct options o;
    (void)state;

    problems_init(&problems, "none.ini");
    assert_false(options_read_file(&o, "/nonexistent/none.ini", &problems));
    assert_int_equal(problems.errors, 1);
    problems_done(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_what_is_wrong),
        cmocka_unit_test(test_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
