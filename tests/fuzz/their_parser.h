/*
 * their_parser.h -- http-parser beside our own names.
 *
 * The library and lib/http share names of methods, so what is ours comes in
 * under others: include this before any header of lib/http.
 */
#ifndef TESTS_FUZZ_THEIR_PARSER_H
#define TESTS_FUZZ_THEIR_PARSER_H

#include <http_parser.h>

typedef enum http_method their_method;

#define http_method our_method
#define HTTP_GET OUR_GET
#define HTTP_HEAD OUR_HEAD
#define HTTP_POST OUR_POST
#define HTTP_PUT OUR_PUT
#define HTTP_DELETE OUR_DELETE
#define HTTP_OPTIONS OUR_OPTIONS
#define HTTP_PATCH OUR_PATCH
#define HTTP_CONNECT OUR_CONNECT
#define HTTP_TRACE OUR_TRACE

#endif
