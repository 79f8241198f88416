"""alb reload --dry-run: what would change, which tunnels it would touch and why; and nothing does."""

import json
import os
import socket
import subprocess
import time

import pytest

from balancer import other_group
from harness import free_port, run, wait_until
from ws_peers import TEXT, Client, Upgraded, ws_config

RULE = """
[rule %s]
listener = http
priority = %d
path-pattern = /%s
action = fixed-response 410 text/plain "gone"
"""
TWO = """
[listener two]
bind = 127.0.0.1:%d
default_action = forward app
"""


@pytest.fixture
def targets(start_target):
    return [start_target(Upgraded()) for _ in range(3)]


def dry_run(alb):
    code, text = alb.command("reload", "--dry-run", "--json")
    assert code == 0, text
    return json.loads(text)


def changes(answer):
    return {(c["what"], c["name"], c["change"]) for c in answer["changes"]}


def reasons(answer):
    return {r["reason"]: r["tunnels"] for r in answer["reasons"]}


def open_tunnels(alb, *paths):
    return [Client(alb, path=path) for path in paths]


def are_alive(clients):
    return all(c.send(TEXT, b"x") is None for c in clients)


def test_the_same_file_changes_nothing(start_alb, targets):
    alb = start_alb(ws_config(*targets, more=RULE % ("a", 5, "a")))
    clients = open_tunnels(alb, "/ws", "/ws")
    answer = dry_run(alb)
    assert answer["dry_run"] and answer["changes"] == [] and answer["tunnels"] == []
    assert (answer["all"], answer["looked_at"], answer["touched"]) == (2, 2, 0)
    assert alb.status()["reloads"] == 0 and are_alive(clients)


def test_each_change_is_listed_and_none_is_made(start_alb, targets):
    a, b, c = targets
    port = free_port()
    before = RULE % ("same", 5, "same") + RULE % ("goes", 6, "goes") + RULE % ("moves", 7, "moves")
    alb = start_alb(ws_config(a, b, more=before + other_group(c)))
    after = RULE % ("same", 5, "same") + RULE % ("moves", 8, "moves") + RULE % ("comes", 9, "x")
    text = ws_config(a, c, more=after + TWO % port, alb="idle_timeout.timeout_seconds = 30\n")
    text = text.replace("127.0.0.0/8", "127.0.0.0/8 10.0.0.0/8")
    alb.configure(text.replace("[target_group app]", "[target_group app]\nslow_start.duration_seconds = 40"))
    alb_before = alb.status()
    answer = dry_run(alb)
    assert changes(answer) == {
        ("alb", "idle_timeout.timeout_seconds", "changes"), ("edge", "allow", "changes"),
        ("edge", "addresses", "changes"),
        ("listener", "two", "opens"), ("rule", "goes", "goes"), ("rule", "moves", "changes"),
        ("rule", "comes", "comes"), ("rule", "other", "goes"), ("group", "other", "goes"),
        ("group", "app slow_start.duration_seconds", "changes"),
        ("target", b.address, "goes"), ("target", c.address, "comes"),
        ("target", c.address, "goes")}
    idle = [c for c in answer["changes"] if c["name"] == "idle_timeout.timeout_seconds"]
    assert idle[0]["detail"].startswith("60 -> 30")
    after_it = alb.status()
    assert after_it["reloads"] == 0
    assert after_it["target_groups"] == alb_before["target_groups"]
    assert after_it["listeners"] == alb_before["listeners"]


def test_the_tunnels_of_a_removed_target_group_and_listener_are_named(start_alb, targets):
    a, b, c = targets
    port = free_port()
    alb = start_alb(ws_config(a, b, more=other_group(c) + TWO % port))
    alb.ready["listeners"]["two"] = f"127.0.0.1:{port}"
    clients = open_tunnels(alb, "/ws", "/ws", "/ws", "/other")
    clients += [Client(alb, "two"), Client(alb, "two")]
    listed = alb.tunnels()["tunnels"]
    alb.configure(ws_config(a))
    answer = dry_run(alb)
    expected = {}
    for row in listed:
        why = []
        if row["group"] == "other":
            why.append("group removed")
        elif row["target"] == b.address:
            why.append("target removed")
        if row["listener"] == "two":
            why.append("listener removed")
        if why:
            expected[row["id"]] = why
    assert {r["id"]: r["reasons"] for r in answer["tunnels"]} == expected
    assert answer["touched"] == len(expected) and answer["all"] == 6
    assert reasons(answer)["group removed"] == 1 and reasons(answer)["listener removed"] == 2
    assert {r["client"] for r in answer["tunnels"]} <= {r["client"] for r in listed}
    code, text = alb.command("reload", "--dry-run")
    assert code == 0 and "live tunnels: 6" in text and "nothing was changed" in text
    assert "group removed" in text and b.address in text
    assert are_alive(clients) and alb.tunnels()["all"] == 6


def test_a_shorter_idle_time_out_and_who_is_silent_for_too_long(start_alb, targets):
    alb = start_alb(ws_config(targets[0]))
    _silent = Client(alb)
    time.sleep(1.2)
    _fresh = Client(alb)
    alb.configure(ws_config(targets[0], alb="idle_timeout.timeout_seconds = 1\n"))
    answer = dry_run(alb)
    assert reasons(answer) == {"idle time-out shorter": 2} and answer["ends_at_once"] == 1
    assert [r["ends_at_once"] for r in answer["tunnels"]] == [True, False]
    alb.configure(ws_config(targets[0], alb="idle_timeout.timeout_seconds = 600\n"))
    answer = dry_run(alb)
    assert reasons(answer) == {"other settings of its group": 2} and answer["ends_at_once"] == 0


@pytest.mark.parametrize("before,after,at_once", [(300, 0, 1), (0, 300, 0)])
def test_a_target_that_goes_without_a_delay_takes_its_tunnels_along(
        start_alb, targets, before, after, at_once):
    delay = "deregistration_delay.timeout_seconds = %d\n"
    alb = start_alb(ws_config(*targets[:2], group=delay % before))
    _clients = open_tunnels(alb, "/ws", "/ws")
    alb.configure(ws_config(targets[0], group=delay % after))
    answer = dry_run(alb)
    assert reasons(answer)["target removed"] == 1 and answer["ends_at_once"] == at_once


def test_a_registered_target_stays_though_the_file_does_not_name_it(start_alb, targets):
    a, b, _c = targets
    alb = start_alb(ws_config(a))
    code, text = alb.command("register", "app", b.address)
    assert code == 0, text
    _clients = open_tunnels(alb, "/ws", "/ws")
    assert dry_run(alb)["touched"] == 0
    alb.configure(ws_config(_c))
    assert [r["target"] for r in dry_run(alb)["tunnels"]] == [a.address]


HTTPS = """
[listener two]
bind = 127.0.0.1:0
protocol = HTTPS
default_action = forward app
certificate = %s
"""
GROUP = "[target_group other]\ntarget = %s\n"


def refusals(folder, taken, alb):
    """name: (what is appended, what stands in [alb], the sentence)"""
    (folder / "cert.pem").write_text("no certificate")
    logs = "%s = true\n%s = %s\n"
    return {
        "section": ("[alb2]\n", "", "unknown section"),
        "port": (TWO % taken, "", "in use by another process"),
        "address": (TWO.replace("127.0.0.1", "192.0.2.1") % 80, "", "not an address of this machine"),
        "overlap": ((TWO % alb.port()).replace("127.0.0.1", "0.0.0.0"), "", "of listener http, which is open"),
        "certificate": (HTTPS % (folder / "nowhere.pem"), "", "nowhere.pem"),
        "bad certificate": (HTTPS % (folder / "cert.pem"), "", "cert.pem"),
        "edge file": ("", "", "nowhere.txt"),
        "name": (GROUP % "dns:a_b..c:80", "", "dns:a_b..c:80"),
        "dns servers": ("", "dns.servers = one.example\n", "dns.servers"),
        "log's folder": ("", logs % ("connection_logs.enabled", "connection_logs.file",
                                     folder / "nowhere" / "log"), "nowhere/log: No such file"),
        "log is a folder": ("", logs % ("health_check_logs.enabled", "health_check_logs.file",
                                        folder), "Is a directory"),
    }


def test_what_a_reload_would_refuse_is_refused(start_alb, targets, tmp_path):
    alb = start_alb(ws_config(targets[0]))
    cases = refusals(tmp_path, targets[1].port, alb)
    for name, (more, settings, needle) in cases.items():
        text = ws_config(targets[0], more=more, alb=settings)
        if name == "edge file":
            text = text.replace("[edge]", f"[edge]\nallow_file = {tmp_path}/nowhere.txt")
        alb.configure(text)
        said = alb.command("reload", "--dry-run")
        assert said[0] == 1 and needle in said[1], (name, said)
        assert alb.command("reload") == said, name  # it has been tried, not guessed
    status, answer = alb.admin_json("/status")
    assert status == 200 and answer["reloads"] == 0


def test_each_thing_that_is_wrong_is_said_at_once(start_alb, targets, tmp_path):
    alb = start_alb(ws_config(targets[0]))
    log = f"connection_logs.enabled = true\nconnection_logs.file = {tmp_path}/nowhere/log\n"
    alb.configure(ws_config(targets[0], more=TWO % targets[1].port, alb=log))
    for command in (("reload", "--dry-run"), ("reload",)):
        code, text = alb.command(*command)
        assert code == 1 and "in use by another process" in text and "nowhere/log" in text, text


def test_it_leaves_no_file_and_no_socket(start_alb, targets, tmp_path):
    alb = start_alb(ws_config(targets[0]))
    new, port = tmp_path / "new.log", free_port()
    alb.configure(ws_config(targets[0], more=TWO % port, alb="connection_logs.enabled = true\n"
                            f"connection_logs.file = {new}\n"))
    files, descriptors = sorted(os.listdir(tmp_path)), alb.descriptors()
    for _ in range(5):
        assert {("listener", "two", "opens"), ("alb", "connection_logs.file", "changes")} <= \
            changes(dry_run(alb))
    assert sorted(os.listdir(tmp_path)) == files
    wait_until(lambda: alb.descriptors() == descriptors, "the command's connection to be closed")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port)).close()
    alb.reload()
    assert new.exists()


def test_a_fifo_is_not_opened(start_alb, targets, tmp_path):
    """Its reader, which waits for a writer, goes on waiting."""
    alb = start_alb(ws_config(targets[0]))
    os.mkfifo(tmp_path / "fifo")
    alb.configure(ws_config(targets[0], alb="connection_logs.enabled = true\n"
                            f"connection_logs.file = {tmp_path / 'fifo'}\n"))
    with subprocess.Popen(["cat", tmp_path / "fifo"], stdout=subprocess.PIPE) as reader:
        try:
            dry_run(alb)
            assert reader.poll() is None
            alb.reload()
            alb.connect().close()
            assert reader.stdout.readline()
        finally:
            reader.kill()


# Another value than the harness's, for each key that only a start can change.
RESTART = {"workers": "3", "admin": "127.0.0.1:1", "control": "{socket}.other",
           "state_file": "/nowhere/state"}


def restart_keys():
    """Of the settings' own table."""
    rows = [line.split("|") for line in run("alb", "settings")[1].splitlines()]
    return {r[1].strip().strip("`") for r in rows if len(r) > 5 and r[-3].strip() == "restart"}


def test_the_table_has_these_keys_that_a_start_applies():
    assert restart_keys() == set(RESTART)


@pytest.mark.parametrize("key", RESTART)
def test_a_key_that_only_a_start_applies_is_warned_of(start_alb, targets, key):
    alb = start_alb(ws_config(targets[0]))
    lines = ws_config(targets[0]).splitlines()
    lines = [line for line in lines if not line.startswith(f"{key} =")]
    lines.insert(lines.index("[alb]") + 1, f"{key} = {RESTART[key]}")
    alb.configure("\n".join(lines) + "\n")
    warning = f"{key}: a changed value applies at the next upgrade or start"
    assert any(warning in text for text in dry_run(alb)["warnings"])
    code, text = alb.command("reload")
    assert code == 0 and warning in text, text
    assert alb.status()["reloads"] == 1  # it is where it was
