"""Keep-alive pings of ours: each side is kept awake and known to live, and neither side's own
pings and pongs are touched."""

import socket
import time

import pytest

from harness import PATIENCE, wait_until
from ws_peers import (BINARY, BOTH, CLOSE, CONTINUATION, PING, PONG, TEXT, in_background,
                      open_tunnel, ws_config)
from ws_wire import frame

EVERY = "websocket.ping_interval = %s\n"
OFTEN = EVERY % "400ms"
SOON = "websocket.pong_timeout = 600ms\n"
LONG = "websocket.pong_timeout = 1m\n"
SIDES = pytest.mark.parametrize("side", ["client", "target"])


def pair_of(side, pair):
    """(the side that is pinged, the other)."""
    return pair if side == "client" else pair[::-1]


def get_ping(peer):
    """The tag of the ping that comes next."""
    opcode, fin, tag = peer.receive()
    assert opcode == PING and fin and len(tag) == 8, (opcode, tag)
    return tag


def is_quiet(peer, seconds=0.25):
    """Nothing comes to it for that long."""
    assert not peer.rest
    peer.sock.settimeout(seconds)
    try:
        got = peer.sock.recv(1000)
    except TimeoutError:
        return True
    finally:
        peer.sock.settimeout(10 * PATIENCE)
    raise AssertionError(got)


def first_ping(side, pair):
    """(pinged, other, tag): the ping of the one side, and that of the other is out for good."""
    pinged, other = pair_of(side, pair)
    tag = get_ping(pinged)
    get_ping(other)
    return pinged, other, tag


def says(sender, receiver, data):
    """These bytes go through as they are."""
    sender.sendall(data)
    got = b""
    while len(got) < len(data):
        got += receiver.recv(len(data) - len(got))
    assert got == data


# --- when -------------------------------------------------------------------------------


def test_none_unless_the_file_says_so(start_alb, target):
    alb = start_alb(ws_config(target))
    client, origin = open_tunnel(alb, target)
    assert is_quiet(client, 1) and is_quiet(origin, 0.1)
    assert not any(v for k, v in alb.metrics().items() if "websocket_pings_sent" in k)


@pytest.mark.parametrize("listener", BOTH)
def test_both_sides_of_a_quiet_tunnel_are_pinged_and_neither_sees_a_pong(start_alb, target,
                                                                         listener):
    alb = start_alb(ws_config(target, alb=OFTEN + LONG))
    client, origin = open_tunnel(alb, target, listener)
    tags = []
    for _ in range(4):
        for peer in (client, origin):
            tags.append(get_ping(peer))
            peer.send(PONG, tags[-1])
    assert len(set(tags)) == 8, "each has a tag of its own"
    client.send(TEXT, b"up")
    origin.send(TEXT, b"down")
    assert origin.receive() == (TEXT, True, b"up") and client.receive() == (TEXT, True, b"down")
    for leg in ("client", "target"):
        label = f'{{leg="{leg}"}}'
        assert alb.metric("alb_websocket_pings_sent_total" + label) >= 4
        assert alb.metric("alb_websocket_pongs_withheld_total" + label) == 4
        assert alb.metric("alb_websocket_ping_time_seconds_count" + label) == 4
        assert alb.metric("alb_websocket_pong_timeouts_total" + label) == 0


def test_to_a_target_they_are_masked_and_to_a_client_not(start_alb, target):
    alb = start_alb(ws_config(target, alb=OFTEN))
    client, origin = open_tunnel(alb, target)
    assert client.recv(2) == b"\x89\x08"
    assert origin.recv(2) == b"\x89\x88"
    masks = {origin.recv(4)}
    for _ in range(2):
        origin.send(PONG, bytes(a ^ b for a, b in zip(origin.recv(8), list(masks)[-1] * 2)))
        assert origin.recv(2) == b"\x89\x88"
        masks = {origin.recv(4)}
    assert b"\0\0\0\0" not in masks


def test_they_come_at_the_interval(start_alb, target):
    alb = start_alb(ws_config(target, alb=EVERY % "1s"))
    began = time.monotonic()
    client, _origin = open_tunnel(alb, target)
    for i in range(1, 4):
        client.send(PONG, get_ping(client))
        assert i - 0.1 < time.monotonic() - began < i * 1.4 + 0.5 * PATIENCE


@SIDES
def test_a_side_that_only_speaks_or_only_listens_is_pinged_too(start_alb, target, side):
    """What is between may count one direction only."""
    alb = start_alb(ws_config(target, alb=OFTEN + LONG))
    speaker, listener = pair_of(side, open_tunnel(alb, target))
    pinged = in_background(get_ping, speaker)
    heard = []
    for _ in range(60):
        speaker.send(TEXT, b"word")
        heard.append(listener.receive())
        if heard[-1][0] == PING:
            break
        time.sleep(0.05)
    assert heard[-1][0] == PING, "nothing was received from it"
    assert len(pinged()) == 8, "nothing was sent to it"


def test_none_while_both_sides_speak(start_alb, target):
    alb = start_alb(ws_config(target, alb=EVERY % "1s"))
    client, origin = open_tunnel(alb, target)
    for _ in range(12):
        client.send(TEXT, b"up")
        origin.send(TEXT, b"down")
        assert origin.receive()[0] == TEXT and client.receive()[0] == TEXT
        time.sleep(0.1)


def test_one_outstanding_at_most(start_alb, target):
    alb = start_alb(ws_config(target, alb=EVERY % "100ms" + LONG))
    client, origin, tag = first_ping("client", open_tunnel(alb, target))
    assert is_quiet(client, 1)
    client.send(PONG, tag)
    assert get_ping(client) != tag
    assert is_quiet(origin, 0.1)


@SIDES
def test_none_while_a_ping_of_the_other_side_is_unanswered(start_alb, target, side):
    alb = start_alb(ws_config(target, alb=EVERY % "500ms" + LONG))
    pinged, other = pair_of(side, open_tunnel(alb, target))
    other.send(PING, b"mine")
    assert pinged.receive() == (PING, True, b"mine")
    get_ping(other)
    assert is_quiet(pinged, 1.5)
    pinged.send(PONG, b"mine")
    assert other.receive() == (PONG, True, b"mine")
    get_ping(pinged)


def test_a_reload_turns_them_on_for_tunnels_that_are_open_and_off_again(start_alb, target):
    config = ws_config(target, group="websocket.ping_interval = %s\n")
    alb = start_alb(config % "0")
    client, _origin = open_tunnel(alb, target)
    assert is_quiet(client, 0.5)
    alb.configure(config % "100ms")
    alb.reload()
    client.send(PONG, get_ping(client))
    client.send(PONG, get_ping(client))
    alb.configure(config % "0")
    alb.reload()
    client.sock.settimeout(0.5)
    with pytest.raises(TimeoutError):
        for _ in range(20):
            client.send(PONG, get_ping(client))


# --- what is withheld, and what is not ----------------------------------------------------


@SIDES
@pytest.mark.parametrize("listener", BOTH)
def test_a_heartbeat_of_the_other_side_while_ours_is_out(start_alb, target, side, listener):
    """Each gets the answer to its own."""
    alb = start_alb(ws_config(target, alb=OFTEN + LONG))
    pinged, other, tag = first_ping(side, open_tunnel(alb, target, listener))
    other.send(PING, b"heart")
    assert pinged.receive() == (PING, True, b"heart")
    pinged.send(PONG, tag)
    pinged.send(PONG, b"heart")
    assert other.receive() == (PONG, True, b"heart")
    get_ping(pinged)


@SIDES
def test_an_end_that_answers_only_the_latest_ping(start_alb, target, side):
    """RFC 6455 5.5.3. Ours is given up then, and the next one is another."""
    alb = start_alb(ws_config(target, alb=EVERY % "300ms" + "websocket.pong_timeout = 3s\n"))
    pinged, other = pair_of(side, open_tunnel(alb, target))
    get_ping(pinged)
    other.send(PONG, get_ping(other))
    other.send(PING, b"heart")
    assert pinged.receive() == (PING, True, b"heart")
    pinged.send(PONG, b"heart")
    got = other.receive()
    if got[0] == PING:
        other.send(PONG, got[2])
        got = other.receive()
    assert got == (PONG, True, b"heart")
    in_background(answer_for, 30, other)
    get_ping(pinged)


@SIDES
def test_pongs_that_are_not_ours_pass(start_alb, target, side):
    alb = start_alb(ws_config(target, alb=OFTEN + LONG))
    pinged, other, tag = first_ping(side, open_tunnel(alb, target))
    seven = tag[:7] + bytes([tag[7] ^ 1])
    for payload in (b"", b"12345678", seven, tag[:7], tag + b"9", tag[::-1]):
        pinged.send(PONG, payload)
        assert other.receive() == (PONG, True, payload)
    pinged.send(TEXT, tag)
    assert other.receive() == (TEXT, True, tag), "nor is a message"
    pinged.send(PONG, tag)
    pinged.send(PONG, tag)
    assert other.receive() == (PONG, True, tag), "the second is not awaited"


@SIDES
def test_a_pong_byte_by_byte(start_alb, target, side):
    alb = start_alb(ws_config(target, alb=OFTEN + LONG))
    pinged, other, tag = first_ping(side, open_tunnel(alb, target))
    for byte in frame(PONG, tag, mask=pinged.mask):
        pinged.sendall(bytes([byte]))
        time.sleep(0.01)
    pinged.send(TEXT, b"behind it")
    assert other.receive() == (TEXT, True, b"behind it")


@SIDES
def test_another_pong_byte_by_byte_is_let_go_at_the_first_difference(start_alb, target, side):
    alb = start_alb(ws_config(target, alb=OFTEN + LONG))
    pinged, other, tag = first_ping(side, open_tunnel(alb, target))
    data = frame(PONG, tag[:7] + bytes([tag[7] ^ 1]), mask=pinged.mask)
    for byte in data[:-1]:
        pinged.sendall(bytes([byte]))
        time.sleep(0.01)
    assert is_quiet(other)
    pinged.sendall(data[-1:])
    assert other.receive() == (PONG, True, tag[:7] + bytes([tag[7] ^ 1]))


@SIDES
def test_half_a_pong_goes_on_before_a_fin(start_alb, target, side):
    alb = start_alb(ws_config(target, alb=OFTEN + LONG))
    pinged, other, tag = first_ping(side, open_tunnel(alb, target))
    half = frame(PONG, tag, mask=pinged.mask)[:9]
    pinged.sendall(half)
    assert is_quiet(other)
    pinged.finish()
    got = b""
    while len(got) < len(half):
        got += other.recv(100)
    assert got == half and other.is_at_end()


@SIDES
def test_a_pong_that_comes_after_the_fin_of_the_other_side(start_alb, target, side):
    """It is ours all the same: nobody there has asked for it."""
    alb = start_alb(ws_config(target, alb=OFTEN + LONG))
    pinged, other, tag = first_ping(side, open_tunnel(alb, target))
    other.finish()
    assert pinged.is_at_end()
    pinged.send(PONG, tag)
    pinged.send(TEXT, b"the last word")
    assert other.receive() == (TEXT, True, b"the last word")


@SIDES
def test_among_compressed_and_fragmented_messages(start_alb, target, side):
    alb = start_alb(ws_config(target, alb=OFTEN + LONG))
    pinged, other, tag = first_ping(side, open_tunnel(alb, target))
    first = frame(TEXT, b"\xca\x48\xcd", fin=False, mask=pinged.mask)
    first = bytes([first[0] | 0x40]) + first[1:]
    last = frame(CONTINUATION, b"\xc9\xc9\x07\x00", mask=pinged.mask)
    pinged.sendall(first + frame(PONG, tag, mask=pinged.mask) + last)
    got = b""
    while len(got) < len(first + last):
        got += other.recv(100)
    assert got == first + last


# --- where they go in ---------------------------------------------------------------------


@SIDES
def test_between_the_fragments_of_a_message(start_alb, target, side):
    alb = start_alb(ws_config(target, alb=OFTEN + LONG))
    pinged, other = pair_of(side, open_tunnel(alb, target))
    other.send(TEXT, b"begun", fin=False)
    assert pinged.receive() == (TEXT, False, b"begun")
    get_ping(pinged)
    other.send(CONTINUATION, b"done")
    assert pinged.receive() == (CONTINUATION, True, b"done")


@SIDES
@pytest.mark.parametrize("cut", [1, 2, 5, 11])
def test_never_inside_a_frame(start_alb, target, side, cut):
    alb = start_alb(ws_config(target, alb=OFTEN + LONG))
    pinged, other = pair_of(side, open_tunnel(alb, target))
    data = frame(BINARY, b"0123456789", mask=other.mask)
    says(other, pinged, data[:cut])
    assert is_quiet(pinged, 1.2)
    more = frame(TEXT, b"more", mask=other.mask)
    other.sendall(data[cut:] + more)
    rest = b""
    while len(rest) < len(data) - cut:
        rest += pinged.recv(len(data) - cut - len(rest))
    assert rest == data[cut:]
    get_ping(pinged)  # at the end of the frame, inside of what was read at once
    assert pinged.receive() == (TEXT, True, b"more")


@SIDES
@pytest.mark.parametrize("listener", BOTH)
def test_a_side_that_takes_much_and_says_nothing_is_pinged(start_alb, target, side, listener):
    """A download: reads hardly ever end with a frame."""
    alb = start_alb(ws_config(target, alb=OFTEN + LONG))
    pinged, other = pair_of(side, open_tunnel(alb, target, listener))
    data = frame(BINARY, b"d" * 100003, mask=other.mask)
    pings = []

    def read():
        while True:
            got = pinged.receive()
            if got == (TEXT, True, b"end"):
                return
            if got[0] == PING:
                pings.append(got[2])
                pinged.send(PONG, got[2])
            else:
                assert got == (BINARY, True, b"d" * 100003)
    reading = in_background(read)
    over = time.monotonic() + 20 * PATIENCE
    while len(pings) < 3:
        other.sendall(data)
        assert time.monotonic() < over
    other.send(TEXT, b"end")
    reading()


# --- where they do not ----------------------------------------------------------------------


@SIDES
def test_none_behind_a_close(start_alb, target, side):
    alb = start_alb(ws_config(target, alb=OFTEN + LONG))
    pinged, other = pair_of(side, open_tunnel(alb, target))
    other.send_close(1000, b"bye")
    assert pinged.receive_close() == (1000, b"bye")
    assert is_quiet(pinged, 1) and is_quiet(other, 0.1)
    pinged.send_close(1000, b"bye")
    assert other.receive_close() == (1000, b"bye")


@SIDES
def test_an_opaque_direction_gets_none_and_keeps_all(start_alb, target, side):
    alb = start_alb(ws_config(target, alb=OFTEN + LONG))
    pinged, other, tag = first_ping(side, open_tunnel(alb, target))
    says(pinged, other, b"\x83\x00" + frame(PONG, tag, mask=pinged.mask))
    assert is_quiet(pinged, 1) and is_quiet(other, 0.1)
    assert alb.metric('alb_websocket_pongs_withheld_total{leg="%s"}' % side) == 0


@pytest.mark.parametrize("listener", BOTH)
def test_idle_with_a_ping_out_and_half_a_pong_held(start_alb, target, listener):
    """A Close of ours goes behind what was held: not here, then, as it is half a frame."""
    alb = start_alb(ws_config(target, alb=OFTEN + LONG + "idle_timeout.timeout_seconds = 1\n"))
    client, origin, tag = first_ping("client", open_tunnel(alb, target, listener))
    half = frame(PONG, tag)[:9]
    client.sendall(half)
    got = b""
    while len(got) < len(half):
        got += origin.recv(100)
    assert got == half and origin.is_at_end()
    assert client.receive_close() == (1001, b"idle")


# --- who is gone ----------------------------------------------------------------------------


@SIDES
@pytest.mark.parametrize("listener", BOTH)
def test_a_side_that_does_not_answer_is_named(start_alb, target, side, listener):
    alb = start_alb(ws_config(target, alb=OFTEN + SOON))
    silent, other = pair_of(side, open_tunnel(alb, target, listener))
    began = time.monotonic()
    answering = in_background(answer_for, 10, other)
    get_ping(silent)
    assert silent.receive_close()[0] == 1001 and silent.is_at_end()
    assert 0.9 < time.monotonic() - began < 2 + PATIENCE
    assert answering()[0] == 1001
    assert f'end="pong timeout: {side}"' in alb.access_row("end=")
    assert f'tunnel end reason="pong timeout: {side}"' in alb.log()
    assert alb.metric('alb_websocket_pong_timeouts_total{leg="%s"}' % side) == 1


def answer_for(seconds, peer):
    """Answer pings for so long: (code, reason) of the Close that comes, "end", or None."""
    over = time.monotonic() + seconds
    while (left := over - time.monotonic()) > 0:
        peer.sock.settimeout(left)
        try:
            got = peer.receive()
        except TimeoutError:
            return None
        if got is None:
            return "end"
        if got[0] == CLOSE:
            return int.from_bytes(got[2][:2], "big"), got[2][2:]
        assert got[0] == PING
        peer.send(PONG, got[2])
    return None


@SIDES
def test_any_byte_proves_life(start_alb, target, side):
    """An end that answers no ping but speaks, also within one frame."""
    alb = start_alb(ws_config(target, alb=OFTEN + "websocket.pong_timeout = 2s\n"))
    deaf, other = pair_of(side, open_tunnel(alb, target))
    answering = in_background(answer_and_collect, other, 20)
    deaf.sendall(frame(BINARY, b"x" * 20, mask=deaf.mask)[:-20])
    for _ in range(20):
        time.sleep(0.25)
        deaf.sendall(b"x")
    assert len(answering()) == 20
    assert alb.metric("alb_websocket_tunnels_open") == 1


def answer_and_collect(peer, n):
    """The payload of a frame of n bytes that comes slowly; pings cannot come between."""
    got = peer.receive()
    while got[0] == PING:
        peer.send(PONG, got[2])
        got = peer.receive()
    assert len(got[2]) == n
    return got[2]


@SIDES
def test_without_a_close_when_idle_ones_are_cut(start_alb, target, side):
    alb = start_alb(ws_config(target, alb=OFTEN + SOON + "websocket.idle_close = cut\n"))
    silent, other = pair_of(side, open_tunnel(alb, target))
    answering = in_background(answer_for, 10, other)
    get_ping(silent)
    assert silent.receive() is None
    assert answering() == "end"
    assert f'end="pong timeout: {side}"' in alb.access_row("end=")


def fill(sender, data):
    """Send `data` until no more is taken; how often it went, the last time in part."""
    sender.sock.settimeout(0.5)
    sent = 0
    try:
        while True:
            sender.sendall(data)
            sent += 1
    except TimeoutError:
        return sent


def test_neither_side_is_called_silent_while_one_takes_what_waits(start_alb, target):
    """The client reads late: our ping waits behind what the target has sent, and the target's
    pong behind that as well."""
    alb = start_alb(ws_config(target, alb=OFTEN + "websocket.pong_timeout = 2s\n"))
    began = time.monotonic()
    client, origin = open_tunnel(alb, target)
    sent = fill(origin, frame(BINARY, b"d" * 60000, mask=None))
    time.sleep(began + 2.8 - time.monotonic())
    for _ in range(sent):
        while (got := client.receive())[0] == PING:
            client.send(PONG, got[2])
        assert got == (BINARY, True, b"d" * 60000)
    assert alb.metric("alb_websocket_tunnels_open") == 1


def test_a_client_whose_kernel_still_takes_what_is_before_the_ping_is_not_called_silent(
        start_alb, target):
    """All of it is in our kernel's buffer, and so is the ping: it cannot be answered yet."""
    alb = start_alb(ws_config(target, alb=OFTEN + "websocket.pong_timeout = 5s\n"))
    began = time.monotonic()
    client, origin = open_tunnel(alb, target)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    origin.send(BINARY, b"d" * 300000)
    origin.send(PONG, get_ping(origin))
    in_background(answer_for, 60, origin)
    time.sleep(began + 5.8 - time.monotonic())
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    assert client.receive() == (BINARY, True, b"d" * 300000)
    client.send(PONG, get_ping(client))
    get_ping(client)


# --- another process ----------------------------------------------------------------------------


@SIDES
def test_a_ping_that_is_out_while_another_process_takes_over(start_alb, target, side):
    alb = start_alb(ws_config(target, alb=OFTEN + LONG))
    pinged, other, tag = first_ping(side, open_tunnel(alb, target))
    assert alb.upgrade()[0] == 0
    pinged.send(PONG, tag)
    pinged.send(TEXT, b"behind it")
    assert other.receive() == (TEXT, True, b"behind it")
    assert get_ping(pinged) != tag
    assert alb.metric('alb_websocket_pongs_withheld_total{leg="%s"}' % side) == 1


@SIDES
def test_and_one_of_the_other_side(start_alb, target, side):
    alb = start_alb(ws_config(target, alb=EVERY % "500ms" + LONG))
    pinged, other = pair_of(side, open_tunnel(alb, target))
    other.send(PING, b"mine")
    assert pinged.receive() == (PING, True, b"mine")
    assert alb.upgrade()[0] == 0
    get_ping(other)
    assert is_quiet(pinged, 1.2)
    pinged.send(PONG, b"mine")
    assert other.receive() == (PONG, True, b"mine")
    get_ping(pinged)


# --- idle --------------------------------------------------------------------------------------

IDLE = "idle_timeout.timeout_seconds = 1\n"




def test_an_answered_ping_counts_against_idle(start_alb, target):
    alb = start_alb(ws_config(target, alb=OFTEN + LONG + IDLE))
    client, origin = open_tunnel(alb, target)
    answering = in_background(answer_for, 3, origin)
    assert answer_for(3, client) is None
    assert answering() is None
    assert alb.metric("alb_websocket_tunnels_open") == 1


def test_one_that_is_not_answered_does_not(start_alb, target):
    alb = start_alb(ws_config(target, alb=OFTEN + LONG + IDLE))
    client, origin, _ = first_ping("client", open_tunnel(alb, target))
    assert client.receive_close() == (1001, b"idle")
    assert 'end="idle: ' in alb.access_row("end=")


@pytest.mark.parametrize("listener", BOTH)
def test_nor_does_any_when_they_are_not_to_count(start_alb, target, listener):
    alb = start_alb(ws_config(target, alb=OFTEN + LONG + IDLE
                              + "websocket.idle_counts_pings = off\n"))
    client, origin = open_tunnel(alb, target, listener)
    began = time.monotonic()
    answering = in_background(answer_for, 5, origin)
    assert answer_for(5, client) == (1001, b"idle")
    assert answering()[0] == 1001
    assert 0.9 < time.monotonic() - began < 2 + PATIENCE
    wait_until(lambda: alb.metric("alb_websocket_tunnels_idle_total") == 1, "the end to be counted")
