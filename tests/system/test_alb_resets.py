"""Wherever a connection is cut, alb stays whole: nothing leaks, the next request is served."""

import socket

from balancer import forward_config
from harness import wait_until
from http_wire import read_response, request
from scripted_target import answer
from sockets import reset

REQUEST = request("POST", "/x", fields=b"Transfer-Encoding: chunked\r\n") + \
    b"5\r\nhello\r\n0\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"


def all_is_quiet(alb):
    status = alb.status()
    outstanding = [t["outstanding"] for g in status["target_groups"] for t in g["targets"]]
    return alb.metric("alb_connections_open") == 0 and outstanding == [0]


def test_a_client_may_go_at_any_byte(start_alb, start_target):
    alb = start_alb(forward_config(start_target()))

    for cut in range(len(REQUEST) + 1):
        for leave in (reset, socket.socket.close):
            sock = alb.connect()
            sock.sendall(REQUEST[:cut])
            leave(sock)
    wait_until(lambda: all_is_quiet(alb), "every connection to be let go")
    assert alb.get()[0] == 200


def test_a_target_may_go_at_any_byte(start_alb, start_target):
    cuts = iter([])

    def script(sock, _head, _rest):
        sock.sendall(RESPONSE[:next(cuts)])
        reset(sock)
        return False
    target = start_target(script)
    alb = start_alb(forward_config(target))

    cuts = iter(range(len(RESPONSE)))
    for cut in range(len(RESPONSE)):
        with alb.connect() as sock:
            sock.sendall(request())
            try:
                status = read_response(sock).status
            except (EOFError, ConnectionResetError):
                status = "cut"
            assert status in (502, "cut"), cut
    wait_until(lambda: all_is_quiet(alb), "every connection to be let go")
    target.script = answer()
    assert alb.get()[0] == 200


def test_a_client_that_vanishes_cuts_its_target_and_is_logged_as_460(start_alb, start_target):
    ends = []

    def script(sock, _head, _rest):
        ends.append("began")
        sock.recv(1)
        ends.append("cut")
        return False
    alb = start_alb(forward_config(start_target(script)))

    sock = alb.connect()
    sock.sendall(request())
    wait_until(lambda: ends, "the target to have the request")
    reset(sock)
    wait_until(lambda: "cut" in ends, "the target to be cut off")
    assert 'end="client reset"' in alb.access_row(" 460 - ")
    assert alb.metric('alb_elb_responses_total{code="4xx"}') == 1


def test_a_client_that_vanishes_within_a_head_has_one_row(start_alb, start_target):
    alb = start_alb(forward_config(start_target()))

    sent = 0
    for data in (b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n", b""):
        sock = alb.connect()
        sock.sendall(data)
        sent += len(data)
        wait_until(lambda: alb.metric("alb_client_received_bytes_total") == sent, "it to be read")
        reset(sock)
    assert alb.get()[0] == 200
    assert alb.stop() == 0
    rows = [row for row in alb.access_rows() if " 460 - " in row]
    assert len(rows) == 2 and len(alb.access_rows()) == 3, rows
    assert all('end="client reset within the request head"' in row for row in rows)
