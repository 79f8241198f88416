"""The stand-in as a process: plain requests, what it refuses itself, and its time-outs towards the origin."""

import contextlib
import socket

import pytest

from harness import free_port, wait_until
from http_wire import read_body, read_response, request, values
from scripted_target import answer
from sockets import read_until_close

MANY = b"X-Long: " + b"a" * 1000 + b"\r\n"


def ask(edge, data, **how):
    with edge.connect() as sock:
        sock.sendall(data)
        return read_response(sock, **how)


def echo(sock, head, rest):
    """Sends a request's body back, framed as it came."""
    body, _ = read_body(sock, head, rest)
    if values(head, "Transfer-Encoding"):
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x;x=y\r\n%s\r\n0\r\nX-Sum: 1\r\n\r\n" % (len(body), body))
        return True
    return answer(body)(sock, head, rest)


def silent(sock, _head, _rest):
    sock.recv(1)


def test_requests_share_a_kept_connection_to_the_origin(start_edge, start_target):
    target = start_target(echo)
    edge = start_edge(target)
    with edge.connect() as sock:
        for body in (b"", b"x" * 100000, b"end"):
            sock.sendall(request("POST", body=body))
            got = read_response(sock)
            assert (got.status, got.body) == (200, body)
            sock.sendall(request("HEAD"))
            assert read_response(sock, to_head=True).status == 200
    assert target.connections == 1
    assert values(target.seen[0], "Connection") == ["Keep-Alive"]
    assert len(edge.lines("reused=yes")) == 5


def test_chunks_both_ways(start_edge, start_target):
    edge = start_edge(start_target(echo))
    got = ask(edge, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
    assert (got.status, got.body) == (200, b"hello world")
    assert got.values("Transfer-Encoding") == ["chunked"] and not got.values("X-Sum")


def test_a_response_without_a_length_ends_with_the_connection(start_edge, start_target):
    def until_close(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nall of it")
    edge = start_edge(start_target(until_close))
    with edge.connect() as sock:
        sock.sendall(request())
        assert read_until_close(sock).endswith(b"Connection: close\r\n\r\nall of it")


def test_expect_is_answered_at_the_edge(start_edge, start_target):
    target = start_target(echo)
    edge = start_edge(target)
    with edge.connect() as sock:
        sock.sendall(b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert read_response(sock).status == 100
        sock.sendall(b"ok")
        assert read_response(sock).body == b"ok"
    assert not values(target.seen[0], "Expect")


# the request, its status; None: the origin is asked
REFUSED = {
    "a GET with a body": (request("GET", body=b"x"), 403),
    "another method": (request("TRACE"), 403),
    "a URL of 8,193 bytes": (request(path="/" + "a" * (8193 - len("http://localhost/"))), 413),
    "a URL of 8,192 bytes": (request(path="/" + "a" * (8192 - len("http://localhost/"))), None),
    "a head of 20,481 bytes": (request(fields=MANY * 19 + b"X: %s\r\n" % (b"a" * (20481 - len(request()) - 19 * len(MANY) - 5))), 413),
    "a head of 20,480 bytes": (request(fields=MANY * 19 + b"X: %s\r\n" % (b"a" * (20480 - len(request()) - 19 * len(MANY) - 5))), None),
    "a head of 100,000 bytes": (request(fields=MANY * 100), 413),
    "not HTTP": (b"EHLO\r\n\r\n", 400),
    "two lengths": (request("POST", fields=b"Content-Length: 1\r\nContent-Length: 2\r\n"), 400),
}


def test_what_the_edge_refuses_itself(start_edge, start_target):
    target = start_target()
    edge = start_edge(target)
    for name, (data, status) in REFUSED.items():
        before = len(target.seen)
        with edge.connect() as sock:
            with contextlib.suppress(ConnectionError):
                sock.sendall(data)
            assert read_response(sock).status == (status or 200), name
            if status:  # and it hangs up
                assert read_until_close(sock) == b"", name
        assert len(target.seen) - before == (0 if status else 1), name


def test_connection_attempts(start_edge):
    edge = start_edge(f"127.0.0.1:{free_port()}")
    got = ask(edge, request("POST", body=b"x"))
    assert got.status == 502 and got.values("X-Cache") == ["Error from cloudfront"]
    assert [line.split()[2] for line in edge.lines("attempt failed")] == ["attempt=1", "attempt=2", "attempt=3"]


def test_an_origin_that_drops_syns_is_a_504(start_edge):
    with socket.socket() as full:  # a backlog that is full drops further SYNs
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = "{}:{}".format(*full.getsockname())
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                sock = stack.enter_context(socket.socket())
                sock.setblocking(False)
                sock.connect_ex(full.getsockname())
            edge = start_edge(address, "--connect-timeout", 0.1, "--attempts", 2)
            assert ask(edge, request()).status == 504
            assert len(edge.lines("attempt failed")) == 2


@pytest.mark.parametrize("method, times", [("GET", 3), ("HEAD", 3), ("POST", 1), ("DELETE", 1)])
def test_what_is_asked_again_without_a_response_in_time(start_edge, start_target, method, times):
    target = start_target(silent)
    edge = start_edge(target, "--response-timeout", 0.1)
    assert ask(edge, request(method), to_head=True).status == 504
    wait_until(lambda: len(target.seen) == target.connections == times, "the target to have read the last of them")


def test_the_response_timeout_is_between_packets_too(start_edge, start_target):
    def stalls(sock, head, rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        silent(sock, head, rest)
    edge = start_edge(start_target(stalls), "--response-timeout", 0.2)
    with edge.connect() as sock:
        sock.sendall(request())
        assert read_until_close(sock).endswith(b"half")


ODD = {  # what the origin answers, and what the viewer gets
    b"": 502, b"220 mail.example ESMTP\r\n\r\n": 502,
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n": 200,
    b"HTTP/1.1 100 Continue\r\n\r\n" * 2 + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n": 502,
    b"HTTP/1.1 200 OK\r\n" + MANY * 21 + b"\r\n": 502,
}


def test_odd_responses(start_edge, start_target):
    odd = list(ODD)
    target = start_target(lambda sock, head, _rest: sock.sendall(odd[int(head.split(b" ")[1][1:])]))
    edge = start_edge(target)
    for number, data in enumerate(odd):
        assert ask(edge, request(path=f"/{number}")).status == ODD[data], data[:60]


def test_keep_alive_timeout(start_edge, start_target):
    target = start_target()
    edge = start_edge(target, "--keepalive-timeout", 0.1)
    assert ask(edge, request()).status == 200
    wait_until(lambda: edge.lines("idle connection ended why='keep-alive time-out'"), "the end of the idle one")
    assert ask(edge, request()).status == 200
    assert target.connections == 2


def test_an_idle_connection_that_the_origin_closes_is_not_used_again(start_edge, start_target):
    target = start_target(lambda *what: answer()(*what) and False)
    edge = start_edge(target)
    assert ask(edge, request()).status == 200
    wait_until(lambda: edge.lines("why='closed by the origin'"), "the edge to notice")
    assert ask(edge, request()).status == 200


def test_a_kept_connection_that_ends_in_place_of_an_answer_is_a_502(start_edge, start_target):
    """The race that an origin's keep-alive has to avoid: this edge does not hide it."""
    target = start_target(lambda sock, head, rest: b"/last" not in head and answer()(sock, head, rest))
    edge = start_edge(target)
    assert ask(edge, request()).status == 200
    assert ask(edge, request(path="/last")).status == 502
    assert target.connections == 1


def test_cached_errors(start_edge, start_target):
    target = start_target(answer(status="404 Not Found"))
    edge = start_edge(target, "--cache-errors")
    assert [ask(edge, request()).status for _ in range(3)] == [404] * 3
    assert len(target.seen) == 1
    quick = start_edge(target, "--cache-errors", "--clock", 100000, name="quick")
    assert [ask(quick, request()).status for _ in range(3)] == [404] * 3
    assert len(target.seen) == 4
