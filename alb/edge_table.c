/* edge_table.c -- see edge_table.h. */
#include "alb/edge_table.h"

#include <string.h>

#include "base/text.h"

#include "alb/door_kind.h"
#include "alb/table.h"

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));

    return text != NULL ? text : "";
}

static long long number_of(const json_t *row, const char *key)
{
    return json_integer_value(json_object_get(row, key));
}

/* "edge.d/one.txt:3", or "ip-ranges.json CLOUDFRONT_ORIGIN_FACING". */
static void place_of(const json_t *row, char *out, size_t size)
{
    const char *service = text_of(row, "service");

    if (service[0] != '\0')
        snprintf(out, size, "%s %s", text_of(row, "file"), service);
    else
        snprintf(out, size, "%s:%lld", text_of(row, "file"), number_of(row, "line"));
}

static void print_blocks(const json_t *answer, FILE *to)
{
    static const char *const heads[] = { "BLOCK", "FROM", NULL };
    json_t *table = table_new(heads);
    const json_t *row;
    char from[1200], left[16];
    size_t i;

    json_array_foreach(json_object_get(answer, "temporary"), i, row)
    {
        const long long seconds = number_of(row, "left_s");
        snprintf(from, sizeof(from), "for another %s, until %.19sZ",
                 text_format_duration((uint32_t)seconds * 1000, left), text_of(row, "until"));
        json_array_append_new(table, json_pack("[s,s]", text_of(row, "block"), from));
    }
    json_array_foreach(json_object_get(answer, "configured"), i, row)
    {
        place_of(row, from, sizeof(from));
        json_array_append_new(table, json_pack("[s,s]", text_of(row, "block"), from));
    }
    table_print(table, to);
}

/* What `mode` means, as a sentence. */
static const char *sentence_of(const json_t *answer)
{
    const char *mode = text_of(answer, "mode");

    if (strcmp(mode, "any") == 0)
        return "everybody may connect (allow = any)";
    return strcmp(mode, "none") == 0 ? "nobody may connect" : "these may connect";
}

static void say_how_to_begin(const json_t *answer, FILE *to)
{
    if (strcmp(text_of(answer, "mode"), "none") == 0)
        fprintf(to, "name the addresses of the edge in [edge] of the configuration file, then: alb "
                    "reload\nto let one in for a while: alb edge add CIDR --for 10m\n");
}

void edge_table_print(const json_t *answer, FILE *to)
{
    const size_t shown = json_array_size(json_object_get(answer, "configured")) +
                         json_array_size(json_object_get(answer, "temporary"));

    fprintf(to, "%s; enforce %s, on_leave %s; %lld blocks, %lld when merged\n", sentence_of(answer),
            text_of(answer, "enforce"), text_of(answer, "on_leave"), number_of(answer, "blocks"),
            number_of(answer, "ranges"));
    fprintf(to, "connections: %lld admitted, %lld refused, %lld let in by observe\n",
            number_of(answer, "admitted"), number_of(answer, "refused"),
            number_of(answer, "observed"));
    print_blocks(answer, to);
    say_how_to_begin(answer, to);
    if ((long long)shown < number_of(answer, "blocks"))
        fprintf(to, "the first %zu blocks are shown, or they are merged\n", shown);
}

static void add_refused(json_t *table, const json_t *row)
{
    char count[24], dropped[24];

    snprintf(count, sizeof(count), "%lld", number_of(row, "count"));
    snprintf(dropped, sizeof(dropped), "%lld", number_of(row, "dropped"));
    json_array_append_new(table, json_pack("[s,s,s,s,s,s]", text_of(row, "address"), count, dropped,
                                           text_of(row, "first"), text_of(row, "last"),
                                           text_of(row, "listener")));
}

/* The kind of door that he tried; DOOR_KINDS: a listener. */
static int door_of(const json_t *row)
{
    int kind = 0;

    while (kind < DOOR_KINDS && strcmp(text_of(row, "listener"), door_labels[kind]) != 0)
        kind++;
    return kind;
}

/* Of those that [edge] refuses the first; of the others whose they are. */
static void print_cures(const json_t *rows, FILE *to)
{
    const json_t *row, *first[DOOR_KINDS + 1] = { NULL };
    size_t i;

    json_array_foreach(rows, i, row)
    {
        if (first[door_of(row)] == NULL)
            first[door_of(row)] = row;
    }
    if (first[DOOR_KINDS] != NULL)
        fprintf(to, "\nto let one in for a while: alb edge add %s --for 10m\n",
                text_of(first[DOOR_KINDS], "address"));
    for (int kind = 0; kind < DOOR_KINDS; kind++) {
        if (first[kind] != NULL)
            fprintf(to, "\nwho may ask at %s is its own allow, in the configuration\n",
                    door_labels[kind]);
    }
}

void edge_table_print_refused(const json_t *answer, FILE *to)
{
    static const char *const heads[] = { "ADDRESS", "COUNT",    "DROPPED", "FIRST",
                                         "LAST",    "LISTENER", NULL };
    const json_t *rows = json_object_get(answer, "refused"), *row;
    json_t *table = table_new(heads);
    size_t i;

    fprintf(to, "%lld tries of strangers since the start%s\n", number_of(answer, "all"),
            strcmp(text_of(answer, "enforce"), "observe") == 0
                ? ", let in (enforce = observe) but at [health] and [management]"
                : "");
    json_array_foreach(rows, i, row) add_refused(table, row);
    table_print(table, to);
    print_cures(rows, to);
}

void edge_table_print_check(const json_t *answer, FILE *to)
{
    const bool admitted = json_is_true(json_object_get(answer, "admitted"));
    const bool observes = strcmp(text_of(answer, "enforce"), "observe") == 0;

    fprintf(to, "%s %s\n", text_of(answer, "address"),
            admitted   ? "may connect"
            : observes ? "is in no block, but is let in (enforce = observe)"
                       : "may not connect");
    if (strcmp(text_of(answer, "mode"), "any") == 0)
        fprintf(to, "everybody may (allow = any)\n");
    print_blocks(answer, to);
}
