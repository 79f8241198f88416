"""alb reload --dry-run: what would change, which tunnels it would touch and why; and nothing does."""

import json
import time

import pytest

from harness import free_port, run
from ws_peers import TEXT, Client, Upgraded, ws_config

RULE = """
[rule %s]
listener = http
priority = %d
path-pattern = /%s
action = fixed-response 410 text/plain "gone"
"""
OTHER = """
[target_group other]
target = %s
health_check.enabled = false
[rule other]
listener = http
priority = 1
path-pattern = /other
action = forward other
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
    alb = start_alb(ws_config(a, b, more=before + OTHER % c.address))
    after = RULE % ("same", 5, "same") + RULE % ("moves", 8, "moves") + RULE % ("comes", 9, "x")
    text = ws_config(a, c, more=after + TWO % port, alb="idle_timeout.timeout_seconds = 30\n")
    text = text.replace("127.0.0.0/8", "127.0.0.0/8 10.0.0.0/8")
    alb.configure(text.replace("[target_group app]", "[target_group app]\nslow_start.duration_seconds = 40"))
    alb_before = alb.status()
    answer = dry_run(alb)
    assert changes(answer) == {
        ("alb", "idle_timeout.timeout_seconds", "changes"), ("edge", "allow", "changes"),
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
    alb = start_alb(ws_config(a, b, more=OTHER % c.address + TWO % port))
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


def test_a_registered_target_stays_though_the_file_does_not_name_it(start_alb, targets):
    a, b, _c = targets
    alb = start_alb(ws_config(a))
    code, text = alb.command("register", "app", b.address)
    assert code == 0, text
    _clients = open_tunnels(alb, "/ws", "/ws")
    assert dry_run(alb)["touched"] == 0
    alb.configure(ws_config(_c))
    assert [r["target"] for r in dry_run(alb)["tunnels"]] == [a.address]


def test_what_a_reload_would_refuse_is_refused(start_alb, targets):
    alb = start_alb(ws_config(targets[0]))
    for more, needle in (("[alb2]\n", "unknown section"),
                         (TWO % targets[1].port, "in use by another process")):
        alb.configure(ws_config(targets[0], more=more))
        code, text = alb.command("reload", "--dry-run")
        assert code == 1 and needle in text, text
    status, answer = alb.admin_json("/status")
    assert status == 200 and answer["reloads"] == 0


# Another value than the harness's, for each key that only a start can change.
RESTART = {"workers": "3", "admin": "127.0.0.1:1", "control": "{socket}.other",
           "state_file": "/nowhere/state", "seal_key_file": "/dev/null"}


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
