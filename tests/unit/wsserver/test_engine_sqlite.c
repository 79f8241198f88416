/* test_engine_sqlite.c -- the file: what is refused, what fails, what is kept. */
#include "hub_probe.h"

#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/log.h"
#include "wsserver/engine.h"

static void run_sql(const char *path, const char *text)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* --- what is refused at the start ------------------------------------------------ */

static void put_noise(const char *path)
{
    FILE *f = fopen(path, "w");
    for (int i = 0; i < 5000; i++)
        fputc('x', f);
    fclose(f);
}

static void put_foreign(const char *path)
{
    run_sql(path, "CREATE TABLE shop(x)");
}

static void put_later_version(const char *path)
{
    run_sql(path, "CREATE TABLE x(y); PRAGMA application_id=1886352244; PRAGMA user_version=99");
}

static void put_folder(const char *path)
{
    assert_int_equal(mkdir(path, 0700), 0);
}

static void put_read_only(const char *path)
{
    run_sql(path, "CREATE TABLE x(y)");
    assert_int_equal(chmod(path, 0400), 0);
}

static void refusal_is_a_sentence(void **state)
{
    static const struct {
        const char *name, *tail, *word;
        void (*put)(const char *path);
        bool not_for_root; /* whom no mode bit stops */
    } cases[] = {
        { "no such folder", "/none/chat.db", "No such file or directory", NULL, false },
        { "not a database", ".noise", "file is not a database", put_noise, false },
        { "another program's", ".shop", "is a database of another program", put_foreign, false },
        { "later version", ".later", "was made by another version", put_later_version, false },
        { "a folder", ".folder", "unable to open database file", put_folder, false },
        { "read-only", ".ro", "is read-only", put_read_only, true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[160], why[256] = "";
        struct probe p;
        if (cases[i].not_for_root && geteuid() == 0)
            continue;
        snprintf(path, sizeof(path), "%s%s", probe_store_path(state), cases[i].tail);
        if (cases[i].put != NULL)
            cases[i].put(path);
        assert_false(probe_try_start(&p, probe_options(path, "n1"), why));
        if (strstr(why, cases[i].word) == NULL || strstr(why, cases[i].tail) == NULL)
            fail_msg("%s: %s", cases[i].name, why);
        probe_stop(&p);
    }
}

static void too_long_path_is_refused(void **state)
{
    char path[200], why[256] = "";
    struct probe p;
    snprintf(path, sizeof(path), "%s%080d", probe_store_path(state), 0);
    assert_false(probe_try_start(&p, probe_options(path, "n1"), why));
    assert_non_null(strstr(why, "too long for a socket"));
    probe_stop(&p);
}

/* --- a store that fails while it is in use ------------------------------------------ */

static void expect_unavailable(struct probe *p, uint64_t request)
{
    struct hub_event *event = probe_next_within(p, PROBE_WAIT_S * 1000);
    while (event != NULL && event->type == HUB_STATUS) {
        assert_true(event->is_degraded);
        hub_event_free(&event);
        event = probe_next_within(p, PROBE_WAIT_S * 1000);
    }
    assert_non_null(event);
    assert_int_equal(event->type, HUB_ERROR);
    assert_int_equal(event->request, request);
    assert_string_equal(event->code, "unavailable");
    assert_true(event->is_temporary);
    hub_event_free(&event);
}

static void wait_recovered(struct probe *p)
{
    struct hub_event *event = probe_next(p, HUB_STATUS);
    while (event->is_degraded) {
        hub_event_free(&event);
        event = probe_next(p, HUB_STATUS);
    }
    hub_event_free(&event);
}

static void locked_file_gives_no_ack(void **state)
{
    struct probe p;
    sqlite3 *db;
    probe_start(&p, probe_options(probe_store_path(state), "n1"));
    assert_int_equal(sqlite3_open(probe_store_path(state), &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 1000);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    probe_publish(&p, 1, "room:1", "bob", "c-1");
    expect_unavailable(&p, 1);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    wait_recovered(&p);
    probe_publish(&p, 2, "room:1", "bob", "c-1");
    struct hub_event *ack = probe_next(&p, HUB_ACK);
    assert_int_equal(ack->seq, 1);
    assert_false(ack->duplicate);
    hub_event_free(&ack);
    probe_stop(&p);
}

static bool publish_big(struct probe *p, uint64_t request, struct span data)
{
    assert_true(hub_publish(p->hub, &(struct hub_publish){ .conn = { 0, 1 },
                                                           .request = request,
                                                           .channel = SPAN("room:1"),
                                                           .user = SPAN("bob"),
                                                           .data = data }));
    for (;;) {
        struct hub_event *event = probe_next_within(p, PROBE_WAIT_S * 1000);
        assert_non_null(event);
        enum hub_event_type type = event->type;
        hub_event_free(&event);
        if (type == HUB_ACK || type == HUB_ERROR)
            return type == HUB_ACK;
    }
}

/* A file that may not grow fails writes as a full disk does. */
static void full_disk_gives_no_ack(void **state)
{
    static char data[50000];
    struct probe p;
    struct rlimit old, small;
    uint64_t acked = 0;
    memset(data, '1', sizeof(data));
    probe_start(&p, probe_options(probe_store_path(state), "n1"));
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 600000;
    setrlimit(RLIMIT_FSIZE, &small);
    while (acked < 1000 && publish_big(&p, acked, span_of(data, sizeof(data))))
        acked++;
    setrlimit(RLIMIT_FSIZE, &old);
    assert_in_range(acked, 1, 999);
    assert_true(publish_big(&p, acked, span_of(data, sizeof(data))));
    struct hub_event *event = probe_subscribe(&p, 1, "room:1", "bob", "");
    assert_int_equal(event->seq, acked + 1);
    hub_event_free(&event);
    probe_stop(&p);
}

/* --- what is kept ------------------------------------------------------------------------ */

static void get_position(struct probe *p, char ep[HUB_EP_LEN + 1], uint64_t *seq)
{
    struct hub_event *event = probe_subscribe(p, 1, "room:1", "bob", "");
    memcpy(ep, event->ep, HUB_EP_LEN + 1);
    *seq = event->seq;
    hub_event_free(&event);
}

static void log_and_secret_outlive_the_process(void **state)
{
    uint8_t secret[2][HUB_SECRET_BYTES];
    char ep[2][HUB_EP_LEN + 1];
    uint64_t seq[2];
    for (int i = 0; i < 2; i++) {
        struct probe p;
        probe_start(&p, probe_options(probe_store_path(state), "n1"));
        hub_secret(p.hub, secret[i]);
        probe_publish(&p, 1, "room:1", "bob", "c-1");
        struct hub_event *ack = probe_next(&p, HUB_ACK);
        assert_int_equal(ack->duplicate, i == 1);
        hub_event_free(&ack);
        get_position(&p, ep[i], &seq[i]);
        probe_stop(&p);
    }
    assert_memory_equal(secret[0], secret[1], HUB_SECRET_BYTES);
    assert_string_equal(ep[0], ep[1]);
    assert_int_equal(seq[0], 1);
    assert_int_equal(seq[1], 1);
}

/* Only what was committed without waiting for the disk may be lost with it. */
static void crash_of_the_machine_renews_epochs_unless_durable(void **state)
{
    static const struct {
        bool durable_disk, renewed;
        const char *durability;
    } cases[] = { { true, false, "disk" }, { false, true, "proc" } };
    for (size_t i = 0; i < 2; i++) {
        char path[128], ep[2][HUB_EP_LEN + 1];
        uint64_t seq;
        snprintf(path, sizeof(path), "%s.%zu", probe_store_path(state), i);
        struct hub_options options = probe_options(path, "n1");
        options.durable_disk = cases[i].durable_disk;
        for (int boot = 0; boot < 2; boot++) {
            struct probe p;
            probe_start(&p, options);
            assert_string_equal(hub_durability(p.hub), cases[i].durability);
            get_position(&p, ep[boot], &seq);
            probe_stop(&p);
            run_sql(path, "UPDATE meta SET value = 'another' WHERE key = 'loose_boot'");
        }
        assert_int_equal(strcmp(ep[0], ep[1]) != 0, cases[i].renewed);
    }
}

static void batch_is_all_or_nothing(void **state)
{
    struct hub_options options = probe_options(probe_store_path(state), "n1");
    char why[256];
    struct engine *e = engine_sqlite.open(&options, why, sizeof(why));
    assert_non_null(e);
    struct engine_publish publishes[] = {
        { .channel = SPAN("a"), .user = SPAN("u"), .cid = SPAN("1"), .data = SPAN("1") },
        { .channel = SPAN("a"), .user = SPAN("u"), .cid = SPAN("2"), .data = SPAN("2") },
        { .channel = SPAN("b"), .user = SPAN("u"), .cid = SPAN("1"), .data = SPAN("3") },
        { .channel = SPAN("a"), .user = SPAN("u"), .cid = SPAN("1"), .data = SPAN("4") },
    };
    struct engine_batch batch = { publishes, 4, NULL, 0 };
    run_sql(probe_store_path(state), "CREATE TRIGGER no BEFORE INSERT ON cid WHEN new.cid = '2'"
                                     " BEGIN SELECT RAISE(ABORT, 'no more'); END");
    assert_false(engine_sqlite.commit(e, &batch));
    assert_string_equal(engine_sqlite.error(e), "no more");
    run_sql(probe_store_path(state), "DROP TRIGGER no");
    assert_true(engine_sqlite.commit(e, &batch));
    static const uint64_t seqs[] = { 1, 2, 1, 1 };
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(publishes[i].seq, seqs[i]);
        assert_int_equal(publishes[i].duplicate, i == 3);
    }
    engine_sqlite.close(&e);
    assert_null(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROBE_ON_STORE(refusal_is_a_sentence),
        PROBE_ON_STORE(too_long_path_is_refused),
        PROBE_ON_STORE(locked_file_gives_no_ack),
        PROBE_ON_STORE(full_disk_gives_no_ack),
        PROBE_ON_STORE(log_and_secret_outlive_the_process),
        PROBE_ON_STORE(crash_of_the_machine_renews_epochs_unless_durable),
        PROBE_ON_STORE(batch_is_all_or_nothing),
    };
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
