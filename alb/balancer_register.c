/*
 * balancer_register.c -- targets that come and go by command.
 *
 * What is said is written to the state file before it counts: an answer that says yes
 * survives a restart. A target that the configuration file names can be taken out too;
 * it stays out until it is registered again or the file names it no more.
 */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/members.h"
#include "alb/state_file.h"
#include "alb/upgrade.h"

/* What an order is about. */
struct subject {
    struct balancer *balancer;
    const struct register_order *order;
    struct register_outcome *outcome;
    const struct group_config *group; /* NULL: only the state file knows it */
    struct target_name name;
    const struct target_config *in_file;
    struct registration *said; /* in `next` */
    struct registrations next; /* what is to be */
};

#define refuse(s, ...) balancer_refuse(&(s)->outcome->answer, __VA_ARGS__)
#define say(s, ...) balancer_say(&(s)->outcome->answer, __VA_ARGS__)

/* --- who is meant -------------------------------------------------------------------- */

static bool is_said_of_group(const struct registrations *r, const char *group)
{
    for (size_t i = 0; i < r->count; i++) {
        if (strcmp(r->items[i].group, group) == 0)
            return true;
    }
    return false;
}

static bool refuse_group(struct subject *s)
{
    const struct config *config = s->balancer->config;
    char names[400] = "";
    size_t len = 0;

    for (size_t i = 0; i < config->group_count && len < sizeof(names) - 64; i++)
        len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i == 0 ? "" : ", ",
                                config->groups[i].name);
    return refuse(s, 404, "there is no target group %s; there are: %s",
                  strlen(s->order->group) > GROUP_NAME_MAX ? "of that name" : s->order->group,
                  len == 0 ? "none" : names);
}

static bool find(struct subject *s)
{
    struct balancer *b = s->balancer;
    const struct register_order *o = s->order;
    char why[512];

    if (b->state != RUN_SERVING)
        return refuse(s, 503, "the balancer is shutting down");
    if (upgrade_is_running(b))
        return refuse(s, 409, "an upgrade is under way: try again");
    if (strlen(o->target) >= TARGET_NAME_MAX)
        return refuse(s, 400, "a target has at most %d characters", TARGET_NAME_MAX - 1);
    s->group = config_group(b->config, span_text(o->group));
    if (s->group == NULL && (o->is_register || !is_said_of_group(&b->said, o->group)))
        return refuse_group(s);
    if (!target_name_parse(span_text(o->target), s->group == NULL ? 0 : s->group->options.port,
                           &s->name, why, sizeof(why)))
        return refuse(s, 400, "%s", why);
    if (s->name.addr.len == 0)
        return refuse(s, 400,
                      "%s: write a DNS name into the configuration file, as a target of "
                      "[target_group %s], and run `alb reload`",
                      s->name.text, o->group);
    s->in_file = s->group == NULL ? NULL : config_target(s->group, s->name.text);
    s->next = registrations_copy(&b->said);
    s->said = registrations_find(&s->next, o->group, s->name.text);
    return true;
}

/* --- register --------------------------------------------------------------------------- */

static bool add(struct subject *s, bool is_out)
{
    struct registration item = { .name = s->name, .weight = s->order->weight, .is_out = is_out };

    snprintf(item.group, sizeof(item.group), "%s", s->order->group);
    if (registrations_add(&s->next, &item))
        return true;
    return refuse(s, 409, "there are %d registered targets already: deregister some",
                  REGISTRATIONS_MAX);
}

static bool register_in_file(struct subject *s)
{
    if (s->order->has_weight && s->order->weight != s->in_file->weight)
        return refuse(s, 409,
                      "%s is written in the configuration file (line %d) with weight=%u: change "
                      "it there and run `alb reload`",
                      s->name.text, s->in_file->line, s->in_file->weight);
    if (s->said == NULL || !s->said->is_out)
        return refuse(s, 409,
                      "%s is a target of %s already: the configuration file (line %d) says so",
                      s->name.text, s->order->group, s->in_file->line);
    registrations_remove(&s->next, s->said);
    return say(s, "%s is a target of %s again, as the configuration file says", s->name.text,
               s->order->group);
}

static bool register_anew(struct subject *s)
{
    const struct target *t = members_find(s->balancer->members, s->group, s->name.text);

    if (t != NULL)
        return refuse(s, 409, "%s is a target of %s already: it comes from %s", s->name.text,
                      s->order->group, t->origin);
    if (!add(s, false))
        return false;
    return say(s, "%s is a target of %s now: weight=%u", s->name.text, s->order->group,
               s->order->weight);
}

static bool do_register(struct subject *s)
{
    struct registration *said = s->said;

    if (s->in_file != NULL)
        return register_in_file(s);
    if (said == NULL)
        return register_anew(s);
    if (!s->order->has_weight || s->order->weight == said->weight)
        return refuse(s, 409,
                      "%s is a target of %s already, with weight=%u; say weight=N to change it",
                      s->name.text, s->order->group, said->weight);
    say(s, "%s of %s has another weight now: weight=%u, it was %u", s->name.text, s->order->group,
        s->order->weight, said->weight);
    said->weight = s->order->weight;
    return true;
}

/* --- deregister --------------------------------------------------------------------------- */

static bool refuse_absent(struct subject *s)
{
    const struct target *t =
        s->group == NULL ? NULL : members_find(s->balancer->members, s->group, s->name.text);

    if (t != NULL && strcmp(t->origin, TARGET_OF_FILE) == 0)
        return refuse(s, 409,
                      "%s is of the configuration before: it goes when DNS has an address for "
                      "each name of %s",
                      s->name.text, s->order->group);
    if (t != NULL)
        return refuse(s, 409,
                      "%s comes from %s: take it out of the DNS, or the name out of the "
                      "configuration file",
                      s->name.text, t->origin);
    return refuse(s, 404, "%s is no target of %s: `alb status` lists them", s->name.text,
                  s->order->group);
}

static const char *delay_of(const struct subject *s, char text[16])
{
    return text_format_duration(s->group->options.deregistration_delay_ms, text);
}

static bool take_out_of_file(struct subject *s)
{
    char delay[16];

    if (!add(s, true))
        return false;
    return say(s,
               "%s drains for %s. It is written in the configuration file (line %d): it stays "
               "out until `alb register`, or until the file names it no more",
               s->name.text, delay_of(s, delay), s->in_file->line);
}

static bool do_deregister(struct subject *s)
{
    const struct target *t =
        s->group == NULL ? NULL : members_find(s->balancer->members, s->group, s->name.text);
    char delay[16];

    if (s->said != NULL && s->said->is_out)
        return refuse(s, 409, "%s is deregistered already", s->name.text);
    if (s->said == NULL && s->in_file == NULL)
        return refuse_absent(s);
    if (s->said != NULL)
        registrations_remove(&s->next, s->said);
    if (s->in_file != NULL)
        return take_out_of_file(s);
    if (s->group == NULL)
        return say(s, "%s is forgotten; the configuration has no target group %s", s->name.text,
                   s->order->group);
    if (t != NULL && strcmp(t->origin, TARGET_REGISTERED) != 0)
        return say(s, "%s is not registered any more, but stays: it comes from %s too",
                   s->name.text, t->origin);
    return say(s, "%s drains for %s", s->name.text, delay_of(s, delay));
}

/* --- making it so --------------------------------------------------------------------------- */

bool balancer_keep(const struct balancer *b, const struct registrations *next,
                   struct order_answer *answer)
{
    if (b->state_path[0] == '\0') {
        answer->warning = "a restart forgets this: state_file in [alb] says where to keep it";
        return true;
    }
    if (state_file_write(b->state_path, next, answer->text, sizeof(answer->text)))
        return true;
    answer->status = 500;
    return false;
}

/* One that goes is drained no more: it would come back so. */
static bool keep(struct subject *s)
{
    struct registration *drain = registrations_find_drain(&s->next, s->order->group, s->name.text);

    if (!s->order->is_register && drain != NULL)
        registrations_remove(&s->next, drain);
    return balancer_keep(s->balancer, &s->next, &s->outcome->answer);
}

static void take(struct subject *s)
{
    struct balancer *b = s->balancer;
    const struct registrations before = b->said;

    b->said = s->next;
    s->next = before;
    log_info("%s group=%s target=%s outcome=\"%s\"",
             s->order->is_register ? "register" : "deregister", s->order->group, s->name.text,
             s->outcome->answer.text);
    s->outcome->in_force = balancer_change_members(b);
}

void balancer_register(struct balancer *b, const struct register_order *order,
                       struct register_outcome *outcome)
{
    struct subject s = { .balancer = b, .order = order, .outcome = outcome };

    *outcome = (struct register_outcome){ .answer.status = 200 };
    if (find(&s) && (order->is_register ? do_register(&s) : do_deregister(&s)) && keep(&s))
        take(&s);
    registrations_done(&s.next);
}

/* --- what was said before --------------------------------------------------------------------- */

bool balancer_read_state(struct balancer *b)
{
    struct problems problems;

    if (b->state_path == NULL)
        b->state_path = mem_text(b->config->alb.state_file);
    else if (b->config->alb.state_file[0] != '\0')
        log_warn("state_file of the configuration is not used: --state-file is %s", b->state_path);
    if (b->state_path[0] == '\0')
        return true;
    problems_init(&problems, b->state_path);
    const bool ok = state_file_read(b->state_path, &b->said, &problems);
    problems_print(&problems, stderr);
    problems_done(&problems);
    return ok;
}

static void warn_of_lost_groups(const struct balancer *b, const struct config *config)
{
    for (size_t i = 0; i < b->said.count; i++) {
        const struct registration *item = &b->said.items[i];
        if (!item->is_drain && config_group(config, span_text(item->group)) == NULL)
            log_warn("target kept though its group is gone group=%s target=%s: put the group back, "
                     "or run `alb deregister`",
                     item->group, item->name.text);
    }
}

void balancer_follow_config(struct balancer *b, const struct config *config)
{
    char why[512];

    warn_of_lost_groups(b, config);
    if (registrations_prune(&b->said, config) && b->state_path[0] != '\0' &&
        !state_file_write(b->state_path, &b->said, why, sizeof(why)))
        log_warn("%s", why);
}
