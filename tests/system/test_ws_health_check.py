"""A health check that opens a WebSocket: only what upgrades rightly and answers a ping is healthy."""

from balancer import forward_config
from harness import wait_until
from http_wire import values
from scripted_target import answer
from sockets import is_closed
from test_alb_health_check_log import ROW
from ws_wire import accept_key, accept_upgrade, frame, read_frame

PING, PONG, CLOSE, TEXT = 9, 10, 8, 1


class Sock:
    """read_frame() of what came early, then of the socket."""

    def __init__(self, sock, rest):
        self.sock, self.rest = sock, rest

    def recv(self, n):
        if self.rest:
            data, self.rest = self.rest[:n], self.rest[n:]
            return data
        return self.sock.recv(n)


def opened(before=b"", pong=lambda payload: frame(PONG, payload, mask=None), close=True, seen=None):
    """A target that upgrades, says `before`, answers the ping, and the Close."""
    def script(sock, head, rest):
        accept_upgrade(sock, head)
        sock.sendall(before)
        peer = Sock(sock, rest)
        while (got := read_frame(peer)) is not None:
            if seen is not None:
                seen.append((head, got))
            if got[0] == PING:
                sock.sendall(pong(got[2]))
            if got[0] == CLOSE:
                if close:
                    sock.sendall(frame(CLOSE, got[2], mask=None))
                return close and False
        return False
    return script


def with_field(line):
    def script(sock, head, _rest):
        accept = accept_key(head)
        sock.sendall(b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
                     line.replace(b"ACCEPT", accept) + b"\r\n")
        return is_closed(sock) and False
    return script


def accepts_and_closes(sock, head, _rest):
    accept_upgrade(sock, head)
    sock.recv(1024)  # the ping: left unread, it would make this a reset
    return False


ACCEPT = b"Sec-WebSocket-Accept: ACCEPT\r\n"
# name, what the target does; what is said of it, None: healthy; the health log's last three fields
CASES = [
    ("good", opened(), None, ("PASS", "101", "-")),
    ("greets", opened(frame(TEXT, b"welcome", mask=None) + frame(PING, b"?", mask=None)), None,
     ("PASS", "101", "-")),
    ("never_closes", opened(close=False), None, ("PASS", "101", "-")),
    ("page", answer(b"page"), "Health checks failed with these codes: [200], which opens no WebSocket",
     ("FAIL", "200", "ResponseCodeMismatch")),
    ("refuses", answer(status="403 No"),
     "Health checks failed with these codes: [403], which opens no WebSocket",
     ("FAIL", "403", "ResponseCodeMismatch")),
    ("broken", answer(status="503 No"),
     "Health checks failed with these codes: [503], which opens no WebSocket",
     ("FAIL", "503", "TargetError")),
    ("bad_accept", with_field(b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n"),
     "Health checks failed: Sec-WebSocket-Accept does not belong to the key that was sent",
     ("FAIL", "-", "TargetError")),
    ("no_accept", with_field(b""),
     "Health checks failed: The target's 101 has no Sec-WebSocket-Accept field",
     ("FAIL", "-", "TargetError")),
    ("protocol", with_field(ACCEPT + b"Sec-WebSocket-Protocol: chat\r\n"),
     "Health checks failed: The target chose a subprotocol that was not offered",
     ("FAIL", "-", "TargetError")),
    ("no_pong", opened(pong=lambda _payload: b""),
     "The WebSocket opened, but its ping was not answered in time",
     ("FAIL", "-", "RequestTimedOut")),
    ("other_pong", opened(pong=lambda _payload: frame(PONG, b"", mask=None)),
     "The WebSocket opened, but its ping was not answered in time",
     ("FAIL", "-", "RequestTimedOut")),
    ("silent", lambda sock, _head, _rest: is_closed(sock) and False, "Request timed out",
     ("FAIL", "-", "RequestTimedOut")),
    ("closes", accepts_and_closes,
     "Health checks failed: the target closed the WebSocket before its pong",
     ("FAIL", "-", "ConnectionReset")),
    ("close_frame", opened(frame(CLOSE, b"\x03\xf3", mask=None)),
     "Health checks failed: the target sent a Close in place of a pong",
     ("FAIL", "-", "TargetError")),
    ("masks", opened(pong=lambda payload: frame(PONG, payload)),
     "Health checks failed: a frame of the target is masked", ("FAIL", "-", "TargetError")),
]
REASONS = {"TargetError": "Target.FailedHealthChecks", "ConnectionReset": "Target.FailedHealthChecks",
           "RequestTimedOut": "Target.Timeout", "ResponseCodeMismatch": "Target.ResponseCodeMismatch"}
GROUP = """
[target_group {name}]
target = {address}
health_check.websocket = on
health_check.path = /ws/{name}?probe=1
health_check.interval_seconds = 1200ms
health_check.timeout_seconds = 1s
[rule {name}]
listener = http
priority = {priority}
path-pattern = /{name}
action = forward {name}
"""


def target_of(alb, group):
    return next(g for g in alb.status()["target_groups"] if g["name"] == group)["targets"][0]


def rows_of(log, group):
    lines = log.read_text().splitlines() if log.exists() else []
    return [row for row in (ROW.fullmatch(line).groups() for line in lines) if row[4] == group]


def test_who_is_healthy(start_alb, start_target, tmp_path):
    log, more, app = tmp_path / "health.log", "", start_target()
    addresses = {}
    for i, (name, script, _, _) in enumerate(CASES):
        addresses[name] = start_target(script).address
        more += GROUP.format(name=name.replace("_", "-"), address=addresses[name], priority=i + 1)
    alb = start_alb(forward_config(
        app, alb=f"health_check_logs.enabled = true\nhealth_check_logs.file = {log}\n", more=more))
    for name, _, said, row in CASES:
        group = name.replace("_", "-")
        state = "healthy" if said is None else "unhealthy"
        wait_until(lambda: target_of(alb, group)["state"] == state, f"{name} {state}")
        target = target_of(alb, group)
        assert target["description"] == (said or ""), name
        if said is not None:
            reason = REASONS.get(row[2]) if row[1] == "-" else "Target.ResponseCodeMismatch"
            assert target["reason"] == reason, name
        rows = wait_until(lambda: rows_of(log, group), f"rows of {name}")
        assert {r[5:] for r in rows} == {row}, name
    assert "target healthy group=good" in alb.log() and 'check="pong after 101 in ' in alb.log()


def test_what_the_target_sees(start_alb, start_target):
    seen = []
    target = start_target(opened(seen=seen))
    alb = start_alb(forward_config(target, group="health_check.websocket = on\n"
                                                 "health_check.path = /ws?a=b\n"
                                                 "health_check.interval_seconds = 500ms\n"))
    wait_until(lambda: len(seen) >= 4, "two whole checks")
    heads = [head for head, _ in seen[:4:2]]
    for head in heads:
        assert head.startswith(b"GET /ws?a=b HTTP/1.1\r\nHost: " + target.address.encode())
        assert values(head, "Upgrade") == ["websocket"] and values(head, "Connection") == ["Upgrade"]
        assert values(head, "Sec-WebSocket-Version") == ["13"]
        assert values(head, "User-Agent") == ["ELB-HealthChecker/2.0"]
    assert values(heads[0], "Sec-WebSocket-Key") != values(heads[1], "Sec-WebSocket-Key")
    kinds = [got[0] for _, got in seen[:4]]
    assert kinds == [PING, CLOSE, PING, CLOSE]
    assert seen[1][1][2] == (1000).to_bytes(2, "big")
    assert seen[0][1][2] != seen[2][1][2], "each ping is another one"
    assert alb.metric("alb_websocket_tunnels_open") == 0


def test_a_reload_makes_it_a_plain_check_again(start_alb, start_target):
    target = start_target(answer(b"page"))
    config = forward_config(target, group="health_check.websocket = on\n"
                                          "health_check.interval_seconds = 500ms\n"
                                          "health_check.healthy_threshold_count = 2\n")
    alb = start_alb(config)
    wait_until(lambda: target_of(alb, "app")["state"] == "unhealthy", "unhealthy")
    alb.configure(config.replace("health_check.websocket = on", "health_check.websocket = off"))
    alb.reload()
    wait_until(lambda: target_of(alb, "app")["state"] == "healthy", "healthy")


def test_over_tls(start_alb, start_tls_target):
    seen = []
    good, page = start_tls_target(opened(seen=seen)), start_tls_target()
    alb = start_alb(forward_config(
        good, page, group="protocol = HTTPS\nhealth_check.protocol = HTTPS\n"
                          "health_check.websocket = on\nhealth_check.interval_seconds = 500ms\n"))

    def states():
        return {t["target"]: t["state"] for t in alb.status()["target_groups"][0]["targets"]}
    wait_until(lambda: states() == {good.address: "healthy", page.address: "unhealthy"}, "both")
    wait_until(lambda: len(seen) >= 2, "a whole check")
    assert [got[0] for _, got in seen[:2]] == [PING, CLOSE]
