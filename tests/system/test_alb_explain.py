"""`alb explain`: which rule answers, why, and what comes of it; and the page about rules."""

import re
import shlex

import pytest

from harness import ROOT, run

CONFIG = """
[edge]
allow = 10.0.0.0/8
[listener web]
bind = 127.0.0.1:8080
default_action = redirect 301 https://#{host}:443/#{path}?#{query}
[listener other]
bind = 127.0.0.1:8081
default_action = fixed-response 404
[target_group chat]
target = 10.0.1.10:9001 weight=100
target = 10.0.1.11:9001 weight=300
[target_group new]
[rule api]
listener = web
priority = 10
path-pattern = /api/*
http-header = X-Version v1 "v2*"
url-rewrite = ^/api/(.*)$ /$1
action = forward chat:90 new:10
[rule broken]
listener = web
priority = 20
path-pattern = /broken
url-rewrite = ^/broken ""
action = forward new
[rule slow]
listener = web
priority = 30
path-pattern-regex = ^/(a+)+$
action = forward new
"""


@pytest.fixture
def explain(tmp_path):
    path = tmp_path / "alb.ini"
    path.write_text(CONFIG)
    return lambda *args: run("alb", "explain", path, *args)


def test_it_names_the_rule_and_what_comes_of_it(explain):
    code, out, _ = explain("GET", "http://a.test:8080/api/x?y=1", "x-version: V22", "--from",
                           "10.1.2.3")
    assert code == 0
    for line in ("request   GET /api/x?y=1", "host      a.test:8080", "header    x-version: V22",
                 "class     Compliant", "from      10.1.2.3\n",
                 "listener  web (HTTP 127.0.0.1:8080), by the URL's port",
                 "  path-pattern /api/*: yes: the path is /api/x",
                 "  http-header X-Version v1 or v2*: yes: X-Version is V22",
                 "transform url-rewrite: /x?y=1", "group chat, weight 90: 90.0 %",
                 "target 10.0.1.11:9001, weight 300: 75.0 %", "group new, weight 10: 10.0 %"):
        assert line in out
    assert re.search(r"rule api, priority 10 \(.*alb.ini:14\)", out)
    assert "rule broken" not in out, "rules behind the one that answers are not tried"


def test_it_says_why_a_rule_does_not_answer(explain):
    code, out, _ = explain("GET", "/api/x", "Host: a.test", "--listener", "web", "--from", "192.0.2.1")
    assert code == 0
    assert "  http-header X-Version v1 or v2*: no: there is no X-Version\n" in out
    assert "  path-pattern /broken: no: the path is /api/x\n" in out
    assert "not in the edge set" in out and "by --listener" in out
    assert "default_action of [listener web]" in out
    assert "action    redirect 301 to https://a.test:443/api/x\n" in out

    _, out, _ = explain("GET", "http://a.test:8080/" + "a" * 9000 + "!")
    assert "(the regex gave up)" in out
    _, out, _ = explain("GET", "http://a.test:8080/broken")
    assert "answer    500: TransformInvalidPath" in out
    _, out, _ = explain("GET", "http://a.test:8080/a b")
    assert "class     Acceptable: SpaceInUri" in out and "request   GET /a%20b" in out
    _, out, _ = explain("GET", "ws://a.test:8080/api/x", "X-Version: v1", "Upgrade: websocket",
                        "Connection: Upgrade")
    assert "the upgrade is refused" in out


def test_errors_are_1(explain, tmp_path):
    for args, words in ((("GET",), "needs FILE METHOD URL"),
                        (("GET", "a.test"), "is no URL"),
                        (("GET", "ftp://a.test/"), "is not http, https, ws or wss"),
                        (("GET", "http://a.test/"), "several listeners are possible"),
                        (("GET", "https://a.test/"), "no listener speaks this protocol"),
                        (("GET", "/", "--listener", "none"), "there is no [listener none]"),
                        (("GET", "/", "--from", "here"), "is no IP address"),
                        (("GET", "/", "--from"), "needs a value"),
                        (("GET", "/", "--loud"), "unknown option"),
                        (("GET", "/", "header"), "is no header"),
                        (("GET", "/\nX: y"), "holds a line end")):
        code, out, err = explain(*args)
        assert (code, out) == (1, "") and words in err, args

    code, out, _ = explain("GET", "http://a.test:8080/", "Content-Length: x")
    assert code == 1 and "answer    400 before any rule" in out
    code, out, _ = explain("TRACE", "http://a.test:8080/")
    assert code == 1 and "405 before any rule" in out
    code, out, _ = explain("GET", "http://a.test:8080/", "X-Forwarded-For: " + ",".join(["10.0.0.1"] * 31))
    assert code == 1 and "answer    463 before any rule" in out

    (tmp_path / "bad.ini").write_text(CONFIG.replace("weight=300", "weight=3000"))
    code, _, err = run("alb", "explain", tmp_path / "bad.ini", "GET", "http://a.test:8080/")
    assert code == 1 and "bad.ini:12:" in err


def test_it_minds_what_the_balancer_minds(tmp_path):
    """Attributes that change which rule answers, or whether its group can."""
    path = tmp_path / "alb.ini"
    path.write_text("""
[alb]
routing.http.desync_mitigation_mode = strictest
routing.http.drop_invalid_header_fields.enabled = true
[edge]
allow = any
[listener web]
bind = 127.0.0.1:8080
default_action = forward h2
[target_group h2]
target = 127.0.0.1:1
protocol_version = HTTP2
[rule admin]
listener = web
priority = 1
path-pattern = /admin/*
action = fixed-response 403
[rule odd]
listener = web
priority = 2
http-header = X!Y *
action = fixed-response 404
[rule nobody]
listener = web
priority = 3
path-pattern = /nobody
action = forward h2:0
""")
    for url, header, code, text in (
            ("/x", "A: b", 0, "answer 464: it does not speak HTTP/1.1"),
            ("/admin/x", "A: b", 0, "fixed-response 403"),
            ("//admin/x", "A: b", 1, "answer    400: another rule answers the path in its normal form"),
            ("//x", "A: b", 0, "default_action"),
            ("/x", "X!Y: z", 0, "X!Y *: no: there is no X!Y"),
            ("/nobody", "A: b", 0, "answer    503: no target group has a weight")):
        got, out, _ = run("alb", "explain", path, "GET", f"http://a.test:8080{url}", header)
        assert got == code and text in out, (url, header, out)


def test_the_page_about_rules_is_true(tmp_path):
    page = (ROOT / "docs/rules.md").read_text()
    path = tmp_path / "rules.ini"
    key = tmp_path / "seal-key"
    key.write_text("00" * 32)
    key.chmod(0o600)
    text = "\n".join(re.findall(r"```ini\n(.*?)```", page, re.S))
    path.write_text(text.replace("[alb]\n", f"[alb]\nseal_key_file = {key}\n"))
    code, _, err = run("alb", "check", path)
    assert (code, err) == (0, "")
    rows = re.findall(r"^\| `(.*)` \| (\S+) \|$", page, re.M)
    assert len(rows) >= 15
    for asked, rule in rows:
        code, out, err = run("alb", "explain", path, *shlex.split(asked))
        answered = re.findall(r"^(?:rule (\S+),|(default_action)).*\n(?:  .*\n)*?  it answers$", out, re.M)
        assert code == 0 and ["".join(a) for a in answered] == [rule], (asked, out, err)
