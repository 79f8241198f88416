#!/usr/bin/python3
"""Between two processes in the middle of an `alb upgrade`: passes on what they say to each other
(alb/handing.h), and kills one of them (SIGKILL) at one message.

`alb upgrade --binary` is given this file's copy, with a PLAN in front:

    PLAN = {"alb": PATH, "victim": "old" or "new", "at": "TAKEN", "number": 1, "when": "before"}
"""

import contextlib
import os
import pathlib
import signal
import socket
import struct
import subprocess
import threading
import time

NAMES = ["", "HELLO", "SOCKETS", "STATE", "READY", "FAILED", "MOVE", "TAKEN", "GO", "PAST", "ORDER",
         "REPORT", "ASK", "LISTED", "CALLED_OFF"]
HEAD, FDS_MAX, HELLO_PID = 16, 128, 4


def receive(sock):
    """(name, bytes, descriptors); None at the end."""
    data, fds = b"", []
    while len(data) < HEAD:
        some, more, _, _ = socket.recv_fds(sock, HEAD - len(data), FDS_MAX)
        if not some:
            return None
        data, fds = data + some, fds + more
    _, type_, _, length = struct.unpack("=IIII", data)
    while len(data) < HEAD + length:
        some = sock.recv(min(HEAD + length - len(data), 1 << 18))
        if not some:
            return None
        data += some
    return NAMES[type_], data, fds


def send(sock, data, fds):
    sent = socket.send_fds(sock, [data], fds)
    sock.sendall(data[sent:])
    for fd in fds:
        os.close(fd)


def numbers(data):
    """{type: number} of the records of a message."""
    found, at = {}, HEAD
    while at < len(data):
        type_, length = struct.unpack_from("=HI", data, at)
        if length == 8:
            found[type_] = struct.unpack_from("=Q", data, at + 6)[0]
        at += 6 + length
    return found


def is_dead(pid):
    try:
        return ") Z " in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # the latter: it went between open() and read()
        return True


def kill(pid):
    os.kill(pid, signal.SIGKILL)
    for _ in range(2000):
        if is_dead(pid):
            return
        time.sleep(0.001)


class Relay:
    def __init__(self, plan, argv):
        self.plan, self.seen, self.lock = plan, 0, threading.Lock()
        self.old_pid, self.new_pid = os.getppid(), None
        self.old = socket.socket(fileno=3)
        self.new, theirs = socket.socketpair()
        self.child = subprocess.Popen([plan["alb"], *argv], pass_fds=(3,),
                                      preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
        theirs.close()

    def victim(self):
        if self.plan["victim"] == "old":
            return self.old_pid
        # Before it is ready it is the child of a foster parent, which is ours; in between it has
        # said so, and is being heard.
        children = pathlib.Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children")
        while self.new_pid is None:
            with contextlib.suppress(OSError):
                if found := children.read_text().split():
                    return int(found[0])
            time.sleep(0.001)
        return self.new_pid

    def strike(self, name, when):
        """Is it this message?"""
        if name != self.plan["at"] or when != self.plan["when"]:
            return
        self.seen += 1
        if self.seen == self.plan["number"]:
            kill(self.victim())

    def is_too_late(self, from_):
        """The victim had just time to say something more, or not: as if it had not."""
        return (from_ is getattr(self, self.plan["victim"]) and
                self.seen >= self.plan["number"])

    def pass_on(self, from_, to):
        """Until either of them is gone: then the other one hears of it."""
        with contextlib.suppress(ConnectionError):
            while (got := receive(from_)) is not None:
                name, data, fds = got
                if name == "READY":
                    self.new_pid = numbers(data)[HELLO_PID]
                with self.lock:
                    if self.is_too_late(from_):
                        break
                    self.strike(name, "before")
                    if from_ is self.old and self.is_too_late(from_):
                        break  # all that it has said at once is here by now
                    send(to, data, fds)
                    self.strike(name, "after")
        for sock in (from_, to):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def run(self):
        back = threading.Thread(target=self.pass_on, args=(self.new, self.old))
        back.start()
        self.pass_on(self.old, self.new)
        back.join()


if __name__ == "__main__":
    import sys
    Relay(PLAN, sys.argv[1:]).run()  # noqa: F821: it stands in front
