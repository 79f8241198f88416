/* source.c -- see source.h. */
#include "image/configure/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "image/configure/vet.h"

static enum source_outcome read_file(const char *path, struct source_text *text)
{
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return SOURCE_ABSENT;
    text->bytes = text_read_file(path, VET_MAX_BYTES, &text->len, text->why, sizeof(text->why));
    return text->bytes == NULL ? SOURCE_FAILED : SOURCE_FOUND;
}

static enum source_outcome read_in(const char *folder, const char *name, struct source_text *text)
{
    char path[4096];

    if (folder == NULL)
        return SOURCE_ABSENT;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return read_file(path, text);
}

static enum source_outcome read_credential(const struct source_places *places,
                                           struct source_text *text)
{
    return read_in(places->credentials, "postern.ini", text);
}

/* What the unit could not read must not look like no disk at all. */
static enum source_outcome read_nocloud(const struct source_places *places,
                                        struct source_text *text)
{
    struct source_text error = { .bytes = NULL };

    if (read_in(places->nocloud, "error", &error) == SOURCE_ABSENT)
        return read_in(places->nocloud, "user-data", text);
    snprintf(text->why, sizeof(text->why), "%s", error.bytes != NULL ? error.bytes : error.why);
    text->why[strcspn(text->why, "\n")] = '\0';
    free(error.bytes);
    return SOURCE_FAILED;
}

const struct source sources[] = {
    { "credential", read_credential },
    { "nocloud", read_nocloud },
    { "metadata", source_read_metadata },
    { .name = NULL },
};
