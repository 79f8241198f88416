"""The instance metadata service: version 2 and nothing else, bounded, and never waited for for ever."""

import itertools
import time

import pytest

from first_boot import GOOD, Machine, Metadata, response
from harness import PATIENCE, free_port


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def refused(machine, why):
    outcome = machine.boot()
    assert outcome.code == 1 and outcome.accepts_nobody(), outcome.log
    outcome.line("configuration refused source=metadata: nobody is accepted")
    assert why in outcome.line(" metadata: "), outcome.log
    return outcome


def test_what_is_asked(machine, start_target):
    server = start_target(Metadata(GOOD))
    machine.be_on_ec2(server.address)
    assert machine.boot().code == 0
    put, get = (head.decode() for head in server.seen)
    assert put.startswith("PUT /latest/api/token HTTP/1.1\r\n")
    assert "\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n" in put
    assert get.startswith("GET /latest/user-data HTTP/1.1\r\n")
    assert "\r\nX-aws-ec2-metadata-token: AQAEAHkl==\r\n" in get


@pytest.mark.parametrize("token", ["", "two words", "a\r\nX-Evil: 1", "a" * 1025],
                         ids=["none", "words", "lines", "long"])
def test_without_a_token_nothing_is_asked_for(machine, start_target, token):
    server = start_target(Metadata(GOOD, token=token))
    machine.be_on_ec2(server.address, wait="300ms")
    refused(machine, "the metadata service gave no user data in 0 s: ")
    assert server.seen and all(head.startswith(b"PUT ") for head in server.seen)


@pytest.mark.parametrize("status, why", [
    ("403 Forbidden", "403 Forbidden; is the metadata endpoint of the instance enabled?"),
    ("404 Not Found", "404 Not Found"), ("200", ""),
    ("301 Moved Permanently\r\nLocation: http://127.0.0.1/", "301 Moved Permanently"),
])
def test_version_1_is_never_spoken(machine, start_target, status, why):
    def script(sock, head, _rest):
        sock.sendall(response(status) if head.startswith(b"PUT") else response("200 OK", GOOD))
    server = start_target(script)
    machine.be_on_ec2(server.address, wait="300ms")
    refused(machine, why)
    assert server.seen and all(head.startswith(b"PUT ") for head in server.seen)


def test_nobody_is_there(machine):
    machine.be_on_ec2(f"127.0.0.1:{free_port()}", wait="1s")
    refused(machine, "the metadata service gave no user data in 1 s: Connection refused")


def test_the_second_address_is_asked_too(machine, start_target):
    server = start_target(Metadata(GOOD))
    machine.be_on_ec2(f"127.0.0.1:{free_port()}", server.address)
    assert machine.boot().code == 0 and len(server.seen) == 2


def test_silence_comes_to_an_end(machine, start_target):
    def script(sock, _head, _rest):
        sock.recv(1)  # until the other side has had enough
    server = start_target(script)
    machine.be_on_ec2(server.address, wait="1s")
    before = time.monotonic()
    refused(machine, "Connection timed out")
    assert time.monotonic() - before < 20 * PATIENCE and server.connections == 1


def test_a_text_that_drips_in_for_ever_comes_to_an_end(machine, start_target):
    def script(sock, head, _rest):
        if head.startswith(b"PUT"):
            sock.sendall(response("200 OK", "token"))
            return
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
        while True:
            sock.sendall(b";")
            time.sleep(0.05)
    server = start_target(script)
    machine.be_on_ec2(server.address, wait="1s")
    refused(machine, "Connection timed out")
    assert server.connections == 2


ENDLESS = {
    "said": (b"HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n", b""),
    "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"x" * 4096),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
               b"1000\r\n" + b"x" * 4096 + b"\r\n"),
    "until close": (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 4096),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_text_that_is_too_large(machine, start_target, kind):
    begin, more = ENDLESS[kind]

    def script(sock, head, _rest):
        if head.startswith(b"PUT"):
            sock.sendall(response("200 OK", "token"))
            return
        sock.sendall(begin)
        while more:  # until the other side has had enough
            sock.sendall(more)
    server = start_target(script)
    machine.be_on_ec2(server.address)
    outcome = machine.boot()
    assert outcome.code == 1 and outcome.accepts_nobody(), outcome.log
    assert server.connections == 2, "what is too large is not asked for again"
    outcome.line("metadata: the answer is larger than 65536 bytes")


@pytest.mark.parametrize("answer, why", [
    (b"SSH-2.0-OpenSSH\r\n", ""),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx", "the response was cut off"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", ""),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "the body of the response"),
    (b"", "the connection was closed without a response"),
], ids=itertools.count())
def test_what_is_no_response_is_not_taken(machine, start_target, answer, why):
    def script(sock, head, _rest):
        sock.sendall(response("200 OK", "token") if head.startswith(b"PUT") else answer)
    machine.be_on_ec2(start_target(script).address, wait="300ms")
    refused(machine, why)
