"""`alb status`: every state of a target and every reason for it, by the managed balancer's names."""

import re

from balancer import forward_config
from harness import free_port, wait_until
from scripted_target import answer

FAST = """health_check.interval_seconds = 150ms
health_check.timeout_seconds = 100ms
health_check.unhealthy_threshold_count = 2
"""
SLOW = "health_check.interval_seconds = 100\nhealth_check.timeout_seconds = 90\n"
OFF = "health_check.enabled = false\n"


def silent(sock, _head, _rest):
    return sock.recv(1) != b""


def group(name, target, settings):
    return f"[target_group {name}]\ntarget = {target}\n{settings}"


def rule(n, name):
    return (f"[rule {name}]\nlistener = http\npriority = {n}\npath-pattern = /{name}\n"
            f"action = forward {name}\n")


def rows(alb):
    """{group: [(state, reason), ...]} of what `alb status` prints."""
    code, text = alb.command("status")
    assert code == 0, text
    found = {}
    for name, _target, state, reason in re.findall(
            r"^(\w+) +(\S+:\d+) +(\w+) +\d+ +\d+ +file *(.*)$", text, re.MULTILINE):
        found.setdefault(name, []).append((state, reason))
    return found


def test_each_state_and_reason(start_alb, start_target):
    good, sick, mute, hung = (start_target(script) for script in
                              (answer(), answer(status="503 Sick"), silent, silent))
    nobody, leaving = f"127.0.0.1:{free_port()}", start_target(answer())
    groups = {"sick": (sick.address, FAST), "mute": (mute.address, FAST), "closed": (nobody, FAST),
              "new": (hung.address, SLOW), "unchecked": (good.address, OFF)}
    more = (group("spare", good.address, FAST)
            + "".join(group(name, *of) + rule(n + 1, name)
                      for n, (name, of) in enumerate(groups.items())))
    alb = start_alb(forward_config(good, leaving, group=FAST, more=more))
    wait_until(lambda: rows(alb)["app"] == [("healthy", "")] * 2, "the good ones to be healthy")
    alb.command("deregister", "app", leaving.address)
    expected = {
        "app": [("healthy", ""),
                ("draining", "Target.DeregistrationInProgress: Target deregistration is in "
                             "progress")],
        "sick": [("unhealthy", "Target.ResponseCodeMismatch: Health checks failed with these "
                               "codes: [503]")],
        "mute": [("unhealthy", "Target.Timeout: Request timed out")],
        "closed": [("unhealthy", "Target.FailedHealthChecks: Health checks failed: Connection "
                                 "refused")],
        "new": [("initial", "Elb.InitialHealthChecking: Initial health checks in progress")],
        "unchecked": [("unavailable", "Target.HealthCheckDisabled: Health checks are disabled for "
                                      "this target")],
        "spare": [("unused", "Target.NotInUse: Target group is not configured to receive traffic "
                             "from the load balancer")]}
    wait_until(lambda: rows(alb) == expected, "each to have its state")
    _, text = alb.command("status")
    assert re.search(r"^http +HTTP +127\.0\.0\.1:\d+$", text, re.MULTILINE)
    assert "sick fails open: " in text and "app fails open" not in text

    names = {g["name"]: [(t["state"], f"{t['reason']}: {t['description']}".strip(": "))
                         for t in g["targets"]] for g in alb.status()["target_groups"]}
    assert names == expected, "the JSON says the same"
