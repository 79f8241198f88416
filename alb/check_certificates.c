/* check_certificates.c -- see check_certificates.h. */
#include "alb/check_certificates.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/tls_public.h"

#include "alb/config_parts.h"

static const char system_authorities[] = "/etc/ssl/certs/ca-certificates.crt";

/* What would be refused, and the cure; between the two stands whose certificate is missing or not
 * known. */
static const struct {
    unsigned fault;
    const char *text, *behind; /* NULL: that does not matter */
} faults[] = {
    { TLS_PUBLIC_SELF_SIGNED,
      "is self-signed; get one of a public authority, or have the edge "
      "speak HTTP to a plain listener",
      NULL },
    { TLS_PUBLIC_INCOMPLETE, "lacks the certificate of its issuer, ",
      "; append that authority's intermediate certificates to the file, behind the first, or, if "
      "it "
      "is one of your own, get a certificate of a public one" },
    { TLS_PUBLIC_PRIVATE, "is signed by ",
      ", which is no public authority; get one of a public one, "
      "or have the edge speak HTTP to a plain listener" },
    { TLS_PUBLIC_WEAK, "is signed by way of SHA-1 or MD5; have it issued anew", NULL },
};

enum { FAULTS = sizeof(faults) / sizeof(faults[0]) };

/* One certificate of a listener. */
struct subject {
    const char *key, *file;
    int line;
};

static void warn_dates(struct problems *problems, const struct subject *s,
                       const struct tls_public_view *v)
{
    if (v->faults & TLS_PUBLIC_EXPIRED)
        problems_warning(problems, s->line,
                         "%s: a CDN edge refuses %s: it has expired %ld days ago; renew it, then "
                         "`alb reload`",
                         s->key, s->file, -v->days_left);
    if (v->faults & TLS_PUBLIC_NOT_YET)
        problems_warning(problems, s->line,
                         "%s: a CDN edge refuses %s: it is not valid yet; is the clock right?",
                         s->key, s->file);
    if (v->faults & TLS_PUBLIC_ENDS_SOON)
        problems_warning(
            problems, s->line,
            "%s: %s ends within %ld days, and then a CDN edge refuses it; renew it, then "
            "`alb reload`",
            s->key, s->file, v->days_left + 1);
}

static void warn_all(struct problems *problems, const struct subject *s,
                     const struct tls_public_view *v)
{
    for (int i = 0; i < FAULTS; i++) {
        const char *behind = faults[i].behind;
        if (v->faults & faults[i].fault)
            problems_warning(problems, s->line, "%s: a CDN edge refuses %s: it %s%s%s", s->key,
                             s->file, faults[i].text, behind == NULL ? "" : v->issuer,
                             behind == NULL ? "" : behind);
    }
    if (v->faults & TLS_PUBLIC_SMALL_KEY)
        problems_warning(problems, s->line,
                         "%s: a CDN edge refuses %s: an RSA key of its chain has %u bits; make one "
                         "of 2048, or an elliptic one (P-256)",
                         s->key, s->file, v->key_bits);
    warn_dates(problems, s, v);
}

/* --- a listener --------------------------------------------------------------------------- */

struct visit {
    const struct tls_public *authorities;
    const char *name;
    struct problems *problems;
    bool has_name; /* one of the listener's is for it */
};

static void look(struct visit *v, const struct subject *s)
{
    struct tls_public_view view;
    char why[512];

    if (!tls_public_look(v->authorities, s->file, v->name, &view, why, sizeof(why))) {
        problems_warning(v->problems, s->line, "%s: %s", s->key, why);
        return;
    }
    v->has_name |= (view.faults & TLS_PUBLIC_OTHER_NAME) == 0;
    warn_all(v->problems, s, &view);
}

/* "FILE" or "FILE KEYFILE". */
static void look_at_other(struct visit *v, const struct setting_item *item)
{
    char *file = mem_copy(item->text, strcspn(item->text, " \t"));

    look(v, &(struct subject){ "sni_certificate", file, item->line });
    free(file);
}

static void look_at_listener(struct visit *v, const struct listener_config *l)
{
    const struct setting_list *more = &l->options.sni_certificate;
    const int line = config_line(&l->lines, listener_settings, "certificate");

    v->has_name = false;
    look(v, &(struct subject){ "certificate", l->options.certificate, line });
    for (size_t i = 0; i < more->count; i++)
        look_at_other(v, &more->items[i]);
    if (v->name != NULL && !v->has_name)
        problems_warning(v->problems, line,
                         "certificate: a CDN edge that asks for %s refuses [listener %s]: none of "
                         "its certificates is for that name; get one, and add sni_certificate",
                         v->name, l->name);
}

void check_certificates(const struct config *config, const char *name, const char *ca_file,
                        struct problems *problems)
{
    const char *file = ca_file != NULL ? ca_file : system_authorities;
    struct visit v = { .name = name, .problems = problems };
    struct tls_public *authorities = NULL;
    char why[512];
    size_t count = 0;

    for (size_t i = 0; i < config->listener_count; i++) {
        const struct listener_config *l = &config->listeners[i];
        if (l->tls == NULL)
            continue;
        if (count++ == 0 && (authorities = tls_public_new(file, why, sizeof(why))) == NULL)
            break;
        v.authorities = authorities;
        look_at_listener(&v, l);
    }
    if (count > 0 && authorities == NULL)
        problems_warning(problems, 0,
                         "whether a CDN edge takes the certificates was not looked at: %s; install "
                         "ca-certificates, or name a file by --ca",
                         why);
    if (count == 0 && name != NULL)
        problems_warning(problems, 0, "there is no HTTPS listener to be asked for %s", name);
    tls_public_free(&authorities);
}
