/* tunnel_walk.c -- see tunnel_walk.h. */
#include "alb/tunnel_walk.h"

#include "alb/tunnel_private.h"
#include "alb/worker.h"

void tunnel_walk_begin(struct worker *w, struct tunnel_walk *walk)
{
    walk->at = 0;
    list_push(&w->walks, &walk->link);
}

struct tunnel *tunnel_walk_next(struct worker *w, struct tunnel_walk *walk)
{
    return walk->at < w->tunnel_count ? w->tunnels[walk->at++] : NULL;
}

void tunnel_walk_end(struct tunnel_walk *walk)
{
    list_remove(&walk->link);
}

/* The walk that stands next behind this place; NULL when there is none. */
static struct tunnel_walk *next_behind(struct worker *w, uint32_t place)
{
    struct tunnel_walk *found = NULL;

    list_each (at, &w->walks) {
        struct tunnel_walk *walk = list_entry(at, struct tunnel_walk, link);
        if (walk->at > place && (found == NULL || walk->at < found->at))
            found = walk;
    }
    return found;
}

/* What stands at the hole itself is of no use any more. */
static void fill(struct worker *w, uint32_t from, uint32_t to)
{
    if (from == to)
        return;
    w->tunnels[to] = w->tunnels[from];
    w->tunnels[to]->index = to;
}

/*
 * The hole is filled by the last tunnel. But what a walk has visited must stay before its
 * place, and what it has not, behind: so the hole first moves up to the place of each walk in turn,
 * filled by the last that this walk has visited.
 */
void tunnel_walk_forget(struct worker *w, const struct tunnel *t)
{
    uint32_t hole = t->index;
    struct tunnel_walk *walk;

    while ((walk = next_behind(w, hole)) != NULL) {
        walk->at--;
        fill(w, walk->at, hole);
        hole = walk->at;
    }
    fill(w, --w->tunnel_count, hole);
}
