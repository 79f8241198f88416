"""kill -9 of either process at each step of `alb upgrade`: what is there is never nobody's.

Until the new process was told to go on with a connection, it is the old one's; from then on it is the
new one's. With one loop, 32 tunnels go at a time (alb/moving.h).
"""

import json
import pathlib

import pytest

import harness
from harness import wait_until
from http_wire import values
from scripted_target import answer
from ws_peers import TEXT, Client, ws_config
from ws_wire import echo_script

BATCH, PLAIN, SECURE = 32, 40, 2


def both(sock, head, rest):
    return (echo_script if values(head, "Upgrade") else answer())(sock, head, rest)


class Upgrade:
    """A balancer with tunnels, and an upgrade at a message of which somebody is killed."""

    def __init__(self, start_alb, start_target, tmp_path, plan):
        self.alb = start_alb(ws_config(start_target(both), stop="20s",
                                       alb="upgrade_timeout = 10s\nwebsocket.drain_rate = 1000"))
        self.plain = [Client(self.alb) for _ in range(PLAIN)]
        self.secure = [Client(self.alb, "https") for _ in range(SECURE)]
        self.old = self.alb.popen
        self.ready = self.alb.ready
        relay = pathlib.Path(__file__).with_name("handing_relay.py").read_text()
        binary = tmp_path / "relay"
        plan = dict(zip(("victim", "when", "at", "number"), plan), alb=str(harness.BIN / "alb"))
        binary.write_text("#!/usr/bin/python3\nPLAN = " + repr(plan) + "\n" + relay)
        binary.chmod(0o755)
        self.binary = binary

    def run(self):
        """(exit code, output); 1 when the old process did not live to answer."""
        return self.alb.command("upgrade", "--binary", self.binary)

    def follow(self):
        """The new process is the one that the test's end is to stop."""
        def is_new():
            self.alb.ready = json.loads(self.alb.ready_path.read_text())
            return self.alb.ready["pid"] != self.ready["pid"]
        wait_until(is_new, "the new process")
        self.alb.popen = harness.Orphan(self.alb.ready["pid"])

    def split(self):
        """(tunnels that live, those that are over): nobody hangs."""
        alive, over = [], []
        for client in self.plain + self.secure:
            (alive if lives(client) else over).append(client)
        return alive, over

    def close(self):
        for client in self.plain + self.secure:
            client.close()


def lives(client):
    """It echoes, or has ended."""
    try:
        client.send(TEXT, b"ping")
        return client.receive() == (TEXT, True, b"ping")
    except TimeoutError:
        raise
    except OSError:
        return False


@pytest.fixture
def begin(start_alb, start_target, tmp_path):
    upgrades = []

    def start(plan):
        upgrades.append(Upgrade(start_alb, start_target, tmp_path, plan))
        return upgrades[-1]
    yield start
    for upgrade in upgrades:
        upgrade.close()


def is_whole(alb):
    """It accepts, answers and tunnels."""
    for listener in ("http", "https"):
        assert alb.get("/get", listener=listener, tls=listener == "https")[2] == b"ok"
        with Client(alb, listener) as client:
            assert lives(client)


# --- the new one ----------------------------------------------------------------------------------

BEFORE_ANY_GO = [("before", "SOCKETS", 1), ("before", "STATE", 1), ("after", "STATE", 1),
                 ("before", "READY", 1), ("after", "READY", 1), ("before", "MOVE", 1),
                 ("after", "MOVE", 1)]


@pytest.mark.parametrize("step", BEFORE_ANY_GO, ids=lambda s: "-".join(map(str, s)))
def test_the_old_process_has_all_until_it_says_go(begin, step):
    upgrade = begin(("new", *step))
    code, text = upgrade.run()
    assert code == 1 and f"{upgrade.old.pid} carries on" in text, text
    alive, over = upgrade.split()
    assert len(alive) == PLAIN + SECURE and not over
    is_whole(upgrade.alb)
    code, text = upgrade.alb.upgrade()
    assert code == 0, text
    assert f"{PLAIN} tunnels" in text and not upgrade.split()[1]


@pytest.mark.parametrize("step,gone", [(("before", "TAKEN", 1), BATCH), (("after", "GO", 1), BATCH),
                                       (("before", "MOVE", 2), BATCH), (("after", "MOVE", 2), BATCH)])
def test_the_old_process_goes_on_with_what_has_not_gone(begin, step, gone):
    upgrade = begin(("new", *step))
    code, text = upgrade.run()
    assert code == 1 and f"it has ended, with {gone} connections" in text, text
    alive, over = upgrade.split()
    assert len(over) == gone, "those that the dead one had, or had said that it would take"
    assert len(alive) == PLAIN + SECURE - gone
    is_whole(upgrade.alb)
    code, text = upgrade.alb.upgrade()
    assert code == 0, text
    assert len(upgrade.split()[0]) == len(alive)


def test_after_the_upgrade_what_is_with_the_old_process_is_told(begin):
    upgrade = begin(("new", "after", "REPORT", 1))
    upgrade.run()
    for client in upgrade.secure:
        assert client.receive_close()[0] == 1012
        client.close()
    wait_until(lambda: upgrade.old.poll() is not None, "the old process to end")
    assert not [client for client in upgrade.plain if lives(client)]


# --- the old one ---------------------------------------------------------------------------------


def is_refused(alb, listener):
    """A reset is the end of one that still listened."""
    try:
        alb.connect(listener).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass
    return False


@pytest.mark.parametrize("step", BEFORE_ANY_GO[:2], ids=lambda s: "-".join(map(str, s)))
def test_without_the_old_process_one_that_knows_nothing_does_not_start(begin, step):
    upgrade = begin(("old", *step))
    assert upgrade.run()[0] == 1
    for listener in ("http", "https"):
        wait_until(lambda: is_refused(upgrade.alb, listener), "nobody to listen")
    assert not upgrade.split()[0]


@pytest.mark.parametrize("step", BEFORE_ANY_GO[3:] + [("before", "TAKEN", 1)], ids=lambda s: "-".join(map(str, s)))
def test_without_the_old_process_the_new_one_serves(begin, step):
    """What the dead one had is lost, and nobody waits for it."""
    upgrade = begin(("old", *step))
    assert upgrade.run()[0] == 1
    upgrade.follow()
    assert not upgrade.split()[0]
    is_whole(upgrade.alb)
    code, text = upgrade.alb.upgrade()
    assert code == 0, text
    is_whole(upgrade.alb)


@pytest.mark.parametrize("step,moved", [(("after", "GO", 1), BATCH), (("before", "TAKEN", 2), BATCH),
                                        (("after", "GO", 2), PLAIN), (("before", "REPORT", 1), PLAIN),
                                        (("after", "REPORT", 1), PLAIN)])
def test_the_new_process_has_all_that_it_was_told_to_go_on_with(begin, step, moved):
    upgrade = begin(("old", *step))
    upgrade.run()
    upgrade.follow()
    alive, over = upgrade.split()
    assert len(alive) == moved and set(upgrade.secure) <= set(over)
    assert set(alive) <= set(upgrade.plain)
    is_whole(upgrade.alb)
    wait_until(lambda: upgrade.alb.status()["old_processes"] == [], "nothing to be left of it")
    assert upgrade.alb.metric("alb_websocket_tunnels_open") >= moved
    code, text = upgrade.alb.upgrade()
    assert code == 0, text
    assert len(upgrade.split()[0]) == moved
