/*
 * doctor.h -- an upgrade failed: the one place where that is told.
 *
 * Each goes into the counters by its reason, into the log as a line, and into the ring of
 * the last ones (upgrade_ring.h).
 */
#ifndef ALB_DOCTOR_H
#define ALB_DOCTOR_H

#include "http/reply.h"

#include "alb/admission.h"
#include "alb/upgrade_case.h"

struct worker;

/* A loop's lines: in a storm not each is written, and then it is said how many were not. */
enum { DOCTOR_LINES_A_SECOND = 50 };

struct doctor_lines {
    struct admission pace;
    uint64_t left_out; /* since the last line */
};

/* Takes the case, and clears the variable; NULL is fine. `status` is what the client got. */
void doctor_record(struct worker *w, struct upgrade_case **c, enum upgrade_failure failure,
                   int status);

/* What a reply points to. */
struct doctor_text {
    char text[2 * UPGRADE_TEXT_MAX + 128];
    char fields[128];
};

/* The answer of our own to it: the reason, and to a peer in the edge set its cause and cure as
 * well. */
void doctor_reply(const struct worker *w, const struct upgrade_case *c, int status,
                  struct http_reply *reply, struct doctor_text *text);

/* The answer is that of a rule: nobody is to keep it, and unless it has a text of the operator's
 * it gets ours. */
void doctor_comment(const struct worker *w, const struct upgrade_case *c, struct http_reply *reply,
                    bool has_text, struct doctor_text *text);

#endif
