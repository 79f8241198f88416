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


def test_the_node_example_works(origin):
    out = run(["node", "--experimental-websocket", "--test", "client.test.mjs"], ORIGIN=origin)
    assert "# pass 3" in out
