/* test_reload_plan.c -- what a reload would change, from two texts of a file (and what stands in
 * the files that they name), and what becomes of tunnels. The lines are those that people see. */
#include "tunnel_fixture.h"

#include "alb/reload_plan.h"
#include "alb/reload_table.h"

#include "config_fixture.h"

static struct config *read_good(const char *name, const char *text)
{
    struct problems p;
    struct config *c = read_text(text, &p);

    if (c == NULL)
        fail_msg("%s: %s", name, p.items[0].text);
    problems_done(&p);
    return c;
}

/* --- what changes ------------------------------------------------------------------------- */

/* Columns one blank apart. */
static void squeeze(char *text)
{
    char *to = text;

    for (const char *at = text; *at != '\0'; at++) {
        if (at[0] == ' ' && (at[1] == ' ' || at[1] == '\n'))
            continue;
        *to++ = *at;
    }
    *to = '\0';
}

/* As `alb reload --dry-run` prints the answer; free() it. */
static char *printed(const json_t *answer)
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);

    reload_table_print(answer, to);
    assert_int_equal(fclose(to), 0);
    squeeze(text);
    return text;
}

/* The rows of the table of changes, "" when there is none. */
static char *changes_of(const struct config *now, const struct config *next)
{
    const struct plan plan = { .now = now, .next = next };
    json_t *answer = json_pack("{s:o}", "changes", plan_changes(&plan));
    char *text = printed(answer), *end = strstr(text, "\nlive tunnels: ");
    const char *rows = strstr(text, "WHAT NAME CHANGE DETAIL\n");

    assert_non_null(end);
    *end = '\0';
    char *found = mem_text(rows == NULL ? "" : strchr(rows, '\n') + 1);
    json_decref(answer);
    free(text);
    return found;
}

#define TWO_TARGETS "[target_group chat]\ntarget = 10.0.0.1:80\ntarget = 10.0.0.2:80 weight=5\n"
#define BASE EDGE LISTENER GROUP
#define HTTPS                                                                                      \
    "[listener tls]\nbind = 127.0.0.1:8443\nprotocol = HTTPS\n"                                    \
    "default_action = forward chat\ncertificate = both.pem\n"
#define RULE_IN(listener, name, priority, action)                                                  \
    "[rule " name "]\nlistener = " listener "\npriority = " priority "\npath-pattern = /" name     \
    "\naction = " action "\n"
#define AT(listener, port) "[listener " listener "]\nbind = 127.0.0.1:" port "\n"

static const struct {
    const char *name, *now, *next, *want;
} cases[] = {
    { "the same", BASE, BASE, "" },
    { "comments and order", GROUP EDGE LISTENER, "; so\n" EDGE GROUP LISTENER, "" },
    { "as the fallback says", BASE, "[alb]\nidle_timeout.timeout_seconds = 60\n" BASE, "" },
    { "settings of [alb], and when they apply", BASE,
      "[alb]\nclient_keep_alive.seconds = 99\nworkers = 3\nname = edge-1\n" BASE,
      "alb name changes app/postern/0000000000000000 -> edge-1\n"
      "alb workers changes auto -> 3; at the next upgrade or start\n"
      "alb client_keep_alive.seconds changes 3600 -> 99; for new connections\n" },
    { "what a group has of [alb]", BASE, "[alb]\nwebsocket.ping_interval = 25s\n" BASE,
      "alb websocket.ping_interval changes 0 -> 25s\n"
      "group chat websocket.ping_interval changes 0 -> 25s\n" },

    { "a block more", BASE, "[edge]\nallow = 10.0.1.37/32 10.0.1.38/32\n" LISTENER GROUP,
      "edge allow changes another list\n"
      "edge addresses changes blocks: 1 come, 0 go\n" },
    { "a block elsewhere", BASE, "[edge]\nallow = 10.0.0.0/31\n" LISTENER GROUP,
      "edge allow changes another list\n"
      "edge addresses changes blocks: 1 come, 1 go\n" },
    { "written otherwise", BASE, "[edge]\nallow = 10.0.1.37\n" LISTENER GROUP,
      "edge allow changes another list\n" },
    { "anybody", BASE, "[edge]\nallow = any\n" LISTENER GROUP,
      "edge allow changes another list\n"
      "edge addresses changes anybody may connect\n" },
    { "no more anybody", "[edge]\nallow = any\n" LISTENER GROUP, BASE,
      "edge allow changes another list\n"
      "edge addresses changes blocks: 1 come, 0 go; no more anybody\n" },

    { "a listener opens", BASE, BASE AT("b", "81") "default_action = forward chat\n",
      "listener b opens 127.0.0.1:81 HTTP\n" },
    { "a listener closes, with its rule",
      BASE AT("b", "81") "default_action = forward chat\n" RULE_IN("b", "r", "7", "forward chat"),
      BASE,
      "listener b closes 127.0.0.1:81 HTTP\n"
      "rule r goes priority 7 on listener b\n" },
    { "a listener opens, with its rule", BASE,
      BASE AT("b", "81") "default_action = forward chat\n" RULE_IN("b", "r", "7", "forward chat"),
      "listener b opens 127.0.0.1:81 HTTP\n"
      "rule r comes priority 7 on listener b\n" },
    { "another address", BASE, EDGE GROUP AT("web", "8081") "default_action = forward chat\n",
      "listener web closes 127.0.0.1:8080 HTTP\n"
      "listener web opens 127.0.0.1:8081 HTTP\n" },
    { "another protocol", BASE,
      EDGE GROUP AT("web", "8080") "default_action = forward chat\nprotocol = HTTPS\n"
                                   "certificate = both.pem\n",
      "listener web closes 127.0.0.1:8080 HTTP\n"
      "listener web opens 127.0.0.1:8080 HTTPS\n" },
    { "another name for the same socket", BASE,
      EDGE GROUP AT("front", "8080") "default_action = forward chat\n",
      "listener web changes it gets another name\n" },
    { "free ports go by name", EDGE GROUP AT("a", "0") "default_action = forward chat\n",
      EDGE GROUP AT("b", "0") "default_action = forward chat\n",
      "listener a closes 127.0.0.1:0 HTTP\n"
      "listener b opens 127.0.0.1:0 HTTP\n" },
    { "another default action", BASE,
      EDGE GROUP AT("web", "8080") "default_action = fixed-response 404\n",
      "listener web default_action changes forward chat -> fixed-response 404\n" },
    { "another certificate", BASE HTTPS, BASE HTTPS "certificate_key = key.pem\n",
      "listener tls certificate_key changes -> key.pem; for new connections\n" },

    { "rules come, change and go",
      BASE RULE_IN("web", "a", "1", "forward chat") RULE_IN("web", "b", "2", "forward chat")
          RULE_IN("web", "c", "3", "forward chat"),
      BASE RULE_IN("web", "a", "1", "forward chat") RULE_IN("web", "b", "2", "fixed-response 410")
          RULE_IN("web", "d", "4", "forward chat"),
      "rule c goes priority 3 on listener web\n"
      "rule b changes priority 2 on listener web\n"
      "rule d comes priority 4 on listener web\n" },
    { "a rule moves to another listener",
      BASE AT("b", "81") "default_action = forward chat\n" RULE_IN("b", "r", "7", "forward chat"),
      BASE AT("b", "81") "default_action = forward chat\n" RULE_IN("web", "r", "7", "forward chat"),
      "rule r comes priority 7 on listener web\n"
      "rule r goes priority 7 on listener b\n" },

    { "targets come, change and go", EDGE LISTENER TWO_TARGETS,
      EDGE LISTENER "[target_group chat]\ntarget = 10.0.0.2:80 weight=6\n"
                    "target = dns:app.internal:80\ntarget = unix:/run/app.sock\n",
      "target 10.0.0.1:80 goes group chat, weight 100\n"
      "target 10.0.0.2:80 changes group chat, weight 5 -> 6\n"
      "target dns:app.internal:80 comes group chat, weight 100\n"
      "target unix:/run/app.sock comes group chat, weight 100\n" },
    { "groups come and go", BASE "[target_group old]\ntarget = 10.0.0.3:80\n",
      BASE "[target_group new]\ntarget = 10.0.0.3:80\nslow_start.duration_seconds = 30\n",
      "group old goes\n"
      "target 10.0.0.3:80 goes group old, weight 100\n"
      "group new comes\n"
      "target 10.0.0.3:80 comes group new, weight 100\n" },
    { "a group's own settings", BASE,
      EDGE LISTENER "[target_group chat]\ntarget = 127.0.0.1:9001\n"
                    "deregistration_delay.timeout_seconds = 30\nhealth_check.path = /up\n",
      "group chat deregistration_delay.timeout_seconds changes 300 -> 30\n"
      "group chat health_check.path changes / -> /up\n" },
};

static void test_each_change_is_a_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct config *now = read_good(cases[i].name, cases[i].now);
        struct config *next = read_good(cases[i].name, cases[i].next);
        char *got = changes_of(now, next);
        if (strcmp(got, cases[i].want) != 0)
            fail_msg("%s:\n--- got\n%s--- want\n%s", cases[i].name, got, cases[i].want);
        free(got);
        config_free(&now);
        config_free(&next);
    }
}

/* --- what stands in files that the text names --------------------------------------------- */

#define OTHER_CERT                                                                                 \
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=other "        \
    "-days 2 -keyout k.pem -out c.pem 2>/dev/null && "
#define EDGE_FILE(name) "[edge]\nallow_file = " name "\n" LISTENER GROUP
#define VERIFY                                                                                     \
    "mutual_authentication.mode = verify\n"                                                        \
    "mutual_authentication.trust_store = store.pem\n"
#define OWN_CA "protocol = HTTPS\ntls.verify = true\ntls.ca_file = ca.pem\n"

#define KEYS "[alb]\nseal_key_file = k.keys\n" BASE
/* Each word is 64 times that digit. */
#define KEY_FILE(digits)                                                                           \
    "umask 077; for k in " digits "; do printf \"%064d\\n\" 0 | tr 0 $k; done >k.keys"

static const struct {
    const char *name, *text;
    const char *before, *after; /* commands of the shell; NULL: none */
    const char *want;
} file_cases[] = {
    { "addresses come and go", EDGE_FILE("edge.txt"),
      "printf '10.9.0.1\\n10.9.1.0/24\\n' >edge.txt",
      "printf '10.9.1.0/24\\n10.9.2.0/24\\n10.9.3.9\\n' >edge.txt",
      "edge addresses changes blocks: 2 come, 1 go\n" },
    { "the same addresses in another order", EDGE_FILE("edge.txt"),
      "printf '10.9.0.1\\n10.9.1.0/24\\n' >edge.txt",
      "printf '10.9.1.0/24 # so\\n10.9.0.1\\n' >edge.txt", "" },
    { "another file that the pattern fits", EDGE_FILE("part-*.txt"),
      "printf '10.9.0.1\\n' >part-a.txt", "printf '10.9.0.2\\n' >part-b.txt",
      "edge addresses changes blocks: 1 come, 0 go\n" },
    { "ip-ranges.json", "[edge]\nallow_ip_ranges = r.json EDGE\n" LISTENER GROUP,
      "cp ranges.json r.json", "sed s/120.52/120.53/ ranges.json >r.json",
      "edge addresses changes blocks: 1 come, 1 go\n" },
    { "certificate and key in one file",
      BASE AT("tls", "8443") "protocol = HTTPS\ncertificate = tls.pem\n"
                             "default_action = forward chat\n",
      "cp both.pem tls.pem", OTHER_CERT "cat c.pem k.pem >tls.pem",
      "listener tls certificate changes tls.pem has another certificate; for new connections\n" },
    { "certificate and key in two files",
      BASE AT("tls", "8443") "protocol = HTTPS\ncertificate = tls.pem\ncertificate_key = k.pem\n"
                             "default_action = forward chat\n",
      "cp cert.pem tls.pem; cp key.pem k.pem", OTHER_CERT "cp c.pem tls.pem",
      "listener tls certificate changes tls.pem has another certificate; for new connections\n" },
    { "the second of three certificates",
      BASE HTTPS "sni_certificate = tls.pem\nsni_certificate = cert.pem key.pem\n",
      "cp both.pem tls.pem", OTHER_CERT "cat c.pem k.pem >tls.pem",
      "listener tls certificate changes tls.pem has another certificate; for new connections\n" },
    { "the same certificate written anew", BASE HTTPS "sni_certificate = tls.pem\n",
      "cp both.pem tls.pem", "cat both.pem >tls.pem", "" },
    { "trusted authorities", BASE HTTPS VERIFY, "cp cert.pem store.pem",
      OTHER_CERT "cp c.pem store.pem",
      "listener tls mutual_authentication.trust_store changes its file, or a revocation file, has "
      "other contents; for new connections\n" },
    { "authorities of targets",
      EDGE LISTENER "[target_group chat]\ntarget = 127.0.0.1:9001\n" OWN_CA, "cp cert.pem ca.pem",
      OTHER_CERT "cp c.pem ca.pem",
      "group chat tls.ca_file changes its file has other authorities; for new connections\n" },
    { "the text of a fixed response",
      BASE RULE_IN("web", "r", "7", "fixed-response 503 text/plain @a.body"), "echo one >a.body",
      "echo two >a.body",
      "rule r changes priority 7 on listener web; its file has another text\n" },
    { "the text of a default action",
      EDGE GROUP AT("web", "80") "default_action = fixed-response 503 text/plain @a.body\n",
      "echo one >a.body", "echo two >a.body",
      "listener web default_action changes its file has another text\n" },
    { "another key that seals", KEYS, KEY_FILE("A"), KEY_FILE("B A"),
      "alb seal_key_file changes its file has other keys: 1 come, 0 go; another one seals\n" },
    { "an old key that goes", KEYS, KEY_FILE("B A"), KEY_FILE("B"),
      "alb seal_key_file changes its file has other keys: 0 come, 1 go; what was sealed with those "
      "that go is void\n" },
    { "the only key", KEYS, KEY_FILE("A"), KEY_FILE("B"),
      "alb seal_key_file changes its file has other keys: 1 come, 1 go; another one seals; what "
      "was sealed with those that go is void\n" },
    { "a new key that waits", KEYS, KEY_FILE("A"), KEY_FILE("A B"),
      "alb seal_key_file changes its file has other keys: 1 come, 0 go\n" },
    { "keys in another order", KEYS, KEY_FILE("A B"), KEY_FILE("B A"),
      "alb seal_key_file changes its file has other keys: 0 come, 0 go; another one seals\n" },
    { "the same keys with a comment", KEYS, KEY_FILE("A B"), "echo '# so' >>k.keys", "" },
    { "nothing on the disk", BASE HTTPS VERIFY, "cp cert.pem store.pem", NULL, "" },
};

static void run_shell(const char *command)
{
    if (command != NULL)
        assert_int_equal(system(command), 0);
}

static void test_files_that_changed_on_the_disk(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(file_cases); i++) {
        run_shell(file_cases[i].before);
        struct config *now = read_good(file_cases[i].name, file_cases[i].text);
        run_shell(file_cases[i].after);
        struct config *next = read_good(file_cases[i].name, file_cases[i].text);
        char *got = changes_of(now, next);
        if (strcmp(got, file_cases[i].want) != 0)
            fail_msg("%s:\n--- got\n%s--- want\n%s", file_cases[i].name, got, file_cases[i].want);
        free(got);
        config_free(&now);
        config_free(&next);
    }
}

/* A path that changed says so itself; beside it, a file that kept its path. */
static void test_a_file_changed_beside_a_setting(void **state)
{
    (void)state;
    run_shell("cp both.pem tls.pem");
    struct config *now = read_good("now", BASE HTTPS "sni_certificate = tls.pem\n");
    run_shell(OTHER_CERT "cat c.pem k.pem >tls.pem");
    struct config *next = read_good("next", BASE HTTPS "sni_certificate = cert.pem key.pem\n"
                                                       "sni_certificate = tls.pem\n");
    char *got = changes_of(now, next);
    assert_string_equal(got,
                        "listener tls sni_certificate changes another list; for new connections\n"
                        "listener tls certificate changes tls.pem has another certificate; for new "
                        "connections\n");
    free(got);
    config_free(&now);
    config_free(&next);
}

/* --- what becomes of a tunnel ----------------------------------------------------------------- */

#define IDLE(seconds) "[alb]\nidle_timeout.timeout_seconds = " seconds "\n"

static const struct {
    const char *name, *now, *next;
    const char *said; /* lines of the state file, or "" */
    const char *group, *target, *listener;
    uint32_t idle_ms;
    unsigned want;
    bool at_once;
} tunnels[] = {
    { "nothing changes", BASE, BASE, "", "chat", "127.0.0.1:9001", "web", 0, 0, false },
    { "its target goes", EDGE LISTENER TWO_TARGETS,
      EDGE LISTENER "[target_group chat]\ntarget = 10.0.0.2:80\n", "", "chat", "10.0.0.1:80", "web",
      0, 1u << PLAN_TARGET_REMOVED, false },
    { "another target goes", EDGE LISTENER TWO_TARGETS,
      EDGE LISTENER "[target_group chat]\ntarget = 10.0.0.2:80\n", "", "chat", "10.0.0.2:80", "web",
      0, 0, false },
    { "its target gets another weight", EDGE LISTENER TWO_TARGETS,
      EDGE LISTENER "[target_group chat]\ntarget = 10.0.0.1:80 weight=0\n", "", "chat",
      "10.0.0.1:80", "web", 0, 0, false },
    { "its group goes", BASE "[target_group old]\ntarget = 10.0.0.3:80\n", BASE, "", "old",
      "10.0.0.3:80", "web", 0, 1u << PLAN_GROUP_GONE, false },
    { "it was no member before", BASE, EDGE LISTENER TWO_TARGETS, "", "chat", "10.0.0.9:80", "web",
      0, 0, false },
    { "it was registered by command", BASE, EDGE LISTENER TWO_TARGETS,
      "register chat 10.0.0.9:80 weight=100\n", "chat", "10.0.0.9:80", "web", 0, 0, false },
    { "its listener goes", BASE AT("b", "81") "default_action = forward chat\n", BASE, "", "chat",
      "127.0.0.1:9001", "b", 0, 1u << PLAN_LISTENER_REMOVED, false },
    { "its listener and its target go", BASE AT("b", "81") "default_action = forward chat\n",
      EDGE LISTENER TWO_TARGETS, "", "chat", "127.0.0.1:9001", "b", 0,
      1u << PLAN_LISTENER_REMOVED | 1u << PLAN_TARGET_REMOVED, false },
    { "a shorter idle time-out", BASE, IDLE("30") BASE, "", "chat", "127.0.0.1:9001", "web", 29999,
      1u << PLAN_SHORTER_IDLE, false },
    { "and silent for longer", BASE, IDLE("30") BASE, "", "chat", "127.0.0.1:9001", "web", 30000,
      1u << PLAN_SHORTER_IDLE, true },
    { "a longer idle time-out", BASE, IDLE("90") BASE, "", "chat", "127.0.0.1:9001", "web", 59000,
      1u << PLAN_OTHER_SETTINGS, false },
    { "pings of its group", BASE,
      EDGE LISTENER "[target_group chat]\ntarget = 127.0.0.1:9001\nwebsocket.ping_interval = 9s\n",
      "", "chat", "127.0.0.1:9001", "web", 0, 1u << PLAN_OTHER_SETTINGS, false },
    { "pings of another group", BASE "[target_group b]\ntarget = 10.0.0.1:80\n",
      BASE "[target_group b]\ntarget = 10.0.0.1:80\nwebsocket.ping_interval = 9s\n", "", "chat",
      "127.0.0.1:9001", "web", 0, 0, false },
};

/* The listener of the configuration as one that is open. */
static struct listener opened(const struct config *c, const char *name)
{
    const struct listener_config *l = config_listener(c, span_text(name));

    assert_non_null(l);
    return (struct listener){ .name = l->name, .bind = l->options.bind, .bound = l->bind };
}

static void say(struct registrations *said, const char *lines)
{
    char text[256];
    struct problems p;

    problems_init(&p, "state");
    snprintf(text, sizeof(text), "postern-alb-state 1\n%send %d\n", lines, lines[0] != '\0');
    assert_true(registrations_read(said, span_text(text), &p));
    problems_done(&p);
}

static void test_what_becomes_of_a_tunnel(void **state)
{
    static const unsigned of_targets = 1u << PLAN_GROUP_GONE | 1u << PLAN_TARGET_REMOVED;
    (void)state;
    for (size_t i = 0; i < COUNT(tunnels); i++) {
        struct config *now = read_good(tunnels[i].name, tunnels[i].now);
        struct config *next = read_good(tunnels[i].name, tunnels[i].next);
        struct registry registry;
        struct registrations said = { .count = 0 };
        say(&said, tunnels[i].said);
        registry_init(&registry);
        const struct members_sources sources = { .said = &said };
        struct members *members = members_new(&registry, now, &sources);
        const struct plan plan = { now, next, members, &said, 0 };
        const struct listener listener = opened(now, tunnels[i].listener);
        struct target_key *key = fixture_key(tunnels[i].group, tunnels[i].target);
        struct tunnel_view v = fixture_view(key, 1);
        v.facts.listener = &listener;
        v.from[FROM_CLIENT].idle_ms = v.from[FROM_TARGET].idle_ms = tunnels[i].idle_ms;
        if (plan_reasons(&plan, &v) != tunnels[i].want)
            fail_msg("%s: reasons %x", tunnels[i].name, plan_reasons(&plan, &v));
        if (plan_ends_at_once(&plan, &v) != tunnels[i].at_once)
            fail_msg("%s: at once", tunnels[i].name);
        v.pid = 1; /* with another process, it keeps its settings, but not its target */
        if (plan_reasons(&plan, &v) != (tunnels[i].want & of_targets))
            fail_msg("%s: reasons %x elsewhere", tunnels[i].name, plan_reasons(&plan, &v));
        if (plan_ends_at_once(&plan, &v) != (tunnels[i].at_once && plan_reasons(&plan, &v) != 0))
            fail_msg("%s: at once elsewhere", tunnels[i].name);
        target_key_unref(&key);
        members_free(&members);
        registry_done(&registry);
        registrations_done(&said);
        config_free(&now);
        config_free(&next);
    }
}

/* --- and of one whose peer may not come any more ------------------------------------------- */

#define ALLOW(blocks, lines) "[edge]\nallow = " blocks "\n" lines LISTENER GROUP
#define BOTH_IN "10.0.0.1 192.0.2.1"
#define CLOSES "on_leave = close\n"
#define CHECKED "check_announced = on\n"

static const struct {
    const char *name, *now, *next;
    const char *peer, *client; /* peer NULL: it is not known */
    unsigned want;
} leavers[] = {
    { "both stay", ALLOW(BOTH_IN, ""), ALLOW(BOTH_IN, CLOSES), "10.0.0.1", "192.0.2.1", 0 },
    { "who connects goes", ALLOW(BOTH_IN, ""), ALLOW("192.0.2.1", CLOSES), "10.0.0.1", "192.0.2.1",
      1u << PLAN_PEER_CLOSED },
    { "he may stay", ALLOW(BOTH_IN, ""), ALLOW("192.0.2.1", ""), "10.0.0.1", "192.0.2.1",
      1u << PLAN_PEER_KEPT },
    { "he was not in it before", ALLOW("192.0.2.1", ""), ALLOW("192.0.2.1", ""), "10.0.0.1",
      "192.0.2.1", 0 },
    { "who is announced goes", ALLOW(BOTH_IN, ""), ALLOW("10.0.0.1", CLOSES), "10.0.0.1",
      "192.0.2.1", 0 },
    { "who is announced goes, and is looked at", ALLOW(BOTH_IN, CHECKED),
      ALLOW("10.0.0.1", CLOSES CHECKED), "10.0.0.1", "192.0.2.1", 1u << PLAN_PEER_CLOSED },
    { "nobody is announced", ALLOW(BOTH_IN, ""), ALLOW("10.0.0.1", CLOSES CHECKED), "10.0.0.1",
      "10.0.0.1", 0 },
    { "nothing is enforced", ALLOW(BOTH_IN, ""), ALLOW("192.0.2.1", CLOSES "enforce = observe\n"),
      "10.0.0.1", "192.0.2.1", 0 },
    { "he has gone already", ALLOW(BOTH_IN, ""), ALLOW("192.0.2.1", CLOSES), NULL, "192.0.2.1", 0 },
};

static void test_whose_peer_leaves(void **state)
{
    static const struct registrations none;
    struct target_key *key = fixture_key("chat", "127.0.0.1:9001");
    (void)state;

    for (size_t i = 0; i < COUNT(leavers); i++) {
        struct config *now = read_good(leavers[i].name, leavers[i].now);
        struct config *next = read_good(leavers[i].name, leavers[i].next);
        struct registry registry;
        registry_init(&registry);
        const struct members_sources sources = { .said = &none };
        struct members *members = members_new(&registry, now, &sources);
        const struct plan plan = { now, next, members, &none, 0 };
        const struct listener listener = opened(now, "web");
        struct tunnel_view v = fixture_view(key, 1);
        v.facts.listener = &listener;
        assert_true(ip_parse(span_text(leavers[i].client), &v.facts.client));
        if (leavers[i].peer != NULL)
            assert_true(ip_parse(span_text(leavers[i].peer), &v.peer));
        if (plan_reasons(&plan, &v) != leavers[i].want)
            fail_msg("%s: reasons %x", leavers[i].name, plan_reasons(&plan, &v));
        v.pid = 1; /* with another process, which has a set of its own */
        assert_int_equal(plan_reasons(&plan, &v), 0);
        members_free(&members);
        registry_done(&registry);
        config_free(&now);
        config_free(&next);
    }
    target_key_unref(&key);
}

/* --- as people see it ----------------------------------------------------------------------- */

static const struct {
    const char *name, *json, *want;
} answers[] = {
    { "nothing", "{}",
      "nothing was changed; a reload would bring 0 changes\n"
      "\nlive tunnels: 0, touched: 0, of them end at once: 0\n" },
    { "all of it",
      "{'warnings': ['f:1: so\\u001b[31m'], 'changes': [{'what': 'group', 'name': 'a', 'change': "
      "'goes', 'detail': ''}], 'all': 3, 'looked_at': 3, 'touched': 1, 'ends_at_once': 1, "
      "'reasons': [{'reason': 'group removed', 'tunnels': 1, 'effect': 'drained'}], 'tunnels': "
      "[{'id': 'TID_1', 'client': '10.0.0.1:5', 'listener': 'web', 'group': 'a', 'target': 't', "
      "'idle_ms': 1, 'reasons': ['group removed', 'listener removed'], 'ends_at_once': true}]}",
      "f:1: so?[31m\n"
      "nothing was changed; a reload would bring 1 changes\n"
      "\nWHAT NAME CHANGE DETAIL\n"
      "group a goes\n"
      "\nlive tunnels: 3, touched: 1, of them end at once: 1\n"
      "\nTUNNELS WHY WHAT BECOMES OF THEM\n"
      "1 group removed drained\n"
      "\nCLIENT LISTENER GROUP TARGET WHY ID\n"
      "10.0.0.1:5 web a t group removed, listener removed TID_1\n" },
    { "more than were looked at, and than are shown",
      "{'changes': [], 'all': 9, 'looked_at': 5, 'touched': 4, 'ends_at_once': 0, 'reasons': [], "
      "'tunnels': []}",
      "nothing was changed; a reload would bring 0 changes\n"
      "\nlive tunnels: 9, touched: 4, of them end at once: 0\n"
      "only the 5 that are silent for longest were looked at\n"
      "the first 0 are shown\n" },
};

static void test_the_answer_as_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        char *text = mem_text(answers[i].json);
        for (char *quote = text; (quote = strchr(quote, '\'')) != NULL;)
            *quote = '"';
        json_t *answer = json_loads(text, 0, NULL);
        assert_non_null(answer);
        char *got = printed(answer);
        if (strcmp(got, answers[i].want) != 0)
            fail_msg("%s:\n--- got\n%s--- want\n%s", answers[i].name, got, answers[i].want);
        free(got);
        json_decref(answer);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_change_is_a_line),
        cmocka_unit_test(test_files_that_changed_on_the_disk),
        cmocka_unit_test(test_a_file_changed_beside_a_setting),
        cmocka_unit_test(test_what_becomes_of_a_tunnel),
        cmocka_unit_test(test_whose_peer_leaves),
        cmocka_unit_test(test_the_answer_as_tables),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
