/* registrations.c -- see registrations.h. */
#include "alb/registrations.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#include "alb/config.h"

#define FIRST_LINE "postern-alb-state 1"

void registrations_done(struct registrations *r)
{
    mem_free(r->items);
    r->count = r->room = 0;
    edge_additions_done(&r->edge);
}

struct registrations registrations_copy(const struct registrations *r)
{
    struct registrations copy = { .count = r->count, .room = r->count };

    copy.items = mem_array(struct registration, r->count);
    for (size_t i = 0; i < r->count; i++)
        copy.items[i] = r->items[i];
    copy.edge = edge_additions_copy(&r->edge);
    return copy;
}

static struct registration *find(const struct registrations *r, const char *group,
                                 const char *target, bool is_drain)
{
    for (size_t i = 0; i < r->count; i++) {
        struct registration *item = &r->items[i];
        if (item->is_drain == is_drain && strcmp(item->group, group) == 0 &&
            strcmp(item->name.text, target) == 0)
            return item;
    }
    return NULL;
}

struct registration *registrations_find(const struct registrations *r, const char *group,
                                        const char *target)
{
    return find(r, group, target, false);
}

struct registration *registrations_find_drain(const struct registrations *r, const char *group,
                                              const char *target)
{
    return find(r, group, target, true);
}

bool registrations_add(struct registrations *r, const struct registration *item)
{
    if (r->count >= REGISTRATIONS_MAX)
        return false;
    if (r->count == r->room) {
        r->room = r->room == 0 ? 16 : r->room * 2;
        r->items = mem_resize(r->items, r->room * sizeof(r->items[0]));
    }
    r->items[r->count++] = *item;
    return true;
}

void registrations_remove(struct registrations *r, struct registration *item)
{
    const size_t at = (size_t)(item - r->items);

    memmove(item, item + 1, (r->count - at - 1) * sizeof(*item));
    r->count--;
}

static bool has_names(const struct group_config *g)
{
    for (size_t i = 0; i < g->target_count; i++) {
        if (g->targets[i].name.host[0] != '\0')
            return true;
    }
    return false;
}

static bool has_lapsed(const struct registrations *r, const struct registration *item,
                       const struct group_config *g)
{
    if (g == NULL || config_target(g, item->name.text) != NULL)
        return false;
    if (item->is_drain)
        return !has_names(g) && registrations_find(r, item->group, item->name.text) == NULL;
    return item->is_out;
}

bool registrations_prune(struct registrations *r, const struct config *config)
{
    const size_t before = r->count;

    for (size_t i = r->count; i-- > 0;) {
        struct registration *item = &r->items[i];
        const struct group_config *g = config_group(config, span_text(item->group));
        if (has_lapsed(r, item, g))
            registrations_remove(r, item);
    }
    return r->count < before;
}

enum { LINE_MAX_BYTES = TARGET_NAME_MAX + GROUP_NAME_MAX + 64 };

static void format_item(const struct registration *item, char line[LINE_MAX_BYTES])
{
    if (item->is_drain)
        snprintf(line, LINE_MAX_BYTES, "drain %s %s", item->group, item->name.text);
    else if (item->is_out)
        snprintf(line, LINE_MAX_BYTES, "deregister %s %s", item->group, item->name.text);
    else
        snprintf(line, LINE_MAX_BYTES, "register %s %s weight=%u", item->group, item->name.text,
                 item->weight);
}

void registrations_print(const struct registrations *r, struct buf *to)
{
    char line[LINE_MAX_BYTES];

    buf_print(to, FIRST_LINE "\n");
    for (size_t i = 0; i < r->count; i++) {
        format_item(&r->items[i], line);
        buf_print(to, "%s\n", line);
    }
    for (size_t i = 0; i < r->edge.count; i++) {
        edge_addition_format(&r->edge.items[i], line);
        buf_print(to, "%s\n", line);
    }
    buf_print(to, "end %zu\n", r->count + r->edge.count);
}

/* --- reading ---------------------------------------------------------------------- */

struct reader {
    struct registrations *to;
    struct problems *problems;
    int *lines; /* of the items of `to` */
    int line;
    bool has_ended;
};

#define CURE                                                                                       \
    "; mend the line, or move the file away to start without what commands said (registered "      \
    "targets and the like)"

static void bad_line(struct reader *r, struct span line, const char *what)
{
    problems_error(r->problems, r->line, "\"%.*s\": %s" CURE,
                   (int)(line.len < 100 ? line.len : 100), line.ptr, what);
}

static bool is_group_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-",
                   name.ptr[i]) == NULL ||
            name.ptr[i] == '\0')
            return false;
    }
    return name.len > 0 && name.len <= GROUP_NAME_MAX;
}

/* The words of a line, parted by one blank each; how many there are. */
static size_t split(struct span line, struct span *words, size_t max)
{
    size_t n = 0;

    for (;;) {
        const char *blank = line.len == 0 ? NULL : memchr(line.ptr, ' ', line.len);
        const size_t len = blank == NULL ? line.len : (size_t)(blank - line.ptr);
        if (n == max)
            return max + 1;
        words[n++] = span_of(line.ptr, len);
        if (blank == NULL)
            return n;
        line = span_after(line, len + 1);
    }
}

/* False with a reason. */
static bool parse_item(const struct span *words, size_t count, struct registration *item, char *why,
                       size_t why_size)
{
    const bool is_in = span_equal(words[0], SPAN("register"));

    const bool is_drain = span_equal(words[0], SPAN("drain"));

    *item = (struct registration){ .is_out = !is_in && !is_drain, .is_drain = is_drain };
    if ((!is_in && !is_drain && !span_equal(words[0], SPAN("deregister"))) ||
        count != (is_in ? 4 : 3)) {
        snprintf(why, why_size,
                 "is none of \"register GROUP TARGET weight=N\", \"deregister GROUP TARGET\", "
                 "\"drain GROUP TARGET\", \"edge CIDR until=SECONDS\"");
        return false;
    }
    if (!is_group_name(words[1])) {
        snprintf(why, why_size, "\"%.*s\" is no name of a target group",
                 (int)(words[1].len < 100 ? words[1].len : 100), words[1].ptr);
        return false;
    }
    memcpy(item->group, words[1].ptr, words[1].len);
    if (!target_name_parse(words[2], 0, &item->name, why, why_size))
        return false;
    if (item->name.addr.len == 0) {
        snprintf(why, why_size, "a DNS name stands in the configuration file, not here");
        return false;
    }
    return !is_in || config_weight(words[3], &item->weight, why, why_size);
}

/* NULL when it is good; else why not. */
static const char *judge_item(const struct reader *r, struct span line,
                              const struct registration *item, char why[LINE_MAX_BYTES + 32])
{
    const struct registration *first = find(r->to, item->group, item->name.text, item->is_drain);
    char exact[LINE_MAX_BYTES];

    format_item(item, exact);
    if (!span_equal(line, span_text(exact)))
        snprintf(why, LINE_MAX_BYTES + 32, "has to be written \"%s\"", exact);
    else if (first != NULL)
        snprintf(why, LINE_MAX_BYTES + 32, "the same target is there at line %d",
                 r->lines[first - r->to->items]);
    else
        return NULL;
    return why;
}

static void add_item(struct reader *r, struct span line, const struct registration *item)
{
    char text[LINE_MAX_BYTES + 32];
    const char *why = judge_item(r, line, item, text);

    if (why == NULL && r->to->edge.count > 0)
        why = "stands behind an \"edge\" line";
    if (why == NULL && !registrations_add(r->to, item))
        why = "there are too many";
    if (why != NULL) {
        bad_line(r, line, why);
        return;
    }
    r->lines = mem_resize(r->lines, r->to->count * sizeof(r->lines[0]));
    r->lines[r->to->count - 1] = r->line;
}

/* The same of an address that may connect for a while. */
static void add_edge(struct reader *r, struct span line, const struct span words[3])
{
    struct edge_addition item;
    char exact[EDGE_ADDITION_LINE_MAX], why[512];

    if (!edge_addition_parse(words[1], words[2], &item, why, sizeof(why))) {
        bad_line(r, line, why);
        return;
    }
    edge_addition_format(&item, exact);
    if (!span_equal(line, span_text(exact))) {
        snprintf(why, sizeof(why), "has to be written \"%s\"", exact);
        bad_line(r, line, why);
    } else if (edge_additions_find(&r->to->edge, &item.block) != NULL) {
        bad_line(r, line, "the same block is there before");
    } else if (!edge_additions_add(&r->to->edge, &item)) {
        bad_line(r, line, "there are too many");
    }
}

static void end(struct reader *r, struct span line, struct span number)
{
    char exact[32];

    snprintf(exact, sizeof(exact), "%zu", r->to->count + r->to->edge.count);
    r->has_ended = true;
    if (!span_equal(number, span_text(exact)))
        bad_line(r, line, "the number is not that of the lines before: some are missing");
}

static void take_line(struct reader *r, struct span line)
{
    struct registration item;
    struct span words[4];
    char why[512];

    r->line++;
    const size_t count = split(line, words, 4);
    if (r->line == 1) {
        if (!span_equal(line, SPAN(FIRST_LINE)))
            bad_line(r, line, "is not \"" FIRST_LINE "\": this is no state file of this alb");
    } else if (r->has_ended) {
        bad_line(r, line, "stands behind the end");
    } else if (count == 2 && span_equal(words[0], SPAN("end"))) {
        end(r, line, words[1]);
    } else if (count == 3 && span_equal(words[0], SPAN("edge"))) {
        add_edge(r, line, words);
    } else if (parse_item(words, count, &item, why, sizeof(why))) {
        add_item(r, line, &item);
    } else {
        bad_line(r, line, why);
    }
}

bool registrations_read(struct registrations *to, struct span text, struct problems *problems)
{
    struct reader r = { .to = to, .problems = problems };
    const size_t errors = problems->errors;

    while (text.len > 0 && problems->errors == errors) {
        const char *newline = memchr(text.ptr, '\n', text.len);
        const size_t len = newline == NULL ? text.len : (size_t)(newline - text.ptr);
        take_line(&r, span_of(text.ptr, len));
        if (newline == NULL && problems->errors == errors)
            bad_line(&r, span_of(text.ptr, len), "is cut off");
        text = span_after(text, len + 1);
    }
    if (!r.has_ended && problems->errors == errors)
        bad_line(&r, SPAN(""), "the line \"end N\" is missing: the file was cut off");
    free(r.lines);
    return problems->errors == errors;
}
