/*
 * cache.h -- what a response says to caches (RFC 9111 5.2).
 */
#ifndef HTTP_CACHE_H
#define HTTP_CACHE_H

#include <stdbool.h>

struct http_message;

/* Does Cache-Control say that a cache which many users share may keep it: `public`, or an
 * `s-maxage` above 0, and neither `private` nor `no-store`? What it does not say is not guessed:
 * one with a plain max-age may be kept as well, by those who keep cookies apart. */
bool http_is_public(const struct http_message *response);

#endif
