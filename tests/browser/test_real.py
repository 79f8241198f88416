"""test_real.py -- the demo page in Chromium against alb in front of two nodes of wsserver, one test per scenario.

SHOTS=DIR keeps screenshots.
"""

import pathlib
import signal
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

from balancer import Alb  # noqa: E402
from chat import Wsserver  # noqa: E402
from edge_standin import EdgeStandin  # noqa: E402
from harness import free_port  # noqa: E402
from localhost_cert import make_certificate  # noqa: E402

# Scenarios, with the settings of the nodes that each needs.
SCENARIOS = {
    "meet": {},
    "killed": {},
    "reloaded": {},
    "drained": {"shutdown_timeout": "4s"},
    "secure": {},
    "full": {"max_connections": 1},
    "nobody": {},
    "misnamed": {},
    "looks": {},
}

CONFIG = """
[alb]
admin = 127.0.0.1:0
control = {socket}
idle_timeout.timeout_seconds = 300
[edge]
allow = 127.0.0.0/8
[listener http]
bind = 127.0.0.1:0
protocol = HTTP
default_action = forward chat
[listener https]
bind = 127.0.0.1:0
protocol = HTTPS
certificate = {cert}
default_action = forward chat
[target_group chat]
health_check.path = /ready
health_check.interval_seconds = 1
health_check.timeout_seconds = 500ms
health_check.healthy_threshold_count = 2
"""


class Place:
    """Two nodes on one database file behind alb, and what a scenario may ask for."""

    def __init__(self, folder, settings):
        settings = {"store": "sqlite", "sqlite_path": folder / "chat.db", "sqlite_durability": "process", **settings}
        self.nodes = {name: Wsserver(folder, name, bind=f"127.0.0.1:{free_port()}", **settings)
                      for name in ("n1", "n2")}
        make_certificate()
        self.reloads = 0
        self.alb = Alb(folder, "")
        for node in self.nodes.values():
            node.start()
        self.configure()
        self.alb.start()

    def configure(self):
        targets = "".join(f"target = {node.address}\n" for node in self.nodes.values())
        self.alb.configure(CONFIG.replace("= 300", f"= {300 + self.reloads}") + targets)

    def close(self):
        for process in (self.alb, *self.nodes.values()):
            process.kill()
            print(f"--- {process.name} ---\n{process.log()[-4000:]}")

    def kill(self, name):
        self.nodes[name].kill()

    def start(self, name):
        self.nodes[name].start()

    def terminate(self, name):
        self.nodes[name].signal(signal.SIGTERM)

    def ended(self, name):
        assert self.nodes[name].wait() == 0

    def reload(self):
        self.reloads += 1
        self.configure()
        self.alb.reload()


def play(scenario, place, edge=None):
    """The scenario, over plain HTTP through that edge if there is one."""
    addresses = [(edge or place.alb).url("/", "http"), place.alb.url("/", "https", "https")]
    node = subprocess.Popen(["node", HERE / "real.mjs", scenario, *addresses], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with node:
        try:
            for line in node.stdout:
                verb, *names = line.split()
                getattr(place, verb)(*names)
                node.stdin.write("done\n")
                node.stdin.flush()
        except BaseException:
            node.kill()
            raise
    assert node.returncode == 0


def test_every_scenario_is_listed(playwright):
    done = subprocess.run(["node", HERE / "real.mjs"], capture_output=True, text=True, timeout=90)
    assert done.stdout.split() == list(SCENARIOS)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_real(scenario, tmp_path, playwright):
    place = Place(tmp_path, SCENARIOS[scenario])
    try:
        play(scenario, place)
    finally:
        place.close()


def test_meet_behind_an_edge(tmp_path, playwright):
    place = Place(tmp_path, SCENARIOS["meet"])
    edge = EdgeStandin(tmp_path, place.alb)
    try:
        play("meet", place, edge.start())
        assert edge.lines("status=101")
    finally:
        edge.kill()
        place.close()
