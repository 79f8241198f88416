"""test_page.py -- the demo page in Chromium against a fake server with faults, one test per scenario.

SHOTS=DIR keeps screenshots.
"""

import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
SCENARIOS = ["policy", "chat", "autojoin", "people", "killed", "unacked", "lost", "errors", "faulty", "gap",
             "drained", "fatal", "overload", "refused", "silent", "older", "looks"]


@pytest.fixture
def base():
    server = subprocess.Popen([sys.executable, HERE / "fake_server.py"], stdout=subprocess.PIPE, text=True)
    yield f"http://127.0.0.1:{server.stdout.readline().strip()}/"
    server.terminate()
    server.wait()


def node(*args):
    return subprocess.run(["node", HERE / "scenarios.mjs", *args], capture_output=True, text=True, timeout=90)


def test_every_scenario_is_listed(playwright):
    assert sorted(node().stdout.split()) == sorted(SCENARIOS)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_page(scenario, base, playwright):
    done = node(scenario, base)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stderr
