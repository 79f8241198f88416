"""`alb upgrade`: another process takes over, and nobody outside notices."""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import signal
import stat
import threading
import time

import pytest

import harness
from balancer import forward_config
from harness import free_port, wait_until
from http_wire import read_response, request, values
from scripted_target import answer
from ws_peers import (BINARY, PING, PONG, TEXT, Client, Upgraded, in_background, open_tunnel,
                      ws_config)
from ws_wire import echo_script, frame


@pytest.fixture
def target(start_target):
    return start_target(Upgraded())


def upgrade(alb, binary=None):
    code, text = alb.upgrade(binary)
    assert code == 0, text + alb.log()
    return text


def ended(popen):
    return lambda: popen.poll() is not None


def test_a_live_tunnel_goes_to_the_new_process(start_alb, target):
    alb = start_alb(ws_config(target, workers=2))
    client, origin = open_tunnel(alb, target)
    old = alb.popen
    client.send(TEXT, b"before")
    assert origin.receive() == (TEXT, True, b"before")

    before = json.loads(alb.command("tunnels", "--json")[1])["tunnels"][0]
    before = {k: v for k, v in before.items() if k in ("id", "client", "listener", "rule", "target", "group")}

    text = upgrade(alb)
    assert "1 tunnels" in text and alb.pid != old.pid
    wait_until(ended(old), "the old process to end")
    assert old.returncode == 0
    for n in range(3):
        client.send(TEXT, b"after %d" % n)
        assert origin.receive() == (TEXT, True, b"after %d" % n)
        origin.send(BINARY, b"back %d" % n)
        assert client.receive() == (BINARY, True, b"back %d" % n)
    assert alb.metric("alb_websocket_tunnels_open") == 1 and alb.metric("alb_connections_open") == 1
    code, listed = alb.command("tunnels", "--json")
    shown = json.loads(listed)["tunnels"][0]
    assert code == 0 and before == {k: shown[k] for k in before}, "what is known of it has come along"
    client.send_close(1000)
    assert origin.receive_close() == (1000, b"")
    origin.send_close(1000)
    assert client.receive_close() == (1000, b"")
    origin.close()
    row = alb.access_row("end=")
    assert ('end="closed by client" client_frames=5 target_frames=4 client_close=1000 '
            "target_close=1000") in row and "/ws" in row, "counted over both processes"
    wait_until(lambda: alb.status()["target_groups"][0]["targets"][0]["outstanding"] == 0,
               "the target to have nothing outstanding")


# --- nothing is lost ------------------------------------------------------------------------


class Echoing(threading.Thread):
    """Sends messages of all sizes as long as it may, and compares what comes back."""

    def __init__(self, alb, stop, seed):
        super().__init__(daemon=True)
        self.client = Client(alb, timeout=20)
        self.stop, self.seed, self.count, self.error = stop, seed, 0, None

    def run(self):
        try:
            with self.client as client:
                while not self.stop.is_set() or self.count < 3:
                    size = (self.seed * 7919 + self.count * 104729) % (
                        70000 if self.count % 50 == 0 else 300)
                    body = hashlib.shake_128(b"%d %d" % (self.seed, self.count)).digest(size)
                    client.send(BINARY, body)
                    assert client.receive() == (BINARY, True, body)
                    self.count += 1
                client.send_close(1000)
                assert client.receive_close()[0] == 1000
        except BaseException as error:  # told by the test
            self.error = error


class Asking(threading.Thread):
    """Requests on kept connections, and on new ones."""

    def __init__(self, alb, stop, again):
        super().__init__(daemon=True)
        self.alb, self.stop, self.again, self.count, self.error = alb, stop, again, 0, None

    def run(self):
        sock = self.alb.connect(timeout=20)
        try:
            while not self.stop.is_set():
                if sock is None:
                    sock = self.alb.connect(timeout=20)
                sock.sendall(request(path="/get"))
                got = read_response(sock)
                assert got.status == 200 and got.body == b"ok", got
                self.count += 1
                if not self.again or values(got.head, "Connection") == [b"close"]:
                    sock.close()
                    sock = None
        except BaseException as error:  # told by the test
            self.error = error


def both(sock, head, rest):
    if values(head, "Upgrade"):
        return echo_script(sock, head, rest)
    return answer()(sock, head, rest)


@pytest.mark.parametrize("workers", [1, 2])
def test_upgrades_under_traffic_lose_and_double_nothing(start_alb, start_target, workers):
    alb = start_alb(ws_config(start_target(both), workers=workers))
    times = int(os.environ.get("UPGRADES", "6"))
    stop = threading.Event()
    tunnels = [Echoing(alb, stop, seed) for seed in range(12)]
    askers = [Asking(alb, stop, again) for again in (True, True, False)]
    for thread in tunnels + askers:
        thread.start()
    for n in range(times):
        counts = [t.count for t in tunnels]
        upgrade(alb)
        wait_until(lambda: all(t.count > c or t.error for t, c in zip(tunnels, counts)),
                   "each tunnel to go on")
        assert not [t.error for t in tunnels + askers if t.error], n
    stop.set()
    for thread in tunnels + askers:
        thread.join(30)
    assert not [t.error for t in tunnels + askers if t.error]
    assert all(t.count > 5 for t in tunnels + askers), [t.count for t in tunnels + askers]
    rows = [row for row in alb.access_rows() if "client_frames=" in row]
    wait_until(lambda: sum("client_frames=" in row for row in alb.access_rows()) == len(tunnels),
               "a row of each tunnel, and one only")
    assert all('end="closed by client"' in row for row in rows), rows
    for popen in alb.before:
        wait_until(ended(popen), "each old process to end")


def test_a_tunnel_goes_in_the_middle_of_frames(start_alb, target):
    """In both directions: inside a header, and inside a payload."""
    alb = start_alb(ws_config(target))
    client, origin = open_tunnel(alb, target)
    to_origin = frame(BINARY, b"c" * 70000, mask=b"abcd")
    to_client = frame(TEXT, b"t" * 300, mask=None)
    for cut in (1, 3, 9, 50000):
        client.sendall(to_origin[:cut])
        origin.sendall(to_client[:2 if cut > 3 else 3])
        got = [origin.recv(1)]
        client.rest = client.recv(1)
        upgrade(alb)
        client.sendall(to_origin[cut:])
        origin.sendall(to_client[2 if cut > 3 else 3:])
        origin.rest = got[0] + origin.rest
        assert origin.receive() == (BINARY, True, b"c" * 70000)
        assert client.receive() == (TEXT, True, b"t" * 300)
    client.send_close(1000)
    origin.receive_close()
    origin.send_close(1000)
    origin.close()
    assert "client_frames=5 target_frames=5" in alb.access_row("end=")


def test_bytes_that_wait_for_a_slow_reader_go_along(start_alb, target):
    alb = start_alb(ws_config(target))
    client, origin = open_tunnel(alb, target)
    big = frame(BINARY, os.urandom(1 << 20), mask=None)
    sending = in_background(lambda: [origin.sendall(big) for _ in range(8)])
    # As long as nobody reads, the kernel's buffers fill up, and then ours.
    def moved():
        return sum(v for k, v in alb.metrics().items() if k.startswith("alb_client_bytes_out"))
    before = -1
    while moved() != before:
        before = moved()
        time.sleep(0.1)
    upgrade(alb)
    upgrade(alb)
    for _ in range(8):
        got = client.receive()
        assert got[0] == BINARY and frame(BINARY, got[2], mask=None) == big
    sending()


# --- what stays as it is -----------------------------------------------------------------------


def test_targets_are_as_healthy_as_they_were(start_alb, start_target):
    """Not one check may be waited for: the next ones are minutes away."""
    good, bad = start_target(), start_target(answer(status="503 Sick"))
    group = ("health_check.interval_seconds = 1\nhealth_check.timeout_seconds = 900ms\n"
             "health_check.unhealthy_threshold_count = 2\nslow_start.duration_seconds = 600\n")
    alb = start_alb(forward_config(good, bad, group=group))

    def states():
        return [t["state"] for t in alb.status()["target_groups"][0]["targets"]]
    wait_until(lambda: states() == ["healthy", "unhealthy"], "the checks")
    alb.configure(forward_config(good, bad, group=group.replace("= 1\n", "= 300\n")))
    checks = len(bad.seen)
    upgrade(alb)
    assert states() == ["healthy", "unhealthy"]
    assert {alb.get()[0] for _ in range(6)} == {200}
    assert len(bad.seen) - checks <= 1, "the new one has asked once at most"


def test_a_sticky_cookie_is_still_one(start_alb, start_target):
    a, b = start_target(answer(b"a")), start_target(answer(b"b"))
    alb = start_alb(forward_config(a, b, group="health_check.enabled = false\n"
                                               "stickiness.enabled = true\n"))
    _, headers, body = alb.get()
    cookie = headers["Set-Cookie"].split(";")[0]
    upgrade(alb)
    assert {alb.get(headers={"Cookie": cookie})[2] for _ in range(8)} == {body}


def times_in_memory(pid, secret):
    """How often a process has it, in all memory that it can write."""
    count = 0
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            places, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            begin, end = (int(place, 16) for place in places.split("-"))
            with contextlib.suppress(OSError):
                memory.seek(begin)
                count += memory.read(end - begin).count(secret)
    return count


@pytest.mark.skipif(harness.PATIENCE > 1, reason="a sanitizer keeps what was freed")
def test_keys_are_where_they_are_used_and_nowhere_else(start_alb, target, tmp_path):
    """Of what travels with the keys of tickets, the test knows those of cookies."""
    keys = tmp_path / "keys"
    key = os.urandom(32)
    keys.write_text(key.hex() + "\n")
    keys.chmod(0o600)
    alb = start_alb(ws_config(target, alb=f"seal_key_file = {keys}"))
    secure, origin = open_tunnel(alb, target, "https")
    old = alb.popen
    assert times_in_memory(old.pid, key) == 1
    upgrade(alb)
    assert times_in_memory(alb.pid, key) == 1, "no message is left with it"
    assert old.poll() is None and times_in_memory(old.pid, key) == 1
    secure.close()
    origin.close()


def test_tunnels_over_tls_end_where_they_are(start_alb, target):
    alb = start_alb(ws_config(target))
    plain, plain_origin = open_tunnel(alb, target)
    secure, secure_origin = open_tunnel(alb, target, "https")
    old = alb.popen
    assert "1 connections end where they are" in upgrade(alb)
    for client, origin in ((plain, plain_origin), (secure, secure_origin)):
        client.send(TEXT, b"x")
        assert origin.receive() == (TEXT, True, b"x")
        origin.send(TEXT, b"y")
        assert client.receive() == (TEXT, True, b"y")
    assert old.poll() is None
    secure.close()
    secure_origin.close()
    wait_until(ended(old), "the old process to end with its last tunnel")
    plain.send(TEXT, b"z")
    assert plain_origin.receive() == (TEXT, True, b"z")


def test_the_end_of_the_new_process_is_that_of_the_old_one(start_alb, target):
    alb = start_alb(ws_config(target, stop="2s"))
    secure, origin = open_tunnel(alb, target, "https")
    old = alb.popen
    upgrade(alb)
    alb.stop()
    code, reason = secure.receive_close()
    assert code == 1012 and reason.startswith(b"restart"), "drained like any other"
    assert origin.receive_close() == (1001, b"")
    secure.close()
    wait_until(ended(old), "the old process to end")


def listening_ports(pid):
    """Of TCP sockets that a process listens on."""
    rows = [row.split() for row in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ports = {f"socket:[{row[9]}]": int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A"}
    found = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.add(ports.get(os.readlink(fd)))
    return found - {None}


def test_the_old_process_has_no_socket_that_listens(start_alb, target):
    """Should the new one die, nobody is to wait for an answer in vain, and another may start."""
    config = ws_config(target, stop="20s")
    for _ in range(2):
        config = config.replace("bind = 127.0.0.1:0", f"bind = 127.0.0.1:{free_port()}", 1)
    alb = start_alb(config)
    ports = {alb.port("http"), alb.port("https")}
    secure, origin = open_tunnel(alb, target, "https")
    old = alb.popen
    assert ports < listening_ports(old.pid)
    upgrade(alb)
    assert ports < listening_ports(alb.pid)
    wait_until(lambda: not listening_ports(old.pid), "it to close them")
    os.kill(alb.pid, signal.SIGKILL)
    wait_until(ended(alb.popen), "the new one to end")
    assert old.poll() is None
    again = start_alb(config, name="again")
    assert again.get("/refused", tls=True, listener="https")[0]
    secure.close()
    origin.close()


def test_an_idle_connection_goes_along(start_alb, start_target):
    alb = start_alb(ws_config(start_target()))
    with alb.connect() as sock:
        sock.sendall(request(path="/one"))
        assert read_response(sock).status == 200
        old = alb.popen
        assert "1 idle connections" in upgrade(alb)
        wait_until(ended(old), "the old process to end")
        sock.sendall(request(path="/two"))
        assert read_response(sock).status == 200
    ids = {row.split("TID_")[1].split()[0].strip('"') for row in
           (alb.access_row("/one"), alb.access_row("/two"))}
    assert len(ids) == 1, "the same connection to the log"


def test_a_request_that_runs_gets_its_answer(start_alb, start_target):
    release = threading.Event()

    def slow(sock, head, rest):
        if b"/slow" in head:
            release.wait(20)
        return answer()(sock, head, rest)
    alb = start_alb(ws_config(start_target(slow)))
    with alb.connect() as sock:
        sock.sendall(request(path="/slow"))
        wait_until(lambda: alb.status()["target_groups"][0]["targets"][0]["outstanding"] == 1,
                   "the request to be under way")
        old = alb.popen
        upgrade(alb)
        assert alb.get("/new")[0] == 200
        release.set()
        assert read_response(sock).status == 200
        wait_until(ended(old), "the old process to end: the connection has followed the others")
        sock.sendall(request())
        assert read_response(sock).status == 200


# --- the new file's configuration ------------------------------------------------------------------


def test_what_needs_a_restart_applies(start_alb, target):
    alb = start_alb(ws_config(target, workers=1))
    client, origin = open_tunnel(alb, target)
    for workers in (3, 1):
        alb.configure(ws_config(target, workers=workers))
        upgrade(alb)
        assert len(list(pathlib.Path(f"/proc/{alb.pid}/task").iterdir())) > workers
        names = [(p / "comm").read_text().strip()
                 for p in pathlib.Path(f"/proc/{alb.pid}/task").iterdir()]
        assert sum(name.startswith("alb-loop") for name in names) == workers
        for _ in range(8):
            assert alb.get("/refused")[0]  # every inherited socket is accepted from
        client.send(TEXT, b"x")
        assert origin.receive() == (TEXT, True, b"x")


def test_a_bad_file_changes_nothing(start_alb, target):
    alb = start_alb(ws_config(target))
    client, origin = open_tunnel(alb, target)
    old = alb.popen
    alb.configure(ws_config(target) + "\n[rule x]\nnonsense = 1\n")
    code, text = alb.upgrade()
    assert code == 1 and "[rule x] has no listener" in text and "alb.ini:" in text and "carries on" in text, text
    assert alb.popen is old and old.poll() is None
    client.send(TEXT, b"x")
    assert origin.receive() == (TEXT, True, b"x")
    assert alb.status()["state"] == "serving"


def test_a_listener_that_is_gone_keeps_its_tunnels(start_alb, target):
    more = "[listener second]\nbind = 127.0.0.1:0\ndefault_action = forward app\n"
    alb = start_alb(ws_config(target, more=more))
    client, origin = open_tunnel(alb, target, "second")
    with alb.connect("second") as kept:
        alb.configure(ws_config(target))
        upgrade(alb)
        client.send(TEXT, b"x")
        assert origin.receive() == (TEXT, True, b"x")
        assert "second" not in alb.ready["listeners"]
        kept.sendall(request())
        assert read_response(kept).status == 502, "forwarded, to a target that only upgrades"


def test_a_target_that_is_gone_has_its_delay(start_alb, start_target, target):
    other = start_target(Upgraded())
    group = "deregistration_delay.timeout_seconds = 2\n"
    alb = start_alb(ws_config(target, group=group))
    client, origin = open_tunnel(alb, target)
    alb.configure(ws_config(other, group=group))
    upgrade(alb)
    client.send(TEXT, b"x")
    assert origin.receive() == (TEXT, True, b"x")
    assert client.receive_close()[0] == 1012, "at the end of the delay"


# --- binaries that are none -------------------------------------------------------------------------


def script(folder, text):
    path = folder / "binary"
    path.write_text("#!/usr/bin/python3\nimport os, socket, struct, sys, time\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


TALK = """
link = socket.socket(fileno=3)
link.recv(65536)
def say(type, body=b""):
    link.sendall(struct.pack("=IIII", 0x506f7374, type, 0, len(body)) + body)
"""

# A good binary has to be ready within it too.
BRIEF = f"upgrade_timeout = {2 * harness.PATIENCE:.0f}s"
BAD = {
    "crashes": ("sys.exit(3)", "it exited with 3"),
    "crashes late": (TALK + "sys.exit(4)", "it exited with 4"),
    "hangs": ("time.sleep(1000)", "was not ready within upgrade_timeout"),
    "other version": (TALK + "say(4, struct.pack('=HIQ', 1, 8, 99)); time.sleep(1000)",
                      "it speaks version 99"),
    "garbage": (TALK + "link.sendall(b'x' * 1000); time.sleep(1000)", "did not take over"),
    "nonsense": (TALK + "say(77); time.sleep(1000)", "makes no sense"),
    "says why": (TALK + "say(5, b'the moon is wrong'); time.sleep(1000)", "the moon is wrong"),
    "takes nothing": (TALK + "say(4, struct.pack('=HIQ', 1, 8, 1)); time.sleep(1000)",
                      "did not take a connection"),
    "goes when it should take": (TALK + "say(4, struct.pack('=HIQ', 1, 8, 1))\n"
                                        "link.recv(100000); sys.exit(5)", "it exited with 5"),
}


@pytest.mark.parametrize("how", BAD)
def test_a_bad_binary_changes_nothing(start_alb, target, tmp_path, how):
    text, words = BAD[how]
    alb = start_alb(ws_config(target, alb=BRIEF))
    client, origin = open_tunnel(alb, target)
    old = alb.popen
    with alb.connect() as kept:
        code, said = alb.upgrade(script(tmp_path, text))
        assert code == 1 and words in said and f"{alb.pid} carries on" in said, said
        assert alb.popen is old and old.poll() is None
        client.send(TEXT, b"x")
        assert origin.receive() == (TEXT, True, b"x")
        origin.send(TEXT, b"y")
        assert client.receive() == (TEXT, True, b"y")
        kept.sendall(request(path="/kept", fields=b"Connection: Upgrade\r\n"))
        assert read_response(kept).status
    other, other_origin = open_tunnel(alb, target)
    other.send(TEXT, b"new ones are accepted")
    assert other_origin.receive()[2] == b"new ones are accepted"
    upgrade(alb)  # and a good one still works
    for c, o in ((client, origin), (other, other_origin)):
        c.send(TEXT, b"z")
        assert o.receive() == (TEXT, True, b"z")


def test_a_binary_that_is_not_there(start_alb, target, tmp_path):
    alb = start_alb(ws_config(target))
    code, text = alb.upgrade(tmp_path / "nothing")
    assert code == 1 and "cannot start" in text and "No such file" in text


def pids_of_upgrades(alb):
    """Those that the log names, in order."""
    return [int(pid) for pid in re.findall(r"upgrade \w+ .*?\bpid=(\d+)", alb.log())]


def test_the_log_names_the_process_that_serves_afterwards(start_alb, target):
    """Not the one between, which has gone by then."""
    alb = start_alb(ws_config(target))
    served = []
    for _ in range(2):
        before = len(pids_of_upgrades(alb))
        upgrade(alb)
        served.append(alb.status()["pid"])
        assert pids_of_upgrades(alb)[before:] == served[-1:], alb.log()
    assert len(set(served)) == 2


def test_one_at_a_time(start_alb, target, tmp_path):
    alb = start_alb(ws_config(target, alb=BRIEF))
    first = in_background(alb.upgrade, script(tmp_path, "time.sleep(1000)"))
    wait_until(lambda: "upgrade begins" in alb.log(), "the first to begin")
    code, text = alb.command("upgrade")
    assert code == 1 and "an upgrade is under way" in text
    assert first()[0] == 1


def test_what_commands_said_is_not_forgotten(start_alb, start_target):
    """Without a state file, which would tell it too."""
    a, b, c = start_target(answer(b"a")), start_target(answer(b"b")), start_target(answer(b"c"))
    alb = start_alb(forward_config(a, b, group="health_check.enabled = false\n"))
    assert alb.command("register", "app", c.address)[0] == 0
    assert alb.command("deregister", "app", a.address)[0] == 0
    assert alb.command("drain", "app", b.address)[0] == 0
    upgrade(alb)
    states = {t["target"]: t["state"] for t in alb.status()["target_groups"][0]["targets"]}
    assert states[c.address] == "unavailable" and states[b.address] == "draining", states
    assert states.get(a.address, "draining") == "draining", "out, or its delay still runs"
    assert {alb.get()[2] for _ in range(6)} == {b"c"}
    assert alb.command("undrain", "app", b.address)[0] == 0
    assert {alb.get()[2] for _ in range(6)} == {b"b", b"c"}


def test_pings_go_on_in_the_new_process(start_alb, target):
    """Each leg is pinged by whoever has the tunnel; a pong is never lost between two of them."""
    alb = start_alb(ws_config(target, alb="websocket.ping_interval = 300ms"))
    client, origin = open_tunnel(alb, target)
    for _ in range(4):
        for peer in (client, origin):
            opcode, _, tag = peer.receive()
            assert opcode == PING and len(tag) == 8
            peer.send(PONG, tag)
        upgrade(alb)
    client.send(TEXT, b"x")
    while (got := origin.receive())[0] == PING:
        origin.send(PONG, got[2])
    assert got == (TEXT, True, b"x"), "and no pong of the client in front of it"
