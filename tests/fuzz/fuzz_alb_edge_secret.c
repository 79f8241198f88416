/* Whatever a request has of the origin secret: no field that looks like it is left, every other
 * one is, in its order; and it is right only with one such field that has a value of the file. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/parse.h"

#include "alb/edge_secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct span name = SPAN_INIT("X-Origin-Verify");
static const struct span values[2] = { SPAN_INIT("#0123456789abcdef"),
                                       SPAN_INIT("fedcba9876543210") };

static struct http_message before, after;

static struct edge_secret *make(void)
{
    char path[] = "/tmp/fuzz_secret.XXXXXX", why[256];
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");

    assert(f != NULL && fchmod(fd, 0600) == 0);
    fprintf(f, "%s\n%s\n", values[0].ptr, values[1].ptr);
    fclose(f);
    struct edge_secret *s = edge_secret_read(name.ptr, path, why, sizeof(why));
    unlink(path);
    assert(s != NULL);
    return s;
}

/* The fields that are to stay have stayed. */
static void check_left(void)
{
    size_t left = 0;

    for (size_t i = 0; i < before.field_count; i++) {
        const struct http_field *f = &before.fields[i];
        if (http_name_is_alike(f->name, name))
            continue;
        assert(left < after.field_count);
        const struct http_field *g = &after.fields[left++];
        assert(g->name.ptr == f->name.ptr && g->value.ptr == f->value.ptr && g->id == f->id);
    }
    assert(left == after.field_count);
}

static enum secret_verdict judge(void)
{
    const struct http_field *f = http_find_named(&before, name, NULL);

    if (f == NULL)
        return SECRET_MISSING;
    if (f->is_folded || http_find_named(&before, name, f) != NULL)
        return SECRET_WRONG;
    if (span_equal(f->value, values[0]))
        return SECRET_RIGHT_FIRST;
    return span_equal(f->value, values[1]) ? SECRET_RIGHT_SECOND : SECRET_WRONG;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct edge_secret *secret;
    size_t scanned = 0;

    if (secret == NULL)
        secret = make();
    const struct span head = span_of((const char *)data, size);
    if (http_request_parse(head, HTTP_MONITOR, &after, &scanned) != HTTP_PARSED)
        return 0;
    memcpy(&before, &after, sizeof(before));
    assert(edge_secret_take(secret, &after) == judge());
    check_left();
    return 0;
}
