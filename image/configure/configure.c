/* configure.c -- see configure.h. */
#include "image/configure/configure.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/problems.h"
#include "base/text.h"
#include "image/configure/child.h"
#include "image/configure/place.h"
#include "image/configure/say.h"
#include "image/configure/split.h"
#include "image/configure/vet.h"

enum { CHILD_TIMEOUT_MS = 60000, WHY_MAX = 4600 };

static const char *const program_names[SPLIT_PROGRAMS] = { "alb", "wsserver" };

#define DEFAULT_NAME "default" /* as a source */

/* A text that was found. */
struct found {
    const char *source;
    struct span text;
};

/* --- the built-in default ------------------------------------------------------------ */

static bool draft_default(const struct configure *c, const char *program, char *why)
{
    char path[PLACE_PATH_MAX];
    size_t len;
    char *text =
        text_read_file(place_path(c->defaults, program, path), VET_MAX_BYTES, &len, why, WHY_MAX);

    if (text == NULL)
        return false;
    const bool is_written = place_write_draft(c->out, program, span_of(text, len), why, WHY_MAX);
    free(text);
    return is_written;
}

static bool use_default(const struct configure *c, const char *program)
{
    char why[WHY_MAX];

    if (draft_default(c, program, why) && place_use_draft(c->out, program, why, WHY_MAX))
        return true;
    log_error("default not written program=%s: %s; it will not start", program, why);
    place_drop(c->out, program);
    return false;
}

static bool use_defaults(const struct configure *c)
{
    bool is_well = true;

    for (int i = 0; i < SPLIT_PROGRAMS; i++)
        is_well = use_default(c, program_names[i]) && is_well;
    return is_well;
}

/* --- the programs --------------------------------------------------------------------- */

/* Run one of them with a command; what it prints is in `result` even when it fails. */
static void run_program(const struct configure *c, const char *name, const char *command,
                        const char *file, struct child_result *result)
{
    char path[PLACE_PATH_MAX], word[16], argument[PLACE_PATH_MAX];
    char *const argv[] = { path, word, file == NULL ? NULL : argument, NULL };

    snprintf(path, sizeof(path), "%s/%s", c->programs, name);
    snprintf(word, sizeof(word), "%s", command);
    snprintf(argument, sizeof(argument), "%s", file == NULL ? "" : file);
    child_run(argv, CHILD_TIMEOUT_MS, result);
}

/* `result` has the kinds, and lives as long as `program`. */
static bool ask_kinds(const struct configure *c, const char *name, struct child_result *result,
                      struct split_program *program)
{
    run_program(c, name, "sections", NULL, result);
    *program = (struct split_program){ .name = name, .kinds = buf_data(&result->output) };
    if (!result->has_succeeded)
        log_error("%s does not say which sections it has: %s", name,
                  result->why[0] != '\0' ? result->why : "it failed");
    return result->has_succeeded;
}

/* Have a program read its draft. What it says of lines is said under the name of the source. */
static bool check_draft(const struct configure *c, const char *name, const char *source)
{
    struct child_result result;
    char path[PLACE_PATH_MAX];

    run_program(c, name, "check", place_draft_path(c->out, name, path), &result);
    say_lines(buf_data(&result.output), path, source);
    if (result.why[0] != '\0')
        log_error("%s: not checked: %s", source, result.why);
    buf_done(&result.output);
    return result.has_succeeded;
}

/* --- a text ----------------------------------------------------------------------------- */

static const char *source_of(const struct found *f, const struct split_part *part)
{
    return part->has_sections ? f->source : DEFAULT_NAME;
}

/* A program that the text says nothing to has the built-in default. */
static bool draft_part(const struct configure *c, const char *name, const struct split_part *part)
{
    char why[WHY_MAX];

    if (part->has_sections ? place_write_draft(c->out, name, buf_data(&part->text), why, WHY_MAX)
                           : draft_default(c, name, why))
        return true;
    log_error("%s", why);
    return false;
}

/* All of it, so that every mistake is told at once. */
static bool check_parts(const struct configure *c, const struct found *f,
                        const struct split_part *parts)
{
    bool is_well = true;

    for (int i = 0; i < SPLIT_PROGRAMS; i++)
        is_well = draft_part(c, program_names[i], &parts[i]) &&
                  check_draft(c, program_names[i], source_of(f, &parts[i])) && is_well;
    return is_well;
}

static bool use_drafts(const struct configure *c)
{
    char why[WHY_MAX];

    for (int i = 0; i < SPLIT_PROGRAMS; i++) {
        if (!place_use_draft(c->out, program_names[i], why, WHY_MAX)) {
            log_error("%s", why);
            return false;
        }
    }
    return true;
}

static bool use_parts(const struct configure *c, const struct found *f,
                      const struct split_part *parts)
{
    if (!check_parts(c, f, parts)) {
        for (int i = 0; i < SPLIT_PROGRAMS; i++)
            place_drop_draft(c->out, program_names[i]);
        return false;
    }
    if (!use_drafts(c)) {
        use_defaults(c); /* never one of each */
        return false;
    }
    log_info("configuration in force alb=%s wsserver=%s", source_of(f, &parts[0]),
             source_of(f, &parts[1]));
    if (!parts[0].has_sections)
        log_warn("%s: no section is alb's, so nobody is accepted", f->source);
    return true;
}

static bool split_and_use(const struct configure *c, const struct found *f,
                          const struct split_program *programs)
{
    struct split_part parts[SPLIT_PROGRAMS];
    struct problems problems;

    problems_init(&problems, f->source);
    bool is_used = vet_text(f->text, &problems);
    if (is_used) {
        is_used = split_text(f->text, programs, parts, &problems) && use_parts(c, f, parts);
        split_done(parts);
    }
    say_problems(&problems);
    problems_done(&problems);
    return is_used;
}

static bool use_text(const struct configure *c, const struct found *f)
{
    struct child_result kinds[SPLIT_PROGRAMS];
    struct split_program programs[SPLIT_PROGRAMS];
    char sha256[SAY_SHA256_MAX];
    bool is_used = true;

    log_info("configuration found source=%s bytes=%zu sha256=%s", f->source, f->text.len,
             say_sha256(f->text, sha256));
    for (int i = 0; i < SPLIT_PROGRAMS; i++)
        is_used = ask_kinds(c, program_names[i], &kinds[i], &programs[i]) && is_used;
    is_used = is_used && split_and_use(c, f, programs);
    for (int i = 0; i < SPLIT_PROGRAMS; i++)
        buf_done(&kinds[i].output);
    return is_used;
}

/* --- the whole ---------------------------------------------------------------------------- */

/* The first source that is not absent; its name, or NULL. */
static const char *find(const struct configure *c, struct source_text *text,
                        enum source_outcome *outcome)
{
    for (const struct source *s = sources; s->name != NULL; s++) {
        *outcome = s->read(&c->places, text);
        if (*outcome != SOURCE_ABSENT)
            return s->name;
        log_info("configuration absent source=%s", s->name);
    }
    return NULL;
}

static int refused(const char *source)
{
    log_error("configuration refused source=%s: nobody is accepted; mend it, then start the "
              "machine again (docs/first-boot.md)",
              source);
    return 1;
}

int configure_run(const struct configure *c)
{
    struct source_text text = { .bytes = NULL };
    enum source_outcome outcome;

    if (!use_defaults(c))
        return 1;
    const char *source = find(c, &text, &outcome);
    if (source == NULL) {
        log_warn("configuration in force alb=" DEFAULT_NAME " wsserver=" DEFAULT_NAME
                 ": no source has one, and nobody is accepted");
        return 0;
    }
    const struct found f = { source, span_of(text.bytes, text.len) };
    if (outcome == SOURCE_FAILED)
        log_error("%s: %s", source, text.why);
    const bool is_used = outcome == SOURCE_FOUND && use_text(c, &f);
    free(text.bytes);
    return is_used ? 0 : refused(source);
}
