"""A peer that the edge set has no longer: its connections are kept, or (on_leave = close) end."""

import json
import threading

import pytest

from balancer import forward_config
from harness import wait_until
from http_wire import read_response, request
from scripted_target import answer
from ws_peers import BOTH, CLOSE, Client, Upgraded, is_alive, open_tunnel, ws_config

TWO, ONE = "allow = 127.0.0.1 127.0.0.2", "allow = 127.0.0.1"
WIDE = "allow = 127.0.0.0/8"
CLOSES = "\non_leave = close\nleave_timeout = "
GOES = "127.0.0.2"  # who leaves


def edge(config, text):
    assert WIDE in config
    return config.replace(WIDE, text)


def change(alb, config, text):
    alb.configure(edge(config, text))
    alb.reload()


def ends(alb):
    return [r["end"] for r in alb.closed()["closed"]]


def left(alb):
    return sum(end == "peer left the edge set" for end in ends(alb))


@pytest.fixture
def target(start_target):
    return start_target(Upgraded())


def test_connections_are_kept_unless_said_otherwise(start_alb, target):
    config = ws_config(target)
    alb = start_alb(edge(config, TWO))
    client, origin = open_tunnel(alb, target, source=GOES)

    change(alb, config, ONE)
    assert is_alive(client, origin)
    assert "drain begin" not in alb.log()


@pytest.mark.parametrize("listener", BOTH)
def test_a_websocket_gets_a_close_and_a_member_keeps_his(start_alb, target, listener):
    config = ws_config(target)
    alb = start_alb(edge(config, TWO + CLOSES + "200ms"))
    stays, its_origin = open_tunnel(alb, target, listener)
    goes, origin = open_tunnel(alb, target, listener, source=GOES)

    change(alb, config, ONE + CLOSES + "200ms")
    opcode, _, payload = goes.receive()
    assert opcode == CLOSE and payload[:2] == (1001).to_bytes(2, "big")
    reason, after = payload[2:].decode().split(";after=")
    assert reason == "left the edge set" and 0 <= int(after) < 5000
    goes.send_close(1001)
    assert origin.receive()[0] == CLOSE
    origin.send_close(1001)
    wait_until(lambda: left(alb) == 1, "its record")
    assert is_alive(stays, its_origin)
    row = next(r for r in alb.closed()["closed"] if r["end"] == "peer left the edge set")
    assert row["by"] == "us" and row["client"].startswith(GOES)
    wait_until(lambda: "cause=left group=* closed=1 cut=0" in alb.log(), "its end")


def test_all_have_their_close_within_the_time(start_alb, target):
    config = ws_config(target, workers=2)
    alb = start_alb(edge(config, TWO + CLOSES + "1s"))
    clients = [Client(alb, source=GOES) for _ in range(20)]

    change(alb, config, ONE + CLOSES + "1s")
    assert all(c.receive()[0] == CLOSE for c in clients)
    assert "drain begin id=1 cause=left group=* targets=0 tunnels=20" in alb.log()
    wait_until(lambda: left(alb) == 20, "all to be cut, as nobody answers")


def test_without_time_all_are_closed_at_once(start_alb, target):
    config = ws_config(target)
    alb = start_alb(edge(config, TWO + CLOSES + "0"))
    clients = [Client(alb, source=GOES) for _ in range(5)]

    change(alb, config, ONE + CLOSES + "0")
    assert all(c.receive()[0] == CLOSE for c in clients)
    wait_until(lambda: left(alb) == 5, "their ends")


def test_an_idle_connection_ends_and_a_request_is_answered_first(start_alb, start_target):
    go_on = threading.Event()

    def slow(sock, head, rest):
        if b"/slow" in head:
            go_on.wait(20)
        return answer(b"here")(sock, head, rest)
    config = forward_config(start_target(slow))
    alb = start_alb(edge(config, TWO + CLOSES + "1s"))

    with alb.connect(source=GOES) as idle, alb.connect(source=GOES) as busy, \
            alb.connect() as member:
        for sock in (idle, member):
            sock.sendall(request())
            assert read_response(sock).status == 200
        busy.sendall(request(path="/slow"))
        wait_until(lambda: alb.status()["target_groups"][0]["targets"][0]["outstanding"] == 1,
                   "the request to be there")
        change(alb, config, ONE + CLOSES + "1s")
        assert idle.recv(1) == b""
        go_on.set()
        response = read_response(busy)
        assert response.status == 200 and response.body == b"here"
        assert response.values("Connection") == ["close"]
        assert busy.recv(1) == b""
        member.sendall(request())
        assert read_response(member).status == 200


def test_the_end_of_an_addition_is_leaving(start_alb, target):
    alb = start_alb(edge(ws_config(target), ONE + CLOSES + "100ms"))
    alb.ok("edge", "add", GOES, "--for", "1h")
    first, second = Client(alb, source=GOES), Client(alb, source=GOES)

    alb.ok("edge", "remove", GOES)
    assert first.receive()[0] == second.receive()[0] == CLOSE
    alb.ok("edge", "add", GOES, "--for", "1h")
    third = Client(alb, source=GOES)
    alb.ok("edge", "add", GOES, "--for", "1s")
    assert third.receive()[0] == CLOSE


def test_whoever_is_back_in_time_stays(start_alb, target):
    config = ws_config(target)
    alb = start_alb(edge(config, TWO + CLOSES + "1h"))
    pairs = [open_tunnel(alb, target, source=GOES) for _ in range(3)]

    change(alb, config, ONE + CLOSES + "1h")
    wait_until(lambda: "drain begin" in alb.log(), "it to begin")
    change(alb, config, TWO + CLOSES + "1h")
    alive = sum(is_alive_or_closed(*pair) for pair in pairs)
    assert alive >= 2, "one at most was told in the first moment of an hour"


def is_alive_or_closed(client, origin):
    client.send(1, b"up")
    origin.send(1, b"down")
    return client.receive()[0] != CLOSE


def test_strangers_of_observe_leave_when_it_is_enforced(start_alb, target):
    config = ws_config(target)
    alb = start_alb(edge(config, ONE + CLOSES + "100ms\nenforce = observe"))
    client, origin = open_tunnel(alb, target, source=GOES)

    change(alb, config, ONE + CLOSES + "100ms\nenforce = observe")
    assert is_alive(client, origin)
    change(alb, config, ONE + CLOSES + "100ms")
    assert client.receive()[0] == CLOSE


def test_an_upgrade_that_brings_another_set_closes_them_too(start_alb, target):
    config = ws_config(target)
    alb = start_alb(edge(config, TWO + CLOSES + "100ms"))
    stays, its_origin = open_tunnel(alb, target)
    goes, _ = open_tunnel(alb, target, source=GOES)

    alb.configure(edge(config, ONE + CLOSES + "100ms"))
    code, text = alb.upgrade()
    assert code == 0, text
    assert goes.receive()[0] == CLOSE
    assert is_alive(stays, its_origin)


@pytest.mark.parametrize("setting,reason,effect", [
    (CLOSES + "1s", "peer not in the edge set", "closed within leave_timeout"),
    ("", "peer leaves the edge set", "stays (on_leave = keep)")])
def test_a_dry_run_says_whom_it_would_touch(start_alb, target, setting, reason, effect):
    config = ws_config(target)
    alb = start_alb(edge(config, TWO + setting))
    open_tunnel(alb, target)
    pair = open_tunnel(alb, target, source=GOES)

    alb.configure(edge(config, ONE + setting))
    found = json.loads(alb.ok("reload", "--dry-run", "--json"))
    assert found["reasons"] == [{"reason": reason, "tunnels": 1, "effect": effect}]
    assert [t["client"].split(":")[0] for t in found["tunnels"]] == [GOES]
    assert is_alive(*pair)
    alb.ok("edge", "add", GOES, "--for", "10m")
    assert json.loads(alb.ok("reload", "--dry-run", "--json"))["tunnels"] == []
