"""The stand-in for a CDN edge (tests/edge) as a process.

    edge = EdgeStandin(folder, alb, "--policy", "none").start()
    ws_peers.Client(edge)                     # connect() and port() are as those of an Alb
"""

import pathlib
import socket
import sys

from harness import PATIENCE, ROOT, Process, split_address


def origin_of(thing):
    """HOST:PORT of a target, of an alb's first listener, or that text itself."""
    if hasattr(thing, "url"):
        return thing.url("").removeprefix("http://")
    return getattr(thing, "address", thing)


def ten_minutes_in(seconds):
    """The option by which a WebSocket is idle after so many seconds."""
    return "--clock", 600 / seconds / PATIENCE


class EdgeStandin(Process):
    def __init__(self, folder, origin, *arguments, name="edge"):
        super().__init__(folder, name, sys.executable, ROOT / "tests/edge/edge.py", "--origin", origin_of(origin),
                         "--ready-file", pathlib.Path(folder) / f"{name}.ready", *arguments)

    def address(self, listener=None):
        return split_address(self.ready["listeners"][listener or "http"])

    def port(self, listener=None):
        return self.address(listener)[1]

    def url(self, path="/", listener=None, scheme="http"):
        host, port = self.address(listener)
        return f"{scheme}://{host}:{port}{path}"

    def connect(self, listener=None, timeout=10, source=None):
        return socket.create_connection(self.address(listener), timeout * PATIENCE, (source, 0) if source else None)

    def lines(self, needle):
        """Those of its log that hold the text."""
        return [line for line in self.log().splitlines() if needle in line]
