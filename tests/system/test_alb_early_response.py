"""A target may answer before it has the whole request."""

import concurrent.futures
import socket
import threading
import time

import pytest

from balancer import Alb, forward_config
from harness import PATIENCE, wait_until
from http_wire import read_body, read_response, request
from sockets import is_closed, reset

TOO_LARGE = b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nfull"
BIG = 4 * 1024 * 1024


def upload(sock, size):
    try:
        sock.sendall(b"x" * size)
    except OSError:
        pass  # cut, as it may be


def test_the_answer_to_an_unfinished_upload_arrives(start_alb, start_target):
    def script(sock, _head, _rest):
        sock.sendall(TOO_LARGE)
        return False
    alb = start_alb(forward_config(start_target(script)))

    with alb.connect() as sock:
        sock.sendall(request("POST", fields=b"Content-Length: 1000\r\n") + b"only a part")
        got = read_response(sock)
        assert (got.status, got.body) == (413, b"full")
        assert got.values("Connection") == ["close"], "the rest of the body is not wanted"
        assert is_closed(sock)


@pytest.mark.parametrize("ending", ["close", "reset"])
def test_an_answer_followed_by_the_end_is_not_taken_for_a_failure(start_alb, start_target,
                                                                  ending):
    """The target closes with bytes unread: our next write fails, and its answer waits."""
    gone = threading.Event()

    def script(sock, _head, _rest):
        sock.sendall(TOO_LARGE)
        if ending == "reset":
            sock.shutdown(1)
            reset(sock)
        else:
            sock.close()
        gone.set()
        return False
    alb = start_alb(forward_config(start_target(script)))

    for _ in range(5):
        gone.clear()
        with alb.connect() as sock:
            sock.sendall(request("POST", fields=b"Content-Length: %d\r\n" % BIG))
            sender = threading.Thread(target=upload, args=(sock, BIG))
            sender.start()
            try:
                status = read_response(sock).status
            except (ConnectionResetError, EOFError):
                status = "cut"
            sender.join()
            if ending == "close":
                assert status == 413
            else:
                assert status in (413, 502)  # a reset may overtake the answer


RULES = """
[rule fixed]
listener = http
priority = 1
path-pattern = /fixed
action = fixed-response 403
[rule moved]
listener = http
priority = 2
path-pattern = /moved
action = redirect 301 https://a.test:443/
[target_group nobody]
[rule nobody]
listener = http
priority = 3
path-pattern = /nobody
action = forward nobody
"""


@pytest.mark.parametrize("path, status", (("/early", 413), ("/fixed", 403), ("/moved", 301),
                                          ("/nobody", 503)))
def test_who_sends_all_before_reading_gets_the_answer(path, status, start_alb, start_target):
    """As most HTTP libraries do: what they send is thrown away, and does not end in a reset."""
    def script(sock, _head, _rest):
        sock.sendall(TOO_LARGE)
        return False
    alb = start_alb(forward_config(start_target(script), more=RULES))

    with alb.connect(timeout=30) as sock:
        sock.sendall(request("POST", path, fields=b"Content-Length: %d\r\n" % (8 * BIG)))
        for _ in range(8):
            sock.sendall(b"x" * BIG)
        assert read_response(sock).status == status
        assert is_closed(sock)


def drip(sock, count):
    """2 KB every quarter of a second: 8 KB a second. True when all could be sent."""
    try:
        for _ in range(count):
            sock.sendall(b"x" * 2048)
            time.sleep(0.25)
    except OSError:
        return False
    return True


@pytest.mark.parametrize("path, status", (("/early", 413), ("/fixed", 403)))
def test_a_slow_upload_has_time_too(path, status, start_alb, start_target):
    """However slowly it comes: while it does, who sends all before reading gets the answer."""
    def script(sock, _head, _rest):
        sock.sendall(TOO_LARGE)
        return False
    alb = start_alb(forward_config(start_target(script), more=RULES))

    with alb.connect(timeout=30) as sock:
        sock.sendall(request("POST", path, fields=b"Content-Length: %d\r\n" % (32 * 2048)))
        assert drip(sock, 32)
        assert read_response(sock).status == status
        assert is_closed(sock)


def test_a_slow_reader_is_not_quiet(start_alb, start_target):
    """It sends nothing for longer than a quiet one may, as the answer is not all taken."""
    def script(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 20000\r\n\r\n" + b"z" * 20000)
        return False
    alb = start_alb(forward_config(start_target(script)))

    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.settimeout(30)
        sock.connect(alb.address())
        sock.sendall(request("POST", fields=b"Content-Length: 100000\r\n"))
        time.sleep(7)
        assert drip(sock, 2)
        got = read_response(sock)
        assert (got.status, len(got.body)) == (413, 20000)


def test_who_is_quiet_is_let_go(start_alb):
    """5 seconds after the last byte: longer than a second, and long before the bound of all."""
    alb = start_alb(forward_config("127.0.0.1:9", more=RULES))

    with alb.connect(timeout=30) as sock:
        sock.sendall(request("POST", "/fixed", fields=b"Content-Length: 10000\r\n"))
        assert drip(sock, 4)
        began = time.monotonic()
        wait_until(lambda: alb.metric("alb_connections_open") == 0, "it to be let go", 15)
        assert 3 < time.monotonic() - began < 15 * PATIENCE


class Old:
    """An upload without end, from the session's beginning (grown_old of conftest.py)."""

    def __init__(self, folder):
        self.alb = Alb(folder, forward_config("127.0.0.1:9", more=RULES))
        self.alb.start()
        self.pool = concurrent.futures.ThreadPoolExecutor(1)
        self.upload = self.pool.submit(self.go_on)

    def go_on(self):
        """How long it could, after the answer."""
        with self.alb.connect(timeout=40) as sock:
            sock.sendall(request("POST", "/fixed", fields=b"Content-Length: 1000000000\r\n"))
            assert read_response(sock).status == 403
            began = time.monotonic()
            assert not drip(sock, 50 * 4)
            return time.monotonic() - began

    def close(self):
        assert self.alb.stop() == 0
        self.pool.shutdown()


def test_an_upload_without_end_has_half_a_minute(grown_old):
    assert grown_old.upload.result(60 * PATIENCE) > 25


def test_an_upload_goes_on_while_the_answer_is_sent(start_alb, start_target):
    def script(sock, head, rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n")
        body, _ = read_body(sock, head, rest)
        sock.sendall(b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")
        return False
    alb = start_alb(forward_config(start_target(script)))

    with alb.connect() as sock:
        sock.sendall(request("POST", fields=b"Content-Length: 10\r\n") + b"01234")
        first = b""
        while not first.endswith(b"hi\r\n"):
            first += sock.recv(4096)
        sock.sendall(b"56789")
        got = read_response(sock, first)
    assert got.body == b"hi0123456789"


def test_interim_responses_are_dropped(start_alb, start_target):
    def script(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n"
                     b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                     b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return True
    alb = start_alb(forward_config(start_target(script)))

    with alb.connect() as sock:
        for _ in range(2):
            sock.sendall(request())
            got = read_response(sock)
            assert (got.status, got.body, got.values("Link")) == (200, b"ok", [])


def test_interim_responses_without_end_are_a_failure(start_alb, start_target):
    def script(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 102 Processing\r\n\r\n" * 50)
        return True
    alb = start_alb(forward_config(start_target(script)))

    assert alb.get()[0] == 502
