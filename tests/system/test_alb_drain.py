"""The way out: what runs is finished, what idles is closed, a second signal cuts."""

import signal
import threading

import pytest

from balancer import forward_config
from harness import wait_until
from http_wire import read_head, read_response, request
from scripted_target import answer
from sockets import is_closed


def held(go_on):
    def script(sock, head, rest):
        if head.startswith(b"GET /slow"):
            go_on.wait(20)
        return answer()(sock, head, rest)
    return script


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_running_request_is_finished_and_idle_connections_close(start_alb, start_target, number):
    go_on = threading.Event()
    target = start_target(held(go_on))
    alb = start_alb(forward_config(target))

    with alb.connect() as idle, alb.connect() as busy:
        idle.sendall(request())
        read_response(idle)
        busy.sendall(request(path="/slow"))
        wait_until(lambda: len(target.seen) == 2, "the target to have it")
        alb.signal(number)
        assert is_closed(idle)
        with pytest.raises(ConnectionRefusedError):
            alb.connect()
        assert alb.is_running()
        go_on.set()
        got = read_response(busy)
        assert (got.body, got.values("Connection")) == (b"ok", ["close"])
        assert is_closed(busy)
    assert alb.wait() == 0


def test_a_half_sent_request_is_still_served(start_alb, start_target):
    alb = start_alb(forward_config(start_target()))

    with alb.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n")
        wait_until(lambda: alb.metric("alb_client_received_bytes_total") > 0, "it to be read")
        alb.signal(signal.SIGTERM)
        wait_until(lambda: "shutdown draining" in alb.log(), "the drain")
        sock.sendall(b"Host: a\r\n\r\n")
        got = read_response(sock)
        assert (got.status, got.values("Connection")) == (200, ["close"])
    assert alb.wait() == 0


def test_a_second_signal_cuts(start_alb, start_target):
    target = start_target(held(threading.Event()))
    alb = start_alb(forward_config(target, alb="").replace("5s", "1h"))

    with alb.connect() as sock:
        sock.sendall(request(path="/slow"))
        wait_until(lambda: target.seen, "the target to have it")
        alb.signal(signal.SIGTERM)
        wait_until(lambda: "shutdown draining" in alb.log(), "the drain")
        alb.signal(signal.SIGTERM)
        assert is_closed(sock)
    assert alb.wait(3) == 0


def test_the_time_for_it_is_bounded(start_alb, start_target):
    target = start_target(held(threading.Event()))
    alb = start_alb(forward_config(target).replace("5s", "500ms"))

    with alb.connect() as sock:
        sock.sendall(request(path="/slow"))
        wait_until(lambda: target.seen, "the target to have it")
        alb.signal(signal.SIGTERM)
        assert alb.wait(3) == 0
        assert is_closed(sock)
    assert "shutdown cut" in alb.log()


def test_a_response_under_way_comes_whole(start_alb, start_target):
    size = 30000000

    def script(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        sock.sendall(b"z" * size)
        return True
    alb = start_alb(forward_config(start_target(script)))

    with alb.connect() as sock:
        sock.sendall(request())
        head, rest = read_head(sock)
        alb.signal(signal.SIGTERM)
        wait_until(lambda: "shutdown draining" in alb.log(), "the drain")
        assert len(read_response(sock, head + rest).body) == size
    assert alb.wait() == 0


def test_a_departure_that_is_not_over_does_not_hold_it_up(start_alb, start_target):
    a, b = start_target(), start_target()
    alb = start_alb(forward_config(a))

    alb.get()
    alb.configure(forward_config(b))
    alb.reload()
    alb.signal(signal.SIGTERM)
    assert alb.wait(3) == 0
