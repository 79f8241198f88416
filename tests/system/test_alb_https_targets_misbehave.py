"""HTTPS targets that speak another language, stop half-way, stall, or vanish: each a 502 with its
reason, counted, and nothing left behind."""

import os
import select
import ssl
import struct
import threading
import time
import warnings

from harness import PATIENCE, socket, wait_until
from http_wire import ask, read_response, request
from scripted_target import answer
from sockets import is_closed, reset
from tls_targets import groups_config
from ws_peers import TEXT, Client
from ws_wire import echo_script

ERRORS = "alb_target_tls_errors_total"
OLD = "the target speaks no TLS version from 1.2 on"
LATE = "the TLS handshake with the target took too long"


def say(data):
    def script(sock, _hello):
        sock.sendall(data)
        sock.recv(65536)  # the alert
    return script


def hang_up(sock, _hello):
    sock.close()


def send_rst(sock, _hello):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def half_a_record_then_rst(sock, _hello):
    sock.sendall(b"\x16\x03\x03\x02\x00\x02\x00")
    time.sleep(0.05)
    send_rst(sock, None)


def stay_silent(_sock, _hello):
    pass


def half_a_record(sock, _hello):
    sock.sendall(b"\x16\x03\x03\x02\x00\x02\x00")


# What it does with the ClientHello, and what is said of it.
ODD = {
    "garbage": (say(b"\x00\x01\x02garbage" * 20), "what the target sent is not TLS"),
    "http": (say(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
             "what the target sent is not TLS"),
    "alert": (say(b"\x15\x03\x03\x00\x02\x02\x28"), "the target refused the TLS handshake with an "
              "alert: it may want another version, name or certificate"),
    "data": (say(b"\x17\x03\x03\x00\x05hello"), "what the target sent is not a TLS handshake"),
    "fin": (hang_up, "the target closed within the TLS handshake"),
    "rst": (send_rst, "the target reset the connection within the TLS handshake"),
    "half_rst": (half_a_record_then_rst,
                 "the target reset the connection within the TLS handshake"),
    "silent": (stay_silent, LATE),
    "half": (half_a_record, LATE),
}


def end_of(alb, path):
    return alb.access_row(path).split('end="')[1].split('"')[0]


def test_odd_servers_are_a_502_each_with_its_reason(start_alb, start_raw_target):
    targets = {name: [start_raw_target(script)] for name, (script, _) in ODD.items()}
    alb = start_alb(groups_config(targets, "idle_timeout.timeout_seconds = 1"))

    for name in ODD:
        assert alb.get(f"/{name}/x")[0] == 502, name
    for name, (_, why) in ODD.items():
        assert end_of(alb, f"/{name}/x") == why, name
    metrics = alb.metrics()
    for name, (target,) in targets.items():
        rows = {k: v for k, v in metrics.items() if target.address in k}
        errors = [v for k, v in rows.items() if k.startswith(ERRORS)]
        assert errors == [1], name
    assert alb.metric("alb_target_connection_errors_total") == 0


def test_old_versions_are_refused(start_alb, start_tls_target):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old = start_tls_target(minimum_version=ssl.TLSVersion.TLSv1,
                               maximum_version=ssl.TLSVersion.TLSv1)
    old.context.set_ciphers("ALL:@SECLEVEL=0")
    new = start_tls_target(minimum_version=ssl.TLSVersion.TLSv1_2)
    alb = start_alb(groups_config({"old": [old], "new": [new]}))

    assert alb.get("/old/x")[0] == 502
    assert end_of(alb, "/old/x") in (OLD, ODD["alert"][1])  # who of the two found out
    assert alb.metric(ERRORS) == 1
    assert alb.get("/new")[0] == 200 and new.versions[0] in ("TLSv1.2", "TLSv1.3")


def test_who_cannot_be_reached_is_a_connection_error(start_alb, start_raw_target):
    gone = start_raw_target(stay_silent)
    gone.close()
    alb = start_alb(groups_config({"gone": [gone]}))

    assert alb.get("/gone/x")[0] == 502
    assert end_of(alb, "/gone/x") == "target refused the connection"
    assert alb.metric("alb_target_connection_errors_total") == 1
    assert alb.metric(ERRORS) == 0


def test_a_slow_handshake_holds_up_nobody(start_alb, start_tls_target, start_raw_target):
    """Fifty bytes at a time from a real server, beside others that stall for good."""
    target = start_tls_target()

    def trickle(sock, hello):
        with socket.create_connection(("127.0.0.1", target.port)) as real:
            real.sendall(hello)
            while True:
                for ready in select.select([sock, real], [], [], 10 * PATIENCE)[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    for at in range(0, len(data), 50):
                        (real if ready is sock else sock).sendall(data[at:at + 50])
                        time.sleep(0.002)
    slow = start_raw_target(trickle)
    stalled = start_raw_target(stay_silent)
    alb = start_alb(groups_config({"slow": [slow], "stalled": [stalled], "good": [target]}))

    waiting = [alb.connect() for _ in range(40)]  # PSA crypto has 32 slots unless built for more
    for sock in waiting:
        sock.sendall(request(path="/stalled"))
    wait_until(lambda: stalled.connections == 40, "the stalled handshakes")
    began = time.monotonic()
    assert alb.get("/good")[0] == 200
    assert time.monotonic() - began < 1 * PATIENCE
    assert alb.get("/slow")[0] == 200
    for sock in waiting:
        sock.close()


def descriptors(alb):
    return len(os.listdir(f"/proc/{alb.pid}/fd"))


def test_clients_that_give_up_leave_nothing_behind(start_alb, start_raw_target, start_tls_target):
    held = []

    def delay(sock, hello):
        held.append((sock, hello))
    alb = start_alb(groups_config({"app": [start_raw_target(delay)],
                                   "good": [start_tls_target()]}))
    before = descriptors(alb)

    clients = [alb.connect() for _ in range(10)]
    for sock in clients:
        sock.sendall(request(path="/app/gone"))
    wait_until(lambda: len(held) == 10, "the handshakes to be under way")
    for sock in clients:
        reset(sock)
    wait_until(lambda: alb.metric("alb_connections_open") == 0, "the clients to be counted out")
    assert " 460 - " in alb.access_row("/app/gone")
    for sock, _ in held:  # they come back when nobody waits for them any more
        sock.close()
    wait_until(lambda: descriptors(alb) <= before, "the descriptors")
    assert alb.get("/good")[0] == 200


def late_target(start_tls_target):
    """One that begins with handshakes when the event is set."""
    go_on = threading.Event()
    target = start_tls_target()
    serve = target._serve

    def late(sock):
        go_on.wait(10)
        serve(sock)
    target._serve = late
    return target, go_on


def test_a_reload_leaves_handshakes_alone(start_alb, start_tls_target):
    target, go_on = late_target(start_tls_target)
    config = groups_config({"app": [target]})
    alb = start_alb(config)

    with alb.connect() as sock:
        sock.sendall(request(path="/app"))
        wait_until(lambda: target.connections, "the connection")
        alb.configure(config.replace("target = ", "target = 127.0.0.1:9\ntarget = "))
        alb.reload()
        go_on.set()
        assert read_response(sock).body == b"ok"


def test_a_shutdown_lets_handshakes_finish_or_cuts_them(start_alb, start_tls_target,
                                                        start_raw_target):
    target, go_on = late_target(start_tls_target)
    stalled = start_raw_target(stay_silent)
    alb = start_alb(groups_config({"app": [target], "stalled": [stalled]}).replace(
        "shutdown_timeout = 5s", "shutdown_timeout = 1s"))

    with alb.connect() as sock, alb.connect() as other:
        sock.sendall(request(path="/app"))
        other.sendall(request(path="/stalled"))
        wait_until(lambda: target.connections and stalled.connections, "the connections")
        alb.signal(15)
        wait_until(lambda: "shutdown draining" in alb.log(), "the drain")
        go_on.set()
        assert read_response(sock).body == b"ok"
        assert is_closed(other)
    assert alb.wait() == 0


def test_a_reset_within_a_response_breaks_it_off(start_alb, start_tls_target):
    def script(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 50000)
        reset(sock)
        return False
    alb = start_alb(groups_config({"app": [start_tls_target(script)]}))

    try:
        ask(alb, request(path="/app/x"))
        raise AssertionError("a whole response")
    except (EOFError, ConnectionResetError):
        pass
    assert "target" in end_of(alb, "/app/x")


def test_a_target_that_vanishes_ends_its_tunnel(start_alb, start_tls_target):
    socks = []

    def script(sock, head, rest):
        socks.append(sock)
        return echo_script(sock, head, rest)
    alb = start_alb(groups_config({"app": [start_tls_target(script)]}))

    with Client(alb, path="/app/ws") as client:
        client.send(TEXT, b"hello")
        assert client.receive() == (TEXT, True, b"hello")
        socks[0].shutdown(socket.SHUT_RDWR)  # FIN without a close_notify
        assert client.receive() is None
    assert end_of(alb, "/app/ws") == "target FIN without a Close"


def test_a_slow_reader_behind_tls_is_waited_for(start_alb, start_tls_target):
    """1 MB for a target that reads it in small steps: the client is slowed down, not cut."""
    def script(sock, head, rest):
        have = len(rest)
        while have < 1 << 20:
            have += len(sock.recv(20000))
            time.sleep(0.002)
        return answer(b"%d" % have)(sock, head, rest)
    alb = start_alb(groups_config({"app": [start_tls_target(script)]}))

    assert alb.get("/app", method="POST", body=b"x" * (1 << 20))[2] == b"1048576"
