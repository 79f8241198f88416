/* upgrades.c -- see upgrades.h. */
#include "alb/upgrades.h"

#include <stdbool.h>
#include <string.h>

#include "alb/table.h"

enum { NUMBER_MAX = 24 };

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));

    return text != NULL ? text : "";
}

/* "-" for null. */
static const char *number_of(const json_t *row, const char *key, char out[NUMBER_MAX])
{
    const json_t *n = json_object_get(row, key);

    if (!json_is_integer(n))
        return "-";
    snprintf(out, NUMBER_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(n));
    return out;
}

static void add(json_t *table, const json_t *row)
{
    char status[NUMBER_MAX], target_status[NUMBER_MAX], rule[NUMBER_MAX];

    json_array_append_new(
        table,
        json_pack("[s,s,s,s,s,s,s,s,s,s]", text_of(row, "when"), text_of(row, "reason"),
                  number_of(row, "status", status), number_of(row, "target_status", target_status),
                  text_of(row, "client"), json_is_true(json_object_get(row, "edge")) ? "yes" : "no",
                  number_of(row, "rule", rule), text_of(row, "target"), text_of(row, "host"),
                  text_of(row, "path")));
}

/* Has some newer row the same advice? */
static bool is_said(const json_t *rows, size_t i)
{
    const json_t *row = json_array_get(rows, i);

    for (size_t j = 0; j < i; j++) {
        const json_t *newer = json_array_get(rows, j);
        if (strcmp(text_of(newer, "cause"), text_of(row, "cause")) == 0 &&
            strcmp(text_of(newer, "cure"), text_of(row, "cure")) == 0)
            return true;
    }
    return false;
}

static void print_advice(const json_t *row, FILE *to)
{
    fprintf(to, "\n%s\n  ", text_of(row, "reason"));
    table_print_text(text_of(row, "cause"), to);
    fprintf(to, "\n  %s\n", text_of(row, "cure"));
}

void upgrades_print(const json_t *answer, FILE *to)
{
    static const char *const heads[] = { "WHEN", "REASON", "STATUS", "TARGET'S", "CLIENT", "EDGE",
                                         "RULE", "TARGET", "HOST",   "PATH",     NULL };
    const json_t *rows = json_object_get(answer, "failed");
    json_t *table = table_new(heads);
    size_t i;
    const json_t *row;

    fprintf(to, "%" JSON_INTEGER_FORMAT " upgrades failed since the start\n",
            json_integer_value(json_object_get(answer, "all")));
    json_array_foreach(rows, i, row) add(table, row);
    table_print(table, to);
    json_array_foreach(rows, i, row)
    {
        if (!is_said(rows, i))
            print_advice(row, to);
    }
}
