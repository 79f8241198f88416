/* metrics.c -- see metrics.h. The form is Prometheus' text exposition 0.0.4. */
#include "base/metrics.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

const uint64_t metric_bounds_us[METRIC_BUCKETS] = {
    500,    1000,   2500,   5000,    10000,   25000,    50000,
    100000, 250000, 500000, 1000000, 5000000, 15000000, 60000000,
};

static const struct {
    const char *name;
    const char *name_ends; /* "" when any name will do */
} types[] = {
    [METRIC_COUNTER] = { "counter", "_total" },
    [METRIC_GAUGE] = { "gauge", "" },
    [METRIC_HISTOGRAM] = { "histogram", "_seconds" },
};

void metric_observe_us(struct metric_histogram *h, uint64_t us)
{
    size_t i = 0;

    while (i < METRIC_BUCKETS && us > metric_bounds_us[i])
        i++;
    metric_add(&h->buckets[i], 1);
    metric_add(&h->sum_us, us);
}

const char *metrics_label(const char *name, struct span value, char *out, size_t size)
{
    static const char *const escapes[] = { ['\n'] = "\\n", ['"'] = "\\\"", ['\\'] = "\\\\" };
    size_t n = (size_t)snprintf(out, size, "%s=\"", name);

    assert(n + sizeof("\"") <= size);
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        const char *escape = c < sizeof(escapes) / sizeof(escapes[0]) ? escapes[c] : NULL;
        struct span text = escape != NULL ? span_text(escape) : span_of(&value.ptr[i], 1);
        if (n + text.len + sizeof("\"") > size)
            break;
        memcpy(out + n, text.ptr, text.len);
        n += text.len;
    }
    memcpy(out + n, "\"", sizeof("\""));
    return out;
}

/* --- one sample ----------------------------------------------------------- */

/* Added modulo 2^64: a gauge may be raised by one loop and lowered by another. */
static uint64_t sum_at(const struct metric_instance *instance, size_t offset)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < instance->count; i++) {
        const void *at = (const char *)instance->structs[i] + offset;
        sum += metric_get(at);
    }
    return sum;
}

/* `suffix` and the label `le` are the histogram's, else "" and NULL. */
static bool print_name(struct buf *to, const char *prefix, const struct metric *row,
                       const char *suffix, const char *const labels[3])
{
    bool ok = buf_print(to, "%s%s%s", prefix, row->name, suffix);
    char before = '{';

    for (int i = 0; i < 3; i++) {
        if (labels[i] == NULL || labels[i][0] == '\0')
            continue;
        ok = ok && buf_print(to, "%c%s", before, labels[i]);
        before = ',';
    }
    return ok && buf_put(to, before == ',' ? SPAN("} ") : SPAN(" "));
}

static bool print_histogram(struct buf *to, const char *prefix, const struct metric *row,
                            const struct metric_instance *instance)
{
    const char *const plain[3] = { instance->labels, row->labels, NULL };
    size_t buckets_at = row->offset + offsetof(struct metric_histogram, buckets);
    uint64_t sum_us = sum_at(instance, row->offset + offsetof(struct metric_histogram, sum_us));
    uint64_t count = 0;
    bool ok = true;

    for (size_t i = 0; i <= METRIC_BUCKETS; i++) {
        char le[32] = "le=\"+Inf\"";
        if (i < METRIC_BUCKETS)
            snprintf(le, sizeof(le), "le=\"%g\"", (double)metric_bounds_us[i] / 1e6);
        const char *const labels[3] = { instance->labels, row->labels, le };
        count += sum_at(instance, buckets_at + i * sizeof(metric_value));
        ok = ok && print_name(to, prefix, row, "_bucket", labels) &&
             buf_print(to, "%llu\n", (unsigned long long)count);
    }
    return ok && print_name(to, prefix, row, "_sum", plain) &&
           buf_print(to, "%llu.%06llu\n", (unsigned long long)(sum_us / 1000000),
                     (unsigned long long)(sum_us % 1000000)) &&
           print_name(to, prefix, row, "_count", plain) &&
           buf_print(to, "%llu\n", (unsigned long long)count);
}

static bool print_sample(struct buf *to, const char *prefix, const struct metric *row,
                         const struct metric_instance *instance)
{
    const char *const labels[3] = { instance->labels, row->labels, NULL };

    if (row->type == METRIC_HISTOGRAM)
        return print_histogram(to, prefix, row, instance);
    if (!print_name(to, prefix, row, "", labels))
        return false;
    uint64_t value = sum_at(instance, row->offset);
    /* Loops are read one after the other, so a gauge may look negative for a
     * moment; it must not look like 2^64. */
    return row->type == METRIC_GAUGE ? buf_print(to, "%lld\n", (long long)value)
                                     : buf_print(to, "%llu\n", (unsigned long long)value);
}

/* --- a table -------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* The first row after those of this row's name. */
static const struct metric *next_name(const struct metric *row)
{
    const struct metric *next = row;

    while (next->name != NULL && strcmp(next->name, row->name) == 0)
        next++;
    return next;
}

static bool print_help(struct buf *to, const char *prefix, const struct metric *row)
{
    assert(ends_with(row->name, types[row->type].name_ends));
    bool ok = buf_print(to, "# HELP %s%s ", prefix, row->name);

    for (const char *c = row->help; *c != '\0'; c++) {
        struct span text = *c == '\n' ? SPAN("\\n") : *c == '\\' ? SPAN("\\\\") : span_of(c, 1);
        ok = ok && buf_put(to, text);
    }
    return ok && buf_print(to, "\n# TYPE %s%s %s\n", prefix, row->name, types[row->type].name);
}

bool metrics_print(struct buf *to, const char *prefix, const struct metric *table,
                   const struct metric_instance *instances, size_t count)
{
    bool ok = true;

    for (const struct metric *first = table, *end; first->name != NULL; first = end) {
        end = next_name(first);
        ok = ok && print_help(to, prefix, first);
        for (size_t i = 0; i < count; i++)
            for (const struct metric *row = first; row < end; row++)
                ok = ok && print_sample(to, prefix, row, &instances[i]);
    }
    return ok;
}

void metrics_describe(const struct metric *table, const char *prefix, FILE *to)
{
    for (const struct metric *row = table, *end; row->name != NULL; row = end) {
        end = next_name(row);
        fprintf(to, "| `%s%s` | %s |", prefix, row->name, types[row->type].name);
        for (const struct metric *each = row; each < end; each++)
            if (each->labels != NULL)
                fprintf(to, "%s`%s`", each == row ? " " : ", ", each->labels);
        fprintf(to, " | %s |\n", row->help);
    }
}
