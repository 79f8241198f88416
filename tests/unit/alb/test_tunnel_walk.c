/* test_tunnel_walk.c -- walks through a loop's tunnels while those come and go, against a
 * plain count of visits. */
#include "tunnel_fixture.h"

#include "base/random.h"

#include "alb/tunnel_private.h"
#include "alb/tunnel_walk.h"
#include "alb/worker.h"

enum { PLACES = 400, WALKS = 3 };

/* Of each tunnel: when it came, and how often each walk has met it. */
struct met {
    struct tunnel tunnel;
    bool was_there[WALKS];
    int times[WALKS];
};

static struct worker w;
static struct tunnel_walk walks[WALKS];
static bool is_walking[WALKS];

static void come(void)
{
    struct met *met = mem_new(struct met);

    if (w.tunnel_count == PLACES) {
        free(met);
        return;
    }
    met->tunnel.index = w.tunnel_count;
    w.tunnels[w.tunnel_count++] = &met->tunnel;
}

static struct met *met_of(struct tunnel *t)
{
    return (struct met *)(void *)t;
}

static void leave(struct tunnel *t)
{
    tunnel_walk_forget(&w, t);
    free(t);
}

static void check_places(void)
{
    for (uint32_t i = 0; i < w.tunnel_count; i++)
        assert_int_equal(w.tunnels[i]->index, i);
}

static void begin(int n)
{
    for (uint32_t i = 0; i < w.tunnel_count; i++) {
        met_of(w.tunnels[i])->was_there[n] = true;
        met_of(w.tunnels[i])->times[n] = 0;
    }
    tunnel_walk_begin(&w, &walks[n]);
    is_walking[n] = true;
}

/* All that were there when it began and are still there were met. */
static void end(int n)
{
    for (uint32_t i = 0; i < w.tunnel_count; i++) {
        struct met *met = met_of(w.tunnels[i]);
        if (met->was_there[n])
            assert_int_equal(met->times[n], 1);
        met->was_there[n] = false;
        met->times[n] = 0;
    }
    tunnel_walk_end(&walks[n]);
    is_walking[n] = false;
}

static void step(int n)
{
    if (!is_walking[n]) {
        begin(n);
        return;
    }
    struct tunnel *t = tunnel_walk_next(&w, &walks[n]);
    if (t == NULL) {
        end(n);
        return;
    }
    assert_int_equal(++met_of(t)->times[n], 1);
    if (random_jitter() % 8 == 0)
        leave(t);
}

static void test_nobody_is_missed_or_met_twice(void **state)
{
    (void)state;
    w.tunnels = mem_array(struct tunnel *, PLACES);
    list_init(&w.walks);
    for (int i = 0; i < 200; i++)
        come();
    for (int i = 0; i < 200000; i++) {
        switch (random_jitter() % 6) {
        case 0:
            come();
            break;
        case 1:
            if (w.tunnel_count > 0)
                leave(w.tunnels[random_jitter() % w.tunnel_count]);
            break;
        default:
            step((int)(random_jitter() % WALKS));
        }
        if (i % 1000 == 0)
            check_places();
    }
    for (int n = 0; n < WALKS; n++) {
        if (is_walking[n])
            tunnel_walk_end(&walks[n]);
    }
    while (w.tunnel_count > 0)
        leave(w.tunnels[0]);
    free(w.tunnels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_is_missed_or_met_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
