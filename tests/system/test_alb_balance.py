"""How a group chooses among its targets: algorithms, slow start, limits, failing open."""

import contextlib
import re
import threading

from balancer import forward_config
from harness import run, wait_until
from http_wire import read_head, request
from scripted_target import answer
from ws_wire import accept_upgrade, upgrade_request

ALGORITHM = "health_check.enabled = false\nload_balancing.algorithm.type = "
CHECKED = """
health_check.interval_seconds = 150ms
health_check.timeout_seconds = 100ms
health_check.unhealthy_threshold_count = 2
health_check.healthy_threshold_count = 2
"""


class Named:
    """A target whose answer is its name; it can be sick, hold its answers back, and upgrade."""

    def __init__(self, start_target, name):
        self.name, self.healthy, self.holds, self.held = name, True, False, 0
        self.release = threading.Event()
        self.target = start_target(self.run)
        self.address = self.target.address

    def run(self, sock, head, _rest):
        if b"ELB-HealthChecker" in head:
            status = b"200 OK" if self.healthy else b"503 Sick"
            sock.sendall(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % status)
            return False
        if b"Upgrade: websocket" in head:
            accept_upgrade(sock, head)
            return sock.recv(1) != b""
        if self.holds:
            self.held += 1
            self.release.wait(20)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + self.name)
        return True


def start(start_alb, start_target, group, names=(b"a", b"b", b"c"), **more):
    targets = [Named(start_target, name) for name in names]
    return [start_alb(forward_config(*targets, group=group, **more)), *targets]


def group_of(alb):
    return alb.status()["target_groups"][0]


def states(alb):
    return [t["state"] for t in group_of(alb)["targets"]]


def outstanding(alb):
    return [t["outstanding"] for t in group_of(alb)["targets"]]


def bodies(alb, count):
    return [alb.get()[2] for _ in range(count)]


def test_status_says_the_algorithm(start_alb, start_target):
    alb, *_ = start(start_alb, start_target, ALGORITHM + "weighted_random")

    assert group_of(alb)["algorithm"] == "weighted_random"
    assert 60 < bodies(alb, 300).count(b"a") < 140


def test_the_least_busy_target_is_chosen(start_alb, start_target):
    """An open WebSocket counts as a request; workers share the counts."""
    alb, a, b, c = start(start_alb, start_target, ALGORITHM + "least_outstanding_requests")
    with contextlib.ExitStack() as stack:
        for n in range(6):
            s = stack.enter_context(alb.connect())
            s.sendall(upgrade_request())
            assert b" 101 " in read_head(s)[0]
        assert outstanding(alb) == [2, 2, 2]
        a.holds = b.holds = c.holds = True
        s = stack.enter_context(alb.connect())
        s.sendall(request())
        wait_until(lambda: a.held + b.held + c.held == 1, "the request to be held back")
        a.holds = b.holds = c.holds = False
        busy = b"abc"[outstanding(alb).index(3)]
        assert bytes([busy]) not in bodies(alb, 12)
        for target in (a, b, c):
            target.release.set()
    wait_until(lambda: outstanding(alb) == [0, 0, 0], "all of it to end")
    assert set(bodies(alb, 60)) == {b"a", b"b", b"c"}  # equals: not always the first


def test_a_new_target_starts_slowly(start_alb, start_target):
    group = "health_check.enabled = false\nslow_start.duration_seconds = 600\n"
    alb, a, b, c = start(start_alb, start_target, group)
    assert bodies(alb, 9).count(b"a") == 3  # those of the start do not

    d = Named(start_target, b"d")
    alb.configure(forward_config(a, b, c, d, group=group))
    alb.reload()
    assert bodies(alb, 60).count(b"d") <= 1
    assert "target slow start group=app target=" + d.address in alb.log()
    alb.configure(forward_config(a, b, c, d, group="health_check.enabled = false"))
    alb.reload()
    assert bodies(alb, 40).count(b"d") == 10


def test_a_full_target_is_passed_over_and_503_when_all_are(start_alb, start_target):
    group = "health_check.enabled = false\ntarget.max_connections = 1\n"
    alb, *_ = start(start_alb, start_target, group, (b"a", b"b"))
    with contextlib.ExitStack() as stack:
        s = stack.enter_context(alb.connect())
        s.sendall(upgrade_request())
        assert b" 101 " in read_head(s)[0]
        assert len(set(bodies(alb, 6))) == 1
        s = stack.enter_context(alb.connect())
        s.sendall(upgrade_request())
        assert b" 101 " in read_head(s)[0]
        assert alb.get()[0] == 503
        assert " 503 - " in alb.access_row('end="targets full"')
        assert alb.metric(
            'alb_requests_without_target_total{target_group="app",reason="full"}') == 1
    wait_until(lambda: outstanding(alb) == [0, 0], "the WebSockets to end")
    assert len(set(bodies(alb, 6))) == 2


def test_a_group_fails_open_below_its_threshold(start_alb, start_target):
    group = CHECKED + ("target_group_health.unhealthy_state_routing.minimum_healthy_targets."
                       "percentage = 60\n")
    alb, a, b, c = start(start_alb, start_target, group)
    wait_until(lambda: states(alb) == ["healthy"] * 3, "all to be healthy")
    assert alb.metric("alb_routing_healthy") == 1

    a.healthy = False
    wait_until(lambda: states(alb)[0] == "unhealthy", "one to be unhealthy")
    assert set(bodies(alb, 9)) == {b"b", b"c"}  # 66 %
    b.healthy = False
    wait_until(lambda: group_of(alb)["fails_open"], "it to fail open")
    assert set(bodies(alb, 9)) == {b"a", b"b", b"c"}
    assert alb.metric("alb_unhealthy_routing_requests_total") == 9
    assert alb.metric("alb_routing_unhealthy") == 1
    a.healthy = True
    wait_until(lambda: not group_of(alb)["fails_open"], "it to be enough again")
    assert set(bodies(alb, 9)) == {b"a", b"c"}


def test_a_group_that_no_action_uses_is_not_checked(start_alb, start_target):
    spare = Named(start_target, b"s")
    alb, a = start(start_alb, start_target, "health_check.enabled = false", (b"a",),
                   more=f"[target_group spare]\ntarget = {spare.address}\n{CHECKED}")
    unused = alb.status()["target_groups"][1]["targets"][0]
    assert (unused["state"], unused["reason"]) == ("unused", "Target.NotInUse")
    assert spare.target.connections == 0

    alb.configure(alb.path.read_text().replace("forward app", "forward spare"))
    alb.reload()
    wait_until(lambda: alb.status()["target_groups"][1]["targets"][0]["state"] == "healthy",
               "it to be checked")
    assert states(alb) == ["unused"]


def test_health_is_asked_at_another_port(start_alb, start_target):
    probed = start_target(answer())
    a = start_target(answer(b"no", "404 Not Found"))
    alb = start_alb(forward_config(a, group=CHECKED + f"health_check.port = {probed.port}\n"))

    wait_until(lambda: states(alb) == ["healthy"], "it to be healthy by the other port")
    assert b"Host: " + probed.address.encode() in probed.seen[0]


def test_requests_without_their_cookie_are_counted(start_alb, start_target):
    alb, *_ = start(start_alb, start_target,
                    "health_check.enabled = false\nstickiness.enabled = true\n")
    cookie = alb.get()[1]["Set-Cookie"].split(";")[0]
    alb.get(headers={"Cookie": cookie})
    assert alb.metric("alb_non_sticky_requests_total") == 1


def test_check_says_what_the_managed_balancer_does_otherwise(tmp_path):
    file = tmp_path / "alb.ini"
    config = forward_config("127.0.0.1:9", group="target.max_connections = 5\n")

    file.write_text(config.replace("{socket}", str(tmp_path / "s")).replace("{access}", "-"))
    code, out, _ = run("alb", "check", "--profile", "aws", file)
    assert code == 0
    assert "[target_group app] target.max_connections = 5; the managed balancer: off" in out
    assert "[target_group app] retry.max = 1 (our default); the managed balancer: 0" in out

    file.write_text(file.read_text().replace("[alb]", "[alb]\nprofile = aws")
                    .replace("target.max_connections = 5", ""))
    code, out, _ = run("alb", "check", "--profile", "aws", file)
    assert code == 0 and "no setting differs from the managed balancer" in out
    assert run("alb", "check", "--profile", "none", file)[0] == 2


def test_profile_aws_switches_what_the_pages_say_and_nothing_else(tmp_path):
    """Each of these has a test of what it does with `profile = aws`."""
    file = tmp_path / "alb.ini"
    config = forward_config("127.0.0.1:9")
    file.write_text(config.replace("{socket}", str(tmp_path / "s")).replace("{access}", "-"))
    _, out, _ = run("alb", "check", "--profile", "aws", file)
    assert set(re.findall(r"(\S+) = \S+ \(our default\); the managed balancer: (\S+)", out)) == {
        ("websocket.idle_close", "cut"), ("websocket.drain_close", "cut"), ("retry.max", "0"),
        ("ssl_policy", "ELBSecurityPolicy-2016-08"),
        ("stickiness.on_public_responses", "yes")}


def test_a_draining_target_gets_nothing_even_when_the_others_are_sick(start_alb, start_target):
    """Neither by failing open nor by its cookie; what it carries is cut at the delay's end."""
    group = CHECKED + ("stickiness.enabled = true\n"
                       "deregistration_delay.timeout_seconds = 2\n")
    alb, a, b = start(start_alb, start_target, group, (b"a", b"b"))
    wait_until(lambda: states(alb) == ["healthy"] * 2, "both to be healthy")
    answers = (alb.get() for _ in range(20))
    cookie = next(h["Set-Cookie"].split(";")[0] for _, h, body in answers if body == b"b")
    b.holds = True
    with alb.connect() as s:
        s.sendall(request(path="/held", fields=b"Cookie: " + cookie.encode() + b"\r\n"))
        wait_until(lambda: b.held == 1, "the request to be held")
        b.holds = a.healthy = False
        alb.configure(forward_config(a, group=group))
        alb.reload()
        wait_until(lambda: states(alb)[0] == "unhealthy", "the other to be sick")
        assert states(alb)[1] == "draining"
        assert {alb.get(headers={"Cookie": cookie})[2] for _ in range(6)} == {b"a"}
        assert b" 502 " in read_head(s)[0]
    b.release.set()
    assert 'end="deregistration delay over"' in alb.access_row("/held")
    assert len(alb.status()["target_groups"][0]["targets"]) == 1


def test_a_target_that_fails_more_than_its_peers_gets_less(start_alb, start_target):
    c = start_target(answer(b"s", "500 Sick"))
    alb = start_alb(forward_config(
        start_target(answer(b"a")), start_target(answer(b"b")), c,
        group=ALGORITHM + "weighted_random\nload_balancing.algorithm.anomaly_mitigation = on\n"))

    def detection():
        alb.get()
        return group_of(alb)["targets"][2]["AnomalyDetection"]
    assert detection() == {"Result": "normal", "MitigationInEffect": "no"}
    bodies(alb, 150)
    wait_until(lambda: detection() == {"Result": "anomalous", "MitigationInEffect": "yes"},
               "it to be anomalous")
    assert alb.metric("alb_anomalous_hosts") == alb.metric("alb_mitigated_hosts") == 1
    wait_until(lambda: bodies(alb, 100).count(b"s") < 18, "its share to fall")
