"""Targets in this process that answer, misbehave or stay silent, as a script says."""

import contextlib
import socket
import threading

from harness import PATIENCE
from http_wire import read_head
from sockets import stop_listening


class Target:
    """A scripted target: `script(sock, head, rest)` is called for each request head.

    It may answer, misbehave or stay silent; it returns True to read another head from
    the same connection. `seen` has the heads, as they arrived.
    """

    def __init__(self, script, host="127.0.0.1", port=0):
        self.script = script
        self.seen = []
        self.connections = 0
        self.listener = socket.create_server((host, port), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.address = f"{host}:{self.port}"
        self._open = set()
        self._begin()

    def _begin(self):
        self.acceptor = threading.Thread(target=self._accept, daemon=True)
        self.acceptor.start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        self._open.add(sock)
        with contextlib.suppress(OSError, AssertionError), sock:
            sock.settimeout(30 * PATIENCE)
            while True:
                head, rest = read_head(sock)
                if not head.endswith(b"\r\n\r\n") or len(head) <= 4:
                    break
                self.seen.append(head)
                if not self.script(sock, head, rest):
                    break
        self._open.discard(sock)

    def close(self):
        """Stop listening, and end what is open."""
        stop_listening(self.listener)
        self.acceptor.join(timeout=5)
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def neighbours(*scripts):
    """Targets of one port, at 127.0.0.1, 127.0.0.2 and so on."""
    while True:
        made = [Target(scripts[0])]
        try:
            for n, script in enumerate(scripts[1:], 2):
                made.append(Target(script, f"127.0.0.{n}", made[0].port))
            return made
        except OSError:  # somebody has that port there
            for target in made:
                target.close()


def answer(body=b"ok", status="200 OK", fields=b""):
    """A script that gives every request the same response and keeps the connection."""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n".encode() + fields + b"\r\n"

    def script(sock, _head, _rest):
        sock.sendall(head + body)
        return True
    return script
