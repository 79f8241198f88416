"""A peer that reads slowly slows its own tunnel down, and nothing else; no byte is lost."""

import hashlib
import os
import time

import pytest

from harness import PATIENCE, resident_kb, stall_room
from ws_peers import BINARY, BOTH, TEXT, in_background, open_tunnel, ws_config

BLOCK = os.urandom(1 << 20)
BLOCKS = 24


def send_blocks(peer):
    for _ in range(BLOCKS):
        peer.send(BINARY, BLOCK)
    peer.finish()


def read_slowly(peer, pause, each=lambda: None):
    """The checksum of all payloads; pauses after each frame."""
    digest, n = hashlib.sha256(), 0
    while (got := peer.receive()) is not None:
        digest.update(got[2])
        n += 1
        each()
        time.sleep(pause)
    return n, digest.digest()


EXPECTED = (BLOCKS, hashlib.sha256(BLOCK * BLOCKS).digest())


@pytest.mark.parametrize("listener", BOTH)
@pytest.mark.parametrize("slow", [0, 1], ids=["client", "target"])
def test_a_slow_reader_gets_every_byte_in_bounded_memory(start_alb, target, listener, slow):
    alb = start_alb(ws_config(target))
    pair = open_tunnel(alb, target, listener)
    beside = open_tunnel(alb, target)
    before, highest, slowest, start = resident_kb(alb.pid), 0, 0, time.monotonic()
    join = in_background(send_blocks, pair[1 - slow])

    def each():
        nonlocal highest, slowest
        began = time.monotonic()
        beside[0].send(TEXT, b"quick")
        assert beside[1].receive() == (TEXT, True, b"quick")
        slowest = max(slowest, time.monotonic() - began)
        highest = max(highest, resident_kb(alb.pid))

    time.sleep(0.3)  # all buffers are full now
    assert read_slowly(pair[slow], 0.01, each) == EXPECTED
    join()
    print(f"memory grew by {highest - before} kB; the slowest of others took {slowest:.3f} s")
    if "WRAP" not in os.environ:
        assert highest - before < 2048
    assert slowest < 0.35 * PATIENCE + stall_room(start)
    pair[slow].close()
    assert f"{('target', 'client')[slow]}_frames={BLOCKS}" in alb.access_row("end=")


def test_bytes_that_wait_are_delivered_after_the_senders_fin(start_alb, target):
    """Being taken is a sign of life: the tunnel is neither idle nor held for ever."""
    alb = start_alb(ws_config(target, alb="idle_timeout.timeout_seconds = 1"))
    client, origin = open_tunnel(alb, target, "https")
    join = in_background(send_blocks, origin)
    time.sleep(0.5)
    assert read_slowly(client, 0.07) == EXPECTED
    join()
    client.close()
    assert 'end="target FIN without a Close"' in alb.access_row("end=")


def test_both_directions_are_full_at_once_without_a_deadlock(start_alb, target):
    alb = start_alb(ws_config(target))
    pair = open_tunnel(alb, target)
    senders = [in_background(send_blocks, peer) for peer in pair]
    time.sleep(0.3)
    readers = [in_background(read_slowly, peer, 0) for peer in pair]
    for join in senders:
        join()
    assert [join() for join in readers] == [EXPECTED, EXPECTED]
