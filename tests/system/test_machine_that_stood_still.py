"""tests/conftest.py: what failed while the machine stood still runs again; nothing else does."""

import os
import pathlib
import subprocess
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
CASES = """
import os, time
runs = []

def stand_still():
    with open(os.environ["POSTERN_STALLS"], "a") as file:
        file.write(f"{time.monotonic() - 0.3} {time.monotonic()}\\n")

def test_wrong():
    runs.append("wrong")
    assert False

def test_stopped_once():
    runs.append("once")
    if runs.count("once") == 1:
        stand_still()
        assert False

def test_wrong_and_stopped():
    runs.append("both")
    stand_still()
    assert False

def test_right_though_stopped():
    runs.append("right")
    stand_still()

def test_runs():
    assert [runs.count(name) for name in ("wrong", "once", "both", "right")] == [1, 2, 3, 1]
"""


def test_what_failed_meanwhile_runs_again(tmp_path):
    (tmp_path / "test_cases.py").write_text(CASES)
    env = {k: v for k, v in os.environ.items() if "STALLS" not in k and "PYTEST" not in k}
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "conftest",
                           str(tmp_path)], env=env | {"PYTHONPATH": str(TESTS)}, capture_output=True, text=True)
    assert "2 failed, 3 passed" in done.stdout, done.stdout
    again = [line for line in done.stdout.splitlines() if line.startswith("RAN AGAIN ")]
    assert [line.split("::")[1].split(":")[0] for line in again] == [
        "test_stopped_once", "test_wrong_and_stopped", "test_wrong_and_stopped"]
    assert "the machine stood still " in done.stdout
