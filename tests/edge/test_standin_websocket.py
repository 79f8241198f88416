"""WebSockets through the stand-in: relayed as they are, repeated when late, cut when the origin says nothing."""

import time

import pytest

from edge_standin import ten_minutes_in
from harness import PATIENCE, wait_until
from http_wire import read_response, values
from localhost_cert import make_certificate
from ws_peers import BINARY, TEXT, Client, connect, is_alive, open_tunnel
from ws_wire import KEY, echo_script, upgrade_request

IDLE = "websocket ended"


def test_frames_and_both_ends(start_edge, target):
    edge = start_edge(target)
    client, origin = open_tunnel(edge, target, fields=b"Sec-WebSocket-Protocol: chat\r\n")
    assert values(target.seen[0], "Sec-WebSocket-Key") == [KEY.decode()]
    assert values(target.seen[0], "Sec-WebSocket-Protocol") == ["chat"]
    with client, origin:
        assert is_alive(client, origin)
        client.send(BINARY, b"b" * 300000)
        assert origin.receive() == (BINARY, True, b"b" * 300000)
        client.finish()
        assert origin.is_at_end()
        origin.send(TEXT, b"last words")  # half an end is passed on as such
        assert client.receive() == (TEXT, True, b"last words")
        origin.finish()
        assert client.is_at_end()
    wait_until(lambda: edge.lines("why='closed by viewer'"), "it to be logged")


def test_without_the_keys_the_origin_gets_a_bare_upgrade(start_edge, target):
    edge = start_edge(target, "--policy", "none")
    with edge.connect() as sock:
        sock.sendall(upgrade_request())
        assert read_response(sock).status == 502  # this target answers no such thing
    assert values(target.seen[0], "Upgrade") == ["websocket"]
    assert b"Sec-WebSocket" not in target.seen[0]


def test_an_upgrade_without_an_answer_is_sent_again(start_edge, start_target):
    target = start_target(lambda sock, *_: sock.recv(1) and None)
    edge = start_edge(target, "--response-timeout", 0.1)
    with edge.connect() as sock:
        sock.sendall(upgrade_request())
        assert read_response(sock).status == 504
    wait_until(lambda: len(target.seen) == 3, "the target to have read the last of them")
    assert [values(head, "Sec-WebSocket-Key") for head in target.seen] == [[KEY.decode()]] * 3


def test_bytes_of_the_viewer_do_not_keep_it_open(start_edge, target):
    edge = start_edge(target, *ten_minutes_in(1.5))
    client, origin = open_tunnel(edge, target)
    with client, origin:
        for _ in range(3):
            origin.send(TEXT, b"tick")
            assert client.receive() == (TEXT, True, b"tick")
        began = time.monotonic()
        while not edge.lines(IDLE):
            client.send(TEXT, b"still here")
            assert origin.receive() in ((TEXT, True, b"still here"), None)
            assert time.monotonic() - began < 10 * PATIENCE
        assert client.is_at_end() and time.monotonic() - began >= 1.4
    assert "idle: nothing came from the origin" in edge.lines(IDLE)[0]


@pytest.mark.parametrize("name, is_good", [("app.internal", True), ("origin.internal", False)])
def test_tls_on_both_sides_and_the_certificate_is_verified(start_edge, start_tls_target, certificates, name, is_good):
    """The origin's certificate is for app.internal."""
    target = start_tls_target(echo_script)
    edge = start_edge(target, "--origin-tls", "--origin-ca", certificates.authority, "--origin-name", name,
                      "--certificate", make_certificate(), "--listen-tls", "127.0.0.1:0")
    if is_good:
        with Client(edge, "https") as client:
            client.send(TEXT, b"hello")
            assert client.receive() == (TEXT, True, b"hello")
            client.send_close(1000)
            assert client.receive_close() == (1000, b"") and client.is_at_end()
        return
    with connect(edge, "https") as sock:
        sock.sendall(upgrade_request())
        got = read_response(sock)
    assert got.status == 502 and b"certificate" in got.body
    assert target.seen == []
