"""Which rule answers: path, host, priority, default."""

from harness import answer

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
    assert headers["Server"] == "postern-alb"
    assert '"GET http://127.0.0.1' in alb.access_row("/API/x")
