/*
 * inherit_state.h -- what the process before this one knew: STATE of handing.h. Keys, what was said
 * by command, how targets are.
 *
 * It comes before there is anybody to have it, and is kept as it came, with the pages (pace.h) that
 * came along. Each part is taken when its owner begins; the states of targets are last, and with
 * them the rest is wiped: it has secrets.
 */
#ifndef ALB_INHERIT_STATE_H
#define ALB_INHERIT_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "net/handover.h"

struct config;
struct edge_filter;
struct inherit;
struct registrations;
struct seal_ring;

struct inherited_state {
    char *bytes; /* owned; NULL until it came, and when it was wiped */
    size_t len;
    int pages[HANDOVER_FDS_MAX]; /* that came with it; -1: taken */
    size_t page_count;
};

/* The first one that comes; the descriptors are taken out of the message. */
void inherited_state_keep(struct inherited_state *s, struct handover_message *m);

/* Wipe it, and close the pages that nobody took. */
void inherited_state_forget(struct inherited_state *s);

/* The keys that it sealed with, or NULL. NULL for `inherit` is fine here and below. */
struct seal_ring *inherit_keys(const struct inherit *in);

/* The same servers go on with the same ticket keys. */
void inherit_tickets(const struct inherit *in, const struct config *config);

/* The page of the pace of a stop; -1: none. The receiver's. */
int inherit_stop_page(struct inherit *in);

/* A filter of listening sockets (enum filter_kind), with what it lets in; NULL: none, or one that
 * this version can make nothing of. The receiver's. */
struct edge_filter *inherit_filter(struct inherit *in, uint32_t kind);

/* What was said by register, deregister and drain, in place of what the state file says: it may
 * have none. */
void inherit_said(const struct inherit *in, struct registrations *said);

/* Targets have their members and probes: they are what they were there. Those whose
 * deregistration delay runs go on with it. The last of what was told at the start: it is wiped. */
void inherit_states(struct inherit *in);

/* While targets are told: the page of the pace of this one's drain, borrowed; -1: it has none. */
int inherit_page(const struct inherit *in);

#endif
