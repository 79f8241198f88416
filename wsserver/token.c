/* token.c -- see token.h. */
#include "wsserver/token.h"

#include <assert.h>
#include <mbedtls/md.h>
#include <stdio.h>

#include "base/bug.h"
#include "base/random.h"
#include "base/text.h"

enum { SESSION_BYTES = 16, MAC_BYTES = 16, SHA256_BYTES = 32, SESSION_AT = 3 };

_Static_assert(TEXT_BASE64_SIZE(SESSION_BYTES) > TOKEN_SESSION_LEN, "22 characters and a NUL");

void token_new_session(char session[TOKEN_SESSION_LEN + 1])
{
    uint8_t bytes[SESSION_BYTES];
    char text[TEXT_BASE64_SIZE(SESSION_BYTES)];

    random_bytes(bytes, sizeof(bytes));
    text_base64url(bytes, sizeof(bytes), text);
    memcpy(session, text, TOKEN_SESSION_LEN + 1);
}

void token_make(const uint8_t secret[HUB_SECRET_BYTES], struct span user, const char *session,
                char out[TOKEN_LEN + 1])
{
    /* A session's name has one length, so no two pairs give the same bytes. */
    char signed_text[TOKEN_SESSION_LEN + HUB_USER_MAX];
    uint8_t mac[SHA256_BYTES];
    char mac_text[TEXT_BASE64_SIZE(MAC_BYTES)];

    assert(user.len <= HUB_USER_MAX);
    memcpy(signed_text, session, TOKEN_SESSION_LEN);
    memcpy(signed_text + TOKEN_SESSION_LEN, user.ptr, user.len);
    if (mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), secret, HUB_SECRET_BYTES,
                        (const unsigned char *)signed_text, TOKEN_SESSION_LEN + user.len, mac) != 0)
        bug("HMAC failed");
    text_base64url(mac, MAC_BYTES, mac_text);
    snprintf(out, TOKEN_LEN + 1, "s1.%s.%s", session, mac_text);
}

bool token_open(const uint8_t secret[HUB_SECRET_BYTES], struct span user, struct span token,
                char session[TOKEN_SESSION_LEN + 1])
{
    char named[TOKEN_SESSION_LEN + 1] = "", good[TOKEN_LEN + 1] = "";

    if (token.len != TOKEN_LEN)
        return false;
    memcpy(named, token.ptr + SESSION_AT, TOKEN_SESSION_LEN);
    token_make(secret, user, named, good);
    if (!text_equal_constant_time(token, span_of(good, TOKEN_LEN)))
        return false;
    memcpy(session, named, sizeof(named));
    return true;
}
