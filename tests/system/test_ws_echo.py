"""What one side sends, the other gets: every size, shape and speed, plain and over TLS."""

import asyncio
import hashlib
import os
import ssl

import pytest
import websockets

from localhost_cert import CERT
from ws_peers import (BINARY, BOTH, CLOSE, CONTINUATION, PING, PONG, TEXT, Client, in_background,
                      ws_config)
from ws_wire import echo_script, frame


@pytest.fixture
def alb(start_alb, start_target):
    return start_alb(ws_config(start_target(echo_script)))


@pytest.mark.parametrize("listener", BOTH)
def test_messages_of_every_length_form_come_back(alb, listener):
    with Client(alb, listener) as client:
        for n in (0, 1, 125, 126, 65535, 65536, 1 << 20):
            for opcode in (TEXT, BINARY):
                payload = os.urandom(n) if opcode == BINARY else b"x" * n
                client.send(opcode, payload)
                assert client.receive() == (opcode, True, payload), (opcode, n)


@pytest.mark.parametrize("listener", BOTH)
def test_a_message_of_16_mb_comes_back_whole(alb, listener):
    payload = os.urandom(1 << 16) * 256
    with Client(alb, listener) as client:
        done = in_background(client.send, BINARY, payload)
        opcode, fin, back = client.receive()
        done()
    assert (opcode, fin, len(back)) == (BINARY, True, len(payload))
    assert hashlib.sha256(back).digest() == hashlib.sha256(payload).digest()


@pytest.mark.parametrize("listener", BOTH)
def test_fragments_keep_their_shape_with_pings_in_between(alb, listener):
    with Client(alb, listener) as client:
        client.send(TEXT, b"one ", fin=False)
        client.send(PING, b"p1")
        client.send(CONTINUATION, b"two ", fin=False)
        client.send(PING, b"")
        client.send(CONTINUATION, b"", fin=True)
        assert [client.receive() for _ in range(5)] == [
            (TEXT, False, b"one "), (PONG, True, b"p1"), (CONTINUATION, False, b"two "),
            (PONG, True, b""), (CONTINUATION, True, b"")]


@pytest.mark.parametrize("listener", BOTH)
def test_frames_that_come_a_byte_at_a_time_pass(alb, listener):
    with Client(alb, listener) as client:
        for byte in frame(TEXT, b"slowly") + frame(PING, b"!") + frame(BINARY, b"z" * 130):
            client.sendall(bytes([byte]))
        assert client.receive() == (TEXT, True, b"slowly")
        assert client.receive() == (PONG, True, b"!")
        assert client.receive() == (BINARY, True, b"z" * 130)


def test_many_small_frames_keep_their_order_and_are_counted(alb):
    n = 20000
    with Client(alb) as client:
        def send():
            client.sendall(b"".join(frame(TEXT, b"%d" % i) for i in range(n)))
        done = in_background(send)
        for i in range(n):
            assert client.receive() == (TEXT, True, b"%d" % i)
        done()
        client.send_close(1000)
        assert client.receive_close() == (1000, b"")
    row = alb.access_row("client_frames=")
    assert f" client_frames={n + 1} target_frames={n + 1} " in row


def test_compressed_messages_pass_through(start_alb, started):
    """permessage-deflate is between the two endpoints (RSV1 and the extension's offer)."""
    texts = ["", "hello " * 1000, "x", "zz" * 100000]

    async def echo(ws):
        async for message in ws:
            await ws.send(message)

    async def talk(uri, context):
        async with websockets.connect(uri, ssl=context, compression="deflate") as ws:
            extensions = getattr(ws, "protocol", ws).extensions  # where newer versions keep them
            assert [e.name for e in extensions] == ["permessage-deflate"]
            for text in texts:
                await ws.send(text)
                assert await ws.recv() == text
            await ws.ping()
            await ws.send(b"bytes")
            assert await ws.recv() == b"bytes"
        assert ws.close_code == 1000

    async def main():
        loop = asyncio.get_running_loop()
        async with websockets.serve(echo, "127.0.0.1", 0, compression="deflate") as server:
            port = server.sockets[0].getsockname()[1]
            alb = await loop.run_in_executor(
                None, lambda: start_alb(ws_config(f"127.0.0.1:{port}")))
            await talk(alb.url("/", "http", "ws"), None)
            context = ssl.create_default_context(cafile=CERT)
            await talk(alb.url("/", "https", "wss"), context)
        return alb
    alb = asyncio.run(main())
    assert alb.metric("alb_websocket_tunnels_opaque_total") == 0, "RSV1 can be followed"


def test_a_row_says_what_went_through_the_tunnel(alb):
    with Client(alb, path="/chat?room=1") as client:
        client.send(TEXT, b"hello")
        client.receive()
        client.send(CLOSE, b"\x0f\xa0bye")  # 4000
        assert client.receive_close() == (4000, b"bye")
    row = alb.access_row("/chat")
    assert row.startswith("ws ") and " 101 101 " in row
    assert 'end="closed by client" client_frames=2 target_frames=2 client_close=4000 ' \
           'target_close=4000' in row
    assert len(alb.access_rows()) == 1
