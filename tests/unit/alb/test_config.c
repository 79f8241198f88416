/* Files that are refused, each with the sentence that says why. */
#include "config_fixture.h"

#define HASH                                                                                       \
    "load_balancing.algorithm.type = consistent_hash\n"                                            \
    "load_balancing.consistent_hash.key = path\n"

static const struct text_case section_cases[] = {
    { "good", ALB EDGE LISTENER GROUP, "" },
    { "nothing at all", "",
      "f: there is no [edge] section: say who may connect; open to all must be said: allow = any\n"
      "f: there is no [listener NAME] section: nobody could connect\n" },
    { "unknown kind", EDGE LISTENER GROUP "[target chat]\nx = 1\n",
      "f:8: unknown section [target]; there are [alb], [edge], [health], [management], "
      "[listener NAME], "
      "[target_group NAME] and [rule NAME]\n" },
    { "no name", EDGE LISTENER GROUP "[rule]\n",
      "f:8: section [rule] needs a name behind its "
      "kind\n" },
    { "a name too many", EDGE LISTENER GROUP "[alb one]\n",
      "f:8: section [alb one] takes no name\n" },
    { "twice", EDGE LISTENER GROUP GROUP,
      "f:8: section [target_group chat] is already there at line 6\n" },
    { "twice without a name", EDGE LISTENER GROUP EDGE,
      "f:8: section [edge] is already there at line 1\n" },
    { "one name in two kinds", EDGE LISTENER GROUP "[target_group web]\ntarget = [::1]:1\n", "" },
    { "name too long", EDGE LISTENER GROUP "[rule a23456789012345678901234567890123]\n",
      "f:8: section [rule a23456789012345678901234567890123] has a name of more than 32 "
      "characters\n" },
    { "key before sections", "workers = 2\n" EDGE LISTENER GROUP,
      "f:1: workers stands before the first [section]; put it in one\n" },
    { "unknown key", EDGE LISTENER GROUP "targets = 127.0.0.1:2\n",
      "f:8: unknown setting \"targets\"; did you mean \"target\"?\n" },
    { "another section's", "[alb]\nretry.max = 0\n" EDGE LISTENER GROUP "workers = 2\n",
      "f:2: retry.max does not stand here, but in [target_group NAME]\n"
      "f:10: workers does not stand here, but in [alb]\n" },
    { "the managed balancer's",
      "[alb]\nrouting.http2.enabled = true\naccess_logs.s3.bucket = b\n" EDGE LISTENER GROUP
      "lambda.multi_value_headers.enabled = x\n",
      "f:2: routing.http2.enabled is the managed balancer's, and not here: HTTP/2 is not spoken "
      "here; leave it out\n"
      "f:3: access_logs.s3.bucket is the managed balancer's, and not here: logs go to files: "
      "access_logs.enabled and access_logs.file\n"
      "f:11: lambda.multi_value_headers.enabled is the managed balancer's, and not here: there are "
      "no functions here; leave it out\n" },
    { "outside", "[alb]\nidle_timeout.timeout_seconds = 5000\n" EDGE LISTENER GROUP,
      "f:2: idle_timeout.timeout_seconds: 5000 is outside 1..4000 seconds\n" },
    { "all errors are said", "[alb]\nworkers = x\nadmin = here\n[edge]\n",
      "f: there is no [listener NAME] section: nobody could connect\n"
      "f:2: workers: \"x\" is not a whole number or auto\n"
      "f:3: admin: *\n"
      "f:4: [edge] admits nobody; name its addresses, or say allow = none\n" },
    { "name of two words", "[alb]\nname = a b\naccess_logs.file =\n" EDGE LISTENER GROUP,
      "f:2: name: \"a b\" is not one word of visible ASCII characters\n"
      "f:3: access_logs.file: is empty; - is standard output\n" },
    { "three logs in one file",
      "[alb]\naccess_logs.enabled = yes\nconnection_logs.enabled = yes\nconnection_logs.file = /a\n"
      "health_check_logs.enabled = yes\nhealth_check_logs.file = /a\n"
      "access_logs.file = /a\n" EDGE LISTENER GROUP,
      "f:4: connection_logs.file: the access log goes there (/a); name another file\n"
      "f:6: health_check_logs.file: the access log goes there (/a); name another file\n"
      "f:6: health_check_logs.file: the connection log goes there (/a); name another file\n" },
    { "a log that is off",
      "[alb]\naccess_logs.enabled = yes\nhealth_check_logs.file = -\n" EDGE LISTENER GROUP, "" },
};

static const struct text_case edge_cases[] = {
    { "any", "[edge]\nallow = any\n" LISTENER GROUP, "" },
    { "none", "[edge]\nallow = none\n" LISTENER GROUP, "" },
    { "any and more", "[edge]\nallow = any\nallow = 10.0.0.1\n" LISTENER GROUP,
      "f:2: allow: \"any\" stands alone, without other addresses\n" },
    { "none and more", "[edge]\nallow = none 10.0.0.1\n" LISTENER GROUP,
      "f:2: allow: \"none\" stands alone, without other addresses\n" },
    { "any and none", "[edge]\nallow = any none\n" LISTENER GROUP,
      "f:2: allow: \"any\" stands alone, without other addresses\n" },
    { "host bits", "[edge]\nallow = 10.0.0.0/30 10.0.1.5/24\n" LISTENER GROUP,
      "f:2: allow: \"10.0.1.5/24\" has host bits set; did you mean 10.0.1.0/24?\n" },
    { "no address", "[edge]\nallow = everybody\n" LISTENER GROUP,
      "f:2: allow: \"everybody\" is not an IP address or a block such as 10.0.0.0/8\n" },
    { "open quote", "[edge]\nallow = \"10.0.0.1\"2\n" LISTENER GROUP,
      "f:2: allow: \"\"10.0.0.1\"2\" has a bad quote or a word too long\n" },
    { "files", "[edge]\nallow_file = *.txt\n" LISTENER GROUP, "" },
    { "a file that is not there", "[edge]\nallow_file = none.txt\n" LISTENER GROUP,
      "f:2: allow_file: cannot open none.txt: No such file or directory\n" },
    { "a bad line in a file", "[edge]\nallow_file = one.txt slip.*\n" LISTENER GROUP,
      "f:2: allow_file: slip.edge:2: \"192.0.2.1/24\" has host bits set; did you mean "
      "192.0.2.0/24?\n" },
    { "no file is like it", "[edge]\nallow_file = *.none\n" LISTENER GROUP,
      "f:1: [edge] admits nobody; name its addresses, or say allow = none\n" },
    { "ranges", "[edge]\nallow_ip_ranges = ranges.json EDGE\n" LISTENER GROUP, "" },
    { "ranges without a service", "[edge]\nallow_ip_ranges = ranges.json\n" LISTENER GROUP,
      "f:2: allow_ip_ranges: \"ranges.json\" is not FILE SERVICE, such as ip-ranges.json "
      "CLOUDFRONT_ORIGIN_FACING\n" },
    { "ranges of an unknown service", "[edge]\nallow_ip_ranges = ranges.json CDN\n" LISTENER GROUP,
      "f:2: allow_ip_ranges: ranges.json: no prefix of a service \"CDN\"; a name is written as "
      "there, such as CLOUDFRONT_ORIGIN_FACING\n" },
};

static const struct text_case listener_cases[] = {
    { "bare", EDGE GROUP "[listener web]\n",
      "f:5: [listener web] has no bind\nf:5: [listener web] has no default_action\n" },
    { "bad bind", EDGE GROUP "[listener web]\nbind = :80\ndefault_action = forward chat\n",
      "f:6: bind: *\n" },
    { "empty", EDGE GROUP "[listener web]\nbind =\ndefault_action =\n",
      "f:6: bind: *\n"
      "f:7: default_action: is empty; write forward GROUP[:WEIGHT]... "
      "[stickiness=SECONDS], redirect 301 or 302 URL or fixed-response STATUS [TYPE] [\"text\" or "
      "@file]\n" },
    { "two on one address",
      EDGE GROUP LISTENER "[listener b]\nbind = 127.0.0.1:8080\ndefault_action = forward chat\n",
      "f:9: bind: 127.0.0.1:8080 is the address of [listener web] at line 6 too\n" },
    { "one within another",
      EDGE GROUP LISTENER "[listener b]\nbind = 0.0.0.0:8080\ndefault_action = forward chat\n",
      "f:9: bind: 0.0.0.0:8080 overlaps with 127.0.0.1:8080 of [listener web] at line 6\n" },
    { "within the admin's", "[alb]\nadmin = 0.0.0.0:8080\n" EDGE GROUP LISTENER,
      "f:8: bind: 127.0.0.1:8080 overlaps with 0.0.0.0:8080 of admin\n" },
    { "all addresses of both families",
      EDGE GROUP "[listener a]\nbind = 0.0.0.0:80\ndefault_action = forward chat\n"
                 "[listener b]\nbind = [::]:80\ndefault_action = forward chat\n",
      "" },
    { "port 0 twice",
      EDGE GROUP "[listener a]\nbind = 127.0.0.1:0\ndefault_action = forward chat\n"
                 "[listener b]\nbind = 127.0.0.1:0\ndefault_action = forward chat\n",
      "" },
    { "the admin's address", "[alb]\nadmin = 127.0.0.1:8080\n" EDGE GROUP LISTENER,
      "f:8: bind: 127.0.0.1:8080 is the address of admin too\n" },
    { "unknown protocol", EDGE GROUP LISTENER "protocol = TLS\n",
      "f:8: protocol: \"TLS\" is not one of HTTP, HTTPS\n" },
    { "HTTPS without certificate", EDGE GROUP LISTENER "protocol = HTTPS\n",
      "f:8: protocol: HTTPS needs a certificate; add certificate = FILE.pem\n" },
    { "HTTP with certificate", EDGE GROUP LISTENER "certificate = both.pem\n",
      "f:8: certificate: is for HTTPS; say protocol = HTTPS or take it out\n" },
    { "HTTP with key", EDGE GROUP LISTENER "certificate_key = key.pem\n",
      "f:8: certificate_key: is for HTTPS; say protocol = HTTPS or take it out\n" },
    { "HTTPS", EDGE GROUP LISTENER "protocol = HTTPS\ncertificate = both.pem\n", "" },
    { "HTTPS, key apart",
      EDGE GROUP LISTENER "protocol = HTTPS\ncertificate = cert.pem\ncertificate_key = key.pem\n",
      "" },
    { "certificate not there", EDGE GROUP LISTENER "protocol = HTTPS\ncertificate = none.pem\n",
      "f:9: certificate: *none.pem*\n" },
    { "no certificate in the file", EDGE GROUP LISTENER "protocol = HTTPS\ncertificate = one.txt\n",
      "f:9: certificate: *one.txt*\n" },
};

#define TARGET_FORM "IP:port, [IPv6]:port, unix:/path or dns:NAME:port, then [weight=N]"
#define TLS "protocol = HTTPS\nhealth_check.protocol = HTTPS\n"

static const struct text_case group_cases[] = {
    { "HTTPS", EDGE LISTENER GROUP TLS, "" },
    { "HTTPS, verified", EDGE LISTENER GROUP TLS "tls.verify = on\ntls.ca_file = both.pem\n", "" },
    { "HTTPS by name", EDGE LISTENER GROUP TLS "tls.server_name = app.internal\n", "" },
    { "probes only", EDGE LISTENER GROUP "health_check.protocol = HTTPS\ntls.server_name = a\n",
      "" },
    { "no authorities", EDGE LISTENER GROUP TLS "tls.verify = on\ntls.ca_file = none.pem\n",
      "f:11: tls.ca_file: *none.pem*\n" },
    { "no certificate in the authorities' file",
      EDGE LISTENER GROUP TLS "tls.verify = on\ntls.ca_file = one.txt\n",
      "f:11: tls.ca_file: one.txt: no PEM certificate in it *\n" },
    { "no name", EDGE LISTENER GROUP TLS "tls.server_name = https://app\n",
      "f:10: tls.server_name: \"https://app\" is not a host name or an IP address, such as "
      "app.internal\n" },
    { "TLS in plain text",
      EDGE LISTENER GROUP "tls.verify = off\ntls.ca_file = both.pem\ntls.server_name = a\n",
      "f:8: tls.verify: is for HTTPS; say protocol = HTTPS or take it out\n"
      "f:9: tls.ca_file: is for HTTPS; say protocol = HTTPS or take it out\n"
      "f:10: tls.server_name: is for HTTPS; say protocol = HTTPS or take it out\n" },
    { "no target", EDGE LISTENER "[target_group chat]\n", "" },
    { "target twice", EDGE LISTENER GROUP "target = [::1]:1\ntarget = 127.0.0.1:9001 weight=5\n",
      "f:9: target: 127.0.0.1:9001 is already in this group at line 7\n" },
    { "two names of one target", EDGE LISTENER GROUP "target = [::1]:1\ntarget = [0::1]:1\n",
      "f:9: target: [::1]:1 is already in this group at line 8\n" },
    { "empty target", EDGE LISTENER GROUP "target =\n",
      "f:8: target: \"\" is not " TARGET_FORM "\n" },
    { "no port", EDGE LISTENER GROUP "target = 127.0.0.1\n", "f:8: target: *\n" },
    { "port 0", EDGE LISTENER GROUP "target = 127.0.0.1:0\n", "f:8: target: *\n" },
    { "a name", EDGE LISTENER GROUP "target = localhost:80\n", "f:8: target: *dns:NAME:port\n" },
    { "no port, but the group has one", EDGE LISTENER GROUP "target = 127.0.0.1\nport = 80\n", "" },
    { "the same by the group's port", EDGE LISTENER GROUP "port = 9001\ntarget = 127.0.0.1\n",
      "f:9: target: 127.0.0.1:9001 is already in this group at line 7\n" },
    { "sockets", EDGE LISTENER GROUP "target = unix:/run/a.sock\ntarget = unix:/run/a.sock\n",
      "f:9: target: unix:/run/a.sock is already in this group at line 8\n" },
    { "DNS names", EDGE LISTENER GROUP "target = dns:a.b:80\ntarget = dns:A.b:80 weight=3\n",
      "f:9: target: dns:a.b:80 is already in this group at line 8\n" },
    { "multicast", EDGE LISTENER GROUP "target = 224.0.0.1:80\n",
      "f:8: target: \"224.0.0.1:80\" is a multicast address\n" },
    { "weights", EDGE LISTENER GROUP "target = [::1]:1 weight=0\ntarget = [::1]:2 weight=999\n",
      "" },
    { "weight 1000", EDGE LISTENER GROUP "target = [::1]:1 weight=1000\n",
      "f:8: target: \"weight=1000\": a weight is a whole number of 0..999\n" },
    { "no weight", EDGE LISTENER GROUP "target = [::1]:1 weight=\n",
      "f:8: target: \"weight=\": a weight is a whole number of 0..999\n" },
    { "another word", EDGE LISTENER GROUP "target = [::1]:1 backup\n",
      "f:8: target: \"backup\" is not weight=N\n" },
    { "a word too many", EDGE LISTENER GROUP "target = [::1]:1 weight=1 weight=2\n",
      "f:8: target: \"[::1]:1 weight=1 weight=2\" says more than " TARGET_FORM "\n" },
    { "matcher", EDGE LISTENER GROUP "health_check.matcher = 200, 204-299 ,302\n", "" },
    { "an interval of nothing", EDGE LISTENER GROUP "health_check.interval_seconds = 0\n",
      "f:8: health_check.interval_seconds: 0 is outside 100ms..5m\n" },
    { "matcher outside", EDGE LISTENER GROUP "health_check.matcher = 200,500\n",
      "f:8: health_check.matcher: \"500\" is not a status or range within 200-499, such as "
      "200,202 or 200-299\n" },
    { "matcher backwards", EDGE LISTENER GROUP "health_check.matcher = 299-200\n",
      "f:8: health_check.matcher: \"299-200\" is not a status or range within 200-499, such as "
      "200,202 or 200-299\n" },
    { "matcher empty", EDGE LISTENER GROUP "health_check.matcher =\n",
      "f:8: health_check.matcher: \"\" is not a status or range within 200-499, such as "
      "200,202 or 200-299\n" },
    { "matcher past 16 bits", EDGE LISTENER GROUP "health_check.matcher = 65736\n",
      "f:8: health_check.matcher: \"65736\" is not a status or range within 200-499, such as "
      "200,202 or 200-299\n" },
    { "path with blanks", EDGE LISTENER GROUP "health_check.path = /a b\n",
      "f:8: health_check.path: a path begins with '/' and has at most 1024 visible ASCII "
      "characters\n" },
    { "path with query", EDGE LISTENER GROUP "health_check.path = /health?deep=1\n", "" },
    { "short interval",
      EDGE LISTENER GROUP "health_check.interval_seconds = 100ms\n"
                          "health_check.timeout_seconds = 100ms\n",
      "" },
    { "time-out not below the interval",
      EDGE LISTENER GROUP "health_check.interval_seconds = 10\n"
                          "health_check.timeout_seconds = 10\n",
      "f:9: health_check.timeout_seconds: 10s is not less than the interval of 10s: probes would "
      "overlap; set it lower, or health_check.interval_seconds higher\n" },
    { "probed port", EDGE LISTENER GROUP "health_check.port = 65535\n", "" },
    { "probed port of no number", EDGE LISTENER GROUP "health_check.port = traffic\n",
      "f:8: health_check.port: \"traffic\" is neither traffic-port nor 1-65535\n" },
    { "probed port 0", EDGE LISTENER GROUP "health_check.port = 0\n",
      "f:8: health_check.port: \"0\" is neither traffic-port nor 1-65535\n" },
    { "slow start", EDGE LISTENER GROUP "slow_start.duration_seconds = 900\n", "" },
    { "slow start by another algorithm",
      EDGE LISTENER GROUP "slow_start.duration_seconds = 30\n"
                          "load_balancing.algorithm.type = weighted_random\n",
      "f:8: slow_start.duration_seconds: is only for load_balancing.algorithm.type = round_robin "
      "or consistent_hash; set it to 0, or choose one of them\n" },
    { "slow start by hash", EDGE LISTENER GROUP HASH "slow_start.duration_seconds = 30\n", "" },
    { "hash without a key", EDGE LISTENER GROUP "load_balancing.algorithm.type = consistent_hash\n",
      "f:8: load_balancing.consistent_hash.key: is missing: consistent_hash needs what a target "
      "goes "
      "by: path, header NAME, cookie NAME, query NAME or viewer\n" },
    { "a key without hash", EDGE LISTENER GROUP "load_balancing.consistent_hash.key = path\n",
      "f:8: load_balancing.consistent_hash.key: is only for load_balancing.algorithm.type = "
      "consistent_hash; take it out, or choose that one\n" },
    { "no key said", EDGE LISTENER GROUP "load_balancing.consistent_hash.key = none\n", "" },
    { "a bad key",
      EDGE LISTENER GROUP "load_balancing.algorithm.type = consistent_hash\n"
                          "load_balancing.consistent_hash.key = header\n",
      "f:9: load_balancing.consistent_hash.key: needs the name of the header: header NAME\n" },
    { "mitigation by another algorithm",
      EDGE LISTENER GROUP "load_balancing.algorithm.anomaly_mitigation = on\n",
      "f:8: load_balancing.algorithm.anomaly_mitigation: is only for "
      "load_balancing.algorithm.type = weighted_random; turn it off, or choose that one\n" },
};

#define CHARS_32 "/2345678901234567890123456789012"
#define CHARS_128 CHARS_32 CHARS_32 CHARS_32 CHARS_32

static const struct text_case rule_cases[] = {
    { "good", EDGE LISTENER GROUP RULE("path-pattern = /ws/* /chat/*\n"), "" },
    { "bare", EDGE LISTENER GROUP "[rule r]\n",
      "f:8: [rule r] has no listener\nf:8: [rule r] has no priority\n"
      "f:8: [rule r] has no action\n"
      "f:8: [rule r] has no condition; what always applies is default_action\n" },
    { "no condition", EDGE LISTENER GROUP RULE(""),
      "f:8: [rule r] has no condition; what always applies is default_action\n" },
    { "empty condition", EDGE LISTENER GROUP RULE("path-pattern =\n"),
      "f:12: path-pattern: has no value\n" },
    { "empty value", EDGE LISTENER GROUP RULE("path-pattern = \"\"\n"),
      "f:12: path-pattern: \"\" is empty\n" },
    { "unknown listener",
      EDGE LISTENER GROUP "[rule r]\nlistener = www\npriority = 1\naction = forward chat\n"
                          "path-pattern = /\n",
      "f:9: listener: there is no [listener www]\n" },
    { "priority outside",
      EDGE LISTENER GROUP "[rule r]\nlistener = web\npriority = 50001\naction = forward chat\n"
                          "path-pattern = /\n",
      "f:10: priority: 50001 is outside 1..50000\n" },
    { "one priority for two",
      EDGE LISTENER GROUP RULE("path-pattern = /\n") "[rule s]\nlistener = web\npriority = 10\n"
                                                     "action = forward chat\npath-pattern = /s\n",
      "f:13: [rule s] has priority 10 on [listener web], as [rule r] at line 8 has\n" },
    { "128 characters", EDGE LISTENER GROUP RULE("path-pattern = " CHARS_128 "\n"), "" },
    { "129 characters", EDGE LISTENER GROUP RULE("path-pattern = " CHARS_128 "x\n"),
      "f:12: path-pattern: \"" CHARS_128 "\" is longer than 128 characters\n" },
    { "every character of a path",
      EDGE LISTENER GROUP RULE("path-pattern = \"/Az09_-.$/~\\\"'@:+&*?\"\n"), "" },
    { "percent", EDGE LISTENER GROUP RULE("path-pattern = /a%20b\n"),
      "f:12: path-pattern: \"/a%20b\" may hold letters, digits and _-.$/~\"'@:+&*? only\n" },
    { "blank in quotes", EDGE LISTENER GROUP RULE("path-pattern = \"/a b\"\n"),
      "f:12: path-pattern: \"/a b\" may hold letters, digits and _-.$/~\"'@:+&*? only\n" },
    { "bad quote", EDGE LISTENER GROUP RULE("path-pattern = \"/a\"b\n"),
      "f:12: path-pattern: \"\"/a\"b\" has a bad quote\n" },
    { "hosts", EDGE LISTENER GROUP RULE("host-header = *.example.com EXAMPLE.com a-?.b1.org\n"),
      "" },
    { "host without dot", EDGE LISTENER GROUP RULE("host-header = localhost\n"),
      "f:12: host-header: \"localhost\" needs a '.'\n" },
    { "host with port", EDGE LISTENER GROUP RULE("host-header = example.com:80\n"),
      "f:12: host-header: \"example.com:80\" may hold letters, digits and -.*? only\n" },
    { "host of numbers", EDGE LISTENER GROUP RULE("host-header = 10.0.0.1\n"),
      "f:12: host-header: \"10.0.0.1\" may hold only letters after the last '.'\n" },
    { "5 values", EDGE LISTENER GROUP RULE("path-pattern = /a /b /c\nhost-header = a.b c.d\n"),
      "" },
    { "6 values", EDGE LISTENER GROUP RULE("path-pattern = /a /b /c /d\nhost-header = a.b c.d\n"),
      "f:8: [rule r] has 6 condition values; at most 5\n" },
    { "6 wildcards", EDGE LISTENER GROUP RULE("path-pattern = /*?* /*\nhost-header = *.?.org\n"),
      "f:8: [rule r] has 6 wildcards; at most 5\n" },
};

static const struct text_case action_cases[] = {
    { "unknown group", ACTION("forward home"),
      "f:7: default_action: there is no [target_group home]\n" },
    { "no group", ACTION("forward"), "f:7: default_action: forward needs a target group\n" },
    { "two groups", ACTION("forward chat chat"), "f:7: default_action: chat is named twice\n" },
    { "unknown action", ACTION("proxy chat"),
      "f:7: default_action: unknown action \"proxy\"; there are forward, redirect and "
      "fixed-response\n" },
    { "status alone", ACTION("fixed-response 503"), "" },
    { "no status", ACTION("fixed-response"),
      "f:7: default_action: fixed-response needs a status; the form is fixed-response STATUS "
      "[TYPE] [\"text\" or @file]\n" },
    { "status 302", ACTION("fixed-response 302"),
      "f:7: default_action: \"302\" is not a status of 2XX, 4XX or 5XX\n" },
    { "status 0200", ACTION("fixed-response 0200"),
      "f:7: default_action: \"0200\" is not a status of 2XX, 4XX or 5XX\n" },
    { "status 600", ACTION("fixed-response 600"),
      "f:7: default_action: \"600\" is not a status of 2XX, 4XX or 5XX\n" },
    { "type", ACTION("fixed-response 404 text/xml"),
      "f:7: default_action: \"text/xml\" is not text/plain, text/css, text/html, "
      "application/javascript or application/json\n" },
    { "text without quotes", ACTION("fixed-response 404 text/plain not here"),
      "f:7: default_action: \"here\" is too much; the form is fixed-response STATUS [TYPE] "
      "[\"text\" or @file]\n" },
    { "bad quote", ACTION("fixed-response 404 text/plain \"not\"here"),
      "f:7: default_action: the text has a bad quote\n" },
    { "1024 bytes",
      ACTION("fixed-response 404 text/plain " CHARS_128 CHARS_128 CHARS_128 CHARS_128 CHARS_128
                 CHARS_128 CHARS_128 CHARS_128),
      "" },
    { "1025 bytes",
      ACTION("fixed-response 404 text/plain " CHARS_128 CHARS_128 CHARS_128 CHARS_128 CHARS_128
                 CHARS_128 CHARS_128 CHARS_128 "x"),
      "f:7: default_action: the text has 1025 bytes; at most 1024, in a file too\n" },
    { "file", ACTION("fixed-response 200 application/json @body.json"), "" },
    { "file not there", ACTION("fixed-response 200 text/html @none.html"),
      "f:7: default_action: cannot open none.html: No such file or directory\n" },
    { "file too big", ACTION("fixed-response 200 text/html @big.body"),
      "f:7: default_action: big.body is larger than 1024 bytes\n" },
    { "file with NUL", ACTION("fixed-response 200 text/html @nul.body"),
      "f:7: default_action: nul.body holds a NUL byte\n" },
    { "at sign in quotes", ACTION("fixed-response 200 text/plain \"@none.html\""), "" },
};

static void test_sections(void **state)
{
    (void)state;
    run_cases(section_cases, COUNT(section_cases), false);
}

static void test_edge(void **state)
{
    (void)state;
    run_cases(edge_cases, COUNT(edge_cases), false);
}

static void test_listeners(void **state)
{
    (void)state;
    run_cases(listener_cases, COUNT(listener_cases), false);
}

static void test_groups(void **state)
{
    (void)state;
    run_cases(group_cases, COUNT(group_cases), false);
}

/* The managed balancer's quota is only asked about. */
static void expect_of_targets(int count, const char *want)
{
    struct problems p;
    struct buf text;

    buf_init(&text, 1 << 20);
    buf_print(&text, ALB EDGE LISTENER "[target_group chat]\n");
    for (int i = 0; i < count; i++)
        buf_print(&text, "target = 10.0.%d.%d:80\n", i / 250, i % 250 + 1);
    char *copy = mem_copy(buf_data(&text).ptr, buf_len(&text));
    struct config *c = read_text(copy, &p);
    assert_non_null(c);
    assert_int_equal(c->groups[0].target_count, count);
    expect("many targets", &p, true, want);
    problems_done(&p);
    config_free(&c);
    buf_done(&text);
    free(copy);
}

static void test_a_thousand_targets_and_one_more(void **state)
{
    (void)state;
    expect_of_targets(1000, "");
    expect_of_targets(1001,
                      "f:1009: warning: [target_group chat] has 1001 targets: the managed balancer "
                      "has at most 1000\n");
}

static void test_rules(void **state)
{
    (void)state;
    run_cases(rule_cases, COUNT(rule_cases), false);
}

static void test_actions(void **state)
{
    (void)state;
    run_cases(action_cases, COUNT(action_cases), false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_edge),
        cmocka_unit_test(test_listeners),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_a_thousand_targets_and_one_more),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
