"""A client may close its sending half and still get its answers."""

import shlex
import signal
import socket
import ssl
import threading

import pytest

from balancer import forward_config
from harness import wait_until
from http_wire import read_body, read_response, request
from localhost_cert import trusting_context
from sockets import is_closed, reset


def echo_path(sock, head, rest):
    body, _ = read_body(sock, head, rest)
    text = head.split(b" ")[1] + body
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
    return True


def send_and_finish(sock, data):
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


def test_the_answer_still_comes_and_then_the_end(start_alb, start_target):
    alb = start_alb(forward_config(start_target(echo_path)))

    with alb.connect() as sock:
        send_and_finish(sock, request("POST", "/a", body=b"-b"))
        assert read_response(sock).body == b"/a-b"
        assert is_closed(sock)


def test_all_pipelined_requests_are_still_answered(start_alb, start_target):
    alb = start_alb(forward_config(start_target(echo_path)))

    with alb.connect() as sock:
        send_and_finish(sock, b"".join(request(path=f"/{i}") for i in range(5)))
        rest = b""
        for i in range(5):
            got = read_response(sock, rest)
            assert got.body == b"/%d" % i
            rest = got.rest
        assert is_closed(sock)


def test_a_large_answer_still_comes_whole(start_alb, start_target):
    size = 5000000

    def script(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"z" * size)
        return True
    alb = start_alb(forward_config(start_target(script)))

    with alb.connect() as sock:
        send_and_finish(sock, request())
        assert len(read_response(sock).body) == size


def test_half_a_head_is_a_400(start_alb, start_target):
    alb = start_alb(forward_config(start_target()))

    with alb.connect() as sock:
        send_and_finish(sock, b"GET / HTTP/1.1\r\nHost:")
        assert read_response(sock).status == 400
        assert is_closed(sock)


def test_half_a_body_is_a_400_and_cuts_the_target(start_alb, start_target):
    ends = []

    def script(sock, head, rest):
        ends.append("began")
        while sock.recv(100):
            pass
        ends.append("cut")
        return False
    alb = start_alb(forward_config(start_target(script)))

    with alb.connect() as sock:
        send_and_finish(sock, request("POST", fields=b"Content-Length: 9\r\n") + b"half")
        assert read_response(sock).status == 400
    wait_until(lambda: "cut" in ends, "the target to be cut off")


def test_a_connection_without_a_request_just_ends(start_alb, start_target):
    target = start_target()
    alb = start_alb(forward_config(target))

    with alb.connect() as sock:
        sock.shutdown(socket.SHUT_WR)
        assert is_closed(sock)
    wait_until(lambda: alb.metric("alb_connections_open") == 0, "it to be counted out")
    assert target.seen == []


class Held:
    """A target whose answers under /held wait for release(): each of them is `said`, then the end."""

    def __init__(self, start_target, said):
        self.said, self.free, self.done = said, threading.Event(), threading.Event()
        self.target = start_target(self._script)

    def _script(self, sock, head, _rest):
        if b" /held" not in head:
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            return True
        self.free.wait(20)
        sock.sendall(self.said)
        sock.close()
        self.done.set()
        return False

    def release(self, alb):
        """Once alb knows what its clients have done: it has served another one since."""
        assert alb.get()[0] == 200
        self.free.set()


SMALL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 201 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.1 404 No\r\n\r\nok"

# what the target says, its status in the row
ANSWERS = {"small": (SMALL, "200"), "chunked": (CHUNKED, "201"), "until close": (UNTIL_CLOSE, "404"),
           "none": (b"", "-"), "malformed": (b"hello\r\n\r\n", "-")}


@pytest.mark.parametrize("tls", (False, True), ids=("plain", "tls"))
@pytest.mark.parametrize("name", ANSWERS)
def test_a_client_that_has_closed_is_a_460(name, tls, start_alb, start_target):
    """close() looks like a client that has finished sending, until its kernel refuses the answer."""
    said, status = ANSWERS[name]
    held = Held(start_target, said)
    config = forward_config(held.target, group="health_check.enabled = false\nretry.max = 0", more="""
[listener tls]
bind = 127.0.0.1:0
protocol = HTTPS
certificate = {cert}
default_action = forward app
""")
    alb = start_alb(config)

    sock = alb.connect("tls" if tls else "http")
    if tls:
        context = trusting_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # 1.3 sends tickets; to close over them is a reset
        sock = context.wrap_socket(sock, server_hostname="localhost")
    sock.sendall(request("POST", "/held", body=b"x"))
    wait_until(lambda: any(b"/held" in head for head in held.target.seen), "the target to have it")
    sock.close()
    held.release(alb)
    fields = shlex.split(alb.access_row("/held"))
    assert fields[8:10] == ["460", status]
    assert fields[-1] == "end=client closed before it had the answer"
    assert alb.metric('alb_elb_responses_total{code="4xx"}') == 1
    assert alb.metric('alb_elb_responses_total{code="5xx"}') == 0
    wait_until(lambda: alb.metric("alb_connections_open") == 0, "its connection to end")


@pytest.mark.parametrize("name", ANSWERS)
def test_one_that_only_finished_sending_is_not(name, start_alb, start_target):
    said, status = ANSWERS[name]
    held = Held(start_target, said)
    alb = start_alb(forward_config(held.target,
                                   group="health_check.enabled = false\nretry.max = 0"))

    with alb.connect() as sock:
        send_and_finish(sock, request("POST", "/held", body=b"x"))
        wait_until(lambda: any(b"/held" in h for h in held.target.seen), "the target to have it")
        held.release(alb)
        got = read_response(sock)
        assert got.status == (502 if status == "-" else int(status))
        assert is_closed(sock)
    assert shlex.split(alb.access_row("/held"))[8:10] == [str(got.status), status]
    assert alb.metric('alb_elb_responses_total{code="4xx"}') == 0
    assert alb.metric('alb_elb_responses_total{code="5xx"}') == (status == "-")


@pytest.mark.parametrize("ending", ("close", "reset"))
@pytest.mark.parametrize("name", ANSWERS)
def test_who_goes_in_the_turn_of_the_answer_is_a_460(name, ending, start_alb, start_target):
    """The loop learns of both at once, of the answer first."""
    said, status = ANSWERS[name]
    held = Held(start_target, said)
    alb = start_alb(forward_config(held.target,
                                   group="health_check.enabled = false\nretry.max = 0"))

    sock = alb.connect()
    sock.sendall(request("POST", "/held", body=b"x"))
    wait_until(lambda: held.target.seen, "the target to have it")
    alb.freeze()
    (reset if ending == "reset" else socket.socket.close)(sock)
    held.free.set()
    assert held.done.wait(10)
    alb.signal(signal.SIGCONT)
    fields = shlex.split(alb.access_row("/held"))
    assert fields[8:10] in (["460", status], ["460", "-"])
    assert alb.metric('alb_elb_responses_total{code="4xx"}') == 1
    assert alb.metric('alb_elb_responses_total{code="5xx"}') == 0
    wait_until(lambda: alb.metric("alb_connections_open") == 0, "its connection to end")


def test_a_closed_client_is_counted_without_a_log(start_alb, start_target):
    held = Held(start_target, SMALL)
    alb = start_alb(forward_config(held.target).replace("access_logs.enabled = true", ""))

    with alb.connect() as sock:
        sock.sendall(request(path="/held"))
        wait_until(lambda: held.target.seen, "the target to have it")
    held.release(alb)
    wait_until(lambda: alb.metric('alb_elb_responses_total{code="4xx"}') == 1, "it to be counted")
