/* What a [rule] may say: every limit of its conditions, transforms and actions. */
#include "config_fixture.h"

#define T32 "/2345678901234567890123456789012"
#define T128 T32 T32 T32 T32
#define T1024 T128 T128 T128 T128 T128 T128 T128 T128
#define N40 "A234567890123456789012345678901234567890"
#define M40 "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJ-_MN"
#define NOT_TAKEN ", which the managed balancer does not take"

#define IN_RULE(lines) EDGE LISTENER GROUP RULE(lines)
#define ON_PATH(lines) IN_RULE("path-pattern = /\n" lines)

static const struct text_case condition_cases[] = {
    { "two path-patterns", IN_RULE("path-pattern = /a\npath-pattern = /b\n"),
      "f:13: path-pattern: a rule has only one; put its values on one line\n" },
    { "two host-headers", IN_RULE("host-header = a.b\nhost-header = c.d\n"),
      "f:13: host-header: a rule has only one; put its values on one line\n" },
    { "two methods", IN_RULE("http-request-method = GET\nhttp-request-method = PUT\n"),
      "f:13: http-request-method: a rule has only one; put its values on one line\n" },
    { "two source-ips", IN_RULE("source-ip = 10.0.0.0/8\nsource-ip = ::1\n"),
      "f:13: source-ip: a rule has only one; put its values on one line\n" },
    { "values and regex of a host", IN_RULE("host-header = a.b\nhost-header-regex = a\n"),
      "f:13: host-header-regex: the rule has host-header already; use one of the two\n" },
    { "values and regex of a path", IN_RULE("path-pattern-regex = a\npath-pattern = /\n"),
      "f:12: path-pattern-regex: the rule has path-pattern already; use one of the two\n" },
    { "several headers and queries",
      IN_RULE("http-header = X-A a\nhttp-header = X-A b\nhttp-header-regex = X-B c\n"
              "query-string = a=b\nquery-string = c\n"),
      "" },

    { "method", IN_RULE("http-request-method = GET " M40 "\n"), "" },
    { "method too long", IN_RULE("http-request-method = " M40 "X\n"),
      "f:12: http-request-method: \"" M40 "X\" is longer than 40 characters\n" },
    { "method in small letters", IN_RULE("http-request-method = get\n"),
      "f:12: http-request-method: \"get\" may hold A to Z, - and _ only; methods have no "
      "wildcards\n" },
    { "method with a wildcard", IN_RULE("http-request-method = *\n"),
      "f:12: http-request-method: \"*\" may hold A to Z, - and _ only; methods have no "
      "wildcards\n" },

    { "blocks", IN_RULE("source-ip = 10.0.0.0/8 192.0.2.1 2001:db8::/32 ::/0\n"), "" },
    { "host bits", IN_RULE("source-ip = 10.0.0.1/8\n"),
      "f:12: source-ip: \"10.0.0.1/8\" is no block of addresses: *10.0.0.0/8*\n" },
    { "no address", IN_RULE("source-ip = 10.0.0.*\n"),
      "f:12: source-ip: \"10.0.0.*\" is no block of addresses: *\n" },
    { "broadcast", IN_RULE("source-ip = 255.255.255.255/32\n"),
      "f:12: source-ip: \"255.255.255.255/32\" is the broadcast address, from which nobody "
      "connects\n" },
    { "broadcast alone", IN_RULE("source-ip = 255.255.255.255\n"),
      "f:12: source-ip: \"255.255.255.255\" is the broadcast address, from which nobody "
      "connects\n" },
    { "6 blocks", IN_RULE("source-ip = ::1 ::2 ::3 ::4 ::5 ::6\n"),
      "f:8: [rule r] has 6 condition values; at most 5\n" },

    { "header", IN_RULE("http-header = " N40 " \"two words*\" é\n"),
      "f:12: http-header: \"é\" may hold visible ASCII characters only\n" },
    { "header name too long", IN_RULE("http-header = " N40 "x a\n"),
      "f:12: http-header: \"" N40 "x\" is longer than 40 characters\n" },
    { "header name with a wildcard", IN_RULE("http-header = X-* a\n"),
      "f:12: http-header: \"X-*\" is not the name of a field; names have no wildcards\n" },
    { "header name with a colon", IN_RULE("http-header = X-A: a\n"),
      "f:12: http-header: \"X-A:\" is not the name of a field; names have no wildcards\n" },
    { "host as a header", IN_RULE("http-header = hOsT a\n"),
      "f:12: http-header: \"hOsT\" has a condition of its own: host-header\n" },
    { "header without value", IN_RULE("http-header = X-A\n"), "f:12: http-header: has no value\n" },
    { "header value too long", IN_RULE("http-header = X-A " T128 "x\n"),
      "f:12: http-header: \"" T128 "\" is longer than 128 characters\n" },
    { "header value of 128", IN_RULE("http-header = X-A " T128 "\n"), "" },

    { "query", IN_RULE("query-string = a=" T128 " " T128 "=b \"=x=y\" \"*a\\*\\?=b\"\n"), "" },
    { "query key too long", IN_RULE("query-string = " T128 "x=b\n"),
      "f:12: query-string: \"" T128 "\" has a key of more than 128 characters\n" },
    { "query value too long", IN_RULE("query-string = a=" T128 "x\n"),
      "f:12: query-string: *is longer than 128 characters\n" },
    { "query without value", IN_RULE("query-string = a=\n"),
      "f:12: query-string: \"a=\" has no value; key=* is any value\n" },
    { "5 wildcards, and escaped ones", IN_RULE("query-string = \"a*=*??*\\*\\?\"\n"), "" },
    { "6 wildcards", IN_RULE("query-string = a*=*??* b*\n"),
      "f:8: [rule r] has 6 wildcards; at most 5\n" },
    { "wildcards of a regex do not count", IN_RULE("path-pattern-regex = ^/a.*b?c*d?e*f?$\n"), "" },
    { "values of all conditions count",
      IN_RULE("path-pattern = /\nhost-header = a.b\nhttp-request-method = GET\n"
              "source-ip = ::1\nhttp-header = X-A a\nquery-string = b\n"),
      "f:8: [rule r] has 6 condition values; at most 5\n" },

    { "regex", IN_RULE("host-header-regex = ^a[0-9]{2}\\.b$\n"), "" },
    { "regex of 128", IN_RULE("path-pattern-regex = " T128 "\n"), "" },
    { "regex too long", IN_RULE("path-pattern-regex = " T128 "x\n"),
      "f:12: path-pattern-regex: \"" T128 "\" is longer than 128 characters\n" },
    { "bad regex", IN_RULE("path-pattern-regex = (a\n"),
      "f:12: path-pattern-regex: \"(a\" is no regular expression: *\n" },
    { "lookahead", IN_RULE("http-header-regex = X-A a(?=b)\n"),
      "f:12: http-header-regex: \"a(?=b)\" has a lookahead" NOT_TAKEN "\n" },
    { "empty regex", IN_RULE("path-pattern-regex = \"\"\n"),
      "f:12: path-pattern-regex: \"\" is empty\n" },
};

static const struct text_case transform_cases[] = {
    { "both",
      ON_PATH(
          "host-header-rewrite = ^(.+)\\.com$ $1.internal\nurl-rewrite = \"^/a/(.*)$\" /b/$1\n"),
      "" },
    { "everything in a replacement", ON_PATH("url-rewrite = a /-._~:?[]@!$$&'()*+,;=%$0\n"), "" },
    { "of 1024", ON_PATH("url-rewrite = " T1024 " " T1024 "\n"), "" },
    { "regex too long", ON_PATH("url-rewrite = " T1024 "x /\n"),
      "f:13: url-rewrite: the regex is longer than 1024 characters\n" },
    { "replacement too long", ON_PATH("url-rewrite = a " T1024 "x\n"),
      "f:13: url-rewrite: the replacement is longer than 1024 characters\n" },
    { "two", ON_PATH("url-rewrite = a b\nurl-rewrite = c d\n"),
      "f:14: url-rewrite: a rule has only one; it is at line 13\n" },
    { "no replacement", ON_PATH("url-rewrite = a\n"),
      "f:13: url-rewrite: is not REGEX REPLACEMENT; put one that has blanks in quotes\n" },
    { "a word too many", ON_PATH("host-header-rewrite = a b c\n"),
      "f:13: host-header-rewrite: is not REGEX REPLACEMENT; put one that has blanks in quotes\n" },
    { "an empty replacement", ON_PATH("url-rewrite = ^/v1 \"\"\n"), "" },
    { "bad regex", ON_PATH("url-rewrite = a++ b\n"),
      "f:13: url-rewrite: \"a++\" has a possessive quantifier" NOT_TAKEN "\n" },
    { "no such group", ON_PATH("url-rewrite = (a)(b) /$3\n"),
      "f:13: url-rewrite: the replacement \"/$3\" names a group that its regex does not have\n" },
    { "a blank in a URL", ON_PATH("url-rewrite = a \"/a b\"\n"),
      "f:13: url-rewrite: the replacement \"/a b\" may hold the characters of a URI and $0 to $9 "
      "only\n" },
    { "a slash in a host", ON_PATH("host-header-rewrite = a b/c\n"),
      "f:13: host-header-rewrite: the replacement \"b/c\" may hold letters, digits, -._: and $0 "
      "to $9 only\n" },
};

static const struct text_case action_cases[] = {
    { "weights", ACTION("forward chat:0"), "" },
    { "5 groups",
      ACTION("forward chat:1 b:2 c:999 d e") "[target_group b]\n[target_group c]\n"
                                             "[target_group d]\n[target_group e]\n",
      "" },
    { "6 groups",
      ACTION("forward chat b c d e f") "[target_group b]\n[target_group c]\n[target_group d]\n"
                                       "[target_group e]\n[target_group f]\n",
      "f:7: default_action: more than 5 target groups; the form is forward GROUP[:WEIGHT]... "
      "[stickiness=SECONDS]\n" },
    { "weight 1000", ACTION("forward chat:1000"),
      "f:7: default_action: \"1000\" is not a weight from 0 to 999\n" },
    { "no weight", ACTION("forward chat:"),
      "f:7: default_action: \"\" is not a weight from 0 to 999\n" },
    { "a sticky group", ACTION("forward chat stickiness=60"), "" },
    { "sticky groups", ACTION("forward chat:9 b:1 stickiness=604800") "[target_group b]\n", "" },
    { "sticky for 7 days", ACTION("forward chat stickiness=7d"), "" },
    { "sticky for too long", ACTION("forward chat stickiness=604801"),
      "f:7: default_action: \"604801\" is not from 1 to 604800 seconds\n" },
    { "sticky for no time", ACTION("forward chat stickiness=0"),
      "f:7: default_action: \"0\" is not from 1 to 604800 seconds\n" },
    { "sticky for a part of a second", ACTION("forward chat stickiness=1500ms"),
      "f:7: default_action: \"1500ms\" is not from 1 to 604800 seconds\n" },
    { "sticky for nothing", ACTION("forward chat stickiness="),
      "f:7: default_action: \"\" is not from 1 to 604800 seconds\n" },
    { "a group behind the stickiness", ACTION("forward chat stickiness=60 b") "[target_group b]\n",
      "f:7: default_action: \"b\" is too much; the form is forward GROUP[:WEIGHT]... "
      "[stickiness=SECONDS]\n" },
    { "no group, but sticky", ACTION("forward stickiness=60"),
      "f:7: default_action: forward needs a target group\n" },
    { "app_cookie among several groups",
      ACTION("forward chat:9 b:1 stickiness=60") "[target_group b]\nstickiness.enabled = yes\n"
                                                 "stickiness.type = app_cookie\n"
                                                 "stickiness.app_cookie.cookie_name = sid\n",
      "f:7: default_action: b has stickiness.type = app_cookie, which does not work among several "
      "groups; forward to it alone, or choose lb_cookie\n" },
    { "app_cookie alone",
      ACTION("forward chat") "[rule r]\nlistener = web\npriority = 1\npath-pattern = /\n"
                             "action = forward b stickiness=60\n[target_group b]\n"
                             "stickiness.enabled = yes\nstickiness.type = app_cookie\n"
                             "stickiness.app_cookie.cookie_name = sid\n",
      "" },

    { "redirect", ACTION("redirect 301 https://#{host}:443/#{path}?#{query}"), "" },
    { "redirect by name", ACTION("redirect 302 HTTPS://www.example.com/"), "" },
    { "redirect, everything",
      ACTION("redirect 302 \"#{protocol}://a.#{host}:#{port}/"
             "#{host}/#{port}/#{path}?p=#{protocol}&h=#{host}&o=#{port}"
             "&a=#{path}&#{query}\""),
      "" },
    { "redirect alone", ACTION("redirect"),
      "f:7: default_action: redirect needs a status; the form is redirect 301 or 302 URL\n" },
    { "redirect 307", ACTION("redirect 307 https://a/"),
      "f:7: default_action: \"307\" is not 301 or 302\n" },
    { "redirect without URL", ACTION("redirect 301"),
      "f:7: default_action: redirect needs a URL (in quotes, if a # begins it); the form is "
      "redirect 301 or 302 URL\n" },
    { "redirect, too much", ACTION("redirect 301 https://a/ now"),
      "f:7: default_action: \"now\" is too much; the form is redirect 301 or 302 URL\n" },
    { "redirect to a path", ACTION("redirect 301 /new"),
      "f:7: default_action: \"/new\" is no URL; write for example "
      "https://#{host}:443/#{path}?#{query}\n" },
    { "redirect protocol", ACTION("redirect 301 ftp://a/"),
      "f:7: default_action: the protocol \"ftp\" is not http, https or #{protocol}\n" },
    { "redirect without host", ACTION("redirect 301 https:///"),
      "f:7: default_action: the host is missing; write #{host} to keep it\n" },
    { "redirect without path", ACTION("redirect 301 https://#{host}"),
      "f:7: default_action: the path is missing; write /#{path} to keep it, or /\n" },
    { "redirect without port", ACTION("redirect 301 https://#{host}:/"),
      "f:7: default_action: the port behind the ':' is missing\n" },
    { "redirect port", ACTION("redirect 301 https://#{host}:65536/"),
      "f:7: default_action: the port \"65536\" is not 1 to 65535 or #{port}\n" },
    { "redirect host with others", ACTION("redirect 301 https://user@a/"),
      "f:7: default_action: the host cannot hold '@'\n" },
    { "path in the host", ACTION("redirect 301 https://#{path}/"),
      "f:7: default_action: the host cannot hold #{path}\n" },
    { "query in the path", ACTION("redirect 301 https://a/#{query}"),
      "f:7: default_action: the path cannot hold #{query}\n" },
    { "protocol in the path", ACTION("redirect 301 https://a/#{protocol}"),
      "f:7: default_action: the path cannot hold #{protocol}\n" },
    { "unknown placeholder", ACTION("redirect 301 https://a/#{uri}"),
      "f:7: default_action: the path holds a '#' that begins none of #{protocol}, #{host}, "
      "#{port}, #{path} and #{query}\n" },
    { "fragment", ACTION("redirect 301 https://a/b#c"),
      "f:7: default_action: the path holds a '#' that begins none of #{protocol}, #{host}, "
      "#{port}, #{path} and #{query}\n" },
    { "blank in the path", ACTION("redirect 301 \"https://a/b c\""),
      "f:7: default_action: the path cannot hold ' '\n" },
    { "two question marks", ACTION("redirect 301 https://a/?b?c"),
      "f:7: default_action: the query cannot hold '?'\n" },
    { "path of 128", ACTION("redirect 301 https://a" T128), "" },
    { "path too long", ACTION("redirect 301 https://a" T128 "x"),
      "f:7: default_action: the path is longer than 128 characters\n" },
    { "query too long", ACTION("redirect 301 https://a/?" T128 "x"),
      "f:7: default_action: the query is longer than 128 characters\n" },
    { "unchanged", ACTION("redirect 301 \"#{protocol}://#{host}:#{port}/#{path}?x=1\""),
      "f:7: default_action: would change nothing; protocol, host, port or path must be another\n" },
    { "HTTPS to HTTP",
      ACTION("redirect 301 http://#{host}:80/#{path}") "protocol = HTTPS\ncertificate = both.pem\n",
      "f:7: default_action: from HTTPS to HTTP is not allowed; redirect to https\n" },
    { "HTTPS to HTTP in a rule",
      EDGE GROUP "[listener web]\nbind = 127.0.0.1:8080\ndefault_action = forward chat\n"
                 "protocol = HTTPS\ncertificate = both.pem\n"
                 "[rule r]\nlistener = web\npriority = 1\npath-pattern = /\n"
                 "action = redirect 302 http://#{host}/\n",
      "f:14: action: from HTTPS to HTTP is not allowed; redirect to https\n" },
};

static const struct text_case warning_cases[] = {
    { "no weight at all", ACTION("forward chat:0"),
      "f:7: warning: default_action: every weight is 0: all requests get 503\n" },
    { "a loop", ACTION("redirect 301 http://#{host}:8080/#{path}?#{query}"),
      "f:3: warning: [target_group chat] gets no requests: no action forwards to it\n"
      "f:7: warning: default_action: redirects each request to where it came from\n" },
    { "a sticky group among several that are not kept to",
      ACTION("forward chat b") "[target_group b]\nstickiness.enabled = yes\n",
      "f:7: warning: default_action: b has stickiness.enabled, but its clients may get another "
      "group with each request; add stickiness=SECONDS\n" },
    { "a sticky group without keys", ACTION("forward chat stickiness=60"),
      "f:7: warning: default_action: stickiness: without seal_key_file in [alb], a restart forgets "
      "every cookie and other balancers cannot read them\n" },
    { "a rewrite of nothing",
      EDGE LISTENER GROUP "[rule r]\nlistener = web\npriority = 10\naction = fixed-response 200\n"
                          "path-pattern = /\nurl-rewrite = a b\n",
      "f:8: warning: [rule r] rewrites what it does not forward: that has no effect\n" },
};

static void test_conditions(void **state)
{
    (void)state;
    run_cases(condition_cases, COUNT(condition_cases), false);
}

static void test_transforms(void **state)
{
    (void)state;
    run_cases(transform_cases, COUNT(transform_cases), false);
}

static void test_actions(void **state)
{
    (void)state;
    run_cases(action_cases, COUNT(action_cases), false);
}

static void test_warnings(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(warning_cases); i++) {
        struct problems p;
        struct config *c = read_text(warning_cases[i].text, &p);
        char *got = said(&p, true);
        if (strstr(got, strchr(warning_cases[i].want, 'w')) == NULL &&
            strcmp(got, warning_cases[i].want) != 0)
            fail_msg("%s: got\n%s", warning_cases[i].name, got);
        free(got);
        config_free(&c);
        problems_done(&p);
    }
}

static void test_quota_of_rules(void **state)
{
    struct problems p;
    struct buf file;
    (void)state;

    buf_init(&file, 1 << 20);
    buf_print(&file, EDGE LISTENER GROUP);
    for (int i = 1; i <= 101; i++)
        buf_print(&file,
                  "[rule r%d]\nlistener = web\npriority = %d\naction = forward chat\n"
                  "path-pattern = /%d\n",
                  i, i, i);
    problems_init(&p, "f");
    struct config *c = config_read_text(buf_data(&file), &p);
    assert_non_null(c);
    char *got = said(&p, true);
    assert_non_null(strstr(got, "f:508: warning: 101 rules: the managed balancer takes 100 unless "
                                "its quota is raised\n"));
    free(got);
    problems_done(&p);
    config_free(&c);
    buf_done(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conditions),     cmocka_unit_test(test_transforms),
        cmocka_unit_test(test_actions),        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_quota_of_rules),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
