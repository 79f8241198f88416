"""Who may connect, and that a stranger hears nothing: with what the kernel lets us have here
(test_alb_silent.py has a network of its own, test_alb_privileges.py takes the means away)."""

import os
import socket

import pytest

from balancer import forward_config
from harness import run, wait_until
from http_wire import ask, request


def connect_from(alb, source, listener=None, timeout=10):
    return socket.create_connection(alb.address(listener), timeout, (source, 0))


def hears_nothing(alb, source, listener=None):
    """Never let in, or closed without a byte."""
    try:
        with connect_from(alb, source, listener, 1.5) as sock:
            try:
                sock.settimeout(10)
                sock.sendall(request())
                return sock.recv(1) == b""
            except ConnectionError:
                return True
    except (ConnectionError, TimeoutError):
        return True


def is_served(alb, source):
    with connect_from(alb, source) as sock:
        sock.sendall(request(fields=b"Connection: close\r\n"))
        return b" 200 " in sock.recv(100)


def test_a_stranger_hears_nothing(start_alb, start_target):
    target = start_target()
    alb = start_alb(forward_config(target, edge="allow = 127.0.0.1/32"))

    assert is_served(alb, "127.0.0.1")
    assert hears_nothing(alb, "127.0.0.2")
    assert len(target.seen) == 1
    closed = alb.metric('alb_connections_refused_total{reason="edge"}')
    dropped = alb.metric("alb_edge_dropped_syns_total")
    assert (closed, dropped >= 1) in ((0, True), (1, False))


def test_a_stranger_gets_no_handshake(start_alb, start_target):
    alb = start_alb(forward_config(start_target(), edge="allow = 127.0.0.1/32", more="""
[listener https]
bind = 127.0.0.1:0
protocol = HTTPS
certificate = {cert}
default_action = forward app
"""))

    assert hears_nothing(alb, "127.0.0.2", "https")
    assert alb.metric("alb_tls_handshake_errors_total") == 0


def test_a_reload_changes_the_set_and_leaves_connections(start_alb, start_target):
    target = start_target()
    alb = start_alb(forward_config(target, edge="allow = 127.0.0.2/32"))

    with connect_from(alb, "127.0.0.2") as sock:
        sock.sendall(request())
        assert b" 200 " in sock.recv(1000)
        alb.configure(forward_config(target, edge="allow = 127.0.0.1/32"))
        alb.reload()
        wait_until(lambda: hears_nothing(alb, "127.0.0.2"), "the new set")
        assert is_served(alb, "127.0.0.1")
        sock.sendall(request())
        assert b" 200 " in sock.recv(1000)


def test_files_of_blocks_are_read_at_a_reload(start_alb, start_target, tmp_path):
    (tmp_path / "edge.d").mkdir()
    (tmp_path / "edge.d" / "one.txt").write_text("127.0.0.1/32\n")
    config = forward_config(start_target(), edge=f"allow_file = {tmp_path}/edge.d/*.txt")
    alb = start_alb(config)

    assert is_served(alb, "127.0.0.1") and hears_nothing(alb, "127.0.0.2")
    (tmp_path / "edge.d" / "two.txt").write_text("# more\n127.0.0.2\n")
    alb.reload()
    wait_until(lambda: not hears_nothing(alb, "127.0.0.2"), "the new file")


@pytest.mark.parametrize("setting", ["allow_file = {pipe}", "allow_ip_ranges = {pipe} EDGE",
                                     "secret_header = X-S\nsecret_file = {pipe}"])
def test_a_reload_does_not_wait_for_the_writer_of_a_pipe(start_alb, start_target, tmp_path, setting):
    config = forward_config(start_target(), edge="allow = 127.0.0.1")
    alb = start_alb(config)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)

    alb.configure(config.replace("[edge]\n", "[edge]\n" + setting.format(pipe=pipe) + "\n"))
    code, text = alb.command("reload")
    assert code == 1 and f"cannot read {pipe}: it is a pipe; name a file" in text
    assert is_served(alb, "127.0.0.1")


def test_none_admits_nobody(start_alb, start_target):
    alb = start_alb(forward_config(start_target(), edge="allow = none"))

    assert hears_nothing(alb, "127.0.0.1")


def test_open_to_all_must_be_said(start_alb, start_target, tmp_path):
    config = tmp_path / "open.ini"
    config.write_text(forward_config("127.0.0.1:1").replace("{access}", "-").replace(
        "[edge]\nallow = 127.0.0.0/8\n", "").replace("{socket}", ""))
    code, _, text = run("alb", "check", config)
    assert code == 1 and "edge" in text
    alb = start_alb(forward_config(start_target(), edge="allow = any"))
    assert ask(alb, request()).status == 200
