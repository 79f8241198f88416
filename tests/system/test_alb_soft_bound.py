"""The soft bound: a sticky cookie is passed over when its target has much more than its part."""

import pytest

from balancer import forward_config
from harness import run, wait_until
from http_wire import ask, request
from scripted_target import answer
from test_ws_sticky import STICKY, cookies, tunnels
from ws_peers import Client, Upgraded, all_closed, ws_config
from ws_wire import echo_script

BOUND = STICKY + "load_balancing.soft_bound.percentage = 150\n"
PASSED = 'alb_soft_bound_passed_total{target_group="app",by="cookie"}'
SLACK = 8


def is_over(has, all_, weight, weights, percent=150):
    """As soft_bound.h says it."""
    part = (all_ + 1) * weight / weights
    return (has + 1) * 100 > part * percent and has + 1 > part + SLACK


def stay_home(count, weight, weights):
    """How many of these, one after the other, the target of their cookie takes."""
    has = 0
    for n in range(count):
        has += not is_over(has, n, weight, weights)
    return has


@pytest.mark.parametrize("weight", [1, 2])
def test_many_tunnels_with_one_cookie_are_spread(start_alb, start_target, weight):
    """All loops see the same numbers, in which tunnels are held for life."""
    targets = [start_target(echo_script) for _ in range(3)]  # which end when their client does
    names = [f"{targets[0].address} weight={weight}", *(f"{t.address} weight=1" for t in targets[1:])]
    alb = start_alb(ws_config(*names, group=BOUND, workers=3))
    with all_closed([]) as tries:
        while not targets[0].seen:
            tries.append(Client(alb))
    home = cookies(tries[-1].head)
    wait_until(lambda: alb.metric("alb_target_tunnels_open") == 0, "no tunnel to be left")
    before = tunnels(targets)
    with all_closed([]) as held:
        for _ in range(90):
            at = len(targets[0].seen)
            held.append(Client(alb, fields=home))
            if len(targets[0].seen) == at:
                elsewhere = cookies(held[-1].head)
        stay = stay_home(90, weight, weight + 2)
        got = [now - then for now, then in zip(tunnels(targets), before)]
        assert got[0] == stay
        assert abs(got[1] - got[2]) <= 1, "the others in turn"
        assert alb.metric(PASSED) == 90 - stay

        at = tunnels(targets)
        held.append(Client(alb, fields=elsewhere))
        assert tunnels(targets)[0] == at[0], "its cookie is the new target's"
    wait_until(lambda: alb.metric("alb_target_tunnels_open") == 0, "all of them to end")
    at = tunnels(targets)
    Client(alb, fields=home).close()
    assert tunnels(targets)[0] == at[0] + 1, "the cookie that was passed over is good again"


def test_plain_requests_get_the_cookie_of_their_new_target(start_alb, start_target):
    """Tunnels are in the way of requests too; and a few on one target are in nobody's."""
    upgraded = Upgraded()

    def script(name):
        def run_script(sock, head, rest):
            if b"websocket" in head:
                return upgraded(sock, head, rest)
            return answer(name)(sock, head, rest)
        return run_script
    a, b = start_target(script(b"a")), start_target(script(b"b"))
    alb = start_alb(ws_config(a, b, group=BOUND))
    first = ask(alb, request())
    fields = cookies(first.head)
    with all_closed([]) as held:
        for n in range(SLACK):
            held.append(Client(alb, fields=fields))
            assert ask(alb, request(fields=fields)).body == first.body
        while not is_over(len(held), len(held), 1, 2):
            held.append(Client(alb, fields=fields))
        other = ask(alb, request(fields=fields))
        assert other.body != first.body
        assert ask(alb, request(fields=cookies(other.head))).body == other.body
        assert alb.metric(PASSED) == 1


def test_off_unless_it_is_set(start_alb, start_target):
    targets = [start_target(Upgraded()) for _ in range(2)]
    alb = start_alb(ws_config(*targets, group=STICKY))
    first = Client(alb)
    with all_closed([]) as held:
        for _ in range(40):
            held.append(Client(alb, fields=cookies(first.head)))
        assert sorted(tunnels(targets)) == [0, 41]


def test_nobody_is_without_a_target_for_it(start_alb, start_target):
    """The others are full: then the cookie's is better than none."""
    targets = [start_target(Upgraded()) for _ in range(2)]
    alb = start_alb(ws_config(*targets, group=BOUND + "target.max_connections = 30\n"))
    home = cookies(Client(alb).head)
    with all_closed([]) as held:
        for _ in range(59):
            held.append(Client(alb, fields=home))
        assert tunnels(targets) == [30, 30]
    assert alb.metric('alb_requests_without_target_total{target_group="app",reason="full"}') == 0


def test_check_names_its_range_and_the_managed_balancer(tmp_path):
    file = tmp_path / "alb.ini"

    def check(value, *args):
        config = forward_config("127.0.0.1:9",
                                group=f"load_balancing.soft_bound.percentage = {value}\n")
        file.write_text(config.replace("{socket}", str(tmp_path / "s")).replace("{access}", "-"))
        return run("alb", "check", *args, file)
    for bad in ("100", "10001", "0"):
        code, _, err = check(bad)
        assert code == 1 and "load_balancing.soft_bound.percentage" in err and "110" in err, err
    code, out, _ = check("150", "--profile", "aws")
    assert code == 0
    assert "load_balancing.soft_bound.percentage = 150; the managed balancer: off" in out
