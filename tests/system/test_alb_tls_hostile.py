"""Clients that break off, garble, dribble or stall the TLS handshake: each ends, is counted and has
one row in the connection log, and nothing of it is left behind."""

import concurrent.futures
import contextlib
import os
import socket
import ssl
import time

import pytest

from balancer import HTTPS_LISTENER, forward_config
from harness import PATIENCE, grown_kb, resident_kb, wait_until
from http_wire import read_response, request
from localhost_cert import trusting_context
from sockets import is_closed
from tls_clients import FAR, Peer, fin, half_close, read_to_the_end, rst
from tls_versions import each_version, speak

ERRORS = "alb_tls_handshake_errors_total"
DONE = "alb_tls_handshakes_total"


@pytest.fixture
def start(start_alb, start_target, tmp_path):
    """start(alb="") -> an Alb with an HTTPS listener and a connection log"""
    def it(alb=""):
        return start_alb(forward_config(
            start_target(), more=HTTPS_LISTENER,
            alb=f"connection_logs.enabled = true\nconnection_logs.file = {tmp_path}/conn.log\n"
            + alb))
    return it


def rows(alb):
    """(protocol, cipher, latency, id) of each connection to the HTTPS listener."""
    path = alb.folder / "conn.log"
    fields = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [(f[4], f[5], f[6], f[11]) for f in fields if f[3] == str(alb.port("https"))]


def served(alb):
    assert alb.get(listener="https", tls=True)[0] == 200


def wait_for_failures(alb, count):
    """They are counted, each with a row and an id of its own, and none is open."""
    wait_until(lambda: alb.metric(ERRORS) == count, f"{count} errors, not {alb.metric(ERRORS)}")
    wait_until(lambda: alb.status()["connections"] == 0, "the connections to be counted out")
    wait_until(lambda: len(rows(alb)) == count + alb.metric(DONE), "the rows")
    failed = [row for row in rows(alb) if row[0] == "-"]
    assert len(failed) == count and all(row[1] == row[2] == "-" for row in failed)
    assert len({row[3] for row in rows(alb)}) == len(rows(alb))


def reasons(alb):
    return [line.split('reason="')[1].rstrip('"') for line in alb.log().splitlines()
            if " tls failed " in line]


@each_version
@pytest.mark.parametrize("how", [fin, half_close, rst], ids=lambda f: f.__name__)
def test_clients_that_leave_within_the_handshake(start, version, how):
    alb = start()
    for count, far in enumerate(FAR, 1):
        peer = Peer(alb, version)
        far(peer)
        how(peer)
        wait_for_failures(alb, count)
    said = reasons(alb)
    assert len(said) == len(FAR)
    assert all("took too long" not in why and "shutting down" not in why for why in said), said
    served(alb)


def record(kind, payload, version=b"\x03\x03"):
    return bytes([kind]) + version + len(payload).to_bytes(2, "big") + payload


GARBAGE = {
    "zeroes": b"\0" * 100,
    "ones": b"\xff" * 100,
    "words": b"hello, is this a chat?\n" * 10,
    "record_of_garbage": record(22, os.urandom(200)),
    "record_of_nothing": record(22, b""),
    "too_long_a_record": b"\x16\x03\x03\xff\xff" + b"\x01" * 100,
    "old_version": record(22, b"\x01\0\0\x26" + b"\x02\0" + b"\0" * 36, b"\x02\0"),
    "alert": record(21, b"\x02\x28"),
    "data": record(23, b"GET / HTTP/1.1\r\n\r\n"),
    "cipher_change": record(20, b"\x01"),
    "sslv2_hello": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + b"\x01" * 35,
    "not_a_hello": record(22, b"\x02\0\0\x26" + b"\x03\x03" + b"\0" * 36),
    "hello_longer_than_it_says": record(22, b"\x01\0\0\x05" + b"\x03\x03" + b"\0" * 80),
    "hello_shorter_than_it_says": record(22, b"\x01\xff\xff\xff" + b"\x03\x03" + b"\0" * 80),
    "hello_without_ciphers": record(22, b"\x01\0\0\x29" + b"\x03\x03" + b"\0" * 32 +
                                    b"\0" + b"\0\0" + b"\x01\0" + b"\0\0"),
    "hello_of_one_unknown_cipher": record(22, b"\x01\0\0\x2b" + b"\x03\x03" + b"\0" * 32 +
                                          b"\0" + b"\0\x02\xaa\xaa" + b"\x01\0" + b"\0\0"),
    "hello_with_extensions_beyond_its_end": record(
        22, b"\x01\0\0\x2d" + b"\x03\x03" + b"\0" * 32 + b"\0" + b"\0\x02\xc0\x2b" + b"\x01\0" +
        b"\xff\xff" + b"\0\0"),
    "proxy_protocol_2": b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\x7f\0\0\x01" * 2 + b"\0\x50" * 2,
}


def test_garbage_instead_of_a_hello(start):
    alb = start()
    for count, (name, data) in enumerate(GARBAGE.items(), 1):
        with alb.connect("https") as sock:
            sock.sendall(data)
            with contextlib.suppress(OSError):  # it may be closed by now
                sock.shutdown(socket.SHUT_WR)
            got = read_to_the_end(sock)
            assert got[:1] in (b"", b"\x15"), (name, got)  # silence, or an alert
        wait_for_failures(alb, count)
    served(alb)


@each_version
@pytest.mark.parametrize("spoil", ["garbage", "flipped", "twice", "data"])
def test_garbage_instead_of_the_second_flight(start, version, spoil):
    alb = start()
    peer = Peer(alb, version)
    peer.hello()
    flight = peer.second()
    peer.sock.sendall({
        "garbage": record(22, os.urandom(len(flight))),
        "flipped": flight[:-3] + bytes([flight[-3] ^ 1]) + flight[-2:],
        "twice": flight[:-1] + bytes([flight[-1] ^ 1]) + flight,
        "data": record(23, b"GET / HTTP/1.1\r\n\r\n"),
    }[spoil])
    with contextlib.suppress(OSError):
        peer.sock.shutdown(socket.SHUT_WR)  # garbage may promise more to come
    got = read_to_the_end(peer.sock)
    assert got[:1] in (b"", b"\x15") or (got[0] == 0x17 and len(got) < 64), got  # sealed
    peer.sock.close()
    wait_for_failures(alb, 1)
    served(alb)


@each_version
def test_a_hello_with_a_byte_flipped(start, version):
    """Whether it is refused or answered: without a second flight it fails, and none is a crash."""
    alb = start()
    peer = Peer(alb, version)
    flight = peer.flight()
    peer.sock.close()
    outcomes = 1  # this one
    for at in range(5, len(flight), 3):
        with alb.connect("https") as sock:
            sock.sendall(flight[:at] + bytes([flight[at] ^ 0xff]) + flight[at + 1:])
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_WR)
            read_to_the_end(sock)
        outcomes += 1
    wait_for_failures(alb, outcomes)  # nobody sent a Finished
    served(alb)


PLAIN = {
    "get": request(),
    "post": request("POST", body=b"x" * 10000),
    "websocket": request(fields=b"Connection: Upgrade\r\nUpgrade: websocket\r\n"),
    "connect": b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
    "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "proxy_protocol_1": b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n",
    "one_letter": b"G",
}


def test_plain_http_is_a_400_and_a_failed_handshake(start):
    alb = start()
    for count, (name, data) in enumerate(PLAIN.items(), 1):
        with alb.connect("https") as sock:
            sock.sendall(data)
            got = read_response(sock)
            assert got.status == 400 and b"HTTPS" in got.body and got.rest == b"", name
            assert is_closed(sock)
        wait_for_failures(alb, count)
    assert set(reasons(alb)) == {
        "a plain HTTP request came to an HTTPS port",
        "it begins with the PROXY protocol, which this listener does not expect: "
        "set proxy_protocol = on"}
    served(alb)


def test_plain_http_that_goes_on_is_read_and_then_dropped(start):
    """The answer is to arrive before a reset does; but nobody is read for good."""
    alb = start()
    with alb.connect("https") as sock, pytest.raises(OSError):
        sock.sendall(request("POST", fields=b"Content-Length: 99999999\r\n"))
        assert read_response(sock).status == 400
        for _ in range(100000):
            sock.sendall(b"x" * 10000)
    wait_for_failures(alb, 1)


@each_version
def test_a_handshake_of_one_byte_at_a_time(start, version):
    alb = start()
    peer = Peer(alb, version)
    peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def dribble(flight):
        for byte in flight:
            peer.sock.sendall(bytes([byte]))
            time.sleep(0.0005)  # one segment each
    dribble(peer.flight())
    dribble(peer.second())
    peer.answer()
    assert peer.get().endswith(b"ok")
    peer.sock.close()
    wait_for_failures(alb, 0)
    assert rows(alb)[0][0] == {ssl.TLSVersion.TLSv1_2: "TLSv1.2"}.get(version, "TLSv1.3")


@each_version
@pytest.mark.parametrize("cut", [1, 5, 6, 9, 43, 100])
def test_a_hello_in_two_segments(start, version, cut):
    alb = start()
    peer = Peer(alb, version)
    flight = peer.flight()
    peer.sock.sendall(flight[:cut])
    time.sleep(0.02)  # two reads, as a rule
    peer.sock.sendall(flight[cut:])
    peer.sock.sendall(peer.second())
    peer.answer()
    assert peer.get().endswith(b"ok")


@each_version
def test_a_stalled_handshake_is_dropped_wherever_it_stands(start, version):
    alb = start("tls.handshake_timeout = 1s")
    peers = [Peer(alb, version) for _ in FAR]
    began = time.monotonic()
    for far, peer in zip(FAR, peers):
        far(peer)
    served(alb)
    for peer in peers:
        read_to_the_end(peer.sock)
        peer.sock.close()
    assert 0.8 < time.monotonic() - began < 5 * PATIENCE
    wait_for_failures(alb, len(FAR))
    assert reasons(alb) == ["the handshake took too long"] * len(FAR)


def test_bytes_now_and_then_do_not_prolong_a_handshake(start):
    alb = start("tls.handshake_timeout = 1s")
    peer = Peer(alb)
    flight = peer.flight()
    began = time.monotonic()
    with pytest.raises(OSError):
        for byte in flight:
            peer.sock.sendall(bytes([byte]))
            time.sleep(0.05)
        pytest.fail(f"{len(flight)} bytes were taken")
    assert time.monotonic() - began < len(flight) * 0.05
    wait_for_failures(alb, 1)
    assert reasons(alb) == ["the handshake took too long"]


# --- many at a time ------------------------------------------------------------------

KINDS = [(far, how) for far in FAR for how in (fin, rst)]
FLOOD = 30  # of each kind


def flood(alb, context):
    def clients(kind):
        far, how = kind
        for _ in range(FLOOD):
            peer = Peer(alb, context=context)
            far(peer)
            how(peer)
    with concurrent.futures.ThreadPoolExecutor(len(KINDS)) as pool:
        floods = [pool.submit(clients, kind) for kind in KINDS]
        for _ in range(10):
            served(alb)  # beside them
        for done in floods:
            done.result()


@each_version
def test_a_flood_leaves_nothing_behind(start, version):
    context = speak(trusting_context(), version)
    alb = start()
    served(alb)
    before = len(os.listdir(f"/proc/{alb.pid}/fd"))
    kept = []
    for run in (1, 2):
        flood(alb, context)
        wait_for_failures(alb, run * FLOOD * len(KINDS))
        wait_until(lambda: len(os.listdir(f"/proc/{alb.pid}/fd")) <= before, "the descriptors")
        assert alb.metric("alb_connections_open") == 0
        kept.append(resident_kb(alb.pid))
    assert grown_kb(alb.pid, kept[0]) < 2048  # what the first needed does for the second
    assert alb.metric(DONE) == 21
