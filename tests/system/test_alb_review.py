"""What a hostile reader found: states nobody waits in, ends that never come, orders that get lost."""

import signal
import socket
import threading
import time

from balancer import forward_config
from harness import PATIENCE, free_port, wait_until
from http_wire import ask, read_body, read_response, request
from scripted_target import answer
from sockets import is_closed, read_until_close

FIXED = """
[alb]
admin = 127.0.0.1:0
control = {socket}
idle_timeout.timeout_seconds = %d
workers = %d
[edge]
allow = any
[listener http]
bind = 127.0.0.1:0
default_action = fixed-response 200 text/plain "%s"
"""


def fixed_config(text, idle=60, workers=1):
    return FIXED % (idle, workers, text)


def flood(alb, bytes_out):
    """A connection that asks for much and reads nothing, until alb reads no more of it."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(alb.address())
    sock.setblocking(False)
    sent = 0
    quiet_since = time.monotonic()
    while sent < bytes_out and time.monotonic() - quiet_since < 0.3:
        try:
            sent += sock.send(request() * 100)
            quiet_since = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
    sock.settimeout(10 * PATIENCE)
    return sock


def test_one_who_reads_again_after_its_time_is_over_does_not_stop_the_loop(start_alb):
    alb = start_alb(fixed_config("x" * 1000, idle=1))
    with flood(alb, 1 << 26) as sock:
        wait_until(lambda: alb.metric('alb_elb_responses_total{code="4xx"}') == 1, "the 408")
        reader = threading.Thread(target=read_until_close, args=(sock,), daemon=True)
        reader.start()
        for _ in range(20):
            assert alb.get()[0] == 200
            time.sleep(0.05)
        reader.join(10 * PATIENCE)
        assert not reader.is_alive()
    wait_until(lambda: alb.metric("alb_connections_open") == 0, "the connection to end")


def test_a_large_head_in_two_pieces_may_have_a_body_right_behind_it(start_alb, start_target):
    def script(sock, head, rest):
        body, _ = read_body(sock, head, rest)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n%05d" % (len(body) // 1000))
        return True
    alb = start_alb(forward_config(start_target(script)))
    fields = b"".join(b"X-%d: " % i + b"a" * 15000 + b"\r\n" for i in range(4))
    whole = request("POST", fields=fields, body=b"z" * 200000)

    with alb.connect() as sock:
        sock.sendall(whole[:60000])
        time.sleep(0.2)
        sock.sendall(whole[60000:])
        got = read_response(sock)
    assert (got.status, got.body) == (200, b"00200")


def test_a_refused_client_that_drips_bytes_is_closed_soon(start_alb):
    alb = start_alb(fixed_config("ok"))
    with alb.connect() as sock:
        sock.sendall(b"\0 nonsense\r\n\r\n")
        assert read_response(sock).status == 400
        began = time.monotonic()
        try:
            while time.monotonic() - began < 8 * PATIENCE:
                sock.sendall(b"x")
                time.sleep(0.3)
        except OSError:
            pass
        assert time.monotonic() - began < 5 * PATIENCE


def test_a_drain_ends_with_a_response_that_began_before_it(start_alb, start_target):
    go_on = threading.Event()

    def script(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        go_on.wait(10)
        sock.sendall(b"67890")
        return True
    alb = start_alb(forward_config(start_target(script)))
    with alb.connect() as sock:
        sock.sendall(request())
        have = b""
        while not have.endswith(b"12345"):
            have += sock.recv(4096)
        alb.signal(signal.SIGTERM)
        wait_until(lambda: "shutdown draining" in alb.log(), "the drain")
        go_on.set()
        assert read_response(sock, have).body == b"1234567890"
        assert is_closed(sock)
        ended = time.monotonic()
    assert alb.wait() == 0
    assert time.monotonic() - ended < 3 * PATIENCE  # not the 5 s of shutdown_timeout


def test_a_stop_while_a_target_drains_leaves_nothing_behind(start_alb, start_target):
    first, second = start_target(), start_target()
    alb = start_alb(forward_config(first, second))
    alb.configure(forward_config(first))
    alb.reload()
    wait_until(lambda: "target draining" in alb.log(), "the second target to drain")
    assert alb.stop() == 0


def test_sent_bytes_are_all_counted(start_alb, start_target):
    alb = start_alb(forward_config(start_target(answer(b"z" * 300000))))
    assert len(ask(alb, request()).body) == 300000
    wait_until(lambda: alb.metric("alb_connections_open") == 0, "the connection to end")
    assert 300000 < alb.metric("alb_client_sent_bytes_total") < 301000


def test_no_hangup_signal_is_lost(start_alb):
    alb = start_alb(fixed_config("0", workers=4))
    for i in range(1, 60):
        alb.configure(fixed_config(str(i), workers=4))
        for _ in range(5):
            alb.signal(signal.SIGHUP)
    wait_until(lambda: alb.get()[2] == b"59", "the last configuration to be in force")
    assert "under way" not in alb.log()


def test_a_start_that_fails_at_its_second_listener_says_so(start_alb):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        alb = start_alb(fixed_config("ok") + f"[listener second]\nbind = 127.0.0.1:{port}\n"
                        'default_action = fixed-response 200 text/plain "ok"\n', wait=False)
        assert alb.wait() == 1
    assert f"127.0.0.1:{port} is in use" in alb.log()


def test_a_listener_may_go_and_come_back_at_each_reload(start_alb):
    without = fixed_config("ok", workers=4)
    extra = without + (f"[listener extra]\nbind = 127.0.0.1:{free_port()}\n"
                       'default_action = fixed-response 200 text/plain "ok"\n')
    alb = start_alb(without)
    for _ in range(30):
        alb.configure(extra)
        alb.reload()
        alb.configure(without)
        alb.reload()
    assert [listener["name"] for listener in alb.status()["listeners"]] == ["http"]
