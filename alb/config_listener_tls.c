/* config_listener_tls.c -- of a [listener NAME] with HTTPS: certificates, policy, and whom it
 * trusts. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/tls.h"
#include "net/tls_policy.h"

#include "alb/config_parts.h"

/* As many as the managed balancer takes beside the default. */
enum { SNI_CERTIFICATES = 25 };

static int line_in(const struct listener_config *l, const char *key)
{
    return config_line(&l->lines, listener_settings, key);
}

static bool says(const struct listener_config *l, const char *key)
{
    return config_line_written(&l->lines, listener_settings, key) != 0;
}

/* "FILE" or "FILE KEYFILE", where no file has a blank in its name. `text` is cut up. */
static bool split_files(char *text, struct tls_cert_files *files)
{
    char *rest = NULL;

    files->certificate = strtok_r(text, " \t", &rest);
    files->key = strtok_r(NULL, " \t", &rest);
    return files->certificate != NULL && strtok_r(NULL, " \t", &rest) == NULL;
}

/* Each is read on its own first: what is wrong with one is said at its line. */
static bool is_good(const struct tls_cert_files *files, const char *key, int line,
                    struct problems *problems)
{
    const struct tls_server_options one = { .certs = files, .cert_count = 1 };
    char why[CONFIG_WHY_MAX];
    struct tls_server *server = tls_server_new(&one, why, sizeof(why));
    const bool good = server != NULL;

    if (!good)
        problems_error(problems, line, "%s: %s", key, why);
    tls_server_unref(&server);
    return good;
}

/* Listeners with the same certificates share one server, and with it the tickets. */
static void share_server(const struct config *config, struct listener_config *l)
{
    for (const struct listener_config *o = config->listeners; o < l && l->tls != NULL; o++) {
        if (o->tls == NULL || o->tls == l->tls || !tls_server_is_same(o->tls, l->tls))
            continue;
        tls_server_unref(&l->tls);
        l->tls = tls_server_ref(o->tls);
    }
}

/* --- whom it trusts ------------------------------------------------------------- */

static const char mode[] = "mutual_authentication.mode",
                  store[] = "mutual_authentication.trust_store",
                  revoked[] = "mutual_authentication.revocation_file",
                  expiry[] = "mutual_authentication.ignore_client_certificate_expiry",
                  names[] = "mutual_authentication.advertise_trust_store_ca_names";

/* Each file is read on its own first: what is wrong with one is said at its line. */
static bool check_trust_files(const struct listener_config *l,
                              const struct tls_trust_options *trust, struct problems *problems)
{
    const struct setting_list *lists = &l->options.revocation_file;
    struct tls_trust_options one = *trust;
    char why[CONFIG_WHY_MAX];

    one.revocation_count = 0;
    bool good = true;
    if (!tls_trust_check(&one, why, sizeof(why))) {
        problems_error(problems, line_in(l, store), "%s: %s", store, why);
        return false;
    }
    one.revocation_count = 1;
    for (size_t i = 0; i < lists->count; i++) {
        one.revocation_files = &trust->revocation_files[i];
        if (tls_trust_check(&one, why, sizeof(why)))
            continue;
        problems_error(problems, lists->items[i].line, "%s: %s", revoked, why);
        good = false;
    }
    return good;
}

/* What only counts when clients are verified. */
static bool check_no_trust(const struct listener_config *l, struct problems *problems)
{
    static const char *const keys[] = { store, revoked, expiry, names };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (!says(l, keys[i]))
            continue;
        problems_error(problems, line_in(l, keys[i]),
                       "%s: nobody is verified; say %s = verify or take it out", keys[i], mode);
        return false;
    }
    return true;
}

/* `files` has room for all revocation lists. False: it was reported. */
static bool load_trust(const struct listener_config *l, const char **files,
                       struct tls_trust_options *trust, struct problems *problems)
{
    const struct listener_options *o = &l->options;

    *trust = (struct tls_trust_options){ .mode = o->client_auth };
    if (o->client_auth != TLS_CLIENT_AUTH_VERIFY)
        return check_no_trust(l, problems);
    if (o->trust_store[0] == '\0') {
        problems_error(problems, line_in(l, mode),
                       "%s: verify needs authorities; add %s = FILE.pem", mode, store);
        return false;
    }
    trust->store = o->trust_store;
    trust->revocation_files = files;
    trust->revocation_count = o->revocation_file.count;
    trust->ignore_expiry = o->ignore_client_expiry;
    trust->advertise_names = o->advertise_trusted_names;
    for (size_t i = 0; i < o->revocation_file.count; i++)
        files[i] = o->revocation_file.items[i].text;
    return check_trust_files(l, trust, problems);
}

/* --- all of it --------------------------------------------------------------------- */

static void load_certificates(struct listener_config *l, struct problems *problems)
{
    const struct setting_list *more = &l->options.sni_certificate;
    struct tls_cert_files *files = mem_array(struct tls_cert_files, more->count + 1);
    const char **revocations = mem_array(const char *, l->options.revocation_file.count);
    char **texts = mem_array(char *, more->count + 1);
    char why[CONFIG_WHY_MAX];

    files[0] = (struct tls_cert_files){ l->options.certificate, l->options.certificate_key };
    bool good = is_good(&files[0], "certificate", line_in(l, "certificate"), problems);
    for (size_t i = 0; i < more->count; i++) {
        const int line = more->items[i].line;
        texts[i] = mem_text(more->items[i].text);
        if (split_files(texts[i], &files[i + 1])) {
            good &= is_good(&files[i + 1], "sni_certificate", line, problems);
            continue;
        }
        problems_error(problems, line, "sni_certificate: is FILE or FILE KEYFILE, not \"%s\"",
                       more->items[i].text);
        good = false;
    }
    struct tls_server_options options = { .certs = files,
                                          .cert_count = more->count + 1,
                                          .policy = &tls_policies[l->options.ssl_policy] };
    good &= load_trust(l, revocations, &options.trust, problems);
    if (good && (l->tls = tls_server_new(&options, why, sizeof(why))) == NULL)
        problems_error(problems, line_in(l, "certificate"), "certificate: %s", why);
    for (size_t i = 0; i < more->count; i++)
        free(texts[i]);
    free(texts);
    free(revocations);
    free(files);
}

/* What only HTTPS has. */
static void check_plain(const struct listener_config *l, struct problems *problems)
{
    static const char *const keys[] = { "certificate",
                                        "certificate_key",
                                        "sni_certificate",
                                        "ssl_policy",
                                        mode,
                                        store,
                                        revoked,
                                        expiry,
                                        names };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (!says(l, keys[i]))
            continue;
        problems_error(problems, line_in(l, keys[i]),
                       "%s: is for HTTPS; say protocol = HTTPS or take it out", keys[i]);
        return;
    }
}

/* The default is taken as far as it goes without a word: nobody asked for all of it. */
static bool check_policy(const struct listener_config *l, struct problems *problems)
{
    const struct tls_policy *policy = &tls_policies[l->options.ssl_policy];
    const int line = line_in(l, "ssl_policy");
    char lacks[128];
    const bool usable = tls_policy_lacks(policy, lacks, sizeof(lacks));

    if (!usable)
        problems_error(problems, line,
                       "ssl_policy: %s is TLS 1.3 alone, which this mbedTLS has not; build with "
                       "mbedTLS 3.6, or say ELBSecurityPolicy-TLS13-1-2-2021-06",
                       policy->name);
    else if (lacks[0] != '\0' && settings_was_set(listener_settings, l->lines.seen, "ssl_policy"))
        problems_warning(problems, line, "ssl_policy: of %s this mbedTLS has not: %s", policy->name,
                         lacks);
    return usable;
}

void config_listener_tls(const struct config *config, struct listener_config *l,
                         struct problems *problems)
{
    const size_t more = l->options.sni_certificate.count;

    if (l->options.protocol != PROTOCOL_HTTPS) {
        check_plain(l, problems);
        return;
    }
    if (l->options.certificate[0] == '\0') {
        problems_error(problems, line_in(l, "protocol"),
                       "protocol: HTTPS needs a certificate; add certificate = FILE.pem");
        return;
    }
    if (more > SNI_CERTIFICATES)
        problems_warning(problems, l->options.sni_certificate.items[SNI_CERTIFICATES].line,
                         "sni_certificate: there are %zu; the managed balancer takes 25", more);
    if (check_policy(l, problems))
        load_certificates(l, problems);
    share_server(config, l);
}
