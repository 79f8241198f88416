/* tunnel_table.c -- see tunnel_table.h. */
#include "alb/tunnel_table.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#include "alb/table.h"

enum { CELL_MAX = 64, SIZE_LEN = 24, TIME_LEN = sizeof("2026-11-22T14:20:00") - 1 };

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

static uint64_t number_of(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

/* --- cells ------------------------------------------------------------------------------------ */

/* The two largest units: "2d3h", "1m5s", "5.2s". */
static const char *show_time(uint64_t ms, char out[CELL_MAX])
{
    const uint64_t s = ms / 1000;

    if (s >= 86400)
        snprintf(out, CELL_MAX, "%" PRIu64 "d%" PRIu64 "h", s / 86400, s / 3600 % 24);
    else if (s >= 3600)
        snprintf(out, CELL_MAX, "%" PRIu64 "h%" PRIu64 "m", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(out, CELL_MAX, "%" PRIu64 "m%" PRIu64 "s", s / 60, s % 60);
    else
        snprintf(out, CELL_MAX, "%" PRIu64 ".%" PRIu64 "s", s, ms / 100 % 10);
    return out;
}

/* "999", "1.5k", "27M" (of 1024). */
static void show_size(uint64_t n, char out[SIZE_LEN])
{
    static const char units[] = "kMGTPE";
    int unit = -1;
    uint64_t tenths = n * 10;

    if (n > UINT64_MAX / 10) /* which no tunnel carries */
        tenths = UINT64_MAX;
    for (; tenths >= 10240; tenths /= 1024)
        unit++;
    if (unit < 0)
        snprintf(out, SIZE_LEN, "%" PRIu64, n);
    else if (tenths < 100)
        snprintf(out, SIZE_LEN, "%" PRIu64 ".%" PRIu64 "%c", tenths / 10, tenths % 10, units[unit]);
    else
        snprintf(out, SIZE_LEN, "%" PRIu64 "%c", tenths / 10, units[unit]);
}

static const json_t *side(const json_t *row, int i)
{
    return json_object_get(row, i == 0 ? "from_client" : "from_target");
}

/* "from the client/from the target" */
static const char *show_bytes(const json_t *row, char out[CELL_MAX])
{
    char sizes[2][SIZE_LEN];

    for (int i = 0; i < 2; i++)
        show_size(number_of(side(row, i), "bytes"), sizes[i]);
    snprintf(out, CELL_MAX, "%s/%s", sizes[0], sizes[1]);
    return out;
}

static uint64_t frames_of(const json_t *from)
{
    uint64_t n = 0;
    const char *kind;
    json_t *count;

    json_object_foreach(json_object_get(from, "frames"), kind, count) n +=
        (uint64_t)json_integer_value(count);
    return n;
}

static const char *show_frames(const json_t *row, char out[CELL_MAX])
{
    snprintf(out, CELL_MAX, "%" PRIu64 "/%" PRIu64, frames_of(side(row, 0)),
             frames_of(side(row, 1)));
    return out;
}

/* The codes of both Closes; "-" for none. */
static const char *show_codes(const json_t *row, char out[CELL_MAX])
{
    char codes[2][8];

    for (int i = 0; i < 2; i++) {
        const uint64_t code = number_of(side(row, i), "close_code");
        snprintf(codes[i], sizeof(codes[i]), "%u", (unsigned)(code % 65536));
        if (code == 0)
            strcpy(codes[i], "-");
    }
    snprintf(out, CELL_MAX, "%s/%s", codes[0], codes[1]);
    return out;
}

static uint64_t idle_of(const json_t *row)
{
    const uint64_t client = number_of(side(row, 0), "idle_ms");
    const uint64_t target = number_of(side(row, 1), "idle_ms");

    return client < target ? client : target;
}

/* To the second. */
static const char *show_moment(const char *iso, char out[CELL_MAX])
{
    snprintf(out, CELL_MAX, "%.*sZ", (int)TIME_LEN, iso);
    return out;
}

/* --- tables ----------------------------------------------------------------------------------- */

static void add(json_t *table, const char *const *cells, size_t count)
{
    json_t *row = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(row, json_string(cells[i]));
    json_array_append_new(table, row);
}

static void add_live(json_t *table, const json_t *row)
{
    char age[CELL_MAX], idle[CELL_MAX], frames[CELL_MAX], bytes[CELL_MAX];
    const char *const cells[] = {
        text_of(row, "client"),        text_of(row, "listener"),
        text_of(row, "group"),         text_of(row, "target"),
        text_of(row, "state"),         show_time(number_of(row, "age_ms"), age),
        show_time(idle_of(row), idle), show_frames(row, frames),
        show_bytes(row, bytes),        text_of(row, "id"),
    };

    add(table, cells, sizeof(cells) / sizeof(cells[0]));
}

static void add_closed(json_t *table, const json_t *row)
{
    char ended[CELL_MAX], lasted[CELL_MAX], frames[CELL_MAX], bytes[CELL_MAX], codes[CELL_MAX];
    const char *const cells[] = {
        show_moment(text_of(row, "ended"), ended),
        text_of(row, "client"),
        text_of(row, "group"),
        text_of(row, "target"),
        show_time(number_of(row, "age_ms"), lasted),
        show_frames(row, frames),
        show_bytes(row, bytes),
        show_codes(row, codes),
        text_of(row, "by"),
        text_of(row, "end"),
        text_of(row, "id"),
    };

    add(table, cells, sizeof(cells) / sizeof(cells[0]));
}

/* "live tunnels: 9000, 3000 of them match, the first 1000 are shown..." */
static void print_counts(const json_t *answer, const char *what, FILE *to)
{
    const uint64_t all = number_of(answer, "all"), matched = number_of(answer, "matched");
    const uint64_t shown = number_of(answer, "shown");

    fprintf(to, "%s: %" PRIu64, what, all);
    if (matched < all)
        fprintf(to, ", %" PRIu64 " of them match", matched);
    if (shown < matched)
        fprintf(to, ", the first %" PRIu64 " are shown: limit=N shows more", shown);
    fputc('\n', to);
}

/* "3 of them are with process 4711, which an upgrade has left: pid=4711 shows those" */
static void print_old_processes(const json_t *answer, FILE *to)
{
    const uint64_t missing = number_of(answer, "missing");
    size_t i;
    const json_t *p;

    json_array_foreach(json_object_get(answer, "old_processes"), i, p)
    {
        const uint64_t tunnels = number_of(p, "tunnels"), pid = number_of(p, "pid");
        if (tunnels > 0)
            fprintf(to,
                    "%" PRIu64 " with process %" PRIu64 ", which an upgrade has left: pid=%" PRIu64
                    " shows those\n",
                    tunnels, pid, pid);
    }
    if (missing > 0)
        fprintf(to, "%" PRIu64 " of these are not in the list: their process has not answered\n",
                missing);
}

static void print(const json_t *answer, const char *key, json_t *table,
                  void (*add_row)(json_t *table, const json_t *row), FILE *to)
{
    size_t i;
    const json_t *row;

    json_array_foreach(json_object_get(answer, key), i, row) add_row(table, row);
    if (json_array_size(table) > 1)
        fputc('\n', to);
    table_print(table, to);
}

void tunnel_table_print_live(const json_t *answer, FILE *to)
{
    static const char *const heads[] = { "CLIENT", "LISTENER", "GROUP", "TARGET", "STATE", "AGE",
                                         "IDLE",   "FRAMES",   "BYTES", "ID",     NULL };

    print_counts(answer, "live tunnels", to);
    print_old_processes(answer, to);
    print(answer, "tunnels", table_new(heads), add_live, to);
}

void tunnel_table_print_closed(const json_t *answer, FILE *to)
{
    static const char *const heads[] = { "ENDED", "CLIENT", "GROUP", "TARGET", "LASTED", "FRAMES",
                                         "BYTES", "CODES",  "BY",    "END",    "ID",     NULL };

    print_counts(answer, "tunnels that ended last", to);
    print(answer, "closed", table_new(heads), add_closed, to);
}

/* --- asking -------------------------------------------------------------------------------------
 */

static char *encode(char *at, const char *text, size_t len)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (isalnum(c) || strchr("-._~", c) != NULL) {
            *at++ = (char)c;
            continue;
        }
        *at++ = '%';
        *at++ = digits[c >> 4];
        *at++ = digits[c & 15];
    }
    return at;
}

char *tunnel_table_path(const char *path, const char *const *words, int count)
{
    size_t size = strlen(path) + 1;

    for (int i = 0; i < count; i++)
        size += 3 * strlen(words[i]) + 1;
    char *out = mem_zero(size), *at = out + strlen(path);
    memcpy(out, path, strlen(path));
    for (int i = 0; i < count; i++) {
        const char *equals = strchr(words[i], '=');
        if (equals == NULL) {
            free(out);
            return NULL;
        }
        *at++ = i == 0 ? '?' : '&';
        at = encode(at, words[i], (size_t)(equals - words[i]));
        *at++ = '=';
        at = encode(at, equals + 1, strlen(equals + 1));
    }
    return out;
}
