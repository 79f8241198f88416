"""Limits: descriptors, connections. Nothing spins, and it recovers."""

import os
import resource
import time

from balancer import forward_config
from harness import wait_until
from http_wire import ask, read_response, request
from sockets import is_closed


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def lowest_free_descriptor(pid):
    taken = {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")}
    return next(fd for fd in range(len(taken) + 1) if fd not in taken)


def close_all(socks):
    for sock in socks:
        sock.close()
    socks.clear()


def test_out_of_descriptors_it_waits_without_spinning_and_recovers(start_alb, start_target):
    alb = start_alb(forward_config(start_target(), alb="max_connections = 1000"))
    limit = open_descriptors(alb.pid) + 20
    resource.prlimit(alb.pid, resource.RLIMIT_NOFILE, (limit, limit))
    socks = []
    try:
        for _ in range(60):
            socks.append(alb.connect())
        wait_until(lambda: "accept paused" in alb.log(), "it to run out")
        before = cpu_seconds(alb.pid)
        time.sleep(0.5)
        assert cpu_seconds(alb.pid) - before < 0.1
        assert alb.log().count("accept paused") == 1, "said once"
    finally:
        close_all(socks)
    wait_until(lambda: alb.get()[0] == 200, "it to serve again")


def test_out_of_descriptors_for_a_target_is_a_502(start_alb, start_target):
    alb = start_alb(forward_config(start_target(), alb="max_connections = 1000"))
    before = open_descriptors(alb.pid)
    with alb.connect() as sock:
        wait_until(lambda: open_descriptors(alb.pid) == before + 1, "it to be accepted")
        soft, hard = resource.prlimit(alb.pid, resource.RLIMIT_NOFILE)
        limit = lowest_free_descriptor(alb.pid)
        resource.prlimit(alb.pid, resource.RLIMIT_NOFILE, (limit, hard))
        sock.sendall(request())
        assert read_response(sock).status == 502
        resource.prlimit(alb.pid, resource.RLIMIT_NOFILE, (soft, hard))
    assert alb.get()[0] == 200


def test_connections_over_the_limit_are_closed_at_once(start_alb, start_target):
    alb = start_alb(forward_config(start_target(), alb="max_connections = 5"))
    socks = []
    try:
        socks += [alb.connect() for _ in range(5)]
        for sock in socks:
            sock.sendall(request())
            assert read_response(sock).status == 200
        with alb.connect() as extra:
            assert is_closed(extra)
        assert alb.metric('alb_connections_refused_total{reason="limit"}') == 1
        socks.pop().close()
        wait_until(lambda: alb.metric("alb_connections_open") == 4, "room")
        assert ask(alb, request()).status == 200
    finally:
        close_all(socks)


def test_a_reload_changes_the_limit(start_alb, start_target):
    target = start_target()
    alb = start_alb(forward_config(target, alb="max_connections = 1"))

    with alb.connect() as sock:
        sock.sendall(request())
        read_response(sock)
        with alb.connect() as extra:
            assert is_closed(extra)
        alb.configure(forward_config(target, alb="max_connections = 2"))
        alb.reload()
        assert ask(alb, request()).status == 200
