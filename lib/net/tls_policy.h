/*
 * tls_policy.h -- the managed balancer's security policies: which versions of TLS and
 * which cipher suites a listener takes. docs/tls.md has them as a table.
 */
#ifndef NET_TLS_POLICY_H
#define NET_TLS_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/* Kinds of cipher suites, all with AES; "FS" is by ECDHE, "RSA" without forward secrecy. */
enum tls_suites {
    TLS_SUITES_1_3 = 1 << 0,
    TLS_SUITES_FS_GCM = 1 << 1,
    TLS_SUITES_FS_CBC = 1 << 2, /* with SHA-2 */
    TLS_SUITES_FS_SHA1 = 1 << 3,
    TLS_SUITES_RSA = 1 << 4, /* GCM, and CBC with SHA-2 */
    TLS_SUITES_RSA_SHA1 = 1 << 5,
};

struct tls_policy {
    const char *name;
    int min_minor, max_minor; /* TLS 1.x */
    unsigned suites;          /* enum tls_suites */
    bool hybrid;              /* with ML-KEM key exchange */
};

/* The default first, which is index 0; `tls_policy_names` has the same order and ends
 * with NULL. */
extern const struct tls_policy tls_policies[];
extern const char *const tls_policy_names[];

/* For a name that the managed balancer offers and we do not: why not, and the nearest of
 * `tls_policy_names`, as a phrase behind the name ("promises ...; the nearest is ..."). False
 * for every other name. */
bool tls_policy_explain(struct span name, char *why, size_t why_size);

/* What the policy has and this build of mbedTLS has not, as a phrase; "" when it has
 * all. False when nothing is left of the policy. */
bool tls_policy_lacks(const struct tls_policy *policy, char *text, size_t size);

#endif
