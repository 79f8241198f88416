/*
 * tls_public.h -- what a client that trusts public authorities alone, such as a CDN's edge, would
 * have against a certificate file.
 *
 * For a check before anybody connects: it reads the files again, and knows nothing of the network.
 */
#ifndef NET_TLS_PUBLIC_H
#define NET_TLS_PUBLIC_H

#include <stdbool.h>
#include <stddef.h>

struct tls_public;

enum {
    TLS_PUBLIC_EXPIRED = 1,
    TLS_PUBLIC_NOT_YET = 2,
    TLS_PUBLIC_ENDS_SOON = 4,    /* within TLS_PUBLIC_SOON_DAYS */
    TLS_PUBLIC_SELF_SIGNED = 8,  /* nobody else vouches for it */
    TLS_PUBLIC_INCOMPLETE = 16,  /* the chain ends at one whose issuer is not in the file */
    TLS_PUBLIC_PRIVATE = 32,     /* it is whole, but its authority is not one of ours */
    TLS_PUBLIC_SMALL_KEY = 64,   /* RSA below TLS_PUBLIC_RSA_LEAST bits, in any of the chain */
    TLS_PUBLIC_WEAK = 128,       /* a signature by SHA-1 or MD5 */
    TLS_PUBLIC_OTHER_NAME = 256, /* it is not for the name */
};
enum { TLS_PUBLIC_SOON_DAYS = 14, TLS_PUBLIC_RSA_LEAST = 2048 };

struct tls_public_view {
    unsigned faults; /* a sum of these */
    long days_left;  /* of the leaf; negative: since then */
    unsigned key_bits;
    char issuer[256]; /* whose certificate is missing, or unknown */
};

/* The authorities, in PEM: those of the system are Mozilla's. NULL with a sentence. */
struct tls_public *tls_public_new(const char *ca_file, char *why, size_t why_size);
void tls_public_free(struct tls_public **p);

/* Look at the chain of this file, which a server was made of before. `name` NULL: whatever it is
 * for. False with a sentence when it cannot be read any more. */
bool tls_public_look(const struct tls_public *p, const char *file, const char *name,
                     struct tls_public_view *view, char *why, size_t why_size);

#endif
