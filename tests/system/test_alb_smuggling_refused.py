"""Requests that two servers could read differently: refused, or made plain.

A raw target records every byte that it gets. Whatever the client sent, that must be
canonical heads and nothing else, and as many as the client got answers for.
"""

import re
import socket
import threading

from balancer import forward_config
from harness import wait_until
from http_wire import read_response, request
from sockets import is_closed, stop_listening

OURS = (rb"X-Forwarded-For: 127\.0\.0\.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: \d+\r\n"
        rb"X-Amzn-Trace-Id: Root=[-0-9a-f]+\r\n")
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
H = b"Host: a\r\n"


class RawTarget:
    """Takes bytes, one connection after the other; answers when a message is whole by
    its plain framing, which is all that alb may ever use."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.got = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            while True:
                sock, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()
        except OSError:
            pass

    def _serve(self, sock):
        data = b""
        with sock:
            while chunk := sock.recv(65536):
                data += chunk
                if self._is_whole(data):
                    self.got.append(data)
                    data = b""
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        if data:
            self.got.append(data)

    @staticmethod
    def _is_whole(data):
        head, end, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"\r\nContent-Length: (\d+)", head)
        if not end:
            return False
        if b"Transfer-Encoding: chunked" in head:
            return body.endswith(b"0\r\n\r\n")
        return len(body) >= (int(length[1]) if length else 0)

    def close(self):
        stop_listening(self.listener)


def get(fields=b"", line=b"GET / HTTP/1.1", body=b""):
    return line + b"\r\n" + H + fields + b"\r\n" + body


def post(fields, body):
    return get(fields, b"POST / HTTP/1.1", body)


# name, what is sent, status; 400 and the like: nothing may reach the target
REFUSED = [
    ("two lengths that differ", post(b"Content-Length: 4\r\nContent-Length: 40\r\n", b"abcd"), 400),
    ("two lengths in a list", post(b"Content-Length: 4, 5\r\n", b"abcd"), 400),
    ("length +4", post(b"Content-Length: +4\r\n", b"abcd"), 400),
    ("length 0x4", post(b"Content-Length: 0x4\r\n", b"abcd"), 400),
    ("length -1", post(b"Content-Length: -1\r\n", b""), 400),
    ("length with a blank within", post(b"Content-Length: 4 2\r\n", b"abcd"), 400),
    ("length past 64 bits", post(b"Content-Length: 99999999999999999999\r\n", b""), 400),
    ("TE.TE: chunked twice", post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                                  b"0\r\n\r\n"), 400),
    ("TE.TE: chunked and eee", post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: eee\r\n",
                                    b"0\r\n\r\n"), None),
    ("TE: xchunked", post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"), None),
    ("TE: chunked, gzip", post(b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n"), None),
    ("TE: \"chunked\"", post(b"Transfer-Encoding: \"chunked\"\r\n", b"0\r\n\r\n"), None),
    ("TE folded", post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"), 400),
    ("length folded", post(b"Content-Length:\r\n 4\r\n", b"abcd"), 400),
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", 400),
    ("Host with a path", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ("Host with userinfo", b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
    ("Host with a comma", b"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400),
    ("NUL in a value", get(b"X: a\0b\r\n"), 400),
    ("CR in a value", get(b"X: a\rb\r\n"), 400),
    ("CR hides a field", get(b"X: \rTransfer-Encoding: chunked\r\n"), 400),
    ("NUL in the path", get(line=b"GET /\0 HTTP/1.1"), 400),
    ("HTTP/0.9", b"GET /\r\n\r\n", 400),
    ("HTTP/2.0", get(line=b"GET / HTTP/2.0"), 505),
    ("h2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("TRACE", get(line=b"TRACE / HTTP/1.1"), 405),
    ("CONNECT", get(line=b"CONNECT a:80 HTTP/1.1"), 405),
    ("backslash in the path", get(line=b"GET /a\\b HTTP/1.1"), 400),
    ("fragment", get(line=b"GET /a#b HTTP/1.1"), 400),
]

# name, what is sent, what the target gets: what the client said, and the body with its framing
MADE_PLAIN = [
    ("CL.TE", post(b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + HIDDEN),
     b"POST / HTTP/1.1\r\nHost: a\r\n", b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("TE.CL", post(b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
                   b"21\r\n" + HIDDEN + b"\r\n0\r\n\r\n"),
     b"POST / HTTP/1.1\r\nHost: a\r\n",
     b"Transfer-Encoding: chunked\r\n\r\n21\r\n" + HIDDEN + b"\r\n0\r\n\r\n"),
    ("0.CL: GET with a body", get(b"Content-Length: 33\r\n", body=HIDDEN),
     b"GET / HTTP/1.1\r\nHost: a\r\n", b"Content-Length: 33\r\n\r\n" + HIDDEN),
    ("GET with length 0", get(b"Content-Length: 0\r\n"), b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n"),
    ("the same length twice", post(b"Content-Length: 4\r\nContent-Length: 4\r\n", b"abcd"),
     b"POST / HTTP/1.1\r\nHost: a\r\n", b"Content-Length: 4\r\n\r\nabcd"),
    ("TE in HTTP/1.0", get(b"Transfer-Encoding: chunked\r\n", b"POST / HTTP/1.0", b"0\r\n\r\n"),
     b"POST / HTTP/1.1\r\nHost: a\r\n", b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a blank behind Content-Length", get(b"Content-Length : 33\r\n") + HIDDEN,
     b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n"),
    ("a blank behind Transfer-Encoding", get(b"Transfer-Encoding : chunked\r\n") + HIDDEN,
     b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n"),
    ("Content_Length", get(b"Content_Length: 33\r\n") + HIDDEN,
     b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n"),
    ("bare LF", b"GET / HTTP/1.1\nHost: a\nX: b\n\n", b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n",
     b"\r\n"),
    ("two Hosts: the first", get(b"Host: b\r\n"), b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n"),
    ("folded line", get(b"X: a\r\n b\r\n"), b"GET / HTTP/1.1\r\nHost: a\r\nX: a b\r\n", b"\r\n"),
    ("no colon", get(b"nonsense\r\n"), b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n"),
    ("no token", get(b"X Y: a\r\n"), b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n"),
    ("control character in a value", get(b"X: \x01\r\n"),
     b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n"),
    ("blanks in the request line", get(line=b"GET  /  HTTP/1.1"),
     b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n"),
    ("blank in the path", get(line=b"GET /a b HTTP/1.1"), b"GET /a%20b HTTP/1.1\r\nHost: a\r\n",
     b"\r\n"),
    ("control character in the path", get(line=b"GET /a\x01 HTTP/1.1"),
     b"GET /a%01 HTTP/1.1\r\nHost: a\r\n", b"\r\n"),
    ("HTTP/1.9", get(line=b"GET / HTTP/1.9"), b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n"),
    ("empty lines first", b"\r\n\r\n" + get(), b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n"),
    ("absolute form", get(line=b"GET http://a/p?q HTTP/1.1"),
     b"GET /p?q HTTP/1.1\r\nHost: a\r\n", b"\r\n"),
    ("h2c", get(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"),
     b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n"),
]


def start(start_alb, started, alb=""):
    target = RawTarget()
    started.append(target)
    return start_alb(forward_config(target, alb=alb)), target


def test_what_is_refused_never_reaches_a_target(start_alb, started):
    alb, target = start(start_alb, started)

    for name, data, status in REFUSED:
        with alb.connect() as sock:
            sock.sendall(data + HIDDEN)
            got = read_response(sock)
            assert got.status == status or (status is None and got.status in (400, 501)), name
            assert got.rest == b"", name
            assert is_closed(sock), name
        assert target.got == [], name
    severe = alb.access_row('"MultipleContentLength"')
    assert " 400 - " in severe and '"Severe"' in severe
    assert 0 < alb.metric("alb_desync_non_compliant_requests_total") < len(REFUSED)


def test_what_is_made_plain_reaches_the_target_so_and_only_so(start_alb, started):
    alb, target = start(start_alb, started)

    for name, data, before, after in MADE_PLAIN:
        target.got.clear()
        with alb.connect() as sock:
            sock.sendall(data)
            got = read_response(sock)
            assert got.status == 200, name
            if HIDDEN in data:
                assert got.rest == b"" and is_closed(sock), name
        wait_until(lambda: target.got, name)
        # What comes of the client is before what we add; then the empty line and the body.
        framing, body = (b"", after[2:]) if after.startswith(b"\r\n") else after.split(b"\r\n\r\n", 1)
        framing += b"\r\n" if framing else b""
        pattern = re.escape(before.replace(H, b"Host: a:%d\r\n" % alb.port()) + framing) + OURS + re.escape(b"\r\n" + body)
        assert len(target.got) == 1 and re.fullmatch(pattern, target.got[0]), (name, target.got)


def test_nothing_is_read_behind_an_ambiguous_request(start_alb, started):
    alb, target = start(start_alb, started)

    with alb.connect() as sock:
        sock.sendall(post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"))
        got = read_response(sock)
        assert got.values("Connection") == ["close"]
        sock.sendall(HIDDEN)
        assert is_closed(sock)
    assert len(target.got) == 1
    assert "\"Ambiguous\" \"BothTeClPresent\"" in alb.access_row("POST")


def test_strictest_refuses_all_that_is_odd(start_alb, started):
    alb, target = start(start_alb, started,
                        "routing.http.desync_mitigation_mode = strictest")

    for name, data, _, _ in MADE_PLAIN:
        if name in ("absolute form", "h2c"):
            continue
        with alb.connect() as sock:
            sock.sendall(data)
            assert read_response(sock).status in (400, 501), name
    assert target.got == []
    with alb.connect() as sock:
        sock.sendall(request())
        assert read_response(sock).status == 200


def test_limits_of_a_head(start_alb, started):
    alb, target = start(start_alb, started)
    cases = [
        ("line of 16 KB", get(line=b"GET /" + b"a" * 17000 + b" HTTP/1.1"), 414),
        ("field of 16 KB", get(b"X: " + b"a" * 17000 + b"\r\n"), 400),
        ("head of 64 KB", get((b"X: " + b"a" * 8000 + b"\r\n") * 9), 400),
        ("1000 fields", get(b"X: a\r\n" * 1000), 400),
    ]

    for name, data, status in cases:
        with alb.connect() as sock:
            sock.sendall(data)
            assert read_response(sock).status == status, name
    with alb.connect() as sock:
        sock.sendall(get((b"X: " + b"a" * 8000 + b"\r\n") * 7))
        assert read_response(sock).status == 200
    assert len(target.got) == 1
