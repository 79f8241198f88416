"""Whatever a target does, the client gets an answer or a clear end, and the log a reason. What it
may say wrong is in corpus_responses.py."""

import pathlib
import socket
import time

import pytest

from balancer import forward_config
from harness import free_port, wait_until
from http_wire import ask, read_head, read_response, request
from sockets import read_exactly, reset

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def says(raw):
    def script(sock, _head, _rest):
        sock.sendall(raw)
        return False
    return script


def close_it(sock):
    sock.shutdown(socket.SHUT_RDWR)


def is_read(sock):
    """Has the other end, on this machine, taken all from the kernel that was sent?"""
    ends = f"{sock.getpeername()[1]:04X}", f"{sock.getsockname()[1]:04X}"
    for row in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _n, local, remote, _state, queues = row.split()[:5]
        if (local.split(":")[1], remote.split(":")[1]) == ends:
            return queues.split(":")[1] == "00000000"
    raise AssertionError("no such connection")


def test_responses_are_read_a_byte_at_a_time(start_alb, start_target):
    def script(sock, _head, _rest):
        for i in range(len(OK)):
            sock.sendall(OK[i:i + 1])
        return True
    target = start_target(script)
    alb = start_alb(forward_config(target))

    assert [alb.get()[2] for _ in range(3)] == [b"ok"] * 3
    assert target.connections == 1


def test_a_head_of_just_under_32_kb_passes(start_alb, start_target):
    fields = b"X: " + b"x" * 16000 + b"\r\nY: " + b"y" * 15000 + b"\r\n"
    target = start_target(says(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n" + fields +
                               b"\r\n" + b"z" * 100000))
    alb = start_alb(forward_config(target))

    assert ask(alb, request()).body == b"z" * 100000


def test_a_refused_connection_is_a_502(start_alb):
    alb = start_alb(forward_config(f"127.0.0.1:{free_port()}"))

    assert alb.get()[0] == 502
    assert 'end="target refused the connection"' in alb.access_row(" 502 - ")
    assert alb.metric("alb_target_connection_errors_total") == 1


def test_a_reset_without_an_answer_is_a_502(start_alb, start_target):
    def script(sock, _head, _rest):
        reset(sock)
        return False
    alb = start_alb(forward_config(start_target(script)))

    assert alb.get()[0] == 502
    assert 'end="target reset the connection"' in alb.access_row(" 502 - ")


CUT = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\npart",
    "between chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
}


@pytest.mark.parametrize("name", CUT)
def test_a_response_that_breaks_off_by_a_reset_is_never_taken_for_whole(start_alb, start_target,
                                                                        name):
    def script(sock, _head, _rest):
        sock.sendall(CUT[name])
        wait_until(lambda: got_some, "the client to have a part")
        reset(sock)
        return False
    got_some = []
    alb = start_alb(forward_config(start_target(script)))

    with alb.connect() as sock:
        sock.sendall(request())
        first = sock.recv(65536)
        got_some.append(first)
        with pytest.raises((EOFError, ConnectionResetError)):
            read_response(sock, first)
    assert " 502 200 " in alb.access_row('end="target reset the connection"')


def test_a_1_0_client_can_tell_that_a_response_broke_off(start_alb, start_target):
    go_on = []

    def script(sock, _head, _rest):
        sock.sendall(CUT["chunks"])
        wait_until(lambda: go_on, "the client to have the head")
        return False
    alb = start_alb(forward_config(start_target(script)))

    with alb.connect() as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        read_head(sock)
        go_on.append(True)
        with pytest.raises(ConnectionResetError):
            while sock.recv(100):
                pass


def test_one_bad_target_does_not_disturb_the_others(start_alb, start_target):
    good, bad = start_target(says(OK)), start_target(says(b"garbage\r\n\r\n"))
    alb = start_alb(forward_config(good, bad))

    statuses = [alb.get()[0] for _ in range(10)]
    assert sorted(statuses) == [200] * 5 + [502] * 5


@pytest.mark.parametrize("end", (close_it, reset), ids=("closed", "reset"))
def test_what_came_of_a_broken_response_still_arrives(start_alb, start_target, end):
    """The client reads no more until the target is gone. By then alb holds bytes in its own
    buffer: the kernel's is full. That grows when the client first answers, to its largest size,
    and alb would be told of the new room only when a third of it is free: hence two fills."""
    block, sent, fills, reads, ended = b"x" * 32768, [], [], [], []

    def held():
        return len(sent) * len(block) - alb.metric("alb_client_sent_bytes_total")

    def is_full():
        """And not only about to write what it has just read."""
        return all(held() >= len(block) and time.sleep(0.02) is None for _ in range(20))

    def fill(sock):
        while not is_full():
            sock.sendall(block)
            sent.append(block)
            wait_until(lambda: is_read(sock), "alb to read it")
        fills.append(len(sent))

    def script(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        fill(sock)
        wait_until(lambda: reads, "the client to read some")
        fill(sock)
        end(sock)
        ended.append(True)
        return False
    alb = start_alb(forward_config(start_target(script)))

    def is_noticed():
        return ended and alb.metric("alb_target_connections_open") == 0

    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(20)
        sock.connect(alb.address())
        sock.sendall(request())
        wait_until(lambda: fills, "the kernel's buffer to be full", 40)
        _head, body = read_head(sock)
        body += read_exactly(sock, 2 << 20)
        reads.append(len(body))
        wait_until(is_noticed, "alb to see the target's end")
        assert held() >= len(block)
        alb.access_row(" 502 200 ")
        while chunk := sock.recv(1 << 20):
            body += chunk
    assert len(body) == len(sent) * len(block) and not body.strip(b"x")
