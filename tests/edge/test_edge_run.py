"""`make run ARGS=--edge` does what it prints."""

import os
import re
import shlex
import subprocess

import pytest

from harness import BIN, PATIENCE, ROOT, Process, free_port, wait_until

PORTS = ("HTTP", "HTTPS", "ADMIN", "N1", "N2", "EDGE")
# option, what the printed upgrade is answered with
CASES = [("--edge", "HTTP/1.1 101 Switching Protocols"),
         ("--edge=bad", "Attach the AllViewer origin request policy")]


class Run(Process):
    """tools/run.sh on ports of its own."""

    def __init__(self, folder, *options):
        ports = {f"{name}_PORT": str(free_port()) for name in PORTS}
        super().__init__(folder, "run", ROOT / "tools/run.sh", BIN, folder / "run", *options, env=ports)
        self.folder = ROOT  # where it runs

    def start(self, wait=True):
        super().start(wait=False)
        wait_until(lambda: "Ctrl-C stops everything" in self.log(), "it to say where to look", 30)
        return self

    def stop(self):
        self.popen.terminate()
        self.popen.wait(15 * PATIENCE)


def curl(command):
    """What a printed curl prints; it may run into its time-out."""
    return subprocess.run([*shlex.split(command), "-sS"], capture_output=True, text=True, timeout=20 * PATIENCE).stdout


@pytest.mark.parametrize("options, answer", CASES)
def test_what_it_prints_is_so(tmp_path, started, options, answer):
    run = Run(tmp_path, *options.split())
    started.append(run)
    run.start()
    said = run.log().replace("\\\n", " ")
    page, upgrade, straight, stolen = (re.search(what, said)[1] for what in (
        r"open +(http://\S+)", r"upgrade +(curl .*)", r"straight +(curl -m 2 \S+)",
        r"stolen +(curl .*/)    "))
    assert "<title>" in curl(f"curl {page}")
    assert answer in curl(upgrade)
    assert curl(straight) == ""
    assert "HTTP/1.1 403 " in curl(stolen)


@pytest.mark.parametrize("options, says", [("--edgy", "no such option: --edgy"), ("--policy", "--policy is AllViewer,"),
                                           ("--policy some", "--policy is AllViewer,")])
def test_a_wrong_option(tmp_path, options, says):
    done = subprocess.run([ROOT / "tools/run.sh", BIN, tmp_path, *options.split()], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1 and says in done.stderr


def test_help(tmp_path):
    done = subprocess.run([ROOT / "tools/run.sh", BIN, tmp_path, "--help"], capture_output=True, text=True, cwd=ROOT,
                          env=dict(os.environ, EDGE_PORT="1234"))
    assert done.returncode == 0 and "--edge=bad" in done.stdout and "EDGE_PORT=1234" in done.stdout
