/* tls_policy.c -- see tls_policy.h. */
#include "net/tls_policy.h"

#include <stdio.h>

enum {
    RES = TLS_SUITES_FS_GCM,
    NORMAL = RES | TLS_SUITES_FS_CBC,
    FS = NORMAL | TLS_SUITES_FS_SHA1,
    EXT1 = NORMAL | TLS_SUITES_RSA,
    ALL = EXT1 | TLS_SUITES_FS_SHA1 | TLS_SUITES_RSA_SHA1,
    T13 = TLS_SUITES_1_3,
};

/* name, from TLS 1.x, to TLS 1.x, suites, hybrid key exchange */
#define POLICIES(ROW)                                                                              \
    ROW("TLS13-1-2-2021-06", 2, 3, T13 | NORMAL, false)                                            \
    ROW("TLS13-1-3-2021-06", 3, 3, T13, false)                                                     \
    ROW("TLS13-1-2-Res-2021-06", 2, 3, T13 | RES, false)                                           \
    ROW("TLS13-1-2-Ext1-2021-06", 2, 3, T13 | EXT1, false)                                         \
    ROW("TLS13-1-2-Ext2-2021-06", 2, 3, T13 | ALL, false)                                          \
    ROW("TLS13-1-1-2021-06", 1, 3, T13 | ALL, false)                                               \
    ROW("TLS13-1-0-2021-06", 0, 3, T13 | ALL, false)                                               \
    ROW("TLS13-1-0-PQ-2025-09", 0, 3, T13 | ALL, true)                                             \
    ROW("TLS13-1-3-PQ-2025-09", 3, 3, T13, true)                                                   \
    ROW("TLS13-1-2-PQ-2025-09", 2, 3, T13 | NORMAL, true)                                          \
    ROW("TLS13-1-2-Res-PQ-2025-09", 2, 3, T13 | RES, true)                                         \
    ROW("TLS13-1-2-Ext1-PQ-2025-09", 2, 3, T13 | EXT1, true)                                       \
    ROW("TLS13-1-2-Ext2-PQ-2025-09", 2, 3, T13 | ALL, true)                                        \
    ROW("2016-08", 0, 2, ALL, false)                                                               \
    ROW("TLS-1-1-2017-01", 1, 2, ALL, false)                                                       \
    ROW("TLS-1-2-2017-01", 2, 2, EXT1, false)                                                      \
    ROW("TLS-1-2-Ext-2018-06", 2, 2, ALL, false)                                                   \
    ROW("FS-2018-06", 0, 2, FS, false)                                                             \
    ROW("FS-1-1-2019-08", 1, 2, FS, false)                                                         \
    ROW("FS-1-2-2019-08", 2, 2, FS, false)                                                         \
    ROW("FS-1-2-Res-2019-08", 2, 2, NORMAL, false)                                                 \
    ROW("FS-1-2-Res-2020-10", 2, 2, RES, false)

#define AS_POLICY(name, from, to, suites, hybrid)                                                  \
    { "ELBSecurityPolicy-" name, from, to, suites, hybrid },
#define AS_NAME(name, from, to, suites, hybrid) "ELBSecurityPolicy-" name,

const struct tls_policy tls_policies[] = { POLICIES(AS_POLICY) };
const char *const tls_policy_names[] = { POLICIES(AS_NAME) NULL };

/* --- what is not offered ------------------------------------------------------------- */

static const char fips[] = "promises a FIPS-validated module, which mbedTLS is not";
static const char old[] = "is a policy of other load balancers";

/* The nearest takes no kind of cipher suite that the policy leaves out, but for the
 * ChaCha20-Poly1305 of TLS 1.3. What RFC9151 and PQ ones take was not to be seen:
 * docs/tls.md says what is assumed. */
static const struct {
    const char *name, *why, *nearest;
} not_offered[] = {
    { "TLS13-1-3-FIPS-2023-04", fips, "TLS13-1-3-2021-06" },
    { "TLS13-1-2-FIPS-2023-04", fips, "TLS13-1-2-2021-06" },
    { "TLS13-1-2-Res-FIPS-2023-04", fips, "TLS13-1-2-Res-2021-06" },
    { "TLS13-1-2-Ext0-FIPS-2023-04", fips, "TLS13-1-2-2021-06" },
    { "TLS13-1-2-Ext1-FIPS-2023-04", fips, "TLS13-1-2-Ext1-2021-06" },
    { "TLS13-1-2-Ext2-FIPS-2023-04", fips, "TLS13-1-2-Ext2-2021-06" },
    { "TLS13-1-1-FIPS-2023-04", fips, "TLS13-1-1-2021-06" },
    { "TLS13-1-0-FIPS-2023-04", fips, "TLS13-1-0-2021-06" },
    { "TLS13-1-3-FIPS-PQ-2025-09", fips, "TLS13-1-3-PQ-2025-09" },
    { "TLS13-1-2-FIPS-PQ-2025-09", fips, "TLS13-1-2-PQ-2025-09" },
    { "TLS13-1-2-Res-FIPS-PQ-2025-09", fips, "TLS13-1-2-Res-PQ-2025-09" },
    { "TLS13-1-2-Ext0-FIPS-PQ-2025-09", fips, "TLS13-1-2-PQ-2025-09" },
    { "TLS13-1-2-Ext1-FIPS-PQ-2025-09", fips, "TLS13-1-2-Ext1-PQ-2025-09" },
    { "TLS13-1-2-Ext2-FIPS-PQ-2025-09", fips, "TLS13-1-2-Ext2-PQ-2025-09" },
    { "TLS13-1-0-FIPS-PQ-2025-09", fips, "TLS13-1-0-PQ-2025-09" },
    { "TLS13-1-3-RFC9151-FIPS-2023-07", fips, "TLS13-1-3-2021-06" },
    { "TLS13-1-2-RFC9151-FIPS-2023-07", fips, "TLS13-1-2-Res-2021-06" },
    { "TLS13-1-2-Ext0-RFC9151-FIPS-2023-07", fips, "TLS13-1-2-Res-2021-06" },
    { "TLS13-1-2-RFC9151-INTEROP1-FIPS-2023-07", fips, "TLS13-1-2-Res-2021-06" },
    { "TLS13-1-2-RFC9151-INTEROP2-FIPS-2023-07", fips, "TLS13-1-2-Res-2021-06" },
    { "TLS13-1-2-RFC9151-INTEROP3-FIPS-2023-07", fips, "TLS13-1-2-Res-2021-06" },
    { "TLS13-1-2-RFC9151-INTEROP4-FIPS-2023-07", fips, "TLS13-1-2-Res-2021-06" },
    { "2015-05", old, "2016-08" },
    { "TLS-1-0-2015-04", old, "2016-08" },
};

bool tls_policy_explain(struct span name, char *why, size_t why_size)
{
    for (size_t i = 0; i < sizeof(not_offered) / sizeof(not_offered[0]); i++) {
        char whole[64];
        snprintf(whole, sizeof(whole), "ELBSecurityPolicy-%s", not_offered[i].name);
        if (!span_equal_nocase(name, span_text(whole)))
            continue;
        snprintf(why, why_size, "%s; the nearest is ELBSecurityPolicy-%s", not_offered[i].why,
                 not_offered[i].nearest);
        return true;
    }
    return false;
}
