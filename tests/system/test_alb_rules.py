"""Which rule answers: each condition, the order of priorities, the default."""

import json
import re

import pytest

from balancer import forward_config
from harness import PATIENCE, run
from http_wire import ask, request
from scripted_target import answer

CONFIG = """
[alb]
admin = 127.0.0.1:0
control = {socket}
access_logs.enabled = true
access_logs.file = {access}
[edge]
allow = 127.0.0.0/8
[listener http]
bind = 127.0.0.1:0
protocol = HTTP
default_action = fixed-response 404 text/plain "nothing here"
[target_group a]
target = %s
health_check.enabled = false
[target_group b]
target = %s
health_check.enabled = false
[rule api]
listener = http
priority = 10
path-pattern = /api/*
action = forward a
[rule shop]
listener = http
priority = 20
host-header = shop.example.com *.shop.example.com
action = forward b
"""


def test_rules_choose_by_path_then_host_then_default(start_alb, start_target):
    a, b = start_target(answer(b"a")), start_target(answer(b"b"))
    alb = start_alb(CONFIG % (a.address, b.address))

    assert alb.get("/api/x")[2] == b"a"
    assert alb.get("/api/x", {"Host": "shop.example.com"})[2] == b"a", "the lower priority wins"
    assert alb.get("/", {"Host": "SHOP.example.com:8080"})[2] == b"b"
    assert alb.get("/", {"Host": "eu.shop.example.com"})[2] == b"b"
    status, headers, body = alb.get("/API/x")
    assert (status, body) == (404, b"nothing here"), "paths mind case"
    assert headers["Server"] == "awselb/2.0"
    assert '"GET http://127.0.0.1' in alb.access_row("/API/x")


# What is asked of a request, and requests that have it and that have not.
CONDITIONS = {
    "host": ("host-header = www.example.com *.shop.test",
             [request(host=b"WWW.example.com:8080"), request(host=b"a.b.shop.test")],
             [request(host=b"shop.test")]),
    "host-regex": (r"host-header-regex = ^api-[0-9]+\.test$",
                   [request(host=b"API-7.test")], [request(host=b"api-x.test")]),
    "path": ("path-pattern = /path/?x", [request(path="/path/1x?y=z")],
             [request(path="/path/x"), request(path="/path/%31x")]),
    "path-regex": (r"path-pattern-regex = ^/u/[0-9]+$", [request(path="/u/12?q")],
                   [request(path="/u/12/"), request(path="/U/12")]),
    "method": ("http-request-method = PURGE PUT", [request("PURGE"), request("PUT")],
               [request("PURGES"), request("Put")]),
    "source-ip": ("path-pattern = /ip\nsource-ip = 127.0.0.1/32 10.0.0.0/8",
                  [request(path="/ip")], []),
    "not-source-ip": ("path-pattern = /not-ip\nsource-ip = 10.0.0.0/8", [],
                      [request(path="/not-ip", fields=b"X-Forwarded-For: 10.1.2.3\r\n")]),
    "header": ("http-header = X-Kind *b?g*\nhttp-header = X-More yes",
               [request(fields=b"x-kind: small\r\nX-KIND: a BUG\r\nX-More: YES\r\n")],
               [request(fields=b"X-Kind: bug\r\n"), request(fields=b"X-Kind: bg\r\nX-More: yes\r\n")]),
    "header-regex": (r"http-header-regex = X-Version ^v[23]$",
                     [request(fields=b"X-Version: V2\r\n")],
                     [request(fields=b"X-Version: v22\r\n")]),
    "length": ("http-header = Content-Length 0",
               [request("POST", fields=b"Content-Length: 0\r\n")],
               [request("GET", fields=b"Content-Length: 0\r\n")]),
    "query": (r'query-string = "v=\*" "=only*"',
              [request(path="/?a=1&V=*"), request(path="/?k=onlyThis")],
              [request(path="/?v=1"), request(path="/?only"), request(path="/v=*")]),
}


def conditions_config():
    rules = "\n".join(f"""
[rule {name}]
listener = http
priority = {number}
{lines}
action = fixed-response 200 text/plain {name}
""" for number, (name, (lines, _, _)) in enumerate(CONDITIONS.items(), 1))
    config = forward_config("127.0.0.1:1", more=rules)
    return config.replace("default_action = forward app", "default_action = fixed-response 404")


@pytest.fixture
def conditions_alb(start_alb):
    return start_alb(conditions_config())


def test_each_condition_takes_what_it_says_and_nothing_else(conditions_alb):
    for name, (_, taken, left) in CONDITIONS.items():
        for data in taken:
            got = ask(conditions_alb, data)
            assert (got.status, got.body) == (200, name.encode()), (name, data)
        for data in left:
            got = ask(conditions_alb, data)
            assert (got.status, got.body) == (404, b""), (name, data)
    asked = len([d for _, taken, left in CONDITIONS.values() for d in taken + left])
    evaluated = conditions_alb.metric("alb_rule_evaluations_total")
    assert asked < evaluated <= asked * len(CONDITIONS)


THOUSANDS = ("http-header = X-Tenant t{}", 'query-string = "k=v{}\\*"', "query-string = alone{}",
             "http-request-method = M-{letters}", "path-pattern = /api/*\nhttp-header = X-Tenant api{}")


def in_letters(n):
    """A method has no digits."""
    return "".join("ABCDEFGHIJ"[int(digit)] for digit in str(n))


def test_a_rule_is_found_among_thousands_by_what_it_asks_for(start_alb):
    """The lowest priority wins among those that fit, however they are found."""
    rules = "".join(f"[rule r{n}]\nlistener = http\npriority = {n}\n"
                    f"{THOUSANDS[n % len(THOUSANDS)].format(n, letters=in_letters(n))}\n"
                    f"action = fixed-response 200 text/plain {n}\n" for n in range(1, 3001))
    config = forward_config("127.0.0.1:1", more=rules)
    alb = start_alb(config.replace("default_action = forward app",
                                   "default_action = fixed-response 404"))
    tenants = b"X-Tenant: none\r\nx-tenant: T2500\r\nX-TENANT: t1500\r\n"
    for data, rule in [(request(fields=b"x-tenant: T2500\r\n"), b"2500"),
                       (request(fields=tenants), b"1500"),
                       (request(path="/?a=b&K=V2001*", fields=tenants), b"1500"),
                       (request(path="/?a=b&K=V1001*", fields=tenants), b"1001"),
                       (request(path="/?x=ALONE2002"), b"2002"),
                       (request("M-BAAD"), b"1003"),
                       (request(path="/api/x", fields=b"X-Tenant: api2004\r\n"), b"2004"),
                       (request(path="/?" + "".join(f"k=v{n}*&" for n in range(2996, 1001, -5)),
                                fields=tenants), b"1006")]:
        got = ask(alb, data)
        assert (got.status, got.body) == (200, rule), data
    for data in [request(fields=b"X-Tenant: t2501\r\n"), request(path="/?k=v2001"),
                 request("M-baad"), request(path="/x", fields=b"X-Tenant: api2004\r\n")]:
        assert ask(alb, data).status == 404, data


def test_a_hostile_path_does_not_stall_and_is_told_once(start_alb):
    rule = """
[rule hostile]
listener = http
priority = 1
path-pattern-regex = ^/(a+)+$
action = fixed-response 200 text/plain matched
"""
    config = forward_config("127.0.0.1:1", more=rule)
    alb = start_alb(config.replace("default_action = forward app",
                                   "default_action = fixed-response 404"))
    assert alb.get("/" + "a" * 16000)[0] == 200
    for _ in range(20):
        assert alb.get("/" + "a" * 16000 + "!")[0] == 404
    assert alb.metric("alb_regex_limit_exceeded_total") == 20
    assert alb.log().count("regex gave up") == 1


def fields_of(row):
    return [quoted or bare for quoted, bare in re.findall(r'"([^"]*)"|(\S+)', row)]


def many_rules(condition, n=100):
    """That many fixed responses, which the requests of this test do not fit; `{}` is the place."""
    return forward_config("127.0.0.1:1", alb="access_logs.format = {format}\n", more="".join(
        f"[rule r{i}]\nlistener = http\npriority = {i + 1}\n{condition.format(i)}\n"
        "action = fixed-response 204\n" for i in range(n))).replace(
            "default_action = forward app", "default_action = fixed-response 200")


QUERY = "k=x&l=y&m=z&" * 1300
HOSTILE = {
    "path": ("path-pattern = *" + "a" * 100 + "?b", request(path="/b" + "a" * 16000)),
    "query": ("query-string = k=?*x l=?*y m=?z", request(path="/?" + QUERY)),
    "header": ("http-header = X-A *" + "a" * 100 + "?y *" + "a" * 100 + "?z",
               request(fields=(b"X-A: yz" + b"a" * 230 + b"\r\n") * 240)),
    "regex": ("http-header-regex = X-A ^(a+)+$ (a|aa)+$",
              request(fields=(b"X-A: " + b"a" * 230 + b"!\r\n") * 240)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_request_cannot_stall_the_rules(start_alb, name):
    """Without a budget for all conditions together the last one takes minutes."""
    condition, hostile = HOSTILE[name]
    alb = start_alb(many_rules(condition).replace("{format}", "alb"))
    assert ask(alb, request()).status == 200
    before = alb.cpu_s()
    for _ in range(5):
        assert ask(alb, hostile).status == 500
    assert alb.cpu_s() - before < 0.5 * PATIENCE, "a hundredth of a second each"
    fields = fields_of(alb.access_row('end="to find its rule costs too much"'))
    assert (fields[8], fields[20], fields[22]) == ("500", "-1", "-")
    assert alb.metric("alb_rules_too_costly_total") == 5
    assert ask(alb, request()).status == 200


def test_what_cannot_be_routed_is_minus_one_in_json_and_in_explain(start_alb):
    condition, hostile = HOSTILE["query"]
    alb = start_alb(many_rules(condition).replace("{format}", "json"))
    assert ask(alb, hostile).status == 500
    assert json.loads(alb.access_row("costs too much"))["matched_rule_priority"] == -1
    code, out, _ = run("alb", "explain", alb.path, "GET", "http://127.0.0.1/?" + QUERY,
                       "--listener", "http")
    assert "answer    500: to find its rule costs too much" in out


MADE_FOR_IT = {
    "path": ("path-pattern = *" + "a" * 100 + "{}", request(path="/" + "a" * 16000)),
    "query": ("query-string = k{0}=v* l{0}=v* m{0}=v*", request(path="/?" + "a&" * 8000)),
    "header": ("http-header = X-A *" + "a" * 100 + "{0}x *" + "a" * 100 + "{0}y",
               request(fields=(b"X-A: " + b"a" * 230 + b"\r\n") * 240)),
    "regex": ("http-header-regex = X-A ^(a+)+{0}$ (a|aa)+{0}$",
              request(fields=(b"X-A: " + b"a" * 230 + b"!\r\n") * 240)),
}


@pytest.mark.parametrize("name", MADE_FOR_IT)
def test_a_request_that_lacks_what_patterns_need_is_not_compared_with_them(start_alb, name):
    condition, hostile = MADE_FOR_IT[name]
    alb = start_alb(many_rules(condition).replace("{format}", "alb"))
    before = alb.cpu_s()
    for _ in range(20):
        assert ask(alb, hostile).status == 200
    assert alb.cpu_s() - before < 0.5 * PATIENCE
    assert alb.metric("alb_rules_too_costly_total") == 0


PATTERNS = ("path-pattern = *-{}.png", "host-header = api-{}.*.test",
            "path-pattern-regex = ^/(blue|green)/{}/[a-z]+$", "http-header = X-Tenant *t{}!*",
            'http-header-regex = X-Tenant "^(a|b)-{}$"', 'query-string = "k*=v{}!*"')


def test_a_rule_is_found_among_thousands_by_patterns(start_alb):
    """The lowest priority wins among those that fit, however they are found."""
    rules = "".join(f"[rule r{n}]\nlistener = http\npriority = {n}\n"
                    f"{PATTERNS[n % len(PATTERNS)].format(n)}\n"
                    f"action = fixed-response 200 text/plain {n}\n" for n in range(1, 3001))
    config = forward_config("127.0.0.1:1", more=rules)
    alb = start_alb(config.replace("default_action = forward app",
                                   "default_action = fixed-response 404"))
    for data, rule in [(request(path="/x/a-2400.png"), b"2400"),
                       (request(host=b"API-2401.eu.test"), b"2401"),
                       (request(path="/green/2402/cart"), b"2402"),
                       (request(fields=b"x-tenant: of T2403!\r\n"), b"2403"),
                       (request(fields=b"x-tenant: B-2404\r\n"), b"2404"),
                       (request(path="/?a&KEY=V2405!"), b"2405"),
                       (request(path="/-12.png?k=v5!-18.png"), b"5"),
                       (request(path="/blue/8/x-12.png"), b"12"),
                       (request(path="/a-2400.png", fields=b"X-Tenant: a-10\r\n"), b"10")]:
        got = ask(alb, data)
        assert (got.status, got.body) == (200, rule), data
    for data in [request(path="/x/a-2401.png"), request(path="/a-2400.PNG"),
                 request(path="/red/2402/cart"), request(fields=b"X-Tenant: t2403\r\n"),
                 request(fields=b"X-Other: t2403!\r\n"), request(path="/v2405!")]:
        assert ask(alb, data).status == 404, data


def test_long_requests_past_many_usual_rules_are_answered(start_alb):
    """The budget is for what is hostile: all that is as long as can be passes these."""
    alb = start_alb(many_rules("path-pattern = *.png{0} *.jpg{0}\nhttp-header = Cookie *b={0}* "
                               "*c={0}\nquery-string = k=v{0}").replace("{format}", "alb"))
    long = request(path="/" + "a/b.pn" * 1300 + "?k=" + "v" * 4000,
                   fields=b"Cookie: " + b"a=1; b=x; " * 1500 + b"\r\n")
    assert ask(alb, long).status == 200
