"""Upgrade after upgrade under traffic: not one tunnel, connection, request or byte is lost.

UPGRADE_STORM=50 UPGRADE_STORM_TUNNELS=500 makes it a longer one; it says what there was.
"""

import hashlib
import os
import random
import selectors
import threading
import time

import harness
from harness import resident_kb, wait_until
from http_wire import read_response, request, values
from scripted_target import Target, answer
from test_alb_reload_storm import Traffic
from ws_peers import BINARY, Client, connect, ws_config
from ws_wire import accept_upgrade, echo_script

UPGRADES = int(os.environ.get("UPGRADE_STORM", "4"))
TUNNELS = int(os.environ.get("UPGRADE_STORM_TUNNELS", "150"))

# Messages of one size, so that a whole crowd is served by one thread: b"\x82\x7e" and the length
# each way, and a mask of zeros from the client.
SIZE = 1000
TO_TARGET = b"\x82\xfe" + SIZE.to_bytes(2, "big") + bytes(4)
TO_CLIENT = b"\x82\x7e" + SIZE.to_bytes(2, "big")


class Selecting(threading.Thread):
    """Sockets that one thread looks after, each with a method to call when it is readable."""

    def __init__(self):
        super().__init__(daemon=True)
        self.selector, self.lock = selectors.DefaultSelector(), threading.Lock()
        self.done, self.failed = threading.Event(), []

    def add(self, sock, on_readable):
        with self.lock:
            self.selector.register(sock, selectors.EVENT_READ, on_readable)

    def run(self):
        while not self.done.is_set():
            with self.lock:
                ready = self.selector.select(0)
            for key, _ in ready:
                try:
                    key.data()
                except Exception as error:  # each of them is a loss
                    self.failed.append(repr(error))
                    self.selector.unregister(key.fileobj)
            if not ready:
                time.sleep(0.001)


class Origins(Selecting):
    """The targets' ends: each message goes back."""

    def script(self, sock, head, rest):
        if not values(head, "Upgrade"):
            return answer()(sock, head, rest)
        if b"/crowd" not in head:
            return echo_script(sock, head, rest)
        accept_upgrade(sock, head)
        copy, held = sock.dup(), bytearray(rest)
        copy.setblocking(True)

        def on_readable():
            data = copy.recv(1 << 16)
            if not data:
                self.selector.unregister(copy)
                copy.close()
                return
            held.extend(data)
            whole = len(TO_TARGET) + SIZE
            while len(held) >= whole:
                assert held.startswith(TO_TARGET), bytes(held[:20])
                copy.sendall(TO_CLIENT + held[len(TO_TARGET):whole])
                del held[:whole]
        self.add(copy, on_readable)
        return False  # which closes the other copy only


class Crowd(Selecting):
    """Clients that send one message after the other, in pieces, and compare what comes back."""

    def __init__(self, alb, count):
        super().__init__()
        self.random = random.Random(7)
        self.members = [Member(self, Client(alb, path="/crowd", timeout=30)) for _ in range(count)]

    def begin(self):
        for member in self.members:
            self.add(member.client.sock, member.on_readable)
            member.send()
        self.start()

    def count(self):
        return sum(member.count for member in self.members)

    def end(self):
        """Let the last messages come back."""
        for member in self.members:
            member.is_last = True
        wait_until(lambda: self.failed or all(m.is_idle for m in self.members), "the last messages", 30)
        self.done.set()
        self.join(30)


class Member:
    def __init__(self, crowd, client):
        self.crowd, self.client = crowd, client
        self.held, self.count = bytearray(), 0
        self.is_last = self.is_idle = False
        self.sent, self.got = hashlib.sha256(), hashlib.sha256()

    def send(self):
        self.expected = self.crowd.random.randbytes(SIZE)
        self.sent.update(self.expected)
        cut = self.crowd.random.randrange(1, SIZE)  # an upgrade may come between two pieces
        data = TO_TARGET + self.expected
        self.client.sendall(data[:cut])
        self.client.sendall(data[cut:])

    def on_readable(self):
        data = self.client.sock.recv(1 << 16)
        assert data, f"closed after {self.count} messages"
        self.held.extend(data)
        if len(self.held) < len(TO_CLIENT) + SIZE:
            return
        assert self.held == TO_CLIENT + self.expected
        self.got.update(self.held[len(TO_CLIENT):])
        self.held.clear()
        self.count += 1
        self.is_idle = self.is_last
        if not self.is_last:
            self.send()


class Storm(Traffic):
    """Beside the crowd: whoever comes and goes."""

    def visitor(self, turn, alb, listener):
        """A connection for each request."""
        while not self.done.is_set():
            with connect(alb, listener, timeout=30) as sock:
                sock.sendall(request(path=f"/{turn.random()}"))
                response = read_response(sock)
                assert response.status == 200 and response.body == b"ok", response.head
            self.answered_in_time += 1

    def kept(self, _turn, alb):
        """Requests on a connection that is never closed."""
        with connect(alb, "http", timeout=30) as sock:
            while not self.done.is_set():
                sock.sendall(request())
                response = read_response(sock)
                assert response.status == 200 and response.values("Connection") == []
                self.exchanged += 1

    def guest(self, turn, alb, listener):
        """A tunnel for a few messages; over TLS an upgrade leaves it where it is."""
        while not self.done.is_set():
            with Client(alb, listener, timeout=30) as client:
                for _ in range(turn.randrange(1, 30)):
                    body = turn.randbytes(turn.choice([1, 126, 70000]))
                    client.send(BINARY, body)
                    assert client.receive() == (BINARY, True, body)
                    self.exchanged += 1
                client.send_close(1000)
                assert client.receive_close()[0] == 1000


def count_processes(alb):
    return sum(popen.poll() is None for popen in alb.before)


def test_a_storm_of_upgrades_loses_nothing(start_alb, started):
    origins = Origins()
    targets = [Target(origins.script) for _ in range(2)]
    started.extend(targets)
    origins.start()
    alb = start_alb(ws_config(*targets, workers=2, alb="idle_timeout.timeout_seconds = 600"))
    crowd, storm = Crowd(alb, TUNNELS), Storm()
    crowd.begin()
    for listener in ("http", "https"):
        storm.start(storm.visitor, alb, listener)
        storm.start(storm.guest, alb, listener)
    storm.start(storm.visitor, alb, "http")
    storm.start(storm.kept, alb)

    took, most, kb = [], 0, []
    for n in range(UPGRADES):
        counts = [member.count for member in crowd.members]
        began = time.monotonic()
        code, text = alb.upgrade()
        took.append(time.monotonic() - began)
        assert code == 0, (n, text)
        wait_until(lambda: storm.failed or crowd.failed or origins.failed or
                   all(m.count > c for m, c in zip(crowd.members, counts)), "each tunnel to go on", 60)
        assert not storm.failed + crowd.failed + origins.failed, n
        most = max(most, count_processes(alb))
        kb.append(resident_kb(alb.pid))
    storm.stop()
    crowd.end()
    origins.done.set()
    print(f"{UPGRADES} upgrades in {min(took):.2f} to {max(took):.2f} s, {TUNNELS} tunnels with"
          f" {crowd.count()} messages, {storm.exchanged} other exchanges,"
          f" {storm.answered_in_time} visits, at most {most} old processes, {kb[0]} to {kb[-1]} kB")
    assert not storm.failed + crowd.failed + origins.failed
    assert all(m.sent.digest() == m.got.digest() for m in crowd.members)
    assert storm.exchanged > 20 * UPGRADES and storm.answered_in_time > 5 * UPGRADES
    wait_until(lambda: alb.metric("alb_websocket_tunnels_open") == TUNNELS, "the guests to have gone")
    for member in crowd.members:
        member.client.close()
    wait_until(lambda: alb.metric("alb_websocket_tunnels_open") == 0, "the tunnels to end")
    wait_until(lambda: count_processes(alb) == 0, "the old processes to end", 30)
    ends = {row["end"] for row in alb.closed(limit=10000)["closed"]}
    assert ends == {"closed by client", "client FIN without a Close"}, ends
    if harness.PATIENCE == 1:
        assert kb[-1] < 1.3 * kb[0] + 4000
