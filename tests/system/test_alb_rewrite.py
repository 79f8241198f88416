"""Transforms: what a target gets, what the log keeps, and what cannot be sent."""

import shlex

from balancer import forward_config
from http_wire import ask, request, values
from scripted_target import answer
from ws_wire import accept_upgrade, upgrade_request

RULES = """
[rule api]
listener = http
priority = 1
path-pattern = /api/*
url-rewrite = ^/api/(.*)$ /v2/$1
host-header-rewrite = ^(.+)\\.example\\.com$ $1.internal.test
action = forward app
[rule product]
listener = http
priority = 2
path-pattern = /dp/*
url-rewrite = ^/dp/([A-Z0-9]+)/?(\\?(.*))?$ /product?id=$1&$3
action = forward app
[rule broken]
listener = http
priority = 3
path-pattern = /broken*
url-rewrite = ^/broken ""
action = forward app
[rule v2]
listener = http
priority = 4
path-pattern = /v2/*
action = fixed-response 200 text/plain "rules are not tried again"
"""


def start(start_alb, target):
    return start_alb(forward_config(target, more=RULES))


def line_and_host(head):
    return head.split(b"\r\n")[0].decode(), values(head, "Host")[0]


def test_the_target_gets_what_was_made_of_it(start_alb, start_target):
    target = start_target(answer())
    alb = start(start_alb, target)

    for data in (request(path="/api/a/b?x=%20y", host=b"shop.Example.com:8080"),
                 request(path="/api/a", host=b"other.test"),
                 request(path="/dp/B00X?q=1"),
                 request(path="/dp/lower"),
                 request(path="http://shop.example.com/api/abs", host=b"ignored")):
        assert ask(alb, data).status == 200
    assert [line_and_host(head) for head in target.seen] == [
        ("GET /v2/a/b?x=%20y HTTP/1.1", "shop.internal.test:8080"),
        ("GET /v2/a HTTP/1.1", f"other.test:{alb.port()}"),
        ("GET /product?id=B00X&q=1 HTTP/1.1", f"localhost:{alb.port()}"),
        ("GET /dp/lower HTTP/1.1", f"localhost:{alb.port()}"),
        ("GET /v2/abs HTTP/1.1", "shop.internal.test"),
    ]
    row = shlex.split(alb.access_row("/api/a/b"))
    assert row[12] == "GET http://shop.Example.com:8080/api/a/b?x=%20y HTTP/1.1", "as it came"
    assert row[30:33] == ["shop.internal.test:8080", "/v2/a/b?x=%20y", "TransformSuccess"]
    row = shlex.split(alb.access_row("/dp/lower"))
    assert row[30:33] == ["-", "-", "-"]


def test_what_cannot_be_sent_is_500(start_alb, start_target):
    target = start_target(answer())
    alb = start(start_alb, target)

    assert alb.get("/broken/x")[0] == 200, "/x"
    assert alb.get("/brokenx")[0] == 500
    assert alb.metric("alb_transforms_failed_total") == 1
    assert len(target.seen) == 1
    row = shlex.split(alb.access_row("/brokenx"))
    assert (row[8], row[20], row[32]) == ("500", "3", "TransformInvalidPath")


def test_an_upgrade_is_rewritten_too(start_alb, start_target):
    def upgrading(sock, head, _rest):
        accept_upgrade(sock, head)
        return False

    target = start_target(upgrading)
    alb = start(start_alb, target)
    assert ask(alb, upgrade_request("/api/ws", host=b"a.example.com")).status == 101
    assert line_and_host(target.seen[0]) == ("GET /v2/ws HTTP/1.1", "a.internal.test")
