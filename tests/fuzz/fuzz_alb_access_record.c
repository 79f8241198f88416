/*
 * fuzz_alb_access_record.c -- a tunnel's log entry from another process: whatever the bytes are,
 * they make an entry that both forms of a row can be written of, or none; and one that was made
 * tells the same again.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "net/loop.h"

#include "alb/access_record.h"
#include "alb/access_row.h"
#include "alb/log_buffer.h"
#include "alb/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 1 << 20, INPUT_MAX = 4096 /* with escapes, less than one chunk */ };

static struct loop loop;
static struct log_buffer rows;
static struct target *target;

static void write_rows(const struct access_entry *e)
{
    access_row_alb(&rows, e, SPAN("app/x/1"), 1);
    access_row_json(&rows, e, SPAN("app/x/1"), 1);
    buf_drop(&rows.rows, buf_len(&rows.rows));
}

static void check_again(const struct access_entry *e)
{
    struct buf one, two;

    buf_init(&one, ROOM);
    buf_init(&two, ROOM);
    if (!access_entry_pack(e, &one))
        abort();
    struct access_entry *again = access_entry_unpack(buf_data(&one), target);
    if (again == NULL || !access_entry_pack(again, &two) ||
        !span_equal(buf_data(&one), buf_data(&two)))
        abort();
    access_entry_free(NULL, &again);
    buf_done(&one);
    buf_done(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (rows.loop == NULL) {
        static struct registry registry;
        struct addr addr = { .len = 0 };
        registry_init(&registry);
        target = registry_target(&registry, "app", "10.0.0.9:80", &addr);
        loop_init(&loop, 0, 8, NULL);
        log_buffer_init(&rows, &loop, NULL);
        rows.rows.bound = LOG_ROW_MAX;
    }
    struct access_entry *e =
        size > INPUT_MAX ? NULL : access_entry_unpack(span_of(data, size), target);
    if (e == NULL)
        return 0;
    check_again(e);
    write_rows(e);
    access_entry_free(NULL, &e);
    return 0;
}
