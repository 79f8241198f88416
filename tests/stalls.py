"""When this machine stood still: a virtual machine is paused, or a processor has too much to do.

One process for each processor sleeps for a hundredth of a second again and again, and writes
down when it came back much later than that. What a test measures in such a moment says nothing
about the program it tests.
"""

import ctypes
import os
import signal
import sys
import time

NAP = 0.01
NOTABLE = 0.15  # tests that measure time leave room for what is shorter


def watch(path):
    """Runs until its parent dies: appends "BEGIN END" in seconds of the monotonic clock."""
    with open(path, "a", buffering=1) as file:
        before = time.monotonic()
        while True:
            time.sleep(NAP)
            now = time.monotonic()
            if now - before > NOTABLE:
                file.write(f"{before} {now}\n")
            before = now


def _child(path, cpu):
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    os.sched_setaffinity(0, {cpu})
    os.execv(sys.executable, [sys.executable, "-S", "-E", __file__, path])


def start(path):
    """The processes that watch, for stop()."""
    pids = []
    for cpu in os.sched_getaffinity(0):
        pid = os.fork()
        if pid == 0:
            _child(path, cpu)
        pids.append(pid)
    return pids


def stop(pids):
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def gaps(path):
    """[(begin, end)] so far."""
    with open(path) as file:
        return [tuple(map(float, line.split())) for line in file if line.endswith("\n")]


def longest(path, begin, end):
    """Seconds of the longest time that a processor stood still between these two, or 0."""
    return max((b - a for a, b in gaps(path) if b > begin and a < end), default=0)


def total(path, begin):
    """Seconds since then in which one of them stood still."""
    still, upto = 0, begin
    for a, b in sorted(gaps(path)):
        still += max(0, b - max(a, upto))
        upto = max(b, upto)
    return still


if __name__ == "__main__":
    watch(sys.argv[1])
