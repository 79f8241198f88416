"""What was sent before an end arrives, also at a peer that reads late and talks on meanwhile: bytes
that come to a closed socket have the kernel throw away what it still had to send."""

import contextlib
import socket
import time

import pytest

from drains import DELAY
from harness import wait_until
from ws_peers import BINARY, BOTH, CLOSE, PING, open_tunnel, ws_config

BIG = bytes(range(256)) * 4096  # more than a peer's kernel takes unread, less than alb's keeps


def open_ends(alb, target, listener, late):
    """A tunnel: (the end that reads late, the other)."""
    client, origin = open_tunnel(alb, target, listener)
    return (client, origin) if late == "client" else (origin, client)


def end_behind_much(slow, fast, closes_first):
    """The other one's Close, behind more than there is room for; after the late one's, or not."""
    if closes_first:
        slow.send_close(1000)
        assert fast.receive_close() == (1000, b"")
    fast.send(BINARY, BIG)
    fast.send_close(1000)


def talk_on(peer):
    """As long as it may, for a moment: alb has seen the other side's end by then."""
    with contextlib.suppress(OSError):
        for _ in range(30):
            peer.send(PING, b"still here")
            time.sleep(0.01)


def all_is_read(alb):
    wait_until(lambda: alb.metric("alb_target_tunnel_bytes_total") > len(BIG), "all to be read")


@pytest.mark.parametrize("listener", BOTH)
@pytest.mark.parametrize("closes_first", [True, False], ids=["after its Close", "without a Close"])
@pytest.mark.parametrize("late", ["client", "target"])
def test_who_talks_on_reads_all_there_was(start_alb, target, late, closes_first, listener):
    alb = start_alb(ws_config(target, alb="websocket.close_timeout = 10s\n"))
    slow, fast = open_ends(alb, target, listener, late)
    end_behind_much(slow, fast, closes_first)
    fast.close()
    all_is_read(alb)
    talk_on(slow)
    assert slow.receive() == (BINARY, True, BIG)
    assert slow.receive()[0] == CLOSE
    assert slow.is_at_end()
    slow.close()
    assert "client_frames=" in alb.access_row("end=")


@pytest.mark.parametrize("listener", BOTH)
@pytest.mark.parametrize("late", ["client", "target"])
def test_who_talks_on_reads_all_there_was_before_a_reset(start_alb, target, late, listener):
    alb = start_alb(ws_config(target))
    slow, fast = open_ends(alb, target, listener, late)
    fast.send(BINARY, BIG)
    all_is_read(alb)
    fast.reset()
    talk_on(slow)
    assert slow.receive() == (BINARY, True, BIG)
    assert slow.is_at_end()
    slow.close()
    end = "client reset" if late == "target" else "target reset"
    assert f'end="{end}"' in alb.access_row("end=")


def talks_until(peer, condition, what):
    """As long as it takes, without waiting for anybody who would read."""
    def talk():
        with contextlib.suppress(OSError):
            peer.send(PING, b"still here")
        return condition()
    wait_until(talk, what)


@pytest.mark.parametrize("listener", BOTH)
@pytest.mark.parametrize("is_reset", [True, False], ids=["reset", "closed"])
@pytest.mark.parametrize("closes_first", [True, False], ids=["after its Close", "without a Close"])
@pytest.mark.parametrize("late", ["client", "target"])
def test_who_talks_on_and_never_reads_is_not_waited_for(
        start_alb, target, late, closes_first, is_reset, listener):
    alb = start_alb(ws_config(target, alb="websocket.close_timeout = 500ms\n"))
    slow, fast = open_ends(alb, target, listener, late)
    end_behind_much(slow, fast, closes_first)
    all_is_read(alb)
    (fast.reset if is_reset else fast.close)()
    slow.sock.settimeout(0.1)
    talks_until(slow, lambda: alb.tunnels()["all"] == 0, "nobody to be waited for")


def test_who_reads_a_little_at_a_time_is_waited_for(start_alb, target):
    alb = start_alb(ws_config(target, alb="websocket.close_timeout = 1s\n"))
    client, origin = open_tunnel(alb, target)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    origin.send(BINARY, BIG)
    all_is_read(alb)
    origin.reset()
    start, got = time.monotonic(), 0
    while time.monotonic() < start + 3:  # three times as long as it is waited for who stands still
        client.send(PING, b"still here")
        got += len(client.recv(8192))
        time.sleep(0.05)
    while chunk := client.recv(65536):
        got += len(chunk)
    assert got == len(BIG) + 10
    wait_until(lambda: alb.tunnels()["all"] == 0, "it to end")


LONG = "websocket.close_timeout = 1m\n"


def acks_late(peer):
    """As behind a long way: what comes is acknowledged 40 ms later."""
    peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)


@pytest.mark.parametrize("listener", BOTH)
def test_a_drained_one_whose_ends_stay_open_is_gone_when_all_has_arrived(start_alb, target, listener):
    alb = start_alb(ws_config(target, alb=LONG + "websocket.drain_rate = 100\n", group=DELAY % 60))
    with contextlib.ExitStack() as stack:
        pairs = [open_tunnel(alb, target, listener) for _ in range(8)]
        for peer in (peer for pair in pairs for peer in pair):
            stack.enter_context(peer)
        alb.ok("drain", "app")
        for client, origin in pairs:
            assert client.receive_close()[0] == 1012
            acks_late(client)
            acks_late(origin)
            client.send_close(1012)
            assert origin.receive_close()[0] == 1001
        wait_until(lambda: alb.tunnels()["all"] == 0, "their end")
        assert {row["end"] for row in alb.closed()["closed"]} == {"drained"}


@pytest.mark.parametrize("listener", BOTH)
def test_one_side_of_a_reset_is_gone_when_all_has_arrived(start_alb, target, listener):
    alb = start_alb(ws_config(target, alb=LONG))
    for n in range(8):
        client, origin = open_tunnel(alb, target, listener)
        with client, origin:
            acks_late(origin)
            client.send(PING, b"last")
            assert origin.receive()[2] == b"last"
            acks_late(origin)
            client.reset()
            wait_until(lambda n=n: alb.closed()["all"] == n + 1, "its end")
