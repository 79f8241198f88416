/*
 * test_hub_nodes.c -- several nodes on one file: order, presence, and nodes
 * that are killed.
 *
 * A node that must die is a child process, made before this process has
 * threads of its own: children are forked first in each test.
 */
#include "hub_probe.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"

/* --- two nodes of this process ------------------------------------------------ */

static void published_on_one_is_seen_on_the_other(void **state)
{
    struct probe a, b;
    probe_start(&a, probe_options(probe_store_path(state), "a"));
    probe_start(&b, probe_options(probe_store_path(state), "b"));
    uint8_t secret_a[HUB_SECRET_BYTES], secret_b[HUB_SECRET_BYTES];
    hub_secret(a.hub, secret_a);
    hub_secret(b.hub, secret_b);
    assert_memory_equal(secret_a, secret_b, HUB_SECRET_BYTES);
    probe_join(&b, 1, "room:1", "alice", "");
    char cid[16];
    for (int i = 0; i < 200; i++) {
        snprintf(cid, sizeof(cid), "c-%d", i);
        probe_publish(&a, (uint64_t)i, "room:1", "bob", cid);
    }
    for (uint64_t seq = 1; seq <= 200; seq++) {
        struct hub_event *event = probe_next(&b, HUB_MESSAGE);
        snprintf(cid, sizeof(cid), "\"c-%d\"", (int)seq - 1);
        assert_int_equal(event->seq, seq);
        assert_non_null(strstr(event->text->bytes, cid));
        hub_event_free(&event);
    }
    assert_true(hub_ephemeral(a.hub, SPAN("room:1"), SPAN("{}")));
    struct hub_event *event = probe_next(&b, HUB_EPHEMERAL);
    assert_string_equal(event->text->bytes, "{}");
    hub_event_free(&event);
    probe_stop(&a);
    probe_stop(&b);
}

enum { RACE_EACH = 300, RACE_NODES = 3 };

/* All publish at once, some cids on every node; all see one and the same log. */
static void concurrent_nodes_make_one_log(void **state)
{
    struct probe nodes[RACE_NODES];
    char cid[16], name[16];
    for (int n = 0; n < RACE_NODES; n++) {
        snprintf(name, sizeof(name), "n%d", n);
        struct hub_options options = probe_options(probe_store_path(state), name);
        options.history_messages = 10000; /* nobody falls behind so far that it is told */
        probe_start(&nodes[n], options);
        probe_join(&nodes[n], 1, "room:1", "watcher", "");
    }
    for (int i = 0; i < RACE_EACH; i++)
        for (int n = 0; n < RACE_NODES; n++) {
            snprintf(cid, sizeof(cid), "%d", i % 3 == 0 ? i : i * 10 + n + 100000);
            probe_publish(&nodes[n], (uint64_t)i, "room:1", "bob", cid);
        }
    /* A third of them is shared by all nodes. */
    uint64_t total = RACE_EACH / 3 + (uint64_t)(RACE_EACH - RACE_EACH / 3) * RACE_NODES;
    char *texts[RACE_EACH * RACE_NODES + 1] = { NULL };
    for (int n = 0; n < RACE_NODES; n++)
        for (uint64_t seq = 1; seq <= total; seq++) {
            struct hub_event *event = probe_next(&nodes[n], HUB_MESSAGE);
            assert_int_equal(event->seq, seq);
            if (n == 0)
                texts[seq] = strdup(event->text->bytes);
            assert_string_equal(event->text->bytes, texts[seq]);
            hub_event_free(&event);
        }
    struct hub_event *late = probe_resume(&nodes[0], 9, "room:1", "", 0);
    assert_int_equal(late->seq, total);
    hub_event_free(&late);
    for (size_t i = 1; i <= total; i++)
        free(texts[i]);
    for (int n = 0; n < RACE_NODES; n++)
        probe_stop(&nodes[n]);
}

/* A client that moves is ahead of the node that it comes to. */
static void resume_on_another_node_is_exact(void **state)
{
    struct probe a, b;
    probe_start(&a, probe_options(probe_store_path(state), "a"));
    probe_start(&b, probe_options(probe_store_path(state), "b"));
    probe_join(&b, 1, "room:1", "other", "");
    for (uint64_t i = 1; i <= 50; i++) {
        probe_publish(&a, i, "room:1", "bob", "");
        struct hub_event *ack = probe_next(&a, HUB_ACK);
        struct hub_event *event = probe_resume(&b, 100 + i, "room:1", ack->ep, ack->seq);
        assert_int_equal(event->resume, HUB_RESUME_OK);
        assert_int_equal(event->count, 0);
        hub_event_free(&event);
        hub_event_free(&ack);
    }
    probe_stop(&a);
    probe_stop(&b);
}

static void expect_presence(struct probe *p, const char *part)
{
    struct hub_event *event = probe_next(p, HUB_PRESENCE);
    if (strstr(event->text->bytes, part) == NULL)
        fail_msg("expected %s in %s", part, event->text->bytes);
    hub_event_free(&event);
}

static void presence_is_the_union_of_nodes(void **state)
{
    struct probe a, b;
    probe_start(&a, probe_options(probe_store_path(state), "a"));
    probe_start(&b, probe_options(probe_store_path(state), "b"));
    probe_join(&a, 1, "room:1", "watcher", "");
    probe_join(&b, 2, "room:1", "bob", "s-1");
    expect_presence(&a, "\"j\":{\"bob\":{\"n\":1}}");
    probe_join(&b, 3, "room:1", "bob", "s-2");
    expect_presence(&a, "\"c\":{\"bob\":{\"n\":2}}");
    /* s-1 moves from b to a: nothing to tell, before and after the old end. */
    probe_join(&a, 4, "room:1", "bob", "s-1");
    hub_disconnect(b.hub, (struct hub_conn){ 0, 2 }, HUB_LEFT_LOST);
    struct hub_event *event = probe_next_within(&a, 600);
    assert_null(event);
    hub_disconnect(b.hub, (struct hub_conn){ 0, 3 }, HUB_LEFT_CLEAN);
    expect_presence(&a, "\"c\":{\"bob\":{\"n\":1}}");
    hub_disconnect(a.hub, (struct hub_conn){ 0, 4 }, HUB_LEFT_CLEAN);
    expect_presence(&a, "\"l\":[\"bob\"]");
    /* A node that stops in order leaves its sessions for the grace. */
    probe_join(&b, 5, "room:1", "eve", "s-3");
    expect_presence(&a, "\"j\":{\"eve\":{\"n\":1}}");
    probe_stop(&b);
    event = probe_next_within(&a, 150);
    assert_null(event);
    expect_presence(&a, "\"l\":[\"eve\"]");
    probe_stop(&a);
}

static void name_of_a_live_node_is_refused(void **state)
{
    struct probe a, b;
    char why[256] = "", expected[64];
    probe_start(&a, probe_options(probe_store_path(state), "a"));
    assert_false(probe_try_start(&b, probe_options(probe_store_path(state), "a"), why));
    snprintf(expected, sizeof(expected), "by process %ld:", (long)getpid());
    assert_non_null(strstr(why, "node name \"a\" is in use"));
    assert_non_null(strstr(why, expected));
    probe_stop(&b);
    probe_stop(&a);
    probe_start(&b, probe_options(probe_store_path(state), "a"));
    probe_stop(&b);
}

/* --- children that are killed ------------------------------------------------------ */

struct child {
    pid_t pid;
    FILE *says; /* its lines */
};

typedef void child_body(const char *path, FILE *say);

static struct child child_start(child_body *body, const char *path)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct child child = { .pid = fork() };
    assert_int_not_equal(child.pid, -1);
    if (child.pid == 0) {
        close(fds[0]);
        FILE *say = fdopen(fds[1], "w");
        setvbuf(say, NULL, _IOLBF, 0);
        body(path, say);
        _exit(0);
    }
    close(fds[1]);
    child.says = fdopen(fds[0], "r");
    return child;
}

static void child_kill(struct child *child)
{
    kill(child->pid, SIGKILL);
    waitpid(child->pid, NULL, 0);
}

static void publish_for_ever(const char *path, FILE *say)
{
    struct probe p;
    struct hub_options options = probe_options(path, "victim");
    options.durable_disk = true;
    options.history_messages = 1000000;
    probe_start(&p, options);
    uint64_t sent = 0, acked = 0;
    char cid[24];
    for (;;) {
        for (; sent < acked + 20; sent++) {
            snprintf(cid, sizeof(cid), "c-%llu", (unsigned long long)sent);
            probe_publish(&p, sent, "room:1", "bob", cid);
        }
        struct hub_event *ack = probe_next(&p, HUB_ACK);
        fprintf(say, "%llu %llu %s\n", (unsigned long long)ack->seq,
                (unsigned long long)ack->request, ack->mid);
        hub_event_free(&ack);
        acked++;
    }
}

struct acked {
    unsigned long long seq, request;
    char mid[HUB_MID_LEN + 1];
};

/* Every ack that the victim told of is in the log, at its place; `seq` goes on
 * after them, and the retry of an acked message is a duplicate. */
static void check_acked(const char *path, const struct acked *acks, size_t count)
{
    struct probe p;
    struct hub_options options = probe_options(path, "victim"); /* the name is free at once */
    options.history_messages = 1000000;
    probe_start(&p, options);
    assert_true(hub_history(p.hub, (struct hub_conn){ 0, 1 }, 1, SPAN("room:1"), 0, 1000000));
    struct hub_event *log = probe_next(&p, HUB_HISTORY);
    assert_true(log->count >= count);
    assert_int_equal(log->count, log->seq);
    char part[64];
    for (size_t i = 0; i < count; i++) {
        const char *text = log->messages[acks[i].seq - 1]->bytes;
        assert_non_null(strstr(text, acks[i].mid));
        snprintf(part, sizeof(part), "\"cid\":\"c-%llu\"", acks[i].request);
        assert_non_null(strstr(text, part));
    }
    snprintf(part, sizeof(part), "c-%llu", acks[count - 1].request);
    probe_publish(&p, 1, "room:1", "bob", part);
    struct hub_event *again = probe_next(&p, HUB_ACK);
    assert_true(again->duplicate);
    assert_int_equal(again->seq, acks[count - 1].seq);
    probe_publish(&p, 2, "room:1", "bob", "new");
    struct hub_event *next = probe_next(&p, HUB_ACK);
    assert_int_equal(next->seq, log->seq + 1);
    hub_event_free(&log);
    hub_event_free(&again);
    hub_event_free(&next);
    probe_stop(&p);
}

static void acked_messages_survive_kill(void **state)
{
    enum { ACKS = 100000 };
    struct acked *acks = calloc(ACKS, sizeof(*acks));
    size_t count = 0;
    struct child child = child_start(publish_for_ever, probe_store_path(state));
    size_t until = 20 + (size_t)rand() % 300;
    char line[128];
    while (count < ACKS && fgets(line, sizeof(line), child.says) != NULL) {
        if (sscanf(line, "%llu %llu %26s", &acks[count].seq, &acks[count].request,
                   acks[count].mid) == 3 &&
            strchr(line, '\n') != NULL)
            count++;
        if (count == until)
            child_kill(&child);
    }
    assert_true(count >= until);
    fclose(child.says);
    check_acked(probe_store_path(state), acks, count);
    free(acks);
}

static void be_present(const char *path, FILE *say)
{
    struct probe p;
    probe_start(&p, probe_options(path, "victim"));
    probe_join(&p, 1, "room:1", "bob", "s-1");
    fprintf(say, "joined\n");
    pause();
}

static void wait_line(struct child *child)
{
    char line[64];
    assert_non_null(fgets(line, sizeof(line), child->says));
}

/* The store may hear of the join a moment after the child does. */
static void wait_present(struct probe *p, const char *part)
{
    struct hub_event *sub = probe_subscribe(p, 1, "room:1", "watcher", "");
    bool there = strstr(sub->presence->bytes, part) != NULL;
    hub_event_free(&sub);
    if (!there)
        expect_presence(p, part);
}

static void sessions_of_a_dead_node_leave(void **state)
{
    struct child child = child_start(be_present, probe_store_path(state));
    wait_line(&child);
    struct probe p;
    probe_start(&p, probe_options(probe_store_path(state), "survivor"));
    wait_present(&p, "\"bob\":{\"n\":1}");
    child_kill(&child);
    struct hub_event *event = probe_next_within(&p, 200); /* the grace, and the lease */
    assert_null(event);
    expect_presence(&p, "\"l\":[\"bob\"]");
    probe_stop(&p);
    fclose(child.says);
}

/* Restarted under its name, it keeps those that come back. */
static void restarted_node_keeps_who_returns(void **state)
{
    struct child child = child_start(be_present, probe_store_path(state));
    wait_line(&child);
    struct probe watcher, again;
    probe_start(&watcher, probe_options(probe_store_path(state), "survivor"));
    wait_present(&watcher, "\"bob\":{\"n\":1}");
    child_kill(&child);
    probe_start(&again, probe_options(probe_store_path(state), "victim"));
    probe_join(&again, 1, "room:1", "bob", "s-1");
    struct hub_event *event = probe_next_within(&watcher, 1200);
    assert_null(event);
    probe_stop(&again);
    probe_stop(&watcher);
    fclose(child.says);
}

/* One that stood still for longer than its lease was taken for dead; when it
 * goes on, its sessions are back. */
static void stopped_node_comes_back(void **state)
{
    struct child child = child_start(be_present, probe_store_path(state));
    wait_line(&child);
    struct probe p;
    probe_start(&p, probe_options(probe_store_path(state), "survivor"));
    wait_present(&p, "\"bob\":{\"n\":1}");
    kill(child.pid, SIGSTOP);
    expect_presence(&p, "\"l\":[\"bob\"]");
    kill(child.pid, SIGCONT);
    expect_presence(&p, "\"j\":{\"bob\":{\"n\":1}}");
    child_kill(&child);
    probe_stop(&p);
    fclose(child.says);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROBE_ON_STORE(acked_messages_survive_kill),
        PROBE_ON_STORE(acked_messages_survive_kill),
        PROBE_ON_STORE(acked_messages_survive_kill),
        PROBE_ON_STORE(sessions_of_a_dead_node_leave),
        PROBE_ON_STORE(restarted_node_keeps_who_returns),
        PROBE_ON_STORE(stopped_node_comes_back),
        PROBE_ON_STORE(published_on_one_is_seen_on_the_other),
        PROBE_ON_STORE(concurrent_nodes_make_one_log),
        PROBE_ON_STORE(resume_on_another_node_is_exact),
        PROBE_ON_STORE(presence_is_the_union_of_nodes),
        PROBE_ON_STORE(name_of_a_live_node_is_refused),
    };
    srand((unsigned)getpid());
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
