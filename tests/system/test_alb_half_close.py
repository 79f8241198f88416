"""A client may close its sending half and still get its answers."""

import socket

from harness import (forward_config, is_closed, read_body, read_response, request, wait_until)


def echo_path(sock, head, rest):
    body, _ = read_body(sock, head, rest)
    text = head.split(b" ")[1] + body
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
    return True


def send_and_finish(sock, data):
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


def test_the_answer_still_comes_and_then_the_end(start_alb, start_target):
    alb = start_alb(forward_config(start_target(echo_path)))

    with alb.connect() as sock:
        send_and_finish(sock, request("POST", "/a", body=b"-b"))
        assert read_response(sock).body == b"/a-b"
        assert is_closed(sock)


def test_all_pipelined_requests_are_still_answered(start_alb, start_target):
    alb = start_alb(forward_config(start_target(echo_path)))

    with alb.connect() as sock:
        send_and_finish(sock, b"".join(request(path=f"/{i}") for i in range(5)))
        rest = b""
        for i in range(5):
            got = read_response(sock, rest)
            assert got.body == b"/%d" % i
            rest = got.rest
        assert is_closed(sock)


def test_a_large_answer_still_comes_whole(start_alb, start_target):
    size = 5000000

    def script(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"z" * size)
        return True
    alb = start_alb(forward_config(start_target(script)))

    with alb.connect() as sock:
        send_and_finish(sock, request())
        assert len(read_response(sock).body) == size


def test_half_a_head_is_a_400(start_alb, start_target):
    alb = start_alb(forward_config(start_target()))

    with alb.connect() as sock:
        send_and_finish(sock, b"GET / HTTP/1.1\r\nHost:")
        assert read_response(sock).status == 400
        assert is_closed(sock)


def test_half_a_body_is_a_400_and_cuts_the_target(start_alb, start_target):
    ends = []

    def script(sock, head, rest):
        ends.append("began")
        while sock.recv(100):
            pass
        ends.append("cut")
        return False
    alb = start_alb(forward_config(start_target(script)))

    with alb.connect() as sock:
        send_and_finish(sock, request("POST", fields=b"Content-Length: 9\r\n") + b"half")
        assert read_response(sock).status == 400
    wait_until(lambda: "cut" in ends, "the target to be cut off")


def test_a_connection_without_a_request_just_ends(start_alb, start_target):
    target = start_target()
    alb = start_alb(forward_config(target))

    with alb.connect() as sock:
        sock.shutdown(socket.SHUT_WR)
        assert is_closed(sock)
    wait_until(lambda: alb.metric("alb_connections_open") == 0, "it to be counted out")
    assert target.seen == []
