"""Connections are used again, on both sides, and only when that is safe."""

import threading

import pytest

from balancer import forward_config
from harness import wait_until
from http_wire import ask, read_body, read_response, request
from scripted_target import answer
from sockets import is_closed


def test_requests_share_one_connection_on_each_side(start_alb, start_target):
    target = start_target()
    alb = start_alb(forward_config(target))

    with alb.connect() as sock:
        for i in range(20):
            sock.sendall(request(path=f"/{i}"))
            assert read_response(sock).body == b"ok"
    for i in range(5):
        ask(alb, request())
    assert target.connections == 1, "kept for the next client, too"


def test_connection_close_is_obeyed(start_alb, start_target):
    alb = start_alb(forward_config(start_target()))

    with alb.connect() as sock:
        sock.sendall(request(fields=b"Connection: close\r\n"))
        assert read_response(sock).values("Connection") == ["close"]
        assert is_closed(sock)


def test_http_1_0_closes_unless_it_asks(start_alb, start_target):
    target = start_target()
    alb = start_alb(forward_config(target))

    with alb.connect() as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert read_response(sock).status == 200
        assert is_closed(sock)
    with alb.connect() as sock:
        for _ in range(3):
            sock.sendall(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
            got = read_response(sock)
            assert got.values("Connection") == ["keep-alive"]
    assert all(b"HTTP/1.1\r\n" in head for head in target.seen)


def test_pipelined_requests_are_answered_in_order(start_alb, start_target):
    def echo_path(sock, head, rest):
        body, _ = read_body(sock, head, rest)
        path = head.split(b" ")[1]
        text = path + body
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
        return True
    target = start_target(echo_path)
    alb = start_alb(forward_config(target))

    with alb.connect() as sock:
        sock.sendall(request(path="/1") + request("POST", "/2", body=b"-body") + request(path="/3"))
        first = read_response(sock)
        second = read_response(sock, first.rest)
        third = read_response(sock, second.rest)
    assert [r.body for r in (first, second, third)] == [b"/1", b"/2-body", b"/3"]


def test_a_flood_of_pipelined_requests_loses_no_answer(start_alb, start_target):
    page = "x" * 1000
    alb = start_alb(forward_config(start_target()).replace(
        "default_action = forward app", f'default_action = fixed-response 200 text/plain "{page}"'))
    count = 3000

    with alb.connect() as sock:
        sender = threading.Thread(target=sock.sendall, args=(request() * count,))
        sender.start()
        wait_until(lambda: alb.metric("alb_fixed_responses_total") > 10, "some to be answered")
        rest = b""
        for i in range(count):
            got = read_response(sock, rest)
            assert (got.status, len(got.body)) == (200, 1000), i
            rest = got.rest
        sender.join()


def dies_when_used_again(first_connections=1):
    """Answers one request on each of the first connections, and then closes as soon as
    the next comes; later ones are served."""
    served = {}

    def script(sock, head, rest):
        number = served.setdefault(sock, len(served))
        if served.get((sock, "used")) and number < first_connections:
            return False
        served[(sock, "used")] = True
        read_body(sock, head, rest)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return True
    return script


@pytest.mark.parametrize("method, status", [("GET", 200), ("HEAD", 200), ("DELETE", 200),
                                            ("POST", 502), ("PATCH", 502)])
def test_only_what_may_be_repeated_is_sent_again(start_alb, start_target, method, status):
    target = start_target(dies_when_used_again())
    alb = start_alb(forward_config(target))

    assert alb.get()[0] == 200
    assert alb.get(method=method)[0] == status
    assert target.connections == (2 if status == 200 else 1)
    assert alb.get()[0] == 200


def test_it_is_sent_again_once_only(start_alb, start_target):
    served = []

    def script(sock, _head, _rest):
        served.append(1)
        if len(served) > 1:
            return False
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        return True
    target = start_target(script)
    alb = start_alb(forward_config(target))

    assert alb.get()[0] == 200
    assert alb.get()[0] == 502
    assert len(target.seen) == 3


def test_a_body_is_never_sent_twice(start_alb, start_target):
    target = start_target(dies_when_used_again())
    alb = start_alb(forward_config(target))

    assert alb.get()[0] == 200
    assert ask(alb, request("PUT", body=b"once")).status == 502
    assert len(target.seen) == 2


def test_an_idle_target_connection_that_speaks_is_dropped(start_alb, start_target):
    socks = []

    def script(sock, _head, _rest):
        socks.append(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return True
    target = start_target(script)
    alb = start_alb(forward_config(target))

    assert alb.get()[2] == b"ok"
    socks[0].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    wait_until(lambda: socks[0].fileno() == -1, "the balancer to close it")
    assert alb.get()[2] == b"ok"
    assert target.connections == 2


@pytest.mark.parametrize("fields", [b"Connection: close\r\n", b"Connection: Keep-Alive, Close\r\n"])
def test_a_target_that_closes_is_not_kept(start_alb, start_target, fields):
    target = start_target(answer(fields=fields))
    alb = start_alb(forward_config(target))

    with alb.connect() as sock:
        for _ in range(3):
            sock.sendall(request())
            got = read_response(sock)
            assert got.values("Connection") == [], "the target's affair, not the client's"
    assert target.connections == 3


def test_bytes_behind_a_response_end_that_connection(start_alb, start_target):
    def chatter(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokEXTRA")
        return True
    target = start_target(chatter)
    alb = start_alb(forward_config(target))

    for _ in range(3):
        assert alb.get()[2] == b"ok"
    assert target.connections == 3
