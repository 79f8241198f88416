/* balancer_logs.c -- the logs' files: opened at the start, on a reload, by a signal. */
#include <stdio.h>
#include <string.h>

#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/health_log.h"

enum { LOGS = 3 };

struct log {
    struct log_file *file;
    const char *path; /* "" when it is off */
};

static void list_logs(struct balancer *b, const struct alb_options *o, struct log out[LOGS])
{
    out[0] = (struct log){ &b->access_log, o->access_logs ? o->access_logs_file : "" };
    out[1] = (struct log){ &b->connection_log, o->connection_logs ? o->connection_logs_file : "" };
    out[2] = (struct log){ &b->health_log, o->health_check_logs ? o->health_check_logs_file : "" };
}

void balancer_init_logs(struct balancer *b)
{
    log_file_init(&b->access_log, "access_logs.file", &b->counters.log_rows,
                  &b->counters.log_rows_dropped);
    log_file_init(&b->connection_log, "connection_logs.file", &b->counters.connection_log_rows,
                  &b->counters.connection_log_rows_dropped);
    log_file_init(&b->health_log, "health_check_logs.file", &b->counters.health_log_rows,
                  &b->counters.health_log_rows_dropped);
    audit_init(&b->audit, &b->counters.audit_rows, &b->counters.audit_rows_failed);
    log_buffer_init(&b->health_rows, &b->control, &b->health_log);
}

static void on_health_check(void *user, const struct health_record *record)
{
    struct balancer *b = user;

    health_log_row(&b->health_rows, &b->config->alb, record);
}

void balancer_log_health(struct balancer *b)
{
    health_tell(b->health, on_health_check, b);
}

void balancer_end_logs(struct balancer *b)
{
    if (b->health != NULL)
        health_tell(b->health, NULL, NULL);
    log_buffer_done(&b->health_rows);
    log_file_done(&b->access_log);
    log_file_done(&b->connection_log);
    log_file_done(&b->health_log);
}

/* Which of them, and what is done with each. */
enum logs_task { TRY_OTHERS, OPEN_OTHERS, OPEN_ALL };

static bool open_log(const struct log *log, enum logs_task task, char *why, size_t why_size)
{
    if (task != OPEN_ALL && strcmp(log->path, log->file->path) == 0)
        return true;
    return task == TRY_OTHERS ? log_file_may_open(log->file, log->path, why, why_size)
                              : log_file_open(log->file, log->path, why, why_size);
}

static bool open_audit(struct audit *a, const char *path, enum logs_task task, char *why,
                       size_t why_size)
{
    if (task != OPEN_ALL && strcmp(path, a->path) == 0)
        return true;
    return task == TRY_OTHERS ? audit_may_open(path, why, why_size)
                              : audit_open(a, path, why, why_size);
}

static bool open_logs(struct balancer *b, const struct config *config, enum logs_task task,
                      struct problems *problems)
{
    struct log logs[LOGS];
    char why[512];
    bool ok = true;

    list_logs(b, &config->alb, logs);
    for (size_t i = 0; i < LOGS; i++) {
        if (open_log(&logs[i], task, why, sizeof(why)))
            continue;
        problems_error(problems, 0, "%s", why);
        ok = false;
    }
    if (!open_audit(&b->audit, config->alb.audit_log_file, task, why, sizeof(why))) {
        problems_error(problems, 0, "%s", why);
        ok = false;
    }
    return ok;
}

bool balancer_open_logs(struct balancer *b, const struct config *config, struct problems *problems)
{
    return open_logs(b, config, OPEN_OTHERS, problems);
}

bool balancer_may_log(struct balancer *b, const struct config *config, struct problems *problems)
{
    return open_logs(b, config, TRY_OTHERS, problems);
}

bool balancer_reopen_logs(struct balancer *b)
{
    struct problems problems;

    problems_init(&problems, "logs");
    const bool ok = open_logs(b, b->config, OPEN_ALL, &problems);
    if (!ok)
        problems_print(&problems, stderr);
    problems_done(&problems);
    return ok;
}
