"""The endpoints under /t/, and RFC 6455 read strictly by them."""

import asyncio
import json
import socket

import pytest
import websockets

from chat import within
from harness import split_address
from http_wire import read_head
from sockets import read_exactly, read_until_close
from ws_wire import frame, read_frame, upgrade_request


@pytest.fixture
def node(start_wsserver):
    return start_wsserver(max_message_bytes="1m")


def connect(node, path="/t/echo", fields=b""):
    s = socket.create_connection(split_address(node.address), 20)
    s.sendall(upgrade_request(path, fields))
    head, rest = read_head(s)
    assert head.startswith(b"HTTP/1.1 101 ") and not rest
    return s


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 1 << 20])
@pytest.mark.parametrize("protocols", [None, ["wsserver.v1.json"], ["other"]])
def test_echo(node, size, protocols):
    async def go():
        async with websockets.connect(node.url("/t/echo"), subprotocols=protocols, max_size=None,
                                      ping_interval=None) as ws:
            assert ws.subprotocol is None
            for message in ("x" * size, b"\xff" * size):
                await ws.send(message)
                assert await within(ws.recv()) == message
    asyncio.run(go())


def test_fragments_with_a_ping_between(node):
    with connect(node) as s:
        s.sendall(frame(1, b"a\xc3", fin=False) + frame(9, b"p") + frame(0, b"\xa4b"))
        assert read_frame(s) == (10, True, b"p") and read_frame(s) == (1, True, b"a\xc3\xa4b")


def test_byte_by_byte(node):
    with connect(node) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in frame(1, b"slowly but surely"):
            s.sendall(bytes([byte]))
        assert read_frame(s) == (1, True, b"slowly but surely")


def test_many_at_once_come_back_in_order(node):
    with connect(node) as s:
        messages = [str(i).encode() * (i % 50) for i in range(2000)]
        s.sendall(b"".join(frame(2, m) for m in messages))
        for m in messages:
            assert read_frame(s) == (2, True, m)


@pytest.mark.parametrize("bad, code", [
    (frame(1, b"x", mask=None), 1002), (frame(3, b""), 1002), (frame(11, b""), 1002),
    (b"\xc1\x80\0\0\0\0", 1002), (frame(9, b"", fin=False), 1002), (frame(9, b"x" * 126), 1002),
    (frame(0, b"x"), 1002), (frame(1, b"x", fin=False) + frame(1, b"y"), 1002),
    (frame(1, b"\xff"), 1007), (frame(1, b"\xc3"), 1007), (frame(1, b"\xed\xa0\x80"), 1007),
    (frame(8, b"\x03"), 1002), (frame(8, b"\x03\xed"), 1002), (frame(8, b"\x03\xe8\xff"), 1007),
    (b"\x82\xff" + (1 << 20 | 1).to_bytes(8, "big") + b"\0\0\0\0", 1009),
])
def test_what_breaks_the_rules_is_closed_with_its_code(node, bad, code):
    with connect(node) as s:
        s.sendall(bad)
        opcode, _, payload = read_frame(s)
        assert opcode == 8 and int.from_bytes(payload[:2], "big") == code
        assert s.recv(1) == b""


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe9bye", b"\x0f\xa0", b"\x13\x87x"])
def test_a_close_is_answered_with_its_code(node, payload):
    with connect(node) as s:
        s.sendall(frame(1, b"last") + frame(8, payload) + frame(1, b"too late"))
        assert read_frame(s) == (1, True, b"last")
        assert read_frame(s) == (8, True, payload[:2]) and s.recv(1) == b""


@pytest.mark.parametrize("query, code, reason", [
    ("", 1000, ""), ("?code=4321&reason=so+it%20is", 4321, "so it is"),
    ("?code=1011&after=50", 1011, ""), ("?code=1005", 1005, ""),
])
def test_close(node, query, code, reason):
    async def go():
        async with websockets.connect(node.url("/t/close" + query)) as ws:
            with pytest.raises(websockets.ConnectionClosed):
                await within(ws.recv())
            assert (ws.close_code, ws.close_reason) == (code, reason)
    asyncio.run(go())


def test_headers_as_they_arrived(node):
    fields = b"X-Odd-CASE: 1\r\nx-odd-case: 2\r\nVia: 1.1 edge\r\n"
    with socket.create_connection(split_address(node.address), 20) as s:
        s.sendall(upgrade_request("/t/headers?a=b", fields) + frame(8))
        first, close = b"\x81\x7e", b"\x88\x00"
        text = read_until_close(s).partition(b"\r\n\r\n")[2]
        assert text.startswith(first) and text.endswith(close)
        got = json.loads(text[4:-2])
        local = "%s:%d" % s.getsockname()
    assert (got["method"], got["target"], got["peer"]) == ("GET", "/t/headers?a=b", local)
    names = [name for name, _ in got["fields"]]
    assert names[:2] == ["Host", "Connection"]
    assert [f for f in got["fields"] if f[0].lower() == "x-odd-case"] == [
        ["X-Odd-CASE", "1"], ["x-odd-case", "2"]]
    assert got["missing"] == ["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"]


def test_headers_as_a_page(node):
    got = json.loads(node.get("/t/headers", headers={"X-One": "1"})[2])
    assert ["X-One", "1"] in got["fields"] and "Sec-WebSocket-Key" in got["missing"]


def test_a_frame_behind_the_head_is_whole(node):
    """Not one byte of what follows the head is taken for a part of it."""
    with socket.create_connection(split_address(node.address), 20) as s:
        data = upgrade_request("/t/echo") + frame(2, bytes(range(256)) * 100)
        for i in range(0, len(data), 1000):
            s.sendall(data[i:i + 1000])
        head, rest = read_head(s)
        assert head.startswith(b"HTTP/1.1 101 ")
        assert read_exactly(s, 4 + 25600, rest)[4:] == bytes(range(256)) * 100
