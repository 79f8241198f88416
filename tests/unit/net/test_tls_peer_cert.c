/* The texts of a client's certificate; and that what is too long is not told in part. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "net/tls_peer_cert.h"

#include "der_cert.h"

/* Relative names: CN=ca and CN=rudi. */
#define CA                                                                                         \
    "\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02"                                                 \
    "ca"
#define RUDI                                                                                       \
    "\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04"                                                 \
    "rudi"

static const struct der_cert rudi = { SPAN_INIT("\x03\xa5\xb1"), SPAN_INIT(CA), SPAN_INIT(RUDI) };
static const struct der_cert ca = { SPAN_INIT("\x01"), SPAN_INIT(CA), SPAN_INIT(CA) };

/* As `openssl x509 -inform DER` prints the two, quoted as Python's quote(safe="+=/") does. */
#define RUDI_PEM                                                                                   \
    "-----BEGIN%20CERTIFICATE-----%0AMIHEMIGxoAMCAQICAwOlsTAKBggqhkjOPQQDAjANMQswCQYDVQQD"         \
    "DAJjYTAeFw0y%0ANjAxMzEwMDAwMDBaFw0yNzAxMzEyMzU5NThaMA8xDTALBgNVBAMMBHJ1ZGkwWTAT%0ABg"         \
    "cqhkjOPQIBBggqhkjOPQMBBwNCAARrF9Hy4SxCR/i85uVjpEDydwN9gS3rM6D0%0AoTlF2JjClk/jQuL+Gn+"         \
    "bjufrSnwPnhYrzjNXazFezsu2QGg3v1H1MAoGCCqGSM49%0ABAMCAwIAAA==%0A-----END%20CERTIFICAT"         \
    "E-----%0A"
#define CA_PEM                                                                                     \
    "-----BEGIN%20CERTIFICATE-----%0AMIHAMIGtoAMCAQICAQEwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwC"         \
    "Y2EwHhcNMjYw%0AMTMxMDAwMDAwWhcNMjcwMTMxMjM1OTU4WjANMQswCQYDVQQDDAJjYTBZMBMGByqG%0ASM"         \
    "49AgEGCCqGSM49AwEHA0IABGsX0fLhLEJH+Lzm5WOkQPJ3A32BLeszoPShOUXY%0AmMKWT+NC4v4af5uO5+t"         \
    "KfA+eFivOM1drMV7Oy7ZAaDe/UfUwCgYIKoZIzj0EAwID%0AAgAA%0A-----END%20CERTIFICATE-----%0"         \
    "A"

/* tls_peer_cert_free() it. */
static struct tls_peer_cert *told(const struct der_cert *const *certs, size_t count,
                                  bool with_chain)
{
    mbedtls_x509_crt chain;

    mbedtls_x509_crt_init(&chain);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(der_parse_cert(&chain, certs[i]), 0);
    struct tls_peer_cert *peer = tls_peer_cert_new(&chain, with_chain);
    mbedtls_x509_crt_free(&chain);
    return peer;
}

static struct tls_peer_cert *told_one(const struct der_cert *cert)
{
    return told(&cert, 1, false);
}

static void test_a_leaf(void **state)
{
    static const struct der_cert *const chain[] = { &rudi, &ca };
    struct tls_peer_cert *peer = told(chain, 2, false);
    (void)state;

    assert_string_equal(peer->text[TLS_CERT_SERIAL_NUMBER], "03A5B1");
    assert_string_equal(peer->text[TLS_CERT_ISSUER], "CN=ca");
    assert_string_equal(peer->text[TLS_CERT_SUBJECT], "CN=rudi");
    assert_string_equal(peer->text[TLS_CERT_VALIDITY],
                        "NotBefore=2026-01-31T00:00:00Z;NotAfter=2027-01-31T23:59:58Z");
    assert_string_equal(peer->text[TLS_CERT_LEAF], RUDI_PEM);
    assert_null(peer->text[TLS_CERT_CHAIN]);
    assert_true(tls_peer_cert_is_whole(peer));
    tls_peer_cert_free(&peer);
    assert_null(peer);
    tls_peer_cert_free(&peer);
}

static void test_a_chain(void **state)
{
    static const struct der_cert *const chain[] = { &rudi, &ca };
    struct tls_peer_cert *peer = told(chain, 2, true);
    (void)state;

    assert_string_equal(peer->text[TLS_CERT_CHAIN], RUDI_PEM CA_PEM);
    assert_string_equal(peer->text[TLS_CERT_SUBJECT], "CN=rudi");
    assert_null(peer->text[TLS_CERT_LEAF]);
    assert_true(tls_peer_cert_is_whole(peer));
    tls_peer_cert_free(&peer);
    peer = told(chain, 1, true);
    assert_string_equal(peer->text[TLS_CERT_CHAIN], RUDI_PEM);
    tls_peer_cert_free(&peer);
}

/* A last line of 64 characters, and one of 4: no line is empty, none is longer. */
static void test_every_length_of_the_last_line(void **state)
{
    struct der_cert c = rudi;
    (void)state;

    for (c.filler = 1; c.filler <= 96; c.filler++) {
        struct tls_peer_cert *peer = told_one(&c);
        const char *text = peer->text[TLS_CERT_LEAF];
        size_t line = 0;
        assert_null(strstr(text, "%0A%0A"));
        for (const char *p = strstr(text, "%0A") + 3; *p != '\0'; p = strstr(p, "%0A") + 3) {
            line = strcspn(p, "%");
            assert_true(line == 64 || strstr(p, "%0A-----END%20") == p + line || *p == '-');
            assert_true(line <= 64);
        }
        tls_peer_cert_free(&peer);
    }
}

static void test_an_empty_name(void **state)
{
    const struct der_cert c = { SPAN("\x01"), SPAN(CA), SPAN("") };
    struct tls_peer_cert *peer = told_one(&c);
    (void)state;

    assert_string_equal(peer->text[TLS_CERT_SUBJECT], "");
    assert_true(tls_peer_cert_is_whole(peer));
    tls_peer_cert_free(&peer);
}

/* --- serial numbers -------------------------------------------------------------- */

static void expect_serial(struct span serial, const char *want)
{
    const struct der_cert c = { serial, SPAN(CA), SPAN(RUDI) };
    struct tls_peer_cert *peer = told_one(&c);

    if (want == NULL)
        assert_null(peer->text[TLS_CERT_SERIAL_NUMBER]);
    else
        assert_string_equal(peer->text[TLS_CERT_SERIAL_NUMBER], want);
    assert_int_equal(tls_peer_cert_is_whole(peer), want != NULL);
    tls_peer_cert_free(&peer);
}

static void test_serial_numbers(void **state)
{
    (void)state;
    expect_serial(SPAN("\x00"), "00");
    expect_serial(SPAN("\x0a"), "0A");
    expect_serial(SPAN("\x00\xff"), "FF");
    expect_serial(SPAN("\x7f\x00"), "7F00");
    expect_serial(SPAN("\x10\xfe\xdc\xba\x98\x76\x54\x32\x10"), "10FEDCBA9876543210");
}

static void test_a_serial_number_of_64_bytes_and_of_one_more(void **state)
{
    char serial[67] = { 0 }, hex[2 * 64 + 1];
    (void)state;

    memset(serial + 1, 0x11, 66);
    memset(hex, '1', sizeof(hex) - 1);
    hex[2 * 64] = '\0';
    expect_serial(span_of(serial + 1, 64), hex);
    expect_serial(span_of(serial, 65), hex);
    expect_serial(span_of(serial + 1, 65), NULL);
    expect_serial(span_of(serial, 66), NULL);
}

/* --- bounds ---------------------------------------------------------------------- */

/* CN= and so many letters; buf_done() it. */
static void long_name(struct buf *name, char letter, size_t letters)
{
    char text[5000];

    memset(text, letter, letters);
    buf_init(name, DER_MAX);
    der_put_common_name(name, span_of(text, letters));
}

static void test_a_name_of_4_kb_and_one_more(void **state)
{
    (void)state;
    for (size_t len = 4096; len <= 4097; len++) {
        struct buf name;
        long_name(&name, 'a', len - strlen("CN="));
        const struct der_cert as_subject = { SPAN("\x01"), SPAN(CA), buf_data(&name) },
                              as_issuer = { SPAN("\x01"), buf_data(&name), SPAN(RUDI) };
        struct tls_peer_cert *subject = told_one(&as_subject), *issuer = told_one(&as_issuer);
        assert_int_equal(subject->text[TLS_CERT_SUBJECT] != NULL, len == 4096);
        assert_int_equal(issuer->text[TLS_CERT_ISSUER] != NULL, len == 4096);
        assert_int_equal(tls_peer_cert_is_whole(subject), len == 4096);
        assert_int_equal(tls_peer_cert_is_whole(issuer), len == 4096);
        assert_non_null(subject->text[TLS_CERT_LEAF]);
        tls_peer_cert_free(&subject);
        tls_peer_cert_free(&issuer);
        buf_done(&name);
    }
}

/* What fits in one record: the message has a head, its list a length, each certificate one. */
enum { MESSAGE_MAX = 16384, MESSAGE_HEAD = 4 + 3, CERT_HEAD = 3, FIELD_NAME_MAX = 128 };

static size_t size_of(const struct der_cert *c)
{
    struct buf der;

    buf_init(&der, DER_MAX);
    der_put_cert(&der, c);
    const size_t len = buf_len(&der);
    buf_done(&der);
    return len;
}

/* Its bytes as header fields, under names as long as a listener may give them. */
static size_t head_of(const struct tls_peer_cert *peer)
{
    size_t n = 0;

    assert_true(tls_peer_cert_is_whole(peer));
    for (int i = 0; i < TLS_CERT_TEXTS; i++) {
        if (peer->text[i] != NULL)
            n += FIELD_NAME_MAX + strlen(": \r\n") + strlen(peer->text[i]);
    }
    return n;
}

/* The most text of the fewest bytes: names in which each byte is escaped. */
static void test_the_largest_certificate_of_a_message(void **state)
{
    struct buf name;
    char serial[64];
    (void)state;

    long_name(&name, '\xff', (4096 - strlen("CN=")) / 3);
    memset(serial, 0x11, sizeof(serial));
    struct der_cert c = { span_of(serial, sizeof(serial)), buf_data(&name), buf_data(&name), 1000 };
    const size_t fits = MESSAGE_MAX - MESSAGE_HEAD - CERT_HEAD;
    c.filler += fits - size_of(&c);
    while (size_of(&c) > fits)
        c.filler--;
    assert_int_equal(size_of(&c), fits);
    struct tls_peer_cert *peer = told_one(&c);
    const size_t head = head_of(peer);
    assert_in_range(head, TLS_CERT_HEAD_MAX / 2, TLS_CERT_HEAD_MAX);
    tls_peer_cert_free(&peer);
    buf_done(&name);
}

/* `factor` times what a message has room for. */
static struct tls_peer_cert *told_many(const struct der_cert *c, size_t factor)
{
    const size_t count = factor * ((MESSAGE_MAX - MESSAGE_HEAD) / (CERT_HEAD + size_of(c)));
    const struct der_cert **chain = calloc(count, sizeof(struct der_cert *));

    assert_non_null(chain);
    for (size_t i = 0; i < count; i++)
        chain[i] = c;
    struct tls_peer_cert *peer = told(chain, count, true);
    free(chain);
    return peer;
}

static void test_the_most_certificates_of_a_message(void **state)
{
    static const struct der_cert small = { SPAN_INIT("\x01"),
                                           SPAN_INIT("\x31\x08\x30\x06\x06\x01\x2a\x0c\x01\x61"),
                                           SPAN_INIT("") };
    struct tls_peer_cert *peer = told_many(&small, 1);
    (void)state;

    assert_in_range(head_of(peer), TLS_CERT_HEAD_MAX / 2, TLS_CERT_HEAD_MAX);
    tls_peer_cert_free(&peer);
}

static void test_a_chain_that_is_too_long_is_not_told(void **state)
{
    struct tls_peer_cert *peer = told_many(&rudi, 2);
    (void)state;

    assert_null(peer->text[TLS_CERT_CHAIN]);
    assert_false(tls_peer_cert_is_whole(peer));
    assert_string_equal(peer->text[TLS_CERT_SUBJECT], "CN=rudi");
    tls_peer_cert_free(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_leaf),
        cmocka_unit_test(test_a_chain),
        cmocka_unit_test(test_every_length_of_the_last_line),
        cmocka_unit_test(test_an_empty_name),
        cmocka_unit_test(test_serial_numbers),
        cmocka_unit_test(test_a_serial_number_of_64_bytes_and_of_one_more),
        cmocka_unit_test(test_a_name_of_4_kb_and_one_more),
        cmocka_unit_test(test_the_largest_certificate_of_a_message),
        cmocka_unit_test(test_the_most_certificates_of_a_message),
        cmocka_unit_test(test_a_chain_that_is_too_long_is_not_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
