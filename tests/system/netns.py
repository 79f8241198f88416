"""A network of its own for a test: namespaces on one Ethernet, of which the appliance has the bridge.

    net = make_net()                              # a fixture; skips the test where it may not
    edge = net.host("edge", "10.77.0.10", "fd77::10")
    stranger = net.host("stranger", "10.77.0.66", "fd77::66")
    alb = start_alb_in(net.appliance, config)     # listens on 10.77.0.1 and fd77::1
    with edge:                                    # sockets that are made in here are there
        sock = socket.create_connection(("10.77.0.1", 443))

A socket stays in the namespace that it was made in, whoever uses it later. A namespace is that of one
thread: each thread says `with host:` for itself.
"""

import ctypes
import errno
import itertools
import os
import select
import socket
import subprocess
import threading

import pytest

import balancer
from harness import PATIENCE

CLONE_NEWNET = 0x40000000
APPLIANCE, APPLIANCE_6 = "10.77.0.1", "fd77::1"
LIBC = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count()


def ip(*args):
    subprocess.run(["ip", *map(str, args)], check=True, capture_output=True, text=True)


def needs_namespaces():
    """Skip, loudly, where no namespace can be made."""
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: network namespaces need root")


class Host:
    """A namespace with its addresses. As a context: the calling thread is in it."""

    def __init__(self, name):
        self.name = f"pt{os.getpid()}-{next(_numbers)}-{name}"
        self._before = threading.local()
        ip("netns", "add", self.name)
        ip("-n", self.name, "link", "set", "lo", "up")

    def ip(self, *args):
        ip("-n", self.name, *args)

    def add_address(self, address, device="eth0", length=None):
        """A further address; `length` is 24 or 64 when not given."""
        if ":" in address:
            self.ip("addr", "add", f"{address}/{length or 64}", "dev", device, "nodad")
        else:
            self.ip("addr", "add", f"{address}/{length or 24}", "dev", device)

    def command(self, *args):
        """What starts a program here."""
        return ["ip", "netns", "exec", self.name, *map(str, args)]

    def run(self, *args, timeout=20):
        """A program here, to its end: (exit code, stdout, stderr)."""
        done = subprocess.run(self.command(*args), capture_output=True, text=True,
                              timeout=timeout * PATIENCE)
        return done.returncode, done.stdout, done.stderr

    def __enter__(self):
        stack = self._before.__dict__.setdefault("stack", [])
        stack.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
        here = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            _enter(here)
        finally:
            os.close(here)
        return self

    def __exit__(self, *_):
        before = self._before.stack.pop()
        try:
            _enter(before)
        finally:
            os.close(before)

    def connect(self, address, port, timeout=10, source=None):
        """A connection from here; from the address `source`, if given."""
        with self:
            return socket.create_connection((address, port), timeout * PATIENCE,
                                            (source, 0) if source else None)

    def close(self):
        ip("netns", "del", self.name)


def _enter(fd):
    if LIBC.setns(fd, CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


class Net:
    """The appliance, and whoever was added."""

    def __init__(self):
        self.hosts = []
        self.appliance = self._new("appliance")
        self.appliance.ip("link", "add", "eth0", "type", "bridge")
        self.appliance.ip("link", "set", "eth0", "up")
        for address in (APPLIANCE, APPLIANCE_6):
            self.appliance.add_address(address)

    def _new(self, name):
        host = Host(name)
        self.hosts.append(host)
        return host

    def host(self, name, *addresses):
        """A namespace on the same Ethernet: 10.77.0.0/24, fd77::/64."""
        host = self._new(name)
        port = f"to{len(self.hosts)}"
        self.appliance.ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns",
                          host.name)
        self.appliance.ip("link", "set", port, "master", "eth0", "up")
        host.ip("link", "set", "eth0", "up")
        for address in addresses:
            host.add_address(address)
        return host

    def close(self):
        for host in reversed(self.hosts):
            host.close()


class AlbIn(balancer.Alb):
    """A balancer in a namespace; so are the connections that its methods make."""

    def __init__(self, host, folder, config, name="alb", before=()):
        """`before`: a command that starts it ("setpriv", ...)."""
        super().__init__(folder, config, name)
        self.host = host
        self.args = host.command(*before, *self.args)

    def connect(self, *args, **kwargs):
        with self.host:
            return super().connect(*args, **kwargs)

    def get(self, *args, **kwargs):
        with self.host:
            return super().get(*args, **kwargs)

    def metrics(self):
        with self.host:
            return super().metrics()

    def admin_json(self, path):
        with self.host:
            return super().admin_json(path)


def answer_to_syn(host, address, port, wait_s=1.5, source=None):
    """What a connection attempt comes to: "open", "refused", "silence" for so long, or the error's
    name."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with host:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    with sock:
        if source:
            sock.bind((source, 0))
        error = sock.connect_ex((address, port))
        if error == errno.EINPROGRESS:
            if not select.select([], [sock], [], wait_s * PATIENCE)[1]:
                return "silence"
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        names = {0: "open", errno.ECONNREFUSED: "refused"}
        return names.get(error) or errno.errorcode[error]
