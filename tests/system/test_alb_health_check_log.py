"""The health check log: a row for each check, with why one failed."""

import contextlib
import json
import re
import signal
import time

import pytest

from balancer import forward_config
from harness import free_port, wait_until
from scripted_target import Target, answer
from sockets import is_closed, reset

ROW = re.compile(r"(https?) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (\d+\.\d{6}) (\S+) ([\w-]+) "
                 r"(PASS|FAIL) (\d{3}|-) (-|\w+)")
OFTEN = "health_check.interval_seconds = 1"
GROUP = """
[target_group {name}]
target = {address}
health_check.interval_seconds = 1
health_check.timeout_seconds = 500ms
[rule {name}]
listener = http
priority = {priority}
path-pattern = /{name}
action = forward {name}
"""


def silent(sock, _head, _rest):
    return sock.recv(1) and False


def resets(sock, _head, _rest):
    reset(sock)
    return False


def garbage(sock, _head, _rest):
    sock.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")
    return False


def closes(_sock, _head, _rest):
    return False


# group: (what its target does; None: nobody is there, the last three fields of its rows)
GROUPS = {
    "good": (answer(), ("PASS", "200", "-")),
    "moved": (answer(status="302 Found"), ("FAIL", "302", "ResponseCodeMismatch")),
    "broken": (answer(status="503 No"), ("FAIL", "503", "TargetError")),
    "silent": (silent, ("FAIL", "-", "RequestTimedOut")),
    "closes": (closes, ("FAIL", "-", "ConnectionReset")),
    "resets": (resets, ("FAIL", "-", "ConnectionReset")),
    "garbage": (garbage, ("FAIL", "-", "TargetError")),
    "nobody": (None, ("FAIL", "-", "ConnectionReset")),
}


class Plain(Target):
    """Where TLS is spoken it speaks none, and first."""

    def _serve(self, sock):
        with sock:
            sock.sendall(b"220 mail.example\r\n")
            is_closed(sock)


def settings(log, more=""):
    return f"health_check_logs.enabled = true\nhealth_check_logs.file = {log}\n{more}"


def rows_of(log):
    return log.read_text().splitlines() if log.exists() else []


def test_each_check_is_a_row(start_alb, start_target, tmp_path):
    log, more, addresses = tmp_path / "health.log", "", {}
    for i, (name, (script, _)) in enumerate(GROUPS.items()):
        addresses[name] = start_target(script).address if script else f"127.0.0.1:{free_port()}"
        more += GROUP.format(name=name, address=addresses[name], priority=i + 1)
    began = time.time()
    alb = start_alb(forward_config(start_target(), alb=settings(log), more=more))

    def groups():
        return {r.split(" ")[4] for r in rows_of(log)}
    wait_until(lambda: groups() >= GROUPS.keys(), "a row of each group")
    rows = [ROW.fullmatch(r) for r in rows_of(log)]
    assert all(rows), log.read_text()
    for kind, when, latency, address, group, *end in (r.groups() for r in rows):
        if group not in GROUPS:
            continue
        assert tuple(end) == GROUPS[group][1], group
        assert address == addresses[group] and kind == "http"
        assert (0.4 < float(latency) < 5) if group == "silent" else float(latency) < 5
        assert when[:4] == time.strftime("%Y", time.gmtime(began))
    written = 'alb_health_check_log_rows_total{outcome="written"}'
    wait_until(lambda: alb.metric(written) >= len(rows), "them to be counted")
    assert alb.metric('alb_health_check_log_rows_total{outcome="dropped"}') == 0


class Leaves(Target):
    def _serve(self, sock):
        with sock:
            sock.recv(65536)


@pytest.mark.parametrize("kind, reason", [(Plain, "TargetError"), (Leaves, "ConnectionReset"),
                                          (None, "ConnectionReset")])
def test_a_handshake_that_fails(start_alb, tmp_path, kind, reason):
    log = tmp_path / "health.log"
    with contextlib.ExitStack() as stack:
        target = f"127.0.0.1:{free_port()}"
        if kind is not None:
            target = stack.enter_context(contextlib.closing(kind(None)))
        start_alb(forward_config(target, alb=settings(log), group="health_check.protocol = HTTPS"))
        wait_until(lambda: rows_of(log), "a row")
    assert ROW.fullmatch(rows_of(log)[0]).group(1, 6, 7, 8) == ("https", "FAIL", "-", reason)


def test_the_port_of_health_checks_is_told(start_alb, start_target, tmp_path):
    log, checked = tmp_path / "health.log", start_target()
    start_alb(forward_config(start_target(), alb=settings(log), group=f"health_check.port = {checked.port}"))
    wait_until(lambda: rows_of(log), "a row")
    assert f" {checked.address} app PASS 200 -" in rows_of(log)[0]


def test_as_json_and_off_by_a_reload(start_alb, start_target, tmp_path):
    log, target = tmp_path / "health.log", start_target()
    alb = start_alb(forward_config(target, alb=settings(log, "access_logs.format = json"), group=OFTEN))
    wait_until(lambda: rows_of(log), "a row")
    row = json.loads(rows_of(log)[0])
    assert list(row) == ["type", "time", "latency", "target_addr", "target_group_id", "status",
                         "status_code", "reason_code"]
    assert (row["status"], row["status_code"], row["reason_code"]) == ("PASS", 200, None)
    alb.path.write_text(alb.path.read_text().replace("health_check_logs.enabled = true",
                                                     "health_check_logs.enabled = false"))
    alb.reload()
    rows, checks = alb.metric("alb_health_check_log_rows_total"), len(target.seen)
    wait_until(lambda: len(target.seen) > checks + 1, "two more checks")
    assert alb.metric("alb_health_check_log_rows_total") <= rows + 1  # one may have been on its way


def test_sigusr1_follows_a_rename(start_alb, start_target, tmp_path):
    log, old = tmp_path / "health.log", tmp_path / "health.log.1"
    alb = start_alb(forward_config(start_target(), alb=settings(log), group=OFTEN))
    wait_until(lambda: rows_of(log), "a row")
    log.rename(old)
    alb.signal(signal.SIGUSR1)
    wait_until(lambda: rows_of(log), "a row in the new file")
    assert all(ROW.fullmatch(r) for r in rows_of(log) + rows_of(old))
