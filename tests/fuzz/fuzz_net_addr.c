/* Whatever the text: what addr_parse() takes, addr_format() writes so that it reads as the same
 * address again, and addr_ip() agrees with ip_parse() about it; what it refuses, it explains. */
#include <stdint.h>
#include <stdlib.h>

#include "net/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct addr addr, again;
    struct ip ip;
    char why[200] = "", text[ADDR_TEXT_MAX], host[IP_TEXT_MAX];

    if (!addr_parse(span_of(data, size), true, &addr, why, sizeof(why))) {
        if (why[0] == '\0')
            abort();
        return 0;
    }
    addr_format(&addr, text);
    if (!addr_parse(span_text(text), true, &again, why, sizeof(why)) || !addr_equal(&addr, &again))
        abort();
    if (addr_parse(span_text(text), false, &again, why, sizeof(why)) != (addr_port(&addr) != 0))
        abort();
    if (!addr_ip(&addr, &ip) || !ip_parse(span_text(ip_format(&ip, host)), &ip) ||
        strstr(text, host) == NULL)
        abort();
    return 0;
}
