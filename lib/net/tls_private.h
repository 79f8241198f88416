/* tls_private.h -- what tls.c and tls_session.c have between them. */
#ifndef NET_TLS_PRIVATE_H
#define NET_TLS_PRIVATE_H

#include <mbedtls/ssl.h>

#include "net/tls.h"

/* From tls.c. */
const mbedtls_ssl_config *tls_server_config(const struct tls_server *server);

/* One of mbedtls_ssl_states. */
int tls_ssl_state(const mbedtls_ssl_context *ssl);

/* OpenSSL's name for the suite that mbedTLS calls this; "-" for none of ours. */
const char *tls_suite_name(const char *mbedtls_name);

/* From tls_session.c: mbedTLS calls it with the server name of a ClientHello. */
int tls_session_on_sni(void *user, mbedtls_ssl_context *ssl, const unsigned char *name, size_t len);

#endif
