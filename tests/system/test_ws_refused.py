"""An upgrade that cannot work is refused at once, with its cause and its cure."""

import pytest

from harness import free_port
from http_wire import read_response
from sockets import is_closed
from ws_peers import BOTH, connect, ws_config
from ws_wire import KEY, upgrade_request

# name, what is changed in a good request, status, reason, a word of the cure
CASES = [
    ("no key", [(b"Sec-WebSocket-Key: " + KEY + b"\r\n", b"")], 400, "missing_key",
     "Sec-WebSocket-Key"),
    ("short key", [(KEY, b"c2hvcnQ=")], 400, "bad_key", "16 random bytes"),
    ("key that is no base64", [(KEY, b"!" * 24)], 400, "bad_key", "16 random bytes"),
    ("two keys", [(b"\r\n\r\n", b"\r\nSec-WebSocket-Key: " + KEY + b"\r\n\r\n")], 400, "bad_key",
     "16 random bytes"),
    ("no version", [(b"Sec-WebSocket-Version: 13\r\n", b"")], 426, "missing_version", "13"),
    ("version 8", [(b"Version: 13", b"Version: 8")], 426, "bad_version", "RFC 6455"),
    ("no connection", [(b"Connection: Upgrade\r\n", b"")], 400, "no_connection_token",
     "Connection: upgrade"),
    ("connection of another kind", [(b"Connection: Upgrade", b"Connection: keep-alive")], 400,
     "no_connection_token", "Connection: upgrade"),
    ("POST", [(b"GET ", b"POST ")], 400, "not_get", "GET"),
    ("HTTP/1.0", [(b"HTTP/1.1", b"HTTP/1.0")], 400, "bad_http_version", "HTTP/1.1"),
    ("a body", [(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\nhello")], 400, "body_on_upgrade",
     "Content-Length"),
    ("a chunked body",
     [(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")], 400, "body_on_upgrade",
     "Transfer-Encoding"),
    ("a list of upgrades", [(b"Upgrade: websocket", b"Upgrade: websocket, h2c")], 400,
     "not_upgrade", "WebSocket client"),
    ("stripped", [(b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n", b"")], 400,
     "stripped", "between the client and here"),
    ("stripped at the edge", [(b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n",
                               b"Via: 1.1 abc.cloudfront.net (CloudFront)\r\n")], 400, "stripped",
     "AllViewer"),
    ("key stripped at the edge", [(b"Sec-WebSocket-Key: " + KEY + b"\r\n",
                                   b"X-Amz-Cf-Id: abc\r\n")], 400, "missing_key", "AllViewer"),
]


def ask_for_refusal(alb, path, changes):
    text = upgrade_request(path)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    with alb.connect() as sock:
        sock.sendall(text)
        response = read_response(sock)
        assert is_closed(sock)
    return response


def test_a_refusal_says_cause_and_cure(start_alb, start_target):
    target = start_target()
    alb = start_alb(ws_config(target))
    for i, (case, changes, status, name, cure) in enumerate(CASES):
        response = ask_for_refusal(alb, f"/room/{i}", changes)
        lines = response.body.decode().splitlines()
        assert (response.status, lines[0]) == (status, f"WebSocket upgrade failed: {name}"), case
        assert len(lines) == 3 and all(line.endswith(".") for line in lines[1:]), case
        assert cure in lines[2], case
        assert response.values("Cache-Control") == ["no-store"], case
        assert response.values("Sec-WebSocket-Version") == (["13"] if status == 426 else []), case
        # RFC 9110 15.5.22 and 7.8
        assert response.values("Upgrade") == (["websocket"] if status == 426 else []), case
        assert response.values("Connection") == ["close"] + (["Upgrade"] if status == 426 else []), case
        line = next(line for line in alb.log().splitlines() if f'path="/room/{i}"' in line)
        assert f"upgrade failed reason={name} status={status} client=127.0.0.1:" in line, case
    for i, (case, _, status, name, _) in enumerate(CASES):
        row = alb.access_row(f"/room/{i} ")
        assert f" {status} - " in row and f'end="{name}"' in row, case
    assert not target.connections
    assert len(alb.access_rows()) == len(CASES), "one row each"
    assert alb.metric('alb_websocket_upgrades_total{outcome="failed"}') == len(CASES)
    assert alb.metric('alb_elb_responses_total{code="4xx"}') == len(CASES)


@pytest.mark.parametrize("listener", BOTH)
def test_a_target_that_cannot_be_reached_is_a_502_with_cause_and_cure(start_alb, listener):
    alb = start_alb(ws_config(f"127.0.0.1:{free_port()}"))
    with connect(alb, listener) as sock:
        sock.sendall(upgrade_request())
        response = read_response(sock)
        assert is_closed(sock)
    lines = response.body.decode().splitlines()
    assert response.status == 502
    assert lines[0] == "WebSocket upgrade failed: target_unreachable"
    assert "target refused the connection" in lines[1] and "no answer" in lines[1] and "alb status" in lines[2]
    assert response.values("Cache-Control") == ["no-store"]
    assert " 502 - " in alb.access_row('end="target refused the connection"')
    assert alb.metric('alb_websocket_upgrades_total{outcome="failed"}') == 1
    assert alb.metric("alb_target_connection_errors_total") == 1


def test_a_group_without_targets_is_a_503_with_cause(start_alb):
    alb = start_alb(ws_config())
    with alb.connect() as sock:
        sock.sendall(upgrade_request())
        response = read_response(sock)
    assert response.status == 503
    assert b"no target" in response.body
