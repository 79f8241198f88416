/*
 * config_actions.c -- what a rule or a listener does with a request.
 *
 *     forward GROUP
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

enum { BODY_MAX = 1024, WORD_MAX = 8192 };

/* One reading: `why` is the sentence when it fails. */
struct reading {
    const struct config *config;
    struct span rest; /* words not yet taken */
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

static bool read_forward(struct reading *r, struct action *action)
{
    action->kind = ACTION_FORWARD;
    if (!take_word(r))
        return refuse(r, "forward needs a target group");
    action->group = config_group(r->config, span_text(r->word));
    if (action->group == NULL)
        return refuse(r, "there is no [target_group %.64s]", r->word);
    return expect_end(r, "forward GROUP");
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
    { "fixed-response", read_fixed_response },
};

static bool read_action(struct reading *r, struct action *action)
{
    if (!take_word(r))
        return refuse(r, "is empty; write forward GROUP or %s", FIXED_FORM);
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(r->word, actions[i].keyword) == 0)
            return actions[i].read(r, action);
    }
    return refuse(r, "unknown action \"%.64s\"; there are forward and fixed-response", r->word);
}

void config_action(const struct config *config, const char *key, const char *text, int line,
                   struct action *action, struct problems *problems)
{
    struct reading r = { .config = config, .rest = span_text(text) };

    if (!read_action(&r, action))
        problems_error(problems, line, "%s: %s", key, r.why);
}

void config_action_done(struct action *action)
{
    mem_free(action->content_type);
    mem_free(action->body);
}
