/* main.c -- the command line of postern-configure. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "image/configure/configure.h"

static const char usage[] =
    "usage: postern-configure [OPTION VALUE]...\n"
    "\n"
    "Find this machine's configuration, one INI text, have alb and wsserver check their parts of "
    "it,\n"
    "and write alb.ini and wsserver.ini. It comes from the first of these that has one: a systemd\n"
    "credential (postern.ini), a NoCloud disk (user-data), the instance metadata service (version "
    "2).\n"
    "Without one, or with one that is wrong, the built-in default is written, which accepts "
    "nobody.\n"
    "\n"
    "  --out FOLDER          where the two files go (/run/postern-configure)\n"
    "  --credentials FOLDER  ($CREDENTIALS_DIRECTORY)\n"
    "  --nocloud FOLDER      what is on the NoCloud disk (/run/postern-nocloud)\n"
    "  --dmi FOLDER          what SMBIOS says of the machine (/sys/class/dmi/id)\n"
    "  --metadata IP:PORT    an address of the metadata service, in place of its own; up to 4 "
    "times\n"
    "  --metadata-wait TIME  how long to wait for it (60s)\n"
    "  --programs FOLDER     alb and wsserver (/usr/bin)\n"
    "  --defaults FOLDER     the built-in files (/usr/share/postern-appliance)\n"
    "  --help, --version\n";

struct arguments {
    struct configure configure;
    bool has_metadata; /* an address was given */
};

static int usage_error(const char *text)
{
    fprintf(stderr, "postern-configure: %s; see `postern-configure --help`\n", text);
    return 2;
}

/* The service's addresses, of either family (docs: Instance Metadata Service). */
static void set_metadata(struct source_places *places)
{
    static const char *const addresses[] = { "169.254.169.254:80", "[fd00:ec2::254]:80" };
    char why[128];

    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
        addr_parse(span_text(addresses[i]), false, &places->metadata[places->metadata_count++], why,
                   sizeof(why));
}

static bool add_metadata(struct arguments *a, const char *value, char *why, size_t why_size)
{
    struct source_places *places = &a->configure.places;

    if (!a->has_metadata)
        places->metadata_count = 0;
    a->has_metadata = true;
    if (places->metadata_count == SOURCE_METADATA_MAX) {
        snprintf(why, why_size, "--metadata: there are %d already", SOURCE_METADATA_MAX);
        return false;
    }
    return addr_parse(span_text(value), false, &places->metadata[places->metadata_count++], why,
                      why_size);
}

static bool set_wait(struct arguments *a, const char *value, char *why, size_t why_size)
{
    snprintf(why, why_size, "--metadata-wait: \"%.40s\" is not a duration such as 30s", value);
    return text_duration(span_text(value), false, &a->configure.places.metadata_wait_ms);
}

/* False with a sentence when it is not understood. */
static bool read_option(struct arguments *a, const char *name, const char *value, char *why,
                        size_t why_size)
{
    struct configure *c = &a->configure;
    const struct {
        const char *name, **folder;
    } folders[] = {
        { "--out", &c->out },
        { "--credentials", &c->places.credentials },
        { "--nocloud", &c->places.nocloud },
        { "--dmi", &c->places.dmi },
        { "--programs", &c->programs },
        { "--defaults", &c->defaults },
    };

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        if (strcmp(name, folders[i].name) == 0) {
            *folders[i].folder = value;
            return true;
        }
    }
    if (strcmp(name, "--metadata") == 0)
        return add_metadata(a, value, why, why_size);
    if (strcmp(name, "--metadata-wait") == 0)
        return set_wait(a, value, why, why_size);
    snprintf(why, why_size, "unknown option \"%.60s\"", name);
    return false;
}

int main(int argc, char **argv)
{
    struct arguments a = { .configure = {
                               .places = { .credentials = getenv("CREDENTIALS_DIRECTORY"),
                                           .nocloud = "/run/postern-nocloud",
                                           .dmi = "/sys/class/dmi/id",
                                           .metadata_wait_ms = 60000 },
                               .programs = "/usr/bin",
                               .defaults = "/usr/share/postern-appliance",
                               .out = "/run/postern-configure",
                           } };
    char why[256];

    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return fputs(usage, stdout) < 0;
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return printf("postern-configure %s\n", POSTERN_VERSION) < 0;
    if (argc % 2 == 0)
        return usage_error("each option needs a value");
    set_metadata(&a.configure.places);
    for (int i = 1; i < argc; i += 2) {
        if (!read_option(&a, argv[i], argv[i + 1], why, sizeof(why)))
            return usage_error(why);
    }
    return configure_run(&a.configure);
}
