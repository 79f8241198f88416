/*
 * doors.h -- listening sockets beside those for clients, of kinds that each have a section and an
 * address set of their own: [health], at which whatever stands in front asks whether this process
 * lives (/health) and takes new work (/ready); and [management], for operators.
 *
 * On the control thread, so that they answer whatever the loops do. Who is not in the set gets no
 * answer (edge_filter.h), or is closed when he is accepted.
 */
#ifndef ALB_DOORS_H
#define ALB_DOORS_H

#include <stdbool.h>
#include <stddef.h>

#include "net/addr.h"

#include "alb/config.h"

struct balancer;
struct edge_filter;
struct ip;
struct problems;
struct stranger_line;
struct doors;

struct doors *doors_new(struct balancer *b);
void doors_free(struct doors **doors);

/* Open those of the configuration that are not open yet. What was opened stays open when one
 * fails; the error is in `problems`. */
bool doors_open(struct doors *doors, const struct config *config, struct problems *problems);

/* Could they be opened? Opens nothing for longer than the call. */
bool doors_may_open(struct doors *doors, const struct config *config, struct problems *problems);

/* Close those that the configuration has no longer: whoever has connected to one is taken first.
 * NULL: close all; nobody is, as another process has the sockets or this one ends. */
void doors_close(struct doors *doors, const struct config *config);

/* One line of the log about somebody who may not ask there. */
void doors_log_stranger(enum door_kind kind, const struct ip *ip, const struct stranger_line *line);

/* Accept connections, or not for now. */
void doors_accept(struct doors *doors, bool on);

/* Nobody is there any more. */
bool doors_are_idle(const struct doors *doors);

/* The sockets of this one have another program now. */
void doors_attach_again(struct doors *doors, const struct edge_filter *filter);

/* The listening socket of each of a kind in turn; -1 behind the last. `*at` begins with 0. */
int doors_next(const struct doors *doors, enum door_kind kind, size_t *at, struct addr *bound);

#endif
