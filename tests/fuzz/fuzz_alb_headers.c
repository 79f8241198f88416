/* A head that is written for a target is one that reads back as it was meant, and each field of
 * ours is there once, however the client spelt its own. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "http/parse.h"
#include "http/second.h"

#include "alb/access_log.h"
#include "alb/config.h"
#include "alb/headers.h"

static struct http_message request, written;

static size_t count(const struct http_message *m, enum http_name id)
{
    size_t n = 0;

    for (size_t i = 0; i < m->field_count; i++)
        n += m->fields[i].id == id;
    return n;
}

static void check(const struct alb_options *alb, struct span trace)
{
    const size_t hosts = count(&request, HTTP_N_HOST);

    assert(count(&written, HTTP_N_X_FORWARDED_PROTO) == 1);
    assert(count(&written, HTTP_N_X_FORWARDED_PORT) == 1);
    assert(count(&written, HTTP_N_X_AMZN_TRACE_ID) == 1);
    assert(span_equal(http_value(&written, HTTP_N_X_AMZN_TRACE_ID), span_trim(trace)));
    assert(count(&written, HTTP_N_X_AMZN_MTLS_CLIENTCERT) == 0);
    assert(count(&written, HTTP_N_HOST) == (alb->preserve_host && hosts > 1 ? hosts : 1));
    if (alb->xff_mode == XFF_PRESERVE)
        assert(count(&written, HTTP_N_X_FORWARDED_FOR) == count(&request, HTTP_N_X_FORWARDED_FOR));
    else
        assert(count(&written, HTTP_N_X_FORWARDED_FOR) == (alb->xff_mode == XFF_APPEND));
    assert(written.framing == request.framing && written.content_length == request.content_length);
    assert(span_equal(written.path, request.path) && span_equal(written.query, request.query));
}

static void write_and_read(const struct request_head *how)
{
    const char *why = "";
    size_t scanned = 0;
    struct buf out;

    buf_init(&out, 1 << 20);
    if (headers_write_request(&out, &request, how)) {
        assert(http_second_request(buf_data(&out), &request, &why));
        assert(headers_write_hop(&out, &request, how));
        /* A head of just the allowed size may have become too large for us to read. */
        if (http_request_parse(buf_data(&out), HTTP_MONITOR, &written, &scanned) == HTTP_PARSED)
            check(how->alb, how->trace);
        else
            assert(buf_len(&out) > 15000 || request.field_count > HTTP_FIELDS_MAX - 8);
    }
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char trace[TRACE_ID_MAX];
    struct alb_options alb = { .xff_mode = size > 0 ? data[0] % 3 : 0,
                               .preserve_host = size > 0 && data[0] & 4,
                               .xff_client_port = size > 0 && data[0] & 8 };
    const struct access_client client = { .ip = { .family = 4 }, .port = 1, .listener_port = 8080 };
    const struct listener_headers listener = { .renames = false };
    struct request_head how = {
        .alb = &alb, .listener = &listener, .client = &client, .target = "10.0.0.7:9001"
    };
    size_t scanned = 0;

    if (size == 0 || http_request_parse(span_of(data + 1, size - 1), HTTP_MONITOR, &request,
                                        &scanned) != HTTP_PARSED)
        return 0;
    how.trace = headers_trace_id(&request, 0x67891233, trace);
    assert(how.trace.len == strlen(trace));
    assert(strstr(trace, "=1-67891233-") != NULL);
    headers_has_too_many_addresses(&request);
    headers_choose_host(&request, &alb);
    write_and_read(&how);
    return 0;
}
