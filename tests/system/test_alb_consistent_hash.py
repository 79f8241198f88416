"""consistent_hash: one key, one target; and what becomes of keys when targets come and go."""

import contextlib
import re

import pytest

from balancer import forward_config
from harness import free_port, run, wait_until
from http_wire import ask, request
from scripted_target import answer
from test_alb_balance import CHECKED, Named, states
from test_ws_sticky import cookies
from ws_peers import Client, Upgraded, all_closed, ws_config

KEYS = 120  # of which each of three targets has some, but for one run in many millions
NAMES = b"abcdef"


def hashed(key, more="health_check.enabled = false\n"):
    return (f"load_balancing.algorithm.type = consistent_hash\n"
            f"load_balancing.consistent_hash.key = {key}\n{more}")


def start_targets(start_target, count=3):
    """Each answers with its name."""
    return [start_target(answer(bytes([name]))) for name in NAMES[:count]]


def by_header(alb, n, header="X-Room"):
    return alb.get(headers={header: f"room-{n}"})[2]


def map_keys(alb, send=by_header):
    return [send(alb, n) for n in range(KEYS)]


def requests_that_went(alb, where):
    return alb.metric(f'alb_hash_requests_total{{target_group="app",went="{where}"}}')


# What has the key; and one that says the same otherwise, or has besides what is not to matter.
KINDS = {
    "path": [lambda alb, n: alb.get(f"/rooms/{n}"), lambda alb, n: alb.get(f"/rooms/{n}?x={n}")],
    "header X-Room": [lambda alb, n: alb.get(headers={"X-Room": f"{n}"}),
                      lambda alb, n: alb.get(f"/{n}", headers={"x-room": f"  {n} "})],
    "cookie sid": [lambda alb, n: alb.get(headers={"Cookie": f"sid={n}"}),
                   lambda alb, n: alb.get(headers={"Cookie": f'a={n}; sid="{n}"; sid=other'})],
    "query room": [lambda alb, n: alb.get(f"/?room=n%20{n}"),
                   lambda alb, n: alb.get(f"/{n}?a=1&Room=%6e+{n}&room=b")],
}


@pytest.mark.parametrize("key", KINDS)
def test_each_kind_of_key(start_alb, start_target, key):
    alb = start_alb(forward_config(*start_targets(start_target), group=hashed(key))
                    .replace("workers = 1", "workers = 3"))
    once, again = ([send(alb, n)[2] for n in range(KEYS)] for send in KINDS[key])
    assert once == again
    assert all(once.count(bytes([name])) > KEYS / 10 for name in b"abc")
    assert requests_that_went(alb, "first") == 2 * KEYS


def test_by_the_viewer(start_alb, start_target):
    """Each address has one target, whatever it asks for."""
    alb = start_alb(forward_config(*start_targets(start_target), group=hashed("viewer")))

    def send(source, path):
        with alb.connect(source=source) as s:
            s.sendall(request(path=path))
            return s.recv(4096).split(b"\r\n\r\n")[1]
    sources = [f"127.0.0.{n}" for n in range(1, 61)]
    once = [send(source, "/a") for source in sources]
    assert once == [send(source, "/b") for source in sources]
    assert set(once) == {b"a", b"b", b"c"}


def test_by_the_viewer_that_the_edge_names(start_alb, start_target):
    alb = start_alb(forward_config(*start_targets(start_target), group=hashed("viewer"),
                                   edge="allow = 127.0.0.0/8\ntrust = edge"))

    def send(alb, n):
        return alb.get(headers={"X-Forwarded-For": f"198.51.100.9, 2001:db8::{n + 1:x}"})[2]
    once = map_keys(alb, send)
    assert set(once) == {b"a", b"b", b"c"}
    assert map_keys(alb, lambda alb, n: alb.get(
        f"/{n}", headers={"X-Forwarded-For": f"2001:db8:0:0::{n + 1:x}"})[2]) == once
    alb.configure(alb.path.read_text().replace("trust = edge", "trust = none"))
    alb.reload()
    assert len(set(map_keys(alb, send))) == 1, "it is nobody's word then: all are the peer"


def test_without_a_key_targets_take_turns(start_alb, start_target):
    alb = start_alb(forward_config(*start_targets(start_target), group=hashed("header X-Room")))
    bodies = [alb.get()[2] for _ in range(6)] + [alb.get(headers={"X-Room": ""})[2] for _ in range(3)]
    assert [bodies.count(name) for name in (b"a", b"b", b"c")] == [3, 3, 3]
    assert requests_that_went(alb, "no_key") == 9


def test_a_rewrite_does_not_change_the_key(start_alb, start_target):
    rule = ("[rule all]\nlistener = http\npriority = 1\npath-pattern = /*\naction = forward app\n"
            "url-rewrite = ^/.* /same?room=1\n")
    alb = start_alb(forward_config(*start_targets(start_target), group=hashed("path"), more=rule))
    once = [alb.get(f"/{n}")[2] for n in range(KEYS)]
    assert set(once) == {b"a", b"b", b"c"}
    alb.configure(alb.path.read_text().replace(rule, ""))
    alb.reload()
    assert [alb.get(f"/{n}")[2] for n in range(KEYS)] == once


# --- targets that come and go -------------------------------------------------------------------


def test_reloads_move_no_other_keys(start_alb, start_target):
    *targets, late = start_targets(start_target, 5)
    group = hashed("header X-Room")
    alb = start_alb(forward_config(*targets, group=group))
    before = map_keys(alb)

    alb.configure(forward_config(late, *reversed(targets), group=group))
    alb.reload()
    with_late = map_keys(alb)
    assert {now for now, then in zip(with_late, before) if now != then} == {b"e"}
    assert 1 <= with_late.count(b"e") <= KEYS / 2

    alb.configure(forward_config(*targets[1:], late, group=group))
    alb.reload()
    without_a = map_keys(alb)
    moved = [then for now, then in zip(without_a, with_late) if now != then]
    assert set(moved) == {b"a"} and len(moved) == with_late.count(b"a")

    alb.configure(forward_config(*targets, group=group))
    alb.reload()
    assert map_keys(alb) == before


def test_registered_targets_move_no_other_keys(start_alb, start_target):
    *targets, late = start_targets(start_target, 4)
    alb = start_alb(forward_config(*targets, group=hashed("header X-Room")))
    before = map_keys(alb)
    alb.ok("register", "app", late.address)
    assert {now for now, then in zip(map_keys(alb), before) if now != then} == {b"d"}
    alb.ok("deregister", "app", late.address)
    assert map_keys(alb) == before
    alb.ok("drain", "app", targets[0].address)
    drained = map_keys(alb)
    assert {then for now, then in zip(drained, before) if now != then} == {b"a"}
    assert b"a" not in drained
    alb.ok("undrain", "app", targets[0].address)
    assert map_keys(alb) == before


def test_a_weight_gets_its_part(start_alb, start_target):
    targets = start_targets(start_target)
    group = hashed("header X-Room")
    alb = start_alb(forward_config(*targets, group=group))
    before = map_keys(alb)
    alb.configure(forward_config(f"{targets[0].address} weight=400", *targets[1:], group=group))
    alb.reload()
    heavy = map_keys(alb)
    assert heavy.count(b"a") > before.count(b"a")  # how many: tests/unit/base/test_rendezvous.c
    assert {now for now, then in zip(heavy, before) if now != then} == {b"a"}


def test_keys_of_a_sick_target_are_scattered_and_come_back(start_alb, start_target):
    targets = [Named(start_target, bytes([name])) for name in b"abc"]
    alb = start_alb(forward_config(*targets, group=hashed("header X-Room", CHECKED)))
    wait_until(lambda: states(alb) == ["healthy"] * 3, "all to be healthy")
    before = map_keys(alb)
    targets[0].healthy = False
    wait_until(lambda: states(alb)[0] == "unhealthy", "one to be sick")
    sick = map_keys(alb)
    assert all(now == then for now, then in zip(sick, before) if then != b"a")
    assert {now for now, then in zip(sick, before) if then == b"a"} == {b"b", b"c"}
    assert requests_that_went(alb, "next") == before.count(b"a")
    targets[0].healthy = True
    wait_until(lambda: states(alb) == ["healthy"] * 3, "it to be back")
    assert map_keys(alb) == before


# --- processes -------------------------------------------------------------------------------------


def test_two_processes_agree(start_alb, start_target):
    """Whatever order their files have; and so does one that is started again."""
    targets = start_targets(start_target, 4)
    group = hashed("header X-Room")
    one = start_alb(forward_config(*targets, group=group))
    two = start_alb(forward_config(*reversed(targets), group=group), "two")
    assert map_keys(one) == map_keys(two)


def test_an_upgrade_keeps_the_keys(start_alb, start_target):
    alb = start_alb(forward_config(*start_targets(start_target), group=hashed("header X-Room")))
    before = map_keys(alb)
    code, text = alb.upgrade()
    assert code == 0, text
    assert map_keys(alb) == before


def explained(alb, *args):
    """The targets in the order that `alb explain` gives."""
    code, out, err = run("alb", "explain", alb.path, "GET", "http://localhost/", *args, "--listener", "http")
    assert code == 0, err
    return re.findall(r"127\.0\.0\.1:\d+", re.search(r"consistent_hash by .*", out)[0]), out


def test_explain_says_whose_a_key_is(start_alb, start_target):
    targets = start_targets(start_target)
    alb = start_alb(forward_config(*targets, group=hashed("header X-Room")))
    names = {t.address: bytes([name]) for t, name in zip(targets, NAMES)}
    for n in range(12):
        order, out = explained(alb, f"X-Room: room-{n}")
        assert f"consistent_hash by header X-Room: the key room-{n} has the hash " in out
        assert sorted(order) == sorted(names)
        assert names[order[0]] == by_header(alb, n)
    assert "the request has none, and gets a target in turn" in explained(alb)[1]


# --- with what else chooses ----------------------------------------------------------------------


def test_a_retry_takes_the_next_of_the_key(start_alb, start_target):
    targets = start_targets(start_target, 2)
    dead = f"127.0.0.1:{free_port()}"
    alb = start_alb(forward_config(dead, *targets, group=hashed("header X-Room")))
    names = {t.address: bytes([name]) for t, name in zip(targets, NAMES)}
    retried = 0
    for n in range(30):
        order, _ = explained(alb, f"X-Room: room-{n}")
        retried += order[0] == dead
        assert by_header(alb, n) == names[next(address for address in order if address != dead)]
    assert retried > 0
    assert alb.metric('alb_retries_total{target_group="app",outcome="sent"}') == retried


def test_a_cookie_comes_before_the_key(start_alb, start_target):
    group = hashed("header X-Room", "health_check.enabled = false\nstickiness.enabled = true\n")
    alb = start_alb(forward_config(*start_targets(start_target), group=group))
    first = ask(alb, request(fields=b"X-Room: room-1\r\n"))
    for n in range(12):
        fields = cookies(first.head) + b"X-Room: room-%d\r\n" % n
        assert ask(alb, request(fields=fields)).body == first.body
    assert requests_that_went(alb, "first") == 1, "only who has no cookie goes by its key"


def test_tunnels_of_one_room_are_on_one_target(start_alb, start_target):
    targets = [start_target(Upgraded()) for _ in range(3)]
    alb = start_alb(ws_config(*targets, group=hashed("path", ""), workers=3))
    with all_closed([]) as held:
        for _ in range(20):
            held.append(Client(alb, path="/rooms/1"))
        assert sorted(len(t.seen) for t in targets) == [0, 0, 20]
        rooms = 0
        while not all(t.seen for t in targets):
            held.append(Client(alb, path=f"/rooms/other-{rooms}"))
            rooms += 1
            assert rooms < 60


def test_a_hot_room_overflows_by_the_soft_bound(start_alb, start_target):
    """The room that all are in is on as many targets as it needs, the first of them first."""
    targets = [start_target(Upgraded()) for _ in range(3)]
    alb = start_alb(ws_config(*targets, workers=3, group=hashed("path", "") +
                              "load_balancing.soft_bound.percentage = 125\n"))
    with all_closed([]) as held:
        for _ in range(90):
            held.append(Client(alb, path="/rooms/hot"))
        counts = sorted(len(t.seen) for t in targets)
        assert sum(counts) == 90 and counts[2] == 38  # a third, and 8 above it: more than 125 %
        passed = alb.metric('alb_soft_bound_passed_total{target_group="app",by="hash"}')
        assert passed == requests_that_went(alb, "next") == 90 - 38
    wait_until(lambda: alb.metric("alb_target_tunnels_open") == 0, "all to end")
    before = [len(t.seen) for t in targets]
    with contextlib.closing(Client(alb, path="/rooms/hot")):
        grown = [len(t.seen) - then for t, then in zip(targets, before)]
    assert before[grown.index(1)] == 38, "home again"


def test_a_full_target_is_passed_over_in_order(start_alb, start_target):
    targets = [start_target(Upgraded()) for _ in range(3)]
    alb = start_alb(ws_config(*targets, group=hashed("path", "") + "target.max_connections = 2\n"))
    seen = []
    with all_closed([]) as held:
        for _ in range(6):
            before = [len(t.seen) for t in targets]
            held.append(Client(alb, path="/rooms/1"))
            seen.append([len(t.seen) - n for t, n in zip(targets, before)].index(1))
        assert seen[0::2] == seen[1::2] and sorted(seen[0::2]) == [0, 1, 2]
        assert alb.get("/rooms/1")[0] == 503


# --- what the file says ------------------------------------------------------------------------------


def test_check_says_what_is_wrong(tmp_path):
    file = tmp_path / "alb.ini"

    def check(group, *args):
        config = forward_config("127.0.0.1:9", group=group)
        file.write_text(config.replace("{socket}", str(tmp_path / "s")).replace("{access}", "-"))
        return run("alb", "check", *args, file)
    code, _, err = check(hashed("header"))
    assert code == 1 and re.search(r"alb\.ini:\d+: load_balancing\.consistent_hash\.key: needs the "
                                   r"name of the header: header NAME", err)
    code, out, _ = check(hashed("cookie sid"), "--profile", "aws")
    assert code == 0
    assert "load_balancing.consistent_hash.key = cookie sid; the managed balancer: none" in out
