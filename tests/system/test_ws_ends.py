"""Every end of a tunnel reaches the other side, and the row names who began it and how."""

import signal
import time

import pytest

from harness import resident_kb, wait_until
from sockets import is_all_acked, packets_in
from ws_peers import BINARY, BOTH, CLOSE, TEXT, open_tunnel, ws_config


@pytest.fixture
def alb(start_alb, target):
    return start_alb(ws_config(target))


def row(alb):
    return alb.access_row("end=")


@pytest.mark.parametrize("listener", BOTH)
def test_a_close_handshake_begun_by_the_client(alb, target, listener):
    client, origin = open_tunnel(alb, target, listener)
    client.send_close(4001, b"enough")
    assert origin.receive_close() == (4001, b"enough")
    origin.send_close(4001)
    assert client.receive_close() == (4001, b"")
    origin.close()
    assert client.is_at_end()
    client.close()
    assert 'end="closed by client" client_frames=1 target_frames=1 client_close=4001 ' \
           'target_close=4001' in row(alb)


@pytest.mark.parametrize("listener", BOTH)
def test_a_close_handshake_begun_by_the_target(alb, target, listener):
    client, origin = open_tunnel(alb, target, listener)
    origin.send_close(1011, b"oops")
    assert client.receive_close() == (1011, b"oops")
    client.send_close(1000)
    assert origin.receive_close() == (1000, b"")
    origin.close()
    assert client.is_at_end()
    client.close()
    assert 'end="closed by target" client_frames=1 target_frames=1 client_close=1000 ' \
           'target_close=1011' in row(alb)


def closed_by_client(alb, target, listener="http"):
    client, origin = open_tunnel(alb, target, listener)
    client.send_close(1000)
    assert origin.receive_close() == (1000, b"")
    return client, origin


def closed_both_ways(alb, target):
    client, origin = closed_by_client(alb, target)
    origin.send_close(1000)
    assert client.receive_close() == (1000, b"")
    return client, origin


@pytest.mark.parametrize("who", ["client", "target"])
def test_after_both_closes_the_first_end_is_that_of_both(start_alb, target, who):
    """Nobody waits for a peer that takes its time: it has nothing more to say."""
    alb = start_alb(ws_config(target, alb="websocket.close_timeout = 60s"))
    client, origin = closed_both_ways(alb, target)
    first, second = (client, origin) if who == "client" else (origin, client)
    first.close()
    assert 'end="closed by client" client_frames=1 target_frames=1' in row(alb)
    wait_until(lambda: alb.metric("alb_connections_open") == 0, "the connection to be gone")
    assert second.sock.recv(1) == b"", "a FIN, not an RST"
    second.close()


@pytest.mark.parametrize("listener", BOTH)
def test_a_target_closes_behind_its_close(alb, target, listener):
    """alb finds both at once. A plain client then gets its Close and the end in one packet."""
    client, origin = closed_by_client(alb, target, listener)
    alb.freeze()
    origin.send_close(1000)
    origin.close()
    wait_until(lambda: is_all_acked(client.sock), "the ACK of the client's Close")
    before = packets_in(client.sock)
    alb.signal(signal.SIGCONT)
    assert client.receive_close() == (1000, b"")
    assert client.is_at_end()
    if listener == "http":
        assert packets_in(client.sock) == before + 1
    client.close()
    assert 'end="closed by client" client_frames=1 target_frames=1 client_close=1000 ' \
           'target_close=1000' in row(alb)


def test_a_client_that_talks_on_after_both_closes_reads_the_targets_close(alb, target):
    client, origin = closed_by_client(alb, target)
    origin.send_close(1000)
    origin.close()
    row(alb)  # the tunnel is over
    client.send(TEXT, b"this goes nowhere")
    assert client.receive_close() == (1000, b"")
    assert client.sock.recv(1) == b""


def test_what_follows_a_close_is_not_taken_for_the_end(alb, target):
    """Who sends anything behind its Close speaks something else: that goes through, to its end."""
    client, origin = closed_both_ways(alb, target)
    client.sendall(b"more")
    assert origin.recv(4) == b"more"
    origin.finish()
    assert client.is_at_end()
    client.sendall(b" and more")
    assert origin.recv(9) == b" and more"
    client.close()
    assert origin.is_at_end()
    origin.close()


def test_a_close_without_a_code_is_1005(alb, target):
    client, origin = open_tunnel(alb, target)
    client.send(CLOSE)
    assert origin.receive() == (CLOSE, True, b"")
    origin.close()
    client.close()
    assert "client_close=1005 target_close=0" in row(alb)


def test_a_close_that_is_not_answered_names_who_sent_it(alb, target):
    client, origin = open_tunnel(alb, target)
    origin.send_close(1001)
    assert client.receive_close() == (1001, b"")
    client.reset()
    assert origin.is_at_end()
    assert 'end="closed by target"' in row(alb)


@pytest.mark.parametrize("listener", BOTH)
def test_fin_of_the_client_reaches_the_target(alb, target, listener):
    client, origin = open_tunnel(alb, target, listener)
    client.send(TEXT, b"last")
    client.finish()
    assert origin.receive() == (TEXT, True, b"last")
    assert origin.is_at_end()
    origin.close()
    assert 'end="client FIN without a Close"' in row(alb)


@pytest.mark.parametrize("listener", BOTH)
def test_fin_of_the_target_reaches_the_client(alb, target, listener):
    client, origin = open_tunnel(alb, target, listener)
    origin.send(TEXT, b"last")
    origin.close()
    assert client.receive() == (TEXT, True, b"last")
    assert client.is_at_end()
    client.close()
    assert 'end="target FIN without a Close"' in row(alb)


def test_after_the_clients_fin_the_target_may_still_speak(alb, target):
    client, origin = open_tunnel(alb, target)
    client.finish()
    assert origin.is_at_end()
    for n in range(3):
        origin.send(TEXT, b"%d" % n)
        assert client.receive() == (TEXT, True, b"%d" % n)
    assert alb.metric("alb_websocket_tunnels_open") == 1
    origin.close()
    assert client.is_at_end()
    assert 'end="client FIN without a Close" client_frames=0 target_frames=3' in row(alb)


def test_after_the_targets_fin_the_client_may_still_speak(alb, target):
    client, origin = open_tunnel(alb, target)
    origin.finish()
    assert client.is_at_end()
    client.send(BINARY, b"x" * 100000)
    assert origin.receive() == (BINARY, True, b"x" * 100000)
    client.close()
    assert origin.is_at_end()
    assert 'end="target FIN without a Close" client_frames=1' in row(alb)


def test_a_side_that_finished_does_not_hold_the_other_for_ever(start_alb, target):
    alb = start_alb(ws_config(target, alb="idle_timeout.timeout_seconds = 1"))
    client, origin = open_tunnel(alb, target)
    client.finish()
    assert origin.is_at_end()
    assert 'end="client FIN without a Close"' in row(alb)
    client.close()


def test_the_time_of_the_other_side_begins_with_the_end(start_alb, target):
    """Not with the last byte, which may be older than all of that time."""
    settings = "websocket.close_timeout = 3s\n"
    alb = start_alb(ws_config(target, alb=settings))
    client, origin = open_tunnel(alb, target)

    def was_quiet():
        [row] = alb.tunnels()["tunnels"]
        return min(row[f"from_{side}"]["idle_ms"] for side in ("client", "target")) > 3500
    wait_until(was_quiet, "a quiet of more than the time")
    client.finish()
    assert origin.is_at_end()
    alb.configure(ws_config(target, alb=settings + "websocket.ping_interval = 20m\n"))
    alb.reload()
    time.sleep(0.5)  # its time is looked at meanwhile
    origin.send(TEXT, b"last")
    assert client.receive() == (TEXT, True, b"last")
    client.close()


@pytest.mark.parametrize("listener", BOTH)
def test_rst_of_the_client_ends_the_tunnel(alb, target, listener):
    client, origin = open_tunnel(alb, target, listener)
    client.reset()
    assert origin.is_at_end()
    assert 'end="client reset"' in row(alb)


@pytest.mark.parametrize("listener", BOTH)
def test_rst_of_the_target_ends_the_tunnel(alb, target, listener):
    client, origin = open_tunnel(alb, target, listener)
    origin.reset()
    assert client.is_at_end()
    assert 'end="target reset"' in row(alb)


def test_rst_of_a_client_that_does_not_read_ends_the_tunnel(alb, target):
    client, origin = open_tunnel(alb, target)
    origin.sock.settimeout(0.5)
    with pytest.raises(TimeoutError):
        origin.send(BINARY, b"x" * (64 << 20))
    client.reset()
    assert 'end="client reset"' in row(alb)


def test_tunnels_that_ended_leave_nothing_behind(alb, target):
    """Each way to end, many times: descriptors and memory stay where they were."""
    import os

    def rounds(n):
        for i in range(n):
            client, origin = open_tunnel(alb, target, BOTH[i % 8 == 0])
            client.send(TEXT, b"hello")
            origin.receive()
            first, second = (client, origin) if i % 2 else (origin, client)
            (first.reset if i % 4 < 2 else first.close)()
            second.close()
        wait_until(lambda: alb.metric("alb_connections_open") == 0, "tunnels to end")
    rounds(40)
    files, memory = len(os.listdir(f"/proc/{alb.pid}/fd")), resident_kb(alb.pid)
    rounds(120)
    assert alb.metric("alb_websocket_tunnels_ended_total") == 160
    wait_until(lambda: len(os.listdir(f"/proc/{alb.pid}/fd")) <= files, "descriptors to be closed")
    print(f"memory: {memory} kB, then {resident_kb(alb.pid)} kB")
    assert alb.metric("alb_target_outstanding") == 0
