/*
 * registrations.h -- what commands said: about targets (registered ones, ones that are
 * out though the configuration file names them, and ones that are drained), and who may
 * connect for a while (edge_additions.h).
 *
 * It is a plain value of the control thread; whoever changes it writes it to the state
 * file first. The text form is the state file's, one line each, in the order in which
 * they were said, targets first:
 *
 *     postern-alb-state 1
 *     register chat 10.0.1.12:9001 weight=100
 *     deregister chat 10.0.1.10:9001
 *     drain chat 10.0.1.12:9001
 *     edge 10.0.9.0/24 until=1795766400
 *     end 4
 *
 * The last line has the number of those before it, so that a file that was cut is found
 * out. Reading is strict: each line as it is written here, or an error with its line.
 */
#ifndef ALB_REGISTRATIONS_H
#define ALB_REGISTRATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/problems.h"

#include "alb/edge_additions.h"
#include "alb/target_name.h"

struct config;

enum { REGISTRATIONS_MAX = 10000, GROUP_NAME_MAX = 32 };

struct registration {
    char group[GROUP_NAME_MAX + 1]; /* need not be in the configuration */
    struct target_name name;
    uint32_t weight; /* of a registered one: 0-999 */
    bool is_out;     /* deregistered, though the file names it */
    bool is_drain;   /* drained: beside what else is said of it */
};

struct registrations {
    struct registration *items; /* owned */
    size_t count, room;
    struct edge_additions edge;
};

void registrations_done(struct registrations *r);
struct registrations registrations_copy(const struct registrations *r);

/* NULL when nothing was said about it, but that it is drained. */
struct registration *registrations_find(const struct registrations *r, const char *group,
                                        const char *target);

/* NULL when it is not drained. */
struct registration *registrations_find_drain(const struct registrations *r, const char *group,
                                              const char *target);

/* False when there are REGISTRATIONS_MAX already. */
bool registrations_add(struct registrations *r, const struct registration *item);
void registrations_remove(struct registrations *r, struct registration *item);

/* Those that are out, or drained, lapse when the configuration has their group but names them
 * no more; not drained ones that are registered, or that may be addresses of a name. True
 * when there were such. */
bool registrations_prune(struct registrations *r, const struct config *config);

/* Into an empty set. False when `problems` got an error (its file is the state file). */
bool registrations_read(struct registrations *r, struct span text, struct problems *problems);

void registrations_print(const struct registrations *r, struct buf *to);

#endif
