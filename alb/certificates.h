/*
 * certificates.h -- the certificates that a configuration uses, and when they end: for /metrics,
 * /status and the log.
 *
 * What is in use, not what is in the files now: a renewed one counts from the reload on. Control
 * thread.
 */
#ifndef ALB_CERTIFICATES_H
#define ALB_CERTIFICATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/metrics.h"
#include "net/tls_ends.h"

struct config;

/* Within so many days it is time to renew one. */
enum { CERTIFICATE_SOON_DAYS = 21 };

enum { CERTIFICATE_SECTION_MAX = 64 };

struct certificate_use {
    char section[CERTIFICATE_SECTION_MAX]; /* "listener https", "management", "target_group app" */
    const char *file;                      /* as configured; borrowed from the configuration */
    char name[TLS_END_NAME_MAX];           /* of tls_ends.h; "" for authorities */
    bool is_trusted;                       /* authorities: the first of the file to end */
    uint64_t ends_s;
};

struct certificate_list {
    struct certificate_use *items; /* owned */
    size_t count;
};

/* Those that are shown (a section has each file once), and the files of authorities, section by
 * section. */
struct certificate_list certificates_of(const struct config *config);
void certificates_done(struct certificate_list *list);

/* Whole days until then, rounded down: -1 in the first day after its end. */
long certificate_days_left(const struct certificate_use *c, uint64_t now_s);

/* [{"section": ..., "file": ..., "name": ..., "trusted": bool, "not_after": ..., "days_left": N}]
 */
json_t *certificates_json(const struct config *config);

/* As metrics_print(); the tables are for the reference. */
bool certificates_print_metrics(const struct config *config, struct buf *to);
extern const struct metric certificate_gauges[], authority_gauges[];

/* One line about those that end within CERTIFICATE_SOON_DAYS, and one about those that have ended:
 * each names the first of them. Nothing when there are none. */
void certificates_log(const struct config *config);

#endif
