/*
 * balancer_signals.c -- what signals ask for, each with its rows in the audit log.
 *
 * They are carried out whether or not a row can be written: whoever may send them can end the
 * process anyway, and SIGHUP is the cure for an audit log without room.
 */
#include <signal.h>
#include <stdio.h>

#include "base/bug.h"
#include "base/log.h"

#include "alb/balancer_private.h"
#include "alb/caller.h"
#include "alb/config.h"

static enum audit_outcome hang_up(struct balancer *b)
{
    struct problems problems;

    problems_init(&problems, b->path == NULL ? "quick" : b->path);
    const bool is_taken = balancer_reload(b, &problems);
    if (!is_taken)
        log_error("reload refused; the old configuration stays");
    problems_print(&problems, stderr);
    problems_done(&problems);
    const bool is_open = balancer_reopen_logs(b);
    if (!is_taken)
        return AUDIT_REFUSED;
    return is_open ? AUDIT_DONE : AUDIT_FAILED;
}

static enum audit_outcome reopen(struct balancer *b)
{
    return balancer_reopen_logs(b) ? AUDIT_DONE : AUDIT_FAILED;
}

static enum audit_outcome stop(struct balancer *b)
{
    balancer_stop(b);
    return AUDIT_DONE;
}

static const struct signal_row {
    int number;
    const char *name, *command;
    enum audit_outcome (*run)(struct balancer *b);
} rows[] = {
    { SIGHUP, "SIGHUP", "reload", hang_up },
    { SIGUSR1, "SIGUSR1", "reopen", reopen },
    { SIGTERM, "SIGTERM", "stop", stop },
    { SIGINT, "SIGINT", "stop", stop },
};

static const struct signal_row *row_of(int number)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].number == number)
            return &rows[i];
    }
    bug("a signal that nobody waits for");
}

static struct caller caller_of(const struct service_signal *s)
{
    struct caller caller = { .may_change = true, .who = "signal" };

    if (s->has_sender)
        snprintf(caller.who, sizeof(caller.who), "signal:uid:%u", s->uid);
    if (s->has_sender && s->pid != 0) /* one outside of our PID namespace has none here */
        snprintf(caller.from, sizeof(caller.from), "pid:%ld", (long)s->pid);
    return caller;
}

static void carry_out(struct balancer *b, const struct service_signal *s)
{
    const struct signal_row *row = row_of(s->number);
    const struct caller caller = caller_of(s);
    const struct audit_change change = { .caller = &caller,
                                         .command = span_text(row->command),
                                         .mark = row->name,
                                         .format =
                                             (enum log_format)b->config->alb.access_logs_format };
    struct audit_entry entry;

    audit_note(&b->audit, &entry, &change);
    audit_close(&b->audit, &entry, row->run(b));
}

/* A reload that is under way may have read the file before it was changed. Several that wait are
 * one, as the kernel has it with signals, and the first's. */
void balancer_on_signal(void *user, const struct service_signal *s)
{
    struct balancer *b = user;

    if (s->number != SIGHUP || b->publishing == NULL) {
        carry_out(b, s);
    } else if (!b->reload_wanted) {
        b->reload_wanted = true;
        b->reload_signal = *s;
    }
}

void balancer_on_late_signal(struct balancer *b)
{
    if (!b->reload_wanted || b->publishing != NULL)
        return;
    b->reload_wanted = false;
    carry_out(b, &b->reload_signal);
}
