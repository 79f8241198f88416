"""What the tests of draining share: settings, metrics, and how a client is told."""

import datetime
import re
import selectors
import socket
import ssl
import struct
import time

import pytest

from balancer import other_group
from harness import PATIENCE, wait_until

DELAY = "deregistration_delay.timeout_seconds = %s\n"
OTHER = other_group("%s", DELAY % 60)
CLOSED = "alb_websocket_drain_closed_total"
CUT = "alb_websocket_drain_cut_total"

SO_TIMESTAMPNS = 35


def after(close):
    """The milliseconds in restart;after=MS; of a receive_close()."""
    code, reason = close
    found = re.fullmatch(rb"restart;after=(\d+)", reason)
    assert code == 1012 and found, close
    return int(found[1])


def is_told(client):
    return after(client.receive_close()) >= 0


@pytest.fixture(scope="module", autouse=True)
def stamps():
    """The kernel stamps what arrives while any socket asks for it, and takes a moment to begin. For
    modules that import this."""
    with socket.create_server(("127.0.0.1", 0)) as listener, \
            socket.create_connection(listener.getsockname()) as one, listener.accept()[0] as other:
        one.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)

        def is_stamped():
            other.sendall(b"x")
            return one.recvmsg(1, 64)[1]
        wait_until(is_stamped, "the kernel's stamps")
        yield


def _arrival(extra):
    seconds, nanos = struct.unpack("qq", extra[0][2])
    return seconds + nanos / 1e9


def _is_close(sock, data, code):
    """A Close with this code; of TLS a record of data is all that is seen from outside."""
    return data[0] == 0x17 if isinstance(sock, ssl.SSLSocket) else (
        data[0] == 0x88 and data[2:4] == code.to_bytes(2, "big"))


def arrivals(clients, timeout=20, code=1012):
    """[(when the kernel had it, number of the client)] of the Close that each gets: exact, however
    late this process is to read it. Afterwards nothing more can be read over TLS."""
    got, end = [], time.monotonic() + timeout * PATIENCE
    with selectors.DefaultSelector() as selector:
        for number, client in enumerate(clients):
            client.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            client.sock.setblocking(False)
            selector.register(client.sock, selectors.EVENT_READ, number)
        while len(got) < len(clients) and time.monotonic() < end:
            for key, _ in selector.select(0.1):
                data, extra, _, _ = socket.socket.recvmsg(key.fileobj, 4096, 64)
                selector.unregister(key.fileobj)
                if not data:
                    continue
                assert _is_close(key.fileobj, data, code), data
                got.append((_arrival(extra), key.data))
    return sorted(got)


def drain_began(alb):
    """When its only drain began, by its log: the command's process takes its time to start."""
    begin, = (row for row in alb.log().splitlines() if " drain begin " in row)
    return datetime.datetime.fromisoformat(begin.split()[0].replace("Z", "+00:00")).timestamp()


def most_in_a_second(times):
    return max(sum(1 for t in times if begin <= t < begin + 1) for begin in times)
