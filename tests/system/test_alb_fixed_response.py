"""Answers that need no target."""

from balancer import forward_config
from http_wire import ask, read_response, request
from sockets import is_closed

CONFIG = forward_config("127.0.0.1:1").replace(
    "default_action = forward app",
    'default_action = fixed-response 404 text/plain "not here"') + """
[rule page]
listener = http
priority = 1
path-pattern = /page
action = fixed-response 200 text/html "<p>hello</p>"
[rule empty]
listener = http
priority = 2
path-pattern = /empty
action = fixed-response 204
"""


def test_they_carry_status_type_and_text_and_keep_the_connection(start_alb):
    alb = start_alb(CONFIG)

    with alb.connect() as sock:
        for path, status, kind, body in (("/", 404, "text/plain", b"not here"),
                                         ("/page", 200, "text/html", b"<p>hello</p>"),
                                         ("/empty", 204, "text/plain", b"")):
            sock.sendall(request(path=path))
            got = read_response(sock)
            assert (got.status, got.values("Content-Type"), got.body) == (status, [kind], body)
            assert got.values("Server") == ["awselb/2.0"]
    row = alb.access_row("/page")
    assert " - -1 -1 -1 200 - " in row and '"fixed-response"' in row
    assert alb.metric("alb_fixed_responses_total") == 3


def test_head_gets_the_length_only(start_alb):
    alb = start_alb(CONFIG)

    with alb.connect() as sock:
        sock.sendall(request("HEAD", "/page") + request(path="/empty"))
        got = read_response(sock, to_head=True)
        assert got.values("Content-Length") == ["12"]
        assert read_response(sock, got.rest).status == 204


def test_a_body_that_comes_along_is_not_taken_for_a_request(start_alb):
    alb = start_alb(CONFIG)

    with alb.connect() as sock:
        sock.sendall(request("POST", body=request(path="/page")))
        got = read_response(sock)
        assert (got.status, got.rest) == (404, b"")
        assert got.values("Connection") == ["close"]
        assert is_closed(sock)


def test_trace_is_405_whatever_the_rules_say(start_alb):
    alb = start_alb(CONFIG)

    assert ask(alb, request("TRACE", "/page")).status == 405
