/*
 * tls_client.h -- our side of TLS connections to servers: the targets.
 *
 * A tls_client is what is demanded of a server: settings, made once, shared by
 * all threads, counted by reference because connections outlive a reload. A
 * tls_resume is one server as it is known: its name, and its last session, so that the
 * next handshake is a short one (RFC 5077; RFC 8446 2.2). Any thread.
 *
 * A session made here is a tls_session like the server side's (tls.h): the same
 * handshake call, and the same stream (stream.h). TLS 1.2 at least, 1.3 with
 * mbedTLS 3.6; all cipher suites and curves that mbedTLS has; no ALPN, so that a
 * server speaks HTTP/1.1.
 */
#ifndef NET_TLS_CLIENT_H
#define NET_TLS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "net/tls.h"

struct tls_client;
struct tls_resume;

/* RFC 6066 3: a host name. */
enum { TLS_NAME_MAX = 253 };

struct tls_client_options {
    bool verify;                   /* check chain, dates and name; else any certificate will do */
    const char *ca_file;           /* PEM; read only to verify */
    const char *server_name;       /* "" or what is asked for (SNI) and verified instead of the
                                      server's own name */
    const char *certificate, *key; /* of ours, should a server ask for it: PEM; both NULL: none */
};

/* NULL with a sentence that names the file and the cure. */
struct tls_client *tls_client_new(const struct tls_client_options *options, char *why,
                                  size_t why_size);
struct tls_client *tls_client_ref(struct tls_client *client);
void tls_client_unref(struct tls_client **client); /* NULL is fine */

/* The same demands. A reload that did not change them keeps the old object: what
 * is remembered under one is never offered under another, because a session that
 * is resumed shows no certificate. */
bool tls_client_is_same(const struct tls_client *a, const struct tls_client *b);

/* A host name, or an IP address, that may be asked for and verified. */
bool tls_client_is_name(struct span text);

/* A server without a name; nothing is remembered of it. */
struct tls_resume *tls_resume_new(void);

/* Its own name: a host name, an IP address, or "" for none. Another one than before
 * forgets the session. */
void tls_resume_set_name(struct tls_resume *resume, const char *name);
struct tls_resume *tls_resume_ref(struct tls_resume *resume);
void tls_resume_unref(struct tls_resume **resume); /* NULL is fine */

/* A connection to that server: a host name is sent as SNI, an IP address never is (RFC
 * 6066 3). Takes references; the descriptor stays the caller's. Next: tls_handshake(). */
struct tls_session *tls_client_session(struct tls_client *client, struct tls_resume *resume,
                                       int fd);

/* What is wrong with the server's certificate, if that is why the handshake failed; the gravest. */
enum tls_objection {
    TLS_NO_OBJECTION, /* it failed for something else */
    TLS_NO_CERTIFICATE,
    TLS_UNKNOWN_AUTHORITY,
    TLS_EXPIRED,
    TLS_NOT_VALID_YET,
    TLS_OTHER_NAME,
    TLS_TOO_WEAK,
    TLS_NOT_FOR_SERVERS,
    TLS_DOES_NOT_HOLD,
};
enum tls_objection tls_client_objection(const struct tls_session *session);

/* Why its handshake failed, in a sentence about "the target" or the system's words; lives
 * as long as the process. */
const char *tls_client_why(const struct tls_session *session);

/* Was it the connection that failed or ended, with nothing said in TLS? */
bool tls_client_was_cut(const struct tls_session *session);

#endif
