"""A node that stops: clients are told to move, then closed, each at its own time."""

import asyncio
import contextlib
import re
import signal
import time

import websockets

from chat import Chat, within
from harness import PATIENCE, wait_until


def test_clients_move_and_nothing_is_missed(start_wsserver, tmp_path):
    db = {"store": "sqlite", "sqlite_path": tmp_path / "two.db", "sqlite_durability": "process"}
    n1 = start_wsserver("n1", shutdown_timeout="5s", **db)
    n2 = start_wsserver("n2", **db)

    async def go():
        async with Chat(n2, "eve") as eve:
            await eve.join(pres=True)
            a = await Chat(n1, "alice").open()
            ok = await a.join()
            n1.signal(signal.SIGTERM)
            drain = await a.next("drain")
            assert 0 <= drain["after"] <= drain["by"] <= 5000 and drain["why"] == "restart"
            # Still served meanwhile.
            await eve.publish("lobby", "during")
            assert (await a.next("msg"))["seq"] == 1
            resume = {"sess": a.sess, "pos": {"lobby": [ok["ep"], 0]}}
            async with Chat(n2, "alice", resume=resume) as a2:
                await a.close(4200)
                assert (await a2.next("msg"))["seq"] == 1
                await asyncio.to_thread(n1.wait)
                assert not [f for f in await eve.quiet() if f["t"] == "pres" and f.get("l")]
    asyncio.run(go())
    assert n1.popen.returncode == 0


def test_whoever_stays_is_closed_with_1012(start_wsserver):
    node = start_wsserver(shutdown_timeout="2s")

    async def go():
        async with contextlib.AsyncExitStack() as stack:
            chats = [await stack.enter_async_context(Chat(node, f"u{i}")) for i in range(20)]
            bare = [await stack.enter_async_context(websockets.connect(node.url(path)))
                    for path in ("/ws/lobby", "/t/echo", "/t/silence")]
            node.signal(signal.SIGTERM)
            for c in chats:
                code, reason = await c.closed()
                assert code == 1012 and re.fullmatch(r"restart;after=\d+", reason)
            assert len({c.ws.close_reason for c in chats}) > 10  # not all at once again
            for ws in bare:
                with contextlib.suppress(websockets.ConnectionClosed):
                    await within(ws.recv())
                assert ws.close_code == 1012
    asyncio.run(go())
    assert node.wait() == 0


def test_while_draining_others_hear_why(start_wsserver):
    node = start_wsserver(shutdown_timeout="5s")

    async def go():
        async with Chat(node, "alice") as a:
            node.signal(signal.SIGTERM)
            await a.next("drain")
            assert node.get("/health")[0] == 200
            assert node.get("/ready")[::2] == (503, "draining\n")
            try:
                await websockets.connect(node.url("/ws/lobby"))
                raise AssertionError("an upgrade while draining")
            except websockets.InvalidHandshake as refused:
                # Newer versions have the answer in `response`.
                answer = getattr(refused, "response", refused)
                assert answer.status_code == 503 and answer.headers["Retry-After"] == "1"
    asyncio.run(go())
    assert node.wait() == 0


def test_a_client_that_does_not_answer_is_cut_in_time(start_wsserver):
    node = start_wsserver(shutdown_timeout="1s")

    async def go():
        a = await Chat(node, "alice").open()
        a.ws.transport.pause_reading()
        begin = time.monotonic()
        node.signal(signal.SIGTERM)
        assert await asyncio.to_thread(node.wait) == 0
        assert time.monotonic() - begin < 3 * PATIENCE
        a.cut()
    asyncio.run(go())


def test_a_second_signal_cuts(start_wsserver):
    node = start_wsserver(shutdown_timeout="1h")

    async def go():
        a = await Chat(node, "alice").open()
        node.signal(signal.SIGTERM)
        await a.next("drain")
        node.signal(signal.SIGINT)
        assert await asyncio.to_thread(node.wait) == 0
    asyncio.run(go())


def test_other_signals_change_nothing(start_wsserver):
    node = start_wsserver()
    for number in (signal.SIGHUP, signal.SIGUSR1):
        node.signal(number)
    wait_until(lambda: node.log().count("signal ignored") == 2, "two lines in the log")
    assert node.get("/ready")[0] == 200
