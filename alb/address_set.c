/* address_set.c -- see address_set.h. */
#include "alb/address_set.h"

#include <string.h>

#include "base/mem.h"

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct ip));
}

size_t address_set_make(struct ip *ips, size_t count)
{
    size_t n = 0;

    if (count > 1)
        qsort(ips, count, sizeof(ips[0]), compare);
    for (size_t i = 0; i < count; i++) {
        if (n == 0 || !ip_equal(&ips[i], &ips[n - 1]))
            ips[n++] = ips[i];
    }
    return n;
}

bool address_set_has(const struct ip *set, size_t count, const struct ip *ip)
{
    return count > 0 && bsearch(ip, set, count, sizeof(set[0]), compare) != NULL;
}

size_t address_set_missing(const struct ip *set, size_t count, const struct ip *other,
                           size_t other_count)
{
    size_t missing = 0;

    for (size_t i = 0; i < count; i++)
        missing += !address_set_has(other, other_count, &set[i]);
    return missing;
}

size_t address_set_cut(struct ip *set, size_t count, size_t max, const struct ip *kept,
                       size_t kept_count)
{
    struct ip *chosen = mem_array(struct ip, count);
    size_t taken = 0;

    for (int fresh = 0; fresh <= 1; fresh++) {
        for (size_t i = 0; i < count && taken < max; i++) {
            if (address_set_has(kept, kept_count, &set[i]) == (fresh == 0))
                chosen[taken++] = set[i];
        }
    }
    if (taken > 0)
        memcpy(set, chosen, taken * sizeof(set[0]));
    free(chosen);
    return address_set_make(set, taken);
}
