/*
 * Any text: it is refused with at least one error, or it is a configuration
 * that the loops can use without looking twice. The same text says the same.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "alb/conditions.h"
#include "alb/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Devices would block or never end: not what is looked for here. */
static bool names_a_device(struct span text)
{
    return memmem(text.ptr, text.len, "/dev", 4) != NULL ||
           memmem(text.ptr, text.len, "/proc", 5) != NULL;
}

static bool is_own_group(const struct config *c, const struct group_config *g)
{
    return g >= c->groups && g < c->groups + c->group_count;
}

static void check_forward(const struct config *c, const struct action *a)
{
    uint32_t weights = 0;

    assert(a->group_count >= 1 && a->group_count <= FORWARD_GROUPS_MAX);
    for (size_t i = 0; i < a->group_count; i++) {
        assert(is_own_group(c, a->groups[i].group) && a->groups[i].weight <= FORWARD_WEIGHT_MAX);
        weights += a->groups[i].weight;
    }
    assert(a->weights == weights);
}

static void check_action(const struct config *c, const struct action *a)
{
    switch (a->kind) {
    case ACTION_FORWARD:
        check_forward(c, a);
        return;
    case ACTION_REDIRECT:
        assert(a->redirect != NULL);
        return;
    case ACTION_FIXED_RESPONSE:
        assert(a->status >= 200 && a->status < 600 && a->status / 100 != 3);
        assert(a->content_type != NULL && strlen(a->body) <= 1024);
        return;
    }
    assert(false);
}

static void check_conditions(const struct rule *r)
{
    assert(r->condition_count >= 1);
    for (size_t i = 0; i < r->condition_count; i++)
        assert(r->conditions[i].count >= 1 && r->conditions[i].setting != NULL);
}

static void check_listener(const struct config *c, const struct listener_config *l)
{
    assert(l->bind.len != 0);
    assert((l->tls != NULL) == (l->options.protocol == PROTOCOL_HTTPS));
    assert(l->fallback.priority == 0);
    check_action(c, &l->fallback.action);
    for (size_t i = 0; i < l->rule_count; i++) {
        const struct rule *r = &l->rules[i];
        assert(r->priority > (i == 0 ? 0 : l->rules[i - 1].priority) && r->priority <= 50000);
        check_conditions(r);
        check_action(c, &r->action);
    }
}

static void check_group(const struct group_config *g)
{
    assert(g->matcher_count > 0 && g->stickiness.duration_s > 0);
    for (size_t i = 0; i < g->target_count; i++) {
        assert(g->targets[i].name.text[0] != '\0' && g->targets[i].weight <= 999);
        for (size_t j = 0; j < i; j++)
            assert(strcmp(g->targets[i].name.text, g->targets[j].name.text) != 0);
    }
}

static void check_config(const struct config *c)
{
    assert(c->listener_count > 0);
    assert(!c->edge_any || edge_set_ranges(c->edge) == 0);
    for (size_t i = 0; i < c->listener_count; i++) {
        check_listener(c, &c->listeners[i]);
        assert(config_listener(c, span_text(c->listeners[i].name)) == &c->listeners[i]);
    }
    for (size_t i = 0; i < c->group_count; i++) {
        check_group(&c->groups[i]);
        assert(config_group(c, span_text(c->groups[i].name)) == &c->groups[i]);
    }
}

static struct problems read_once(struct span text)
{
    struct problems p;

    problems_init(&p, "f");
    struct config *c = config_read_text(text, &p);
    assert((c == NULL) == (p.errors > 0));
    if (c != NULL)
        check_config(c);
    config_free(&c);
    return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size);

    if (names_a_device(text))
        return 0;
    struct problems first = read_once(text), second = read_once(text);
    assert(first.count == second.count);
    for (size_t i = 0; i < first.count; i++)
        assert(strcmp(first.items[i].text, second.items[i].text) == 0);
    problems_done(&first);
    problems_done(&second);
    return 0;
}
