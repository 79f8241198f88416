/*
 * config.c -- from a file to a snapshot.
 *
 *   lines -> sections of options -> edge, groups, listeners, rules -> advice
 *
 * Keys go straight into the struct of options that their section's table
 * describes. What one section says about another is looked at only when all of
 * them are there, so their order in the file does not matter.
 */
#include "alb/config.h"

#include "base/bug.h"
#include "base/ini_file.h"
#include "base/mem.h"
#include "net/resolver.h"
#include "net/tls_client.h"

#include "alb/config_parts.h"
#include "alb/edge_secret.h"
#include "alb/rules_index.h"
#include "alb/tunnel_policy.h"

/* A section header that was met: to find the second of a name. */
struct header {
    const struct section_kind *kind;
    char *name; /* owned */
    int line;
};

struct reader {
    struct config *config;
    struct problems *problems;
    struct rule_draft *drafts;
    size_t draft_count;
    struct header *headers;
    size_t header_count;

    /* Where keys go now; a NULL table is a section that was refused, whose
     * keys are passed over. */
    const struct setting *table;
    void *options;
    struct section_lines *lines;
};

/* --- sections ---------------------------------------------------------------- */

/* Where a new section of a kind is kept. */
struct place {
    void *options;
    struct section_lines *lines;
    char **name; /* NULL for a kind without names */
};

#define GROW(array, count)                                                                         \
    ((array) = mem_room((array), (count), sizeof((array)[0])),                                     \
     memset(&(array)[count], 0, sizeof((array)[0])), &(array)[(count)++])

static struct place place_alb(struct reader *r)
{
    return (struct place){ &r->config->alb, &r->config->alb_lines, NULL };
}

static struct place place_edge(struct reader *r)
{
    return (struct place){ &r->config->edge_options, &r->config->edge_lines, NULL };
}

static struct place place_health(struct reader *r)
{
    return (struct place){ &r->config->health.options, &r->config->health.lines, NULL };
}

static struct place place_management(struct reader *r)
{
    return (struct place){ &r->config->management.options, &r->config->management.lines, NULL };
}

static struct place place_listener(struct reader *r)
{
    struct listener_config *l = GROW(r->config->listeners, r->config->listener_count);
    return (struct place){ &l->options, &l->lines, &l->name };
}

static struct place place_group(struct reader *r)
{
    struct group_config *g = GROW(r->config->groups, r->config->group_count);
    return (struct place){ &g->options, &g->lines, &g->name };
}

static struct place place_rule(struct reader *r)
{
    struct rule_draft *d = GROW(r->drafts, r->draft_count);
    return (struct place){ &d->options, &d->lines, &d->name };
}

static const struct {
    const struct setting *settings;
    struct place (*of)(struct reader *r);
} places[] = {
    { alb_settings, place_alb },           { edge_settings, place_edge },
    { listener_settings, place_listener }, { group_settings, place_group },
    { health_settings, place_health },     { manage_settings, place_management },
    { rule_settings, place_rule },
};

static struct place place_of(struct reader *r, const struct section_kind *kind)
{
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (places[i].settings == kind->settings)
            return places[i].of(r);
    }
    bug("a kind of section without a place");
}

static const struct section_kind *find_kind(struct span text)
{
    for (const struct section_kind *kind = alb_sections; kind->kind != NULL; kind++) {
        if (span_equal(text, span_text(kind->kind)))
            return kind;
    }
    return NULL;
}

static const struct header *find_header(const struct reader *r, const struct section_kind *kind,
                                        struct span name)
{
    for (size_t i = 0; i < r->header_count; i++) {
        if (r->headers[i].kind == kind && span_equal(span_text(r->headers[i].name), name))
            return &r->headers[i];
    }
    return NULL;
}

/* True when the section may begin. */
static bool check_header(struct reader *r, const struct section_kind *kind, struct span kind_text,
                         struct span name, int line)
{
    const char *blank = name.len > 0 ? " " : "";

    if (kind == NULL) {
        problems_error(r->problems, line,
                       "unknown section [%.*s]; there are [alb], [edge], [health], [management], "
                       "[listener NAME], [target_group NAME] and [rule NAME]",
                       SPAN_ARGS(kind_text));
        return false;
    }
    if (kind->is_named != (name.len > 0)) {
        problems_error(r->problems, line, "section [%s%s%.*s] %s", kind->kind, blank,
                       SPAN_ARGS(name),
                       kind->is_named ? "needs a name behind its kind" : "takes no name");
        return false;
    }
    const struct header *first = find_header(r, kind, name);
    if (first != NULL)
        problems_error(r->problems, line, "section [%s%s%.*s] is already there at line %d",
                       kind->kind, blank, SPAN_ARGS(name), first->line);
    return first == NULL;
}

static void begin_section(struct reader *r, struct span kind_text, struct span name, int line)
{
    const struct section_kind *kind = find_kind(kind_text);

    r->table = NULL;
    if (!check_header(r, kind, kind_text, name, line))
        return;
    struct header *header = GROW(r->headers, r->header_count);
    *header = (struct header){ kind, mem_copy(name.ptr, name.len), line };

    struct place place = place_of(r, kind);
    place.lines->header = line;
    if (place.name != NULL) {
        *place.name = mem_copy(name.ptr, name.len);
        settings_init(kind->settings, place.options);
    }
    r->table = kind->settings;
    r->options = place.options;
    r->lines = place.lines;
}

/* FNV-1a, each text with its end. */
static uint64_t digest(uint64_t before, struct span text)
{
    uint64_t h = before == 0 ? 14695981039346656037u : before;

    for (size_t i = 0; i < text.len; i++)
        h = (h ^ (unsigned char)text.ptr[i]) * 1099511628211u;
    return (h ^ '\n') * 1099511628211u;
}

static void on_ini(void *user, struct span kind, struct span name, struct span key,
                   struct span value, int line)
{
    struct reader *r = user;
    char why[CONFIG_WHY_MAX];

    if (key.len == 0) {
        begin_section(r, kind, name, line);
        return;
    }
    if (r->table == NULL)
        return;
    const struct setting *row = settings_find(r->table, key);
    if (row != NULL && r->lines->rows[row - r->table] == 0)
        r->lines->rows[row - r->table] = line;
    r->lines->written = digest(digest(r->lines->written, key), value);
    const bool is_elsewhere = row == NULL && config_is_elsewhere(r->table, key, why, sizeof(why));
    if (is_elsewhere ||
        !settings_set(r->table, r->options, &r->lines->seen, key, value, line, why, sizeof(why)))
        problems_error(r->problems, line, "%s", why);
}

/* --- for the parts ------------------------------------------------------------ */

int config_line_written(const struct section_lines *lines, const struct setting *table,
                        const char *key)
{
    const struct setting *row = settings_find(table, span_text(key));

    if (row == NULL)
        bug("a line of no setting");
    return lines->rows[row - table];
}

int config_line(const struct section_lines *lines, const struct setting *table, const char *key)
{
    int line = config_line_written(lines, table, key);

    return line == 0 ? lines->header : line;
}

void config_require(const struct section_lines *lines, const struct setting *table,
                    const char *section, const char *name, const char *const *keys,
                    struct problems *problems)
{
    for (; *keys != NULL; keys++) {
        if (config_line_written(lines, table, *keys) == 0)
            problems_error(problems, lines->header, "[%s %s] has no %s", section, name, *keys);
    }
}

/* --- the whole ---------------------------------------------------------------- */

/* One word in the access log's line, where blanks part the fields. */
static bool is_word(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at <= ' ' || *at >= 0x7f || *at == '"')
            return false;
    }
    return *text != '\0';
}

/* Two logs in one file would tear each other's rows. */
static void check_log_files(const struct config *c, struct problems *problems)
{
    const struct alb_options *o = &c->alb;
    const struct {
        const char *name, *key, *value;
        bool is_on;
    } logs[] = {
        { "access log", "access_logs.file", o->access_logs_file, o->access_logs },
        { "connection log", "connection_logs.file", o->connection_logs_file, o->connection_logs },
        { "health check log", "health_check_logs.file", o->health_check_logs_file,
          o->health_check_logs },
        { "audit log", "audit_log.file", o->audit_log_file, o->audit_log_file[0] != '\0' },
    };

    for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
        const int line = config_line(&c->alb_lines, alb_settings, logs[i].key);
        if (logs[i].value[0] == '\0' && logs[i].value != o->audit_log_file)
            problems_error(problems, line, "%s: is empty; - is standard output", logs[i].key);
        for (size_t j = 0; j < i; j++) {
            if (logs[i].is_on && logs[j].is_on && strcmp(logs[i].value, logs[j].value) == 0)
                problems_error(problems, line, "%s: the %s goes there (%s); name another file",
                               logs[i].key, logs[j].name, logs[i].value);
        }
    }
}

static void read_keys(struct config *c, struct problems *problems)
{
    char why[CONFIG_WHY_MAX];

    if (c->alb.seal_key_file[0] == '\0')
        return;
    c->ring = seal_ring_read(c->alb.seal_key_file, why, sizeof(why));
    if (c->ring == NULL)
        problems_error(problems, config_line(&c->alb_lines, alb_settings, "seal_key_file"),
                       "seal_key_file: %s", why);
}

static void check_alb(struct config *c, struct problems *problems)
{
    char why[CONFIG_WHY_MAX];

    c->name = span_text(c->alb.name);
    if (!is_word(c->alb.name))
        problems_error(problems, config_line(&c->alb_lines, alb_settings, "name"),
                       "name: \"%s\" is not one word of visible ASCII characters", c->alb.name);
    if (c->alb.admin[0] != '\0' &&
        !addr_parse(span_text(c->alb.admin), true, &c->admin, why, sizeof(why)))
        problems_error(problems, config_line(&c->alb_lines, alb_settings, "admin"), "admin: %s",
                       why);
    if (!resolver_check_servers(c->alb.dns_servers, why, sizeof(why)))
        problems_error(problems, config_line(&c->alb_lines, alb_settings, "dns.servers"),
                       "dns.servers: %s", why);
    if (c->alb.dns_min_interval_ms > c->alb.dns_max_interval_ms)
        problems_error(problems, config_line(&c->alb_lines, alb_settings, "dns.min_interval"),
                       "dns.min_interval: is more than dns.max_interval");
    if (strlen(c->alb.control) >= sizeof(c->admin.un.sun_path))
        problems_error(problems, config_line(&c->alb_lines, alb_settings, "control"),
                       "control: the path is longer than the %zu characters that a socket takes",
                       sizeof(c->admin.un.sun_path) - 1);
    check_log_files(c, problems);
    config_group_cookie(c, problems);
    read_keys(c, problems);
}

static void reader_init(struct reader *r, struct problems *problems)
{
    *r = (struct reader){ .config = mem_new(struct config), .problems = problems };
    settings_init(alb_settings, &r->config->alb);
    settings_init(edge_settings, &r->config->edge_options);
    r->config->edge = edge_set_new();
    r->config->trust = edge_set_new();
    settings_init(health_settings, &r->config->health.options);
    settings_init(manage_settings, &r->config->management.options);
    for (int i = 0; i < DOOR_KINDS; i++)
        r->config->doors[i].allow = edge_set_new();
}

static void reader_done(struct reader *r)
{
    for (size_t i = 0; i < r->draft_count; i++) {
        settings_done(rule_settings, &r->drafts[i].options);
        free(r->drafts[i].name);
    }
    free(r->drafts);
    for (size_t i = 0; i < r->header_count; i++)
        free(r->headers[i].name);
    free(r->headers);
}

static void use_managed_defaults(struct reader *r)
{
    struct config *c = r->config;

    settings_use_aws(alb_settings, &c->alb, c->alb_lines.seen);
    settings_use_aws(edge_settings, &c->edge_options, c->edge_lines.seen);
    for (size_t i = 0; i < c->listener_count; i++)
        settings_use_aws(listener_settings, &c->listeners[i].options, c->listeners[i].lines.seen);
    for (size_t i = 0; i < c->group_count; i++)
        settings_use_aws(group_settings, &c->groups[i].options, c->groups[i].lines.seen);
    for (size_t i = 0; i < r->draft_count; i++)
        settings_use_aws(rule_settings, &r->drafts[i].options, r->drafts[i].lines.seen);
}

/* What a group does not say of its WebSockets is said in [alb]. */
static void inherit(struct config *c)
{
    for (size_t i = 0; i < c->group_count; i++)
        settings_inherit(group_settings, &c->groups[i].options, c->groups[i].lines.seen,
                         alb_settings, &c->alb);
}

static void make_policies(struct config *c)
{
    c->policy = tunnel_policy_new(c->alb.idle_timeout_ms, &c->alb.tunnel);
    for (size_t i = 0; i < c->group_count; i++)
        c->groups[i].policy =
            tunnel_policy_new(c->alb.idle_timeout_ms, &c->groups[i].options.tunnel);
}

/* All lines are in: look at what they say together. */
static struct config *finish(struct reader *r, size_t errors_before)
{
    struct config *c = r->config;

    if (c->alb.profile == PROFILE_AWS)
        use_managed_defaults(r);
    inherit(c);
    make_policies(c);
    check_alb(c, r->problems);
    config_edge(c, r->problems);
    config_trust(c, r->problems);
    config_groups(c, r->problems);
    config_listeners(c, r->problems);
    config_doors(c, r->problems);
    config_management(c, r->problems);
    config_rules(c, r->drafts, r->draft_count, r->problems);
    config_groups_used(c);
    config_secret(c, r->problems);
    if (r->problems->errors > errors_before)
        config_free(&c);
    else
        config_advise(c, r->problems);
    reader_done(r);
    return c;
}

struct config *config_read_file(const char *path, struct problems *problems)
{
    struct reader r;
    size_t errors_before = problems->errors;

    reader_init(&r, problems);
    if (ini_read_file(path, on_ini, &r, problems))
        return finish(&r, errors_before);
    reader_done(&r);
    config_free(&r.config);
    return NULL;
}

struct config *config_read_text(struct span text, struct problems *problems)
{
    struct reader r;
    size_t errors_before = problems->errors;

    reader_init(&r, problems);
    ini_read_text(text, on_ini, &r, problems);
    return finish(&r, errors_before);
}

static void group_done(struct group_config *g)
{
    tunnel_policy_unref(&g->policy);
    free(g->targets);
    free(g->matcher);
    hash_key_done(&g->hash_key);
    tls_client_unref(&g->tls);
    tls_client_unref(&g->health_tls);
    settings_done(group_settings, &g->options);
    free(g->name);
}

static void listener_done(struct listener_config *l)
{
    for (size_t i = 0; i < l->rule_count; i++)
        config_rule_done(&l->rules[i]);
    free(l->rules);
    rules_index_free(&l->index);
    config_rule_done(&l->fallback);
    free(l->headers.lines);
    tls_server_unref(&l->tls);
    settings_done(listener_settings, &l->options);
    free(l->name);
}

struct config *config_ref(struct config *config)
{
    config->more_refs++;
    return config;
}

void config_free(struct config **config)
{
    struct config *c = *config;

    *config = NULL;
    if (c == NULL || c->more_refs-- > 0)
        return;
    for (size_t i = 0; i < c->listener_count; i++)
        listener_done(&c->listeners[i]);
    free(c->listeners);
    for (size_t i = 0; i < c->group_count; i++)
        group_done(&c->groups[i]);
    free(c->groups);
    tunnel_policy_unref(&c->policy);
    seal_ring_free(&c->ring);
    edge_set_free(&c->edge);
    edge_set_free(&c->trust);
    edge_secret_free(&c->secret);
    for (int i = 0; i < DOOR_KINDS; i++)
        edge_set_free(&c->doors[i].allow);
    settings_done(health_settings, &c->health.options);
    config_management_done(&c->management);
    settings_done(edge_settings, &c->edge_options);
    settings_done(alb_settings, &c->alb);
    free(c);
}

struct group_config *config_group(const struct config *config, struct span name)
{
    for (size_t i = 0; i < config->group_count; i++) {
        if (span_equal(span_text(config->groups[i].name), name))
            return &config->groups[i];
    }
    return NULL;
}

struct listener_config *config_listener(const struct config *config, struct span name)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        if (span_equal(span_text(config->listeners[i].name), name))
            return &config->listeners[i];
    }
    return NULL;
}

bool config_admits(const struct config *config, const struct ip *peer)
{
    return config->edge_any || edge_set_contains(config->edge, peer);
}
