/*
 * settings.h -- a section of a configuration described once, as a table.
 *
 * A program declares a struct and a table of its fields. From that one table
 * come the defaults, the parsing, the range checks, the error sentences and
 * the reference page (`alb settings`, checked in as docs/settings.md). Adding
 * a setting is adding one row.
 */
#ifndef BASE_SETTINGS_H
#define BASE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/span.h"

enum setting_type {
    SETTING_BOOL,     /* bool: true | false | yes | no | on | off */
    SETTING_COUNT,    /* uint32_t: 512; a fallback that is a word (auto, off) is 0, and may be
                         written */
    SETTING_DURATION, /* uint32_t, milliseconds: 250ms | 30s | 5m | 0; a key that ends in
                         "seconds" takes a bare number too */
    SETTING_BYTES,    /* uint32_t: 65536 | 64k | 1m | 2g */
    SETTING_TEXT,     /* char *, owned; never NULL, "" when empty */
    SETTING_CHOICE,   /* int: index into `choices`; any case */
    SETTING_LIST,     /* struct setting_list: one item for each line; repeating adds, the first
                         replaces the fallback */
};

/* When a changed value takes effect. */
enum setting_applies { APPLIES_RELOAD, APPLIES_NEW_CONNECTIONS, APPLIES_RESTART };

struct setting_list {
    struct setting_item {
        char *text; /* owned */
        int line;
    } * items; /* owned */
    size_t count;
};

struct setting {
    const char *key;
    enum setting_type type;
    size_t offset;
    const char *fallback;       /* as written in a file; parsed by the same code. For a
                                   list, NULL is the empty one */
    uint64_t min, max;          /* of numbers: inclusive, in the stored unit; both 0: any */
    const char *const *choices; /* SETTING_CHOICE: NULL-terminated */
    enum setting_applies applies;
    const char *help; /* one sentence, for the reference page */
    const char *aws;  /* the fallback when the program stands in for the managed balancer
                         (profile = aws), as written in a file; NULL: the same. Not for a list */

    /* SETTING_CHOICE, may be NULL: why this value is not among the choices, when people may
     * well think it is, and which of them would do: a phrase to stand behind the value.
     * False: nothing to say, the choices are listed. */
    bool (*explain)(struct span value, char *why, size_t why_size);

    /* NULL, or what the reference page says in place of the fallback: unless written, the value
     * is another section's, which settings_inherit() copies. Not for a text or a list. */
    const char *inherits;
};

/* Set every field to its fallback. A bad fallback is a bug, and says so. */
void settings_init(const struct setting *table, void *into);

/* Free what the fields own. */
void settings_done(const struct setting *table, void *into);

/* Set one field from text. `seen` is a bitmap of one bit a row (at most 64
 * rows), zero at first: setting a key that is no list twice in one section is
 * an error. On false, `why` holds a sentence fit for the log, naming the key,
 * what was found, and what would be right; an unknown key names the nearest
 * known one. A refused value changes nothing. */
bool settings_set(const struct setting *table, void *into, uint64_t *seen, struct span key,
                  struct span value, int line, char *why, size_t why_size);

/* NULL when there is no such key. */
const struct setting *settings_find(const struct setting *table, struct span key);

/* Give every row that was not set its fallback in profile aws, where it has one. */
void settings_use_aws(const struct setting *table, void *into, uint64_t seen);

/* Give every row that inherits and was not set the value that `from` has under its key in
 * `from_table`. The same type there; a key that is not there is a bug. */
void settings_inherit(const struct setting *table, void *into, uint64_t seen,
                      const struct setting *from_table, const void *from);

/* Is the field something else than that fallback? False for rows that have none. */
bool settings_differs_from_aws(const struct setting *s, const void *from);

/* A field's value as one would write it. Not for a list. */
enum { SETTING_SHOWN_MAX = 64 };
const char *settings_show(const struct setting *s, const void *from, char out[SETTING_SHOWN_MAX]);

/* Have the two structs the same value there? */
bool settings_is_same(const struct setting *s, const void *a, const void *b);

/* The row's index as set in `seen`. */
bool settings_was_set(const struct setting *table, uint64_t seen, const char *key);

/* Print the table as Markdown: key, default, range, when it applies, help. */
void settings_describe(const struct setting *table, FILE *to);

#endif
