"""The packet filter follows what is changed by the management listener while the machine serves."""

import contextlib
import http.client
import re
import subprocess

import machines
from harness import BIN
from localhost_cert import CERT

STRANGER = f"{machines.STRANGER}.2"
MORE = """
[listener more]
bind = 0.0.0.0:81
default_action = forward chat
"""
# alb takes it; a packet filter cannot be made of it, since there is no port to name.
WITHOUT_RULES = """
[listener none]
bind = 127.0.0.1:0
default_action = forward chat
"""
IN_FORCE = r"postern-filter: in force, (\d+) of its rules for a while"


def _operate(machine, *args):
    """`alb --remote`, which has to succeed."""
    token = machine.folder / "token"
    token.touch(mode=0o600)
    token.write_text(machines.TOKEN)
    port = machine.address("management")[1]
    done = subprocess.run([BIN / "alb", "--remote", f"https://localhost:{port}", "--ca", CERT, "--token-file", token,
                           *map(str, args)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _configure(machine, text):
    path = machine.folder / "next.ini"
    path.write_text(text)
    _operate(machine, "reload", "--config", path)


@contextlib.contextmanager
def _configured(machine, text):
    """With that configuration, and with its own one afterwards."""
    _configure(machine, text)
    try:
        yield
    finally:
        _configure(machine, machine.config)


def _stranger_hears(machine):
    connection = http.client.HTTPConnection("127.0.0.1", machine.stranger_port, timeout=5)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


def _edge_hears(machine, what):
    return (machines.Door(machine, what).get("/", timeout_s=5) or (0,))[0] == 200


def _until(machine, condition, what):
    machine.wait_until(condition, what, 90)


def test_the_filter_of_the_configuration_is_in_force(bios):
    machines.serves(bios)
    bios.wait_for(IN_FORCE)
    assert "packet filter that was in force stays" not in bios.console()


def test_an_address_that_is_added_for_a_while_gets_in_until_its_end(bios):
    machines.serves(bios)
    assert not _stranger_hears(bios)
    _operate(bios, "edge", "add", STRANGER, "--for", "40s")
    _until(bios, lambda: _stranger_hears(bios), "the stranger to get in")
    _until(bios, lambda: not _stranger_hears(bios), "the end of that")
    assert _edge_hears(bios, "http")


def test_an_addition_that_is_taken_back_ends_at_once(bios):
    machines.serves(bios)
    _operate(bios, "edge", "add", STRANGER, "--for", "1h")
    _until(bios, lambda: _stranger_hears(bios), "the stranger to get in")
    _operate(bios, "edge", "remove", STRANGER)
    assert not _stranger_hears(bios)
    _until(bios, lambda: re.findall(IN_FORCE, bios.console())[-1] == "0", "the packet filter without it")


def test_a_new_configuration_arrives_in_the_packet_filter(bios):
    machines.serves(bios)
    assert not _edge_hears(bios, "more")
    with _configured(bios, bios.config.replace("[edge]\n", f"[edge]\nallow = {STRANGER}/32\n") + MORE):
        _until(bios, lambda: _edge_hears(bios, "more"), "an answer of the new listener")
        _until(bios, lambda: _stranger_hears(bios), "the stranger, who is of the edge now, to get in")
    _until(bios, lambda: not _edge_hears(bios, "more"), "the new listener to be gone")
    assert not _stranger_hears(bios) and _edge_hears(bios, "http")


def test_what_no_packet_filter_can_be_made_of_leaves_the_old_one_and_is_on_the_console(bios):
    machines.serves(bios)
    with _configured(bios, bios.config + WITHOUT_RULES):
        bios.wait_for(r"postern-filter: alb nft gives no rules: the packet filter that was in force stays")
        assert "port 0 is any free one" in bios.console()
        assert _edge_hears(bios, "http") and not _stranger_hears(bios)
    _operate(bios, "edge", "add", STRANGER, "--for", "1h")
    _until(bios, lambda: _stranger_hears(bios), "a packet filter that follows again")
    _operate(bios, "edge", "remove", STRANGER)


def test_many_changes_in_a_row_are_followed_to_the_last(bios):
    """systemd gives a unit up that is started too often."""
    machines.serves(bios)
    for i in range(12):
        _operate(bios, "edge", "add", f"192.0.2.{i}", "--for", "1h")
    _operate(bios, "edge", "add", STRANGER, "--for", "1h")
    _until(bios, lambda: _stranger_hears(bios), "the stranger, who came last, to get in")
    _operate(bios, "edge", "remove", STRANGER)
    assert not _stranger_hears(bios)
