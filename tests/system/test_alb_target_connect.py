"""A connection to a target is made: at once, after a while, not at all."""

import contextlib
import pathlib
import socket

import pytest

from balancer import forward_config
from harness import free_port, wait_until
from http_wire import ask, read_head, request, values
from scripted_target import Target, answer
from sockets import packets_in
from ws_peers import in_background
from ws_wire import echo_script, frame, read_frame, upgrade_request

ASKED = {"request": request(), "upgrade": upgrade_request()}


def script(sock, head, rest):
    return (echo_script if values(head, "Upgrade") else answer())(sock, head, rest)


def check_upgrade(alb):
    with alb.connect() as sock:
        sock.sendall(upgrade_request())
        head, rest = read_head(sock)
        assert head.startswith(b"HTTP/1.1 101 ") and rest == b""
        sock.sendall(frame(1, b"hello"))
        assert read_frame(sock) == (1, True, b"hello")


def listening(listener):
    """A target that takes what comes to this listener."""
    target = Target(script)
    target.close()
    target.listener = listener
    target._begin()
    return target


def test_over_ipv6(start_alb, started):
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6, backlog=512)
    except OSError:
        pytest.skip("no ::1 here")
    started.append(listening(listener))
    alb = start_alb(forward_config(f"[::1]:{listener.getsockname()[1]}"))
    assert alb.get()[2] == b"ok"
    check_upgrade(alb)


@pytest.mark.parametrize("asked", ASKED)
def test_nobody_listens(start_alb, start_target, asked):
    """The next target is asked; without one, it is said that this one refused."""
    nobody = f"127.0.0.1:{free_port()}"
    alone = start_alb(forward_config(nobody))
    assert ask(alone, ASKED[asked], to_head=True).status == 502
    assert 'end="target refused the connection"' in alone.access_row(" 502 ")
    assert alone.metric("alb_target_connection_errors_total") == 1
    alb = start_alb(forward_config(nobody, start_target(script)))
    for _ in range(2):
        assert ask(alb, ASKED[asked], to_head=True).status in (101, 200)
    assert alb.metric("alb_target_connection_errors_total") == 1


def is_connecting(port):
    """Does a socket here wait for an answer from that port?"""
    rows = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(row.split()[2].endswith(f":{port:04X}") and row.split()[3] == "02" for row in rows)


@pytest.mark.parametrize("asked", ASKED)
def test_a_target_without_room_is_waited_for(start_alb, started, asked):
    with contextlib.ExitStack() as stack:
        listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        address = listener.getsockname()
        filling = [stack.enter_context(socket.socket()) for _ in range(3)]
        for sock in filling:
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(address)
        alb = start_alb(forward_config("%s:%d" % address))
        for sock in filling[1:]:
            sock.close()
        assert not is_connecting(address[1])
        response = in_background(ask, alb, ASKED[asked], None, True)
        wait_until(lambda: is_connecting(address[1]), "alb to connect")
        started.append(listening(listener))
        assert response().status in (101, 200)  # once the kernel has asked again
    assert alb.metric("alb_target_connection_errors_total") == 0


def usual_packets():
    """Of a connection by which something is sent at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as sock:
            sock.sendall(b"x")
            with listener.accept()[0] as accepted:
                assert accepted.recv(1) == b"x"
                return packets_in(accepted)


def test_the_head_comes_with_the_ack_of_the_handshake(start_alb, start_target):
    """A packet less; unless alb takes longer than the kernel waits, as it may on a busy machine."""
    packets = []

    def count(sock, _head, _rest):
        packets.append(packets_in(sock))
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        return False
    alb = start_alb(forward_config(start_target(count)))
    for _ in range(5):
        assert alb.get()[2] == b"ok"
    assert min(packets) == usual_packets() - 1, packets
