"""Thousands of tunnels: listed while they are in use, and more ended than are kept."""

import contextlib
import json
import resource
import selectors
import socket
import subprocess
import threading
import time

import pytest

from harness import BIN, PATIENCE, stall_room, wait_until
from http_wire import read_head
from sockets import stop_listening
from ws_peers import TEXT, Client, in_background, ws_config
from ws_wire import accept_upgrade

LIVE, ECHOING = 3000, 40
KEPT = 10000


@pytest.fixture(autouse=True)
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class EchoTarget:
    """Upgrades everybody, and echoes their bytes, unmasked or not, on one thread."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ, self._accept)
        self.is_open = True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while self.is_open:
            for key, _ in self.selector.select(0.2):
                key.data(key.fileobj)

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            sock, _ = listener.accept()
            sock.settimeout(10)
            self.selector.register(sock, selectors.EVENT_READ, self._upgrade)

    def _upgrade(self, sock):
        head, _ = read_head(sock)
        if not head.strip():
            self._drop(sock)
            return
        accept_upgrade(sock, head)
        self.selector.modify(sock, selectors.EVENT_READ, self._echo)

    def _echo(self, sock):
        try:
            data = sock.recv(65536)
            if data:
                sock.sendall(data)
                return
        except OSError:
            pass
        self._drop(sock)

    def _drop(self, sock):
        self.selector.unregister(sock)
        sock.close()

    def close(self):
        self.is_open = False
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            if key.fileobj is not self.listener:
                key.fileobj.close()
        stop_listening(self.listener)
        self.selector.close()


@pytest.fixture
def target(started):
    target = EchoTarget()
    started.append(target)
    return target


def open_many(alb, n, listener="http"):
    return [Client(alb, listener, timeout=30) for _ in range(n)]


def list_to_file(alb, path, *args):
    """By the command, so that this process has nothing to do with it meanwhile."""
    with open(path, "w") as out:
        return subprocess.Popen([BIN / "alb", "tunnels", "--json", "--socket", alb.socket_path, *args],
                                stdout=out)


def echo_once(client, n):
    """How long it took, in seconds."""
    began = time.monotonic()
    client.send(TEXT, b"%d" % n)
    client.receive()
    return time.monotonic() - began


def echo_while(clients, is_running):
    times = []
    while is_running() or len(times) < 200:
        times.append(echo_once(clients[len(times) % len(clients)], len(times)))
    return sorted(times)


def test_3000_tunnels_are_listed_while_others_speak(start_alb, target, tmp_path):
    """Each once; and no message waits for a loop that is busy with its list."""
    alb = start_alb(ws_config(target, workers=2, alb="idle_timeout.timeout_seconds = 600"))
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(c) for c in open_many(alb, LIVE)]
        wait_until(lambda: alb.metric("alb_websocket_tunnels_open") == LIVE, "all to be open")
        quiet = echo_while(clients[:ECHOING], lambda: False)

        lists, asked = [tmp_path / f"list{i}" for i in range(8)], time.monotonic()
        running = [list_to_file(alb, path, "limit=10000") for path in lists]
        opened.callback(lambda: [p.wait() for p in running])
        times = echo_while(clients[:ECHOING], lambda: any(p.poll() is None for p in running))
        print(f"echo without a list: median {quiet[len(quiet) // 2] * 1000:.2f} ms, worst "
              f"{quiet[-1] * 1000:.1f}; with {len(lists)}: median "
              f"{times[len(times) // 2] * 1000:.2f} ms, worst {times[-1] * 1000:.1f}")
        assert times[-1] < 0.35 * PATIENCE + stall_room(asked) and times[len(times) // 2] < 0.05 * PATIENCE
        for path in lists:
            answer = json.loads(path.read_text())
            assert (answer["all"], answer["matched"], answer["shown"]) == (LIVE, LIVE, LIVE)
            assert len({row["id"] for row in answer["tunnels"]}) == LIVE
            assert {row["client"] for row in answer["tunnels"]} == {
                "{}:{}".format(*c.sock.getsockname()) for c in clients}


def test_a_list_while_tunnels_come_and_go_has_all_that_stay(start_alb, target):
    """Those that come and go may be in it or not; none is in it twice."""
    alb = start_alb(ws_config(target, workers=2))
    is_over = threading.Event()

    def come_and_go():
        n = 0
        while not is_over.is_set():
            for client in open_many(alb, 20):
                client.close()
            n += 20
        return n
    with contextlib.ExitStack() as opened:
        staying = set()
        for _ in range(600):
            client = opened.enter_context(Client(alb))
            staying.add("{}:{}".format(*client.sock.getsockname()))
        join = in_background(come_and_go)
        opened.callback(is_over.set)
        for _ in range(60):
            rows = alb.tunnels(limit=10000)["tunnels"]
            assert len({row["id"] for row in rows}) == len(rows)
            assert staying <= {row["client"] for row in rows}
        is_over.set()
        assert join() > 20


def test_the_last_10000_are_kept(start_alb, target):
    alb = start_alb(ws_config(target, workers=2).replace("access_logs.enabled = true", ""))
    first = Client(alb)
    first.reset()
    wait_until(lambda: alb.closed()["all"] == 1, "the first record")
    oldest = alb.closed()["closed"][0]["id"]

    def open_and_end(n):
        for _ in range(n):
            client = Client(alb)
            client.reset()
    for join in [in_background(open_and_end, KEPT // 4) for _ in range(4)]:
        join(timeout=100)
    wait_until(lambda: alb.metric("alb_websocket_tunnels_ended_total") == KEPT + 1, "all to end", 60)
    answer = alb.closed(limit=KEPT)
    assert (answer["all"], answer["matched"], answer["shown"]) == (KEPT, KEPT, KEPT)
    ids = {row["id"] for row in answer["closed"]}
    assert len(ids) == KEPT and oldest not in ids
    ended = [row["ended"] for row in answer["closed"]]
    assert ended == sorted(ended, reverse=True)
