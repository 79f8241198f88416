"""A WebSocket through the edge: bytes both ways, and the one-way rule for idle ones."""

import asyncio
import contextlib

IDLE_S = 600  # D: not adjustable
LINGER_S = 5


async def relay(viewer, origin, idle_s):
    """Until both directions have ended: who ended it. `viewer` and `origin` have reader and writer.

    It is idle when no byte came from the origin for that long. Bytes of the viewer do not count.
    """
    up = asyncio.create_task(_pump(viewer.reader, origin.writer, None))
    down = asyncio.create_task(_pump(origin.reader, viewer.writer, idle_s))
    try:
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        who = "origin" if down.done() else "viewer"
        if down.done() and isinstance(down.exception(), TimeoutError):
            return "idle: nothing came from the origin"
        await asyncio.wait({up, down}, timeout=LINGER_S)
        return f"closed by {who}"
    finally:
        for task in (up, down):
            task.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
        origin.writer.close()
        viewer.writer.close()


async def _pump(reader, writer, idle_s):
    """Bytes until the end of one direction, which is passed on as such."""
    with contextlib.suppress(ConnectionError):
        while data := await _read(reader, idle_s):
            writer.write(data)
            await writer.drain()
    if writer.can_write_eof():
        with contextlib.suppress(OSError):
            writer.write_eof()
    else:
        writer.close()  # TLS has no half of an end


async def _read(reader, idle_s):
    async with asyncio.timeout(idle_s):
        return await reader.read(65536)
