"""Each upgrade that fails has one reason, everywhere the same: in the answer, in the log, in a
counter, and among the last 1,000 at the admin port, with a cause and a cure."""

import contextlib
import json
import re
import socket
import time

import pytest

from harness import ROOT, free_port, wait_until
from http_wire import read_head, read_response
from scripted_target import answer
from sockets import is_closed, reset
from ws_peers import Client, Upgraded, connect, ws_config
from ws_wire import KEY, accept_key, upgrade_request

VIA = b"Via: 1.1 abc.cloudfront.net (CloudFront)\r\n"
HTTPS = b"X-Forwarded-Proto: https\r\n"
OWN = (b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n", b"")


def script(sock, head, rest):
    path = head.split(b" ")[1].split(b"?")[0].decode()
    if path == "/silent":
        return sock.recv(1) and False
    if path == "/hangs-up":
        return False
    if path == "/nonsense":
        sock.sendall(b"220 mail.example ESMTP\r\n\r\n")
        return False
    if path == "/old":
        sock.sendall(b"HTTP/1.0 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                     b"Sec-WebSocket-Accept: " + accept_key(head) + b"\r\n\r\n")
        return False
    if path.startswith("/status/"):
        return answer(b"theirs", path.rsplit("/", 1)[1] + " Odd")(sock, head, rest)
    return answer(b"plain")(sock, head, rest)


MORE = """
[target_group gone]
target = 127.0.0.1:{gone}
health_check.enabled = false
[target_group nobody]
target = 127.0.0.1:1 weight=0
health_check.enabled = false
[target_group grpc]
target = 127.0.0.1:1
protocol_version = HTTP2
health_check.enabled = false
[listener hosts]
bind = 127.0.0.1:0
default_action = fixed-response 421
[rule by_host]
listener = hosts
priority = 7
host-header = chat.example
path-pattern = /chat*
action = forward app
"""
RULES = {"/moved": "redirect 302 https://other.example:443/#{path}",
         "/secure": "redirect 301 https://#{host}:443/#{path}?#{query}",
         "/fixed": "fixed-response 404", "/gone": "forward gone", "/nobody": "forward nobody",
         "/grpc": "forward grpc"}

# reason, path, more fields, what is changed in the request, status, a part of the cure
CASES = [
    ("redirected", "/moved", b"", None, 302, "a rule that forwards"),
    ("redirected", "/secure?a=1", b"", None, 301, "a rule that forwards"),
    ("https_redirect_loop", "/secure?a=1", HTTPS, None, 301, "an HTTPS listener"),
    ("https_redirect_loop", "/secure", VIA, None, 301, "viewer protocol policy"),
    ("fixed_response", "/fixed", b"", None, 404, "a rule that forwards"),
    ("fixed_response", "/fixed", b"", OWN, 404, "a rule that forwards"),
    ("request_refused", "/", b"", (b"GET", b"TRACE"), 405, "well-formed GET"),
    ("rule_failed", "/grpc", b"", None, 464, "alb explain"),
    ("no_target", "/nobody", b"", None, 503, "alb status"),
    ("target_unreachable", "/gone", b"", None, 502, "alb status"),
    ("target_no_answer", "/hangs-up", b"", None, 502, "target's log"),
    ("target_timeout", "/silent", b"", None, 504, "idle_timeout.timeout_seconds"),
    ("target_bad_answer", "/nonsense", b"", None, 502, "HTTP/1.1 head"),
    ("status_not_101", "/old", b"", None, 502, "target's own log"),
    ("target_status", "/status/200", b"", None, 200, "serves a WebSocket"),
    ("target_status", "/status/302", b"", None, 302, "do not follow"),
    ("target_status", "/status/400", b"", None, 400, "stickiness.enabled"),
    ("target_status", "/status/401", b"", None, 401, "Authorization"),
    ("target_status", "/status/403", b"", None, 403, "Origin"),
    ("target_status", "/status/404", b"", None, 404, "let a rule send"),
    ("target_status", "/status/426", b"", None, 426, "Version 13"),
    ("target_status", "/status/500", b"", None, 500, "target's own log"),
    ("target_status", "/status/503", b"", None, 503, "overloaded"),
    # those that do not look like an upgrade any more go to the target as what they are
    ("not_upgrade", "/", b"", (b"Upgrade: websocket\r\n", b""), 200, "WebSocket client"),
    ("not_upgrade", "/", b"", (b"Connection: Upgrade\r\nUpgrade: websocket\r\n", b""), 200,
     "WebSocket client"),
    ("stripped", "/", VIA, (b"Upgrade: websocket\r\n" + OWN[0], b""), 200, "AllViewer"),
    ("stripped", "/", b"", OWN, 400, "between the client and here"),
    ("stripped", "/", b"X-Amz-Cf-Id: abc\r\n", OWN, 400, "AllViewer"),
    ("missing_key", "/", VIA, (b"Sec-WebSocket-Key: " + KEY + b"\r\n", b""), 400, "AllViewer"),
    ("missing_version", "/", VIA, (b"Sec-WebSocket-Version: 13\r\n", b""), 426, "AllViewer"),
]
OURS = ("redirected", "https_redirect_loop", "fixed_response", "request_refused", "rule_failed", "no_target", "target_unreachable", "target_no_answer",
        "target_timeout", "target_bad_answer", "status_not_101")  # beside what test_ws_refused has


def start(start_alb, target, **how):
    rules = "\n".join(f"[rule r{i}]\nlistener = http\npriority = {i + 1}\npath-pattern = {p}\n"
                      f"action = {a}" for i, (p, a) in enumerate(RULES.items()))
    return start_alb(ws_config(target, alb="idle_timeout.timeout_seconds = 1",
                               more=MORE.format(gone=free_port()) + rules, **how))


def ask(alb, path="/ws", fields=b"", change=None, listener="http", host=b"localhost", head=False):
    text = upgrade_request(path, fields, host)
    if change:
        assert change[0] in text
        text = text.replace(*change, 1)
    with connect(alb, listener) as sock:
        sock.sendall(text)
        return read_response(sock, to_head=head)


def newest(alb):
    return alb.failed_upgrades()[0]


def test_each_reason_everywhere(start_alb, start_target):
    target = start_target(script)
    alb = start(start_alb, target)
    for number, (reason, path, fields, change, status, cure) in enumerate(CASES):
        case = (number, reason, path)
        name = f'alb_upgrades_failed_total{{reason="{reason}"}}'
        before = alb.metrics()
        response = ask(alb, path, fields, change)
        assert response.status == status, case
        row = newest(alb)
        assert (row["reason"], row["status"]) == (reason, status), case
        assert cure in row["cure"] and row["cause"].endswith("."), (case, row)
        assert row["path"] == path.split("?")[0] and row["host"] == "localhost", case
        assert row["edge"] is (fields not in (b"", HTTPS)), case
        assert len(alb.failed_upgrades()) == number + 1, case
        after = alb.metrics()
        failed = 'alb_websocket_upgrades_total{outcome="failed"}'
        assert after[name] - before[name] == 1 and after[failed] - before[failed] == 1, case
        assert f"upgrade failed reason={reason} status={status} " in alb.log(), case
        lines = response.body.decode().splitlines()
        if reason in OURS:
            assert lines == [f"WebSocket upgrade failed: {reason}", row["cause"], row["cure"]], case
            assert response.values("Cache-Control") == ["no-store"], case
    assert alb.metric("alb_upgrades_failed_total") == len(CASES)


def test_a_rules_own_text_stays(start_alb, start_target):
    """And no cache keeps an answer to an upgrade, while those to plain requests are as ever."""
    alb = start(start_alb, start_target(script))
    with_text = "fixed-response 404 application/json \"{}\""
    alb.configure(alb.path.read_text().replace("action = fixed-response 404\n", f"action = {with_text}\n"))
    alb.reload()
    response = ask(alb, "/fixed")
    assert (response.status, response.body) == (404, b"{}")
    assert response.values("Content-Type") == ["application/json"]
    assert response.values("Cache-Control") == ["no-store"]
    for path in ("/fixed", "/moved"):
        status, headers, body = alb.get(path)
        assert status in (302, 404) and headers["Cache-Control"] is None
        assert b"upgrade failed" not in body


def test_an_answer_of_a_rule_without_text_to_a_head_request(start_alb, start_target):
    alb = start(start_alb, start_target(script))
    response = ask(alb, "/moved", change=(b"GET", b"HEAD"), head=True)
    assert response.status == 302 and int(response.values("Content-Length")[0]) > 100
    assert response.body == b"" and newest(alb)["reason"] == "redirected"


def test_what_a_row_says(start_alb, start_target):
    target = start_target(script)
    alb = start(start_alb, target)
    with connect(alb) as sock:
        sock.sendall(upgrade_request("/status/403?token=secret", b'X: "\r\n', b"chat.example:80"))
        read_response(sock)
        client = "{}:{}".format(*sock.getsockname())
    row = newest(alb)
    assert row.pop("id") in alb.access_row(" 403 ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", row.pop("when"))
    assert "Origin" in row.pop("cure")
    assert row == {"reason": "target_status", "cause": "The target answered 403 in place of 101.",
                   "client": client, "host": "chat.example:80", "path": "/status/403",
                   "listener": "http", "rule": 0, "group": "app", "target": target.address,
                   "status": 403, "target_status": 403, "edge": False}
    assert "secret" not in alb.log()


WELL = upgrade_request("/ws?token=secret")
LONG = b"X-Long: " + b"a" * 60000 + b"\r\n"
# what was sent, status, the parser's words, path and host as far as they can be told
UNREAD = {
    "no Host": (WELL.replace(b"Host: localhost\r\n", b""), 400, "HTTP/1.1 needs a Host", "/ws", ""),
    "a bad Host": (WELL.replace(b"localhost", b'a"b'), 400, "Host is malformed", "/ws", ""),
    "a bad length": (WELL.replace(b"Upgrade: ", b"Content-Length: x\r\nUpgrade: "), 400,
                     "Content-Length", "/ws", "localhost"),
    "two lengths": (WELL.replace(b"Upgrade: ", b"Content-Length: 1\r\nContent-Length: 2\r\nUpgrade: "),
                    400, "Content-Length", "/ws", "localhost"),
    "a NUL in a field": (WELL.replace(b"Upgrade: ", b"X: \0\r\nUpgrade: "), 400, "", "/ws", "localhost"),
    "a bad target": (WELL.replace(b"/ws", b"ws"), 400, "", "ws", "localhost"),
    "HTTP/3.0": (WELL.replace(b"HTTP/1.1", b"HTTP/3.0"), 505, "are spoken", "/ws", "localhost"),
    "a head that is too long": (WELL[:-2] + LONG * 2 + b"\r\n", 400, "too long", "/ws", "localhost"),
    "a coding": (WELL.replace(b"Upgrade: ", b"Transfer-Encoding: gzip\r\nUpgrade: "), 501,
                 "transfer coding", "/ws", "localhost"),
    "Expect": (WELL.replace(b"Upgrade: ", b"Expect: cake\r\nUpgrade: "), 417, "100-continue", "/ws",
               "localhost"),
    "cut off": (WELL[:-2], 400, "closed within the request head", "/ws", "localhost"),
}


def send_and_finish(alb, data):
    with connect(alb) as sock:
        with contextlib.suppress(ConnectionError):  # the answer may come before the end
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        return read_response(sock)


@pytest.mark.parametrize("name", UNREAD)
def test_a_head_that_is_refused_before_any_rule(start_alb, start_target, name):
    data, status, words, path, host = UNREAD[name]
    target = start_target(script)
    alb = start(start_alb, target)
    response = send_and_finish(alb, data)
    assert response.status == status and target.seen == []
    (row,) = alb.failed_upgrades()
    assert (row["reason"], row["status"], row["rule"]) == ("request_refused", status, None)
    assert row["cause"].startswith("The request was refused before any rule: ") and words in row["cause"]
    assert (row["path"], row["host"]) == (path, host)
    lines = response.body.decode().splitlines()
    assert lines == ["WebSocket upgrade failed: request_refused", row["cause"], row["cure"]]
    assert response.values("Cache-Control") == ["no-store"]
    assert alb.metric('alb_upgrades_failed_total{reason="request_refused"}') == 1
    assert alb.metric('alb_websocket_upgrades_total{outcome="failed"}') == 1
    assert f"upgrade failed reason=request_refused status={status} " in alb.log()
    assert "secret" not in alb.log()
    assert f" {status} - " in alb.access_row("HTTP" if status in (417, 501) else "- - -")


def test_what_strictest_refuses_of_an_upgrade(start_alb, start_target):
    alb = start(start_alb, start_target(script))
    alb.configure(alb.path.read_text().replace(
        "[alb]", "[alb]\nrouting.http.desync_mitigation_mode = strictest"))
    alb.reload()
    response = send_and_finish(alb, WELL.replace(b"Upgrade: ", b"X: a\r\n b\r\nUpgrade: "))
    assert response.status == 400
    (row,) = alb.failed_upgrades()
    assert row["reason"] == "request_refused" and row["cause"] in response.body.decode()


def test_a_head_that_does_not_come_whole_in_time(start_alb, start_target):
    alb = start(start_alb, start_target(script))
    with connect(alb) as sock:
        sock.sendall(WELL[:-2])
        response = read_response(sock)
    assert response.status == 408 and response.body.startswith(b"WebSocket upgrade failed: ")
    assert "not whole in time" in newest(alb)["cause"]


def test_a_plain_head_that_is_refused_is_no_upgrade(start_alb, start_target):
    alb = start(start_alb, start_target(script))
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x", b"\0\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\nUpgrade: websocket\r\n"):
        response = send_and_finish(alb, data)
        assert response.status == 400 and b"<html>" in response.body
    assert alb.failed_upgrades() == []


def test_a_host_that_no_rule_forwards(start_alb, start_target):
    alb = start(start_alb, start_target(script))
    for fields, cure in ((b"", "rule's host-header"), (VIA, "AllViewer")):
        response = ask(alb, "/chat/1", fields, listener="hosts", host=b"origin.example")
        row = newest(alb)
        assert response.status == 421 and response.body.decode().splitlines() == [
            "WebSocket upgrade failed: host_not_matched", row["cause"], row["cure"]]
        assert (row["reason"], row["rule"]) == ("host_not_matched", 0) and cure in row["cure"]
        assert row["host"] == "origin.example" and row["listener"] == "hosts"
    ask(alb, "/other", listener="hosts", host=b"origin.example")
    assert newest(alb)["reason"] == "fixed_response", "another path: the host is not all that misses"
    ask(alb, "/other", listener="hosts", host=b"chat.example")
    assert newest(alb)["reason"] == "fixed_response"


SECRET = """
[rule with_secret]
listener = http
priority = 50
path-pattern = /guarded*
http-header = X-Origin-Verify s3cret
action = forward app
[rule without]
listener = http
priority = 51
path-pattern = /guarded/deny
action = fixed-response 403 text/plain "no"
[listener guarded]
bind = 127.0.0.1:0
default_action = fixed-response 403
[rule guarded]
listener = guarded
priority = 1
http-header = X-Origin-Verify s3cret
action = forward app
"""


@pytest.mark.parametrize("listener, path, rule", [("guarded", "/ws", 0), ("http", "/guarded/deny", 51)])
def test_a_secret_that_does_not_match(start_alb, start_target, listener, path, rule):
    """The edge is to add a header; it did not, or another value."""
    target = start_target(Upgraded())
    alb = start_alb(ws_config(target, more=SECRET))
    for fields, cure in ((b"", "in front"), (b"X-Origin-Verify: old\r\n", "in front"),
                         (VIA, "custom headers")):
        assert ask(alb, path, fields, listener=listener).status == 403
        row = newest(alb)
        assert (row["reason"], row["rule"]) == ("header_not_matched", rule), row
        assert cure in row["cure"] and "s3cret" not in json.dumps(row)
    assert "s3cret" not in alb.log()
    Client(alb, listener, path=path, fields=b"X-Origin-Verify: s3cret\r\n").close()


def test_a_later_rule_answers_for_another_host(start_alb, start_target):
    alb = start_alb(ws_config(start_target(script), more="""
[listener names]
bind = 127.0.0.1:0
default_action = forward app
[rule chat]
listener = names
priority = 1
host-header = chat.example
path-pattern = /chat
action = forward app
[rule theirs]
listener = names
priority = 2
host-header = theirs.example
action = fixed-response 410
[rule away]
listener = names
priority = 3
path-pattern = /chat
action = redirect 302 https://#{host}:443/away
"""))
    ask(alb, "/chat", listener="names", host=b"origin.example")
    assert (newest(alb)["reason"], newest(alb)["rule"]) == ("host_not_matched", 3)
    ask(alb, "/chat", listener="names", host=b"theirs.example")
    assert (newest(alb)["reason"], newest(alb)["rule"]) == ("fixed_response", 2), "that host is known"
    ask(alb, "/other", listener="names", host=b"origin.example")
    assert newest(alb)["reason"] == "target_status" and "but for" not in newest(alb)["cause"]


def test_a_host_that_no_rule_has_and_a_target_that_refuses(start_alb, start_target):
    """The default action forwards as well: the request is at the wrong group, which says no."""
    target = start_target(script)
    alb = start_alb(ws_config(target, more="""
[target_group chat]
target = 127.0.0.1:1
health_check.enabled = false
[rule by_host]
listener = http
priority = 7
host-header = chat.example
path-pattern = /status/*
action = forward chat
"""))
    told = "a rule that forwards would have matched but for its host-header"
    for path, fields, is_told in (("/status/404", b"", True), ("/status/200", VIA, True),
                                  ("/status/503", b"", False), ("/other", b"", False)):
        ask(alb, path, fields, host=b"origin.example")
        row = newest(alb)
        assert (row["reason"], row["rule"], row["group"]) == ("target_status", 0, "app"), row
        assert (told in row["cause"]) == ("if that rule was meant" in row["cure"]) == is_told, row
        assert ("AllViewer" in row["cure"]) == (is_told and fields == VIA), row
        assert alb.log().rstrip().endswith(f'path="{path}" detail="{told if is_told else ""}"')


def test_the_client_goes_away_before_the_101(start_alb, start_target):
    target = start_target(script)
    alb = start(start_alb, target)
    with connect(alb) as sock:
        sock.sendall(upgrade_request("/silent"))
        wait_until(lambda: target.seen, "the request")
        reset(sock)
    row = wait_until(alb.failed_upgrades, "a row")[0]
    assert (row["reason"], row["status"], row["target"]) == ("client_gone", 460, target.address)


def test_the_client_goes_away_within_the_head(start_alb, start_target):
    """As far as it came it asked for a WebSocket; of one that asked for nothing yet nobody can tell."""
    target = start_target(script)
    alb = start(start_alb, target)
    sent = 0
    for data in (b"GET /ws HTTP/1.1\r\nHost: a\r\n", WELL[:-2]):
        with connect(alb) as sock:
            sock.sendall(data)
            sent += len(data)
            wait_until(lambda: alb.metric("alb_client_received_bytes_total") == sent, "it to be read")
            reset(sock)
    (row,) = wait_until(alb.failed_upgrades, "a row")
    assert (row["reason"], row["status"], row["target"]) == ("client_gone", 460, "")
    assert (row["path"], row["host"], row["rule"]) == ("/ws", "localhost", None)
    assert "client reset within the request head" in row["cause"]
    assert "not sent all of its request" in row["cure"]
    assert alb.metric('alb_upgrades_failed_total{reason="client_gone"}') == 1
    assert alb.metric('alb_websocket_upgrades_total{outcome="failed"}') == 1
    assert target.seen == []


def test_the_target_is_removed_before_the_101(start_alb, start_target):
    target = start_target(script)
    alb = start(start_alb, target, group="deregistration_delay.timeout_seconds = 0")
    with connect(alb) as sock:
        sock.sendall(upgrade_request("/silent"))
        wait_until(lambda: target.seen, "the request")
        alb.command("deregister", "app", target.address)
        response = read_response(sock)
    assert response.status == 502
    assert response.body.startswith(b"WebSocket upgrade failed: interrupted\n")
    assert newest(alb)["reason"] == "interrupted"


def finish(peer):
    peer.send_close(1000)
    peer.close()


# from the edge, its fields, who ends it, is that a failed upgrade
AT_ONCE = [
    (VIA, "client", True),
    (b"X-Amz-Cf-Id: abc\r\n", "target", True),
    (VIA + b"Sec-WebSocket-Protocol: chat\r\n", "client", False),
    (b"", "client", False),
]


@pytest.mark.parametrize("fields, who, failed", AT_ONCE)
def test_opened_and_ended_within_a_second(start_alb, start_target, fields, who, failed):
    target = start_target(Upgraded())
    alb = start_alb(ws_config(target))
    client = Client(alb, path="/ws", fields=fields)
    origin = target.script.take()
    ends, other = (client, origin) if who == "client" else (origin, client)
    ends.send_close(1000)
    other.receive_close()
    other.close()
    ends.close()
    wait_until(lambda: alb.metric("alb_websocket_tunnels_ended_total") == 1, "its end")
    rows = alb.failed_upgrades()
    assert len(rows) == int(failed) == alb.metric('alb_upgrades_failed_total{reason="ended_at_once"}')
    assert alb.metric('alb_websocket_upgrades_total{outcome="opened"}') == 1
    assert alb.metric('alb_websocket_upgrades_total{outcome="failed"}') == 0
    if failed:
        row = rows[0]
        assert (row["reason"], row["status"], row["target"]) == ("ended_at_once", 101, target.address)
        assert "AllViewer" in row["cure"] and f"closed by {who}" in row["cause"]


def test_one_that_lived_longer_is_no_failure(start_alb, start_target):
    target = start_target(Upgraded())
    alb = start_alb(ws_config(target, alb="idle_timeout.timeout_seconds = 2"))
    client = Client(alb, path="/ws", fields=VIA)
    origin = target.script.take()
    opened = float(alb.tunnels()["tunnels"][0]["age_ms"])
    wait_until(lambda: alb.tunnels()["tunnels"][0]["age_ms"] > opened + 1200, "a second and more")
    finish(client)
    origin.close()
    wait_until(lambda: alb.metric("alb_websocket_tunnels_ended_total") == 1, "its end")
    assert alb.failed_upgrades() == []


def test_our_own_end_is_no_failure(start_alb, start_target):
    target = start_target(Upgraded())
    alb = start_alb(ws_config(target, group="deregistration_delay.timeout_seconds = 0"))
    with Client(alb, path="/ws", fields=VIA):
        origin = target.script.take()
        alb.command("deregister", "app", target.address)
        wait_until(lambda: alb.metric("alb_websocket_tunnels_ended_total") == 1, "its end")
        origin.close()
    assert alb.failed_upgrades() == []


def test_who_is_not_in_the_edge_set_gets_the_reason_only(start_alb, start_target):
    alb = start_alb(ws_config(start_target(script)))
    config = alb.path.read_text()
    bad = upgrade_request("/a").replace(b"Version: 13", b"Version: 8")
    for edge, is_peer in (("127.0.0.0/8", True), ("10.0.0.0/8", False), ("any", False)):
        alb.path.write_text(config)
        alb.reload()
        with connect(alb) as sock:  # admitted by the set as it was
            sock.sendall(b"GET /one HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_response(sock).status == 200
            alb.path.write_text(config.replace("allow = 127.0.0.0/8", f"allow = {edge}"))
            alb.reload()
            sock.sendall(bad)
            response = read_response(sock)
            assert is_closed(sock)
        lines = response.body.decode().splitlines()
        assert lines[0] == "WebSocket upgrade failed: bad_version" and response.status == 426
        assert len(lines) == (3 if is_peer else 1), edge
        assert "RFC 6455" in newest(alb)["cure"]


PLAIN = [
    b"GET /plain HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /status/404 HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n" + VIA + b"\r\n",
    b"GET /fixed HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /gone HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
]


def test_a_plain_request_is_no_upgrade(start_alb, start_target):
    alb = start(start_alb, start_target(script))
    for data in PLAIN:
        with connect(alb) as sock:
            sock.sendall(data)
            read_response(sock)
    assert alb.failed_upgrades() == [] and alb.metric("alb_upgrades_failed_total") == 0


def test_the_last_1000_are_kept(start_alb, start_target):
    alb = start(start_alb, start_target(script))
    with connect(alb) as sock:
        for i in range(1100):
            sock.sendall(upgrade_request(f"/status/403?{i}").replace(b"/status/403?", b"/fixed?"))
            read_head(sock)
    _, page = alb.admin_json("/upgrades/failed")
    assert page["all"] == 1100 and len(page["failed"]) == 1000
    assert alb.metric("alb_upgrades_failed_total") == 1100


def test_a_storm_does_not_fill_the_log(start_alb, start_target):
    """50 lines a second and loop; then it is said how many have none."""
    alb = start(start_alb, start_target(script))

    def lines():
        return alb.log().count("upgrade failed reason=")

    def left_out():
        return sum(map(int, re.findall(r"upgrades failed count=(\d+) without a line each", alb.log())))
    began, sent = time.monotonic(), 0
    with connect(alb) as sock:
        while sent < 500 or left_out() == 0:
            sock.sendall(upgrade_request("/fixed"))
            read_head(sock)
            sent += 1
        took = time.monotonic() - began
    assert 50 <= lines() <= 50 + 50 * took + 1
    unsaid = sent - lines() - left_out()
    assert 0 <= unsaid < sent - 50, "the next line says it of those"


def test_the_command_prints_a_table_with_advice(start_alb, start_target):
    alb = start(start_alb, start_target(script))
    assert alb.command("upgrades") == (0, "0 upgrades failed since the start\n")
    for path in ("/status/404", "/fixed", "/fixed"):
        ask(alb, path, VIA)
    code, text = alb.command("upgrades")
    assert code == 0 and text.startswith("3 upgrades failed since the start\n")
    table = [line.split() for line in text.splitlines() if line.startswith("20")]
    assert [row[1:3] for row in table] == [["fixed_response", "404"]] * 2 + [["target_status", "404"]]
    assert table[0][-1] == "/fixed" and table[0][-2] == "localhost"
    assert text.count("\nfixed_response\n") == 1 and text.count("\ntarget_status\n") == 1
    assert "let a rule send the path" in text
    code, text = alb.command("upgrades", "--json")
    assert code == 0 and len(json.loads(text)["failed"]) == 3


def test_each_reason_is_provoked_by_some_test():
    """One that is added needs a row in a table of these tests."""
    page = (ROOT / "docs/upgrades.md").read_text()
    names = re.findall(r"^\| `(\w+)` \|", page, re.M)
    here = ROOT / "tests/system"
    tests = "".join(p.read_text() for p in here.glob("test_*.py"))
    assert len(names) > 30
    assert [n for n in names if f'"{n}"' not in tests] == []
