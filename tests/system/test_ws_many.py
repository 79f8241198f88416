"""Many tunnels: every loop has its share, and an idle one costs next to nothing."""

import contextlib
import os
import pathlib
import resource

import pytest

from harness import BIN, resident_kb, wait_until
from ws_peers import BOTH, TEXT, Upgraded, all_closed, open_tunnel, ws_config


@pytest.fixture(autouse=True)
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def sockets_by_loop(alb):
    """How many descriptors each epoll instance of the process watches."""
    folder = pathlib.Path(f"/proc/{alb.pid}")
    polls = []
    for f in os.listdir(folder / "fd"):
        with contextlib.suppress(FileNotFoundError):  # the one that /metrics was asked by
            if "eventpoll" in os.readlink(folder / "fd" / f):
                polls.append(f)
    return sorted((folder / "fdinfo" / f).read_text().count("tfd:") for f in polls)


@pytest.mark.parametrize("listener", BOTH)
def test_300_tunnels_are_spread_over_the_loops_and_all_work(start_alb, start_target, listener):
    target = start_target(Upgraded())
    alb = start_alb(ws_config(target, workers=2))
    pairs = [open_tunnel(alb, target, listener) for _ in range(300)]
    with all_closed([peer for pair in pairs for peer in pair]):
        for n, (client, _) in enumerate(pairs):
            client.send(TEXT, b"%d" % n)
        for n, (client, origin) in enumerate(pairs):
            assert origin.receive() == (TEXT, True, b"%d" % n)
            origin.send(TEXT, b"%d" % -n)
        for n, (client, _) in enumerate(pairs):
            assert client.receive() == (TEXT, True, b"%d" % -n)
        assert alb.metric("alb_websocket_tunnels_open") == 300
        *_, second, first = sockets_by_loop(alb)
        assert first + second >= 600 and second > 200, (first, second)
    wait_until(lambda: alb.metric("alb_connections_open") == 0, "all to end")


def test_1000_idle_tunnels_cost_less_than_2_kb_each(start_alb, start_target):
    target = start_target(Upgraded())
    alb = start_alb(ws_config(target))
    warm = [open_tunnel(alb, target) for _ in range(100)]
    before = resident_kb(alb.pid)
    pairs = [open_tunnel(alb, target) for _ in range(1000)]
    with all_closed([peer for pair in warm + pairs for peer in pair]):
        for client, origin in pairs:
            client.send(TEXT, b"x" * 1000)
        for client, origin in pairs:
            origin.receive()
        grown = (resident_kb(alb.pid) - before) * 1024 / len(pairs)
        print(f"an idle tunnel: {grown:.0f} bytes resident")
        if "WRAP" not in os.environ and os.environ.get("MODE", "release") == "release":
            assert grown < 2048, BIN
