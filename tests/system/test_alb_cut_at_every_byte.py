"""FIN and RST at every byte of an exchange, from either side: an end, one row, nothing left."""

import os
import socket

from balancer import forward_config
from harness import wait_until
from http_wire import request
from sockets import read_until_close, reset

REQUEST = request("POST", "/x", fields=b"Transfer-Encoding: chunked\r\n") + \
    b"5\r\nhello\r\n0\r\n\r\n"
RESPONSES = [
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
]


def descriptors(alb):
    return len(os.listdir(f"/proc/{alb.pid}/fd"))


def is_quiet(alb):
    outstanding = [t["outstanding"] for g in alb.status()["target_groups"] for t in g["targets"]]
    return alb.metric("alb_connections_open") == 0 and outstanding == [0]


def finish(sock):
    sock.shutdown(socket.SHUT_WR)


def take_all(sock, _head, rest):
    """A target that wants the whole body, and answers then."""
    while not rest.endswith(b"0\r\n\r\n"):
        chunk = sock.recv(65536)
        if not chunk:
            return False
        rest += chunk
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    return False


def statuses(alb):
    return [row.split(" ")[8] for row in alb.access_rows()]


def test_a_client_that_finishes_or_resets_at_every_byte(start_alb, start_target):
    alb = start_alb(forward_config(start_target(take_all)))
    before = descriptors(alb)
    head = REQUEST.index(b"\r\n\r\n") + 4

    for cut in range(len(REQUEST)):
        with alb.connect() as sock:
            sock.sendall(REQUEST[:cut])
            finish(sock)
            got = read_until_close(sock)
            assert got.startswith(b"HTTP/1.1 400 ") if cut else got == b"", (cut, got)
    wait_until(lambda: len(statuses(alb)) == len(REQUEST) - 1, "a row for each cut")
    assert set(statuses(alb)) == {"400"}
    rows = alb.access_rows()
    assert all('"PartialHeaderLine"' in r or '"MissingLastEmptyLine"' in r for r in rows[:head - 1])
    assert sum('"PartialHeaderLine"' in r for r in rows) > head // 2
    assert all("end=" in r for r in rows)

    for cut in range(1, len(REQUEST)):
        sock = alb.connect()
        sock.sendall(REQUEST[:cut])
        reset(sock)
    # When the RST is there before the bytes are read, there was no request to speak of.
    wait_until(lambda: is_quiet(alb), "every connection to be let go")
    wait_until(lambda: descriptors(alb) <= before, "every descriptor to be closed")
    assert len(statuses(alb)) <= 2 * (len(REQUEST) - 1)
    assert set(statuses(alb)) <= {"400", "460"}


def test_a_target_that_finishes_or_resets_at_every_byte(start_alb, start_target):
    said = []

    def script(sock, _head, _rest):
        raw, leave = said[0]
        sock.sendall(raw)
        leave(sock)
        return False
    alb = start_alb(forward_config(start_target(script)))
    before = descriptors(alb)
    asked = 0

    for whole in RESPONSES:
        for leave in (finish, reset):
            for cut in range(len(whole)):
                said[:] = [(whole[:cut], leave)]
                with alb.connect() as sock:
                    sock.sendall(request())
                    got = read_until_close(sock)
                begun = got.startswith(b"HTTP/1.1 200 ")
                assert begun or got.startswith(b"HTTP/1.1 502 "), (whole, cut, got)
                assert not got.endswith(b"0\r\n\r\n") and not got.endswith(b"\r\n\r\nok"), (cut, got)
                asked += 1
    wait_until(lambda: len(statuses(alb)) == asked, "a row for each cut")
    assert all("end=" in row for row in alb.access_rows())
    wait_until(lambda: is_quiet(alb), "every connection to be let go")
    wait_until(lambda: descriptors(alb) <= before, "every descriptor to be closed")
