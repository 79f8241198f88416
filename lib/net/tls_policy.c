/* tls_policy.c -- see tls_policy.h. */
#include "net/tls_policy.h"

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
