"""GET /tunnels and GET /closed: every tunnel that is there, and how each of the last ones ended."""

import datetime

import pytest

from harness import ROOT, wait_until
from ws_peers import BINARY, BOTH, PING, PONG, TEXT, Upgraded, open_tunnel, ws_config


@pytest.fixture
def alb(start_alb, target):
    return start_alb(ws_config(target))


def only(rows):
    assert len(rows) == 1, rows
    return rows[0]


def the_record(alb):
    """Of the only tunnel that has ended."""
    wait_until(lambda: alb.closed()["all"] == 1, "a record")
    return only(alb.closed()["closed"])


def frames(**kinds):
    return {**dict.fromkeys(["continuation", "text", "binary", "close", "ping", "pong"], 0), **kinds}


def wall(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@pytest.mark.parametrize("listener", BOTH)
def test_a_live_tunnel_and_all_that_is_said_of_it(alb, target, listener):
    client, origin = open_tunnel(alb, target, listener)
    client.send(TEXT, b"hello")
    client.send(PING, b"")
    client.send(BINARY, b"x" * 1000, fin=False)
    origin.send(PONG, b"abc")
    for _ in range(3):
        origin.receive()
    client.receive()
    answer = alb.tunnels()
    assert (answer["all"], answer["matched"], answer["shown"]) == (1, 1, 1)
    row = only(answer["tunnels"])
    host, port = client.sock.getsockname()
    assert row["client"] == f"{host}:{port}"
    assert row["listener"] == listener and row["rule"] == 0 and row["group"] == "app"
    assert row["target"] == target.address and row["state"] == "open"
    assert row["from_client"]["frames"] == frames(text=1, ping=1, binary=1)
    assert row["from_client"]["bytes"] == 11 + 6 + 1008
    assert row["from_target"]["frames"] == frames(pong=1) and row["from_target"]["bytes"] == 5
    assert row["from_client"]["close_code"] is None and row["from_client"]["opaque"] is False
    assert abs(wall(row["started"]) + row["age_ms"] / 1000 - wall(answer["now"])) < 1
    assert "end" not in row and "ended" not in row
    client.close()
    origin.close()


def test_the_id_is_that_of_the_access_log(alb, target):
    client, origin = open_tunnel(alb, target)
    live = only(alb.tunnels()["tunnels"])
    client.close()
    origin.close()
    record = the_record(alb)
    assert record["id"] == live["id"] and live["id"] in alb.access_row("end=")
    assert record["client"] == live["client"]


@pytest.mark.parametrize("listener", BOTH)
def test_a_record_of_one_that_has_ended(alb, target, listener):
    client, origin = open_tunnel(alb, target, listener)
    client.send(TEXT, b"hello")
    origin.receive()
    client.send_close(4001, b"enough")
    origin.receive_close()
    origin.send_close(4002)
    client.receive_close()
    origin.close()
    client.close()
    record = the_record(alb)
    assert record["end"] == "closed by client" and record["by"] == "client"
    assert record["from_client"]["close_code"] == 4001
    assert record["from_target"]["close_code"] == 4002
    assert record["from_client"]["frames"] == frames(text=1, close=1)
    assert record["from_target"]["frames"] == frames(close=1)
    lasted = wall(record["ended"]) - wall(record["started"])
    assert abs(lasted - record["age_ms"] / 1000) < 0.01
    assert alb.tunnels()["all"] == 0


def test_it_needs_no_access_log(start_alb, target):
    alb = start_alb(ws_config(target).replace("access_logs.enabled = true",
                                              "access_logs.enabled = false"))
    client, origin = open_tunnel(alb, target)
    address = "{}:{}".format(*client.sock.getsockname())
    client.reset()
    origin.is_at_end()
    origin.close()
    record = the_record(alb)
    assert record["client"] == address and record["end"] == "client reset"


def test_a_rule_is_named_by_its_priority(start_alb, target):
    alb = start_alb(ws_config(target, more="""
[rule chat]
listener = http
priority = 77
path-pattern = /chat*
action = forward app
"""))
    with open_tunnel(alb, target, path="/chat")[0]:
        assert only(alb.tunnels()["tunnels"])["rule"] == 77


def test_states(alb, target):
    client, origin = open_tunnel(alb, target)
    assert only(alb.tunnels(state="open")["tunnels"])
    client.finish()
    assert origin.is_at_end()
    row = only(alb.tunnels(state="half-closed")["tunnels"])
    assert (row["end"], row["by"]) == ("client FIN without a Close", "client"), "what began its end"
    assert "ended" not in row
    assert alb.tunnels(state="open")["matched"] == 0 and alb.tunnels(state="open")["all"] == 1
    origin.close()
    client.close()


def test_a_tunnel_whose_target_drains_says_so(alb, target):
    client, origin = open_tunnel(alb, target)
    code, text = alb.command("deregister", "app", target.address)
    assert code == 0, text
    assert only(alb.tunnels(state="draining")["tunnels"])["target"] == target.address
    client.close()
    origin.close()


def test_records_outlive_a_reload_and_their_target(alb, target, start_target):
    client, origin = open_tunnel(alb, target)
    client.close()
    origin.close()
    record = the_record(alb)
    other = start_target(Upgraded())
    alb.configure(ws_config(other))
    alb.reload()
    assert only(alb.closed()["closed"]) == record
    with open_tunnel(alb, other)[0]:
        pass
    wait_until(lambda: alb.closed()["all"] == 2, "the second record")
    assert [r["target"] for r in alb.closed()["closed"]] == [other.address, target.address]


def test_a_direction_that_cannot_be_followed_is_opaque(alb, target):
    client, origin = open_tunnel(alb, target)
    origin.sendall(b"\xf3\x03abc")
    client.recv(10)
    row = only(alb.tunnels()["tunnels"])
    assert row["from_target"]["opaque"] and not row["from_client"]["opaque"]
    client.close()
    origin.close()


def names_in(value):
    """The keys of a row, and of what is in it."""
    for key, inner in value.items():
        yield key
        if isinstance(inner, dict):
            yield from names_in(inner)


def takes(alb, path):
    """The values that a parameter takes, by its error."""
    status, answer = alb.admin_json(path)
    assert status == 400
    return answer["errors"][0].split("one of: ")[1].split(", ")


def test_the_page_has_every_field_state_and_end(alb, target):
    page = (ROOT / "docs/tunnels.md").read_text()
    client, origin = open_tunnel(alb, target)
    client.close()
    origin.close()
    row = the_record(alb)
    names = [*alb.closed(), *names_in(row), *takes(alb, "/closed?end=x"), *takes(alb, "/closed?by=x"),
             *takes(alb, "/closed?state=x"), *takes(alb, "/closed?sort=x")]
    _, answer = alb.admin_json("/closed?x=1")
    names += answer["errors"][0].split("they are ")[1].split(", ")
    missing = [name for name in names if f"`{name}`" not in page]
    assert not missing
