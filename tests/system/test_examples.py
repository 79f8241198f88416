"""The examples of docs/examples/ do what the README says."""

import os
import subprocess
import sys

import pytest

from harness import BIN, PATIENCE, ROOT, Process

EXAMPLES = ROOT / "docs/examples"


def run(command, **env):
    done = subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True,
                          timeout=60 * PATIENCE, env=dict(os.environ, POSTERN_BIN=str(BIN), **env))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_pytest_fixture_works():
    assert "2 passed" in run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"])


@pytest.fixture
def origin(tmp_path, started):
    path = tmp_path / "wsserver.ini"
    path.write_text("[wsserver]\nbind = 127.0.0.1:0\nnode = t\nstore = memory\n"
                    "[test]\nenabled = yes\n")
    server = Process(tmp_path, "wsserver", BIN / "wsserver", "run", path, "--ready-file",
                     tmp_path / "wsserver.ready")
    started.append(server)
    return server.start().ready["listen"]


def node_flags():
    """What Node needs for a WebSocket of its own; None when it has none (before 20.10)."""
    text = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    version = tuple(int(n) for n in text.strip().lstrip("v").split(".")[:2])
    if version >= (22, 0):
        return []
    return ["--experimental-websocket"] if version >= (20, 10) else None


def test_the_node_example_works(origin):
    flags = node_flags()
    if flags is None:
        pytest.skip("this Node has no WebSocket: the example needs 20.10, or the package ws")
    out = run(["node", *flags, "--test", "client.test.mjs"], ORIGIN=origin)
    assert "# pass 3" in out
