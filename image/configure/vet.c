/* vet.c -- see vet.h. */
#include "image/configure/vet.h"

#include "ws/utf8.h"

#define EXPECTED                                                                                   \
    "expected is one INI text, with sections such as [edge] and [listener NAME]: "                 \
    "docs/first-boot.md"

/* What others give a machine at its first boot, by how it begins. */
static const struct {
    struct span start;
    const char *what;
} others[] = {
    { SPAN_INIT("#!"), "a script, and nothing here runs scripts" },
    { SPAN_INIT("#cloud-"), "for cloud-init, which is not here" },
    { SPAN_INIT("#include"), "for cloud-init, which is not here" },
    { SPAN_INIT("#part-handler"), "for cloud-init, which is not here" },
    { SPAN_INIT("#upstart-job"), "for cloud-init, which is not here" },
    { SPAN_INIT("## template:"), "a template for cloud-init, which is not here" },
    { SPAN_INIT("#systemd-userdata"), "for systemd-imds, which is not here" },
    { SPAN_INIT("Content-Type:"), "a MIME message for cloud-init, which is not here" },
    { SPAN_INIT("MIME-Version:"), "a MIME message for cloud-init, which is not here" },
    { SPAN_INIT("From nobody"), "a MIME message for cloud-init, which is not here" },
    { SPAN_INIT("<powershell>"), "a script, and nothing here runs scripts" },
    { SPAN_INIT("<script>"), "a script, and nothing here runs scripts" },
    { SPAN_INIT("{"), "JSON" },
    { SPAN_INIT("\x1f\x8b"), "packed by gzip; send it as it is" },
    { SPAN_INIT("\xff\xfe"), "UTF-16; save it as UTF-8" },
    { SPAN_INIT("\xfe\xff"), "UTF-16; save it as UTF-8" },
};

static const char *whose_else(struct span text)
{
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (span_starts_with(text, others[i].start))
            return others[i].what;
    }
    return NULL;
}

/* Tools that encode user data by themselves are often handed what is encoded already. */
static bool is_base64(struct span text)
{
    enum { SURELY = 24 };

    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '+' || c == '/' || c == '=' || c == '\n' || c == '\r'))
            return false;
    }
    return text.len >= SURELY;
}

/* The number, from 1, of the line that holds that byte. */
static int line_of(struct span text, const char *at)
{
    int line = 1;

    for (const char *c = text.ptr; c < at; c++)
        line += *c == '\n';
    return line;
}

static int first_line_not_utf8(struct span text)
{
    struct span rest = text, line;

    for (int number = 1; span_next(&rest, '\n', &line); number++) {
        if (!ws_utf8_valid(line))
            return number;
    }
    return 0;
}

/* The first PEM block, up to the end of the text; empty when there is none. */
static struct span find_pem(struct span text)
{
    static const char begin[] = "-----BEGIN ";
    const char *at = text.len == 0 ? NULL : memmem(text.ptr, text.len, begin, sizeof(begin) - 1);

    return at == NULL ? span_of(NULL, 0) : span_after(text, (size_t)(at - text.ptr));
}

static bool is_private_key(struct span pem)
{
    static const char words[] = "PRIVATE KEY";
    struct span line;

    span_next(&pem, '\n', &line);
    return memmem(line.ptr, line.len, words, sizeof(words) - 1) != NULL;
}

static void refuse_pem(struct span text, struct span pem, struct problems *problems)
{
    const int line = line_of(text, pem.ptr);

    if (is_private_key(pem))
        problems_error(problems, line,
                       "a private key in here can be read by too many, and is to be replaced; keys "
                       "come from the volume postern-secrets, and a setting names the file");
    else
        problems_error(problems, line,
                       "certificates and keys come from the volume postern-secrets, and a setting "
                       "names the file");
}

bool vet_text(struct span text, struct problems *problems)
{
    const char *other = whose_else(text);
    const struct span pem = find_pem(text);
    int line;

    if (text.len > VET_MAX_BYTES)
        problems_error(problems, 0, "the text has %zu bytes; it may have %d", text.len,
                       VET_MAX_BYTES);
    else if (pem.len > 0)
        refuse_pem(text, pem, problems);
    else if (other != NULL)
        problems_error(problems, 1, "this is %s; " EXPECTED, other);
    else if (is_base64(text))
        problems_error(problems, 1,
                       "this looks like base64 of something; encode it once only, or "
                       "not at all; " EXPECTED);
    else if ((line = first_line_not_utf8(text)) != 0)
        problems_error(problems, line, "the line is not UTF-8; save the text as UTF-8");
    else
        return true;
    return false;
}
