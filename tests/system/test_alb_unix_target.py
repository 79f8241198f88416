"""Targets that listen on a Unix socket: requests, WebSockets, health checks, the log."""

import os
import socket

from balancer import forward_config
from harness import wait_until
from http_wire import read_head, values
from scripted_target import Target, answer
from ws_wire import echo_script, frame, read_frame, upgrade_request


def unix_target(path, script):
    """As scripted_target.Target, on a socket in the file system."""
    target = Target(script)
    target.close()
    target.listener = socket.socket(socket.AF_UNIX)
    target.listener.bind(str(path))
    target.listener.listen(512)
    target.address = f"unix:{path}"
    target._begin()
    return target


def script(sock, head, rest):
    if values(head, "Upgrade"):
        return echo_script(sock, head, rest)
    return answer(b"over a socket")(sock, head, rest)


CHECKED = ("health_check.path = /up\nhealth_check.interval_seconds = 100ms\n"
           "health_check.timeout_seconds = 100ms\n")


def test_requests_upgrades_checks_and_the_log(start_alb, started, tmp_path):
    path = tmp_path / "app.sock"
    target = unix_target(path, script)
    started.append(target)
    alb = start_alb(forward_config(target, group=CHECKED))
    state = lambda: alb.status()["target_groups"][0]["targets"][0]
    wait_until(lambda: state()["state"] == "healthy", "the check over the socket")
    assert state()["target"] == f"unix:{path}"
    assert b"\r\nHost: localhost\r\n" in target.seen[0]

    assert alb.get("/page")[2] == b"over a socket"
    seen = next(head for head in target.seen if b"GET /page " in head)
    assert values(seen, "Host") == ["{}:{}".format(*alb.address())]
    assert values(seen, "X-Forwarded-For") == ["127.0.0.1"]
    assert f" unix:{path}:0 " in alb.access_row("/page ")
    with alb.connect() as sock:
        sock.sendall(upgrade_request())
        head, _ = read_head(sock)
        assert head.startswith(b"HTTP/1.1 101 ")
        sock.sendall(frame(1, b"hello"))
        assert read_frame(sock) == (1, True, b"hello")
    assert alb.metric(f'alb_target_tunnels_total{{target_group="app",target="unix:{path}"}}') == 1

    target.close()
    os.unlink(path)
    wait_until(lambda: state()["reason"] == "Target.FailedHealthChecks", "the missing socket")
    assert alb.get("/later")[0] == 502  # the only target, so it is tried all the same
