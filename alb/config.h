/*
 * config.h -- a whole configuration as an immutable snapshot.
 *
 * The control thread reads and checks a file whole, then publishes the result
 * to the loops; nobody changes it after that. A file with any error gives no
 * snapshot at all, and every error is listed with its line. What lives longer
 * than a snapshot (a target's health and counters) is in the registry (target.h);
 * which targets its groups have now is published beside it (members.h).
 */
#ifndef ALB_CONFIG_H
#define ALB_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/edge_set.h"
#include "base/problems.h"
#include "base/span.h"
#include "net/addr.h"
#include "stickiness/stickiness.h"

#include "alb/conditions.h"
#include "alb/door_kind.h"
#include "alb/hash_key.h"
#include "alb/manage_tokens.h"
#include "alb/options.h"
#include "alb/target_name.h"

struct edge_secret;
struct redirect;
struct rewrite;
struct rules_index;
struct tls_client;
struct tls_server;
struct tunnel_policy;

/* Where a section stands, and each setting that was written in it (by its row
 * in the table; 0 for the others): so that advice has a line too. */
struct section_lines {
    int header;
    uint64_t seen;
    int rows[64];
    uint64_t written; /* a digest of all that it says: equal for two that say the same */
};

enum { TARGET_WEIGHT_DEFAULT = 100, TARGET_WEIGHT_MAX = 999 };

struct target_config {
    struct target_name name;
    uint32_t weight; /* 0-999; 0 gets no new requests */
    int line;
};

struct status_range {
    uint16_t low, high;
};

struct group_config {
    char *name;
    size_t name_len;
    struct section_lines lines;
    struct group_options options;
    struct target_config *targets;
    size_t target_count;
    uint16_t health_port;         /* 0: the target's own */
    bool is_used;                 /* some action forwards to it */
    bool is_kept_to;              /* and keeps its clients there (stickiness=) */
    struct status_range *matcher; /* owned; parsed health_check.matcher */
    size_t matcher_count;
    struct stickiness_policy stickiness;         /* borrows from options, */
    struct stickiness_app_policy app_stickiness; /* as this; one of the two counts */
    struct hash_key hash_key;                    /* with consistent_hash */
    struct tls_client *tls, *health_tls;         /* references; NULL: in plain text */
    struct tunnel_policy *policy;                /* a reference: of its WebSockets */
    uint64_t id;                                 /* stickiness_id(name) */
    size_t index;                                /* in config->groups; who is in it: members.h */
};

enum action_kind { ACTION_FORWARD, ACTION_REDIRECT, ACTION_FIXED_RESPONSE };

enum { FORWARD_GROUPS_MAX = 5, FORWARD_WEIGHT_MAX = 999 };

struct forward_group {
    struct group_config *group; /* of the same snapshot */
    uint32_t weight;            /* 0-999 */
};

struct action {
    enum action_kind kind;
    struct forward_group groups[FORWARD_GROUPS_MAX]; /* forward */
    size_t group_count;
    uint32_t weights;          /* their sum */
    uint32_t stickiness_s;     /* how long a client stays with its group; 0: it does not */
    struct redirect *redirect; /* owned; redirect */
    uint16_t status;           /* fixed-response */
    char *content_type, *body; /* owned; "" when none */
};

struct rule {
    char *name; /* owned; "default" for a listener's default */
    int line;
    uint64_t written;             /* as in section_lines */
    uint32_t priority;            /* 1-50000; 0 for a listener's default */
    struct condition *conditions; /* owned */
    size_t condition_count;
    struct rewrite *host_rewrite, *url_rewrite; /* owned; NULL: none */
    struct action action;
};

/* What a listener does to headers, made ready. */
struct listener_headers {
    struct span request_names[REQUEST_HEADERS]; /* theirs or the usual ones; borrowed */
    bool renames;                               /* some are theirs */
    char *lines;       /* owned: what every response but a 101 gets, as whole lines; or NULL */
    uint32_t inserted; /* which they are: a bit for each enum response_header */
    bool hides_server;
};

struct listener_config {
    char *name;
    struct section_lines lines;
    struct listener_options options;
    struct addr bind;
    struct tls_server *tls; /* a reference; NULL on HTTP */
    struct listener_headers headers;
    struct rule *rules; /* by priority */
    size_t rule_count;
    struct rules_index *index; /* of `rules` */
    struct rule fallback;      /* the default action */
};

/* Of one of door_kind.h; without its section no `binds`. */
struct door_config {
    struct edge_set *allow;
    bool any; /* allow = any */
    struct addr binds[DOOR_BINDS_MAX];
    int lines[DOOR_BINDS_MAX]; /* where they stand */
    size_t bind_count;
    int header; /* the section's line */
};

struct health_config {
    struct health_options options;
    struct section_lines lines;
};

/* [management]; who asks there has all that is set here: a token, a certificate, or both. */
struct manage_config {
    struct manage_options options;
    struct section_lines lines;
    struct tls_server *tls;       /* a reference; NULL without the section */
    struct manage_tokens *tokens; /* owned; NULL: no token is asked for */
    struct manage_user *clients;  /* owned: by their certificates' names */
    size_t client_count;          /* 0: no certificate is asked for */
};

struct config {
    unsigned more_refs; /* besides the first; the control thread's */
    struct alb_options alb;
    struct span name; /* alb.name: field 3 of every row */
    struct section_lines alb_lines;
    struct tunnel_policy *policy;          /* a reference: of WebSockets whose group is not here */
    struct stickiness_policy group_cookie; /* of a weighted action, but for its duration */
    struct seal_ring *ring; /* owned: the keys of seal_key_file; NULL: there is none */
    struct edge_options edge_options;
    struct section_lines edge_lines;
    bool edge_any; /* allow = any */
    struct edge_set *edge;
    bool trusts_edge;           /* whoever is in `edge` is believed (viewer.h) */
    struct edge_set *trust;     /* and whoever is here */
    struct edge_secret *secret; /* NULL: none is asked for */
    struct addr admin;          /* len 0: none */
    struct door_config doors[DOOR_KINDS];
    struct health_config health;
    struct manage_config management;
    struct listener_config *listeners;
    size_t listener_count;
    struct group_config *groups;
    size_t group_count;
};

/* NULL when `problems` got an error. Certificates and edge files are read as
 * well, so what passes here starts. Opens no socket. */
struct config *config_read_file(const char *path, struct problems *problems);
struct config *config_read_text(struct span text, struct problems *problems);

/* Another reference, and one less: the last frees it. The control thread's. */
struct config *config_ref(struct config *config);
void config_free(struct config **config);

/* Warnings about timers that fight each other or the edge's, and the like:
 * added to `problems`, refuse nothing. Called by both readers for what they
 * accept. */
void config_advise(const struct config *config, struct problems *problems);

struct group_config *config_group(const struct config *config, struct span name);
struct listener_config *config_listener(const struct config *config, struct span name);

/* The target of that name (target_name.h); NULL when the file does not have it. */
const struct target_config *config_target(const struct group_config *group, const char *text);

/* What its targets are to prove, whether for requests, for probes or for both; NULL: nothing. */
static inline struct tls_client *config_demands(const struct group_config *group)
{
    return group->tls != NULL ? group->tls : group->health_tls;
}

/* "weight=N". False with a sentence. */
bool config_weight(struct span text, uint32_t *weight, char *why, size_t why_size);

/* Who may log in with a certificate of this common name; NULL: nobody. */
const struct manage_user *config_management_client(const struct manage_config *m, const char *name);

/* Where a setting of [management] stands, else the section; 0 without one. */
int config_management_line(const struct config *config, const char *key);

bool config_admits(const struct config *config, const struct ip *peer);

#endif
