/* explain_hash.c -- see explain.h: whose a request's key is, with consistent_hash. */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/rendezvous.h"

#include "alb/explain_private.h"
#include "alb/viewer.h"

enum { ORDER_SHOWN = 4 };

static void print_key(const struct explanation *x, const struct hash_key *key)
{
    char ip[IP_TEXT_MAX];
    struct span found = SPAN("");

    if (key->kind == HASH_KEY_VIEWER)
        found = span_text(ip_format(viewer_or_peer(&x->client), ip));
    else
        hash_key_find(key, x->message, &found);
    printf("%.*s", SPAN_ARGS(found));
}

/* The first in the slot's order that is behind `last`; NULL when none is left. */
static const char *next_behind(const struct group_config *g, const struct rendezvous *r,
                               uint32_t slot, struct rendezvous_turn *last)
{
    struct rendezvous_turn first = { 0 };
    const char *next = NULL;

    for (size_t i = 0; i < g->target_count; i++) {
        if (g->targets[i].weight == 0)
            continue;
        const struct rendezvous_turn turn = rendezvous_turn(r, slot, i);
        if (last->weight != 0 && !rendezvous_is_before(last, &turn))
            continue;
        if (next != NULL && !rendezvous_is_before(&turn, &first))
            continue;
        next = g->targets[i].name.text;
        first = turn;
    }
    *last = first;
    return next;
}

static void print_order(const struct group_config *g, const struct rendezvous *r, uint32_t slot)
{
    struct rendezvous_turn last = { 0 };
    const char *next = next_behind(g, r, slot, &last);

    printf(" and belongs to %s", next);
    for (int i = 1; i < ORDER_SHOWN && (next = next_behind(g, r, slot, &last)) != NULL; i++)
        printf("%s%s", i == 1 ? "; while that one cannot have it: " : ", then ", next);
}

static struct rendezvous *make_hash(const struct group_config *g)
{
    uint64_t *ids = mem_array(uint64_t, g->target_count);
    uint32_t *weights = mem_array(uint32_t, g->target_count);

    for (size_t i = 0; i < g->target_count; i++) {
        ids[i] = stickiness_id(span_text(g->targets[i].name.text));
        weights[i] = g->targets[i].weight;
    }
    struct rendezvous *r = rendezvous_new(ids, weights, g->target_count);
    free(ids);
    free(weights);
    return r;
}

static bool has_dns(const struct group_config *g)
{
    size_t i = 0;

    while (i < g->target_count && g->targets[i].name.host[0] == '\0')
        i++;
    return i < g->target_count;
}

void explain_print_hash(const struct explanation *x, const struct group_config *g)
{
    uint64_t hash;

    printf("    consistent_hash by %s: ", g->options.hash_key);
    if (!hash_key_of(&g->hash_key, x->message, viewer_or_peer(&x->client), &hash)) {
        printf("the request has none, and gets a target in turn\n");
        return;
    }
    printf("the key ");
    print_key(x, &g->hash_key);
    printf(" has the hash %016" PRIx64, hash);
    struct rendezvous *r = make_hash(g);
    if (has_dns(g))
        printf("; whose it is depends on the addresses that DNS has");
    else if (r != NULL)
        print_order(g, r, rendezvous_slot(hash));
    rendezvous_unref(&r);
    printf("\n");
}
