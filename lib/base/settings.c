/* settings.c -- see settings.h. */
#include "base/settings.h"

#include <assert.h>

#include "base/bug.h"
#include "base/mem.h"
#include "base/text.h"

enum { ROWS_MAX = 64, KEY_MAX = 80, SHOWN_MAX = 64, WORDS_MAX = 1024 };

/* --- what a row means --------------------------------------------------------- */

/* A duration that people write as a bare number of seconds. */
static bool counts_seconds(const struct setting *s)
{
    size_t n = strlen(s->key);

    return s->type == SETTING_DURATION && n >= 7 && strcmp(s->key + n - 7, "seconds") == 0;
}

/* The word that stands for 0: the fallback, when that is one. NULL otherwise. */
static const char *word_for_zero(const struct setting *s)
{
    const bool is_number = s->fallback[0] >= '0' && s->fallback[0] <= '9';

    return s->type == SETTING_COUNT && !is_number ? s->fallback : NULL;
}

/* A row without a range is bounded by what its field can hold. */
static uint64_t most(const struct setting *s)
{
    return s->min == 0 && s->max == 0 ? UINT32_MAX : s->max;
}

static bool has_range(const struct setting *s)
{
    return s->min != 0 || s->max != 0;
}

/* A number as one would write it for this setting. */
static const char *format_number(const struct setting *s, uint64_t number, char out[16])
{
    if (s->type == SETTING_DURATION && !counts_seconds(s))
        return text_format_duration((uint32_t)number, out);
    if (s->type == SETTING_BYTES)
        return text_format_size((uint32_t)number, out);
    snprintf(out, 16, "%u", (uint32_t)(counts_seconds(s) ? number / 1000 : number));
    return out;
}

/* "1..4000 seconds", "100ms..5m" */
static const char *format_range(const struct setting *s, char out[64])
{
    char low[16], high[16];

    if (counts_seconds(s) && s->min % 1000 != 0) {
        snprintf(out, 64, "%s..%s", text_format_duration((uint32_t)s->min, low),
                 text_format_duration((uint32_t)most(s), high));
        return out;
    }
    snprintf(out, 64, "%s..%s%s", format_number(s, s->min, low), format_number(s, most(s), high),
             counts_seconds(s) ? " seconds" : "");
    return out;
}

static const char *format_choices(const struct setting *s, char out[WORDS_MAX])
{
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; s->choices[i] != NULL && n < WORDS_MAX; i++)
        n += (size_t)snprintf(out + n, WORDS_MAX - n, "%s%s", i == 0 ? "" : ", ", s->choices[i]);
    return out;
}

/* --- reading ------------------------------------------------------------------ */

static bool read_choice(const struct setting *s, struct span text, uint64_t *number)
{
    for (size_t i = 0; s->choices[i] != NULL; i++) {
        if (span_equal_nocase(text, span_text(s->choices[i]))) {
            *number = i;
            return true;
        }
    }
    return false;
}

static bool read_bool(struct span text, uint64_t *number)
{
    bool value;

    if (!text_bool(text, &value))
        return false;
    *number = value;
    return true;
}

static bool read_number(const struct setting *s, struct span text, uint64_t *number)
{
    switch (s->type) {
    case SETTING_BOOL:
        return read_bool(text, number);
    case SETTING_COUNT:
        return text_u64(text, number);
    case SETTING_DURATION:
        return text_duration_u64(text, counts_seconds(s), number);
    case SETTING_BYTES:
        return text_size(text, number);
    case SETTING_CHOICE:
        return read_choice(s, text, number);
    case SETTING_TEXT:
    case SETTING_LIST:
        break;
    }
    bug("a text is no number");
}

static const char *expected(const struct setting *s, char out[WORDS_MAX])
{
    char choices[WORDS_MAX];

    switch (s->type) {
    case SETTING_BOOL:
        return "yes or no";
    case SETTING_COUNT:
        snprintf(out, WORDS_MAX, "a whole number%s%s", word_for_zero(s) != NULL ? " or " : "",
                 word_for_zero(s) != NULL ? word_for_zero(s) : "");
        return out;
    case SETTING_DURATION:
        return counts_seconds(s) ? "a number of seconds, nor a duration such as 250ms, 30s or 5m"
                                 : "a duration such as 250ms, 30s or 5m";
    case SETTING_BYTES:
        return "a size such as 65536, 64k or 1m";
    case SETTING_CHOICE:
        snprintf(out, WORDS_MAX, "one of %s", format_choices(s, choices));
        return out;
    case SETTING_TEXT:
    case SETTING_LIST:
        break;
    }
    bug("every text will do");
}

/* --- writing the field -------------------------------------------------------- */

static void *field_of(const struct setting *s, void *into)
{
    return (char *)into + s->offset;
}

static void store_number(const struct setting *s, void *into, uint64_t number)
{
    void *field = field_of(s, into);

    switch (s->type) {
    case SETTING_BOOL:
        *(bool *)field = number != 0;
        return;
    case SETTING_COUNT:
    case SETTING_DURATION:
    case SETTING_BYTES:
        *(uint32_t *)field = (uint32_t)number;
        return;
    case SETTING_CHOICE:
        *(int *)field = (int)number;
        return;
    case SETTING_TEXT:
    case SETTING_LIST:
        break;
    }
    bug("a text is no number");
}

static void store_text(const struct setting *s, void *into, struct span text)
{
    char **field = field_of(s, into);

    free(*field);
    *field = mem_copy(text.ptr, text.len);
}

static void empty_list(struct setting_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].text);
    mem_free(list->items);
    list->count = 0;
}

static void store_item(const struct setting *s, void *into, struct span text, int line)
{
    struct setting_list *list = field_of(s, into);

    list->items = mem_room(list->items, list->count, sizeof(list->items[0]));
    list->items[list->count++] =
        (struct setting_item){ .text = mem_copy(text.ptr, text.len), .line = line };
}

static bool set_number(const struct setting *s, void *into, struct span text, char *why,
                       size_t why_size)
{
    char words[WORDS_MAX];
    int shown = text.len > SHOWN_MAX ? SHOWN_MAX : (int)text.len;
    uint64_t number;

    if (word_for_zero(s) != NULL && span_equal_nocase(text, span_text(word_for_zero(s)))) {
        store_number(s, into, 0);
        return true;
    }
    if (!read_number(s, text, &number)) {
        if (s->explain != NULL && s->explain(text, words, sizeof(words)))
            snprintf(why, why_size, "%s: \"%.*s\" %s", s->key, shown, text.ptr, words);
        else
            snprintf(why, why_size, "%s: \"%.*s\" is not %s", s->key, shown, text.ptr,
                     expected(s, words));
        return false;
    }
    if (number < s->min || number > most(s)) {
        snprintf(why, why_size, "%s: %.*s is outside %s", s->key, shown, text.ptr,
                 format_range(s, words));
        return false;
    }
    store_number(s, into, number);
    return true;
}

static bool set_value(const struct setting *s, void *into, struct span text, int line, char *why,
                      size_t why_size)
{
    if (s->type == SETTING_TEXT)
        store_text(s, into, text);
    else if (s->type == SETTING_LIST)
        store_item(s, into, text, line);
    else
        return set_number(s, into, text, why, why_size);
    return true;
}

/* --- the nearest key ---------------------------------------------------------- */

/* Letters to put in, take out or change to make `a` into `b` (Levenshtein). */
static size_t distance(struct span a, struct span b)
{
    size_t row[KEY_MAX + 1]; /* of the first i letters of a, to each start of b */

    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = corner + (a.ptr[i - 1] != b.ptr[j - 1]);
            corner = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b.len];
}

/* "idle_timeout" for "idle_timeout.timeout_seconds" */
static bool is_beginning(struct span key, const char *of)
{
    return key.len > 0 && span_starts_with(span_text(of), key) && of[key.len] == '.';
}

static void say_unknown(const struct setting *table, struct span key, char *why, size_t why_size)
{
    int shown = key.len > SHOWN_MAX ? SHOWN_MAX : (int)key.len;
    const char *nearest = NULL;
    size_t least = 3; /* further than that is another word */

    for (const struct setting *s = table; s->key != NULL && key.len <= KEY_MAX; s++) {
        size_t d = is_beginning(key, s->key) ? 1 : distance(key, span_text(s->key));
        if (d < least) {
            least = d;
            nearest = s->key;
        }
    }
    if (nearest == NULL)
        snprintf(why, why_size, "unknown setting \"%.*s\"", shown, key.ptr);
    else
        snprintf(why, why_size, "unknown setting \"%.*s\"; did you mean \"%s\"?", shown, key.ptr,
                 nearest);
}

/* --- the whole ----------------------------------------------------------------- */

/* A field as it is before anything was stored in it. */
static void clear_field(const struct setting *s, void *into)
{
    if (s->type == SETTING_LIST)
        *(struct setting_list *)field_of(s, into) = (struct setting_list){ .count = 0 };
    if (s->type == SETTING_TEXT)
        *(char **)field_of(s, into) = NULL;
}

void settings_init(const struct setting *table, void *into)
{
    for (const struct setting *s = table; s->key != NULL; s++) {
        char why[512];

        assert(s - table < ROWS_MAX && strlen(s->key) <= KEY_MAX && most(s) <= UINT32_MAX);
        assert(s->fallback != NULL || s->type == SETTING_LIST);
        clear_field(s, into);
        if (s->fallback == NULL && s->type == SETTING_LIST)
            continue;
        if (!set_value(s, into, span_text(s->fallback), 0, why, sizeof(why)))
            bug(why);
    }
}

void settings_done(const struct setting *table, void *into)
{
    for (const struct setting *s = table; s->key != NULL; s++) {
        if (s->type == SETTING_LIST)
            empty_list(field_of(s, into));
        if (s->type == SETTING_TEXT)
            mem_free(*(char **)field_of(s, into));
    }
}

const struct setting *settings_find(const struct setting *table, struct span key)
{
    for (const struct setting *s = table; s->key != NULL; s++) {
        if (span_equal(key, span_text(s->key)))
            return s;
    }
    return NULL;
}

bool settings_was_set(const struct setting *table, uint64_t seen, const char *key)
{
    const struct setting *s = settings_find(table, span_text(key));

    assert(s != NULL);
    return (seen >> (s - table) & 1) != 0;
}

bool settings_set(const struct setting *table, void *into, uint64_t *seen, struct span key,
                  struct span value, int line, char *why, size_t why_size)
{
    const struct setting *s = settings_find(table, key);

    if (s == NULL) {
        say_unknown(table, key, why, why_size);
        return false;
    }
    bool again = settings_was_set(table, *seen, s->key);
    if (again && s->type != SETTING_LIST) {
        snprintf(why, why_size, "%s: set twice in one section; keep one of the two", s->key);
        return false;
    }
    if (!again && s->type == SETTING_LIST)
        empty_list(field_of(s, into)); /* the file's items replace the fallback */
    if (!set_value(s, into, value, line, why, why_size))
        return false;
    *seen |= (uint64_t)1 << (s - table);
    return true;
}

/* --- the managed balancer's defaults -------------------------------------------- */

void settings_use_aws(const struct setting *table, void *into, uint64_t seen)
{
    for (const struct setting *s = table; s->key != NULL; s++) {
        char why[512];

        if (s->aws == NULL || (seen >> (s - table) & 1) != 0)
            continue;
        if (!set_value(s, into, span_text(s->aws), 0, why, sizeof(why)))
            bug(why);
    }
}

static uint64_t load_number(const struct setting *s, const void *from)
{
    const void *field = (const char *)from + s->offset;

    if (s->type == SETTING_BOOL)
        return *(const bool *)field;
    if (s->type == SETTING_CHOICE)
        return (uint64_t) * (const int *)field;
    return *(const uint32_t *)field;
}

static const char *load_text(const struct setting *s, const void *from)
{
    return *(char *const *)(const void *)((const char *)from + s->offset);
}

void settings_inherit(const struct setting *table, void *into, uint64_t seen,
                      const struct setting *from_table, const void *from)
{
    for (const struct setting *s = table; s->key != NULL; s++) {
        if (s->inherits == NULL || (seen >> (s - table) & 1) != 0)
            continue;
        const struct setting *source = settings_find(from_table, span_text(s->key));
        assert(source != NULL && source->type == s->type);
        store_number(s, into, load_number(source, from));
    }
}

bool settings_differs_from_aws(const struct setting *s, const void *from)
{
    uint64_t aws = 0;

    if (s->aws == NULL)
        return false;
    if (s->type == SETTING_TEXT)
        return strcmp(load_text(s, from), s->aws) != 0;
    if (word_for_zero(s) == NULL || strcmp(s->aws, word_for_zero(s)) != 0)
        read_number(s, span_text(s->aws), &aws);
    return load_number(s, from) != aws;
}

static bool lists_are_same(const struct setting_list *a, const struct setting_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->items[i].text, b->items[i].text) != 0)
            return false;
    }
    return true;
}

bool settings_is_same(const struct setting *s, const void *a, const void *b)
{
    if (s->type == SETTING_LIST)
        return lists_are_same((const void *)((const char *)a + s->offset),
                              (const void *)((const char *)b + s->offset));
    if (s->type == SETTING_TEXT)
        return strcmp(load_text(s, a), load_text(s, b)) == 0;
    return load_number(s, a) == load_number(s, b);
}

const char *settings_show(const struct setting *s, const void *from, char out[SETTING_SHOWN_MAX])
{
    if (s->type == SETTING_TEXT) {
        snprintf(out, SETTING_SHOWN_MAX, "%s", load_text(s, from));
        return out;
    }
    const uint64_t number = load_number(s, from);
    char digits[16];
    if (s->type == SETTING_BOOL)
        snprintf(out, SETTING_SHOWN_MAX, "%s", number != 0 ? "yes" : "no");
    else if (s->type == SETTING_CHOICE)
        snprintf(out, SETTING_SHOWN_MAX, "%s", s->choices[number]);
    else if (number == 0 && word_for_zero(s) != NULL)
        snprintf(out, SETTING_SHOWN_MAX, "%s", word_for_zero(s));
    else
        snprintf(out, SETTING_SHOWN_MAX, "%s", format_number(s, number, digits));
    return out;
}

/* --- the reference page -------------------------------------------------------- */

static const char *allowed(const struct setting *s, char out[WORDS_MAX])
{
    switch (s->type) {
    case SETTING_BOOL:
        return "yes, no";
    case SETTING_CHOICE:
        return format_choices(s, out);
    case SETTING_COUNT:
    case SETTING_DURATION:
    case SETTING_BYTES:
        return has_range(s) ? format_range(s, out) : "any";
    case SETTING_TEXT:
        return "text";
    case SETTING_LIST:
        return "text, repeatable";
    }
    bug("unknown setting type");
}

void settings_describe(const struct setting *table, FILE *to)
{
    static const char *const applies[] = {
        [APPLIES_RELOAD] = "reload",
        [APPLIES_NEW_CONNECTIONS] = "new connections",
        [APPLIES_RESTART] = "restart",
    };

    fputs("| Setting | Default | Range | Takes effect | What it does |\n|---|---|---|---|---|\n",
          to);
    for (const struct setting *s = table; s->key != NULL; s++) {
        char words[WORDS_MAX];
        bool empty = s->fallback == NULL || s->fallback[0] == '\0';

        if (s->inherits != NULL)
            fprintf(to, "| `%s` | %s", s->key, s->inherits);
        else
            fprintf(to, "| `%s` | %s%s%s", s->key, empty ? "" : "`", empty ? "(none)" : s->fallback,
                    empty ? "" : "`");
        if (s->inherits == NULL && s->aws != NULL && strcmp(s->aws, s->fallback) != 0)
            fprintf(to, " (profile aws: `%s`)", s->aws);
        fprintf(to, " | %s | %s | %s |\n", allowed(s, words), applies[s->applies], s->help);
    }
}
