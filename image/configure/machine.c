/* machine.c -- see machine.h. */
#include "image/configure/machine.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/span.h"
#include "base/text.h"

/* EC2 on Nitro says who made the machine; on Xen the version ends so ("4.11.amazon"). */
static const struct {
    const char *file, *pattern;
} signs[] = {
    { "sys_vendor", "Amazon EC2" },
    { "bios_vendor", "Amazon EC2" },
    { "product_version", "*.amazon" },
    { "bios_version", "*.amazon" },
};

static bool file_says(const char *dmi, const char *name, const char *pattern)
{
    char path[4096], why[512];
    size_t len;

    snprintf(path, sizeof(path), "%s/%s", dmi, name);
    char *text = text_read_file(path, 4096, &len, why, sizeof(why));
    if (text == NULL)
        return false;
    struct span rest = span_of(text, len), line = span_of("", 0);
    span_next(&rest, '\n', &line);
    const bool says = text_wildcard(span_text(pattern), line, false);
    free(text);
    return says;
}

bool machine_has_metadata(const char *dmi)
{
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (file_says(dmi, signs[i].file, signs[i].pattern))
            return true;
    }
    return false;
}
