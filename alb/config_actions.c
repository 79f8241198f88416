/*
 * config_actions.c -- what a rule or a listener does with a request.
 *
 *     forward GROUP[:WEIGHT]... [stickiness=SECONDS]
 *     redirect STATUS URL
 *     fixed-response STATUS [TYPE] ["text" | @FILE]
 *
 * A new action is a row in the table below and a function that reads its words.
 */
#include <limits.h>
#include <stdio.h>

#include "base/ini_file.h"
#include "base/mem.h"
#include "base/text.h"

#include "alb/config_parts.h"
#include "alb/redirect.h"

enum { BODY_MAX = 1024, WORD_MAX = 8192 };

/* One reading: `why` is the sentence when it fails. */
struct reading {
    const struct config *config;
    const struct listener_config *listener; /* may be NULL */
    struct span rest;                       /* words not yet taken */
    char word[WORD_MAX + 1];
    char why[CONFIG_WHY_MAX];
};

#define refuse(r, ...) (snprintf((r)->why, sizeof((r)->why), __VA_ARGS__), false)

/* False at the end of the words; also at a bad one, which stays in `rest`. */
static bool take_word(struct reading *r)
{
    bool bad = false;

    return ini_next_word(&r->rest, r->word, sizeof(r->word), &bad);
}

static bool expect_end(struct reading *r, const char *form)
{
    struct span rest = span_trim(r->rest);

    if (rest.len > 0)
        return refuse(r, "\"%.*s\" is too much; the form is %s", SPAN_ARGS(rest), form);
    return true;
}

/* --- forward ----------------------------------------------------------------------- */

#define FORWARD_FORM "forward GROUP[:WEIGHT]... [stickiness=SECONDS]"
#define STICKINESS_WORD "stickiness="

/* "blue:90" in r->word. */
static bool read_group(struct reading *r, struct forward_group *into)
{
    char *colon = strchr(r->word, ':');
    uint64_t weight = 1;

    if (colon != NULL) {
        *colon = '\0';
        if (!text_u64(span_text(colon + 1), &weight) || weight > FORWARD_WEIGHT_MAX)
            return refuse(r, "\"%.64s\" is not a weight from 0 to %d", colon + 1,
                          FORWARD_WEIGHT_MAX);
    }
    into->group = config_group(r->config, span_text(r->word));
    into->weight = (uint32_t)weight;
    if (into->group == NULL)
        return refuse(r, "there is no [target_group %.64s]", r->word);
    return true;
}

static bool add_group(struct reading *r, struct action *action)
{
    struct forward_group added;

    if (action->group_count == FORWARD_GROUPS_MAX)
        return refuse(r, "more than %d target groups; the form is %s", FORWARD_GROUPS_MAX,
                      FORWARD_FORM);
    if (!read_group(r, &added))
        return false;
    for (size_t i = 0; i < action->group_count; i++) {
        if (action->groups[i].group == added.group)
            return refuse(r, "%.64s is named twice", r->word);
    }
    action->groups[action->group_count++] = added;
    action->weights += added.weight;
    return true;
}

/* "stickiness=3600" in r->word: the last word. */
static bool read_stickiness(struct reading *r, struct action *action)
{
    const char *text = r->word + sizeof(STICKINESS_WORD) - 1;
    uint32_t ms;

    if (!text_duration(span_text(text), true, &ms) || ms % 1000 != 0 || ms == 0 ||
        ms / 1000 > STICKINESS_DURATION_MAX_S)
        return refuse(r, "\"%.64s\" is not from 1 to %d seconds", text, STICKINESS_DURATION_MAX_S);
    action->stickiness_s = ms / 1000;
    return true;
}

/* A session of app_cookie is one of a group, and knows of no other. */
static bool check_sticky_groups(struct reading *r, const struct action *action)
{
    for (size_t i = 0; i < action->group_count && action->group_count > 1; i++) {
        const struct group_config *g = action->groups[i].group;
        if (g->options.stickiness && g->options.stickiness_type == STICKINESS_TYPE_APP_COOKIE)
            return refuse(r,
                          "%.64s has stickiness.type = app_cookie, which does not work among "
                          "several groups; forward to it alone, or choose lb_cookie",
                          g->name);
    }
    return true;
}

static bool read_forward(struct reading *r, struct action *action)
{
    action->kind = ACTION_FORWARD;
    while (action->stickiness_s == 0 && take_word(r)) {
        const bool is_last = strncmp(r->word, STICKINESS_WORD, sizeof(STICKINESS_WORD) - 1) == 0;
        if (is_last ? !read_stickiness(r, action) : !add_group(r, action))
            return false;
    }
    if (action->group_count == 0 && span_trim(r->rest).len == 0)
        return refuse(r, "forward needs a target group");
    return expect_end(r, FORWARD_FORM) && check_sticky_groups(r, action);
}

/* --- redirect ---------------------------------------------------------------------- */

#define REDIRECT_FORM "redirect 301 or 302 URL"

static bool read_redirect(struct reading *r, struct action *action)
{
    const bool is_https = r->listener != NULL && r->listener->options.protocol == PROTOCOL_HTTPS;
    uint64_t status;

    action->kind = ACTION_REDIRECT;
    if (!take_word(r))
        return refuse(r, "redirect needs a status; the form is %s", REDIRECT_FORM);
    if (!text_u64(span_text(r->word), &status) || (status != 301 && status != 302))
        return refuse(r, "\"%.64s\" is not 301 or 302", r->word);
    if (!take_word(r))
        return refuse(r, "redirect needs a URL (in quotes, if a # begins it); the form is %s",
                      REDIRECT_FORM);
    char *why = r->why;
    action->redirect =
        redirect_new((uint16_t)status, span_text(r->word), is_https, why, sizeof(r->why));
    return action->redirect != NULL && expect_end(r, REDIRECT_FORM);
}

/* On #{host}, #{port} and #{path} alone a client goes in circles. */
static void advise_redirect(const struct listener_config *l, const struct action *action,
                            const struct action_text *text, struct problems *problems)
{
    if (l != NULL && action->redirect != NULL &&
        redirect_is_loop(action->redirect, l->options.protocol == PROTOCOL_HTTPS,
                         addr_port(&l->bind)))
        problems_warning(problems, text->line, "%s: redirects each request to where it came from",
                         text->key);
}

/* --- fixed-response ------------------------------------------------------------------ */

#define FIXED_FORM "fixed-response STATUS [TYPE] [\"text\" or @file]"

static bool read_status(struct reading *r, struct action *action)
{
    uint64_t status;

    if (!take_word(r))
        return refuse(r, "fixed-response needs a status; the form is %s", FIXED_FORM);
    if (!text_u64(span_text(r->word), &status) || strlen(r->word) != 3 || status < 200 ||
        (status >= 300 && status < 400) || status >= 600)
        return refuse(r, "\"%.64s\" is not a status of 2XX, 4XX or 5XX", r->word);
    action->status = (uint16_t)status;
    return true;
}

static bool is_content_type(const char *word)
{
    static const char *const types[] = { "text/plain", "text/css", "text/html",
                                         "application/javascript", "application/json" };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(word, types[i]) == 0)
            return true;
    }
    return false;
}

static bool read_type(struct reading *r, struct action *action)
{
    if (!take_word(r)) {
        action->content_type = mem_text("text/plain");
        return true;
    }
    if (!is_content_type(r->word))
        return refuse(r,
                      "\"%.64s\" is not text/plain, text/css, text/html, application/javascript "
                      "or application/json",
                      r->word);
    action->content_type = mem_text(r->word);
    return true;
}

static bool read_body_file(struct reading *r, const char *path, struct action *action)
{
    size_t len;
    char *body = text_read_file(path, BODY_MAX, &len, r->why, sizeof(r->why));

    if (body == NULL)
        return false;
    action->body = body;
    if (strlen(body) != len)
        return refuse(r, "%s holds a NUL byte", path);
    return true;
}

/* Only an '@' outside quotes is a file: "@here" is a text. */
static bool read_body(struct reading *r, struct action *action)
{
    bool is_file = span_starts_with(span_trim(r->rest), SPAN("@"));

    if (span_trim(r->rest).len == 0) {
        action->body = mem_text("");
        return true;
    }
    if (!take_word(r))
        return refuse(r, "the text has a bad quote");
    if (is_file)
        return read_body_file(r, r->word + 1, action);
    if (strlen(r->word) > BODY_MAX)
        return refuse(r, "the text has %zu bytes; at most %d, in a file too", strlen(r->word),
                      BODY_MAX);
    action->body = mem_text(r->word);
    return true;
}

static bool read_fixed_response(struct reading *r, struct action *action)
{
    action->kind = ACTION_FIXED_RESPONSE;
    return read_status(r, action) && read_type(r, action) && read_body(r, action) &&
           expect_end(r, FIXED_FORM);
}

/* --- the table ------------------------------------------------------------------------ */

static const struct {
    const char *keyword;
    bool (*read)(struct reading *r, struct action *action);
} actions[] = {
    { "forward", read_forward },
    { "redirect", read_redirect },
    { "fixed-response", read_fixed_response },
};

static bool read_action(struct reading *r, struct action *action)
{
    if (!take_word(r))
        return refuse(r, "is empty; write %s, %s or %s", FORWARD_FORM, REDIRECT_FORM, FIXED_FORM);
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(r->word, actions[i].keyword) == 0)
            return actions[i].read(r, action);
    }
    return refuse(r, "unknown action \"%.64s\"; there are forward, redirect and fixed-response",
                  r->word);
}

/* A group that is never chosen is no mistake: it may be its turn later. */
static void advise_weights(const struct action *action, const struct action_text *text,
                           struct problems *problems)
{
    if (action->kind == ACTION_FORWARD && action->group_count > 0 && action->weights == 0)
        problems_warning(problems, text->line, "%s: every weight is 0: all requests get 503",
                         text->key);
}

/* The managed balancer refuses it. */
static void advise_sticky_groups(const struct action *action, const struct action_text *text,
                                 struct problems *problems)
{
    for (size_t i = 0; i < action->group_count && action->group_count > 1; i++) {
        const struct group_config *g = action->groups[i].group;
        if (!g->options.stickiness || action->stickiness_s != 0)
            continue;
        problems_warning(problems, text->line,
                         "%s: %s has stickiness.enabled, but its clients may get another group "
                         "with each request; add stickiness=SECONDS",
                         text->key, g->name);
        return;
    }
}

static void advise_keys(const struct config *config, const struct action *action,
                        const struct action_text *text, struct problems *problems)
{
    if (action->stickiness_s != 0 && config->alb.seal_key_file[0] == '\0')
        problems_warning(problems, text->line,
                         "%s: stickiness: without seal_key_file in [alb], a restart forgets every "
                         "cookie and other balancers cannot read them",
                         text->key);
}

void config_action(const struct config *config, const struct listener_config *listener,
                   const struct action_text *text, struct action *action, struct problems *problems)
{
    struct reading r = { .config = config, .listener = listener, .rest = span_text(text->text) };

    if (!read_action(&r, action)) {
        problems_error(problems, text->line, "%s: %s", text->key, r.why);
        return;
    }
    advise_weights(action, text, problems);
    advise_sticky_groups(action, text, problems);
    advise_keys(config, action, text, problems);
    advise_redirect(listener, action, text, problems);
}

void config_action_done(struct action *action)
{
    mem_free(action->content_type);
    mem_free(action->body);
    redirect_free(&action->redirect);
}
