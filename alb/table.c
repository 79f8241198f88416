/* table.c -- see table.h. The heads are the first row. */
#include "alb/table.h"

json_t *table_new(const char *const *heads)
{
    json_t *table = json_array(), *row = json_array();

    for (; *heads != NULL; heads++)
        json_array_append_new(row, json_string(*heads));
    json_array_append_new(table, row);
    return table;
}

static void measure(const json_t *table, int widths[TABLE_COLUMNS_MAX])
{
    size_t r, c;
    const json_t *row, *cell;

    json_array_foreach(table, r, row) json_array_foreach(row, c, cell)
    {
        const int len = (int)json_string_length(cell);
        if (len > widths[c])
            widths[c] = len;
    }
}

/* What a target says of itself (the subject of a certificate) must not steer a terminal. */
void table_print_text(const char *text, FILE *to)
{
    for (; *text != '\0'; text++)
        fputc((unsigned char)*text < ' ' || *text == 127 ? '?' : *text, to);
}

/* The last cell that is not empty ends its line. */
static void print_row(const json_t *row, const int widths[TABLE_COLUMNS_MAX], FILE *to)
{
    int gap = 0;

    for (size_t c = 0; c < json_array_size(row); c++) {
        const json_t *cell = json_array_get(row, c);
        const int len = (int)json_string_length(cell);
        if (len > 0) {
            fprintf(to, "%*s", gap, "");
            table_print_text(json_string_value(cell), to);
            gap = -len;
        }
        gap += widths[c] + 2;
    }
    fputc('\n', to);
}

void table_print(json_t *table, FILE *to)
{
    int widths[TABLE_COLUMNS_MAX] = { 0 };
    size_t r;
    const json_t *row;

    if (json_array_size(table) > 1) {
        measure(table, widths);
        json_array_foreach(table, r, row) print_row(row, widths, to);
    }
    json_decref(table);
}
