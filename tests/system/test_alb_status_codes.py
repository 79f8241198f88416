"""Every status that is the balancer's own, each with its page, its row and a reason in the row."""

import contextlib
import shlex
import socket

import pytest

from balancer import forward_config
from harness import free_port, wait_until
from http_wire import read_response, request
from sockets import reset

PAGES = {
    400: "Bad Request", 405: "Method Not Allowed", 408: "Request Timeout", 414: "URI Too Long",
    463: "Too Many Forwarded Addresses", 464: "Incompatible Protocol Versions",
    500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported",
}

GROUPS = """
[target_group h2]
target = 127.0.0.1:1
protocol_version = HTTP2
health_check.enabled = false
[target_group grpc]
target = 127.0.0.1:1
protocol_version = GRPC
health_check.enabled = false
[target_group empty]
health_check.enabled = false
[target_group refused]
target = 127.0.0.1:{refused}
health_check.enabled = false
[target_group full]
target = 127.0.0.1:{full}
health_check.enabled = false
[rule broken]
listener = http
priority = 1
path-pattern = /broken*
url-rewrite = ^/broken ""
action = forward app
"""

RULE = """
[rule {name}]
listener = http
priority = {priority}
path-pattern = /{name}
action = forward {name}
"""

# What the target does for a path; then it waits for the end.
TARGET = {
    b"/garbage": b"hello\r\n\r\n",
    b"/framing": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
    b"/large": b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 40000 + b"\r\n\r\n",
    b"/switch": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
}


def behave(sock, head, _rest):
    path = head.split(b" ")[1]
    if path == b"/reset":
        reset(sock)
    elif path == b"/part":
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
    elif path != b"/close":
        sock.sendall(TARGET.get(path, b""))
    if path not in (b"/reset", b"/close"):
        sock.recv(1)
    return False


def line(text, fields=b"Host: a\r\n"):
    return text + b"\r\n" + fields + b"\r\n"


POST = b"POST /silent HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"
XFF = b"X-Forwarded-For: " + b", ".join(b"10.0.0.%d" % i for i in range(31)) + b"\r\n"

# what is sent, the status, the reason
CASES = [
    (line(b"GET / HTTP/1.1", b""), 400, "HTTP/1.1 needs a Host"),
    (line(b"GE(T / HTTP/1.1"), 400, "the method is malformed"),
    (line(b"GET / HTTP/1.1", b"Host: a\r\nX: " + b"x" * 17000 + b"\r\n"), 400,
     "a field is too long"),
    (line(b"GET / HTTP/1.1", b"Host: a\r\n" + (b"X: " + b"x" * 9000 + b"\r\n") * 8), 400,
     "the request head is too long"),
    (line(b"TRACE / HTTP/1.1"), 405, "CONNECT and TRACE are not allowed"),
    (line(b"GET /" + b"x" * 17000 + b" HTTP/1.1"), 414, "the request line is too long"),
    (request(fields=XFF), 463, "more than 30 addresses in X-Forwarded-For"),
    (request(path="/h2"), 464, "target group does not speak HTTP/1.1"),
    (request(path="/grpc"), 464, "target group does not speak HTTP/1.1"),
    (request(path="/brokenx"), 500, "transform failed"),
    (line(b"POST / HTTP/1.1", b"Host: a\r\nTransfer-Encoding: gzip\r\n"), 501,
     "only the transfer coding chunked is done here"),
    (line(b"GET / HTTP/2.0"), 505, "HTTP/1.0 and HTTP/1.1 are spoken here"),
    (request(path="/refused"), 502, "target refused the connection"),
    (request(path="/reset"), 502, "target reset the connection"),
    (request(path="/close"), 502, "target closed without an answer"),
    (request(path="/garbage"), 502, "the status line is malformed"),
    (request(path="/framing"), 502, "the response's Content-Length is malformed or repeated"),
    (request(path="/large"), 502, "the response head is too long"),
    (request(path="/switch"), 502, "target answered 101 to a plain request"),
    (request(path="/empty"), 503, "no target"),
    (request(path="/full"), 504, "target connect timeout"),
    (request(path="/silent"), 504, "target did not answer within the idle timeout"),
    (POST, 408, "client sent no body within the idle timeout"),
    (b"GET / HTTP/1.1\r\nHos", 408, "request head not whole in time"),
]


@pytest.fixture(name="full")
def _full():
    """A port whose queue is full: a connection to it is never answered."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = listener.getsockname()[1]
        for _ in range(3):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(("127.0.0.1", port))
        yield port


def start(start_alb, target, full):
    rules = "".join(RULE.format(name=name, priority=i + 10)
                    for i, name in enumerate(("h2", "grpc", "empty", "refused", "full")))
    return start_alb(forward_config(
        target, alb="idle_timeout.timeout_seconds = 1",
        more=GROUPS.format(refused=free_port(), full=full) + rules))


def check_page(got, status, sent):
    text = f"{status} {PAGES[status]}"
    assert got.head.startswith(f"HTTP/1.1 {text}\r\n".encode()), sent
    assert got.values("Server") == ["awselb/2.0"], sent
    assert got.values("Content-Type") == ["text/html"], sent
    assert got.values("Connection") == ["close"], sent
    assert len(got.values("Date")) == 1, sent
    assert f"<h1>{text}</h1>".encode() in got.body, sent


def test_each_has_its_page_and_its_row(start_alb, start_target, full):
    alb = start(start_alb, start_target(behave), full)

    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(alb.connect()) for _ in CASES]
        for sock, (data, _, _) in zip(socks, CASES):
            sock.sendall(data)
        for sock, (data, status, _) in zip(socks, CASES):
            check_page(read_response(sock), status, data[:40])
    wait_until(lambda: len(alb.access_rows()) == len(CASES), "all rows")
    rows = [(shlex.split(row)[8:10], row) for row in alb.access_rows()]
    for data, status, why in CASES:
        assert any(fields == [str(status), "-"] and f'end="{why}"' in row
                   for fields, row in rows), (data, why)
    assert alb.metric('alb_elb_responses_total{code="5xx"}') == sum(s >= 500 for _, s, _ in CASES)


def test_some_have_only_a_row(start_alb, start_target, full):
    """The client is gone, or saw the beginning of another response."""
    target = start_target(behave)
    alb = start(start_alb, target, full)

    with alb.connect() as sock:
        sock.sendall(request(path="/silent?gone"))
        wait_until(lambda: target.seen, "the target to have the request")
        reset(sock)
    with alb.connect() as sock:
        sock.sendall(request(path="/part"))
        with pytest.raises(EOFError):
            read_response(sock)
    with alb.connect() as sock:
        sock.sendall(POST.replace(b"/silent", b"/silent?half"))
        sock.shutdown(socket.SHUT_WR)
        check_page(read_response(sock), 400, "half a body")
    for path, status, target_status, why in (
            ("/silent?gone", "460", "-", "client reset"),
            ("/part", "504", "200", "idle timeout within the response"),
            ("/silent?half", "400", "-", "client closed before the whole body came")):
        row = alb.access_row(path + " ")
        assert shlex.split(row)[8:10] == [status, target_status] and f'end="{why}"' in row, row
    assert alb.metric('alb_elb_responses_total{code="5xx"}') == 1
