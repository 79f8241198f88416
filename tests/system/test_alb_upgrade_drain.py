"""Drains and `alb upgrade`: what drains, drains in every process that still has some of it, and a
rate is that of all together."""

import pytest

from drains import DELAY, arrivals, is_told, most_in_a_second, stamps  # noqa: F401
from harness import wait_until
from test_ws_drain_targets import CHECKED, Checked, open_some, start, state_of  # noqa: F401
from ws_peers import TEXT, Upgraded, all_closed, in_background, open_tunnel, ws_config

AT_ONCE = "websocket.drain_rate = 1000\n"


@pytest.fixture
def other(start_target):
    return start_target(Upgraded())


def upgrade(alb):
    code, text = alb.upgrade()
    assert code == 0, text + alb.log()
    old = alb.before[-1]
    wait_until(lambda: old.poll() is not None or old.pid in
               [p["pid"] for p in alb.status()["old_processes"]], "its report")


def goes_on(client, origin):
    client.send(TEXT, b"x")
    assert origin.receive() == (TEXT, True, b"x")


def both_kinds(alb, target, of_each=1):
    """In the old process, and in the new one after an upgrade."""
    return [open_tunnel(alb, target, listener) for listener in ("https", "http")
            for _ in range(of_each)]


def peers(pairs):
    return all_closed([peer for pair in pairs for peer in pair])


@pytest.mark.parametrize("upgrades", [1, 3])
def test_a_drain_is_for_all_processes(start_alb, target, other, upgrades):
    alb = start_alb(ws_config(target, alb=AT_ONCE, group=DELAY % 60))
    pairs = both_kinds(alb, target)
    with peers(pairs):
        for _ in range(upgrades):
            upgrade(alb)
            pairs += both_kinds(alb, target)
        with all_closed(pairs[-1]), all_closed(pairs[-2]):
            text = alb.ok("drain", "app")
            assert f" {len(pairs)} WebSockets, " in text, "those of other processes, too"
            for client, _ in pairs:
                is_told(client)


def test_an_undrain_is_for_all_processes(start_alb, target):
    alb = start_alb(ws_config(target, alb="websocket.drain_rate = 1\n", group=DELAY % 60))
    pairs = both_kinds(alb, target, 4)
    with peers(pairs):
        upgrade(alb)
        alb.ok("drain", "app")
        is_told(pairs[0][0])  # the oldest of the old process; the others wait
        alb.ok("undrain", "app")
        wait_until(lambda: alb.log().count("drain end") == 2, "both to end it")
        told = alb.log().count("tunnel end")
        for client, origin in pairs[2:4] + pairs[6:]:
            goes_on(client, origin)
        assert alb.log().count("tunnel end") == told


@pytest.mark.parametrize("how", ["deregister", "reload"])
def test_a_target_that_goes_is_left_by_all_processes(start, target, other, how):
    """And at the end of its delay nothing of it is left in any."""
    settings = {"group": DELAY % 2, "alb": "websocket.drain_close = cut\n"}
    alb = start([target, other], **settings)
    pairs = open_some(alb, target, 1, listener="https") + open_some(alb, target, 1)
    with peers(pairs):
        upgrade(alb)
        if how == "deregister":
            alb.ok("deregister", "app", target.address)
        else:
            alb.configure(ws_config(other, **settings))
            alb.reload()
        for client, _ in pairs:
            assert client.is_at_end()

    def ends():
        return [row["end"] for row in alb.closed(target=target.address)["closed"]]
    wait_until(lambda: ends() == ["deregistration delay over"] * len(pairs), "the records")


def test_an_unhealthy_target_is_left_by_all_processes(start, start_target):
    targets = [start_target(Checked()) for _ in range(2)]
    alb = start(targets, group=CHECKED, alb=AT_ONCE + "websocket.drain_unhealthy = yes\n")

    def states():
        return [state_of(alb, t)["state"] for t in targets]
    wait_until(lambda: states() == ["healthy"] * 2, "health")
    pairs = open_some(alb, targets[0], 2, listener="https") + open_some(alb, targets[0], 2)
    with peers(pairs):
        upgrade(alb)
        assert states() == ["healthy"] * 2
        targets[0].script.status = b"503 Busy"
        for client, _ in pairs:
            is_told(client)


# --- how fast ---------------------------------------------------------------------------------------


RATE = 10


def check_rate(pairs, times):
    assert len(times) == len(pairs)
    assert most_in_a_second(times) <= RATE
    assert times[-1] - times[0] < 1.5 * len(pairs) / RATE, "and nearly reached"


@pytest.mark.parametrize("where", ["alb", "group"])
def test_a_rate_is_that_of_all_processes_together(start_alb, target, where):
    rate = {where: f"websocket.drain_rate = {RATE}\n"}
    rate["group"] = rate.get("group", "") + DELAY % 60
    alb = start_alb(ws_config(target, workers=2, **rate))
    pairs = both_kinds(alb, target, 8)
    with peers(pairs):
        upgrade(alb)
        pairs += both_kinds(alb, target, 8)
        upgrade(alb)
        with all_closed(peer for pair in pairs[16:] for peer in pair):
            wait = in_background(arrivals, [client for client, _ in pairs])
            alb.ok("drain", "app")
            check_rate(pairs, [when for when, _ in wait()])


def test_a_drain_goes_on_through_upgrades_at_its_rate(start_alb, target):
    alb = start_alb(ws_config(target, workers=2, group=DELAY % 60,
                              alb=f"websocket.drain_rate = {RATE}\n"))
    pairs = both_kinds(alb, target, 16)
    with peers(pairs):
        wait = in_background(arrivals, [client for client, _ in pairs])
        alb.ok("drain", "app")
        for n in range(3):
            wait_until(lambda: alb.log().count("tunnel end") > 6 * n, "some to be told")
            upgrade(alb)
        check_rate(pairs, [when for when, _ in wait()])


def test_a_target_that_goes_keeps_its_rate_through_an_upgrade(start_alb, target, other):
    alb = start_alb(ws_config(target, workers=2, group=DELAY % 60,
                              alb=f"websocket.drain_rate = {RATE}\n"))
    pairs = both_kinds(alb, target, 10)
    with peers(pairs):
        wait = in_background(arrivals, [client for client, _ in pairs])
        alb.configure(ws_config(other, workers=2, group=DELAY % 60,
                                alb=f"websocket.drain_rate = {RATE}\n"))
        alb.reload()
        wait_until(lambda: alb.log().count("tunnel end") > 2, "some to be told")
        upgrade(alb)
        check_rate(pairs, [when for when, _ in wait()])
