"""`alb drain` and `alb undrain`, and whatever else drains a target: what becomes of it."""

import json
import re
import time

import pytest

from drains import CLOSED, CUT, DELAY, is_told
from harness import wait_until
from scripted_target import answer
from ws_peers import BOTH, TEXT, Client, Upgraded, all_closed, is_alive, open_tunnel, ws_config

STATE = "state_file = alb.state\n"


def refused(alb, *args):
    code, text = alb.command(*args)
    assert code == 1, text
    return text


def state_of(alb, target):
    found = [t for g in alb.status()["target_groups"] for t in g["targets"]
             if t["target"] == target.address]
    return found[0] if found else None


def open_some(alb, target, count, **client):
    """Tunnels to this target; those of other targets are closed at once."""
    pairs, tries = [], 0
    while len(pairs) < count:
        tries += 1
        assert tries < 50 * count
        opened = Client(alb, **client)
        origin = wait_until(lambda: next((t.script.waiting for t in alb.targets
                                          if not t.script.waiting.empty()), None), "an upgrade")
        mine = origin is target.script.waiting
        peer = origin.get()
        if mine:
            pairs.append((opened, peer))
        else:
            opened.close()
            peer.close()
    return pairs


@pytest.fixture
def start(start_alb):
    def start_with(targets, **kwargs):
        config = ws_config(*targets, **kwargs)
        if "health_check.interval" in config:
            config = config.replace("health_check.enabled = false\n", "")
        alb = start_alb(config)
        alb.targets = targets
        return alb
    return start_with


def test_a_drained_target_gets_nothing_new_and_keeps_its_place(start, targets):
    alb = start(targets, group=DELAY % 100, alb=STATE + "websocket.drain_rate = 1000\n")
    (old,) = open_some(alb, targets[0], 1)
    text = alb.ok("drain", "app", targets[0].address)
    assert f"{targets[0].address} of app drains: 1 target, 1 WebSocket, told to come again" in text
    assert is_told(old[0])
    assert state_of(alb, targets[0])["state"] == "draining"
    assert state_of(alb, targets[0])["reason"] == "Target.Drained"
    seen = len(targets[0].seen)
    for _ in range(6):
        client, origin = open_tunnel(alb, targets[1])
        client.close()
        origin.close()
    assert len(targets[0].seen) == seen
    assert "not drained any more" in alb.ok("undrain", "app", targets[0].address)
    assert state_of(alb, targets[0])["state"] == "unavailable"
    open_some(alb, targets[0], 1)


def test_the_answer_says_how_many_and_how_long(start, targets):
    alb = start(targets[:1], group=DELAY % 10, alb=STATE)
    pairs = [open_tunnel(alb, targets[0]) for _ in range(3)]
    with all_closed([peer for pair in pairs for peer in pair]):
        assert post(alb, "/drain", {"target_group": "app"}) == (200, {
            "ok": True, "message": "app drains: 1 target, 3 WebSockets, told to come again over 9s; "
            "about 0 will be cut at the end of 10s", "warnings": [], "targets": 1, "tunnels": 3,
            "rate": "auto", "window_ms": 9000, "delay_ms": 10000, "cut_at_end": 0})
        status, undone = post(alb, "/undrain", {"all": True})
        assert status == 200 and undone["ok"] and undone["targets"] == 1
        alb.configure(ws_config(targets[0], group=DELAY % 1, alb=STATE + "websocket.drain_rate = 1\n"))
        alb.reload()
        status, told = post(alb, "/drain", {"all": True})
        assert (told["rate"], told["cut_at_end"], told["tunnels"]) == (1, 2, 3)
        wait_until(lambda: "drain end" in alb.log().rsplit("drain begin", 1)[1], "the end")
        assert alb.metric(CUT) == 2
        assert "closed=1 cut=2" in alb.log()


def post(alb, path, order):
    import http.client
    import socket
    conn = http.client.HTTPConnection("localhost")
    conn.sock = socket.socket(socket.AF_UNIX)
    conn.sock.connect(str(alb.socket_path))
    conn.request("POST", path, body=json.dumps(order))
    response = conn.getresponse()
    return response.status, json.loads(response.read())


@pytest.mark.parametrize("order", [
    {}, {"target": "127.0.0.1:1"}, {"all": False}, {"all": True, "target_group": "app"},
    {"target_group": 1}, {"target_group": "app", "target": "x", "more": 1}, []])
def test_an_order_that_is_none(start, targets, order):
    alb = start(targets, group=DELAY % 10)
    for path in ("/drain", "/undrain"):
        status, text = post(alb, path, order)
        assert status == 400 and text["ok"] is False and "send JSON" in text["errors"][0]


def test_what_cannot_be_drained_is_refused(start, targets):
    alb = start(targets, group=DELAY % 10, alb=STATE)
    assert "no target group" in refused(alb, "drain", "nope")
    assert "no target group" in refused(alb, "drain", "nope", targets[0].address)
    assert "is no target of app" in refused(alb, "drain", "app", "127.0.0.1:1")
    assert "not drained" in refused(alb, "undrain", "app")
    assert "not drained" in refused(alb, "undrain", "app", targets[0].address)
    alb.ok("drain", "app", targets[0].address)
    assert "drained already" in refused(alb, "drain", "app", targets[0].address)
    assert "1 target, 0 WebSockets" in alb.ok("drain", "app"), "the other one"
    assert alb.command("drain")[0] == 2
    assert alb.command("drain", "app", "--all")[0] == 2


def test_a_group_that_is_drained_whole_answers_503(start_alb, start_target):
    """Failing open is for health; this was said."""
    a, b = start_target(answer(b"a")), start_target(answer(b"b"))
    alb = start_alb(ws_config(a, b, group=DELAY % 10))
    assert alb.get()[0] == 200
    assert "2 targets" in alb.ok("drain", "app")
    assert {alb.get()[0] for _ in range(6)} == {503}
    assert not alb.status()["target_groups"][0]["fails_open"]
    alb.ok("undrain", "app", a.address)
    assert {alb.get()[2] for _ in range(6)} == {b"a"}


def test_a_cookie_does_not_lead_to_a_drained_target(start_alb, start_target):
    a, b = start_target(answer(b"a")), start_target(answer(b"b"))
    alb = start_alb(ws_config(a, b, group=DELAY % 10 + "stickiness.enabled = true\n"))
    _, headers, body = alb.get()
    cookie = headers.get_all("Set-Cookie")[0].split(";")[0]
    alb.ok("drain", "app", (a if body == b"a" else b).address)
    assert {alb.get(headers={"Cookie": cookie})[2] for _ in range(4)} == (
        {b"b"} if body == b"a" else {b"a"})


def test_a_drain_outlives_a_reload_and_a_restart(start, targets):
    alb = start(targets, group=DELAY % 10, alb=STATE)
    alb.ok("drain", "app", targets[0].address)
    alb.reload()
    assert state_of(alb, targets[0])["state"] == "draining"
    assert f"drain app {targets[0].address}\n" in (alb.folder / "alb.state").read_text()
    alb.stop()
    alb.start()
    assert state_of(alb, targets[0])["state"] == "draining"
    for _ in range(4):
        client, origin = open_tunnel(alb, targets[1])
        client.close()
        origin.close()
    alb.ok("undrain", "--all")
    alb.stop()
    alb.start()
    assert state_of(alb, targets[0])["state"] == "unavailable"


def test_without_a_state_file_it_is_said_that_a_restart_forgets(start, targets):
    alb = start(targets, group=DELAY % 10)
    assert "a restart forgets this" in alb.ok("drain", "app", targets[0].address)


def test_a_drain_ends_with_its_target(start, targets):
    alb = start(targets, group=DELAY % "1ms", alb=STATE)
    alb.ok("drain", "app", targets[0].address)
    alb.ok("deregister", "app", targets[0].address)
    wait_until(lambda: state_of(alb, targets[0]) is None, "the end of the delay")
    alb.ok("register", "app", targets[0].address)
    assert state_of(alb, targets[0])["state"] == "unavailable"
    alb.ok("drain", "app", targets[0].address)
    alb.configure(ws_config(targets[1], group=DELAY % "1ms", alb=STATE))
    alb.reload()
    assert "drain " not in (alb.folder / "alb.state").read_text()


@pytest.mark.parametrize("listener", BOTH)
def test_undrain_midway_leaves_the_others_alone(start, targets, listener):
    alb = start(targets[:1], group=DELAY % 100, alb="websocket.drain_rate = 4\n", workers=2)
    pairs = [open_tunnel(alb, targets[0], listener) for _ in range(20)]
    with all_closed([peer for pair in pairs for peer in pair]):
        alb.ok("drain", "app")
        wait_until(lambda: alb.metric(CLOSED) >= 4, "some to be told")
        alb.ok("undrain", "app", targets[0].address)
        told = int(alb.metric(CLOSED))
        assert told < 10
        time.sleep(0.8)
        assert alb.metric(CLOSED) == told
        ends = [row for row in alb.log().splitlines() if "drain end" in row]
        assert len(ends) == 1 and f"closed={told} cut=0" in ends[0]
        alive = 0
        for client, origin in pairs:
            origin.send(TEXT, b"down")
            alive += client.receive()[0] == TEXT
        assert alive == 20 - told
        assert alb.metric("alb_target_tunnels_draining") == 0


def test_what_is_left_at_the_end_of_the_delay_is_cut(start, targets):
    alb = start(targets[:1], group=DELAY % 1, alb="websocket.drain_rate = 2\n", workers=2)
    pairs = [open_tunnel(alb, targets[0]) for _ in range(10)]
    with all_closed([peer for pair in pairs for peer in pair]):
        text = alb.ok("drain", "app")
        assert "2 a second at most; about 8 will be cut at the end of 1s" in text
        for client, _ in pairs:
            assert client.receive_close()[0] == 1012
        wait_until(lambda: alb.metric(CUT) == 8, "the cut")
        rows = wait_until(lambda: len(alb.access_rows()) == 10 and alb.access_rows(), "the rows")
        assert sum('end="deregistration delay over"' in row for row in rows) == 8
        assert sum('end="drained"' in row for row in rows) == 2
    assert state_of(alb, targets[0])["state"] == "draining"


@pytest.mark.parametrize("setting", ["websocket.drain_close = cut\n", "profile = aws\n"])
def test_nobody_is_told_when_they_are_to_be_cut(start, targets, setting):
    alb = start(targets[:1], group=DELAY % 1, alb=setting)
    client, origin = open_tunnel(alb, targets[0])
    began = time.monotonic()
    assert "1 WebSocket, they stay until then; about 1 will be cut" in alb.ok("drain", "app")
    assert client.receive() is None and origin.receive() is None
    assert time.monotonic() - began > 0.9
    assert alb.metric(CLOSED) == 0


@pytest.mark.parametrize("listener", BOTH)
@pytest.mark.parametrize("how", ["deregister", "reload"])
def test_tunnels_of_targets_that_go_are_told_in_their_turn(start, targets, how, listener):
    alb = start(targets, group=DELAY % 4, alb=STATE, workers=2)
    kept = open_some(alb, targets[1], 1, listener=listener)[0]
    pairs = open_some(alb, targets[0], 20, listener=listener)
    with all_closed([peer for pair in pairs + [kept] for peer in pair]):
        began = time.monotonic()
        if how == "deregister":
            alb.ok("deregister", "app", targets[0].address)
        else:
            alb.configure(ws_config(targets[1], group=DELAY % 4, alb=STATE, workers=2))
            alb.reload()
        ordered = time.monotonic()
        for client, _ in pairs:
            assert is_told(client)
        told = time.monotonic()
        assert told - began > 2.4 and told - ordered < 3.8, "0.9 of the delay"
        assert is_alive(*kept)
    assert "cause=deregistered group=app targets=1 tunnels=20 rate=auto delay_ms=4000" in alb.log()


def test_a_target_that_comes_back_during_its_drain_keeps_those_that_are_left(start, targets):
    alb = start(targets, group=DELAY % 100, alb=STATE + "websocket.drain_rate = 2\n")
    pairs = open_some(alb, targets[0], 8)
    with all_closed([peer for pair in pairs for peer in pair]):
        alb.ok("deregister", "app", targets[0].address)
        wait_until(lambda: alb.metric(CLOSED) >= 2, "some to be told")
        alb.ok("register", "app", targets[0].address)
        told = int(alb.metric(CLOSED))
        time.sleep(1.2)
        assert alb.metric(CLOSED) == told
        alive = 0
        for client, origin in pairs:
            origin.send(TEXT, b"down")
            alive += client.receive()[0] == TEXT
        assert alive == 8 - told


def test_targets_that_a_reload_takes_out_together_share_a_rate(start, start_target):
    targets = [start_target(Upgraded()) for _ in range(3)]
    alb = start(targets, group=DELAY % 100, alb="websocket.drain_rate = 10\n", workers=2)
    pairs = [pair for t in targets[:2] for pair in open_some(alb, t, 6)]
    with all_closed([peer for pair in pairs for peer in pair]):
        alb.configure(ws_config(targets[2], group=DELAY % 100, alb="websocket.drain_rate = 10\n",
                                workers=2))
        began = time.monotonic()
        alb.reload()
        assert all(is_told(client) for client, _ in pairs)
        assert time.monotonic() - began > 1.0
        assert alb.log().count("drain begin") == 1


# --- failed health ------------------------------------------------------------------------

CHECKED = DELAY % 100 + """
health_check.interval_seconds = 200ms
health_check.timeout_seconds = 100ms
health_check.healthy_threshold_count = 2
health_check.unhealthy_threshold_count = 2
"""


class Checked(Upgraded):
    """Upgrades; a health check gets `status`."""

    status = b"200 OK"

    def __call__(self, sock, head, rest):
        if b"Upgrade" in head:
            return super().__call__(sock, head, rest)
        sock.sendall(b"HTTP/1.1 " + self.status + b"\r\nContent-Length: 0\r\n\r\n")
        return True


@pytest.mark.parametrize("setting", ["", "websocket.drain_unhealthy = yes\n"])
def test_failed_health_drains_by_setting(start, start_target, setting):
    targets = [start_target(Checked()) for _ in range(2)]
    alb = start(targets, alb=setting, group=CHECKED)
    wait_until(lambda: all(state_of(alb, t)["state"] == "healthy" for t in targets), "health")
    pairs = open_some(alb, targets[0], 3)
    with all_closed([peer for pair in pairs for peer in pair]):
        targets[0].script.status = b"503 Busy"
        wait_until(lambda: state_of(alb, targets[0])["state"] == "unhealthy", "failure", 20)
        if setting:
            wait_until(lambda: "drain begin id=1 cause=unhealthy group=app targets=1 tunnels=3 "
                       "rate=auto delay_ms=100000" in alb.log(), "the drain")
            targets[0].script.status = b"200 OK"
            wait_until(lambda: state_of(alb, targets[0])["state"] == "healthy", "health", 20)
            wait_until(lambda: "drain end id=1 cause=unhealthy" in alb.log(), "its end")
        else:
            assert "drain begin" not in alb.log()


def test_failed_health_does_not_drain_a_group_that_fails_open(start, start_target):
    target = start_target(Checked())
    alb = start([target], alb="websocket.drain_unhealthy = yes\n", group=CHECKED)
    wait_until(lambda: state_of(alb, target)["state"] == "healthy", "health")
    client, origin = open_tunnel(alb, target)
    target.script.status = b"503 Busy"
    wait_until(lambda: state_of(alb, target)["state"] == "unhealthy", "failure", 20)
    assert "drain begin" not in alb.log()
    assert is_alive(client, origin)


def test_health_goes_on_while_a_target_is_drained(start, start_target):
    targets = [start_target(Checked()) for _ in range(2)]
    alb = start(targets, group=CHECKED)
    wait_until(lambda: all(state_of(alb, t)["state"] == "healthy" for t in targets), "health")
    alb.ok("drain", "app", targets[0].address)
    assert state_of(alb, targets[0])["state"] == "draining"
    alb.ok("undrain", "app", targets[0].address)
    assert state_of(alb, targets[0])["state"] == "healthy", "at once"


def test_status_says_how_many_are_left(start, targets):
    alb = start(targets[:1], group=DELAY % 100)
    pairs = [open_tunnel(alb, targets[0]) for _ in range(5)]
    with all_closed([peer for pair in pairs for peer in pair]):
        alb.ok("drain", "app")
        assert state_of(alb, targets[0])["tunnels"] == 5
        assert re.search(r"draining .*Target.Drained: .*; 5 WebSockets left\n", alb.ok("status"))
        assert alb.metric("alb_target_tunnels_open") == 5
        assert alb.metric("alb_target_tunnels_draining") >= 4


# --- another process ------------------------------------------------------------------------


def test_a_drain_goes_on_in_the_process_that_takes_over(start, targets):
    """With no state file: what was said goes along, and how much of the delay is left."""
    alb = start(targets, group=DELAY % 4, alb="websocket.drain_rate = 4\n", workers=2)
    pairs = open_some(alb, targets[0], 30)
    with all_closed([peer for pair in pairs for peer in pair]):
        began = time.monotonic()
        alb.ok("drain", "app", targets[0].address)
        wait_until(lambda: alb.metric(CLOSED) >= 2, "some to be told")
        code, text = alb.upgrade()
        assert code == 0, text
        assert state_of(alb, targets[0])["state"] == "draining"
        assert all(client.receive_close()[0] == 1012 for client, _ in pairs)
        assert 3 < time.monotonic() - began < 5, "not from the beginning"
        assert 3 <= alb.metric(CLOSED) <= 16
        alb.ok("undrain", "app", targets[0].address)
        open_some(alb, targets[0], 1)


def test_a_drained_target_has_its_health_in_the_process_that_takes_over(start, start_target):
    targets = [start_target(Checked()) for _ in range(2)]
    alb = start(targets, group=CHECKED)
    wait_until(lambda: all(state_of(alb, t)["state"] == "healthy" for t in targets), "health")
    alb.ok("drain", "app", targets[0].address)
    code, text = alb.upgrade()
    assert code == 0, text
    assert state_of(alb, targets[0])["state"] == "draining"
    alb.ok("undrain", "app", targets[0].address)
    assert state_of(alb, targets[0])["state"] == "healthy"
