"""Silence, slowness and death: pings, their answers, and what becomes of who does not read."""

import asyncio
import concurrent.futures
import socket
import time

import pytest
import websockets

from chat import Chat, Wsserver
from harness import PATIENCE, split_address, wait_until
from sockets import read_exactly
from ws_wire import frame, read_frame, upgrade_request


def connect(node, path, fields=b"", **options):
    s = socket.socket()
    for option, value in options.items():
        s.setsockopt(socket.SOL_SOCKET, getattr(socket, option), value)
    s.settimeout(30)
    s.connect(split_address(node.address))
    s.sendall(upgrade_request(path, fields))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += read_exactly(s, 1)
    assert head.startswith(b"HTTP/1.1 101 ")
    return s


@pytest.mark.parametrize("path", ["/t/echo", "/ws/lobby"])
def test_silent_connections_are_pinged(start_wsserver, path):
    node = start_wsserver(ping_interval="200ms")
    with connect(node, path) as s:
        for _ in range(3):
            assert read_frame(s)[0] == 9
            s.sendall(frame(10))


def test_chat_clients_get_a_ping_of_the_protocol_too(start_wsserver):
    node = start_wsserver(ping_interval="200ms")

    async def go():
        async with Chat(node, "alice") as c:
            for _ in range(2):
                ping = await c.next("ping")
                await c.send({"t": "pong", "ts": ping["ts"]})
    asyncio.run(go())


def test_silence_stays_silent(start_wsserver):
    node = start_wsserver(ping_interval="100ms")
    with connect(node, "/t/silence") as s:
        s.sendall(frame(1, b"hello") + frame(9, b"anybody?"))
        s.settimeout(1)
        with pytest.raises(socket.timeout):
            s.recv(1)
        s.settimeout(30)
        s.sendall(frame(8, b"\x03\xe8"))
        assert read_frame(s)[0] == 8 and s.recv(1) == b""


class Old:
    """Clients that keep silent from the session's beginning (grown_old of conftest.py): each is the
    future of what becomes of it, and of after how many seconds."""

    def __init__(self, folder):
        self.node = Wsserver(folder, "n1", ping_interval="100ms")
        self.node.start()
        self.pool = concurrent.futures.ThreadPoolExecutor(3)
        self.without_pongs, self.without_auth, self.without_a_request = (
            self.pool.submit(self.timed, end)
            for end in (self.end_without_pongs, self.end_without_auth, self.end_without_a_request))

    @staticmethod
    def timed(end):
        began = time.monotonic()
        return end(), time.monotonic() - began

    def end_without_pongs(self):
        with connect(self.node, "/t/echo") as s:
            while (got := read_frame(s))[0] == 9:
                pass
            return got

    def end_without_auth(self):
        async def go():
            async with Chat(self.node, "alice", auth=False) as c:
                return await c.closed(20)
        return asyncio.run(go())

    def end_without_a_request(self):
        with socket.create_connection(split_address(self.node.address), 30) as s:
            s.sendall(b"GET /health HTTP/1.1\r\nHost:")
            return s.recv(1)

    def close(self):
        assert self.node.stop() == 0
        self.pool.shutdown()


def test_who_does_not_answer_a_ping_is_closed(grown_old):
    got, after = grown_old.without_pongs.result(60 * PATIENCE)
    assert got == (8, True, b"\x10\x08no pong") and after > 9.5


def test_who_reads_too_slowly_is_closed_and_others_are_not(start_wsserver):
    node = start_wsserver()
    closed = 'wsserver_websockets_closed_total{code="4103"}'

    async def go(slow):
        async with Chat(node, "alice") as fast:
            await fast.join()
            n = 0
            while node.metric(closed) == 0:
                n += 1
                assert (await fast.publish("lobby", "x" * 30000))["seq"] == n and n < 1000
                fast.waiting.clear()
            codes = [payload[:2] for opcode, _, payload in iter(lambda: read_frame(slow), None)
                     if opcode == 8]
            assert codes in ([], [b"\x10\x07"])  # whether it fits depends on how much was under way
            assert (await fast.publish("lobby", "still here"))["t"] == "ack"

    fields = b"Sec-WebSocket-Protocol: wsserver.v1.json\r\n"
    with connect(node, "/ws/lobby", fields, SO_RCVBUF=4096) as slow:
        slow.sendall(frame(1, b'{"t":"auth","id":1,"user":"slow"}'))
        slow.sendall(frame(1, b'{"t":"sub","id":2,"ch":"lobby"}'))
        while b'"id":2' not in read_frame(slow)[2]:
            pass
        asyncio.run(go(slow))


def test_who_does_not_read_its_echoes_is_not_read(start_wsserver):
    """Back-pressure: the server's memory does not grow with what a client sends."""
    node = start_wsserver()
    with connect(node, "/t/echo", SO_RCVBUF=4096) as s:
        s.settimeout(1)
        with pytest.raises(socket.timeout):
            for _ in range(1000):
                s.sendall(frame(2, b"x" * 60000))
        assert node.get("/health")[0] == 200


def test_who_does_not_auth_is_closed(grown_old):
    got, after = grown_old.without_auth.result(60 * PATIENCE)
    assert got == (4101, "no auth") and after > 9.5


def test_half_a_request_is_not_waited_for_for_ever(grown_old):
    got, after = grown_old.without_a_request.result(60 * PATIENCE)
    assert got == b"" and after > 9.5


def test_lost_connections_are_counted(start_wsserver):
    node = start_wsserver()

    async def go():
        c = await Chat(node, "alice").open()
        c.cut()
        async with websockets.connect(node.url("/t/echo")):
            pass
    asyncio.run(go())
    wait_until(lambda: node.metric('wsserver_websockets_ended_total{by="lost"}') == 1, "the lost one")
    wait_until(lambda: node.metric('wsserver_websockets_ended_total{by="client"}') == 1, "the other")
    assert node.metric("wsserver_websockets_open") == 0
