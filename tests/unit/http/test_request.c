/*
 * The strict scan of requests, row by row: what each odd request is called,
 * what becomes of it in each mode, and what is sent to the target in its place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "http/parse.h"

#include "canon.h"
#include "guard.h"

#define H "Host: a.example\r\n"
#define OUT_H "Host: a.example\r\n"

struct row {
    const char *name;
    struct span bytes;
    enum http_reason reason;
    int defensive, strictest; /* status it is refused with; 0: parsed */
    const char *sent;         /* the canonical head, when it is parsed in defensive */
};

/* A request line, then the same with fields and a Host. */
#define LINE(line) SPAN_INIT(line "\r\n" H "\r\n")
#define GET(fields) SPAN_INIT("GET / HTTP/1.1\r\n" H fields "\r\n")
#define POST(fields) SPAN_INIT("POST / HTTP/1.1\r\n" H fields "\r\n")
#define SENT_LINE(line) line "\r\n" OUT_H "\r\n"
#define SENT_GET(fields) "GET / HTTP/1.1\r\n" OUT_H fields "\r\n"
#define SENT_POST(fields) "POST / HTTP/1.1\r\n" OUT_H fields "\r\n"

static const struct row lines[] = {
    { "plain", LINE("GET /a?b=c HTTP/1.1"), HTTP_R_NONE, 0, 0, SENT_LINE("GET /a?b=c HTTP/1.1") },
    { "HTTP/1.0", LINE("GET / HTTP/1.0"), HTTP_R_NONE, 0, 0, SENT_LINE("GET / HTTP/1.1") },
    { "1.0, no Host", SPAN_INIT("GET / HTTP/1.0\r\n\r\n"), HTTP_R_NONE, 0, 0,
      "GET / HTTP/1.1\r\n\r\n" },
    { "one empty line first", LINE("\r\nGET / HTTP/1.1"), HTTP_R_NONE, 0, 0,
      SENT_LINE("GET / HTTP/1.1") },
    { "two empty lines first", LINE("\r\n\r\nGET / HTTP/1.1"), HTTP_R_EMPTY_HEADER, 0, 400,
      SENT_LINE("GET / HTTP/1.1") },
    { "bare LF first", LINE("\nGET / HTTP/1.1"), HTTP_R_NON_CRLF_LINE_TERMINATION, 0, 400,
      SENT_LINE("GET / HTTP/1.1") },
    { "nine empty lines first", LINE("\n\n\n\n\n\n\n\n\nGET / HTTP/1.1"), HTTP_R_EMPTY_HEADER, 400,
      400, NULL },
    { "custom method", LINE("BREW / HTTP/1.1"), HTTP_R_NONE, 0, 501, SENT_LINE("BREW / HTTP/1.1") },
    { "lower-case method", LINE("get / HTTP/1.1"), HTTP_R_NONE, 0, 501,
      SENT_LINE("get / HTTP/1.1") },
    { "CONNECT", LINE("CONNECT a.example:443 HTTP/1.1"), HTTP_R_NONE, 405, 405, NULL },
    { "TRACE", LINE("TRACE / HTTP/1.1"), HTTP_R_NONE, 405, 405, NULL },
    { "method no token", LINE("G@T / HTTP/1.1"), HTTP_R_BAD_METHOD, 400, 400, NULL },
    { "NUL in method", LINE("G\0T / HTTP/1.1"), HTTP_R_BAD_METHOD, 400, 400, NULL },
    { "tabs for blanks", LINE("GET\t/\tHTTP/1.1"), HTTP_R_BAD_METHOD, 400, 400, NULL },
    { "blank first", LINE(" GET / HTTP/1.1"), HTTP_R_BAD_METHOD, 400, 400, NULL },
    { "CR first", LINE("\rGET / HTTP/1.1"), HTTP_R_BAD_METHOD, 400, 400, NULL },
    { "TLS hello", LINE("\x16\x03\x01\x02"), HTTP_R_BAD_METHOD, 400, 400, NULL },
    { "two blanks before the URI", LINE("GET  / HTTP/1.1"), HTTP_R_NON_COMPLIANT_VERSION, 0, 400,
      SENT_LINE("GET / HTTP/1.1") },
    { "two blanks before the version", LINE("GET /  HTTP/1.1"), HTTP_R_NON_COMPLIANT_VERSION, 0,
      400, SENT_LINE("GET / HTTP/1.1") },
    { "blank after the version", LINE("GET / HTTP/1.1 "), HTTP_R_NON_COMPLIANT_VERSION, 0, 400,
      SENT_LINE("GET / HTTP/1.1") },
    { "HTTP/1.2", LINE("GET / HTTP/1.2"), HTTP_R_NON_COMPLIANT_VERSION, 0, 400,
      SENT_LINE("GET / HTTP/1.1") },
    { "HTTP/1.9", LINE("GET / HTTP/1.9"), HTTP_R_NON_COMPLIANT_VERSION, 0, 400,
      SENT_LINE("GET / HTTP/1.1") },
    { "HTTP/0.9", LINE("GET / HTTP/0.9"), HTTP_R_NON_COMPLIANT_VERSION, 400, 400, NULL },
    { "no version", LINE("GET /"), HTTP_R_NON_COMPLIANT_VERSION, 400, 400, NULL },
    { "HTTP/2.0", LINE("PRI * HTTP/2.0"), HTTP_R_BAD_VERSION, 505, 505, NULL },
    { "HTTP/2.0 for GET", LINE("GET / HTTP/2.0"), HTTP_R_BAD_VERSION, 505, 505, NULL },
    { "HTTP/9.9", LINE("GET / HTTP/9.9"), HTTP_R_BAD_VERSION, 505, 505, NULL },
    { "HTTP/1.10", LINE("GET / HTTP/1.10"), HTTP_R_BAD_VERSION, 400, 400, NULL },
    { "HTTP/1", LINE("GET / HTTP/1"), HTTP_R_BAD_VERSION, 400, 400, NULL },
    { "http/1.1", LINE("GET / http/1.1"), HTTP_R_BAD_VERSION, 400, 400, NULL },
    { "ICE/1.0", LINE("GET / ICE/1.0"), HTTP_R_BAD_VERSION, 400, 400, NULL },
    { "CR in version", LINE("GET / HTTP/1.1\r"), HTTP_R_BAD_VERSION, 400, 400, NULL },
    { "no URI", LINE("GET HTTP/1.1"), HTTP_R_MISSING_URI, 400, 400, NULL },
    { "no URI, two blanks", LINE("GET  HTTP/1.1"), HTTP_R_MISSING_URI, 400, 400, NULL },
    { "method alone", LINE("GET"), HTTP_R_MISSING_URI, 400, 400, NULL },
    { "blank in URI", LINE("GET /a b HTTP/1.1"), HTTP_R_SPACE_IN_URI, 0, 400,
      SENT_LINE("GET /a%20b HTTP/1.1") },
    { "high bytes in URI", LINE("GET /\xc3\xa9 HTTP/1.1"), HTTP_R_SPACE_IN_URI, 0, 400,
      SENT_LINE("GET /%C3%A9 HTTP/1.1") },
    { "tab in URI", LINE("GET /a\tb HTTP/1.1"), HTTP_R_AMBIGUOUS_URI, 0, 400,
      SENT_LINE("GET /a%09b HTTP/1.1") },
    { "FF in URI", LINE("GET /a\fb HTTP/1.1"), HTTP_R_AMBIGUOUS_URI, 0, 400,
      SENT_LINE("GET /a%0Cb HTTP/1.1") },
    { "DEL in query", LINE("GET /?\x7f HTTP/1.1"), HTTP_R_AMBIGUOUS_URI, 0, 400,
      SENT_LINE("GET /?%7F HTTP/1.1") },
    { "NUL in URI", LINE("GET /a\0b HTTP/1.1"), HTTP_R_BAD_URI, 400, 400, NULL },
    { "CR in URI", LINE("GET /a\rb HTTP/1.1"), HTTP_R_BAD_URI, 400, 400, NULL },
    { "fragment", LINE("GET /a#b HTTP/1.1"), HTTP_R_BAD_URI, 400, 400, NULL },
    { "backslash", LINE("GET /a\\b HTTP/1.1"), HTTP_R_BAD_URI, 400, 400, NULL },
    { "odd but allowed", LINE("GET /\"<>^{}|` HTTP/1.1"), HTTP_R_NONE, 0, 0,
      SENT_LINE("GET /\"<>^{}|` HTTP/1.1") },
    { "no slash", LINE("GET a HTTP/1.1"), HTTP_R_BAD_URI, 400, 400, NULL },
    { "GET *", LINE("GET * HTTP/1.1"), HTTP_R_BAD_URI, 400, 400, NULL },
    { "OPTIONS *", LINE("OPTIONS * HTTP/1.1"), HTTP_R_NONE, 0, 0, SENT_LINE("OPTIONS * HTTP/1.1") },
    { "OPTIONS **", LINE("OPTIONS ** HTTP/1.1"), HTTP_R_BAD_URI, 400, 400, NULL },
    { "dots", LINE("GET /a/../b HTTP/1.1"), HTTP_R_NONE, 0, 400,
      SENT_LINE("GET /a/../b HTTP/1.1") },
    { "encoded dots", LINE("GET /a/%2e%2E HTTP/1.1"), HTTP_R_NONE, 0, 400,
      SENT_LINE("GET /a/%2e%2E HTTP/1.1") },
    { "encoded slash and dots", LINE("GET /a%2f..%5Cb HTTP/1.1"), HTTP_R_NONE, 0, 400,
      SENT_LINE("GET /a%2f..%5Cb HTTP/1.1") },
    { "encoded NUL", LINE("GET /a%00 HTTP/1.1"), HTTP_R_NONE, 0, 400,
      SENT_LINE("GET /a%00 HTTP/1.1") },
    { "dots that are no segment", LINE("GET /..a/b../.../%2 HTTP/1.1"), HTTP_R_NONE, 0, 0,
      SENT_LINE("GET /..a/b../.../%2 HTTP/1.1") },
    { "absolute", LINE("GET http://a.example/p?q HTTP/1.1"), HTTP_R_NONE, 0, 0,
      SENT_LINE("GET /p?q HTTP/1.1") },
    { "absolute, no path", LINE("GET HTTPS://A.example HTTP/1.1"), HTTP_R_NONE, 0, 0,
      SENT_LINE("GET / HTTP/1.1") },
    { "absolute, query only", LINE("GET http://a.example?q HTTP/1.1"), HTTP_R_NONE, 0, 0,
      SENT_LINE("GET /?q HTTP/1.1") },
    { "absolute OPTIONS", LINE("OPTIONS http://a.example HTTP/1.1"), HTTP_R_NONE, 0, 0,
      SENT_LINE("OPTIONS * HTTP/1.1") },
    { "absolute, another host", LINE("GET http://b.example/ HTTP/1.1"), HTTP_R_NONE, 0, 400,
      SENT_LINE("GET / HTTP/1.1") },
    { "absolute, userinfo", LINE("GET http://u@a.example/ HTTP/1.1"), HTTP_R_BAD_URI, 400, 400,
      NULL },
    { "absolute, no host", LINE("GET http:///x HTTP/1.1"), HTTP_R_BAD_URI, 400, 400, NULL },
    { "absolute, another scheme", LINE("GET ftp://a.example/ HTTP/1.1"), HTTP_R_BAD_URI, 400, 400,
      NULL },
};

static const struct row fields[] = {
    { "blanks around the value", GET("X:  \t a \t\r\n"), HTTP_R_NONE, 0, 0, SENT_GET("X: a\r\n") },
    { "empty value", GET("X:\r\n"), HTTP_R_NONE, 0, 0, SENT_GET("X: \r\n") },
    { "high bytes in value", GET("X: \xe9\r\n"), HTTP_R_NON_COMPLIANT_HEADER, 0, 400,
      SENT_GET("X: \xe9\r\n") },
    { "control in value", GET("X: a\x01\r\nY: b\r\n"), HTTP_R_NON_COMPLIANT_HEADER, 0, 400,
      SENT_GET("Y: b\r\n") },
    { "DEL in value", GET("X: \x7f\r\n"), HTTP_R_NON_COMPLIANT_HEADER, 0, 400, SENT_GET("") },
    { "NUL in value", GET("X: a\0\r\n"), HTTP_R_BAD_HEADER, 400, 400, NULL },
    { "NUL in name", GET("X\0: a\r\n"), HTTP_R_BAD_HEADER, 400, 400, NULL },
    { "NUL, no colon", GET("X\0\r\n"), HTTP_R_BAD_HEADER, 400, 400, NULL },
    { "CR in value", GET("X: a\rb\r\n"), HTTP_R_BAD_HEADER, 400, 400, NULL },
    { "CR as separator", GET("X-Abc: \rxTransfer-Encoding: chunked\r\n"), HTTP_R_BAD_HEADER, 400,
      400, NULL },
    { "CR before CRLF", GET("X: a\r\r\n"), HTTP_R_BAD_HEADER, 400, 400, NULL },
    { "CR CR LF as end", SPAN_INIT("GET / HTTP/1.1\r\n" H "\r\r\n\r\n"), HTTP_R_BAD_HEADER, 400,
      400, NULL },
    { "blank before colon", GET("Foo : a\r\n"), HTTP_R_NON_COMPLIANT_HEADER, 0, 400, SENT_GET("") },
    { "blank in name", GET("Foo Bar: a\r\n"), HTTP_R_NON_COMPLIANT_HEADER, 0, 400, SENT_GET("") },
    { "odd name", GET("F(o): a\r\n"), HTTP_R_NON_COMPLIANT_HEADER, 0, 400, SENT_GET("") },
    { "high byte in name", GET("F\xe9: a\r\n"), HTTP_R_NON_COMPLIANT_HEADER, 0, 400, SENT_GET("") },
    { "no colon", GET("foo\r\n"), HTTP_R_MISSING_HEADER_COLON, 0, 400, SENT_GET("") },
    { "empty name", GET(": a\r\n"), HTTP_R_EMPTY_HEADER, 0, 400, SENT_GET("") },
    { "blank-only line", GET(" \t\r\nX: a\r\n"), HTTP_R_EMPTY_HEADER, 0, 400,
      SENT_GET("X: a\r\n") },
    { "bare LF", SPAN_INIT("GET / HTTP/1.1\nHost: a.example\n\n"), HTTP_R_NON_CRLF_LINE_TERMINATION,
      0, 400, SENT_GET("") },
    { "bare LF at the end", SPAN_INIT("GET / HTTP/1.1\r\n" H "\n"),
      HTTP_R_NON_CRLF_LINE_TERMINATION, 0, 400, SENT_GET("") },
    { "folded", GET("X: a \r\n \tb\r\n\tc\r\nY: d\r\n"), HTTP_R_MULTILINE_HEADER, 0, 400,
      SENT_GET("X: a b c\r\nY: d\r\n") },
    { "folded, empty first", GET("X:\r\n b\r\n"), HTTP_R_MULTILINE_HEADER, 0, 400,
      SENT_GET("X: b\r\n") },
    { "folded with a control", GET("X: a\r\n \x01\r\nY: d\r\n"), HTTP_R_MULTILINE_HEADER, 0, 400,
      SENT_GET("Y: d\r\n") },
    { "folded with a NUL", GET("X: a\r\n \0\r\n"), HTTP_R_BAD_HEADER, 400, 400, NULL },
    { "folded, what it continues is left out", GET("X(: a\r\n Content-Length: 5\r\n"),
      HTTP_R_MULTILINE_HEADER, 0, 400, SENT_GET("") },
    { "folded first line", SPAN_INIT("GET / HTTP/1.1\r\n X: a\r\n" H "\r\n"),
      HTTP_R_MULTILINE_HEADER, 0, 400, SENT_GET("") },
    { "folded Host", GET(" b\r\n"), HTTP_R_MULTILINE_HEADER, 400, 400, NULL },
    { "folded Connection", GET("Connection: a\r\n b\r\n"), HTTP_R_MULTILINE_HEADER, 400, 400,
      NULL },
    { "folded Upgrade", GET("Upgrade: a\r\n b\r\n"), HTTP_R_MULTILINE_HEADER, 400, 400, NULL },
    { "folded Content-Length", POST("Content-Length: 1\r\n 2\r\n"), HTTP_R_MULTILINE_HEADER, 400,
      400, NULL },
    { "folded Transfer-Encoding", POST("Transfer-Encoding: chunked\r\n , x\r\n"),
      HTTP_R_MULTILINE_HEADER, 400, 400, NULL },
    { "Content-Length starts on a fold", POST("Content-Length:\r\n 2\r\n"),
      HTTP_R_BAD_CONTENT_LENGTH, 400, 400, NULL },
    { "disguised Host", GET("Ho_st: b\r\n"), HTTP_R_NONE, 0, 0, SENT_GET("") },
    { "disguised X-Forwarded-For", GET("X_Forwarded_For: 1.2.3.4\r\n"), HTTP_R_NONE, 0, 0,
      SENT_GET("") },
    { "disguised with dots", GET("X.Forwarded.Proto: https\r\n"), HTTP_R_NONE, 0, 0, SENT_GET("") },
    { "disguised, control in value", GET("X_Forwarded_For: 1.2.3.4\x01\r\n"),
      HTTP_R_NON_COMPLIANT_HEADER, 0, 400, SENT_GET("") },
    { "disguised, high bytes in value", GET("X-Real.IP: a\r\nX_Forwarded-For: \xe9\r\n"),
      HTTP_R_NON_COMPLIANT_HEADER, 0, 400, SENT_GET("X-Real.IP: a\r\n") },
    { "underscore, control in value", GET("my_field: \x7f\r\n"), HTTP_R_NON_COMPLIANT_HEADER, 0,
      400, SENT_GET("") },
    { "underscore, no disguise", GET("my_field: a\r\n"), HTTP_R_NONE, 0, 0,
      SENT_GET("my_field: a\r\n") },
    { "no Host", SPAN_INIT("GET / HTTP/1.1\r\nX: a\r\n\r\n"), HTTP_R_NONE, 400, 400, NULL },
    { "no Host, absolute", SPAN_INIT("GET http://a/ HTTP/1.1\r\n\r\n"), HTTP_R_NONE, 400, 400,
      NULL },
    { "empty Host", SPAN_INIT("GET / HTTP/1.1\r\nHost:\r\n\r\n"), HTTP_R_NONE, 400, 400, NULL },
    { "two Hosts", GET("Host: b\r\n"), HTTP_R_NONE, 0, 400, SENT_GET("Host: b\r\n") },
    { "Host with blank", SPAN_INIT("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), HTTP_R_NONE, 400, 400,
      NULL },
    { "Host with comma", SPAN_INIT("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"), HTTP_R_NONE, 400, 400,
      NULL },
    { "Host with userinfo", SPAN_INIT("GET / HTTP/1.1\r\nHost: c@d\r\n\r\n"), HTTP_R_NONE, 400, 400,
      NULL },
    { "Host with path", SPAN_INIT("GET / HTTP/1.1\r\nHost: c/\r\n\r\n"), HTTP_R_NONE, 400, 400,
      NULL },
    { "Host with control", SPAN_INIT("GET / HTTP/1.1\r\nHost: c\x01\r\n" H "\r\n"),
      HTTP_R_NON_COMPLIANT_HEADER, 400, 400, NULL },
    { "Expect: 100-continue", POST("Expect: 100-Continue\r\nContent-Length: 1\r\n"), HTTP_R_NONE, 0,
      0, SENT_POST("Expect: 100-Continue\r\nContent-Length: 1\r\n") },
    { "Expect: other", POST("Expect: x\r\nContent-Length: 1\r\n"), HTTP_R_NONE, 417, 417, NULL },
    { "Expect: twice", POST("Expect: 100-continue, 100-continue\r\n"), HTTP_R_NONE, 417, 417,
      NULL },
};

#define CL "Content-Length: "
#define TE "Transfer-Encoding: "
#define CHUNKED "Transfer-Encoding: chunked\r\n"

static const struct row framing[] = {
    { "length", POST(CL "4\r\n"), HTTP_R_NONE, 0, 0, SENT_POST(CL "4\r\n") },
    { "length 0", POST(CL "0\r\n"), HTTP_R_NONE, 0, 0, SENT_POST(CL "0\r\n") },
    { "leading zeros", POST(CL "0004  \r\n"), HTTP_R_NONE, 0, 0, SENT_POST(CL "4\r\n") },
    { "same length twice", POST(CL "4\r\n" CL "04\r\n"), HTTP_R_DUPLICATE_CONTENT_LENGTH, 0, 400,
      SENT_POST(CL "4\r\n") },
    { "two lengths", POST(CL "4\r\n" CL "5\r\n"), HTTP_R_MULTIPLE_CONTENT_LENGTH, 400, 400, NULL },
    { "length list", POST(CL "4, 4\r\n"), HTTP_R_BAD_CONTENT_LENGTH, 400, 400, NULL },
    { "+4", POST(CL "+4\r\n"), HTTP_R_BAD_CONTENT_LENGTH, 400, 400, NULL },
    { "-4", POST(CL "-4\r\n"), HTTP_R_BAD_CONTENT_LENGTH, 400, 400, NULL },
    { "0x4", POST(CL "0x4\r\n"), HTTP_R_BAD_CONTENT_LENGTH, 400, 400, NULL },
    { "4 2", POST(CL "4 2\r\n"), HTTP_R_BAD_CONTENT_LENGTH, 400, 400, NULL },
    { "4.2", POST(CL "4.2\r\n"), HTTP_R_BAD_CONTENT_LENGTH, 400, 400, NULL },
    { "empty", POST(CL "\r\n"), HTTP_R_BAD_CONTENT_LENGTH, 400, 400, NULL },
    { "VT", POST(CL "\v4\r\n"), HTTP_R_BAD_CONTENT_LENGTH, 400, 400, NULL },
    { "HTAB", POST(CL "4\t\r\n"), HTTP_R_BAD_CONTENT_LENGTH, 400, 400, NULL },
    { "19 digits", POST(CL "9999999999999999999\r\n"), HTTP_R_NONE, 0, 0,
      SENT_POST(CL "9999999999999999999\r\n") },
    { "20 digits", POST(CL "18446744073709551616\r\n"), HTTP_R_BAD_CONTENT_LENGTH, 400, 400, NULL },
    { "GET, length 0", GET(CL "0\r\n"), HTTP_R_GET_HEAD_ZERO_CONTENT_LENGTH, 0, 400, SENT_GET("") },
    { "GET, length", GET(CL "3\r\n"), HTTP_R_UNDEFINED_CONTENT_LENGTH_SEMANTICS, 0, 400,
      SENT_GET(CL "3\r\n") },
    { "GET, chunked", GET(CHUNKED), HTTP_R_UNDEFINED_TRANSFER_ENCODING_SEMANTICS, 0, 400,
      SENT_GET(CHUNKED) },
    { "chunked", POST(TE "CHUNKED \r\n"), HTTP_R_NONE, 0, 0, SENT_POST(CHUNKED) },
    { "length, then chunked", POST(CL "4\r\n" CHUNKED), HTTP_R_BOTH_TE_CL_PRESENT, 0, 400,
      SENT_POST(CHUNKED) },
    { "chunked, then length", POST(CHUNKED CL "4\r\n"), HTTP_R_BOTH_TE_CL_PRESENT, 0, 400,
      SENT_POST(CHUNKED) },
    { "HTTP/1.0 chunked", SPAN_INIT("POST / HTTP/1.0\r\n" H CHUNKED "\r\n"),
      HTTP_R_UNDEFINED_TRANSFER_ENCODING_SEMANTICS, 0, 400, SENT_POST(CHUNKED) },
    { "identity", POST(TE "identity\r\n"), HTTP_R_NONE, 0, 501, SENT_POST("") },
    { "identity and length", POST(TE "identity\r\n" CL "4\r\n"), HTTP_R_BOTH_TE_CL_PRESENT, 0, 501,
      SENT_POST(CL "4\r\n") },
    { "chunked twice", POST(CHUNKED CHUNKED), HTTP_R_MULTIPLE_TRANSFER_ENCODING_CHUNKED, 400, 400,
      NULL },
    { "chunked, chunked", POST(TE "chunked, chunked\r\n"),
      HTTP_R_MULTIPLE_TRANSFER_ENCODING_CHUNKED, 400, 400, NULL },
    { "another, then chunked", POST(TE "eee\r\n" CHUNKED), HTTP_R_BAD_TRANSFER_ENCODING, 400, 400,
      NULL },
    { "chunked, then another", POST(CHUNKED TE "eee\r\n"), HTTP_R_BAD_TRANSFER_ENCODING, 400, 400,
      NULL },
    { "xchunked", POST(TE "xchunked\r\n"), HTTP_R_BAD_TRANSFER_ENCODING, 400, 400, NULL },
    { "chunkedx", POST(TE "chunkedx\r\n"), HTTP_R_BAD_TRANSFER_ENCODING, 400, 400, NULL },
    { "quoted", POST(TE "\"chunked\"\r\n"), HTTP_R_BAD_TRANSFER_ENCODING, 400, 400, NULL },
    { "parameter", POST(TE "chunked;a=b\r\n"), HTTP_R_BAD_TRANSFER_ENCODING, 400, 400, NULL },
    { "HTAB after", POST(TE "chunked\t\r\n"), HTTP_R_BAD_TRANSFER_ENCODING, 400, 400, NULL },
    { "VT before", POST(TE "\vchunked\r\n"), HTTP_R_BAD_TRANSFER_ENCODING, 400, 400, NULL },
    { "comma before", POST(TE ",chunked\r\n"), HTTP_R_BAD_TRANSFER_ENCODING, 400, 400, NULL },
    { "chunked, xchunked", POST(TE "chunked, xchunked\r\n"), HTTP_R_BAD_TRANSFER_ENCODING, 400, 400,
      NULL },
    { "empty coding", POST(TE "\r\n"), HTTP_R_BAD_TRANSFER_ENCODING, 400, 400, NULL },
    { "gzip, chunked", POST(TE "gzip, chunked\r\n"), HTTP_R_NONE, 501, 501, NULL },
    { "gzip", POST(TE "gzip\r\n"), HTTP_R_NONE, 501, 501, NULL },
    { "Content-Length with a blank", POST("Content-Length : 4\r\n"), HTTP_R_SUSPICIOUS_HEADER, 0,
      400, SENT_POST("") },
    { "Transfer-Encoding with a blank", POST(CL "4\r\nTransfer-Encoding : chunked\r\n"),
      HTTP_R_SUSPICIOUS_HEADER, 0, 400, SENT_POST(CL "4\r\n") },
    { "Transfer_Encoding", POST(CL "4\r\nTransfer_Encoding: chunked\r\n"), HTTP_R_SUSPICIOUS_HEADER,
      0, 400, SENT_POST(CL "4\r\n") },
    { "more after Transfer-Encoding", POST(CL "4\r\nTransfer-Encodingb: chunked\r\n"),
      HTTP_R_SUSPICIOUS_HEADER, 0, 400, SENT_POST(CL "4\r\n") },
    { "control before Transfer-Encoding", POST(CL "4\r\n\x01Transfer-Encoding: chunked\r\n"),
      HTTP_R_SUSPICIOUS_HEADER, 0, 400, SENT_POST(CL "4\r\n") },
    { "leading blank first", SPAN_INIT("POST / HTTP/1.1\r\n Content-Length: 4\r\n" H "\r\n"),
      HTTP_R_MULTILINE_HEADER, 0, 400, SENT_POST("") },
};

static struct http_message message;

static void assert_same(const char *name, struct span got, struct span want)
{
    if (!span_equal(got, want))
        fail_msg("%s: got \"%.*s\", want \"%.*s\"", name, SPAN_ARGS(got), SPAN_ARGS(want));
}

static int parse(struct span bytes, enum http_desync_mode mode)
{
    size_t scanned = 0;

    switch (http_request_parse(at_end_of_page(bytes), mode, &message, &scanned)) {
    case HTTP_PARSED:
        return 0;
    case HTTP_PARTIAL:
        return -1;
    case HTTP_REFUSED:
        assert_non_null(message.refuse_why);
        return message.refuse_status;
    }
    return -2;
}

static void check_status(const struct row *row, enum http_desync_mode mode, int want)
{
    int got = parse(row->bytes, mode);

    if (got != want)
        fail_msg("%s, mode %d: %d (%s), want %d", row->name, (int)mode, got,
                 message.refuse_why == NULL ? "" : message.refuse_why, want);
}

static void check_row(const struct row *row)
{
    check_status(row, HTTP_STRICTEST, row->strictest);
    check_status(row, HTTP_MONITOR, row->defensive);
    check_status(row, HTTP_DEFENSIVE, row->defensive);
    assert_same(row->name, span_text(http_reason_name(message.reason)),
                span_text(http_reason_name(row->reason)));
    assert_int_equal(message.class_, http_reason_class(row->reason));
    if (row->defensive != 0)
        return;

    struct buf out;
    buf_init(&out, HTTP_HEAD_MAX);
    assert_true(write_request(&out, &message));
    assert_int_equal(message.head_len, row->bytes.len);
    assert_same(row->name, buf_data(&out), span_text(row->sent));
    buf_done(&out);
}

#define EACH(table, call)                                                                          \
    for (size_t i = 0; i < sizeof(table) / sizeof((table)[0]); i++)                                \
    call(&(table)[i])

static void test_rows(void **state)
{
    (void)state;
    EACH(lines, check_row);
    EACH(fields, check_row);
    EACH(framing, check_row);
}

/* However the network cuts a head, a prefix is never taken for the whole; and
 * with the resume hint kept, the end is found all the same. */
static void check_prefixes(const struct row *row)
{
    size_t scanned = 0;

    if (row->defensive != 0)
        return;
    for (size_t n = 0; n <= row->bytes.len; n++) {
        struct span prefix = at_end_of_page(span_of(row->bytes.ptr, n));
        enum http_parse want = n == row->bytes.len ? HTTP_PARSED : HTTP_PARTIAL;
        size_t fresh = 0;
        if (http_request_parse(prefix, HTTP_DEFENSIVE, &message, &fresh) != want ||
            http_request_parse(prefix, HTTP_DEFENSIVE, &message, &scanned) != want)
            fail_msg("%s: wrong after %zu bytes", row->name, n);
    }
}

static void test_every_prefix_is_partial(void **state)
{
    (void)state;
    EACH(lines, check_prefixes);
    EACH(fields, check_prefixes);
    EACH(framing, check_prefixes);
}

static void test_what_follows_is_left(void **state)
{
    (void)state;
    const struct span two = GET("");
    char bytes[200];
    memcpy(bytes, two.ptr, two.len);
    memcpy(bytes + two.len, "GET /next", 9);
    assert_int_equal(parse(span_of(bytes, two.len + 9), HTTP_DEFENSIVE), 0);
    assert_int_equal(message.head_len, two.len);
}

static void test_parts(void **state)
{
    (void)state;
    const struct span bytes = SPAN_INIT("GET http://b.example:81/p/q?x=y? HTTP/1.1\r\n"
                                        "Host: a.example\r\nhOST: c\r\n\r\n");
    assert_int_equal(parse(bytes, HTTP_DEFENSIVE), 0);
    assert_int_equal(message.method_id, HTTP_GET);
    assert_same("target", message.target, SPAN("http://b.example:81/p/q?x=y?"));
    assert_same("path", message.path, SPAN("/p/q"));
    assert_true(message.has_query);
    assert_same("query", message.query, SPAN("x=y?"));
    assert_same("authority", message.authority, SPAN("b.example:81"));
    assert_same("host", message.host, SPAN("b.example:81"));
    assert_int_equal(message.field_count, 2);
}

static void check_cut_off(struct span bytes, enum http_reason want)
{
    assert_true(http_request_cut_off(at_end_of_page(bytes), &message));
    assert_int_equal(message.reason, want);
    assert_int_equal(message.class_, HTTP_AMBIGUOUS);
    assert_int_equal(message.refuse_status, 400);
    assert_int_equal(message.head_len, bytes.len);
}

static void test_heads_cut_off(void **state)
{
    (void)state;
    check_cut_off(SPAN("GET"), HTTP_R_PARTIAL_HEADER_LINE);
    check_cut_off(SPAN("\r\nG"), HTTP_R_PARTIAL_HEADER_LINE);
    check_cut_off(SPAN("GET / HTTP/1.1\r"), HTTP_R_PARTIAL_HEADER_LINE);
    check_cut_off(SPAN("GET / HTTP/1.1\r\n"), HTTP_R_MISSING_LAST_EMPTY_LINE);
    check_cut_off(SPAN("GET / HTTP/1.1\r\nA: b\r\n"), HTTP_R_MISSING_LAST_EMPTY_LINE);
    assert_false(http_request_cut_off(SPAN(""), &message));
    assert_false(http_request_cut_off(SPAN("\r"), &message));
    assert_false(http_request_cut_off(SPAN("\r\n\n\r\n\r"), &message));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_every_prefix_is_partial),
        cmocka_unit_test(test_what_follows_is_left),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_heads_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
