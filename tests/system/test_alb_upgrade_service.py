"""`alb upgrade` under a service manager: who is the service's process, and whose child it is.

Ours is no systemd, but it hears the same: datagrams (sd_notify(3)) with who sent them, and the end
of its children, which orphans of its children become (prctl(2), PR_SET_CHILD_SUBREAPER).
"""

import configparser
import ctypes
import os
import shutil
import signal
import socket
import struct
import subprocess

import pytest

from harness import ROOT, wait_until
from test_alb_upgrade import BAD, BRIEF, script
from ws_peers import TEXT, all_closed, open_tunnel, ws_config

PR_SET_CHILD_SUBREAPER = 36
UNIT = ROOT / "conf/systemd/postern-alb.service"


class Manager:
    """Datagrams that have come: [(pid of who sent it, text)]."""

    def __init__(self, address):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(address)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.sock.setblocking(False)
        self.heard = []

    def listen(self):
        while True:
            try:
                text, extra, _, _ = self.sock.recvmsg(4096, 256)
            except BlockingIOError:
                return self.heard
            self.heard.append((struct.unpack("iII", extra[0][2])[0], text.decode()))

    def main(self):
        """The pid that was announced last, NotifyAccess=all."""
        said = [line for _, text in self.listen() for line in text.split("\n")]
        return int([line for line in said if line.startswith("MAINPID=")][-1].split("=")[1])

    def texts(self):
        return [text for _, text in self.listen()]


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path, monkeypatch):
    address = {"path": str(tmp_path / "notify"), "abstract": f"@postern-test-{os.getpid()}"}[request.param]
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    libc = ctypes.CDLL(None)
    assert libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    made = Manager(address.replace("@", "\0", 1))
    yield made
    made.sock.close()
    libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def upgrade(alb):
    code, text = alb.upgrade()
    assert code == 0, text + alb.log()


def parent(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return int(stat.read().rsplit(")", 1)[1].split()[1])


def test_the_new_process_is_announced_by_the_old_one(start_alb, target, manager):
    alb = start_alb(ws_config(target, stop="20s", alb="websocket.drain_rate = 1000"))
    pids = [alb.pid]
    wait_until(manager.listen, "its word, which comes after the ready file")
    assert manager.heard == [(alb.pid, "READY=1")]
    pairs = []
    with all_closed(pairs):
        for _ in range(2):
            pairs += open_tunnel(alb, target, "https")
            upgrade(alb)
            pids.append(alb.pid)
            assert manager.listen()[-1] == (pids[-2], f"MAINPID={alb.pid}\nREADY=1")
        assert len(manager.heard) == 3, "and no process says anything else"
        alb.reload()
        alb.signal(signal.SIGTERM)
        for client, origin in zip(pairs[::2], pairs[1::2]):
            assert client.receive_close()[0] == 1012
            client.close()
            origin.close()
        wait_until(lambda: alb.popen.poll() is not None, "the service to end")
    assert manager.listen()[3:] == [(pids[-1], "STOPPING=1")], "of the service, not of each process"


def test_the_end_of_the_new_process_is_heard_of(start_alb, target, manager):
    """Though the old one is still there: a manager restarts at once what has failed."""
    config = ws_config(target, stop="20s", alb="websocket.drain_rate = 1000")
    alb = start_alb(config)
    secure, origin = open_tunnel(alb, target, "https")
    with all_closed([secure, origin]):
        for _ in range(2):
            upgrade(alb)
            assert parent(alb.pid) == os.getpid(), "our child"
            assert manager.main() == alb.pid
        os.kill(alb.pid, signal.SIGKILL)
        pid, status = os.waitpid(alb.pid, 0)
        assert pid == alb.pid and os.WTERMSIG(status) == signal.SIGKILL
        assert alb.before[0].poll() is None, "the old one drains"
        again = start_alb(config, name="again")
        assert again.status()["state"] == "serving"
        assert secure.receive_close()[0] == 1012


def test_the_old_process_is_announced_again_when_the_upgrade_fails(start_alb, target, manager, tmp_path):
    alb = start_alb(ws_config(target, alb=BRIEF))
    wait_until(manager.listen, "its word, which comes after the ready file")
    with all_closed(open_tunnel(alb, target)) as (client, origin):
        for how, is_late in (("crashes", False), ("says why", False), ("takes nothing", True)):
            before = len(manager.listen())
            assert alb.upgrade(script(tmp_path, BAD[how][0]))[0] == 1
            said = manager.listen()[before:]
            assert {pid for pid, _ in said} <= {alb.pid}
            assert len(said) == 2 * is_late and (not said or manager.main() == alb.pid), how
            client.send(TEXT, b"x")
            assert origin.receive() == (TEXT, True, b"x")
        upgrade(alb)
        assert manager.main() == alb.pid


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_whoever_ends_what_was_started_ends_the_new_process(start_alb, target, manager, tmp_path,
                                                            number):
    """A start that hangs, of a real binary: there is nobody left of it."""
    binary = tmp_path / "hanging"
    alb = start_alb(ws_config(target))
    binary.write_text(f"#!/bin/sh\nexec {alb.args[0]} run {tmp_path}/fifo\n")
    binary.chmod(0o755)
    os.mkfifo(tmp_path / "fifo")
    from ws_peers import in_background
    asked = in_background(alb.upgrade, binary)
    started = int(wait_until(lambda: [row.split("started=")[1] for row in alb.log().splitlines()
                                      if "upgrade begins" in row], "the start")[0])
    children = f"/proc/{started}/task/{started}/children"
    child = int(wait_until(lambda: open(children, encoding="ascii").read(), "the new process"))
    os.kill(started, number)
    code, text = asked()
    assert code == 1 and "carries on" in text, text
    wait_until(lambda: not os.path.exists(f"/proc/{child}") or os.waitpid(child, os.WNOHANG)[0],
               "the new process to end")
    assert alb.status()["state"] == "serving"


# --- the unit ----------------------------------------------------------------------------------------


def test_the_unit_lets_processes_take_over():
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str
    unit.read(UNIT)
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["NotifyAccess"] == "all", "the old process speaks when it is not the main one"
    assert service["KillMode"] == "process", "the old process ends by itself"
    assert service["ExecReload"] == "/usr/bin/alb reload", "which says what came of it"
    assert service["Restart"] == "on-failure"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
@pytest.mark.parametrize("unit", sorted((ROOT / "conf/systemd").glob("*.service")), ids=lambda p: p.name)
def test_systemd_understands_the_units(tmp_path, unit):
    """But for the programs, which are not installed here."""
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/usr/bin/alb", "/bin/true")
                    .replace("/usr/bin/wsserver", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True)
    complaints = [row for row in done.stderr.splitlines() if unit.name in row]
    assert complaints == [], complaints
