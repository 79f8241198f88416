/* reload_table.c -- see reload_table.h. */
#include "alb/reload_table.h"

#include <string.h>

#include "alb/table.h"

static long long number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* A number, a text, or texts. */
static json_t *cell(const json_t *value)
{
    char text[256] = "";
    size_t i;
    const json_t *item;

    if (json_is_string(value))
        return json_string(json_string_value(value));
    if (json_is_integer(value)) {
        snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
        return json_string(text);
    }
    json_array_foreach(value, i, item)
    {
        const size_t len = strlen(text);
        snprintf(text + len, sizeof(text) - len, "%s%s", i == 0 ? "" : ", ",
                 json_string_value(item));
    }
    return json_string(text);
}

/* The columns are the keys, in the order of the heads. */
static void print(const json_t *list, const char *const *heads, const char *const *keys, FILE *to)
{
    json_t *table = table_new(heads);
    size_t i;
    const json_t *item;

    json_array_foreach(list, i, item)
    {
        json_t *row = json_array();
        for (const char *const *key = keys; *key != NULL; key++)
            json_array_append_new(row, cell(json_object_get(item, *key)));
        json_array_append_new(table, row);
    }
    if (json_array_size(list) > 0)
        fputc('\n', to);
    table_print(table, to);
}

static void print_counts(const json_t *answer, FILE *to)
{
    const long long all = number_of(answer, "all"), looked_at = number_of(answer, "looked_at");
    const long long touched = number_of(answer, "touched");
    const long long shown = (long long)json_array_size(json_object_get(answer, "tunnels"));

    fprintf(to, "\nlive tunnels: %lld, touched: %lld, of them end at once: %lld\n", all, touched,
            number_of(answer, "ends_at_once"));
    if (looked_at < all)
        fprintf(to, "only the %lld that are silent for longest were looked at\n", looked_at);
    if (shown < touched)
        fprintf(to, "the first %lld are shown\n", shown);
}

void reload_table_print(const json_t *answer, FILE *to)
{
    static const char *const change_heads[] = { "WHAT", "NAME", "CHANGE", "DETAIL", NULL };
    static const char *const change_keys[] = { "what", "name", "change", "detail", NULL };
    static const char *const reason_heads[] = { "TUNNELS", "WHY", "WHAT BECOMES OF THEM", NULL };
    static const char *const reason_keys[] = { "tunnels", "reason", "effect", NULL };
    static const char *const heads[] = {
        "CLIENT", "LISTENER", "GROUP", "TARGET", "WHY", "ID", NULL
    };
    static const char *const keys[] = { "client",  "listener", "group", "target",
                                        "reasons", "id",       NULL };
    const json_t *changes = json_object_get(answer, "changes");
    const json_t *warnings = json_object_get(answer, "warnings"), *text;
    size_t i;

    json_array_foreach(warnings, i, text)
    {
        table_print_text(json_string_value(text), to);
        fputc('\n', to);
    }
    fprintf(to, "nothing was changed; a reload would bring %zu changes\n",
            json_array_size(changes));
    print(changes, change_heads, change_keys, to);
    print_counts(answer, to);
    print(json_object_get(answer, "reasons"), reason_heads, reason_keys, to);
    print(json_object_get(answer, "tunnels"), heads, keys, to);
}
