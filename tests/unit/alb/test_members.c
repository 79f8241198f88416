/* test_members.c -- the members of groups, over changes of the configuration. */
#include "alb/members.h"
#include "alb/registrations.h"
#include "alb/target.h"

#include "config_fixture.h"

static struct registry registry;
static struct registrations registered;
static const struct members_sources sources = { .said = &registered };

static int set_up(void **state)
{
    (void)state;
    registry_init(&registry);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    registry_done(&registry);
    return 0;
}

static struct config *config_of(const char *groups)
{
    char text[2048];
    struct problems p;

    snprintf(text, sizeof(text), EDGE LISTENER "%s", groups);
    struct config *c = read_text(text, &p);
    assert_non_null(c);
    problems_done(&p);
    return c;
}

#define ONE "[target_group chat]\ntarget = 10.0.0.1:80 weight=2\ntarget = 10.0.0.2:80 weight=4\n"

static void test_members_are_the_files_in_its_order(void **state)
{
    struct config *c = config_of(ONE "[target_group b]\ntarget = 10.0.0.1:80\n");
    struct members *m = members_new(&registry, c, &sources);
    const struct group *chat = members_of(m, &c->groups[0]), *b = members_of(m, &c->groups[1]);
    (void)state;

    assert_int_equal(m->group_count, 2);
    assert_ptr_equal(chat->config, &c->groups[0]);
    assert_int_equal(chat->count, 2);
    assert_string_equal(chat->targets[1]->text, "10.0.0.2:80");
    assert_int_equal(chat->weights[1], 4);
    assert_int_equal(chat->turns, 3);
    assert_int_equal(b->count, 1);
    assert_ptr_not_equal(b->targets[0], chat->targets[0]);
    members_free(&m);
    assert_null(m);
    config_free(&c);
}

static void test_what_outlives_a_change(void **state)
{
    struct config *before = config_of(ONE), *after = config_of(ONE "target = 10.0.0.3:80\n");
    struct members *old = members_new(&registry, before, &sources);
    (void)state;

    atomic_store(&old->groups[0].state->turn, 7);
    struct members *new = members_new(&registry, after, &sources);
    assert_ptr_equal(new->groups[0].targets[0], old->groups[0].targets[0]);
    assert_ptr_equal(new->groups[0].state, old->groups[0].state);
    members_free(&old);
    config_free(&before);
    assert_int_equal(atomic_load(&new->groups[0].state->turn), 7);
    members_free(&new);
    config_free(&after);
}

static void test_what_was_said_by_command(void **state)
{
    static const char said[] = "postern-alb-state 1\n"
                               "deregister chat 10.0.0.1:80\n"
                               "register chat 10.0.0.9:80 weight=9\n"
                               "register chat 10.0.0.2:80 weight=9\n"
                               "register b 10.0.0.8:80 weight=9\nend 4\n";
    struct config *c = config_of(ONE);
    struct registrations r = { .count = 0 };
    struct problems p;
    (void)state;

    problems_init(&p, "f");
    assert_true(registrations_read(&r, span_text(said), &p));
    const struct members_sources both = { .said = &r };
    struct members *m = members_new(&registry, c, &both);
    const struct group *g = &m->groups[0];
    assert_int_equal(g->count, 2);
    assert_string_equal(g->targets[0]->text, "10.0.0.2:80");
    assert_string_equal(g->targets[0]->origin, TARGET_OF_FILE);
    assert_int_equal(g->weights[0], 4); /* the file's */
    assert_string_equal(g->targets[1]->text, "10.0.0.9:80");
    assert_string_equal(g->targets[1]->origin, TARGET_REGISTERED);
    assert_int_equal(g->weights[1], 9);
    assert_ptr_equal(members_find(m, &c->groups[0], "10.0.0.9:80"), g->targets[1]);
    assert_null(members_find(m, &c->groups[0], "10.0.0.1:80"));
    registrations_done(&r);
    problems_done(&p);
    members_free(&m);
    config_free(&c);
}

static unsigned gone_count;

static void on_gone(void *user, struct target *t)
{
    (void)user;
    assert_string_equal(t->text, "10.0.0.2:80");
    gone_count++;
}

static void test_who_is_gone_drains_and_may_come_back(void **state)
{
    struct config *before = config_of(ONE);
    struct config *after = config_of("[target_group chat]\ntarget = 10.0.0.1:80\n");
    struct members *old = members_new(&registry, before, &sources),
                   *new = members_new(&registry, after, &sources);
    struct target *t = old->groups[0].targets[1];
    (void)state;

    gone_count = 0;
    members_mark(&registry, old, on_gone, NULL);
    assert_int_equal(gone_count, 0);
    members_mark(&registry, new, on_gone, NULL);
    members_mark(&registry, new, on_gone, NULL);
    assert_int_equal(gone_count, 1);
    assert_int_equal(target_state_of(t), TARGET_DRAINING);
    assert_false(t->is_registered);
    struct members *again = members_new(&registry, before, &sources);
    assert_ptr_equal(again->groups[0].targets[1], t);
    members_mark(&registry, again, on_gone, NULL);
    assert_true(t->is_registered);
    members_free(&again);
    members_free(&old);
    members_free(&new);
    config_free(&before);
    config_free(&after);
}

static void test_the_state_of_a_group_that_is_gone_goes(void **state)
{
    struct config *two = config_of(ONE "[target_group b]\n"), *one = config_of(ONE);
    struct members *m = members_new(&registry, two, &sources);
    (void)state;

    struct group_state *b = m->groups[1].state, *chat = m->groups[0].state;
    registry_forget_groups(&registry, one);
    assert_ptr_equal(registry_group(&registry, "chat"), chat);
    assert_ptr_not_equal(registry_group(&registry, "b"), b);
    members_free(&m);
    config_free(&one);
    config_free(&two);
}

/* Nobody has asked for the name yet: what was there stays, but what was said by command
 * holds at once. */
static void test_a_name_without_an_answer_keeps_the_members_before(void **state)
{
    static const char said[] = "postern-alb-state 1\nderegister chat 10.0.0.1:80\n"
                               "register chat 10.0.0.3:80 weight=5\nend 2\n";
    struct config *before = config_of(ONE);
    struct config *after = config_of("[target_group chat]\ntarget = dns:a.b:80\n");
    struct registrations some = { .count = 0 };
    struct problems p;
    (void)state;

    problems_init(&p, "f");
    struct members *old = members_new(&registry, before, &sources);
    const struct members_sources waiting = { .said = &registered, .before = old };
    struct members *kept = members_new(&registry, after, &waiting);
    assert_int_equal(kept->groups[0].count, 2);
    assert_int_equal(kept->groups[0].weights[1], 4);
    assert_string_equal(kept->groups[0].targets[1]->origin, TARGET_OF_FILE);

    assert_true(registrations_read(&some, span_text(said), &p));
    const struct members_sources with_some = { .said = &some, .before = kept };
    struct members *fewer = members_new(&registry, after, &with_some);
    assert_int_equal(fewer->groups[0].count, 2);
    assert_string_equal(fewer->groups[0].targets[0]->text, "10.0.0.3:80");
    assert_string_equal(fewer->groups[0].targets[1]->text, "10.0.0.2:80");

    const struct members_sources without = { .said = &registered, .before = fewer };
    struct members *last = members_new(&registry, after, &without);
    assert_int_equal(last->groups[0].count, 1);
    assert_string_equal(last->groups[0].targets[0]->text, "10.0.0.2:80");
    members_free(&last);
    members_free(&fewer);
    members_free(&kept);
    members_free(&old);
    registrations_done(&some);
    problems_done(&p);
    config_free(&before);
    config_free(&after);
}

#define WITH_REGISTRY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REGISTRY(test_members_are_the_files_in_its_order),
        WITH_REGISTRY(test_what_outlives_a_change),
        WITH_REGISTRY(test_what_was_said_by_command),
        WITH_REGISTRY(test_who_is_gone_drains_and_may_come_back),
        WITH_REGISTRY(test_the_state_of_a_group_that_is_gone_goes),
        WITH_REGISTRY(test_a_name_without_an_answer_keeps_the_members_before),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
