"""The library websockets at either end, sending back what comes:

    ws_ends.py server                              prints its port
    ws_ends.py client URL SUFFIX AT_ONCE N...      opens each of URL/N+SUFFIX, so many at once
"""

import asyncio
import contextlib
import os
import ssl
import sys

import websockets

OPTIONS = {"ping_interval": None, "max_size": None}


async def echo(ws):
    with contextlib.suppress(websockets.WebSocketException):
        async for message in ws:
            await ws.send(message)


async def server():
    async with websockets.serve(echo, "127.0.0.1", 0, backlog=4096, **OPTIONS) as s:
        print(s.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


async def client(url, suffix, at_once, *numbers):
    context = None
    if url.startswith("wss"):
        context = ssl.create_default_context(cafile=os.environ["NODE_EXTRA_CA_CERTS"])
    left = list(numbers)

    async def open_some():
        while left:
            with contextlib.suppress(OSError, websockets.WebSocketException):
                async with websockets.connect(f"{url}/{left.pop(0)}{suffix}", ssl=context,
                                              open_timeout=60, **OPTIONS) as ws:
                    await echo(ws)
    await asyncio.gather(*(open_some() for _ in range(int(at_once))))


role, *args = sys.argv[1:]
asyncio.run({"server": server, "client": client}[role](*args))
