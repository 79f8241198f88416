/* Names as text: what `openssl x509 -nameopt RFC2253` prints of the same bytes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "net/tls_name.h"

#include "der_cert.h"

enum { TEXT_MAX = 4096, ATTRIBUTES = 4 };

struct attribute {
    struct span oid;
    int tag;
    struct span value;
    bool joins; /* the relative name of the one before it */
};

#define CN(kind, text)                                                                             \
    {                                                                                              \
        SPAN_INIT(MBEDTLS_OID_AT_CN), MBEDTLS_ASN1_##kind, SPAN_INIT(text), false                  \
    }
#define UTF8(oid, text)                                                                            \
    {                                                                                              \
        SPAN_INIT(oid), MBEDTLS_ASN1_UTF8_STRING, SPAN_INIT(text), false                           \
    }
#define JOINED(oid, text)                                                                          \
    {                                                                                              \
        SPAN_INIT(oid), MBEDTLS_ASN1_UTF8_STRING, SPAN_INIT(text), true                            \
    }

static const struct name_row {
    const char *title;
    struct attribute attributes[ATTRIBUTES];
    const char *want;
} rows[] = {
    { "the narrowest first",
      { UTF8(MBEDTLS_OID_AT_COUNTRY, "DE"), UTF8(MBEDTLS_OID_AT_ORGANIZATION, "Example"),
        UTF8(MBEDTLS_OID_AT_ORG_UNIT, "ops"), CN(UTF8_STRING, "rudi") },
      "CN=rudi,OU=ops,O=Example,C=DE" },
    { "one relative name of two",
      { UTF8(MBEDTLS_OID_AT_COUNTRY, "DE"), CN(UTF8_STRING, "rudi"),
        JOINED(MBEDTLS_OID_AT_ORG_UNIT, "ops") },
      "OU=ops+CN=rudi,C=DE" },
    { "relative names of two and of two",
      { UTF8(MBEDTLS_OID_AT_COUNTRY, "DE"), JOINED(MBEDTLS_OID_AT_ORGANIZATION, "E"),
        CN(UTF8_STRING, "rudi"), JOINED(MBEDTLS_OID_AT_ORG_UNIT, "ops") },
      "OU=ops+CN=rudi,O=E+C=DE" },
    { "every character that is escaped",
      { CN(UTF8_STRING, "a,b+c\"d\\e<f>g;h") },
      "CN=a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h" },
    { "characters that are not", { CN(UTF8_STRING, "a=b/c'd#e f!g~") }, "CN=a=b/c'd#e f!g~" },
    { "a number sign in front", { CN(UTF8_STRING, "#1#") }, "CN=\\#1#" },
    { "blanks at both ends", { CN(UTF8_STRING, "  a b  ") }, "CN=\\  a b \\ " },
    { "one blank", { CN(UTF8_STRING, " ") }, "CN=\\ " },
    { "control bytes", { CN(UTF8_STRING, "\0a\x01\r\n\x1f\x7f") }, "CN=\\00a\\01\\0D\\0A\\1F\\7F" },
    { "UTF-8",
      { CN(UTF8_STRING, "J\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x98\x80") },
      "CN=J\\C3\\BCrgen \\E2\\82\\AC \\F0\\9F\\98\\80" },
    { "not quite UTF-8", { CN(UTF8_STRING, "\xc3(\xff") }, "CN=\\C3(\\FF" },
    { "PrintableString", { CN(PRINTABLE_STRING, "rudi") }, "CN=rudi" },
    { "PrintableString that is none", { CN(PRINTABLE_STRING, "r\xfc,") }, "CN=r\\C3\\BC\\," },
    { "IA5String", { CN(IA5_STRING, "rudi@example.com") }, "CN=rudi@example.com" },
    { "T61String, as Latin-1", { CN(T61_STRING, "J\xfcrgen") }, "CN=J\\C3\\BCrgen" },
    { "BMPString",
      { CN(BMP_STRING, "\0 \0#\0,\0\xfc\x20\xac\0 ") },
      "CN=\\ #\\,\\C3\\BC\\E2\\82\\AC\\ " },
    { "BMPString, a number sign in front", { CN(BMP_STRING, "\0#\0a") }, "CN=\\#a" },
    { "UniversalString",
      { CN(UNIVERSAL_STRING, "\0\0\0a\0\0\0\xfc\0\0\x20\xac\0\x01\xf6\0\0\x10\xff\xff\0\0\0 ") },
      "CN=a\\C3\\BC\\E2\\82\\AC\\F0\\9F\\98\\80\\F4\\8F\\BF\\BF\\ " },
    { "BMPString, half a character", { CN(BMP_STRING, "\0a\0") }, "CN=#1E03006100" },
    { "BMPString, half of a pair", { CN(BMP_STRING, "\xd8\x3d") }, "CN=#1E02D83D" },
    { "UniversalString, not of Unicode",
      { CN(UNIVERSAL_STRING, "\0\x11\0\0") },
      "CN=#1C0400110000" },
    { "UniversalString, half a character", { CN(UNIVERSAL_STRING, "\0\0\0") }, "CN=#1C03000000" },
    { "a value that is empty",
      { UTF8(MBEDTLS_OID_AT_COUNTRY, "DE"), CN(UTF8_STRING, "") },
      "CN=,C=DE" },
    { "a bit string", { CN(BIT_STRING, "\0\x0f") }, "CN=#0302000F" },
    { "an unknown type", { UTF8("\x2a\x03\x04", "a,") }, "1.2.3.4=#0C02612C" },
    { "an unknown type, empty", { UTF8("\x2a\x03\x04", "") }, "1.2.3.4=#0C00" },
    { "an unknown type of large numbers",
      { UTF8("\x2a\x86\x48\x86\xf7\x0d\x63", "a") },
      "1.2.840.113549.99=#0C0161" },
    { "surname, serial number, locality, state",
      { UTF8(MBEDTLS_OID_AT_SUR_NAME, "a"), UTF8(MBEDTLS_OID_AT_SERIAL_NUMBER, "b"),
        UTF8(MBEDTLS_OID_AT_LOCALITY, "c"), UTF8(MBEDTLS_OID_AT_STATE, "d") },
      "ST=d,L=c,serialNumber=b,SN=a" },
    { "street, title, postal code, given name",
      { UTF8(MBEDTLS_OID_AT "\x09", "a"), UTF8(MBEDTLS_OID_AT_TITLE, "b"),
        UTF8(MBEDTLS_OID_AT_POSTAL_CODE, "c"), UTF8(MBEDTLS_OID_AT_GIVEN_NAME, "d") },
      "GN=d,postalCode=c,title=b,street=a" },
    { "initials, generation, qualifier, pseudonym",
      { UTF8(MBEDTLS_OID_AT_INITIALS, "a"), UTF8(MBEDTLS_OID_AT_GENERATION_QUALIFIER, "b"),
        UTF8(MBEDTLS_OID_AT_DN_QUALIFIER, "c"), UTF8(MBEDTLS_OID_AT_PSEUDONYM, "d") },
      "pseudonym=d,dnQualifier=c,generationQualifier=b,initials=a" },
    { "domain, user, mail",
      { UTF8(MBEDTLS_OID_DOMAIN_COMPONENT, "a"),
        UTF8("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", "b"), UTF8(MBEDTLS_OID_PKCS9_EMAIL, "c") },
      "emailAddress=c,UID=b,DC=a" },
    { "extended validation",
      { UTF8("\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x01", "a"),
        UTF8("\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x02", "b"),
        UTF8("\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x03", "c"),
        UTF8(MBEDTLS_OID_AT "\x0f", "d") },
      "businessCategory=d,jurisdictionC=c,jurisdictionST=b,jurisdictionL=a" },
    { "identifier of the organization, name, description, unstructured name",
      { UTF8(MBEDTLS_OID_AT "\x61", "a"), UTF8(MBEDTLS_OID_AT "\x29", "b"),
        UTF8(MBEDTLS_OID_AT "\x0d", "c"), UTF8(MBEDTLS_OID_PKCS9 "\x02", "d") },
      "unstructuredName=d,description=c,name=b,organizationIdentifier=a" },
    { "post office box, telephone number, unique identifier",
      { UTF8(MBEDTLS_OID_AT "\x12", "a"), UTF8(MBEDTLS_OID_AT "\x14", "b"),
        UTF8(MBEDTLS_OID_AT "\x2d", "c") },
      "x500UniqueIdentifier=c,telephoneNumber=b,postOfficeBox=a" },
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* Of the subject that has these relative names; free() it. NULL: it did not fit. */
static char *text_of(const struct buf *relative_names, size_t bound)
{
    const struct der_cert fields = { SPAN("\x01"),
                                     SPAN("\x31\x0b\x30\x09\x06\x03\x55\x04\x06"
                                          "\x0c\x02UK"),
                                     buf_data(relative_names) };
    mbedtls_x509_crt crt;
    struct buf text;
    char *copy = NULL;

    mbedtls_x509_crt_init(&crt);
    if (der_parse_cert(&crt, &fields) != 0)
        fail_msg("mbedTLS does not read it");
    buf_init(&text, bound);
    if (tls_name_put(&text, &crt.subject)) {
        copy = calloc(1, buf_len(&text) + 1);
        assert_non_null(copy);
        memcpy(copy, buf_data(&text).ptr, buf_len(&text));
    }
    buf_done(&text);
    mbedtls_x509_crt_free(&crt);
    return copy;
}

static void put_row(struct buf *to, const struct name_row *row)
{
    for (int i = 0; i < ATTRIBUTES && row->attributes[i].tag != 0;) {
        struct buf set;
        buf_init(&set, DER_MAX);
        do {
            const struct attribute *a = &row->attributes[i++];
            der_put_attribute(&set, a->oid, a->tag, a->value);
        } while (i < ATTRIBUTES && row->attributes[i].joins);
        der_move(to, &set, DER_SET);
    }
}

static void test_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        struct buf names;
        buf_init(&names, DER_MAX);
        put_row(&names, &rows[i]);
        char *got = text_of(&names, TEXT_MAX);
        if (got == NULL || strcmp(got, rows[i].want) != 0)
            fail_msg("%s:\n--- got\n%s\n--- want\n%s", rows[i].title, got, rows[i].want);
        free(got);
        buf_done(&names);
    }
}

/* For a program that lets somebody in by it: what could be taken for another one's is none. */
static const struct {
    struct name_row name;
    const char *want;
} commons[] = {
    { { "one", { UTF8(MBEDTLS_OID_AT_COUNTRY, "DE"), CN(UTF8_STRING, "rudi") }, NULL }, "rudi" },
    { { "printable", { CN(PRINTABLE_STRING, "ops-1.a") }, NULL }, "ops-1.a" },
    { { "none", { UTF8(MBEDTLS_OID_AT_COUNTRY, "DE") }, NULL }, "" },
    { { "two", { CN(UTF8_STRING, "rudi"), CN(UTF8_STRING, "otto") }, NULL }, "" },
    { { "a blank", { CN(UTF8_STRING, "rudi otto") }, NULL }, "" },
    { { "a NUL", { CN(UTF8_STRING, "rudi\0x") }, NULL }, "" },
    { { "UTF-8", { CN(UTF8_STRING, "r\xc3\xbc") }, NULL }, "" },
    { { "wide", { CN(BMP_STRING, "\0r") }, NULL }, "" },
    { { "nothing", { CN(UTF8_STRING, "") }, NULL }, "" },
    { { "8 characters", { CN(UTF8_STRING, "12345678") }, NULL }, "12345678" },
    { { "9 characters", { CN(UTF8_STRING, "123456789") }, NULL }, "" },
};

static void test_common_names(void **state)
{
    const struct span issuer = SPAN("\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x0c\x02UK");
    (void)state;

    for (size_t i = 0; i < sizeof(commons) / sizeof(commons[0]); i++) {
        mbedtls_x509_crt crt;
        struct buf names;
        char got[9];

        buf_init(&names, DER_MAX);
        put_row(&names, &commons[i].name);
        const struct der_cert fields = { SPAN("\x01"), issuer, buf_data(&names) };
        mbedtls_x509_crt_init(&crt);
        if (der_parse_cert(&crt, &fields) != 0)
            fail_msg("%s: mbedTLS does not read it", commons[i].name.title);
        tls_name_common(&crt.subject, got, sizeof(got));
        if (strcmp(got, commons[i].want) != 0)
            fail_msg("%s: \"%s\"", commons[i].name.title, got);
        mbedtls_x509_crt_free(&crt);
        buf_done(&names);
    }
}

static void test_a_name_without_attributes_is_no_text(void **state)
{
    struct buf names;
    (void)state;

    buf_init(&names, DER_MAX);
    char *got = text_of(&names, TEXT_MAX);
    assert_string_equal(got, "");
    free(got);
}

/* The length of an encoding has one byte, two or three. */
static void test_encodings_of_every_length(void **state)
{
    static const struct {
        size_t len;
        const char *start;
    } lengths[] = {
        { 127, "2.5.5=#0C7F61" },     { 128, "2.5.5=#0C818061" },    { 255, "2.5.5=#0C81FF61" },
        { 256, "2.5.5=#0C82010061" }, { 1000, "2.5.5=#0C8203E861" },
    };
    char value[1000];
    (void)state;

    memset(value, 'a', sizeof(value));
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct buf set, names;
        buf_init(&set, DER_MAX);
        buf_init(&names, DER_MAX);
        der_put_attribute(&set, SPAN("\x55\x05"), MBEDTLS_ASN1_UTF8_STRING,
                          span_of(value, lengths[i].len));
        der_move(&names, &set, DER_SET);
        char *got = text_of(&names, TEXT_MAX);
        assert_non_null(got);
        assert_int_equal(strlen(got), strlen(lengths[i].start) + 2 * (lengths[i].len - 1));
        assert_memory_equal(got, lengths[i].start, strlen(lengths[i].start));
        free(got);
        buf_done(&names);
    }
}

static char *text_of_many(size_t count)
{
    struct buf names;

    buf_init(&names, DER_MAX);
    for (size_t i = 0; i < count; i++)
        der_put_common_name(&names, SPAN("a"));
    char *got = text_of(&names, TEXT_MAX);
    buf_done(&names);
    return got;
}

static void test_64_attributes_and_one_more(void **state)
{
    char *got = text_of_many(64);
    (void)state;

    assert_non_null(got);
    assert_int_equal(strlen(got), 64 * strlen("CN=a,") - 1);
    free(got);
    assert_null(text_of_many(65));
}

/* Wherever the room ends: never a part of a name for the whole of it. */
static void test_a_bound_that_is_exceeded(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        const size_t len = strlen(rows[i].want);
        struct buf names;
        buf_init(&names, DER_MAX);
        put_row(&names, &rows[i]);
        for (size_t bound = 0; bound < len; bound++)
            assert_null(text_of(&names, bound));
        char *got = text_of(&names, len);
        assert_string_equal(got, rows[i].want);
        free(got);
        buf_done(&names);
    }
}

/* An object identifier that has no text of ours: the name has none either. */
static void test_a_type_that_is_too_long(void **state)
{
    char oid[200];
    struct buf set, names;
    (void)state;

    memset(oid, 1, sizeof(oid));
    buf_init(&set, DER_MAX);
    buf_init(&names, DER_MAX);
    der_put_attribute(&set, span_of(oid, sizeof(oid)), MBEDTLS_ASN1_UTF8_STRING, SPAN("a"));
    der_move(&names, &set, DER_SET);
    assert_null(text_of(&names, TEXT_MAX));
    buf_done(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_common_names),
        cmocka_unit_test(test_a_name_without_attributes_is_no_text),
        cmocka_unit_test(test_encodings_of_every_length),
        cmocka_unit_test(test_64_attributes_and_one_more),
        cmocka_unit_test(test_a_bound_that_is_exceeded),
        cmocka_unit_test(test_a_type_that_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
