"""WebSocket peers by hand: a client through the balancer, and the target's end of its tunnel.

    target = start_target(Upgraded())
    alb = start_alb(ws_config(target))
    client, origin = open_tunnel(alb, target)
    client.send(TEXT, b"hello")
    assert origin.receive() == (TEXT, True, b"hello")
"""

import contextlib
import queue
import socket
import threading

import balancer
import harness
import http_wire
import sockets
from localhost_cert import trusting_context
from ws_wire import accept_upgrade, frame, read_frame, upgrade_request

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

BOTH = ["http", "https"]  # the listeners of ws_config()


def ws_config(*targets, alb="", group="", more="", workers=1, stop="1s"):
    """A plain and a TLS listener in front of one group; `stop` is the shutdown_timeout."""
    config = balancer.forward_config(
        *targets, alb=alb, group="health_check.enabled = false\n" + group,
        more=balancer.HTTPS_LISTENER + more)
    config = config.replace("shutdown_timeout = 5s", f"shutdown_timeout = {stop}")
    return config.replace("workers = 1", f"workers = {workers}")


class Peer:
    """One end of a WebSocket: a socket, and what was read from it too early."""

    def __init__(self, sock, rest=b"", mask=b"\x01\x02\x03\x04"):
        self.sock, self.rest, self.mask = sock, rest, mask

    def recv(self, n):
        if self.rest:
            data, self.rest = self.rest[:n], self.rest[n:]
            return data
        return self.sock.recv(n)

    def sendall(self, data):
        self.sock.sendall(data)

    def send(self, opcode, payload=b"", fin=True):
        self.sock.sendall(frame(opcode, payload, fin, self.mask))

    def receive(self):
        """(opcode, fin, payload); None at the end."""
        return read_frame(self)

    def send_close(self, code, reason=b""):
        self.send(CLOSE, code.to_bytes(2, "big") + reason)

    def receive_close(self):
        """(code, reason) of the Close that comes next."""
        got = self.receive()
        assert got is not None and got[0] == CLOSE, got
        return int.from_bytes(got[2][:2], "big"), got[2][2:]

    def is_at_end(self):
        """Nothing more comes, by FIN or by RST."""
        return not self.rest and sockets.is_closed(self.sock)

    def finish(self):
        """FIN; reading goes on."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        sockets.reset(self.sock)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def connect(alb, listener="http", timeout=10, source=None):
    sock = alb.connect(listener, timeout, source)
    if listener == "https":
        sock = trusting_context().wrap_socket(sock, server_hostname="localhost")
    return sock


class Client(Peer):
    """A WebSocket client; `head` is the 101 that it got."""

    def __init__(self, alb, listener="http", path="/ws", fields=b"", timeout=10, source=None):
        super().__init__(connect(alb, listener, timeout, source))
        self.sendall(upgrade_request(path, fields))
        self.head, self.rest = http_wire.read_head(self.sock)
        assert self.head.startswith(b"HTTP/1.1 101 "), self.head + self.rest


class Upgraded:
    """A target's script that upgrades, and leaves the rest to the test: take()."""

    def __init__(self, fields=b""):
        self.fields = fields
        self.waiting = queue.Queue()

    def __call__(self, sock, head, rest):
        if not http_wire.values(head, "Sec-WebSocket-Key"):
            return False  # no answer to anything else
        accept_upgrade(sock, head, self.fields)
        self.waiting.put(Peer(sock.dup(), rest, mask=None))
        return False  # which closes this copy only

    def take(self):
        """The target's end of the oldest tunnel not taken yet."""
        return self.waiting.get(timeout=10 * harness.PATIENCE)


def open_tunnel(alb, target, listener="http", **client):
    """(client, origin): the two ends of a tunnel; target.script is an Upgraded."""
    opened = Client(alb, listener, **client)
    return opened, target.script.take()


def is_alive(client, origin):
    """A message goes each way."""
    client.send(TEXT, b"up")
    origin.send(TEXT, b"down")
    return origin.receive() == (TEXT, True, b"up") and client.receive() == (TEXT, True, b"down")


def in_background(work, *args):
    """Run beside the test; join() returns its result or raises what it raised."""
    result = []

    def run():
        try:
            result.append((work(*args), None))
        except BaseException as error:  # it is raised again in join()
            result.append((None, error))
    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def join(timeout=30):
        thread.join(timeout * harness.PATIENCE)
        assert result, "still running"
        if result[0][1] is not None:
            raise result[0][1]
        return result[0][0]
    return join


@contextlib.contextmanager
def all_closed(peers):
    """Close these at the end of a block, however it ends."""
    try:
        yield peers
    finally:
        for peer in peers:
            peer.close()
