/* config_elsewhere.c -- settings that a section does not have, and where they are, or why nowhere.
 */
#include <stdio.h>

#include "alb/config_parts.h"

/* Attributes of the managed balancer that its users write from memory. A name that ends in '.'
 * stands for all that begin so. */
static const struct {
    const char *key, *why;
} managed[] = {
    { "routing.http2.", "HTTP/2 is not spoken here; leave it out" },
    { "access_logs.s3.", "logs go to files: access_logs.enabled and access_logs.file" },
    { "connection_logs.s3.", "logs go to files: connection_logs.enabled and connection_logs.file" },
    { "health_check_logs.s3.",
      "logs go to files: health_check_logs.enabled and health_check_logs.file" },
    { "waf.", "there is no WAF here; leave it out" },
    { "deletion_protection.", "it is about a cloud; leave it out" },
    { "ipv6.deny_all_igw_traffic", "it is about a cloud; leave it out" },
    { "zonal_shift.", "there are no zones here; leave it out" },
    { "load_balancing.cross_zone.", "there are no zones here; leave it out" },
    { "target_group_health.dns_failover.", "there is no DNS of ours to take an address out of" },
    { "lambda.", "there are no functions here; leave it out" },
};

static bool is_meant(struct span key, struct span name)
{
    return name.ptr[name.len - 1] == '.' ? span_starts_with(key, name) : span_equal(key, name);
}

bool config_is_elsewhere(const struct setting *table, struct span key, char *why, size_t size)
{
    for (const struct section_kind *kind = alb_sections; kind->kind != NULL; kind++) {
        const struct setting *row = settings_find(kind->settings, key);
        if (kind->settings != table && row != NULL) {
            snprintf(why, size, "%s does not stand here, but in [%s%s]", row->key, kind->kind,
                     kind->is_named ? " NAME" : "");
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(managed) / sizeof(managed[0]); i++) {
        if (is_meant(key, span_text(managed[i].key))) {
            snprintf(why, size, "%.*s is the managed balancer's, and not here: %s", SPAN_ARGS(key),
                     managed[i].why);
            return true;
        }
    }
    return false;
}
