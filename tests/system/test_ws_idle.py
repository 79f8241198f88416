"""A tunnel on which neither side says anything is closed, in words; all others stay."""

import threading
import time

import pytest

from harness import PATIENCE, wait_until
from ws_peers import BOTH, TEXT, all_closed, open_tunnel, ws_config

IDLE = "idle_timeout.timeout_seconds = "


def open_many(alb, target, n):
    return [open_tunnel(alb, target) for _ in range(n)]


@pytest.mark.parametrize("listener", BOTH)
def test_both_sides_get_close_1001_idle(start_alb, target, listener):
    alb = start_alb(ws_config(target, alb=IDLE + "1"))
    client, origin = open_tunnel(alb, target, listener)
    assert client.receive_close() == (1001, b"idle") and client.is_at_end()
    assert origin.receive_close()[0] == 1001 and origin.is_at_end()
    row = alb.access_row("end=")
    assert 'end="idle: ' in row and "client_close=0 target_close=0" in row
    assert alb.metric("alb_websocket_tunnels_idle_total") == 1


@pytest.mark.parametrize("listener", BOTH)
@pytest.mark.parametrize("setting", ["websocket.idle_close = cut\n", "profile = aws\n"])
def test_without_a_close_when_it_is_to_be_cut(start_alb, target, setting, listener):
    """As the managed balancer ends it."""
    alb = start_alb(ws_config(target, alb=setting + IDLE + "1"))
    client, origin = open_tunnel(alb, target, listener)
    assert client.receive() is None and client.is_at_end()
    assert origin.receive() is None and origin.is_at_end()
    assert 'end="idle: ' in alb.access_row("end=")
    assert alb.metric("alb_websocket_tunnels_idle_total") == 1


def test_a_close_of_its_own_in_profile_aws_when_the_file_says_so(start_alb, target):
    alb = start_alb(ws_config(target, alb="profile = aws\nwebsocket.idle_close = frame\n" + IDLE
                              + "1"))
    client, _ = open_tunnel(alb, target)
    assert client.receive_close() == (1001, b"idle")


def test_whether_it_is_cut_changes_for_tunnels_that_are_open(start_alb, target):
    config = ws_config(target, alb=IDLE + "2\nwebsocket.idle_close = %s\n")
    alb = start_alb(config % "frame")
    client, _ = open_tunnel(alb, target)
    alb.configure(config % "cut")
    alb.reload()
    assert client.receive() is None and client.is_at_end()


def test_a_group_of_its_own_mind_and_a_reload_that_changes_it(start_alb, target):
    config = ws_config(target, alb=IDLE + "2\nwebsocket.idle_close = cut\n",
                       group="websocket.idle_close = %s\n")
    alb = start_alb(config % "frame")
    client, _ = open_tunnel(alb, target)
    assert client.receive_close() == (1001, b"idle")

    client, _ = open_tunnel(alb, target)
    alb.configure(config % "cut")
    alb.reload()
    assert client.receive() is None and client.is_at_end()


def test_200_idle_tunnels_are_closed_within_a_second_and_busy_ones_are_not(start_alb, target):
    alb = start_alb(ws_config(target, alb=IDLE + "2"))
    pairs = open_many(alb, target, 200)
    # In one direction only, each: that is enough.
    speaking, listening = open_many(alb, target, 2)
    last = time.monotonic()
    over = threading.Event()

    def talk():
        while not over.wait(0.4):
            speaking[0].send(TEXT, b"up")
            listening[1].send(TEXT, b"down")
    thread = threading.Thread(target=talk)
    thread.start()
    try:
        with all_closed([peer for pair in pairs for peer in pair]):
            for client, _ in pairs:
                assert client.receive_close() == (1001, b"idle")
            assert time.monotonic() - last < 2 + 1 * PATIENCE
            wait_until(lambda: alb.metric("alb_websocket_tunnels_open") == 2, "the idle to end")
            time.sleep(0.5)  # past the time-out of those that talk
    finally:
        over.set()
        thread.join()
    assert alb.metric("alb_websocket_tunnels_open") == 2
    assert alb.metric("alb_websocket_tunnels_idle_total") == 200
    assert listening[0].receive() == (TEXT, True, b"down")
    assert speaking[1].receive() == (TEXT, True, b"up")


@pytest.mark.parametrize("speaker,silent", [(0, "target"), (1, "client")])
def test_the_log_names_the_side_that_was_silent_longer(start_alb, target, speaker, silent):
    alb = start_alb(ws_config(target, alb=IDLE + "1"))
    pair = open_tunnel(alb, target)
    time.sleep(0.2)
    pair[speaker].send(TEXT, b"the last word")
    pair[1 - speaker].receive()
    assert pair[0].receive_close() == (1001, b"idle")
    assert f'end="idle: {silent} silent longer"' in alb.access_row("end=")
    assert f'tunnel end reason="idle: {silent} silent longer"' in alb.log()


def test_a_changed_timeout_applies_to_tunnels_that_are_open(start_alb, target):
    config = ws_config(target, alb=IDLE + "%s")
    alb = start_alb(config % 100)
    client, _ = open_tunnel(alb, target)
    time.sleep(0.3)
    alb.configure(config % 1)
    began = time.monotonic()
    alb.reload()
    assert client.receive_close() == (1001, b"idle")
    assert time.monotonic() - began < 1 + 1 * PATIENCE

    other, origin = open_tunnel(alb, target)
    alb.configure(config % 100)
    alb.reload()
    time.sleep(1.3)
    other.send(TEXT, b"still here")
    assert origin.receive() == (TEXT, True, b"still here")


def test_idle_within_a_frame_is_cut_without_a_close(start_alb, target):
    """A Close inside a frame would be payload."""
    alb = start_alb(ws_config(target, alb=IDLE + "1"))
    client, origin = open_tunnel(alb, target)
    origin.sendall(b"\x81\x0ahalf")
    assert client.rest + client.sock.recv(100) == b"\x81\x0ahalf"
    assert client.is_at_end()
    assert origin.receive_close()[0] == 1001, "the client's frames are whole: here it fits"
    assert 'end="idle: ' in alb.access_row("end=")
