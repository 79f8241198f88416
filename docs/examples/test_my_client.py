"""What a test of a WebSocket client looks like with the `origin` fixture of conftest.py."""

import asyncio

import websockets


def test_my_client_reads_the_close_code(origin):
    async def client():
        async with websockets.connect(f"ws://{origin}/t/close?code=1013&reason=full") as ws:
            try:
                await ws.recv()
            except websockets.ConnectionClosed as closed:
                return closed.rcvd.code, closed.rcvd.reason

    assert asyncio.run(client()) == (1013, "full")


def test_my_client_survives_a_quiet_path(origin):
    """The server is silent, the balancer cuts at 2 s: does the client notice?"""
    async def client():
        async with websockets.connect(f"ws://{origin}/t/silence", ping_interval=None) as ws:
            try:
                await ws.recv()
            except websockets.ConnectionClosed as closed:
                return closed.rcvd.code, closed.rcvd.reason

    assert asyncio.run(client()) == (1001, "idle")
