"""Which rule answers: each condition, the order of priorities, the default."""

import pytest

from harness import answer, ask, forward_config, request

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
