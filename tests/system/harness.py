"""What the system tests stand on: real programs as processes, and conditions instead of sleeps.

    node = Process(folder, "n1", BIN / "wsserver", "run", path).start()
    wait_until(lambda: "slow" in node.log(), "it to say so")

Programs come from $BIN (build/release/bin); $WRAP, if set, is put in front of each
("valgrind --error-exitcode=9 ...").
"""

import contextlib
import itertools
import json
import os
import pathlib
import random
import select
import shlex
import signal
import socket
import subprocess
import time

import stalls

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("BIN", ROOT / "build/release/bin")).resolve()
WRAP = shlex.split(os.environ.get("WRAP", ""))
# Sanitizers and valgrind are slow: the same conditions, more patience.
PATIENCE = float(os.environ.get("PATIENCE", "1"))


def wait_until(condition, what, timeout=10.0):
    """Return the first true value of `condition()`; fail with `what` after the time-out."""
    end = time.monotonic() + timeout * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout * PATIENCE:.0f} s for {what}")
        time.sleep(0.01)


def _ports():
    """Below those that the kernel gives to whoever binds port 0: none of these gets there first. Each
    worker of pytest has its own; where a run begins differs, for others run beside it."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    first, each = 10000 + 4000 * (worker % 5), 4000
    for n in itertools.count(random.randrange(each)):
        yield first + n % each


_PORTS = _ports()


def free_port():
    """For what cannot bind port 0 itself. No two calls give the same."""
    for port in _PORTS:
        with contextlib.suppress(OSError), socket.socket() as s:
            s.bind(("127.0.0.1", port))
            return port


def _stalls():
    time.sleep(0.1)  # for the watchers to write down the last one
    return os.environ["POSTERN_STALLS"]


def stood_still(began):
    """For how many seconds the machine itself did since then (of the monotonic clock)."""
    return stalls.total(_stalls(), began)


def stall_room(began):
    """What that may add to one moment that a test measures: seconds."""
    return stalls.NOTABLE + stalls.longest(_stalls(), began, time.monotonic())


def split_address(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


class Process:
    """A program under test: its log is kept in a file and shown when a test fails."""

    def __init__(self, folder, name, *args, env=None):
        self.name, self.folder = name, pathlib.Path(folder)
        self.log_path = self.folder / f"{name}.log"
        self.ready_path = self.folder / f"{name}.ready"
        self.args = [str(a) for a in args]
        self.env = dict(os.environ, **(env or {}))
        self.ready = None
        self.popen = None

    def start(self, wait=True):
        with contextlib.suppress(FileNotFoundError):
            self.ready_path.unlink()
        log = open(self.log_path, "ab")
        self.popen = subprocess.Popen(
            WRAP + self.args, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env,
            cwd=self.folder)
        log.close()
        if wait:
            wait_until(self._is_ready, f"{self.name} to be ready: {self.log()}", 15)
        return self

    def _is_ready(self):
        if self.popen.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.popen.returncode}: {self.log()}")
        if not self.ready_path.exists():
            return False
        self.ready = json.loads(self.ready_path.read_text())
        return True

    @property
    def pid(self):
        # Under a wrapper the program may be a child; the ready file knows.
        return self.ready["pid"] if self.ready else self.popen.pid

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def signal(self, number):
        os.kill(self.pid, number)

    def freeze(self):
        """SIGSTOP, and each thread stands still (or it has ended). SIGCONT lets them go on."""
        def states():
            stats = pathlib.Path(f"/proc/{self.pid}/task").glob("*/stat")
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread ended
                return {s.read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] for s in stats}
        self.signal(signal.SIGSTOP)
        wait_until(lambda: states() == {"T"} or not self.is_running(), "it to stand still")

    def cpu_s(self):
        """CPU time of the process so far."""
        stat = pathlib.Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii")
        return sum(map(int, stat.rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    def cpu_ns(self):
        """The same exactly, of the threads that are there."""
        tasks = pathlib.Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)

    def descriptors(self):
        """How many it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def is_running(self):
        return self.popen is not None and self.popen.poll() is None

    def wait(self, timeout=15):
        """Its exit code."""
        return self.popen.wait(timeout * PATIENCE)

    def kill(self):
        """kill -9: no goodbye."""
        if self.is_running():
            self.signal(signal.SIGKILL)
            self.wait()

    def stop(self):
        """SIGTERM twice (do not wait for a drain), and its exit code."""
        code = self._end()
        assert "Sanitizer" not in self.log(), f"{self.name}: a sanitizer has found something"
        return code

    def _end(self):
        if self.is_running():
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.popen.wait(0.3)
            with contextlib.suppress(ProcessLookupError):
                self.signal(signal.SIGTERM)
            try:
                return self.wait()
            except subprocess.TimeoutExpired:
                self.popen.kill()
                raise AssertionError(f"{self.name} did not end: {self.log()[-2000:]}")
        return self.popen.returncode if self.popen else None


class Orphan:
    """A process that another one has started, as if it were a Popen; nobody knows its exit code."""

    returncode = 0

    def __init__(self, pid):
        self.pid = pid
        self.fd = os.pidfd_open(pid)

    def _has_ended(self, timeout):
        ended = select.poll()  # select() takes no descriptor above 1023
        ended.register(self.fd, select.POLLIN)
        return bool(ended.poll(None if timeout is None else timeout * 1000))

    def poll(self):
        return 0 if self._has_ended(0) else None

    def wait(self, timeout=None):
        if not self._has_ended(timeout):
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return 0

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)


def run(program, *args, timeout=20):
    """Run to the end: (exit code, stdout, stderr)."""
    done = subprocess.run([BIN / program, *[str(a) for a in args]], capture_output=True, text=True,
                          timeout=timeout * PATIENCE)
    return done.returncode, done.stdout, done.stderr


def grown_kb(pid, before):
    """By how much its memory grew. A sanitizer's own memory says nothing: 0 then."""
    return 0 if PATIENCE > 1 else resident_kb(pid) - before


def resident_kb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")
