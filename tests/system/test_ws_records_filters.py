"""Which tunnels GET /tunnels and GET /closed show, and in which order: each filter, each sort."""

import json
import socket

import pytest

import harness
import sockets
from harness import wait_until
from ws_peers import BINARY, TEXT, Client, Upgraded, ws_config

TWO_GROUPS = """
[rule other]
listener = http
priority = 10
path-pattern = /other*
action = forward other
[target_group other]
health_check.enabled = false
target = {other}
"""


class Cast:
    """Four tunnels that differ: `ids` by the name of each."""

    PLACES = {  # listener, path, source
        "first": ("http", "/ws", "127.0.0.1"),
        "secure": ("https", "/ws", "127.0.0.1"),
        "other": ("http", "/other", "127.0.0.1"),
        "far": ("http", "/ws", "127.0.5.6"),
    }

    def __init__(self, start_alb, start_target):
        self.app, self.other = start_target(Upgraded()), start_target(Upgraded())
        self.alb = start_alb(ws_config(self.app, workers=2,
                                       more=TWO_GROUPS.replace("{other}", self.other.address)))
        self.clients, self.origins, self.ids = {}, {}, {}
        for name, (listener, path, source) in self.PLACES.items():
            self.clients[name] = Client(self.alb, listener, path, source=source)
            self.origins[name] = (self.other if name == "other" else self.app).script.take()
            new = {r["id"] for r in self.alb.tunnels()["tunnels"]} - set(self.ids.values())
            self.ids[name] = new.pop()
            self.wait_for(name, lambda row: row["age_ms"] >= 2)

    def wait_for(self, name, condition):
        """Times are in milliseconds: what comes next is to be another."""
        def is_so():
            rows = {row["id"]: row for row in self.alb.tunnels()["tunnels"]}
            return condition(rows[self.ids[name]])
        wait_until(is_so, "time to pass")

    def names(self, rows):
        back = {i: name for name, i in self.ids.items()}
        return [back[row["id"]] for row in rows]

    def live(self, **query):
        return self.names(self.alb.tunnels(**query)["tunnels"])

    def closed(self, **query):
        return self.names(self.alb.closed(**query)["closed"])

    def end(self, name):
        """By an RST of the client; the record is there afterwards."""
        before = self.alb.closed()["all"]
        self.clients[name].reset()
        wait_until(lambda: self.alb.closed()["all"] == before + 1, "the record")


@pytest.fixture
def cast(start_alb, start_target):
    cast = Cast(start_alb, start_target)
    yield cast
    for peer in [*cast.clients.values(), *cast.origins.values()]:
        peer.close()


def filters(cast):
    """(query, who fits)"""
    return [
        ({}, {"first", "secure", "other", "far"}),
        ({"group": "app"}, {"first", "secure", "far"}),
        ({"group": "other"}, {"other"}),
        ({"group": "nobody"}, set()),
        ({"target": cast.other.address}, {"other"}),
        ({"listener": "https"}, {"secure"}),
        ({"listener": "http"}, {"first", "other", "far"}),
        ({"client": "127.0.5.6"}, {"far"}),
        ({"client": "127.0.0.0/24"}, {"first", "secure", "other"}),
        ({"client": "::1"}, set()),
        ({"state": "open"}, {"first", "secure", "other", "far"}),
        ({"state": "closing"}, set()),
        ({"min_age": "1h"}, set()),
        ({"min_age": "1ms"}, {"first", "secure", "other", "far"}),
        ({"group": "app", "listener": "http", "client": "127.0.0.1"}, {"first"}),
    ]


def test_each_filter_of_live_ones(cast):
    for query, fits in filters(cast):
        answer = cast.alb.tunnels(**query)
        assert set(cast.names(answer["tunnels"])) == fits, query
        assert (answer["all"], answer["matched"], answer["shown"]) == (4, len(fits), len(fits))


def test_each_filter_of_closed_ones(cast):
    for name in cast.PLACES:
        cast.end(name)
    assert cast.live() == []
    for query, fits in filters(cast):
        answer = cast.alb.closed(**query)
        assert set(cast.names(answer["closed"])) == fits, query
        assert (answer["all"], answer["matched"]) == (4, len(fits))


def test_filters_that_closed_ones_have_alone(cast):
    cast.end("far")
    cast.origins["other"].reset()
    wait_until(lambda: cast.alb.closed()["all"] == 2, "the record")
    between = cast.alb.closed()["closed"][0]["ended"]
    cast.end("first")
    assert cast.closed(end="client reset") == ["first", "far"]
    assert cast.closed(end="target reset") == ["other"]
    assert cast.closed(end="shutdown") == []
    assert cast.closed(by="client") == ["first", "far"]
    assert cast.closed(by="target") == ["other"] and cast.closed(by="us") == []
    assert cast.closed(since="1h") == ["first", "other", "far"]
    assert cast.closed(since=between) == ["first", "other"]
    assert cast.closed(since="2038-01-01T00:00:00Z") == []


def say(cast, name, frames, size, back=False):
    """So many frames of this size; from the target, if `back`."""
    ends = cast.clients[name], cast.origins[name]
    sender, receiver = reversed(ends) if back else ends
    for _ in range(frames):
        sender.send(BINARY, b"x" * size)
        receiver.receive()
    cast.wait_for(name, lambda row: min(row[s]["idle_ms"] for s in ("from_client", "from_target")) >= 2)


def test_each_sort(cast):
    say(cast, "far", 1, 5000)
    say(cast, "other", 3, 100, back=True)
    say(cast, "secure", 2, 1000)
    say(cast, "first", 1, 1)
    orders = {
        "age": ["first", "secure", "other", "far"],
        "idle": ["far", "other", "secure", "first"],
        "bytes": ["far", "secure", "other", "first"],
    }
    for sort, order in orders.items():
        assert cast.live(sort=sort) == order, sort
        assert cast.live(sort=sort, order="asc") == order[::-1], sort
    assert cast.live(sort="frames")[:2] == ["other", "secure"]
    assert cast.live(sort="frames", order="asc")[2:] == ["secure", "other"]
    assert cast.live() == orders["age"], "the oldest first"
    for name in ["other", "first", "far", "secure"]:
        cast.end(name)
    assert cast.closed() == ["secure", "far", "first", "other"], "the newest first"
    assert cast.closed(sort="ended", order="asc") == ["other", "first", "far", "secure"]
    assert cast.closed(sort="bytes") == orders["bytes"]
    assert cast.closed(sort="frames")[:2] == ["other", "secure"]


def test_a_limit_shows_the_first_and_counts_all(cast):
    answer = cast.alb.tunnels(limit=2, group="app")
    assert (answer["all"], answer["matched"], answer["shown"]) == (4, 3, 2)
    assert cast.names(answer["tunnels"]) == ["first", "secure"]
    assert cast.alb.tunnels(limit=0)["tunnels"] == []


@pytest.mark.parametrize("path, why", [
    ("/tunnels?state=sleepy", 'state: "sleepy" is not understood: it takes one of: open, draining, '
                              'half-closed, closing'),
    ("/tunnels?sort=ended", "sort:"),
    ("/tunnels?end=client+reset", "end: there is no such parameter: they are group, target,"),
    ("/closed?client=10.0.0.1/8", 'client: "10.0.0.1/8" is not understood'),
    ("/closed?end=none", 'end: "none" is not understood: it takes one of: closed by client, closed '),
    ("/closed?limit=10001", 'limit: "10001" is not understood: it takes 0 to 10000'),
    ("/closed?group=a&group=b", "group: it is given twice"),
    ("/closed?%22=1", '%22: there is no such parameter'),
    ("/upgrades/failed?limit=5", "limit: there is no such parameter: /upgrades/failed takes none"),
    ("/upgrades/failed?%22", "%22: there is no such parameter: /upgrades/failed takes none"),
    ("/edge?block=10.0.0.0/8", "block: there is no such parameter: /edge takes none"),
    ("/edge/refused?limit=5&x=1", "limit: there is no such parameter: /edge/refused takes none"),
])
def test_what_is_not_understood_is_said(start_alb, start_target, path, why):
    alb = start_alb(ws_config(start_target()))
    status, answer = alb.admin_json(path)
    assert status == 400 and answer["ok"] is False
    assert answer["errors"][0].startswith(why), answer


def test_the_commands_print_tables(cast):
    cast.end("far")
    code, text = cast.alb.command("tunnels", "group=app", "sort=age")
    assert code == 0
    lines = text.splitlines()
    assert lines[0] == "live tunnels: 3, 2 of them match"
    assert lines[2].split() == ["CLIENT", "LISTENER", "GROUP", "TARGET", "STATE", "AGE", "IDLE",
                                "FRAMES", "BYTES", "ID"]
    assert lines[3].split()[-1] == cast.ids["first"] and len(lines) == 5
    code, text = cast.alb.command("closed", "end=client reset")
    assert code == 0 and text.startswith("tunnels that ended last: 1\n")
    row = text.splitlines()[-1]
    assert "client  client reset  " + cast.ids["far"] in row and "127.0.5.6:" in row


def test_the_commands_print_json(cast):
    code, text = cast.alb.command("tunnels", "--json", "client=127.0.5.6")
    assert code == 0 and cast.names(json.loads(text)["tunnels"]) == ["far"]
    code, text = cast.alb.command("closed", "--json")
    assert code == 0 and json.loads(text)["closed"] == []


def test_the_commands_say_what_is_wrong(cast):
    code, text = cast.alb.command("tunnels", "state=sleepy")
    assert code == 1 and text.startswith('state: "sleepy" is not understood')
    code, text = cast.alb.command("closed", "app")
    assert code == 2 and "NAME=VALUE" in text


def test_somebody_who_does_not_wait_for_the_answer(cast):
    """It goes on without him; so do the next lists."""
    host, port = harness.split_address(cast.alb.ready["admin"])
    for _ in range(50):
        sock = socket.create_connection((host, port))
        sock.sendall(f"GET /tunnels HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode() * 3)
        sockets.reset(sock)
    assert len(cast.live()) == 4


def test_many_ask_at_once(cast):
    host, port = harness.split_address(cast.alb.ready["admin"])
    ask = f"GET /tunnels HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode()
    socks = [socket.create_connection((host, port), 10) for _ in range(30)]
    for sock in socks:
        sock.sendall(ask)
    for sock in socks:
        answer = sockets.read_until_close(sock)
        assert answer.startswith(b"HTTP/1.1 200 ") and answer.count(b'"id":') == 4
        sock.close()


def test_a_row_for_a_tunnel_that_speaks_meanwhile(cast):
    """What is listed changes nothing: a list between each of many messages."""
    for n in range(20):
        cast.clients["secure"].send(TEXT, b"%d" % n)
        rows = {r["id"]: r for r in cast.alb.tunnels()["tunnels"]}
        assert cast.origins["secure"].receive() == (TEXT, True, b"%d" % n)
    assert rows[cast.ids["first"]]["from_client"]["bytes"] == 0
    assert cast.alb.tunnels(listener="https")["tunnels"][0]["from_client"]["frames"]["text"] == 20
