"""A client that takes its time gets all that it has a right to, and no more memory."""

import socket
import threading
import time

from balancer import forward_config
from harness import grown_kb, resident_kb, wait_until
from http_wire import ask, read_length, read_response, request
from scripted_target import answer
from sockets import is_closed

IDLE = "idle_timeout.timeout_seconds = 1"
BIG = 64 * 1024 * 1024


def test_a_head_that_does_not_come_whole_is_a_408(start_alb, start_target):
    alb = start_alb(forward_config(start_target(), alb=IDLE))

    with alb.connect() as sock:
        began = time.monotonic()
        sock.sendall(b"GET / HTTP/1.1\r\n")
        for _ in range(3):
            time.sleep(0.3)
            sock.sendall(b"X: y\r\n")  # each byte is no excuse
        assert read_response(sock).status == 408
        assert time.monotonic() - began < 3
        assert is_closed(sock)
    assert ' "-" "-" TID_' in alb.access_row(" 408 - ")  # what is not whole is of no class
    assert alb.metric("alb_desync_non_compliant_requests_total") == 0


def test_a_body_that_does_not_come_is_a_408(start_alb, start_target):
    def script(sock, _head, _rest):
        sock.recv(65536)
        return sock.recv(1) != b""
    alb = start_alb(forward_config(start_target(script), alb=IDLE))

    got = ask(alb, request("POST", fields=b"Content-Length: 10\r\n") + b"half")
    assert got.status == 408
    assert "end=" in alb.access_row(" 408 - ")


def test_a_408_for_a_body_has_the_class_of_its_head(start_alb, start_target):
    def script(sock, _head, _rest):
        sock.recv(65536)
        return sock.recv(1) != b""
    alb = start_alb(forward_config(start_target(script), alb=IDLE))

    got = ask(alb, request("POST", fields=b"Content-Length: 10\r\n" * 2) + b"half")
    assert got.status == 408
    assert '"Ambiguous" "DuplicateContentLength" TID_' in alb.access_row(" 408 - ")


def test_the_time_until_a_response_begins_is_not_that_until_a_slow_client_reads_on(start_alb, start_target):
    """Field 8, of a body that goes straight through and more of it than the sockets hold."""
    alb = start_alb(forward_config(start_target(answer(b"x" * BIG))))

    with alb.connect() as sock:
        sock.sendall(request(fields=b"Connection: close\r\n"))
        sock.recv(1)
        time.sleep(0.5)
        while sock.recv(1 << 20):
            pass
    assert float(alb.access_row("GET").split(" ")[7]) < 0.4


def test_an_idle_connection_is_closed_without_a_word(start_alb, start_target):
    alb = start_alb(forward_config(start_target(), alb=IDLE))

    with alb.connect() as sock, alb.connect() as used:
        used.sendall(request())
        read_response(used)
        assert is_closed(sock)
        assert is_closed(used)


def test_a_client_that_does_not_read_stops_the_target(start_alb, start_target):
    sent = [0]

    def script(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
        block = b"z" * 65536
        while sent[0] < BIG:
            sock.sendall(block)
            sent[0] += len(block)
        return True
    alb = start_alb(forward_config(start_target(script)))
    before = resident_kb(alb.pid)

    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.settimeout(20)
        sock.connect(alb.address())
        sock.sendall(request())
        last = [-1, 0.0]

        def stands_still():
            if sent[0] != last[0]:
                last[:] = [sent[0], time.monotonic()]
            return sent[0] > 0 and time.monotonic() - last[1] > 0.3
        wait_until(stands_still, "the target to be held back")
        assert sent[0] < BIG / 2
        assert grown_kb(alb.pid, before) < 2048
        got = b""
        while b"\r\n\r\n" not in got:
            got += sock.recv(4096)
        body, _ = read_length(sock, BIG, got.partition(b"\r\n\r\n")[2])
    assert body == b"z" * BIG


def test_a_slow_reader_gets_the_whole_of_a_last_response(start_alb, start_target):
    """With Connection: close, the end must wait for the reader, not for a clock of ours."""
    size = 600000
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"z" * size

    def script(sock, _head, _rest):
        sock.sendall(reply)
        return True
    target = start_target(script)
    alb = start_alb(forward_config(target, alb="idle_timeout.timeout_seconds = 4"))

    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(20)
        sock.connect(alb.address())
        sock.sendall(request(fields=b"Connection: close\r\n"))
        time.sleep(2.6)  # longer than alb waits for a client to close
        got = read_response(sock)
    assert got.body == b"z" * size


def test_an_upload_is_held_back_by_a_target_that_does_not_read(start_alb, start_target):
    go_on, total = threading.Event(), [0]

    def script(sock, _head, rest):
        go_on.wait(20)
        n = len(rest)
        while n < BIG:
            n += len(sock.recv(1 << 20))
        total[0] = n
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        return True
    alb = start_alb(forward_config(start_target(script)))
    before = resident_kb(alb.pid)

    with alb.connect() as sock:
        sent = [0]

        def upload():
            sock.sendall(request("POST", fields=b"Content-Length: %d\r\n" % BIG))
            for _ in range(BIG // 65536):
                sock.sendall(b"z" * 65536)
                sent[0] += 65536
        sender = threading.Thread(target=upload)
        sender.start()
        last = [-1, 0.0]

        def stands_still():
            if sent[0] != last[0]:
                last[:] = [sent[0], time.monotonic()]
            return sent[0] > 0 and time.monotonic() - last[1] > 0.3
        wait_until(stands_still, "the client to be held back")
        assert sent[0] < BIG / 2
        assert grown_kb(alb.pid, before) < 2048
        go_on.set()
        assert read_response(sock).status == 200
        sender.join()
    assert total[0] == BIG
