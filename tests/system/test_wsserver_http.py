"""Plain HTTP on the chat server's port, and upgrades that are refused."""

import socket

import pytest

from harness import split_address
from http_wire import read_head, read_response
from sockets import read_exactly
from ws_wire import frame, upgrade_request


@pytest.fixture
def node(start_wsserver):
    return start_wsserver()


def connect(node):
    return socket.create_connection(split_address(node.address), 10)


@pytest.mark.parametrize("path, kind, text", [
    ("/health", "text/plain", "ok\n"),
    ("/ready", "text/plain", "ready\n"),
    ("/metrics", "text/plain; version=0.0.4", "wsserver_connections_open"),
    ("/", "text/html", "<!doctype html>"),
    ("/index.html", "text/html", "<!doctype html>"),
    ("/app.js", "text/javascript", "import"),
    ("/postern.js", "text/javascript", "export class Client"),
    ("/style.css", "text/css", "{"),
    ("/t/headers", "application/json", '"method":"GET"'),
])
def test_pages(node, path, kind, text):
    status, headers, body = node.get(path)
    assert status == 200 and headers["Content-Type"].startswith(kind) and text in body
    status, headers, nothing = node.get(path, "HEAD")
    assert status == 200 and nothing == "" and int(headers["Content-Length"]) > 0


def test_the_page_is_served_with_a_strict_policy(node):
    headers = node.get("/")[1]
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/nothing", 404), ("GET", "/ws", 404), ("POST", "/health", 405), ("PUT", "/", 405),
    ("GET", "/t/nothing", 404), ("GET", "/ws/lobby", 426), ("GET", "/ws/no%20room", 400),
    ("GET", "/t/echo", 426), ("GET", "/t/reject", 426),
])
def test_statuses(node, method, path, status):
    got, headers, body = node.get(path, method)
    assert got == status and headers["Cache-Control"] == "no-store" and len(body.splitlines()) >= 1


def test_test_endpoints_are_off_by_default(start_wsserver):
    node = start_wsserver(test_enabled="no")
    assert node.get("/t/headers")[0] == node.get("/t/echo")[0] == 404


def test_a_connection_is_kept_and_requests_may_come_together(node):
    with connect(node) as s:
        for _ in range(3):
            s.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
            first = read_response(s)
            second = read_response(s, first.rest)
            assert first.body == second.body == b"ok\n"
        s.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert read_response(s).body == b"ok\n" and s.recv(1) == b""


def test_a_request_may_come_byte_by_byte(node):
    with connect(node) as s:
        for byte in b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n":
            s.sendall(bytes([byte]))
        assert read_response(s).body == b"ok\n"


def test_a_request_with_a_body_ends_the_connection(node):
    with connect(node) as s:
        s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
        assert read_response(s).status == 405 and s.recv(1) == b""


def test_a_malformed_request_is_refused(node):
    with connect(node) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1x\r\n\r\n")
        assert read_response(s).status == 400 and s.recv(1) == b""


@pytest.mark.parametrize("request_bytes, status, cause", [
    (upgrade_request("/ws/lobby").replace(b"Version: 13", b"Version: 8"), 426, b"not 13"),
    (upgrade_request("/ws/lobby").replace(b"Sec-WebSocket-Key: ", b"X-Key: "), 400,
     b"Sec-WebSocket-Key"),
    (upgrade_request("/ws/lobby").replace(b"Sec-WebSocket-", b"X-"), 400, b"Sec-WebSocket-"),
    (upgrade_request("/ws/no%20room"), 400, b"room"),
    (upgrade_request("/ws/" + "x" * 65), 400, b"room"),
    (upgrade_request("/ws/"), 400, b"room"),
    (upgrade_request("/t/reject?status=418"), 418, b"refuses"),
    (upgrade_request("/nothing"), 404, b"nothing"),
])
def test_a_refused_upgrade_says_why_and_what_to_do(node, request_bytes, status, cause):
    with connect(node) as s:
        s.sendall(request_bytes)
        got = read_response(s)
        assert got.status == status and cause in got.body.splitlines()[0]
        assert len(got.body.splitlines()) == 2
        assert got.values("Content-Type") == ["text/plain; charset=utf-8"]
        assert got.values("Cache-Control") == ["no-store"]
        if status == 426:
            assert got.values("Sec-WebSocket-Version") == ["13"]


def test_frames_may_come_with_the_handshake(node):
    with connect(node) as s:
        s.sendall(upgrade_request("/t/echo") + frame(1, b"early") + frame(9, b"ping"))
        head, rest = read_head(s)
        assert head.startswith(b"HTTP/1.1 101 ")
        want = frame(1, b"early", mask=None) + frame(10, b"ping", mask=None)
        assert read_exactly(s, len(want), rest) == want


def test_too_many_websockets_get_503(start_wsserver):
    node = start_wsserver(max_connections=1)
    with connect(node) as first, connect(node) as second:
        first.sendall(upgrade_request("/t/echo"))
        assert read_head(first)[0].startswith(b"HTTP/1.1 101 ")
        second.sendall(upgrade_request("/t/echo"))
        got = read_response(second)
        assert got.status == 503 and got.values("Retry-After") == ["1"]
        assert node.get("/ws/lobby")[0] == 503  # whoever asks by HTTP hears the same
        assert node.get("/ready")[0] == 200
