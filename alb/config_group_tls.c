/* config_group_tls.c -- [target_group NAME] with HTTPS: what its targets are to prove. */
#include <stdio.h>

#include "net/tls_client.h"

#include "alb/config_parts.h"

static int line_in(const struct group_config *g, const char *key)
{
    return config_line(&g->lines, group_settings, key);
}

/* What is written about TLS where none is spoken is a slip. */
static void refuse_tls(const struct group_config *g, struct problems *problems)
{
    static const char *const keys[] = { "tls.verify", "tls.ca_file", "tls.server_name" };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const int line = config_line_written(&g->lines, group_settings, keys[i]);
        if (line != 0)
            problems_error(problems, line, "%s: is for HTTPS; say protocol = HTTPS or take it out",
                           keys[i]);
    }
}

static bool check_name(const struct group_config *g, struct problems *problems)
{
    const char *name = g->options.tls_server_name;

    if (name[0] == '\0' || tls_client_is_name(span_text(name)))
        return true;
    problems_error(problems, line_in(g, "tls.server_name"),
                   "tls.server_name: \"%s\" is not a host name or an IP address, such as "
                   "app.internal",
                   name);
    return false;
}

static void check_ca_file(const struct group_config *g, struct problems *problems)
{
    const int line = config_line_written(&g->lines, group_settings, "tls.ca_file");

    if (line != 0 && !g->options.tls_verify)
        problems_warning(problems, line,
                         "tls.ca_file: nothing is verified; say tls.verify = true as well");
}

void config_group_tls(struct group_config *g, struct problems *problems)
{
    const struct group_options *o = &g->options;
    const bool is_https = o->protocol == PROTOCOL_HTTPS;
    const bool is_probed = o->health_protocol == PROTOCOL_HTTPS;
    char why[CONFIG_WHY_MAX];

    if (!is_https && !is_probed) {
        refuse_tls(g, problems);
        return;
    }
    check_ca_file(g, problems);
    if (!check_name(g, problems))
        return;
    const struct tls_client_options demands = { .verify = o->tls_verify,
                                                .ca_file = o->tls_ca_file,
                                                .server_name = o->tls_server_name };
    struct tls_client *tls = tls_client_new(&demands, why, sizeof(why));
    if (tls == NULL) {
        problems_error(problems, line_in(g, "tls.ca_file"), "tls.ca_file: %s", why);
        return;
    }
    g->tls = is_https ? tls_client_ref(tls) : NULL;
    g->health_tls = is_probed ? tls_client_ref(tls) : NULL;
    tls_client_unref(&tls);
}
