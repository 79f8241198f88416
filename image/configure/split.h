/*
 * split.h -- one text for two programs, by the names of its sections.
 *
 * Each program has kinds of section of its own ([listener NAME] is alb's, [sqlite] wsserver's).
 * Each gets the text with the other's lines blanked, so that a line keeps its number. Comments
 * and blank lines before the first section are nobody's.
 *
 * [alb.KIND] and [wsserver.KIND] name the program, and reach it as [KIND]: a kind that both have
 * must be written so.
 */
#ifndef CONFIGURE_SPLIT_H
#define CONFIGURE_SPLIT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/problems.h"
#include "base/span.h"

enum { SPLIT_PROGRAMS = 2 };

struct split_program {
    const char *name;
    struct span kinds; /* one a line, as `PROGRAM sections` prints them */
};

/* What one program gets. */
struct split_part {
    struct buf text;
    bool has_sections; /* the text says something to it */
};

/* Initialise the parts and fill them; whatever comes of it, split_done() frees them. False when
 * the text is not well formed or a section is nobody's: all of that is reported. The values of
 * settings are for the programs to check. */
bool split_text(struct span text, const struct split_program programs[SPLIT_PROGRAMS],
                struct split_part parts[SPLIT_PROGRAMS], struct problems *problems);

void split_done(struct split_part parts[SPLIT_PROGRAMS]);

#endif
