"""SIGTERM: every client is told in its turn, between frames, when to come again."""

import contextlib
import selectors
import signal
import threading
import time

import pytest

from drains import after
from harness import stall_room, wait_until
from http_wire import read_head
from ws_peers import (BINARY, BOTH, TEXT, Client, Peer, Upgraded, all_closed, connect,
                      in_background, open_tunnel, ws_config)
from ws_wire import frame, upgrade_request


def drain(alb):
    alb.signal(signal.SIGTERM)
    wait_until(lambda: "shutdown draining" in alb.log(), "the drain to begin")


def test_closes_are_spread_over_the_window(start_alb, target):
    alb = start_alb(ws_config(target, workers=2, stop="2s"))
    pairs = [open_tunnel(alb, target, BOTH[i % 10 == 0]) for i in range(100)]
    times, delays = [], []

    def wait_for_close(client):
        delays.append(after(client.receive_close()))
        times.append(time.monotonic() - began)
        client.send_close(1012)
        assert client.is_at_end()

    with all_closed([peer for pair in pairs for peer in pair]):
        began = time.monotonic()
        drain(alb)
        joins = [in_background(wait_for_close, client) for client, _ in pairs]
        for join in joins:
            join()
        for _, origin in pairs:
            assert origin.receive_close() == (1001, b"")
            assert origin.is_at_end()
    assert alb.wait() == 0

    times.sort()
    gaps, room = [b - a for a, b in zip(times, times[1:])], stall_room(began)
    assert times[0] < 0.35 + room and 1.4 < times[-1] < 1.85 + room, times
    assert max(gaps) < 0.35 + room, gaps
    assert max(delays) < 5000 and len(set(delays)) > 50, "each client at a moment of its own"
    rows = alb.access_rows()
    assert len(rows) == 100
    assert all('end="shutdown"' in r and "client_close=1012" in r for r in rows)


@pytest.mark.parametrize("listener", BOTH)
def test_a_close_never_goes_inside_a_frame(start_alb, target, listener):
    alb = start_alb(ws_config(target, stop="3s"))
    client, origin = open_tunnel(alb, target, listener)
    big = frame(BINARY, b"b" * 50000, mask=None)
    draining = threading.Event()

    def stream():
        with contextlib.suppress(OSError):
            while True:
                for at in range(0, len(big), 17001):
                    origin.sendall(big[at:at + 17001])
                    time.sleep(0.001)
                draining.set()
    threading.Thread(target=stream, daemon=True).start()
    draining.wait()
    drain(alb)
    while (got := client.receive())[0] == BINARY:
        assert got == (BINARY, True, b"b" * 50000)
    after((int.from_bytes(got[2][:2], "big"), got[2][2:]))
    client.send_close(1012)
    assert client.is_at_end(), "what the target sends after our Close is dropped"
    assert alb.wait() == 0
    origin.close()


@pytest.mark.parametrize("listener", BOTH)
def test_a_large_frame_is_let_through_to_its_end(start_alb, target, listener):
    alb = start_alb(ws_config(target, stop="3s"))
    client, origin = open_tunnel(alb, target, listener)
    whole = frame(BINARY, b"b" * 100000, mask=None)
    origin.sendall(whole[:300])
    client.rest = client.recv(1)
    drain(alb)
    time.sleep(0.2)
    origin.sendall(whole[300:])
    assert client.receive() == (BINARY, True, b"b" * 100000)
    after(client.receive_close())
    client.send_close(1012)
    assert client.is_at_end()
    assert origin.receive_close() == (1001, b"")
    assert alb.wait() == 0
    assert 'end="shutdown" client_frames=1 target_frames=1' in alb.access_row("end=")


def test_a_frame_that_does_not_end_is_cut(start_alb, target):
    alb = start_alb(ws_config(target))
    client, origin = open_tunnel(alb, target)
    origin.sendall(b"\x82\x0ahalf")
    assert client.recv(100) == b"\x82\x0ahalf"
    drain(alb)
    assert client.is_at_end(), "no Close: it would be payload"
    assert origin.receive_close() == (1001, b"")
    assert alb.wait() == 0
    assert 'end="mid-frame"' in alb.access_row("end=")


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "a byte at a time"])
def test_the_client_speaks_on_until_its_own_close(start_alb, target, cut):
    alb = start_alb(ws_config(target, stop="2s"))
    client, origin = open_tunnel(alb, target)
    drain(alb)
    after(client.receive_close())
    origin.send(TEXT, b"too late")
    data = frame(TEXT, b"last words") + frame(TEXT, b"") + frame(8, b"\x03\xf4bye")
    for piece in (bytes([b]) for b in data) if cut else [data]:
        client.sendall(piece)
    assert origin.receive() == (TEXT, True, b"last words")
    assert origin.receive() == (TEXT, True, b"")
    assert origin.receive_close() == (1001, b""), "in the place of the client's"
    assert origin.is_at_end()
    assert client.is_at_end()
    assert alb.wait() == 0
    assert 'end="shutdown" client_frames=3' in alb.access_row("client_close=1012 ")


def test_a_client_that_leaves_without_a_close_is_reported_to_the_target(start_alb, target):
    alb = start_alb(ws_config(target))
    client, origin = open_tunnel(alb, target)
    drain(alb)
    after(client.receive_close())
    client.close()
    assert origin.receive_close() == (1001, b"")
    assert alb.wait() == 0


def test_a_close_handshake_under_way_is_left_alone(start_alb, target):
    alb = start_alb(ws_config(target, stop="10s"))
    first, second = open_tunnel(alb, target), open_tunnel(alb, target)
    first[1].send_close(4000, b"mine")
    assert first[0].receive_close() == (4000, b"mine")
    second[0].send_close(4001)
    assert second[1].receive_close() == (4001, b"")
    drain(alb)
    time.sleep(0.5)
    first[0].send_close(4000)
    assert first[1].receive_close() == (4000, b"")
    second[1].send_close(4001)
    assert second[0].receive_close() == (4001, b"")
    for pair in (first, second):
        for peer in pair:
            peer.close()
    assert alb.wait() == 0
    assert "client_close=4000 target_close=4000" in alb.access_row('end="closed by target"')
    assert "client_close=4001 target_close=4001" in alb.access_row('end="closed by client"')


def test_a_close_that_is_not_answered_ends_with_the_window(start_alb, target):
    alb = start_alb(ws_config(target))
    client, origin = open_tunnel(alb, target)
    began = time.monotonic()
    drain(alb)
    after(client.receive_close())
    assert origin.receive_close() == (1001, b"")
    assert client.is_at_end()
    assert alb.wait() == 0
    assert time.monotonic() - began > 0.9
    assert 'end="shutdown"' in alb.access_row("client_close=0 ")


def test_a_second_signal_cuts_with_a_last_close(start_alb, target):
    alb = start_alb(ws_config(target, stop="100s"))
    pairs = [open_tunnel(alb, target, BOTH[i % 2]) for i in range(10)]
    drain(alb)
    alb.signal(signal.SIGTERM)
    for client, origin in pairs:
        code, reason = client.receive_close()
        assert code == 1012 and reason.startswith(b"restart")
        assert client.is_at_end()
        assert origin.receive_close() == (1001, b"")
    assert alb.wait() == 0


def step_through_the_cut(alb, pairs, selector):
    """The process is let go a moment at a time until some are cut: those that are."""
    for pair in pairs:
        selector.register(pair[0].sock, selectors.EVENT_READ, pair)
    drain(alb)
    alb.freeze()
    alb.signal(signal.SIGTERM)
    cut = []
    while len(cut) < 300 and alb.is_running():
        alb.signal(signal.SIGCONT)
        alb.freeze()
        cut = [key.data for key, _ in selector.select(0)]
    return cut


def cut_in_the_middle(start_alb, target, opened):
    """alb, those that are cut and those that are not. A moment in which this process did not run may
    be long enough for nearly all: then that one ends, and once more with another."""
    for _ in range(10):
        alb = start_alb(ws_config(target, stop="100s"))
        pairs = [open_tunnel(alb, target) for _ in range(1500)]
        opened.callback(lambda pairs=pairs: [peer.close() for pair in pairs for peer in pair])
        with selectors.DefaultSelector() as selector:
            cut = step_through_the_cut(alb, pairs, selector)
        gone = set(map(id, cut))
        left = [pair for pair in pairs if id(pair) not in gone]
        if len(left) >= 600:
            return alb, cut, left
        if alb.is_running():
            alb.signal(signal.SIGCONT)
        assert alb.wait() == 0
    return pytest.fail("the cut was never seen with many left")


def test_thousands_that_a_second_signal_cuts_do_not_hold_up_a_loop(start_alb, target):
    """A few in each turn: who is not cut yet is served."""
    with contextlib.ExitStack() as opened:
        alb, cut, left = cut_in_the_middle(start_alb, target, opened)
        some = left[::len(left) // 50]
        for _, origin in some:
            origin.send(TEXT, b"x")
        time.sleep(1)  # the machine stands still: no reason to give up on a loop
        alb.signal(signal.SIGCONT)
        firsts = [client.receive() for client, _ in some]
        assert firsts.count((TEXT, True, b"x")) > len(some) / 2
        assert alb.wait() == 0
        for client, origin in cut:
            assert client.receive_close()[0] == 1012 and origin.receive_close() == (1001, b"")
    assert "cause=shutdown group=* closed=" in alb.log()


@pytest.mark.parametrize("setting", ["websocket.drain_close = cut\n", "profile = aws\n"])
def test_nothing_is_said_when_they_are_to_be_cut(start_alb, target, setting):
    """As the managed balancer does: they go on to the end of the window, and there just end."""
    alb = start_alb(ws_config(target, alb=setting))
    pairs = [open_tunnel(alb, target, BOTH[i % 2]) for i in range(10)]
    client, origin = pairs[0]
    began = time.monotonic()
    drain(alb)
    client.send(TEXT, b"still here")
    assert origin.receive() == (TEXT, True, b"still here")
    for client, origin in pairs:
        assert client.receive() is None and client.is_at_end()
        assert origin.receive() is None and origin.is_at_end()
    assert time.monotonic() - began > 0.9
    assert alb.wait() == 0
    rows = alb.access_rows()
    assert len(rows) == 10 and all('end="shutdown"' in row for row in rows)


def test_an_upgrade_under_way_becomes_a_tunnel_and_is_closed_in_words(start_alb, start_target):
    upgraded, may_answer = Upgraded(), threading.Event()

    def script(sock, head, rest):
        may_answer.wait(10)
        return upgraded(sock, head, rest)
    target = start_target(script)
    alb = start_alb(ws_config(target, stop="2s"))
    with connect(alb) as sock:
        sock.sendall(upgrade_request())
        wait_until(lambda: target.seen, "the upgrade to arrive")
        drain(alb)
        may_answer.set()
        head, rest = read_head(sock)
        assert head.startswith(b"HTTP/1.1 101 ")
        client = Peer(sock, rest)
        after(client.receive_close())
        client.send_close(1012)
        assert client.is_at_end()
    assert alb.wait() == 0


def test_new_clients_are_not_let_in_while_draining(start_alb, target):
    alb = start_alb(ws_config(target, stop="100s"))
    client, _origin = open_tunnel(alb, target)
    drain(alb)

    def is_refused():
        try:
            Client(alb).close()
        except (OSError, AssertionError):
            return True
        return False
    wait_until(is_refused, "the listener to be closed")
    client.send(TEXT, b"I stay")


# --- one second for a close, and something in the way --------------------------------------------


def half_a_frame_of_the_client(client, origin):
    client.sendall(b"\x82\x8a\0\0\0\0half")
    assert origin.recv(10) == b"\x82\x8a\0\0\0\0half"


def fill(sender):
    """Until the other side takes no more."""
    sender.sock.settimeout(0.5)
    with contextlib.suppress(TimeoutError):
        while True:
            sender.send(BINARY, b"f" * 60000)
    sender.sock.settimeout(10)


def client_takes_nothing(_client, origin):
    """Within a frame of 64 MB, wherever it stops."""
    origin.sock.settimeout(0.5)
    with contextlib.suppress(TimeoutError):
        origin.sendall(b"\x82\x7f" + (1 << 26).to_bytes(8, "big") + b"f" * (1 << 26))
    origin.sock.settimeout(10)


def target_takes_nothing(client, _origin):
    fill(client)


def nothing_is_answered(_client, _origin):
    pass


@pytest.mark.parametrize("hinder", [half_a_frame_of_the_client, client_takes_nothing,
                                    target_takes_nothing, nothing_is_answered])
def test_a_close_timeout_of_a_second_holds_whatever_is_in_the_way(start_alb, target, hinder):
    settings = "websocket.close_timeout = 1s\nwebsocket.drain_rate = 100\n"
    alb = start_alb(ws_config(target, alb=settings, stop="60s"))
    client, origin = open_tunnel(alb, target)
    hinder(client, origin)
    alb.signal(signal.SIGTERM)
    if hinder is client_takes_nothing:  # within a frame: with a rate, it waits for the end of that
        time.sleep(1.5)
        assert alb.is_running()
        alb.signal(signal.SIGTERM)
    assert alb.wait(15) == 0, "long before the window's end"
    row = alb.access_row("end=")
    assert 'end="shutdown"' in row or hinder is client_takes_nothing and 'end="mid-frame"' in row
    client.close()
    origin.close()
