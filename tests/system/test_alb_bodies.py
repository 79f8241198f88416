"""Bodies arrive whole, in either framing, and their framing is made anew. Large ones are in
test_alb_large_bodies.py."""

import pytest

from balancer import forward_config
from http_wire import ask, read_body, read_chunks, read_head, read_response, request
from sockets import is_closed


def echo_body(sock, head, rest):
    body, _ = read_body(sock, head, rest)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    return True


def sends(raw, keep=False):
    def script(sock, _head, _rest):
        sock.sendall(raw)
        return keep
    return script


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HELLO_CHUNKS = b"3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: gone\r\n\r\n"


def test_a_request_body_with_a_length(start_alb, start_target):
    target = start_target(echo_body)
    alb = start_alb(forward_config(target))

    assert ask(alb, request("POST", body=b"hello")).body == b"hello"
    assert b"Content-Length: 5\r\n" in target.seen[0]
    assert ask(alb, request("POST", fields=b"Content-Length: 0\r\n")).body == b""
    assert b"Content-Length: 0\r\n" in target.seen[1]


def test_request_chunks_are_remade_without_extensions_and_trailers(start_alb, start_target):
    raw = []

    def script(sock, _head, rest):
        while not rest.endswith(b"0\r\n\r\n"):
            rest += sock.recv(65536)
        raw.append(rest)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        return True
    target = start_target(script)
    alb = start_alb(forward_config(target))

    ask(alb, request("POST", fields=b"Transfer-Encoding: chunked\r\n") + HELLO_CHUNKS)
    assert raw == [b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"]
    assert b"Transfer-Encoding: chunked\r\n" in target.seen[0]
    assert b"Content-Length" not in target.seen[0]


def test_a_request_may_come_a_byte_at_a_time(start_alb, start_target):
    alb = start_alb(forward_config(start_target(echo_body)))

    data = request("POST", fields=b"Transfer-Encoding: chunked\r\n") + HELLO_CHUNKS
    with alb.connect() as sock:
        for i in range(len(data)):
            sock.sendall(data[i:i + 1])
        assert read_response(sock).body == b"hello"


def test_expect_100_continue_is_answered_at_once(start_alb, start_target):
    target = start_target(echo_body)
    alb = start_alb(forward_config(target))

    with alb.connect() as sock:
        sock.sendall(request("POST", fields=b"Expect: 100-continue\r\nContent-Length: 5\r\n"))
        head, rest = read_head(sock)
        assert (head, rest) == (b"HTTP/1.1 100 Continue\r\n\r\n", b"")
        sock.sendall(b"hello")
        assert read_response(sock).body == b"hello"
    assert b"xpect" not in target.seen[0]


def test_a_malformed_chunk_is_refused_and_ends_both_connections(start_alb, start_target):
    target = start_target(echo_body)
    alb = start_alb(forward_config(target))

    for bad in (b"5\nhello\r\n0\r\n\r\n", b"xyz\r\n", b"5\r\nhelloXX0\r\n\r\n", b"-1\r\n",
                b"5 \r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n", b"11111111111111111\r\n"):
        with alb.connect() as sock:
            sock.sendall(request("POST", fields=b"Transfer-Encoding: chunked\r\n") + bad)
            assert read_response(sock).status == 400, bad
            assert is_closed(sock), bad
    assert alb.get()[0] == 200


@pytest.mark.parametrize("name, raw, body, framing", [
    ("length", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", "Content-Length"),
    ("chunks", CHUNKED + HELLO_CHUNKS, b"hello", "Transfer-Encoding"),
    ("until close", b"HTTP/1.1 200 OK\r\n\r\nhello", b"hello", "Transfer-Encoding"),
    ("1.0 until close", b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello", "Transfer-Encoding"),
    ("empty until close", b"HTTP/1.1 200 OK\r\n\r\n", b"", "Transfer-Encoding"),
    ("204", b"HTTP/1.1 204 No Content\r\n\r\n", b"", None),
    ("304 with a length", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b"",
     "Content-Length"),
])
def test_responses_keep_the_connection_of_a_1_1_client(start_alb, start_target, name, raw, body,
                                                       framing):
    alb = start_alb(forward_config(start_target(sends(raw))))

    with alb.connect() as sock:
        for _ in range(2):
            sock.sendall(request())
            got = read_response(sock)
            assert (got.body, got.rest) == (body, b""), name
            for field in ("Content-Length", "Transfer-Encoding"):
                assert len(got.values(field)) == (field == framing), name


@pytest.mark.parametrize("raw", [CHUNKED + HELLO_CHUNKS, b"HTTP/1.1 200 OK\r\n\r\nhello"])
def test_a_1_0_client_gets_no_chunks_but_the_end(start_alb, start_target, raw):
    alb = start_alb(forward_config(start_target(sends(raw))))

    with alb.connect() as sock:
        sock.sendall(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        got = read_response(sock)
    assert got.body == b"hello"
    assert got.values("Transfer-Encoding") == []
    assert got.values("Connection") == ["close"]


@pytest.mark.parametrize("fields, length", [(b"Content-Length: 5\r\n", ["5"]),
                                            (b"Transfer-Encoding: chunked\r\n", [])])
def test_head_gets_the_length_and_no_body(start_alb, start_target, fields, length):
    alb = start_alb(forward_config(start_target(sends(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n",
                                                      keep=True))))

    with alb.connect() as sock:
        for _ in range(2):
            sock.sendall(request("HEAD"))
            got = read_response(sock, to_head=True)
            assert (got.status, got.rest) == (200, b"")
            assert got.values("Content-Length") == length


def test_answers_of_our_own_to_head_have_no_body(start_alb):
    alb = start_alb(forward_config())

    with alb.connect() as sock:
        sock.sendall(request("HEAD"))
        got = read_response(sock, to_head=True)
        assert (got.status, got.rest) == (503, b"")
        assert is_closed(sock)


def test_many_tiny_chunks_come_down_whole(start_alb, start_target):
    alb = start_alb(forward_config(start_target(
        sends(CHUNKED + b"1\r\nx\r\n" * 100000 + b"0\r\n\r\n"))))

    with alb.connect() as sock:
        sock.sendall(request())
        head, rest = read_head(sock)
        body, _ = read_chunks(sock, rest)
    assert body == b"x" * 100000
