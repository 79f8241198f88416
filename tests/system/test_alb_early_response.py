"""A target may answer before it has the whole request."""

import threading

import pytest

from harness import (forward_config, is_closed, read_body, read_response, request, reset)

TOO_LARGE = b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nfull"
BIG = 4 * 1024 * 1024


def upload(sock, size):
    try:
        sock.sendall(b"x" * size)
    except OSError:
        pass  # cut, as it may be


def test_the_answer_to_an_unfinished_upload_arrives(start_alb, start_target):
    def script(sock, _head, _rest):
        sock.sendall(TOO_LARGE)
        return False
    alb = start_alb(forward_config(start_target(script)))

    with alb.connect() as sock:
        sock.sendall(request("POST", fields=b"Content-Length: 1000\r\n") + b"only a part")
        got = read_response(sock)
        assert (got.status, got.body) == (413, b"full")
        assert got.values("Connection") == ["close"], "the rest of the body is not wanted"
        assert is_closed(sock)


@pytest.mark.parametrize("ending", ["close", "reset"])
def test_an_answer_followed_by_the_end_is_not_taken_for_a_failure(start_alb, start_target,
                                                                  ending):
    """The target closes with bytes unread: our next write fails, and its answer waits."""
    gone = threading.Event()

    def script(sock, _head, _rest):
        sock.sendall(TOO_LARGE)
        if ending == "reset":
            sock.shutdown(1)
            reset(sock)
        else:
            sock.close()
        gone.set()
        return False
    alb = start_alb(forward_config(start_target(script)))

    for _ in range(5):
        gone.clear()
        with alb.connect() as sock:
            sock.sendall(request("POST", fields=b"Content-Length: %d\r\n" % BIG))
            sender = threading.Thread(target=upload, args=(sock, BIG))
            sender.start()
            try:
                status = read_response(sock).status
            except (ConnectionResetError, EOFError):
                status = "cut"
            sender.join()
            if ending == "close":
                assert status == 413
            else:
                assert status in (413, 502)  # a reset may overtake the answer


RULES = """
[rule fixed]
listener = http
priority = 1
path-pattern = /fixed
action = fixed-response 403
[rule moved]
listener = http
priority = 2
path-pattern = /moved
action = redirect 301 https://a.test:443/
[target_group nobody]
[rule nobody]
listener = http
priority = 3
path-pattern = /nobody
action = forward nobody
"""


@pytest.mark.parametrize("path, status", (("/early", 413), ("/fixed", 403), ("/moved", 301),
                                          ("/nobody", 503)))
def test_who_sends_all_before_reading_gets_the_answer(path, status, start_alb, start_target):
    """As most HTTP libraries do: what they send is thrown away, and does not end in a reset."""
    def script(sock, _head, _rest):
        sock.sendall(TOO_LARGE)
        return False
    alb = start_alb(forward_config(start_target(script), more=RULES))

    with alb.connect(timeout=30) as sock:
        sock.sendall(request("POST", path, fields=b"Content-Length: %d\r\n" % (8 * BIG)))
        for _ in range(8):
            sock.sendall(b"x" * BIG)
        assert read_response(sock).status == status
        assert is_closed(sock)


def test_an_upload_goes_on_while_the_answer_is_sent(start_alb, start_target):
    def script(sock, head, rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n")
        body, _ = read_body(sock, head, rest)
        sock.sendall(b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")
        return False
    alb = start_alb(forward_config(start_target(script)))

    with alb.connect() as sock:
        sock.sendall(request("POST", fields=b"Content-Length: 10\r\n") + b"01234")
        first = b""
        while not first.endswith(b"hi\r\n"):
            first += sock.recv(4096)
        sock.sendall(b"56789")
        got = read_response(sock, first)
    assert got.body == b"hi0123456789"


def test_interim_responses_are_dropped(start_alb, start_target):
    def script(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n"
                     b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                     b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return True
    alb = start_alb(forward_config(start_target(script)))

    with alb.connect() as sock:
        for _ in range(2):
            sock.sendall(request())
            got = read_response(sock)
            assert (got.status, got.body, got.values("Link")) == (200, b"ok", [])


def test_interim_responses_without_end_are_a_failure(start_alb, start_target):
    def script(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 102 Processing\r\n\r\n" * 50)
        return True
    alb = start_alb(forward_config(start_target(script)))

    assert alb.get()[0] == 502
