/*
 * tunnel_top.h -- of many records, those that are shown first: at most as many as were asked
 * for are kept, however many come by.
 */
#ifndef ALB_TUNNEL_TOP_H
#define ALB_TUNNEL_TOP_H

#include "alb/tunnel_query.h"
#include "alb/tunnel_view.h"

struct tunnel_top {
    const struct tunnel_query *query; /* borrowed */
    struct tunnel_view *rows;         /* owned; a heap, the last to be shown on top */
    uint32_t count, size;
    uint64_t seen, matched; /* records that came by; those that the query fits */
};

void tunnel_top_init(struct tunnel_top *t, const struct tunnel_query *query);
void tunnel_top_done(struct tunnel_top *t);

/* Look at one; it is copied if it is kept. */
void tunnel_top_add(struct tunnel_top *t, const struct tunnel_view *r);

/* Another one's, which is empty afterwards. */
void tunnel_top_merge(struct tunnel_top *t, struct tunnel_top *from);

/* Put the rows into the order in which they are shown. Nothing is added any more. */
void tunnel_top_sort(struct tunnel_top *t);

#endif
