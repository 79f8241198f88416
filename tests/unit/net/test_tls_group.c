/* The group that a server's records say: each message, each prefix, and any damage. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "net/tls_group.h"

#define RANDOM "0123456789abcdef0123456789abcdef"

/* A ServerHello with `extensions`, which are N bytes: its session's id is "xyz". */
#define HELLO(record, message, n, extensions)                                                      \
    SPAN_INIT("\x16\x03\x03\x00" record "\x02\x00\x00" message "\x03\x03" RANDOM "\x03xyz"         \
              "\x13\x01\x00\x00" n extensions)

static const struct {
    const char *title;
    struct span record;
    const char *group;
} rows[] = {
    { "1.3, x25519",
      HELLO("\x3b", "\x37", "\x0c", "\x00\x33\x00\x02\x00\x1d\x00\x2b\x00\x02\x03\x04"), "x25519" },
    { "1.3, not the first extension",
      HELLO("\x3b", "\x37", "\x0c", "\x00\x2b\x00\x02\x03\x04\x00\x33\x00\x02\x00\x17"),
      "secp256r1" },
    { "1.3, a key behind the group",
      HELLO("\x3b", "\x37", "\x0c", "\x00\x33\x00\x08\x00\x18\x00\x04key!"), "secp384r1" },
    { "1.3, a group that has no name here",
      HELLO("\x35", "\x31", "\x06", "\x00\x33\x00\x02\x11\xec"), NULL },
    { "1.2, no key_share", HELLO("\x35", "\x31", "\x06", "\xff\x01\x00\x02\x00\x17"), NULL },
    { "1.2, no extensions", HELLO("\x2f", "\x2b", "\x00", ""), NULL },
    { "1.2, secp521r1", SPAN_INIT("\x16\x03\x03\x00\x09\x0c\x00\x00\x05\x03\x00\x19\x01k"),
      "secp521r1" },
    { "1.2, x448", SPAN_INIT("\x16\x03\x03\x00\x09\x0c\x00\x00\x05\x03\x00\x1e\x01k"), "x448" },
    { "behind another message",
      SPAN_INIT("\x16\x03\x03\x00\x0e\x0b\x00\x00\x01.\x0c\x00\x00\x05\x03\x00\x1d\x01k"),
      "x25519" },
    { "an explicit curve", SPAN_INIT("\x16\x03\x03\x00\x09\x0c\x00\x00\x05\x01\x00\x17\x01k"),
      NULL },
    { "not a handshake", SPAN_INIT("\x17\x03\x03\x00\x09\x0c\x00\x00\x05\x03\x00\x17\x01k"), NULL },
    { "part of a message", SPAN_INIT("\x16\x03\x03\x00\x05\x0b\x00\x10\x00."), NULL },
    { "nothing", SPAN_INIT(""), NULL },
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* In memory of its own, so that a sanitizer sees a byte too far. */
static const char *group_of(const char *bytes, size_t len)
{
    char *copy = malloc(len + 1);

    assert_non_null(copy);
    memmove(copy + 1, bytes, len);
    const char *group = tls_group_of_record(span_of(copy + 1, len));
    free(copy);
    return group;
}

static void test_records(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        const char *got = group_of(rows[i].record.ptr, rows[i].record.len);
        if ((got == NULL) != (rows[i].group == NULL) ||
            (got != NULL && strcmp(got, rows[i].group) != 0))
            fail_msg("%s: %s", rows[i].title, got == NULL ? "none" : got);
    }
}

static void test_a_part_of_a_record_says_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t n = 0; n < rows[i].record.len; n++) {
            if (group_of(rows[i].record.ptr, n) != NULL)
                fail_msg("%s: its first %zu bytes", rows[i].title, n);
        }
    }
}

static void test_damage(void **state)
{
    char bytes[128];

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        const struct span record = rows[i].record;
        for (size_t bit = 0; bit < record.len * 8; bit++) {
            memcpy(bytes, record.ptr, record.len);
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
            group_of(bytes, record.len); /* reads what is there, and no more */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_a_part_of_a_record_says_nothing),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
