"""A pytest fixture: an origin that misbehaves on demand, behind the balancer.

Copy this file beside your tests. It needs `alb` and `wsserver` on the PATH, or their
folder in $POSTERN_BIN.
"""

import json
import os
import pathlib
import subprocess
import time

import pytest

BIN = os.environ.get("POSTERN_BIN", "")

WSSERVER = """
[wsserver]
bind = 127.0.0.1:0
node = test
store = memory
[test]
enabled = yes
"""

ALB = """
[alb]
idle_timeout.timeout_seconds = 2
shutdown_timeout = 0
[edge]
allow = 127.0.0.1/32
[listener http]
bind = 127.0.0.1:0
protocol = HTTP
default_action = forward origin
[target_group origin]
target = {origin}
health_check.path = /ready
"""


def start(folder, program, config):
    """Run PROGRAM on this configuration; returns the process and what it has bound."""
    path, ready = folder / f"{program}.ini", folder / f"{program}.ready"
    path.write_text(config)
    process = subprocess.Popen([os.path.join(BIN, program), "run", path, "--ready-file", ready])
    for _ in range(1000):
        if ready.exists():
            return process, json.loads(ready.read_text())
        assert process.poll() is None, f"{program} ended with {process.returncode}"
        time.sleep(0.01)
    raise AssertionError(f"{program} is not ready after 10 s")


@pytest.fixture
def origin(tmp_path):
    """The address of a balancer whose idle time-out is 2 s: "127.0.0.1:PORT"."""
    folder = pathlib.Path(tmp_path)
    wsserver, bound = start(folder, "wsserver", WSSERVER)
    alb, front = start(folder, "alb", ALB.format(origin=bound["listen"]))
    yield front["listeners"]["http"]
    for process in (alb, wsserver):
        process.terminate()
        process.wait(10)
