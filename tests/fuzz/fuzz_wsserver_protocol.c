/* fuzz_wsserver_protocol.c -- a frame that is taken has what its type promises, and the data of a
 * publish is exactly the value that a JSON parser sees there. */
#include <jansson.h>
#include <stdlib.h>

#include "wsserver/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool truth)
{
    if (!truth)
        abort();
}

static void check_data(const struct protocol_request *r)
{
    json_t *alone = json_loadb(r->d.ptr, r->d.len,
                               JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);

    require(alone != NULL);
    require(json_equal(alone, json_object_get(r->root, "d")));
    json_decref(alone);
}

static void check_positions(const struct protocol_request *r)
{
    struct protocol_position p;
    void *at = NULL;

    while (protocol_position(r, &at, &p))
        require(!p.is_good || (protocol_is_channel(p.ch) && p.ep.len > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct protocol_request r;
    const char *why = NULL;
    enum protocol_code code = protocol_read(span_of(bytes, len), &r, &why);

    require(why != NULL);
    if (code == PROTOCOL_OK) {
        bool has_channel = r.type == PROTOCOL_SUB || r.type == PROTOCOL_UNSUB ||
                           r.type == PROTOCOL_PUB || r.type == PROTOCOL_HIST;
        require(r.id > 0 || r.type >= PROTOCOL_PING);
        require(protocol_is_channel(r.ch) == has_channel);
        require(r.cid.len == 0 || protocol_is_user(r.cid));
        require(r.hist <= PROTOCOL_HIST_MAX && r.n >= 1 && r.n <= PROTOCOL_HIST_MAX);
        if (r.type == PROTOCOL_PUB)
            check_data(&r);
        if (r.type == PROTOCOL_AUTH)
            check_positions(&r);
    }
    protocol_done(&r);
    return 0;
}
