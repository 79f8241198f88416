"""A listener that is removed: nobody who connected is reset, everybody gets an answer."""

import contextlib
import ctypes
import errno
import os
import select
import signal
import socket
import struct
import threading
import time

import pytest

from balancer import forward_config
from harness import free_port, wait_until
from http_wire import read_response, request
from localhost_cert import trusting_context
from scripted_target import answer
from sockets import is_closed
from stopped_threads import stopped_threads
from ws_peers import BOTH, in_background

SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
TWO = """
[listener two]
bind = 127.0.0.1:%d
%s
default_action = forward app
[rule special]
listener = two
priority = 1
path-pattern = /special
action = fixed-response 200 text/plain "special"
[rule moving]
listener = two
priority = 2
path-pattern = /moving
action = redirect 302 https://#{host}:443/moved
"""
KINDS = {"http": "protocol = HTTP", "https": "protocol = HTTPS\ncertificate = {cert}"}


class Second:
    """A balancer of two workers with a second listener that comes and goes."""

    def __init__(self, start_alb, start_target, kind):
        self.kind, self.port = kind, free_port()
        self.target = start_target(answer(b"target"))
        self.alb = start_alb(self.config(with_it=True))
        self.alb.ready["listeners"]["two"] = f"127.0.0.1:{self.port}"

    def config(self, with_it, more="", kind=None):
        more += TWO % (self.port, KINDS[kind or self.kind]) if with_it else ""
        text = forward_config(self.target, more=more)
        return text.replace("workers = 1", "workers = 2")

    def reload(self, with_it, **how):
        self.alb.configure(self.config(with_it, **how))
        self.alb.reload()

    def connect(self):
        sock = self.alb.connect("two")
        if self.kind == "https":
            sock = trusting_context().wrap_socket(sock, server_hostname="localhost")
        return sock

    def is_refused(self):
        try:
            self.alb.connect("two", timeout=0.1).close()
            return False
        except ConnectionRefusedError:
            return True
        except TimeoutError:
            return False


@pytest.fixture(params=BOTH)
def second(request, start_alb, start_target):
    return Second(start_alb, start_target, request.param)


class Storm:
    """Clients that connect as fast as they can, each for one request."""

    def __init__(self, second, count=4):
        self.second = second
        self.done, self.failed = threading.Event(), []
        self.answered = self.refused = 0
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _run(self):
        while not self.done.is_set():
            sock = socket.socket()
            sock.settimeout(0.2)
            try:
                sock.connect(("127.0.0.1", self.second.port))
            except OSError:  # refused, or its SYN was not answered
                sock.close()
                self.refused += 1
                continue
            self._ask(sock)

    def _ask(self, sock):
        sock.settimeout(10)
        try:
            if self.second.kind == "https":
                sock = trusting_context().wrap_socket(sock, server_hostname="localhost")
            with sock:
                sock.sendall(request())
                got = read_response(sock)
            if (got.status, got.body) != (200, b"target"):
                self.failed.append(got.head)
            self.answered += 1
        except (OSError, EOFError) as error:
            self.failed.append(error)

    def stop(self):
        self.done.set()
        for thread in self.threads:
            thread.join(20)


def test_every_client_that_connected_gets_its_answer(second):
    for i in range(4):
        storm = Storm(second)
        wait_until(lambda: storm.answered > 50 or storm.failed, "a storm")
        refused = storm.refused
        second.reload(with_it=False)
        wait_until(lambda: storm.refused > refused + 20 or storm.failed, "it to be closed")
        storm.stop()
        assert storm.failed == [], i
        second.reload(with_it=True)
    assert "cannot have a filter" not in second.alb.log()


def check_answered(second, sock):
    if second.kind == "https":
        sock = trusting_context().wrap_socket(sock, server_hostname="localhost")
    with sock:
        sock.sendall(request())
        assert read_response(sock).body == b"target"


def test_a_client_in_its_accept_queue_is_answered(second):
    """Who connected while nobody accepted: the process is stopped."""
    second.alb.signal(19)
    socks = [second.alb.connect("two") for _ in range(20)]
    second.alb.configure(second.config(with_it=False))
    reloaded = threading.Thread(target=second.alb.reload)
    reloaded.start()
    second.alb.signal(18)
    reloaded.join(10)
    wait_until(second.is_refused, "it to be closed")
    for sock in socks:
        check_answered(second, sock)


def drop_all(sock):
    """Nothing that comes to this socket arrives: a filter of one instruction."""
    code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))  # BPF_RET: 0 bytes
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                    struct.pack("HxxxxxxP", 1, ctypes.addressof(code)))


@contextlib.contextmanager
def slow_handshake(second):
    """A client to whom the answer to its SYN is lost; it is sent again after 1, 3 and 7 s."""
    with socket.socket() as sock:
        drop_all(sock)
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.connect(("127.0.0.1", second.port))
        yield sock


def is_answered_late(second, sock):
    """From now on it hears us."""
    sock.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
    sock.settimeout(10)
    while sock.connect_ex(("127.0.0.1", second.port)) not in (0, errno.EISCONN):
        select.select([], [sock], [], 10)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    check_answered(second, sock)


def test_a_client_whose_handshake_is_slow_is_answered(second):
    with slow_handshake(second) as sock:
        second.reload(with_it=False)
        time.sleep(1.5)  # longer than a removed one stays for others
        assert "listener closed name=two" not in second.alb.log()
        is_answered_late(second, sock)
    wait_until(lambda: "listener closed name=two" in second.alb.log(), "it to be closed")


def upgrade(second):
    code, text = second.alb.upgrade()
    assert code == 0, text
    second.alb.ready["listeners"]["two"] = f"127.0.0.1:{second.port}"


def test_an_upgrade_does_not_shorten_its_time(second):
    with slow_handshake(second) as sock:
        second.reload(with_it=False)
        upgrade(second)
        is_answered_late(second, sock)
    old = second.alb.before[0]
    wait_until(lambda: old.poll() is not None, "the old process to end")


def test_an_old_process_that_stood_still_for_that_time_answers_too(second):
    """It learns in one turn that the time is over and that it has no connection."""
    with slow_handshake(second) as sock:
        second.reload(with_it=False)
        removed = time.monotonic()
        upgrade(second)
        old = second.alb.before[0]
        os.kill(old.pid, signal.SIGSTOP)
        wait_until(lambda: time.monotonic() > removed + 1.5, "its time to be over")
        os.kill(old.pid, signal.SIGCONT)
        is_answered_late(second, sock)
    wait_until(lambda: old.poll() is not None, "the old process to end")
    text = second.alb.log()
    assert text.index("listener closed name=two") < text.index("the last connection has ended")


def test_a_listener_that_an_upgrade_removes_goes_as_well(second):
    with slow_handshake(second) as sock, second.connect() as other:
        second.alb.configure(second.config(with_it=False))
        upgrade(second)
        other.sendall(request(path="/special"))
        assert read_response(other).body == b"special", "by the rules that it had"
        assert is_closed(other)
        is_answered_late(second, sock)
    wait_until(second.is_refused, "it to be closed")
    old = second.alb.before[0]
    wait_until(lambda: old.poll() is not None, "the old process to end")


def test_an_upgrade_that_fails_removes_nothing(second):
    second.alb.configure(second.config(with_it=False) + "\n[rule x]\nnonsense = 1\n")
    code, text = second.alb.upgrade()
    assert code == 1 and "carries on" in text
    with second.connect() as sock:
        for _ in range(2):
            sock.sendall(request())
            assert read_response(sock).body == b"target"


def test_a_stop_does_not_shorten_its_time(second):
    with slow_handshake(second) as sock:
        second.reload(with_it=False)
        second.alb.signal(signal.SIGTERM)
        is_answered_late(second, sock)
    assert second.alb.wait() == 0


@pytest.mark.parametrize("removed_by", ["a reload", "the upgrade"])
def test_every_client_gets_its_answer_whoever_takes_over(second, removed_by):
    for i in range(4):
        storm = Storm(second)
        wait_until(lambda: storm.answered > 50 or storm.failed, "a storm")
        refused = storm.refused
        if removed_by == "a reload":
            second.reload(with_it=False)
        else:
            second.alb.configure(second.config(with_it=False))
        upgrade(second)
        wait_until(lambda: storm.refused > refused + 20 or storm.failed, "it to be closed")
        storm.stop()
        assert storm.failed == [], i
        second.reload(with_it=True)


def test_a_stop_answers_who_has_asked(start_alb, start_target):
    """Accepted or not, read or not: what is there when it comes."""
    second = Second(start_alb, start_target, "http")
    accepted = [second.connect() for _ in range(10)]
    for sock in accepted:
        sock.sendall(request())
        assert read_response(sock).body == b"target"
    second.alb.freeze()
    socks = accepted + [second.connect() for _ in range(10)]
    for sock in socks:
        sock.sendall(request())
    second.alb.signal(signal.SIGTERM)
    second.alb.signal(signal.SIGCONT)
    for sock in socks:
        with sock:
            assert read_response(sock).body == b"target"
            assert is_closed(sock)
    assert second.alb.wait() == 0


def test_a_client_that_never_ends_its_handshake_is_not_waited_for_long(second):
    with socket.socket() as sock:
        drop_all(sock)
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.connect(("127.0.0.1", second.port))
        second.reload(with_it=False)
        wait_until(lambda: "listener closed name=two" in second.alb.log(), "it to be closed", 12)


def test_its_rules_hold_for_one_request_of_those_that_it_still_has(second):
    asked = [(b"special", "/special", 200), (b"target", "/", 200), (None, "/moving", 302)]
    socks = [second.connect() for _ in asked]
    for sock in socks:
        sock.sendall(request())
        assert read_response(sock).body == b"target"
    second.reload(with_it=False)
    second.reload(with_it=False, more="[target_group other]\ntarget = 127.0.0.1:1\n")
    wait_until(second.is_refused, "it to be closed")
    for sock, (body, path, status) in zip(socks, asked):
        with sock:
            sock.sendall(request(path=path))
            got = read_response(sock)
            assert got.status == status and body in (None, got.body)
            assert got.values("Connection") == ["close"]
            assert is_closed(sock)


def test_a_request_for_a_group_that_went_with_it_is_refused(start_alb, start_target):
    other = start_target(answer(b"other"))
    second = Second(start_alb, start_target, "http")
    more = f"[target_group app2]\ntarget = {other.address}\nhealth_check.enabled = false\n"
    text = second.config(with_it=True, more=more)
    second.alb.configure(text.replace("redirect 302 https://#{host}:443/moved", "forward app2"))
    second.alb.reload()
    with second.connect() as sock:
        sock.sendall(request(path="/moving"))
        assert read_response(sock).body == b"other"
        second.reload(with_it=False)
        sock.sendall(request(path="/moving"))
        assert read_response(sock).status == 503
    assert 'target group removed' in second.alb.access_row("target group removed")


def test_it_may_come_back_before_it_is_closed(second):
    for _ in range(20):
        second.reload(with_it=False)
        second.reload(with_it=True)
    with second.connect() as sock:
        for _ in range(2):  # kept alive, as before
            sock.sendall(request())
            assert read_response(sock).body == b"target"
        time.sleep(1.5)  # longer than a removed one stays
        sock.sendall(request(path="/special"))
        assert read_response(sock).body == b"special"
        with second.connect() as another:
            another.sendall(request())
            assert read_response(another).body == b"target"


def test_it_may_come_back_while_its_sockets_are_being_closed(second):
    """The threads that close them are held up: its address is ours for so long."""
    alb = second.alb
    second.reload(with_it=False)
    with stopped_threads(alb.pid, "alb-"):
        wait_until(lambda: "listener closed name=two" in alb.log(), "it to be closed")
        again = in_background(second.reload, True)
        wait_until(lambda: alb.log().count("command=reload outcome=asked") == 2, "the reload")
        time.sleep(0.1)  # to be refused in
    again()
    with second.connect() as sock:
        sock.sendall(request())
        assert read_response(sock).body == b"target"


def test_its_address_may_go_to_another_protocol_at_once(start_alb, start_target):
    second = Second(start_alb, start_target, "http")
    for kind in ("https", "http", "https"):
        second.reload(with_it=True, kind=kind)
    second.kind = "https"
    with second.connect() as sock:  # at the latest when its SYN is sent again
        sock.sendall(request())
        assert read_response(sock).body == b"target"
