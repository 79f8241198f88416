/* command.h -- `alb reload`, `status`, `register`...: asking a running daemon over its
 * control socket. */
#ifndef ALB_COMMAND_H
#define ALB_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

/* Connect, send METHOD PATH with this body ("" for none), print the answer's body.
 * Returns the exit code: 0 when the daemon says it was done, 1 otherwise, with a
 * sentence on stderr when nobody answers there. */
int command_run(const char *socket_path, const char *method, const char *path, const char *body);

/* POST /reload?dry_run=1: as tables for people, or as the JSON that it is. */
int command_dry_run(const char *socket_path, bool as_json);

/* GET /status: as tables for people, or as the JSON that it is. */
int command_status(const char *socket_path, bool as_json);

/* GET /tunnels or /closed, with filters such as "group=app": as a table, or as JSON. 2 when a
 * filter is none. */
int command_tunnels(const char *socket_path, const char *const *filters, int count, bool as_json);
int command_closed(const char *socket_path, const char *const *filters, int count, bool as_json);

/* GET /upgrades/failed: as a table and advice, or as the JSON that it is. */
int command_upgrades(const char *socket_path, bool as_json);

/* What `register` and `deregister` are about. */
struct command_target {
    const char *group, *name;
    bool has_weight;
    uint32_t weight;
};

/* POST it to /register or /deregister. */
int command_register(const char *socket_path, const char *path, const struct command_target *t);

/* POST it to /drain or /undrain; without a group: all of them. */
int command_drain(const char *socket_path, const char *path, const char *group, const char *target);

/* Another process takes over: `binary`, or (NULL) the file that the running one was started from.
 */
int command_upgrade(const char *socket_path, const char *binary);

#endif
