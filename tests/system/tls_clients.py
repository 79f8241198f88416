"""Clients that shake hands by hand, a flight at a time, and leave where they like.

    peer = Peer(alb)
    hello(peer)               # one of FAR: how far it gets
    rst(peer)                 # fin, half_close or rst: how it leaves
"""

import contextlib
import socket
import ssl

from http_wire import request
from localhost_cert import trusting_context
from sockets import reset
from tls_versions import speak


def read_to_the_end(sock):
    """What came before FIN or RST."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while chunk := sock.recv(65536):
            data += chunk
    return data


class Peer:
    """A client's side of a handshake, a flight at a time."""

    def __init__(self, alb, version=ssl.TLSVersion.TLSv1_2, context=None):
        self.into, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = context or speak(trusting_context(), version)
        self.tls = context.wrap_bio(self.into, self.out, server_hostname="localhost")
        self.sock = alb.connect("https")
        self.is_done = False

    def flight(self):
        """What is to be sent now."""
        try:
            self.tls.do_handshake()
            self.is_done = True
        except ssl.SSLWantReadError:
            pass
        return self.out.read()

    def answer(self):
        """Read until the balancer has nothing more to say in this flight."""
        while not self.out.pending and not self.is_done:
            data = self.sock.recv(65536)
            assert data, "closed within the handshake"
            self.into.write(data)
            try:
                self.tls.do_handshake()
                self.is_done = True
            except ssl.SSLWantReadError:
                pass

    def hello(self):
        self.sock.sendall(self.flight())

    def second(self):
        """Read the balancer's first flight; the client's second one."""
        self.answer()
        return self.out.read()

    def get(self):
        self.tls.write(request())
        self.sock.sendall(self.out.read())
        got = b""
        while b"\r\n\r\nok" not in got:
            try:
                got += self.tls.read(65536)
            except ssl.SSLWantReadError:
                data = self.sock.recv(65536)
                assert data, got
                self.into.write(data)
        return got


# How far a client gets.

def nothing(_peer):
    pass


def one_byte(peer):
    peer.sock.sendall(peer.flight()[:1])


def half_a_hello(peer):
    flight = peer.flight()
    peer.sock.sendall(flight[:len(flight) // 2])


def hello(peer):
    peer.hello()


def hello_and_its_answer(peer):
    peer.hello()
    peer.second()


def half_of_the_second(peer):
    peer.hello()
    flight = peer.second()
    peer.sock.sendall(flight[:len(flight) // 2])


def all_but_a_byte(peer):
    peer.hello()
    peer.sock.sendall(peer.second()[:-1])


FAR = [nothing, one_byte, half_a_hello, hello, hello_and_its_answer, half_of_the_second,
       all_but_a_byte]


def fin(peer):
    """It closes. What it has not read yet makes the kernel send RST."""
    peer.sock.close()


def half_close(peer):
    peer.sock.shutdown(socket.SHUT_WR)
    while peer.sock.recv(65536):
        pass
    peer.sock.close()


def rst(peer):
    reset(peer.sock)
