"""What the old process still has after `alb upgrade` (WebSockets over TLS) is known to the new one."""

import json
import os
import signal

from harness import wait_until
from ws_peers import Upgraded, all_closed, in_background, open_tunnel, ws_config


def upgrade(alb):
    code, text = alb.upgrade()
    assert code == 0, text + alb.log()


def close(client, origin):
    client.close()
    assert origin.is_at_end()
    origin.close()


OPEN = ["alb_websocket_tunnels_open", "alb_connections_open", "alb_target_tunnels_open",
        "alb_target_outstanding", "alb_target_connections_open", "alb_group_target_connections_open"]


def gauges(alb):
    values = alb.metrics()
    return {name: sum(v for k, v in values.items() if k.split("{")[0] == name) for name in OPEN
            if any(k.split("{")[0] == name for k in values)}


def old(alb):
    """{pid: (connections, tunnels)}"""
    return {p["pid"]: (p["connections"], p["tunnels"]) for p in alb.status()["old_processes"]}


# --- how much it is ------------------------------------------------------------------------------


def test_gauges_and_the_status_are_whole(start_alb, target):
    """An upgrade is no reason for an alarm: what is open is open, wherever it is."""
    alb = start_alb(ws_config(target, workers=2))
    pairs = [open_tunnel(alb, target, listener) for listener in ("https", "http", "https")]
    with all_closed([peer for pair in pairs for peer in pair]):
        before = gauges(alb)
        assert len(before) >= 5 and set(before.values()) == {3}, before
        assert old(alb) == {}
        for n in range(2):
            upgrade(alb)
            wait_until(lambda: gauges(alb) == before, "the report")
            assert old(alb) == {p.pid: (0, 0) if n else (2, 2) for n, p in enumerate(alb.before)}
        assert alb.metric("alb_old_processes") == 2
        assert alb.metric("alb_old_process_connections") == 2
        assert alb.metric("alb_old_process_tunnels") == 2
        shown = alb.status()["target_groups"][0]["targets"][0]
        assert (shown["tunnels"], shown["outstanding"]) == (3, 3)
        text = alb.command("status")[1]
        assert (f"process {alb.before[0].pid}, left by an upgrade at " in text and
                "still has 2 WebSockets and 0 other connections" in text), text
        assert f"process {alb.before[1].pid}, left" in text and "waits for the one before it" in text
        close(*pairs[0])
        wait_until(lambda: old(alb)[alb.before[0].pid] == (1, 1), "one to end")
        assert gauges(alb) == {name: 2 for name in before}
        close(*pairs[2])
        wait_until(lambda: old(alb) == {}, "the old process to end")
        wait_until(lambda: gauges(alb) == {name: 1 for name in before}, "one to be left")
        assert alb.metric("alb_old_processes") == alb.metric("alb_old_process_tunnels") == 0
        assert "left by an upgrade" not in alb.command("status")[1]


def test_a_chain_of_processes_is_known_to_the_last(start_alb, target):
    alb = start_alb(ws_config(target))
    pairs = []
    with all_closed(pairs):
        for n in range(3):
            for _ in range(n + 1):
                pairs += open_tunnel(alb, target, "https")
            upgrade(alb)
        pids = [p.pid for p in alb.before]
        wait_until(lambda: old(alb) == {pids[0]: (1, 1), pids[1]: (2, 2), pids[2]: (3, 3)},
                   "their reports")
        assert [p["pid"] for p in alb.status()["old_processes"]] == pids[::-1], "the youngest first"
        assert set(gauges(alb).values()) == {6}
        close(*pairs[:2])  # which the first has; it ends
        wait_until(lambda: old(alb) == {pids[1]: (2, 2), pids[2]: (3, 3)}, "the first to end")
        assert set(gauges(alb).values()) == {5}


def test_a_target_has_no_more_than_it_may(start_alb, start_target, target):
    """The limit holds for all processes together."""
    alb = start_alb(ws_config(target, group="target.max_connections = 2\n"))
    pairs = [open_tunnel(alb, target, "https") for _ in range(2)]
    with all_closed([peer for pair in pairs for peer in pair]):
        upgrade(alb)
        wait_until(lambda: alb.metric("alb_target_outstanding") == 2, "the report")
        assert alb.get("/")[0] == 503


# --- which they are --------------------------------------------------------------------------------


def test_the_list_of_tunnels_is_whole(start_alb, target):
    """Over three processes, filters and order included; each row says who has it."""
    alb = start_alb(ws_config(target, workers=2))
    known, pairs = {}, []
    with all_closed(pairs):
        for n in range(3):
            for listener in ("https", "http"):
                pairs += open_tunnel(alb, target, listener)
                new = [row["id"] for row in alb.tunnels()["tunnels"] if row["id"] not in known]
                assert len(new) == 1
                known[new[0]] = (n, listener)
            if n < 2:
                upgrade(alb)
                wait_until(lambda: len(old(alb)) == n + 1, "the report")
        pids = [p.pid for p in alb.before] + [alb.pid]
        listed = alb.tunnels(sort="age", order="desc")
        assert (listed["all"], listed["matched"], listed["missing"]) == (6, 6, 0)
        assert {p["pid"]: p["tunnels"] for p in listed["old_processes"]} == {pids[0]: 1, pids[1]: 1}
        assert [row["id"] for row in listed["tunnels"]] == list(known), "the oldest first"
        for row in listed["tunnels"]:
            n, listener = known[row["id"]]
            assert row["pid"] == (pids[n] if listener == "https" else alb.pid), row
            assert row["listener"] == listener and row["target"] == target.address
        assert alb.tunnels(listener="https")["matched"] == 3
        assert [r["pid"] for r in alb.tunnels(listener="https", limit=2)["tunnels"]] == pids[:2]
        for pid, count in zip(pids, (1, 1, 4)):
            listed = alb.tunnels(pid=pid)
            assert listed["matched"] == count and {r["pid"] for r in listed["tunnels"]} == {pid}
        text = alb.command("tunnels", f"pid={pids[0]}")[1]
        assert f"1 with process {pids[0]}, which an upgrade has left: pid={pids[0]} shows those" in text
        assert "live tunnels: 6, 1 of them match" in text


def test_a_list_that_nobody_answers_is_told_to_be_a_part(start_alb, target):
    """An old process that hangs: whoever asks hears of it within seconds."""
    alb = start_alb(ws_config(target))
    pairs = [open_tunnel(alb, target, listener) for listener in ("https", "http")]
    with all_closed([peer for pair in pairs for peer in pair]):
        upgrade(alb)
        first = alb.before[0]
        wait_until(lambda: old(alb) == {first.pid: (1, 1)}, "the report")
        os.kill(first.pid, signal.SIGSTOP)
        try:
            listed = alb.tunnels()
            assert (listed["all"], listed["missing"]) == (1, 1)
            assert "1 of these are not in the list" in alb.command("tunnels")[1]
        finally:
            os.kill(first.pid, signal.SIGCONT)
        wait_until(lambda: alb.tunnels()["all"] == 2, "its answer")
        asked = in_background(alb.tunnels)
        os.kill(first.pid, signal.SIGKILL)
        assert asked()["all"] in (1, 2)
        wait_until(lambda: alb.tunnels()["missing"] == 0 and old(alb) == {}, "it to be gone")


def test_a_dry_run_knows_what_an_old_process_has(start_alb, start_target, target):
    other = start_target(Upgraded())
    alb = start_alb(ws_config(target))
    pairs = [open_tunnel(alb, target, listener) for listener in ("https", "http")]
    with all_closed([peer for pair in pairs for peer in pair]):
        upgrade(alb)
        wait_until(lambda: len(old(alb)) == 1, "the report")
        alb.configure(ws_config(target, alb="idle_timeout.timeout_seconds = 7"))
        plan = json.loads(alb.command("reload", "--dry-run", "--json")[1])
        assert (plan["all"], plan["touched"]) == (2, 1), "the old one keeps its settings"
        alb.configure(ws_config(other))
        plan = json.loads(alb.command("reload", "--dry-run", "--json")[1])
        assert (plan["all"], plan["touched"], plan["ends_at_once"]) == (2, 2, 0)
        alb.configure(ws_config(other, group="deregistration_delay.timeout_seconds = 0"))
        plan = json.loads(alb.command("reload", "--dry-run", "--json")[1])
        assert (plan["all"], plan["touched"], plan["ends_at_once"]) == (2, 2, 2)
        alb.reload()
        wait_until(lambda: not alb.tunnels()["tunnels"], "both to end")
