"""Large bodies arrive to the byte, in bounded memory, whatever their framing, over HTTP and HTTPS,
and however slowly one side reads or writes."""

import hashlib
import http.client
import pathlib
import random
import threading
import time

import pytest

from balancer import forward_config
from harness import PATIENCE
from http_wire import values
from localhost_cert import trusting_context

MB = 1 << 20
BLOCK = random.Random(1).randbytes(MB)
HTTPS = """
[listener https]
bind = 127.0.0.1:0
protocol = HTTPS
certificate = {cert}
default_action = forward app
"""


def pieces(count, pause=0.0):
    """A body of so many MB, no two of them alike; it rests after each."""
    for i in range(count):
        yield BLOCK[i * 97:] + BLOCK[:i * 97]
        time.sleep(pause)


def digest(parts):
    sha = hashlib.sha256()
    for part in parts:
        sha.update(part)
    return sha.hexdigest()


class Reader:
    """A request's body, a piece at a time."""

    def __init__(self, sock, have):
        self.sock, self.have = sock, have

    def read(self, most):
        data, self.have = self.have[:most], self.have[most:]
        return data or self.sock.recv(min(most, 1 << 18))

    def line(self):
        while b"\r\n" not in self.have:
            self.have += self.sock.recv(65536)
        line, _, self.have = self.have.partition(b"\r\n")
        return line

    def exactly(self, n):
        while n > 0:
            data = self.read(n)
            assert data, f"closed with {n} bytes to come"
            n -= len(data)
            yield data

    def body(self, head):
        if not values(head, "Transfer-Encoding"):
            yield from self.exactly(int(values(head, "Content-Length")[0]))
            return
        while (n := int(self.line(), 16)) > 0:
            yield from self.exactly(n)
            assert self.line() == b""
        assert self.line() == b""


def send_back_as_much(sock, head, rest):
    """A target: the sum of what came, and a body of as many MB in the same framing."""
    count, pause = int(values(head, "X-Count")[0]), float(values(head, "X-Pause")[0])
    head_out = b"HTTP/1.1 200 OK\r\nX-Sum: %s\r\n" % digest(Reader(sock, rest).body(head)).encode()
    is_chunked = bool(values(head, "Transfer-Encoding"))
    framing = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % (count * MB)
    sock.sendall(head_out + framing + b"\r\n\r\n")
    for piece in pieces(count, pause):
        sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if is_chunked else piece)
    if is_chunked:
        sock.sendall(b"0\r\n\r\n")
    return True


def connection(alb, listener):
    host, port = alb.address(listener)
    if listener == "https":
        return http.client.HTTPSConnection(host, port, timeout=30 * PATIENCE,
                                           context=trusting_context())
    return http.client.HTTPConnection(host, port, timeout=30 * PATIENCE)


def read_pieces(response, pause):
    while data := response.read(MB):
        yield data
        time.sleep(pause)


def exchange(alb, listener, is_chunked, count, writer=0.0, reader=0.0, target=0.0):
    """Up and down; the rests are those of the client that writes and reads, and of the target."""
    conn = connection(alb, listener)
    fields = {"X-Count": str(count), "X-Pause": str(target)}
    if not is_chunked:
        fields["Content-Length"] = str(count * MB)
    conn.request("POST", "/", pieces(count, writer), fields, encode_chunked=is_chunked)
    response = conn.getresponse()
    assert (response.status, response.headers["X-Sum"]) == (200, SUMS[count])
    assert digest(read_pieces(response, reader)) == SUMS[count]
    assert response.isclosed()
    conn.close()


SUMS = {count: digest(pieces(count)) for count in (1, 4, 16, 64)}


class Peak:
    """The most memory that alb had within a `with`, in KB above what it had before. A sanitizer's own
    memory says nothing: 0 then."""

    def __init__(self, alb):
        self.proc = pathlib.Path(f"/proc/{alb.pid}")

    def _kb(self, name):
        text = (self.proc / "status").read_text()
        return int(text.split(name + ":")[1].split()[0])

    def __enter__(self):
        (self.proc / "clear_refs").write_text("5")  # VmHWM counts from here
        self.before = self._kb("VmRSS")
        return self

    def __exit__(self, *_):
        self.grown = 0 if PATIENCE > 1 else self._kb("VmHWM") - self.before


@pytest.fixture
def alb(start_alb, start_target):
    alb = start_alb(forward_config(start_target(send_back_as_much), more=HTTPS))
    for listener in ("http", "https"):
        exchange(alb, listener, True, 1)  # what is had once and kept is had now
    return alb


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("listener", ["http", "https"])
def test_64_mb_go_up_and_come_down(alb, listener, framing):
    with Peak(alb) as peak:
        exchange(alb, listener, framing == "chunks", 64)
    assert peak.grown < 3 * 1024


def run_all(jobs):
    """Each in a thread of its own; the first failure is raised."""
    failures = []

    def run(args):
        try:
            exchange(*args)
        except Exception as error:
            failures.append(error)
    threads = [threading.Thread(target=run, args=(args,)) for args in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_slow_clients_and_a_slow_target(alb):
    """Four at a time, and each with one side that rests after every MB."""
    with Peak(alb) as peak:
        run_all([(alb, "http", True, 16, 0.03, 0, 0), (alb, "http", False, 16, 0, 0.03, 0),
                 (alb, "https", True, 16, 0, 0.03, 0), (alb, "https", False, 16, 0, 0, 0.03)])
    assert peak.grown < 4 * 1024


def test_20_bodies_of_4_mb_at_a_time(alb):
    with Peak(alb) as peak:
        run_all([(alb, ("http", "https")[i % 2], i % 4 < 2, 4) for i in range(20)])
    assert peak.grown < 8 * 1024
