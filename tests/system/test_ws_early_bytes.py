"""Bytes that come before, with, or right behind the 101 belong to the tunnel, or to nobody."""

import threading

import pytest

from harness import wait_until
from http_wire import read_head, read_response
from sockets import is_closed
from ws_peers import BINARY, BOTH, TEXT, Client, Peer, Upgraded, connect, ws_config
from ws_wire import accept_upgrade, frame, upgrade_request

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"


class Late(Upgraded):
    """Upgrades when the test says so."""

    def __init__(self):
        super().__init__()
        self.may_answer = threading.Event()

    def __call__(self, sock, head, rest):
        self.may_answer.wait(10)
        return super().__call__(sock, head, rest)


@pytest.mark.parametrize("listener", BOTH)
@pytest.mark.parametrize("n", [1, 1000, 70000, 500000])
def test_what_is_sent_before_the_101_is_delivered_after_it(start_alb, start_target, listener, n):
    script = Late()
    target = start_target(script)
    alb = start_alb(ws_config(target))
    early = frame(BINARY, b"e" * n) + frame(TEXT, HIDDEN)

    with connect(alb, listener) as sock:
        sender = threading.Thread(target=sock.sendall, args=(upgrade_request() + early,))
        sender.start()
        wait_until(lambda: target.seen, "the upgrade to arrive")
        script.may_answer.set()
        origin = script.take()
        assert not origin.rest, "nothing goes to a target that has not upgraded"
        assert origin.receive() == (BINARY, True, b"e" * n)
        assert origin.receive() == (TEXT, True, HIDDEN)
        sender.join()
        head, rest = read_head(sock)
        assert head.startswith(b"HTTP/1.1 101 ") and not rest
        Peer(sock).send(TEXT, b"later")
        assert origin.receive() == (TEXT, True, b"later")
    assert len(target.seen) == 1


@pytest.mark.parametrize("listener", BOTH)
def test_what_is_sent_before_a_refusal_is_thrown_away(start_alb, start_target, listener):
    def script(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        return True
    target = start_target(script)
    alb = start_alb(ws_config(target))
    with connect(alb, listener) as sock:
        sock.sendall(upgrade_request() + HIDDEN)
        response = read_response(sock)
        sock.sendall(HIDDEN)
        assert response.status == 403 and not response.rest
        assert is_closed(sock)
    assert len(target.seen) == 1
    assert len(alb.access_rows()) <= 1


@pytest.mark.parametrize("fields", [b"", b"Content-Length: %d\r\n" % len(HIDDEN)],
                         ids=["behind", "as a body"])
def test_what_comes_with_an_upgrade_that_alb_refuses_is_no_request(start_alb, start_target, fields):
    target = start_target()
    alb = start_alb(ws_config(target))
    with alb.connect() as sock:
        sock.sendall(upgrade_request(fields=fields).replace(b"Version: 13", b"Version: 8") + HIDDEN)
        response = read_response(sock)
        assert response.status in (400, 426) and not response.rest
        assert is_closed(sock)
    assert not target.seen


@pytest.mark.parametrize("listener", BOTH)
def test_data_in_the_same_segment_as_the_101_is_not_lost(start_alb, start_target, listener):
    class Eager(Upgraded):
        def __call__(self, sock, head, rest):
            n = int(head.split(b" ")[1][1:])

            class Joined:
                def sendall(self, data):
                    sock.sendall(data + frame(BINARY, b"d" * n, mask=None))
            accept_upgrade(Joined(), head)
            self.waiting.put(Peer(sock.dup(), mask=None))
            return False
    script = Eager()
    alb = start_alb(ws_config(start_target(script)))
    for n in (5, 30000, 300000):
        with Client(alb, listener, path=f"/{n}") as client:
            assert client.receive() == (BINARY, True, b"d" * n)
            client.send(TEXT, b"thanks")
            assert script.take().receive() == (TEXT, True, b"thanks")


def test_a_101_that_comes_a_byte_at_a_time_is_understood(start_alb, start_target):
    class Slow(Upgraded):
        def __call__(self, sock, head, rest):
            class Bytes:
                def sendall(self, data):
                    for byte in data + frame(TEXT, b"first", mask=None):
                        sock.sendall(bytes([byte]))
            accept_upgrade(Bytes(), head)
            return False
    alb = start_alb(ws_config(start_target(Slow())))
    with Client(alb) as client:
        assert client.receive() == (TEXT, True, b"first")
        assert client.is_at_end()
