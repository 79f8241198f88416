"""client_keep_alive.seconds: the age at which a client's connection gets its last response."""

import contextlib
import time

from balancer import Alb, forward_config
from harness import wait_until
from http_wire import read_head, read_response, request
from scripted_target import Target, answer
from sockets import is_closed
from ws_wire import echo_script, frame, read_frame, upgrade_request

AGE = 60  # the least that can be set


class Old:
    """Connections from the session's beginning (grown_old of conftest.py), so that nobody waits for them."""

    def __init__(self, folder):
        self.target = Target(self.script)
        self.alb = Alb(folder, self.config(AGE))
        self.alb.start()
        self.opened = time.monotonic()
        self.busy, self.quiet, self.tunnel = (self.alb.connect() for _ in range(3))
        self.busy.sendall(request())
        self.first = read_response(self.busy)
        self.tunnel.sendall(upgrade_request())
        self.upgrade, _ = read_head(self.tunnel)
        self.alb.configure(self.config(3600))
        self.alb.reload()

    def config(self, age):
        return forward_config(self.target, alb=f"client_keep_alive.seconds = {age}\n"
                                               "idle_timeout.timeout_seconds = 4000")

    @staticmethod
    def script(sock, head, rest):
        sock.settimeout(None)  # quiet for longer than other tests allow
        return (echo_script if b"Upgrade: " in head else answer())(sock, head, rest)

    def close(self):
        for thing in (self.busy, self.quiet, self.tunnel, self.target):
            with contextlib.suppress(OSError):
                thing.close()
        assert self.alb.stop() == 0


def test_one_more_request_is_served_and_tunnels_live_on(grown_old):
    old = grown_old
    assert old.first.status == 200 and old.first.values("Connection") == []
    assert old.upgrade.startswith(b"HTTP/1.1 101 ")

    wait_until(lambda: time.monotonic() > old.opened + AGE + 0.1, "them to be of that age", AGE + 5)
    for sock in (old.busy, old.quiet):
        sock.sendall(request(path="/last") + request(path="/none"))
        got = read_response(sock)
        assert got.status == 200 and got.values("Connection") == ["close"], "not cut before"
        assert got.rest == b"" and is_closed(sock)
    assert b"/none" not in b"".join(old.target.seen)
    old.tunnel.sendall(frame(1, b"still here"))
    assert read_frame(old.tunnel)[2] == b"still here"
    with old.alb.connect() as young:
        young.sendall(request() * 2)
        first = read_response(young)
        assert first.values("Connection") == [] and read_response(young, first.rest).status == 200
