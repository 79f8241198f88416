"""A 101 is believed only when it answers the very request; anything else is no tunnel."""

import pytest

from http_wire import ask, read_response
from scripted_target import answer
from sockets import is_closed
from ws_peers import BOTH, TEXT, Client, Upgraded, connect, open_tunnel, ws_config
from ws_wire import accept_key, upgrade_request

OFFER = b"Sec-WebSocket-Protocol: chat.v1, chat.v2\r\nSec-WebSocket-Extensions: x-known; a=1\r\n"

GOOD = {"Upgrade": b"websocket", "Connection": b"Upgrade", "Sec-WebSocket-Accept": None}

# What the target says instead of, or beside, a good 101; and the name of what is wrong.
BAD = [
    ("another's accept", {"Sec-WebSocket-Accept": b"AAAAAAAAAAAAAAAAAAAAAAAAAAA="},
     "accept_mismatch"),
    ("no accept", {"Sec-WebSocket-Accept": b""}, "accept_missing"),
    ("no upgrade", {"Upgrade": b""}, "no_upgrade_field"),
    ("another upgrade", {"Upgrade": b"h2c"}, "no_upgrade_field"),
    ("no connection", {"Connection": b""}, "no_connection_field"),
    ("another connection", {"Connection": b"keep-alive"}, "no_connection_field"),
    ("a subprotocol not offered", {"Sec-WebSocket-Protocol": b"chat.v3"}, "protocol_not_offered"),
    ("a subprotocol in other case", {"Sec-WebSocket-Protocol": b"CHAT.v1"},
     "protocol_not_offered"),
    ("an extension not offered", {"Sec-WebSocket-Extensions": b"permessage-deflate"},
     "extension_not_offered"),
    ("a length", {"Content-Length": b"5"}, "body_on_101"),
]


def number(head):
    """The case that the path names."""
    return int(head.split(b" ")[1].rsplit(b"/", 1)[1])


def switch_badly(sock, head, _rest):
    lines = dict(GOOD, **{"Sec-WebSocket-Accept": accept_key(head)})
    lines.update(BAD[number(head)][1])
    sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\n" + b"".join(
        name.encode() + b": " + value + b"\r\n" for name, value in lines.items() if value) +
        b"\r\n\x81\x01x")
    return True


def upgrade(alb, path, behind=b""):
    """The response, which nothing follows."""
    with alb.connect() as sock:
        sock.sendall(upgrade_request(path, OFFER) + behind)
        response = read_response(sock)
        assert not response.rest and is_closed(sock)
    return response


def test_a_bad_101_is_a_502_that_names_the_reason(start_alb, start_target):
    alb = start_alb(ws_config(start_target(switch_badly)))
    for i, (case, _, name) in enumerate(BAD):
        response = upgrade(alb, f"/bad/{i}")
        lines = response.body.decode().splitlines()
        assert response.status == 502, case
        assert lines[0] == f"WebSocket upgrade failed: {name}", case
        assert len(lines) == 3 and all(line.endswith(".") for line in lines[1:]), case
        assert response.values("Cache-Control") == ["no-store"], case
    for i, (case, _, name) in enumerate(BAD):
        row = alb.access_row(f"/bad/{i} ")
        end = "a 101 response cannot have a length" if name == "body_on_101" else name
        assert " 502 - " in row and f'end="{end}"' in row, case
    assert len(alb.access_rows()) == len(BAD), "one row each"
    assert alb.metric('alb_websocket_upgrades_total{outcome="failed"}') == len(BAD)
    assert alb.metric("alb_websocket_tunnels_open") == 0


@pytest.mark.parametrize("listener", BOTH)
def test_a_good_101_brings_the_choice_of_the_target(start_alb, start_target, listener):
    target = start_target(Upgraded(b"Sec-WebSocket-Protocol: chat.v2\r\nX-Origin: 7\r\n"
                                   b"Sec-WebSocket-Extensions: x-known; b=2\r\n"))
    alb = start_alb(ws_config(target))
    client, _origin = open_tunnel(alb, target, listener, fields=OFFER)
    for line in (b"Sec-WebSocket-Protocol: chat.v2", b"X-Origin: 7", b"Upgrade: websocket",
                 b"Sec-WebSocket-Extensions: x-known; b=2", b"Connection: Upgrade"):
        assert b"\r\n" + line + b"\r\n" in client.head
    assert b"\r\nSec-WebSocket-Protocol: chat.v1, chat.v2\r\n" in target.seen[0]
    assert alb.metric('alb_websocket_upgrades_total{outcome="opened"}') == 1


def test_an_interim_response_before_the_101_does_not_disturb(start_alb, start_target):
    upgraded = Upgraded()

    def script(sock, head, rest):
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        return upgraded(sock, head, rest)
    alb = start_alb(ws_config(start_target(script)))
    with Client(alb) as client:
        upgraded.take().send(TEXT, b"hi")
        assert client.receive() == (TEXT, True, b"hi")


STATUSES = ["200 OK", "401 Unauthorized", "403 Forbidden", "404 Not Found",
            "500 Internal Server Error", "503 Service Unavailable"]


def test_another_answer_is_relayed_and_the_connection_closed(start_alb, start_target):
    def script(sock, head, rest):
        return answer(b"not today", STATUSES[number(head)], b"X-Why: because\r\n")(sock, head, rest)
    target = start_target(script)
    alb = start_alb(ws_config(target))
    for i, status in enumerate(STATUSES):
        response = upgrade(alb, f"/no/{i}", b"\x81\x05helloGET /next HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (response.status, response.body) == (int(status[:3]), b"not today")
        assert response.values("X-Why") == ["because"], status
        assert response.values("Connection") == ["close"], status
    for i, status in enumerate(STATUSES):
        row = alb.access_row(f"/no/{i} ")
        assert f" {status[:3]} {status[:3]} " in row and 'end="target did not upgrade"' in row
    assert len(target.seen) == len(STATUSES), "what came behind an upgrade is no request"
    assert len(alb.access_rows()) == len(STATUSES)
    assert alb.metric('alb_websocket_upgrades_total{outcome="failed"}') == len(STATUSES)


def test_a_101_to_a_plain_request_is_a_502(start_alb, start_target):
    def script(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                     b"Connection: Upgrade\r\n\r\n")
        return True
    alb = start_alb(ws_config(start_target(script)))
    assert ask(alb, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").status == 502
    assert 'end="target answered 101 to a plain request"' in alb.access_row(" 502 ")


def test_h2c_is_asked_for_in_vain(start_alb, start_target):
    """An upgrade to anything but WebSocket is a plain request (RFC 9110 7.8)."""
    target = start_target(answer(b"plain"))
    alb = start_alb(ws_config(target))
    response = ask(alb, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
    assert (response.status, response.body) == (200, b"plain")
    assert b"h2c" not in target.seen[0] and b"HTTP2-Settings" not in target.seen[0]


def test_a_target_that_never_answers_the_upgrade_is_a_504(start_alb, start_target):
    def script(sock, _head, _rest):
        sock.recv(1)
        return False
    alb = start_alb(ws_config(start_target(script), alb="idle_timeout.timeout_seconds = 1"))
    with connect(alb) as sock:
        sock.sendall(upgrade_request())
        response = read_response(sock)
    assert response.status == 504
    assert b"did not answer within the idle timeout" in response.body
