/* reasons.c -- the classes and reasons of odd requests, in one table. */
#include "http/message.h"
#include "http/scan.h"

static const struct {
    const char *name;
    enum http_class class_;
    const char *why;
} reasons[] = {
    [HTTP_R_NONE] = { "-", HTTP_COMPLIANT, "nothing is wrong" },
    [HTTP_R_NON_COMPLIANT_HEADER] = { "NonCompliantHeader", HTTP_ACCEPTABLE,
                                      "a field has bytes that are not allowed there" },
    [HTTP_R_SPACE_IN_URI] = { "SpaceInUri", HTTP_ACCEPTABLE,
                              "the URI has a blank or bytes outside ASCII" },
    [HTTP_R_NON_COMPLIANT_VERSION] = { "NonCompliantVersion", HTTP_ACCEPTABLE,
                                       "the HTTP version is odd, or has odd blanks around it" },
    [HTTP_R_GET_HEAD_ZERO_CONTENT_LENGTH] = { "GetHeadZeroContentLength", HTTP_ACCEPTABLE,
                                              "GET or HEAD with Content-Length: 0" },
    [HTTP_R_NON_CRLF_LINE_TERMINATION] = { "NonCrLfLineTermination", HTTP_ACCEPTABLE,
                                           "a line ends in LF without CR" },
    [HTTP_R_EMPTY_HEADER] = { "EmptyHeader", HTTP_AMBIGUOUS, "a field line is empty" },
    [HTTP_R_AMBIGUOUS_URI] = { "AmbiguousUri", HTTP_AMBIGUOUS, "the URI has a control character" },
    [HTTP_R_UNDEFINED_CONTENT_LENGTH_SEMANTICS] = { "UndefinedContentLengthSemantics",
                                                    HTTP_AMBIGUOUS,
                                                    "GET or HEAD with a Content-Length" },
    [HTTP_R_UNDEFINED_TRANSFER_ENCODING_SEMANTICS] = { "UndefinedTransferEncodingSemantics",
                                                       HTTP_AMBIGUOUS,
                                                       "Transfer-Encoding with GET or HEAD, or in "
                                                       "HTTP/1.0" },
    [HTTP_R_DUPLICATE_CONTENT_LENGTH] = { "DuplicateContentLength", HTTP_AMBIGUOUS,
                                          "Content-Length comes twice" },
    [HTTP_R_BOTH_TE_CL_PRESENT] = { "BothTeClPresent", HTTP_AMBIGUOUS,
                                    "Content-Length and Transfer-Encoding together" },
    [HTTP_R_SUSPICIOUS_HEADER] = { "SuspiciousHeader", HTTP_AMBIGUOUS,
                                   "Content-Length or Transfer-Encoding in a disguise" },
    [HTTP_R_MULTILINE_HEADER] = { "MultilineHeader", HTTP_AMBIGUOUS,
                                  "a field goes over several lines" },
    [HTTP_R_PARTIAL_HEADER_LINE] = { "PartialHeaderLine", HTTP_AMBIGUOUS,
                                     "the last line is not ended" },
    [HTTP_R_MISSING_LAST_EMPTY_LINE] = { "MissingLastEmptyLine", HTTP_AMBIGUOUS,
                                         "the head is not ended" },
    [HTTP_R_MISSING_HEADER_COLON] = { "MissingHeaderColon", HTTP_AMBIGUOUS,
                                      "a field line has no colon" },
    [HTTP_R_MISSING_URI] = { "MissingUri", HTTP_AMBIGUOUS, "the request line has no URI" },
    [HTTP_R_BAD_HEADER] = { "BadHeader", HTTP_SEVERE, "a field line has a NUL or a stray CR" },
    [HTTP_R_BAD_URI] = { "BadUri", HTTP_SEVERE, "the URI is malformed" },
    [HTTP_R_BAD_METHOD] = { "BadMethod", HTTP_SEVERE, "the method is malformed" },
    [HTTP_R_BAD_VERSION] = { "BadVersion", HTTP_SEVERE, "the HTTP version is malformed" },
    [HTTP_R_BAD_CONTENT_LENGTH] = { "BadContentLength", HTTP_SEVERE,
                                    "Content-Length is not a number" },
    [HTTP_R_MULTIPLE_CONTENT_LENGTH] = { "MultipleContentLength", HTTP_SEVERE,
                                         "two values of Content-Length" },
    [HTTP_R_BAD_TRANSFER_ENCODING] = { "BadTransferEncoding", HTTP_SEVERE,
                                       "Transfer-Encoding is not chunked" },
    [HTTP_R_MULTIPLE_TRANSFER_ENCODING_CHUNKED] = { "MultipleTransferEncodingChunked", HTTP_SEVERE,
                                                    "Transfer-Encoding: chunked comes twice" },
};

const char *http_class_name(enum http_class c)
{
    static const char *const names[] = {
        [HTTP_COMPLIANT] = "-",
        [HTTP_ACCEPTABLE] = "Acceptable",
        [HTTP_AMBIGUOUS] = "Ambiguous",
        [HTTP_SEVERE] = "Severe",
    };
    return names[c];
}

const char *http_reason_name(enum http_reason r)
{
    return reasons[r].name;
}

enum http_class http_reason_class(enum http_reason r)
{
    return reasons[r].class_;
}

void http_note(struct http_message *m, enum http_reason r)
{
    if (reasons[r].class_ <= m->class_)
        return;
    m->class_ = reasons[r].class_;
    m->reason = r;
}

bool http_refuse(struct http_message *m, int status, const char *why)
{
    m->refuse_status = status;
    m->refuse_why = why;
    return false;
}

bool http_refuse_for(struct http_message *m, enum http_reason r)
{
    http_note(m, r);
    return http_refuse(m, 400, reasons[r].why);
}
