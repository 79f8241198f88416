"""Bytes that are no frames we know pass through unchanged; nothing of ours is put between."""

import os
import signal

import pytest

from harness import wait_until
from ws_peers import BOTH, TEXT, Upgraded, open_tunnel, ws_config

# A reserved opcode, reserved bits, a control frame too long, a length of 2^63 or more, and no
# frame at all.
STREAMS = [b"\x83\x05hello", b"\xa1\x01x", b"\x89\x7e\x00\x80" + b"p" * 128,
           b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff" + b"z" * 50, b"GET / HTTP/1.1\r\n\r\n"]


@pytest.mark.parametrize("listener", BOTH)
def test_what_cannot_be_followed_passes_unchanged(start_alb, start_target, listener):
    target = start_target(Upgraded())
    alb = start_alb(ws_config(target))
    for i, stream in enumerate(STREAMS):
        pass_both_ways(*open_tunnel(alb, target, listener, path=f"/{i}"),
                       stream + os.urandom(3000))
    for i in range(len(STREAMS)):
        assert "client_frames=1 target_frames=1" in alb.access_row(f"/{i} ")
    assert alb.metric("alb_websocket_tunnels_opaque_total") == len(STREAMS)


def pass_both_ways(client, origin, noise):
    for sender, receiver in ((client, origin), (origin, client)):
        sender.send(TEXT, b"a frame first")
        assert receiver.receive() == (TEXT, True, b"a frame first")
        sender.sendall(noise)
        got = b""
        while len(got) < len(noise):
            got += receiver.recv(len(noise) - len(got))
        assert got == noise
    client.close()
    assert origin.is_at_end()
    origin.close()


def test_an_opaque_direction_gets_no_close_of_ours(start_alb, start_target):
    target = start_target(Upgraded())
    alb = start_alb(ws_config(target))
    client, origin = open_tunnel(alb, target)
    origin.sendall(b"\x83\x00")
    assert client.recv(2) == b"\x83\x00"
    alb.signal(signal.SIGTERM)
    assert client.is_at_end(), "cut at its time: nobody knows where a frame could go"
    assert origin.receive_close()[0] == 1001, "the client's direction is still framed"
    client.close()
    assert alb.wait() == 0
    assert 'end="shutdown"' in alb.access_row("end=")


def test_an_opaque_tunnel_that_is_idle_is_cut(start_alb, start_target):
    target = start_target(Upgraded())
    alb = start_alb(ws_config(target, alb="idle_timeout.timeout_seconds = 1"))
    client, origin = open_tunnel(alb, target)
    for peer, other in ((client, origin), (origin, client)):
        peer.sendall(b"\x83\x00")
        assert other.recv(2) == b"\x83\x00"
    assert client.is_at_end() and origin.is_at_end()
    wait_until(lambda: alb.metric("alb_websocket_tunnels_idle_total") == 1, "the count")
