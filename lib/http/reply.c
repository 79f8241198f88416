/* reply.c -- see reply.h. */
#include "http/reply.h"

#include <stdio.h>

#include "base/clock.h"
#include "http/message.h"

/* RFC 9110 15 and the IANA registry; 460, 463, 464, 561 and 562 are the
 * managed balancer's. */
static const char *const texts[600] = {
    [100] = "Continue",
    [101] = "Switching Protocols",
    [102] = "Processing",
    [103] = "Early Hints",
    [200] = "OK",
    [201] = "Created",
    [202] = "Accepted",
    [203] = "Non-Authoritative Information",
    [204] = "No Content",
    [205] = "Reset Content",
    [206] = "Partial Content",
    [207] = "Multi-Status",
    [208] = "Already Reported",
    [226] = "IM Used",
    [300] = "Multiple Choices",
    [301] = "Moved Permanently",
    [302] = "Found",
    [303] = "See Other",
    [304] = "Not Modified",
    [305] = "Use Proxy",
    [307] = "Temporary Redirect",
    [308] = "Permanent Redirect",
    [400] = "Bad Request",
    [401] = "Unauthorized",
    [402] = "Payment Required",
    [403] = "Forbidden",
    [404] = "Not Found",
    [405] = "Method Not Allowed",
    [406] = "Not Acceptable",
    [407] = "Proxy Authentication Required",
    [408] = "Request Timeout",
    [409] = "Conflict",
    [410] = "Gone",
    [411] = "Length Required",
    [412] = "Precondition Failed",
    [413] = "Content Too Large",
    [414] = "URI Too Long",
    [415] = "Unsupported Media Type",
    [416] = "Range Not Satisfiable",
    [417] = "Expectation Failed",
    [421] = "Misdirected Request",
    [422] = "Unprocessable Content",
    [423] = "Locked",
    [424] = "Failed Dependency",
    [425] = "Too Early",
    [426] = "Upgrade Required",
    [428] = "Precondition Required",
    [429] = "Too Many Requests",
    [431] = "Request Header Fields Too Large",
    [451] = "Unavailable For Legal Reasons",
    [460] = "Client Closed Connection",
    [463] = "Too Many Forwarded Addresses",
    [464] = "Incompatible Protocol Versions",
    [500] = "Internal Server Error",
    [501] = "Not Implemented",
    [502] = "Bad Gateway",
    [503] = "Service Unavailable",
    [504] = "Gateway Timeout",
    [505] = "HTTP Version Not Supported",
    [506] = "Variant Also Negotiates",
    [507] = "Insufficient Storage",
    [508] = "Loop Detected",
    [511] = "Network Authentication Required",
    [561] = "Unauthorized",
    [562] = "Key Set Request Failed",
};

const char *http_status_text(int status)
{
    const char *text = status >= 0 && status < 600 ? texts[status] : NULL;
    return text == NULL ? "Unknown" : text;
}

static bool has_no_body(int status)
{
    return status == 204 || status == 304;
}

static bool print_head(struct buf *to, const struct http_reply *r)
{
    char date[CLOCK_TEXT_MAX];
    bool ok = buf_print(to, "HTTP/1.1 %03d %s\r\nDate: %s\r\n", r->status,
                        http_status_text(r->status), clock_http_date(clock_wall_us(), date));

    if (r->server != NULL)
        ok = ok && buf_print(to, "Server: %s\r\n", r->server);
    if (r->content_type.len > 0)
        ok = ok && http_is_value(r->content_type) &&
             buf_print(to, "Content-Type: %.*s\r\n", SPAN_ARGS(r->content_type));
    if (!has_no_body(r->status))
        ok = ok && buf_print(to, "Content-Length: %zu\r\n", r->body.len);
    if (r->no_store)
        ok = ok && buf_put(to, SPAN("Cache-Control: no-store\r\n"));
    return ok &&
           buf_put(to,
                   r->close ? SPAN("Connection: close\r\n") : SPAN("Connection: keep-alive\r\n")) &&
           buf_put(to, span_text(r->fields)) && buf_put(to, span_text(r->more_fields)) &&
           buf_put(to, SPAN("\r\n"));
}

bool http_reply(struct buf *to, const struct http_reply *reply)
{
    bool no_body = reply->head_only || has_no_body(reply->status);
    struct span body = no_body ? SPAN("") : reply->body;
    struct buf head;

    buf_init(&head, HTTP_HEAD_MAX);
    bool ok = print_head(&head, reply) && buf_len(&head) + body.len <= buf_room(to) &&
              buf_put(to, buf_data(&head)) && buf_put(to, body);
    buf_done(&head);
    return ok;
}

struct span http_error_page(int status, char out[HTTP_ERROR_PAGE_MAX])
{
    const char *text = http_status_text(status);
    int n = snprintf(out, HTTP_ERROR_PAGE_MAX,
                     "<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n"
                     "<center><h1>%d %s</h1></center>\r\n</body>\r\n</html>\r\n",
                     status, text, status, text);
    return span_of(out, (size_t)n);
}

void http_make_error_page(struct http_reply *reply, char page[HTTP_ERROR_PAGE_MAX])
{
    reply->content_type = SPAN("text/html");
    reply->body = http_error_page(reply->status, page);
}
