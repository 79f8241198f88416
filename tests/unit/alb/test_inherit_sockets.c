/* test_inherit_sockets.c -- sockets that another process hands over: each is taken by one, told, or
 * closed; none is left open, whatever was said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/record.h"
#include "net/handover.h"

#include "alb/config.h"
#include "alb/handing.h"
#include "alb/handing_record.h"
#include "alb/inherit_private.h"

enum { FDS = 5 };

static struct buf bytes;
static int fds[FDS], before;
static struct inherit in;

static int open_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

static struct addr addr_of(const char *text)
{
    struct addr addr = { .len = 0 };
    char why[200];

    assert_true(addr_parse(span_text(text), true, &addr, why, sizeof(why)));
    return addr;
}

static int set_up(void **state)
{
    (void)state;
    before = open_fds();
    buf_init(&bytes, 1 << 20);
    for (int i = 0; i < FDS; i++)
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    inherited_sockets_init(&in.sockets);
    return 0;
}

/* What handover.c closes after the call, and what nobody wanted. */
static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < FDS; i++) {
        if (fds[i] != -1)
            close(fds[i]);
    }
    inherited_sockets_close(&in.sockets);
    buf_done(&bytes);
    assert_int_equal(open_fds(), before);
    return 0;
}

static void put_listener(const char *name, const char *bind, const char *bound, uint64_t count)
{
    handing_put_listener(&bytes, &(struct handing_listener){ .name = span_text(name),
                                                             .bind = span_text(bind),
                                                             .protocol = PROTOCOL_HTTP,
                                                             .bound = addr_of(bound),
                                                             .sockets = count });
}

static void put_door(uint16_t type, const char *text)
{
    const struct addr bound = addr_of(text);

    record_put(&bytes, type, span_of(&bound, sizeof(bound)));
}

static bool read_all(size_t fd_count)
{
    struct handover_message m = { .bytes = buf_data(&bytes), .fds = fds, .fd_count = fd_count };

    return inherited_sockets_read(&in.sockets, &m);
}

static size_t unwanted(void)
{
    struct span left, value;
    struct handing_unwanted told;
    struct buf to;
    uint16_t type;
    size_t n = 0;

    buf_init(&to, 1 << 20);
    inherited_sockets_put_unwanted(&in.sockets, &to);
    left = buf_data(&to);
    while (record_next(&left, &type, &value))
        n += type == HELLO_UNWANTED && handing_read_unwanted(value, &told);
    buf_done(&to);
    return n;
}

static void test_each_has_its_own(void **state)
{
    struct listener_config c = { .options = { .bind = (char *)(uintptr_t) ":80",
                                              .protocol = PROTOCOL_HTTP } };
    const struct addr admin = addr_of("127.0.0.1:0");
    struct addr bound;
    int *taken;
    (void)state;

    put_listener("http", ":80", "0.0.0.0:80", 2);
    put_listener("other", ":81", "0.0.0.0:81", 2);
    put_door(SOCKETS_ADMIN, "127.0.0.1:9000");
    assert_true(read_all(FDS));
    c.bind = addr_of("0.0.0.0:80");
    assert_int_equal(inherit_listener(&in, &c, &bound, &taken), 2);
    assert_int_equal(addr_port(&bound), 80);
    assert_int_equal(unwanted(), 2);
    close(taken[0]);
    taken[0] = -1;
    assert_int_equal(unwanted(), 1);
    const int door = inherit_door(&in, false, &admin, &bound);
    assert_int_not_equal(door, -1);
    assert_int_equal(addr_port(&bound), 9000);
    assert_int_equal(inherit_door(&in, false, &admin, &bound), -1); /* it was taken */
    assert_int_equal(inherit_door(&in, true, &admin, &bound), -1);  /* there was none */
    close(door);
}

static void test_doors_of_health(void **state)
{
    const struct addr first = addr_of("127.0.0.1:9001"), any_port = addr_of("127.0.0.1:0"),
                      other = addr_of("127.0.0.2:0");
    (void)state;

    put_door(SOCKETS_ADMIN, "127.0.0.1:9000");
    put_door(SOCKETS_DOORS, "127.0.0.1:9001");
    put_door(SOCKETS_DOORS, "127.0.0.1:9002");
    const int second_fd = fds[2];
    assert_true(read_all(FDS));
    assert_int_equal(inherit_other_door(&in, DOOR_HEALTH, &other), -1);
    int door = inherit_other_door(&in, DOOR_HEALTH, &first);
    assert_int_not_equal(door, -1);
    close(door);
    assert_int_equal(inherit_other_door(&in, DOOR_HEALTH, &first), -1); /* it was taken */
    door = inherit_other_door(&in, DOOR_HEALTH, &any_port);
    assert_int_equal(door, second_fd);
    close(door);
    assert_int_equal(inherit_other_door(&in, DOOR_HEALTH, &any_port), -1);
    assert_int_equal(inherit_other_door(NULL, DOOR_HEALTH, &any_port),
                     -1); /* nobody was here before */
}

/* Those that nobody takes are closed: tear_down() counts. */
static void test_as_many_doors_of_health_as_there_may_be(void **state)
{
    int many[DOOR_BINDS_MAX + 1];
    struct handover_message m = { .fds = many, .fd_count = DOOR_BINDS_MAX };
    (void)state;

    for (size_t i = 0; i <= DOOR_BINDS_MAX; i++)
        many[i] = dup(fds[0]);
    for (size_t i = 0; i < DOOR_BINDS_MAX; i++)
        put_door(SOCKETS_DOORS, "127.0.0.1:9001");
    m.bytes = buf_data(&bytes);
    assert_true(inherited_sockets_read(&in.sockets, &m));
    inherited_sockets_close(&in.sockets);
    inherited_sockets_init(&in.sockets);
    put_door(SOCKETS_DOORS, "127.0.0.1:9001");
    m.bytes = buf_data(&bytes);
    for (size_t i = 0; i < DOOR_BINDS_MAX; i++)
        many[i] = dup(fds[0]);
    m.fd_count++;
    assert_false(inherited_sockets_read(&in.sockets, &m)); /* one more */
    close(many[DOOR_BINDS_MAX]);
}

static void test_a_door_of_health_without_a_socket(void **state)
{
    (void)state;
    put_door(SOCKETS_DOORS, "127.0.0.1:9001");
    assert_false(read_all(0));
}

static void test_more_sockets_than_came(void **state)
{
    (void)state;
    put_listener("http", ":80", "0.0.0.0:80", 2);
    put_listener("other", ":81", "0.0.0.0:81", FDS - 1);
    assert_false(read_all(FDS));
}

static void test_one_door_twice(void **state)
{
    (void)state;
    put_door(SOCKETS_CONTROL, "127.0.0.1:9000");
    put_door(SOCKETS_CONTROL, "127.0.0.1:9000");
    assert_false(read_all(FDS));
}

static void test_no_part_of_it_is_all(void **state)
{
    (void)state;
    put_listener("http", ":80", "0.0.0.0:80", 2);
    const size_t first = buf_len(&bytes);
    put_door(SOCKETS_ADMIN, "127.0.0.1:9000");
    const size_t second = buf_len(&bytes);
    put_door(SOCKETS_DOORS, "127.0.0.1:9001");
    for (size_t len = 1; len < buf_len(&bytes); len++) {
        struct inherited_sockets s;
        int none[4] = { -1, -1, -1, -1 };
        struct handover_message m = { .bytes = span_of(buf_data(&bytes).ptr, len),
                                      .fds = none,
                                      .fd_count = 4 };
        inherited_sockets_init(&s);
        assert_int_equal(inherited_sockets_read(&s, &m), len == first || len == second);
        inherited_sockets_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_has_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_doors_of_health, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_as_many_doors_of_health_as_there_may_be, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_door_of_health_without_a_socket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_more_sockets_than_came, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_door_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_part_of_it_is_all, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
