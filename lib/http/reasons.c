/* reasons.c -- the classes and reasons of odd requests, in one table. */
#include "http/message.h"
#include "http/scan.h"

/* In what order the managed balancer's own classifier looks at a request: of
 * reasons of one class the earlier one is told. */
enum looked_at {
    LINES,
    FIELDS,
    CODINGS,
    LENGTHS,
    METHOD_AND_BODY,
    CODING_AND_LENGTH,
    METHOD,
    VERSION,
    URI
};

static const struct {
    const char *name;
    enum http_class class_;
    enum looked_at when;
    const char *why;
} reasons[] = {
    [HTTP_R_NONE] = { "-", HTTP_COMPLIANT, LINES, "nothing is wrong" },
    [HTTP_R_NON_COMPLIANT_HEADER] = { "NonCompliantHeader", HTTP_ACCEPTABLE, FIELDS,
                                      "a field has bytes that are not allowed there" },
    [HTTP_R_SPACE_IN_URI] = { "SpaceInUri", HTTP_ACCEPTABLE, URI,
                              "the URI has a blank or bytes outside ASCII" },
    [HTTP_R_NON_COMPLIANT_VERSION] = { "NonCompliantVersion", HTTP_ACCEPTABLE, VERSION,
                                       "the HTTP version is odd, or has odd blanks around it" },
    [HTTP_R_GET_HEAD_ZERO_CONTENT_LENGTH] = { "GetHeadZeroContentLength", HTTP_ACCEPTABLE,
                                              METHOD_AND_BODY,
                                              "GET or HEAD with Content-Length: 0" },
    [HTTP_R_NON_CRLF_LINE_TERMINATION] = { "NonCrLfLineTermination", HTTP_ACCEPTABLE, LINES,
                                           "a line ends in LF without CR" },
    [HTTP_R_EMPTY_HEADER] = { "EmptyHeader", HTTP_AMBIGUOUS, FIELDS, "a field line is empty" },
    [HTTP_R_AMBIGUOUS_URI] = { "AmbiguousUri", HTTP_AMBIGUOUS, URI,
                               "the URI has a control character" },
    [HTTP_R_UNDEFINED_CONTENT_LENGTH_SEMANTICS] = { "UndefinedContentLengthSemantics",
                                                    HTTP_AMBIGUOUS, METHOD_AND_BODY,
                                                    "Content-Length with GET or HEAD, or in "
                                                    "HTTP/0.9" },
    [HTTP_R_UNDEFINED_TRANSFER_ENCODING_SEMANTICS] = { "UndefinedTransferEncodingSemantics",
                                                       HTTP_AMBIGUOUS, METHOD_AND_BODY,
                                                       "Transfer-Encoding with GET or HEAD, or "
                                                       "before HTTP/1.1" },
    [HTTP_R_DUPLICATE_CONTENT_LENGTH] = { "DuplicateContentLength", HTTP_AMBIGUOUS, LENGTHS,
                                          "Content-Length comes twice" },
    [HTTP_R_BOTH_TE_CL_PRESENT] = { "BothTeClPresent", HTTP_AMBIGUOUS, CODING_AND_LENGTH,
                                    "Content-Length and Transfer-Encoding together" },
    [HTTP_R_SUSPICIOUS_HEADER] = { "SuspiciousHeader", HTTP_AMBIGUOUS, FIELDS,
                                   "Content-Length or Transfer-Encoding in a disguise" },
    [HTTP_R_MULTILINE_HEADER] = { "MultilineHeader", HTTP_AMBIGUOUS, LINES,
                                  "a field goes over several lines" },
    [HTTP_R_PARTIAL_HEADER_LINE] = { "PartialHeaderLine", HTTP_AMBIGUOUS, LINES,
                                     "the last line is not ended" },
    [HTTP_R_MISSING_LAST_EMPTY_LINE] = { "MissingLastEmptyLine", HTTP_AMBIGUOUS, LINES,
                                         "the head is not ended" },
    [HTTP_R_MISSING_HEADER_COLON] = { "MissingHeaderColon", HTTP_AMBIGUOUS, LINES,
                                      "a field line has no colon" },
    [HTTP_R_MISSING_URI] = { "MissingUri", HTTP_AMBIGUOUS, LINES, "the request line has no URI" },
    [HTTP_R_BAD_HEADER] = { "BadHeader", HTTP_SEVERE, FIELDS,
                            "a field line has a NUL or a stray CR" },
    [HTTP_R_BAD_URI] = { "BadUri", HTTP_SEVERE, URI, "the URI is malformed" },
    [HTTP_R_BAD_METHOD] = { "BadMethod", HTTP_SEVERE, METHOD, "the method is malformed" },
    [HTTP_R_BAD_VERSION] = { "BadVersion", HTTP_SEVERE, VERSION, "the HTTP version is malformed" },
    [HTTP_R_BAD_CONTENT_LENGTH] = { "BadContentLength", HTTP_SEVERE, LENGTHS,
                                    "Content-Length is not a number" },
    [HTTP_R_MULTIPLE_CONTENT_LENGTH] = { "MultipleContentLength", HTTP_SEVERE, LENGTHS,
                                         "two values of Content-Length" },
    [HTTP_R_BAD_TRANSFER_ENCODING] = { "BadTransferEncoding", HTTP_SEVERE, CODINGS,
                                       "Transfer-Encoding names no coding" },
    [HTTP_R_MULTIPLE_TRANSFER_ENCODING_CHUNKED] = { "MultipleTransferEncodingChunked", HTTP_SEVERE,
                                                    CODINGS,
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
    if (reasons[r].class_ < m->class_ ||
        (reasons[r].class_ == m->class_ && reasons[r].when >= reasons[m->reason].when))
        return;
    m->class_ = reasons[r].class_;
    m->reason = r;
}

bool http_refuse(struct http_message *m, int status, const char *why)
{
    if (m->refuse_why == NULL) {
        m->refuse_status = status;
        m->refuse_why = why;
    }
    return false;
}

bool http_refuse_for(struct http_message *m, enum http_reason r)
{
    http_note(m, r);
    return http_refuse(m, 400, reasons[r].why);
}

bool http_is_understood(const struct http_message *m)
{
    const int status = m->refuse_status;

    return m->refuse_why == NULL ||
           (m->class_ != HTTP_SEVERE && (status == 405 || status == 417 || status == 501));
}
