"""What real servers and clients do in a way of their own, and still right: it passes."""

import gzip
import re
import subprocess
import threading

import pytest

from balancer import forward_config
from http_wire import ask, read_body, read_head, read_response, request, values
from scripted_target import answer
from ws_peers import TEXT, Client
from ws_wire import accept_key, echo_script, frame, read_frame

GZIPPED = gzip.compress(b"hello " * 1000)

# What a server says, and the body that its client is to have.
RESPONSES = {
    "names in lower case": (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-type: text/plain\r\n"
                            b"\r\nhello", b"hello"),
    "names in capitals": (b"HTTP/1.1 200 OK\r\nCONTENT-LENGTH: 5\r\n\r\nhello", b"hello"),
    "no blank behind the colon": (b"HTTP/1.1 200 OK\r\nContent-Length:5\r\n\r\nhello", b"hello"),
    "no reason": (b"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    "a long reason": (b"HTTP/1.1 200 All is well, thanks\r\nContent-Length: 5\r\n\r\nhello",
                      b"hello"),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\nhello", b"hello"),
    "HTTP/1.0 with a length": (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    "HTTP/1.0 that stays": (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n"
                            b"\r\nhello", b"hello"),
    "close in lower case": (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello", b"hello"),
    "keep-alive with its figures": (b"HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\nKeep-Alive: "
                                    b"timeout=5, max=100\r\nContent-Length: 5\r\n\r\nhello",
                                    b"hello"),
    "chunks with extensions": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               b"3;name=value\r\nhel\r\n2;a;b=\"c\"\r\nlo\r\n0;last\r\n\r\n",
                               b"hello"),
    "chunks with zeros in front": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
                                   b"0005\r\nhello\r\n0000\r\n\r\n", b"hello"),
    "chunks with a trailer": (b"HTTP/1.1 200 OK\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n"
                              b"\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n", b"hello"),
    "gzip": (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" %
             (len(GZIPPED), GZIPPED), GZIPPED),
    "a range": (b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1-3/5\r\nContent-Length: 3"
                b"\r\n\r\nell", b"ell"),
    "nothing": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 500\r\n\r\n",
                     b""),
    "two cookies": (b"HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 5"
                    b"\r\n\r\nhello", b"hello"),
    "bytes above ASCII": (b"HTTP/1.1 200 OK\r\nX-Name: caf\xe9\r\nContent-Length: 5\r\n\r\nhello",
                          b"hello"),
}


def test_responses_in_every_manner(start_alb, start_target):
    names = list(RESPONSES)

    def script(sock, head, _rest):
        raw = RESPONSES[names[int(re.match(rb"GET /(\d+)", head).group(1))]][0]
        sock.sendall(raw)
        return b"0 that stays" in raw
    alb = start_alb(forward_config(start_target(script)))

    for n, name in enumerate(names):
        raw, body = RESPONSES[name]
        got = ask(alb, request(path=f"/{n}", fields=b"Connection: close\r\n"))
        assert got.status == int(raw.split(b" ")[1]) and got.body == body, name
        for field in ("Content-Encoding", "Content-Range", "ETag", "X-Name", "Set-Cookie"):
            assert got.values(field) == values(raw.split(b"\r\n\r\n")[0], field), name


UPGRADES = {
    "as most": (b"Upgrade", b"websocket"),
    "in lower case": (b"upgrade", b"websocket"),
    "with keep-alive": (b"Upgrade, keep-alive", b"websocket"),
    "with keep-alive in front": (b"keep-alive, Upgrade", b"WebSocket"),
}


@pytest.mark.parametrize("name", UPGRADES)
def test_upgrades_in_every_manner(name, start_alb, start_target):
    connection, protocol = UPGRADES[name]

    def script(sock, head, _rest):
        sock.sendall(b"HTTP/1.1 101 Web Socket Protocol Handshake\r\nconnection: %s\r\nupgrade: %s"
                     b"\r\nsec-websocket-accept: %s\r\n\r\n" %
                     (connection, protocol, accept_key(head)))
        sock.sendall(frame(TEXT, read_frame(sock)[2], mask=None))
        return False
    target = start_target(script)
    alb = start_alb(forward_config(target))

    with alb.connect() as sock:
        sock.sendall(b"GET /ws HTTP/1.1\r\nhost: a\r\nconnection: %s\r\nupgrade: %s\r\n"
                     b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                     b"\r\n" % (connection, protocol))
        head, rest = read_head(sock)
        assert head.startswith(b"HTTP/1.1 101 ") and rest == b""
        sock.sendall(frame(TEXT, b"hello"))
        assert read_frame(sock) == (TEXT, True, b"hello")


def test_the_same_server_takes_requests_and_upgrades(start_alb, start_target):
    def script(sock, head, rest):
        return (echo_script if b"pgrade: websocket" in head else answer())(sock, head, rest)
    alb = start_alb(forward_config(start_target(script)))

    for _ in range(3):
        assert alb.get()[2] == b"ok"
        with Client(alb) as client:
            client.send(TEXT, b"hello")
            assert client.receive()[2] == b"hello"


def test_head_and_range_reach_the_server(start_alb, start_target):
    def script(sock, head, rest):
        if head.startswith(b"HEAD"):
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nAccept-Ranges: bytes\r\n\r\n")
            return True
        return answer(values(head, "Range")[0].encode(), "206 Partial Content")(sock, head, rest)
    alb = start_alb(forward_config(start_target(script)))

    with alb.connect() as sock:
        for _ in range(2):
            sock.sendall(request("HEAD"))
            got = read_response(sock, to_head=True)
            assert got.values("Content-Length") == ["1000"] and got.rest == b""
            sock.sendall(request(fields=b"Range: bytes=0-9,20-29\r\n"))
            got = read_response(sock)
            assert (got.status, got.body) == (206, b"bytes=0-9,20-29")


def test_a_long_poll_waits_for_as_long_as_it_takes(start_alb, start_target):
    """Many wait at the same time; each is answered when its event comes."""
    event = threading.Event()

    def script(sock, head, rest):
        event.wait(20)
        return answer(b"now")(sock, head, rest)
    target = start_target(script)
    alb = start_alb(forward_config(target))

    polls = [alb.connect() for _ in range(20)]
    for sock in polls:
        sock.sendall(request(path="/poll"))
        sock.settimeout(0.01)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        sock.settimeout(20)
    event.set()
    for sock in polls:
        assert read_response(sock).body == b"now"
        sock.close()


def test_curl_uploads_in_its_ways(start_alb, start_target, tmp_path):
    def script(sock, head, rest):
        assert not values(head, "Expect")  # answered by us, and not passed on
        body, _ = read_body(sock, head, rest)
        return answer(b"%d" % len(body))(sock, head, rest)
    alb = start_alb(forward_config(start_target(script)))
    upload = tmp_path / "upload"
    upload.write_bytes(b"x" * 3_000_000)

    for options in (["-T", upload], ["-T", upload, "-H", "Expect: 100-continue"],
                    ["-T", upload, "-H", "Transfer-Encoding: chunked"],
                    ["--data-binary", f"@{upload}"], ["--http1.0", "--data-binary", f"@{upload}"],
                    ["-T", upload, "-H", "Connection: close"]):
        done = subprocess.run(["curl", "-sS", "--max-time", "20", *options, alb.url("/up")],
                              capture_output=True)
        assert (done.returncode, done.stdout) == (0, b"3000000"), (options, done.stderr)
