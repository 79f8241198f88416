"""Each way in which a tunnel ends has a record that names it, and who began it."""

import contextlib
import pathlib
import signal
import time

import pytest

from harness import wait_until
from ws_peers import BOTH, open_tunnel, ws_config


def record(alb, n=1):
    """The newest of so many."""
    wait_until(lambda: alb.closed()["all"] == n, "the record")
    return alb.closed()["closed"][0]


def codes(row):
    return row["from_client"]["close_code"], row["from_target"]["close_code"]


def close_by_client(client, origin):
    client.send_close(4001)
    origin.receive_close()
    origin.send_close(1000)
    client.receive_close()


def close_by_target(client, origin):
    origin.send_close(4002)
    client.receive_close()
    client.send_close(1000)
    origin.receive_close()


def close_without_a_code(client, origin):
    client.send(8)
    origin.receive()


PEERS = {  # what happens: (end, by, codes)
    "closed by client": (close_by_client, "client", (4001, 1000)),
    "closed by target": (close_by_target, "target", (1000, 4002)),
    "client FIN without a Close": (lambda c, o: c.finish() or o.is_at_end(), "client", (None, None)),
    "target FIN without a Close": (lambda c, o: o.finish() or c.is_at_end(), "target", (None, None)),
    "client reset": (lambda c, o: c.reset() or o.is_at_end(), "client", (None, None)),
    "target reset": (lambda c, o: o.reset() or c.is_at_end(), "target", (None, None)),
}


@pytest.mark.parametrize("listener", BOTH)
@pytest.mark.parametrize("end", PEERS)
def test_an_end_that_a_peer_began(start_alb, target, end, listener):
    act, by, close_codes = PEERS[end]
    alb = start_alb(ws_config(target))
    client, origin = open_tunnel(alb, target, listener)
    act(client, origin)
    client.close()
    origin.close()
    row = record(alb)
    assert (row["end"], row["by"], codes(row)) == (end, by, close_codes)
    assert row["listener"] == listener
    assert f'end="{end}"' in alb.access_row("end="), "the same name as in the log"


def test_a_close_without_a_code_has_1005(start_alb, target):
    alb = start_alb(ws_config(target))
    client, origin = open_tunnel(alb, target)
    close_without_a_code(client, origin)
    client.close()
    origin.close()
    assert codes(record(alb)) == (1005, None)


@pytest.mark.parametrize("silent", ["client", "target"])
def test_idle_names_the_side_that_was_silent_longer(start_alb, target, silent):
    alb = start_alb(ws_config(target, alb="idle_timeout.timeout_seconds = 1"))
    client, origin = open_tunnel(alb, target)
    wait_until(lambda: alb.tunnels()["tunnels"][0]["age_ms"] > 20, "time to pass")
    speaker, hearer = (origin, client) if silent == "client" else (client, origin)
    speaker.send(1, b"last")
    hearer.receive()
    row = record(alb)
    assert row["end"] == f"idle: {silent} silent longer" and row["by"] == "us"
    assert row["state"] == "open"
    longer, shorter = row[f"from_{silent}"]["idle_ms"], 1000
    assert longer > row["from_client" if silent == "target" else "from_target"]["idle_ms"] >= shorter
    client.close()
    origin.close()


PINGS = "websocket.ping_interval = 1s\nwebsocket.pong_timeout = 1s"


def test_a_pong_that_does_not_come(start_alb, target):
    """The client answers, and its round trip is told; the target does not."""
    alb = start_alb(ws_config(target, alb=PINGS))
    client, origin = open_tunnel(alb, target)
    opcode, _, tag = client.receive()
    assert opcode == 9
    client.send(10, tag)
    row = record(alb)
    assert (row["end"], row["by"]) == ("pong timeout: target", "us")
    assert row["from_client"]["ping_ms"]["most"] >= row["from_client"]["ping_ms"]["last"] >= 1
    assert row["from_target"]["ping_ms"] is None
    client.close()
    origin.close()


def test_a_pong_that_does_not_come_from_the_client(start_alb, target):
    alb = start_alb(ws_config(target, alb=PINGS))
    client, origin = open_tunnel(alb, target)
    opcode, _, tag = origin.receive()
    assert opcode == 9
    origin.send(10, tag)
    row = record(alb)
    assert (row["end"], row["by"]) == ("pong timeout: client", "us")
    client.close()
    origin.close()


DELAY = "deregistration_delay.timeout_seconds = 1\n"


def test_a_deregistration_delay_that_is_over(start_alb, target):
    alb = start_alb(ws_config(target, alb="websocket.drain_close = cut", group=DELAY))
    client, origin = open_tunnel(alb, target)
    alb.command("deregister", "app", target.address)
    row = record(alb)
    assert (row["end"], row["by"]) == ("deregistration delay over", "us")
    client.close()
    origin.close()


def test_a_drained_target(start_alb, target):
    alb = start_alb(ws_config(target, group=DELAY))
    client, origin = open_tunnel(alb, target)
    alb.command("deregister", "app", target.address)
    assert client.receive_close()[0] == 1012
    client.send_close(1012)
    row = record(alb)
    assert (row["end"], row["by"], codes(row)) == ("drained", "us", (1012, None))
    assert row["id"] in alb.log(), "what we began is in the log"
    client.close()
    origin.close()


def test_a_close_of_ours_that_found_no_boundary(start_alb, target):
    alb = start_alb(ws_config(target, group=DELAY))
    client, origin = open_tunnel(alb, target)
    origin.sendall(b"\x82\x7e\x10\x00torn")
    client.recv(8)
    alb.command("deregister", "app", target.address)
    row = record(alb)
    assert (row["end"], row["by"]) == ("mid-frame", "us")
    client.close()
    origin.close()


def test_it_waits_for_a_boundary_as_long_as_the_close_timeout_says(start_alb, target):
    """Not until the end of the delay, over which many are told one after the other."""
    alb = start_alb(ws_config(target, alb="websocket.close_timeout = 1m",
                              group="deregistration_delay.timeout_seconds = 60\n"
                                    "websocket.close_timeout = 1s\n"))
    with contextlib.ExitStack() as stack:
        tunnels = [open_tunnel(alb, target) for _ in range(40)]
        for client, origin in tunnels:
            stack.enter_context(client)
            stack.enter_context(origin)
            origin.sendall(b"\x82\x7e\x10\x00torn")
            assert client.recv(8) == b"\x82\x7e\x10\x00torn"
        began = time.monotonic()
        alb.command("deregister", "app", target.address)
        wait_until(lambda: alb.closed()["all"] >= 1, "the first", 25)
        assert 0.9 < time.monotonic() - began
        row = alb.closed()["closed"][-1]
        assert (row["end"], row["by"], codes(row)) == ("mid-frame", "us", (None, None))
        told = int(alb.metric("alb_websocket_drain_closed_total"))
        assert 1 <= told < 40, "the time was that of one, not of all"
        client, origin = next(t for t in tunnels
                              if "%s:%d" % t[0].sock.getsockname() == row["client"])
        assert client.is_at_end(), "no Close: it would be payload"
        assert origin.receive_close() == (1001, b"")


def test_a_shutdown(start_alb, target):
    """One is told and goes; while the other has not answered, the first one's record is there."""
    alb = start_alb(ws_config(target, stop="8s"))
    pairs = [open_tunnel(alb, target) for _ in range(2)]
    alb.signal(signal.SIGTERM)
    closing = wait_until(lambda: alb.tunnels(state="closing")["tunnels"], "one to be told")[0]
    address = closing["client"]
    client = next(c for c, _ in pairs if "{}:{}".format(*c.sock.getsockname()) == address)
    assert client.receive_close()[0] == 1012
    client.send_close(1012)
    row = record(alb)
    assert (row["id"], row["end"], row["by"]) == (closing["id"], "shutdown", "us")
    assert codes(row) == (1012, None)
    for peers in pairs:
        for peer in peers:
            peer.close()


def test_every_end_has_a_test_here(start_alb, target):
    alb = start_alb(ws_config(target))
    _, answer = alb.admin_json("/closed?end=x")
    ends = answer["errors"][0].split("one of: ")[1].split(", ")
    text = pathlib.Path(__file__).read_text()
    text += (pathlib.Path(__file__).parent / "test_alb_edge_leave.py").read_text()
    idle = {f"idle: {side} silent longer" for side in ("client", "target")}
    assert len(ends) >= 14 and [e for e in ends if e not in idle and f'"{e}"' not in text] == []
