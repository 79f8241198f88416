/* test_names.c -- when names are asked for and what of the answers is kept, with a resolver
 * that answers when the test says so. */
#include <ev.h>

#include "net/resolver.h"

#include "alb/counters.h"
#include "alb/names.h"

#include "config_fixture.h"

/* --- a resolver by hand: it stands in for lib/net/resolver.c ------------------------- */

enum { QUESTIONS_MAX = 16 };

struct resolver {
    int dummy;
};

static struct question {
    const struct resolver *asked;
    const char *host; /* names.c's */
    int family;
    resolver_fn *answer;
    void *user;
} questions[QUESTIONS_MAX]; /* that wait */
static size_t question_count;
static bool refuses_servers;

struct resolver *resolver_new(struct ev_loop *loop, const char *servers, char *why, size_t why_size)
{
    (void)loop;
    (void)servers;
    if (!refuses_servers)
        return mem_new(struct resolver);
    snprintf(why, why_size, "no servers");
    return NULL;
}

static void drop(const struct resolver *resolver)
{
    size_t kept = 0;

    for (size_t i = 0; i < question_count; i++) {
        if (questions[i].asked != resolver)
            questions[kept++] = questions[i];
    }
    question_count = kept;
}

void resolver_free(struct resolver **resolver)
{
    if (*resolver != NULL)
        drop(*resolver);
    mem_free(*resolver);
}

bool resolver_check_servers(const char *servers, char *why, size_t why_size)
{
    (void)servers;
    (void)why;
    (void)why_size;
    return true;
}

void resolver_ask(struct resolver *resolver, const char *host, int family, resolver_fn *answer,
                  void *user)
{
    assert_non_null(resolver);
    assert_true(question_count < QUESTIONS_MAX);
    questions[question_count++] = (struct question){ resolver, host, family, answer, user };
}

/* Takes the question for this name and family out of those that wait. */
static struct question take(const char *host, int family)
{
    for (size_t i = 0; i < question_count; i++) {
        const struct question q = questions[i];
        if (q.family != family || strcmp(q.host, host) != 0)
            continue;
        questions[i] = questions[--question_count];
        return q;
    }
    fail_msg("nobody asks for %s (%d)", host, family);
    abort();
}

/* "10.0.0.1 10.0.0.2" are addresses; "" is that there are none, "!" that DNS fails. */
static void answer_in(const char *host, int family, const char *words, uint32_t ttl_s)
{
    const struct question q = take(host, family);
    struct resolver_answer a = { .outcome = RESOLVER_FOUND, .ttl_s = ttl_s };
    struct span rest = span_text(words), word;
    struct ip ips[8];

    while (words[0] != '!' && span_next(&rest, ' ', &word) && word.len > 0)
        assert_true(ip_parse(word, &ips[a.count++]));
    if (a.count == 0)
        a.outcome = words[0] == '!' ? RESOLVER_FAILED : RESOLVER_EMPTY;
    a.why = a.count == 0 ? "as told" : NULL;
    a.ips = ips;
    q.answer(q.user, &a);
}

/* --- one set of names ------------------------------------------------------------------ */

static struct ev_loop *loop;
static struct counters counters;
static struct config *config;
static struct names *names;
static unsigned changes;

static void on_changed(void *user)
{
    assert_ptr_equal(user, &changes);
    changes++;
}

static void turn(void)
{
    ev_run(loop, EVRUN_NOWAIT);
}

/* Until there are so many questions. */
static void wait_for_questions(size_t count)
{
    for (int i = 0; i < 2000 && question_count < count; i++)
        ev_run(loop, EVRUN_ONCE);
    assert_int_equal(question_count, count);
}

static bool follow(const char *lines, char why[64])
{
    struct problems p;
    struct buf text;

    buf_init(&text, 4096);
    buf_print(&text,
              "[alb]\ndns.min_interval = 100ms\ndns.max_interval = 60s\n" EDGE LISTENER
              "[target_group chat]\n%s",
              lines);
    problems_init(&p, "f");
    struct config *next = config_read_text(buf_data(&text), &p);
    assert_non_null(next);
    problems_done(&p);
    buf_done(&text);
    const bool ok = names_follow(names, next, why, 64);
    config_free(ok ? &config : &next);
    if (ok)
        config = next;
    return ok;
}

static void follow_one(void)
{
    char why[64];

    assert_true(follow("target = dns:a.test:80\n", why));
    wait_for_questions(2);
}

static void expect_addresses(const char *host, const char *want)
{
    char got[256] = "", text[IP_TEXT_MAX];
    size_t count;
    const struct ip *ips = names_addresses(names, host, &count);

    for (size_t i = 0; i < count; i++) {
        const size_t len = strlen(got);
        snprintf(got + len, sizeof(got) - len, "%s%s", i > 0 ? " " : "", ip_format(&ips[i], text));
    }
    assert_string_equal(got, want);
}

static int setup(void **state)
{
    (void)state;
    loop = ev_loop_new(EVFLAG_NOENV);
    memset(&counters, 0, sizeof(counters));
    changes = 0;
    question_count = 0;
    refuses_servers = false;
    names = names_new(loop, &counters, on_changed, &changes);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    names_free(&names);
    assert_null(names);
    config_free(&config);
    ev_loop_destroy(loop);
    return 0;
}

/* --- tests --------------------------------------------------------------------------------- */

static void test_both_families_make_one_sorted_set(void **state)
{
    (void)state;
    follow_one();
    assert_false(names_are_known(names));
    answer_in("a.test", 6, "2001:db8::1", 60);
    assert_int_equal(changes, 0); /* the other one is not there yet */
    expect_addresses("a.test", "");
    answer_in("a.test", 4, "10.0.0.2 10.0.0.1 10.0.0.2", 60);
    assert_true(names_are_known(names));
    assert_int_equal(changes, 1);
    expect_addresses("a.test", "10.0.0.1 10.0.0.2 2001:db8::1");
    assert_int_equal(metric_get(&counters.dns_found), 2);
    expect_addresses("b.test", "");
}

static void again(const char *v4, const char *v6, const char *want, unsigned want_changes)
{
    char why[64];

    assert_true(follow("target = dns:a.test:80\n", why)); /* asks anew, now */
    wait_for_questions(2);
    answer_in("a.test", 4, v4, 60);
    answer_in("a.test", 6, v6, 60);
    expect_addresses("a.test", want);
    assert_int_equal(changes, want_changes);
    assert_true(names_are_known(names));
}

static void test_what_is_kept(void **state)
{
    (void)state;
    again("10.0.0.1 10.0.0.2", "", "10.0.0.1 10.0.0.2", 1);
    again("10.0.0.2 10.0.0.1", "", "10.0.0.1 10.0.0.2", 1); /* in another order */
    again("!", "!", "10.0.0.1 10.0.0.2", 1);
    again("", "", "10.0.0.1 10.0.0.2", 1);
    again("10.0.0.3", "!", "10.0.0.3", 2);
    again("10.0.0.3", "2001:db8::1", "10.0.0.3 2001:db8::1", 3);
    again("10.0.0.3", "!", "10.0.0.3 2001:db8::1", 3); /* what failed keeps what it had */
    again("10.0.0.3", "", "10.0.0.3", 4);              /* what is empty does not */
    again("!", "2001:db8::2", "10.0.0.3 2001:db8::2", 5);
    again("0.0.0.0 224.0.0.1", "::", "10.0.0.3 2001:db8::2", 5); /* no hosts at all */
    again("0.0.0.0 10.0.0.4", "", "10.0.0.4", 6);
    assert_int_equal(metric_get(&counters.dns_failed), 5);
}

static void test_a_name_that_never_was_is_known(void **state)
{
    (void)state;
    follow_one();
    answer_in("a.test", 4, "", 60);
    assert_false(names_are_known(names));
    answer_in("a.test", 6, "!", 60);
    assert_true(names_are_known(names));
    assert_int_equal(changes, 0);
}

static void test_it_is_asked_for_again(void **state)
{
    (void)state;
    follow_one();
    answer_in("a.test", 4, "10.0.0.1", 0);
    answer_in("a.test", 6, "", 60);
    turn();
    assert_int_equal(question_count, 0); /* not before dns.min_interval */
    wait_for_questions(2);
    answer_in("a.test", 4, "!", 60); /* so that 60 seconds do not count */
    answer_in("a.test", 6, "!", 60);
    wait_for_questions(2);
    answer_in("a.test", 4, "10.0.0.1", 60);
    turn();
    assert_int_equal(question_count, 1); /* the other family's: nobody asks twice */
}

static void test_each_name_is_asked_for_once(void **state)
{
    char why[64];

    (void)state;
    assert_true(follow("target = dns:a.test:80\ntarget = dns:b.test:80\ntarget = dns:a.test:81\n"
                       "[target_group other]\ntarget = dns:b.test:80\ntarget = 127.0.0.1:1\n",
                       why));
    wait_for_questions(4);
    answer_in("a.test", 4, "10.0.0.1", 60);
    answer_in("a.test", 6, "", 60);
    assert_false(names_are_known(names)); /* b.test is not */
    answer_in("b.test", 4, "10.0.0.1", 60);
    answer_in("b.test", 6, "", 60);
    assert_true(names_are_known(names));
    assert_int_equal(changes, 2);
    expect_addresses("a.test", "10.0.0.1");
    expect_addresses("b.test", "10.0.0.1");
}

static void test_a_name_that_goes_while_it_is_asked_for(void **state)
{
    char why[64];

    (void)state;
    follow_one();
    assert_true(follow("target = dns:b.test:80\n", why));
    wait_for_questions(2); /* both for b.test: those for a.test went with their resolver */
    answer_in("b.test", 4, "10.0.0.2", 60);
    answer_in("b.test", 6, "", 60);
    expect_addresses("a.test", "");
    expect_addresses("b.test", "10.0.0.2");
    assert_true(follow("target = 127.0.0.1:1\n", why));
    expect_addresses("b.test", "");
    assert_true(names_are_known(names));
}

static void test_servers_that_cannot_be_used_change_nothing(void **state)
{
    char why[64];

    (void)state;
    again("10.0.0.1", "", "10.0.0.1", 1);
    refuses_servers = true;
    assert_false(follow("target = dns:b.test:80\n", why));
    assert_string_equal(why, "no servers");
    expect_addresses("a.test", "10.0.0.1");
    refuses_servers = false;
    again("10.0.0.2", "", "10.0.0.2", 2);
}

/* What is under way goes on: its answer comes. */
static void test_a_trial_changes_nothing(void **state)
{
    char why[64] = "";

    (void)state;
    assert_true(follow("target = dns:a.test:80\n", why));
    turn();
    assert_int_equal(question_count, 2);
    assert_true(names_may_follow(names, config, why, sizeof(why)));
    assert_int_equal(question_count, 2);
    refuses_servers = true;
    assert_false(names_may_follow(names, config, why, sizeof(why)));
    assert_string_equal(why, "no servers");
    answer_in("a.test", 4, "10.0.0.1", 60);
    answer_in("a.test", 6, "", 60);
    expect_addresses("a.test", "10.0.0.1");
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_both_families_make_one_sorted_set),
        EACH(test_what_is_kept),
        EACH(test_a_name_that_never_was_is_known),
        EACH(test_it_is_asked_for_again),
        EACH(test_each_name_is_asked_for_once),
        EACH(test_a_name_that_goes_while_it_is_asked_for),
        EACH(test_servers_that_cannot_be_used_change_nothing),
        EACH(test_a_trial_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
