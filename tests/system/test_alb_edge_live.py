"""`alb edge`: who may connect and who may not, changed and seen while it runs."""

import contextlib
import datetime
import json
import re
import socket

import pytest

from balancer import forward_config
from harness import run, wait_until
from test_alb_edge_set import hears_nothing, is_served

STATE = "state_file = alb.state\n"
ONE = "allow = 127.0.0.1/32"


def edge(alb, *args):
    return json.loads(alb.ok("edge", *args, "--json"))


def refused(alb, *args):
    code, text = alb.command("edge", *args)
    assert code == 1, text
    return text


def outcomes(alb):
    return tuple(int(alb.metric(f'alb_edge_connections_total{{outcome="{outcome}"}}'))
                 for outcome in ("admitted", "refused", "observed"))


# --- seeing ------------------------------------------------------------------------------


def test_what_may_connect_is_listed_with_its_place(start_alb, start_target, tmp_path):
    (tmp_path / "edge.txt").write_text("# subnets\n10.0.1.0/24\n10.0.1.7\n2001:db8::/32\n")
    (tmp_path / "ranges.json").write_text(json.dumps({
        "createDate": datetime.datetime.now().strftime("%Y-%m-%d-%H-%M-%S"),
        "prefixes": [{"ip_prefix": "120.52.22.96/27", "service": "EDGE"}], "ipv6_prefixes": []}))
    alb = start_alb(forward_config(start_target(), edge=f"""{ONE} 127.0.0.9/32
allow_file = {tmp_path}/edge.txt
allow_ip_ranges = {tmp_path}/ranges.json EDGE"""))
    line = alb.path.read_text().splitlines().index(f"{ONE} 127.0.0.9/32") + 1

    answer = edge(alb, "show")
    assert (answer["mode"], answer["enforce"], answer["on_leave"]) == ("set", "enforce", "keep")
    assert (answer["blocks"], answer["ranges"]) == (6, 5)
    where = {(r["block"], r["file"], r["line"], r["service"]) for r in answer["configured"]}
    assert where == {
        ("127.0.0.1/32", str(alb.path), line, ""), ("127.0.0.9/32", str(alb.path), line, ""),
        ("10.0.1.0/24", f"{tmp_path}/edge.txt", 2, ""),
        ("10.0.1.7/32", f"{tmp_path}/edge.txt", 3, ""),
        ("2001:db8::/32", f"{tmp_path}/edge.txt", 4, ""),
        ("120.52.22.96/27", f"{tmp_path}/ranges.json", 0, "EDGE")}
    assert answer["temporary"] == []
    status, same = alb.admin_json("/edge")
    assert status == 200 and same["configured"] == answer["configured"]

    text = alb.ok("edge", "show")
    assert "these may connect; enforce enforce, on_leave keep; 6 blocks" in text
    assert re.search(rf"^10\.0\.1\.7/32 +{tmp_path}/edge.txt:3$", text, re.M)
    assert re.search(rf"^120\.52\.22\.96/27 +{tmp_path}/ranges.json EDGE$", text, re.M)


def test_who_was_refused_is_listed_counted_and_logged_with_the_cure(start_alb, start_target):
    alb = start_alb(forward_config(start_target(), edge=ONE))

    assert is_served(alb, "127.0.0.1")
    for source in ("127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.2.1"):
        assert hears_nothing(alb, source)
    answer = edge(alb, "refused")
    rows = answer["refused"]
    assert [(r["address"], r["listener"]) for r in rows] == [
        ("127.0.2.1", "http"), ("127.0.0.3", "http"), ("127.0.0.2", "http")]
    assert rows[2]["first"] <= rows[2]["last"] <= rows[1]["last"]
    assert rows[2]["count"] >= 2 and answer["all"] == sum(r["count"] for r in rows) >= 4
    assert alb.admin_json("/edge/refused")[1]["refused"] == rows
    if alb.status()["edge_filter"]["mode"] == "ebpf":  # a SYN may have been sent again
        assert outcomes(alb) == (1, 0, 0) and all(r["dropped"] == r["count"] for r in rows)
    else:
        assert outcomes(alb) == (1, 4, 0) and rows[2]["count"] == 2 and rows[2]["dropped"] == 0
        assert edge(alb, "show")["refused"] == 4

    text = alb.ok("edge", "refused")
    assert re.match(r"\d+ tries of strangers since the start\n", text)
    assert re.search(r"^127\.0\.0\.2 +[2-9] +", text, re.M)
    assert "alb edge add 127.0.2.1 --for 10m" in text
    lines = [x for x in alb.log().splitlines() if "edge refused address" in x]
    assert len(lines) == 2, "one for each /24"
    line = next(x for x in lines if "prefix=127.0.0.0/24 listener=http count=" in x)
    assert re.search(r'address=(127.0.0.[23]) .*cure="alb edge add \1 --for 10m, or allow', line)


def test_the_listener_that_a_stranger_tried_is_that_of_his_family(start_alb, start_target):
    """IPv4 and IPv6 listeners may have one port."""
    alb = start_alb(forward_config(start_target(), edge=ONE))
    alb.configure(alb.path.read_text() + f"[listener http6]\nbind = [::1]:{alb.port('http')}\n"
                                         "default_action = forward app\n")
    alb.reload()
    with socket.socket(socket.AF_INET6) as sock, contextlib.suppress(OSError):
        sock.settimeout(1)
        sock.connect(("::1", alb.port("http")))
        sock.recv(1)
    assert [(r["address"], r["listener"]) for r in edge(alb, "refused")["refused"]] == [
        ("::1", "http6")]


def test_observe_lets_in_and_counts_what_enforce_would_refuse(start_alb, start_target):
    alb = start_alb(forward_config(start_target(), edge=ONE + "\nenforce = observe"))

    assert is_served(alb, "127.0.0.1") and is_served(alb, "127.0.0.2")
    assert outcomes(alb) == (1, 0, 1)
    assert [r["address"] for r in edge(alb, "refused")["refused"]] == ["127.0.0.2"]
    assert "edge would refuse address=127.0.0.2" in alb.log()
    assert "is in no block, but is let in" in alb.ok("edge", "check", "127.0.0.2")

    alb.configure(forward_config(start_target(), edge=ONE))
    alb.reload()
    assert hears_nothing(alb, "127.0.0.2")
    assert outcomes(alb)[0] == 1 and outcomes(alb)[2] == 1


@pytest.mark.parametrize("address,admitted,blocks", [
    ("127.0.0.1", True, ["127.0.0.0/30", "127.0.0.1/32"]), ("127.0.0.4", False, []),
    ("::ffff:127.0.0.2", True, ["127.0.0.0/30"]), ("2001:db8::1", False, [])])
def test_one_address_is_checked(start_alb, address, admitted, blocks):
    alb = start_alb(forward_config("127.0.0.1:1", edge="allow = 127.0.0.0/30 127.0.0.1"))

    answer = edge(alb, "check", address)
    assert answer["admitted"] == admitted
    assert [r["block"] for r in answer["configured"]] == blocks
    assert ("may connect" if admitted else "may not connect") in alb.ok("edge", "check", address)


# --- for a while --------------------------------------------------------------------------


def test_an_address_is_added_and_taken_away(start_alb, start_target):
    alb = start_alb(forward_config(start_target(), edge=ONE, alb=STATE))

    assert hears_nothing(alb, "127.0.0.2")
    assert "127.0.0.2/32 may connect for 10m, until " in alb.ok(
        "edge", "add", "127.0.0.2", "--for", "10m")
    assert is_served(alb, "127.0.0.2")
    (row,) = edge(alb, "show")["temporary"]
    assert row["block"] == "127.0.0.2/32" and 590 < row["left_s"] <= 600
    assert "for another " in alb.ok("edge", "show")
    assert edge(alb, "check", "127.0.0.2")["temporary"][0]["block"] == "127.0.0.2/32"

    assert "may still connect for 5m" in alb.ok("edge", "add", "127.0.0.2/32", "--for", "5m")
    (row,) = edge(alb, "show")["temporary"]
    assert row["left_s"] <= 300
    assert "may connect no more" in alb.ok("edge", "remove", "127.0.0.2")
    assert hears_nothing(alb, "127.0.0.2")
    assert edge(alb, "show")["temporary"] == []


def test_what_is_taken_away_may_be_in_another_addition(start_alb, start_target):
    alb = start_alb(forward_config(start_target(), edge=ONE, alb=STATE))

    for block in ("127.0.0.0/30", "127.0.0.2"):
        alb.ok("edge", "add", block, "--for", "10m")
    assert "but for what the configuration or another addition admits" in alb.ok(
        "edge", "remove", "127.0.0.2")
    assert is_served(alb, "127.0.0.2")


def test_an_addition_ends_by_itself_and_is_logged(start_alb, start_target):
    alb = start_alb(forward_config(start_target(), edge=ONE, alb=STATE))

    alb.ok("edge", "add", "127.0.0.2", "--for", "1s")
    wait_until(lambda: "edge addition ended block=127.0.0.2/32" in alb.log(), "its end")
    wait_until(lambda: hears_nothing(alb, "127.0.0.2"), "the set without it")
    assert edge(alb, "show")["temporary"] == []
    assert "edge 127" not in (alb.folder / "alb.state").read_text()


def test_an_addition_survives_reload_upgrade_and_restart(start_alb, start_target):
    config = forward_config(start_target(), edge=ONE, alb=STATE)
    alb = start_alb(config)

    alb.ok("edge", "add", "127.0.0.2", "--for", "1h")
    alb.reload()
    assert is_served(alb, "127.0.0.2")
    code, text = alb.upgrade()
    assert code == 0, text
    assert is_served(alb, "127.0.0.2")
    (row,) = edge(alb, "show")["temporary"]
    assert 3500 < row["left_s"] <= 3600
    alb.stop()
    alb.before.clear()
    alb.start()
    assert is_served(alb, "127.0.0.2")
    alb.ok("edge", "remove", "127.0.0.2")


def test_without_a_state_file_an_upgrade_hands_it_over_and_a_restart_forgets(
        start_alb, start_target):
    alb = start_alb(forward_config(start_target(), edge=ONE))

    assert "a restart forgets this" in alb.ok("edge", "add", "127.0.0.2", "--for", "1h")
    assert alb.upgrade()[0] == 0
    assert is_served(alb, "127.0.0.2")


def test_an_addition_counts_where_nobody_is_admitted(start_alb, start_target):
    alb = start_alb(forward_config(start_target(), edge="allow = none", alb=STATE))

    assert edge(alb, "show")["mode"] == "none"
    assert "allow = none: nobody may connect" in alb.log()
    shown = run("alb", "edge", "show", "--socket", alb.socket_path)[1]
    assert "nobody may connect" in shown and "then: alb reload" in shown
    alb.ok("edge", "add", "127.0.0.1", "--for", "10m")
    assert is_served(alb, "127.0.0.1") and hears_nothing(alb, "127.0.0.2")


def test_tls_listeners_follow(start_alb, start_target):
    from balancer import HTTPS_LISTENER
    alb = start_alb(forward_config(start_target(), edge="allow = 127.0.0.2/32",
                                   more=HTTPS_LISTENER))

    assert hears_nothing(alb, "127.0.0.1", "https")
    alb.ok("edge", "add", "127.0.0.1", "--for", "10m")
    assert alb.get(listener="https", tls=True)[0] == 200


@pytest.mark.parametrize("args,says", [
    (["add", "127.0.0.2", "--for", "31d"], "is not within 1s to 30d"),
    (["add", "127.0.0.2", "--for", "500ms"], "is not within 1s to 30d"),
    (["add", "127.0.0.2", "--for", "soon"], "is no time; write it as 30s, 10m"),
    (["add", "127.0.0.2/8", "--for", "10m"], "127.0.0.0/8"),
    (["add", "edge.example", "--for", "10m"], "edge.example"),
    (["add", "0.0.0.0/0", "--for", "10m"], "is everybody"),
    (["remove", "127.0.0.1"], "127.0.0.1/32 was not added for a while"),
])
def test_what_cannot_be_done_says_why(start_alb, args, says):
    alb = start_alb(forward_config("127.0.0.1:1", edge=ONE))

    assert says in refused(alb, *args)
    assert edge(alb, "show")["temporary"] == []


def test_when_everybody_may_connect_nobody_is_added(start_alb):
    alb = start_alb(forward_config("127.0.0.1:1", edge="allow = any"))

    assert "everybody may connect already: allow = any" in refused(
        alb, "add", "127.0.0.2", "--for", "10m")
    assert "everybody may connect" in alb.ok("edge", "show")


@pytest.mark.parametrize("args", [
    ["add", "127.0.0.2"], ["add", "--for", "10m"], ["show", "127.0.0.2"], [], ["open"],
    ["remove", "127.0.0.2", "--for", "1m"], ["check"], ["check", "somebody"]])
def test_commands_that_are_none(args):
    code, _, text = run("alb", "edge", *args)
    assert code == 2 and text.startswith("alb: ")


# --- the configuration --------------------------------------------------------------------


def test_any_and_none_are_warned_of(tmp_path):
    config = forward_config("127.0.0.1:1").replace("{access}", "-").replace("{socket}", "")
    for word, says in (("any", "whoever reaches a listener may connect"), ("none", "nobody may")):
        path = tmp_path / f"{word}.ini"
        path.write_text(config.replace("allow = 127.0.0.0/8", f"allow = {word}"))
        code, _, text = run("alb", "check", path)
        assert code == 0 and f"warning: allow = {word}: {says}" in text


def test_fifty_thousand_overlapping_prefixes(start_alb, start_target, tmp_path):
    """Each /24 of the first 25,000 twice, half of them inside a /16."""
    blocks = [f"10.{i // 256}.{i % 256}.0/24" for i in range(25000)] * 2
    (tmp_path / "many.txt").write_text("\n".join(blocks + ["10.0.0.0/10", "127.0.0.1"]) + "\n")
    alb = start_alb(forward_config(start_target(), edge=f"allow_file = {tmp_path}/many.txt"))

    answer = edge(alb, "show")
    assert answer["blocks"] == 50002
    assert answer["ranges"] == 25000 - 64 * 256 + 2
    assert is_served(alb, "127.0.0.1") and hears_nothing(alb, "127.0.0.2")
    assert edge(alb, "check", "10.97.167.1")["admitted"]
    assert not edge(alb, "check", "10.97.168.1")["admitted"]
    alb.ok("edge", "add", "127.0.0.2", "--for", "10m")
    assert is_served(alb, "127.0.0.2")
