/* test_access_record.c -- a tunnel's log entry on its way to another process: the row that is
 * written there is the row that would have been written here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/record.h"
#include "http/message.h"
#include "net/loop.h"

#include "alb/access_record.h"
#include "alb/access_row.h"
#include "alb/log_buffer.h"
#include "alb/target.h"

static struct loop loop;
static struct log_buffer rows;
static struct buf packed;
static struct registry registry;
static struct target *target;

static struct access_client client = {
    .ip = { .family = 4, .bytes = { 10, 0, 0, 1 } },
    .local = { .family = 4, .bytes = { 10, 0, 0, 2 } },
    .port = 65535,
    .listener_port = 8080,
    .conn_id = { 5, 6 },
    .announced = { { 4, { 10, 0, 0, 3 } }, 4711, "vpce-1" },
    .peer_len = 14,
    .peer = "10.0.0.1:65535",
    .id_len = 8,
    .id = "TID_abcd",
    .node_len = 8,
    .node = "10.0.0.2",
    .viewer = { { 4, { 192, 0, 2, 1 } }, 5678 },
};

static const struct access_entry full = {
    .client = &client,
    .created_wall_us = 1700000000123456,
    .created_us = 1000,
    .dispatched_us = 2000,
    .answered_us = 5000,
    .begun_us = 5500,
    .received = 700,
    .sent = 800,
    .elb_status = 101,
    .target_status = 101,
    .rule_priority = 7,
    .action = ACCESS_FORWARD,
    .class_ = HTTP_ACCEPTABLE,
    .reason = HTTP_R_SPACE_IN_URI,
    .minor = 1,
    .is_absolute = true,
    .is_websocket = true,
    .transform = "TransformSuccess",
    .error = "AWSALBTGCookieInvalid",
};

static struct access_entry *entry_of(const struct access_entry *numbers)
{
    struct span texts[ACCESS_TEXTS] = { [ACCESS_METHOD] = SPAN("GET"),
                                        [ACCESS_HOST] = SPAN("chat.example"),
                                        [ACCESS_TARGET] = SPAN("http://chat.example/ws?a=b"),
                                        [ACCESS_AGENT] = SPAN("a \"browser\""),
                                        [ACCESS_TRACE] = SPAN("Root=1-2-3"),
                                        [ACCESS_GROUP] = SPAN("app"),
                                        [ACCESS_TRANSFORMED_HOST] = SPAN("inner.example"),
                                        [ACCESS_TRANSFORMED_URI] = SPAN("/inner") };

    struct access_entry *e = access_entry_of(numbers, texts);
    e->target = target_ref(target);
    return e;
}

static void pack(const struct access_entry *numbers)
{
    struct access_entry *e = entry_of(numbers);

    assert_true(access_entry_pack(e, &packed));
    access_entry_free(NULL, &e);
}

static int set_up(void **state)
{
    (void)state;
    buf_init(&packed, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_done(&packed);
    return 0;
}

typedef void write_row(struct log_buffer *b, const struct access_entry *e, struct span elb,
                       uint64_t now_us);

static char *row_of(const struct access_entry *e, write_row *write)
{
    write(&rows, e, SPAN("app/x/1"), 1700000001000000);
    char *text = mem_copy(buf_data(&rows.rows).ptr, buf_len(&rows.rows));
    buf_drop(&rows.rows, buf_len(&rows.rows));
    return text;
}

static void check_rows(const struct access_entry *a, const struct access_entry *b)
{
    write_row *const forms[] = { access_row_alb, access_row_json };

    for (size_t i = 0; i < 2; i++) {
        char *one = row_of(a, forms[i]), *two = row_of(b, forms[i]);
        assert_string_equal(one, two);
        free(one);
        free(two);
    }
}

static void test_the_row_is_the_same(void **state)
{
    struct access_entry *e = entry_of(&full);
    (void)state;

    pack(&full);
    struct access_entry *again = access_entry_unpack(buf_data(&packed), target);
    assert_non_null(again);
    check_rows(e, again);
    assert_memory_equal(again->client->conn_id, client.conn_id, sizeof(client.conn_id));
    access_entry_free(NULL, &again);
    access_entry_free(NULL, &e);
}

static void test_the_longest_client_is_the_same(void **state)
{
    static const char peer[] = "[2001:db8:1111:2222:3333:4444:5555:6666]:65535";
    const struct access_client kept = client;
    (void)state;

    memcpy(client.peer, peer, sizeof(peer));
    client.peer_len = sizeof(peer) - 1;
    pack(&full);
    struct access_entry *e = entry_of(&full);
    struct access_entry *again = access_entry_unpack(buf_data(&packed), target);
    assert_non_null(again);
    check_rows(e, again);
    char *row = row_of(again, access_row_alb);
    assert_non_null(strstr(row, " [2001:db8:1111:2222:3333:4444:5555:6666]:65535 10.0.0.9:80 "));
    free(row);
    access_entry_free(NULL, &again);
    access_entry_free(NULL, &e);
    client = kept;
}

static void test_no_part_of_one_is_one(void **state)
{
    (void)state;
    pack(&full);
    const struct span bytes = buf_data(&packed);
    struct span left = bytes, value;
    size_t boundary = 0;
    uint16_t type;

    for (size_t len = 0; len < bytes.len; len++) {
        char *copy = malloc(len + 1);
        memcpy(copy + 1, bytes.ptr, len);
        struct access_entry *e = access_entry_unpack(span_of(copy + 1, len), target);
        if (len > boundary && record_next(&left, &type, &value))
            boundary = bytes.len - left.len;
        assert_true(e == NULL || len == boundary); /* it says less */
        access_entry_free(NULL, &e);
        free(copy);
    }
}

/* One number of it is another. */
static void spoil(uint16_t wanted, const void *with, size_t size)
{
    struct span left = buf_data(&packed), value;
    uint16_t type;

    while (record_next(&left, &type, &value)) {
        if (type != wanted)
            continue;
        assert_int_equal(value.len, size);
        memcpy((char *)(uintptr_t)value.ptr, with, size);
        return;
    }
    fail();
}

/* The numbers of the records are access_record.c's. */
static void test_what_no_row_can_be_written_of_is_refused(void **state)
{
    static const struct {
        uint16_t type, value;
        size_t size;
    } rows_of[] = {
        { 8, 1000, 2 },
        { 8, 65535, 2 },
        { 9, 1000, 2 },
        { 9, 65535, 2 },
        { 11, ACCESS_FIXED_RESPONSE + 1, 1 },
        { 11, 255, 1 },
        { 12, HTTP_SEVERE + 1, 1 },
        { 13, HTTP_R_MULTIPLE_TRANSFER_ENCODING_CHUNKED + 1, 1 },
        { 13, 255, 1 },
        { 14, 10, 1 },
        { 15, 2, 1 },
        { 16, 2, 1 },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows_of) / sizeof(rows_of[0]); i++) {
        pack(&full);
        const uint8_t byte = (uint8_t)rows_of[i].value;
        spoil(rows_of[i].type, rows_of[i].size == 1 ? (const void *)&byte : &rows_of[i].value,
              rows_of[i].size);
        assert_null(access_entry_unpack(buf_data(&packed), target));
        buf_drop(&packed, buf_len(&packed));
    }
}

static void test_a_client_with_longer_texts_than_there_are_is_refused(void **state)
{
    struct access_client kept = client;
    (void)state;

    client.peer_len = sizeof(client.peer) + 1;
    pack(&full);
    client = kept;
    assert_null(access_entry_unpack(buf_data(&packed), target));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_row_is_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_longest_client_is_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_part_of_one_is_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_no_row_can_be_written_of_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_client_with_longer_texts_than_there_are_is_refused,
                                        set_up, tear_down),
    };

    struct addr addr = { .len = 0 };

    registry_init(&registry);
    target = registry_target(&registry, "app", "10.0.0.9:80", &addr);
    loop_init(&loop, 0, 8, NULL);
    log_buffer_init(&rows, &loop, NULL);
    rows.rows.bound = LOG_ROW_MAX;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
