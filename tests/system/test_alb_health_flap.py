"""Targets come and go by their health, and requests with them."""

import threading

from balancer import forward_config
from harness import wait_until

GROUP = """
health_check.path = /health?deep=1
health_check.interval_seconds = 100ms
health_check.timeout_seconds = 100ms
health_check.unhealthy_threshold_count = 3
health_check.healthy_threshold_count = 2
"""


class Patient:
    """A target whose health can be set: True, False, "silent", or "once": one check fails."""

    def __init__(self, start_target, name):
        self.name, self.health, self.probes = name, True, []
        self.target = start_target(self.run)
        self.address = self.target.address

    def run(self, sock, head, _rest):
        status = b"200 OK"
        if head.startswith(b"GET /health?deep=1 "):
            self.probes.append(head)
            if self.health == "silent":
                return sock.recv(1) != b""
            status = b"200 OK" if self.health is True else b"503 Sick"
            if self.health == "once":
                self.health = True
        sock.sendall(b"HTTP/1.1 %s\r\nContent-Length: 1\r\n\r\n%s" % (status, self.name))
        return True


def states(alb):
    return [t["state"] for t in alb.status()["target_groups"][0]["targets"]]


def bodies(alb, count=6):
    return {alb.get()[2] for _ in range(count)}


def start(start_alb, start_target):
    a, b = Patient(start_target, b"a"), Patient(start_target, b"b")
    alb = start_alb(forward_config(a, b, group=GROUP))
    wait_until(lambda: states(alb) == ["healthy"] * 2, "both to be healthy")
    return alb, a, b


def test_a_target_that_fails_is_left_and_comes_back(start_alb, start_target):
    alb, a, _ = start(start_alb, start_target)
    assert bodies(alb) == {b"a", b"b"}

    a.health = False
    wait_until(lambda: states(alb) == ["unhealthy", "healthy"], "it to be unhealthy")
    reason = alb.status()["target_groups"][0]["targets"][0]
    assert reason["reason"] == "Target.ResponseCodeMismatch"
    assert reason["description"] == "Health checks failed with these codes: [503]"
    assert bodies(alb) == {b"b"}

    a.health = True
    wait_until(lambda: states(alb) == ["healthy"] * 2, "it to be healthy")
    assert bodies(alb) == {b"a", b"b"}


def test_one_failure_is_not_enough(start_alb, start_target):
    alb, a, _ = start(start_alb, start_target)

    a.health = "once"
    wait_until(lambda: a.health is True, "a failed probe")
    count = len(a.probes)
    wait_until(lambda: len(a.probes) > count + 3, "some more")
    assert states(alb) == ["healthy"] * 2
    assert "went unhealthy" not in alb.log() and "target unhealthy" not in alb.log()


def test_silence_and_a_closed_port_are_failures(start_alb, start_target):
    alb, a, b = start(start_alb, start_target)

    a.health = "silent"
    wait_until(lambda: states(alb) == ["unhealthy", "healthy"], "the silent one to be unhealthy")
    assert alb.status()["target_groups"][0]["targets"][0]["reason"] == "Target.Timeout"
    b.target.close()
    wait_until(lambda: states(alb) == ["unhealthy"] * 2, "the closed one to be unhealthy")


def test_when_all_are_unhealthy_all_are_used(start_alb, start_target):
    alb, a, b = start(start_alb, start_target)

    a.health = b.health = False
    wait_until(lambda: states(alb) == ["unhealthy"] * 2, "both to be unhealthy")
    assert bodies(alb) == {b"a", b"b"}


def test_the_probe_says_who_asks(start_alb, start_target):
    _, a, _ = start(start_alb, start_target)

    head = a.probes[0]
    assert b"\r\nHost: " + a.address.encode() + b"\r\n" in head
    assert b"\r\nUser-Agent: ELB-HealthChecker/2.0" in head


def test_requests_never_fail_while_a_target_flaps(start_alb, start_target):
    alb, a, _ = start(start_alb, start_target)
    done = threading.Event()

    def flap():
        while not done.wait(0.15):
            a.health = not a.health
    flapper = threading.Thread(target=flap)
    flapper.start()
    try:
        assert {alb.get()[0] for _ in range(150)} == {200}
    finally:
        done.set()
        flapper.join()
