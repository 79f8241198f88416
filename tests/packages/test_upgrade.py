"""Another version of the packages, over one that runs."""

import shutil

import pytest

from harness import wait_until
from machine import BOTH, EDGE, command, packages
from test_service import ALB, CONFIG, admit, get, is_alive, main_pid, open_chat

OLD = "0.0.9"


@pytest.fixture(scope="session")
def previous(suite, tmp_path_factory):
    """The packages as a version before them: another program file, another sample."""
    folder = tmp_path_factory.mktemp("previous")
    for deb in packages(suite, *BOTH):
        tree = folder / deb.name.split("_")[0]
        command("dpkg-deb", "-R", deb, tree)
        control = tree / "DEBIAN/control"
        lines = [f"Version: {OLD}" if row.startswith("Version:") else row
                 for row in control.read_text().splitlines()]
        control.write_text("\n".join(lines) + "\n")
        for program in (tree / "usr/bin").iterdir():
            with program.open("ab") as file:
                file.write(b"the version before")
        for sample in (tree / "etc/postern").glob("*.ini"):
            sample.write_text("; of the version before\n" + sample.read_text())
        command("dpkg-deb", "--root-owner-group", "-b", tree, folder / f"{tree.name}_{OLD}_amd64.deb")
        shutil.rmtree(tree)
    return folder


@pytest.fixture
def old(machine, previous):
    """A machine with the version before, which serves."""
    machine.install(*packages(machine.suite, *BOTH, folder=previous))
    admit(machine, EDGE)
    wait_until(lambda: get(machine.edge) == 200, "the chat's health check", 30)
    return machine


def upgrade(machine):
    return machine.install(*packages(machine.suite, *BOTH), options=["-o", "Dpkg::Options::=--force-confold"])


def is_new(machine):
    """Does the process that serves have the program file that is there now?"""
    return machine.run("cmp", "/usr/bin/alb", f"/proc/{main_pid(machine)}/exe")[0] == 0


def test_a_live_websocket_survives(old):
    """alb's restart and what it serves: the chat behind it restarts, and that ends its own sockets."""
    old.ok("apt-mark", "hold", "postern-wsserver")
    chat, before, mine = open_chat(old.edge), main_pid(old), old.path(CONFIG).read_text()
    said = old.install(*packages(old.suite, "postern-alb"), options=["-o", "Dpkg::Options::=--force-confold"])

    assert f"has taken over from {before}" in said, said
    assert main_pid(old) != before and is_new(old)
    assert is_alive(chat) and get(old.edge) == 200
    assert old.path(CONFIG).read_text() == mine
    assert old.property(ALB, "NRestarts") == "0"
    chat.sock.close()


def test_a_configuration_is_kept_and_a_sample_follows(old):
    mine = old.path(CONFIG).read_text()
    upgrade(old)

    assert old.path(CONFIG).read_text() == mine and mine.startswith("; of the version before")
    assert not old.path("/etc/postern/wsserver.ini").read_text().startswith("; of the version before")
    wait_until(lambda: get(old.edge) == 200, "the chat", 30)
    assert old.ok("systemctl", "--failed", "--no-legend").strip() == ""


def test_it_restarts_when_it_cannot_take_over(old):
    """Nobody listens at the control socket: a restart, and a clear word."""
    old.ok("rm", "/run/postern/alb.sock")
    before = main_pid(old)
    said = upgrade(old)

    assert "it cannot take over from the running process, so the service is restarted" in said, said
    assert main_pid(old) != before and is_new(old)
    wait_until(lambda: get(old.edge) == 200, "the chat", 30)


def test_the_old_process_goes_on_when_the_new_one_refuses_the_configuration(old):
    path = old.path(CONFIG)
    good = path.read_text()
    path.write_text(good + "\n[nonsense]\n")
    before = main_pid(old)
    said = upgrade(old)

    assert f"goes on, since this one refuses {CONFIG}" in said, said
    assert main_pid(old) == before and not is_new(old)
    wait_until(lambda: get(old.edge) == 200, "the chat", 30)
    path.write_text(good)
    old.ok("alb", "upgrade")
    assert is_new(old)


def test_a_service_that_was_stopped_stays_disabled(old):
    old.ok("systemctl", "disable", "--now", ALB)
    said = upgrade(old)

    assert "taken over" not in said and "restarted" not in said
    assert old.run("systemctl", "is-enabled", ALB)[1].strip() == "disabled"
