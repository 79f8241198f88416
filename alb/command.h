/* command.h -- `alb reload`, `status`, `register`...: asking a running daemon over its
 * control socket, or from afar (remote.h). */
#ifndef ALB_COMMAND_H
#define ALB_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

struct remote_options;

/* Each returns the exit code: 0 when the daemon says it was done, 1 otherwise, with a sentence on
 * stderr when nobody answers there. */

struct command_reload {
    const char *file; /* with the text of a new configuration; NULL: none */
    bool is_dry_run;  /* only what it would change */
    bool is_forced;   /* also if it shuts out whoever asks for it */
    bool as_json;     /* a dry run's: else as tables for people */
};

/* POST /reload. */
int command_reload(const struct remote_options *at, const struct command_reload *how);

/* GET /status: as tables for people, or as the JSON that it is. */
int command_status(const struct remote_options *at, bool as_json);

/* GET /tunnels or /closed, with filters such as "group=app": as a table, or as JSON. 2 when a
 * filter is none. */
int command_tunnels(const struct remote_options *at, const char *const *filters, int count,
                    bool as_json);
int command_closed(const struct remote_options *at, const char *const *filters, int count,
                   bool as_json);

/* GET /upgrades/failed: as a table and advice, or as the JSON that it is. */
int command_upgrades(const struct remote_options *at, bool as_json);

/* GET /edge, /edge/refused: as tables, or as the JSON that they are. */
int command_edge_show(const struct remote_options *at, bool as_json);
int command_edge_refused(const struct remote_options *at, bool as_json);

/* GET /edge/check: as text or JSON. 2 when it is no address. */
int command_edge_check(const struct remote_options *at, const char *address, bool as_json);

/* POST /edge/add, or (`time` NULL) /edge/remove. */
int command_edge_change(const struct remote_options *at, const char *block, const char *time);

/* What `register` and `deregister` are about. */
struct command_target {
    const char *group, *name;
    bool has_weight;
    uint32_t weight;
};

/* POST it to /register or /deregister. */
int command_register(const struct remote_options *at, const char *path,
                     const struct command_target *t);

/* POST it to /drain or /undrain; without a group: all of them. */
int command_drain(const struct remote_options *at, const char *path, const char *group,
                  const char *target);

/* Another process takes over: `binary`, or (NULL) the file that the running one was started from.
 */
int command_upgrade(const struct remote_options *at, const char *binary);

#endif
