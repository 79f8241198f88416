/*
 * tls_name.h -- an X.509 name as one line of text (RFC 2253), as `openssl x509 -nameopt
 * RFC2253` and the managed balancer write it: "CN=rudi,OU=ops,O=Example,C=DE".
 *
 * Private to tls*.c.
 */
#ifndef NET_TLS_NAME_H
#define NET_TLS_NAME_H

#include <stdbool.h>

#include <mbedtls/x509.h>

#include "base/buf.h"

/* All of it is printable ASCII: whatever else a name has is escaped. False when it does
 * not fit; then a part of it may have been written. */
bool tls_name_put(struct buf *to, const mbedtls_x509_name *name);

/* Its common name, when it has one only, of 1 to `size` - 1 visible ASCII characters: "" else. */
void tls_name_common(const mbedtls_x509_name *name, char *out, size_t size);

#endif
