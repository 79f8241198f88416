/* admin_upgrades.c -- GET /upgrades/failed: the last upgrades that failed, the newest first. */
#include <inttypes.h>

#include "base/clock.h"

#include "alb/admin_private.h"
#include "alb/balancer.h"

struct list_state {
    struct buf *to;
    const char *before;
    bool fits;
};

static bool put(void *user, const struct upgrade_case *c)
{
    struct list_state *l = user;

    l->fits = buf_print(l->to, "%s", l->before) && upgrade_case_put(l->to, c);
    l->before = ",\n";
    return l->fits;
}

/* An empty body says that it does not fit. */
void admin_get_failed_upgrades(struct balancer *b, const struct admin_request *r,
                               struct admin_answer *a)
{
    struct list_state l = { .to = &a->body, .before = "\n", .fits = true };
    char now[CLOCK_TEXT_MAX];

    if (admin_refuses_query(r, a))
        return;
    a->type = "application/json";
    buf_print(l.to, "{\"now\":\"%s\",\"failed\":[", clock_iso_us(clock_wall_us(), now));
    const uint64_t all = upgrade_ring_each(&b->failed_upgrades, put, &l);
    if (!l.fits || !buf_print(l.to, "],\"all\":%" PRIu64 "}\n", all))
        buf_drop(l.to, buf_len(l.to));
}
