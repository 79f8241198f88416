"""A reload touches no tunnel but those of a target that was taken out, and those in their time."""

import time

import pytest

from drains import CLOSED, CUT, DELAY
from harness import free_port, wait_until
from ws_peers import BOTH, TEXT, Client, is_alive, ws_config

RULE = """
[rule away]
listener = http
priority = %d
path-pattern = /away/%d
action = fixed-response 410 text/plain "gone"
"""


def has_no_close(*peers):
    """Nothing but what was asked for came to these until now."""
    for peer in peers:
        peer.sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            peer.sock.recv(1)
        peer.sock.settimeout(10)
    return True


def open_both(alb, targets, listener="http"):
    """A tunnel to each: [(client, origin), (client, origin)]."""
    clients = [Client(alb, listener), Client(alb, listener)]  # in turn
    pairs = [(c, t.script.take()) for c, t in zip(clients, targets)]
    for client, origin in pairs:
        client.send(TEXT, b"who")
        assert origin.receive() == (TEXT, True, b"who")
    return pairs


@pytest.mark.parametrize("listener", BOTH)
def test_reloads_do_not_touch_tunnels(start_alb, targets, listener):
    alb = start_alb(ws_config(*targets, workers=2))
    pairs = [pair for _ in range(10) for pair in open_both(alb, targets, listener)]
    for i in range(10):
        more = RULE % (i + 1, i)
        if i == 5:  # even without the listener that they came by
            more += "\n[listener other]\nbind = 127.0.0.1:0\ndefault_action = forward app\n"
        text = ws_config(*targets, workers=2, more=more)
        if i == 5:
            text = text.replace("[listener http]", "[listener http2]").replace(
                "listener = http\n", "listener = http2\n")
        alb.configure(text)
        alb.reload()
        assert is_alive(*pairs[i])
    assert all(is_alive(*pair) for pair in pairs)
    assert alb.metric("alb_websocket_tunnels_open") == 20
    assert not alb.access_rows()


def test_a_reload_that_is_refused_does_not_touch_tunnels(start_alb, targets):
    alb = start_alb(ws_config(*targets))
    pairs = open_both(alb, targets)
    alb.configure("[alb]\nnonsense = 1\n")
    code, text = alb.command("reload")
    assert code == 1 and "nonsense" in text
    assert all(is_alive(*pair) for pair in pairs)


@pytest.mark.parametrize("listener", BOTH)
def test_tunnels_of_a_removed_target_stay_for_the_delay(start_alb, targets, listener):
    alb = start_alb(ws_config(*targets, group=DELAY % 1, workers=2))
    kept, gone = open_both(alb, targets, listener)
    alb.configure(ws_config(targets[0], group=DELAY % 1, workers=2))
    began = time.monotonic()
    alb.reload()
    reloaded = time.monotonic()
    code, reason = gone[0].receive_close()
    assert code == 1012 and reason.startswith(b"restart;after=")
    assert time.monotonic() - reloaded < 0.99, "it is told within 0.9 of the delay"
    gone[0].send(TEXT, b"last words")
    assert gone[1].receive() == (TEXT, True, b"last words"), "the delay is not over"
    assert gone[0].is_at_end()
    assert 0.9 < time.monotonic() - began < 5
    assert gone[1].receive_close() == (1001, b"") and gone[1].is_at_end()
    assert f" {targets[1].address} " in alb.access_row('end="drained"')
    assert is_alive(*kept)
    assert len(alb.access_rows()) == 1


@pytest.mark.parametrize("setting", ["websocket.drain_close = cut\n", "profile = aws\n"])
def test_the_end_of_the_delay_without_a_close(start_alb, targets, setting):
    alb = start_alb(ws_config(*targets, alb=setting, group=DELAY % 1))
    kept, gone = open_both(alb, targets)
    gone[1].sendall(b"\x82\x0ahalf")
    alb.configure(ws_config(targets[0], alb=setting, group=DELAY % 1))
    began = time.monotonic()
    alb.reload()
    assert gone[0].recv(100) == b"\x82\x0ahalf" and gone[0].is_at_end()
    assert gone[1].receive() is None and gone[1].is_at_end()
    assert time.monotonic() - began > 0.9
    assert 'end="deregistration delay over"' in alb.access_row("end=")
    assert is_alive(*kept)


def test_a_frame_that_the_end_of_the_delay_tears_is_called_so(start_alb, targets):
    alb = start_alb(ws_config(*targets, group=DELAY % 1))
    _kept, gone = open_both(alb, targets)
    gone[1].sendall(b"\x82\x0ahalf")
    assert gone[0].recv(100) == b"\x82\x0ahalf"
    alb.configure(ws_config(targets[0], group=DELAY % 1))
    alb.reload()
    assert gone[0].is_at_end()
    assert 'end="mid-frame"' in alb.access_row("end=")


def test_a_half_closed_tunnel_has_the_close_timeout(start_alb, targets):
    """And one that is changed while it is open."""
    config = ws_config(*targets, alb="websocket.close_timeout = %s\n")
    alb = start_alb(config % "1m")
    kept, half = open_both(alb, targets)
    half[0].finish()
    assert half[1].is_at_end()
    alb.configure(config % "300ms")
    began = time.monotonic()
    alb.reload()
    half[0].receive_close()
    assert time.monotonic() - began < 5
    assert 'end="client FIN without a Close"' in alb.access_row("end=")
    assert is_alive(*kept)


def test_a_target_that_comes_back_within_the_delay_keeps_its_tunnels(start_alb, targets):
    """All but those that chance had closed by then: the first may be due at once."""
    alb = start_alb(ws_config(*targets, group=DELAY % 1))
    pairs = [open_both(alb, targets) for _ in range(8)]
    alb.configure(ws_config(targets[0], group=DELAY % 1))
    alb.reload()
    alb.configure(ws_config(*targets, group=DELAY % 1))
    alb.reload()
    wait_until(lambda: "drain end" in alb.log(), "the end of the drain")
    gone = alb.metric(CLOSED)
    assert gone < 8
    time.sleep(1.3)
    assert alb.metric(CLOSED) == gone and alb.metric(CUT) == 0
    assert all(is_alive(*kept) for kept, _back in pairs)
    assert [is_alive(*back) for _kept, back in pairs].count(True) == 8 - gone
    more = open_both(alb, targets)
    assert all(is_alive(*pair) for pair in more)
    rows = [v for k, v in alb.metrics().items() if k.startswith("alb_target_outstanding")]
    assert max(rows) == 9 and min(rows) >= 9 - gone, rows


def test_a_delay_of_nothing_closes_at_once(start_alb, targets):
    alb = start_alb(ws_config(*targets, group=DELAY % 0))
    kept, gone = open_both(alb, targets)
    alb.configure(ws_config(targets[0], f"127.0.0.1:{free_port()}", group=DELAY % 0))
    alb.reload()
    assert gone[0].receive_close()[0] == 1012
    assert is_alive(*kept)
