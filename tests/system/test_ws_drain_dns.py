"""WebSockets of targets that DNS names: an address that is in the answer no more is drained."""

import contextlib
import select

import pytest

from dns_server import NXDOMAIN, SERVFAIL, DnsServer
from drains import (CLOSED, CUT, DELAY, arrivals, is_told, most_in_a_second,  # noqa: F401
                    stamps)
from harness import wait_until
from scripted_target import neighbours
from ws_peers import BOTH, Client, Upgraded, all_closed, in_background, is_alive, ws_config

NAME = "app.example.test"
ADDRESSES = ["127.0.0.1", "127.0.0.2"]


class Named:
    """Two targets of one name, both in its answer, and a balancer that asks for it every 200 ms."""

    def __init__(self, start_alb, started):
        self.dns, self.start_alb = DnsServer(), start_alb
        self.targets = neighbours(Upgraded(), Upgraded())
        started.extend([self.dns, *self.targets])
        self.dns.set(NAME, ADDRESSES)

    def start(self, delay, alb="", **more):
        settings = f"dns.servers = {self.dns.address}\ndns.min_interval = 100ms\ndns.max_interval = 200ms\n"
        self.alb = self.start_alb(ws_config(f"dns:{NAME}:{self.targets[0].port}", group=DELAY % delay,
                                            alb=settings + alb, **more))
        return self.alb

    def open(self, count, listener="http"):
        """For each target [(client, origin), ...]: as many, in turn."""
        pairs = [[], []]
        for _ in range(2 * count):
            client = Client(self.alb, listener)
            number = wait_until(lambda: [i for i, t in enumerate(self.targets)
                                         if not t.script.waiting.empty()], "an upgrade")[0]
            pairs[number].append((client, self.targets[number].script.take()))
        assert [len(p) for p in pairs] == [count, count]
        return pairs

    def states(self):
        return [t["state"] for t in self.alb.status()["target_groups"][0]["targets"]]

    def asked_again(self, times=2):
        """After two the answer of now is known for sure."""
        asked = self.dns.asked(NAME)
        wait_until(lambda: self.dns.asked(NAME) >= asked + times, "more questions")


@pytest.fixture
def named(start_alb, started):
    return Named(start_alb, started)


def untold(pairs):
    """Those to whose clients nothing has come."""
    ready = select.select([client.sock for client, _ in pairs], [], [], 0)[0]
    return [pair for pair in pairs if pair[0].sock not in ready]


@contextlib.contextmanager
def ended(pairs):
    with all_closed([peer for of_one in pairs for pair in of_one for peer in pair]):
        yield


@pytest.mark.parametrize("listener", BOTH)
def test_those_of_an_address_that_vanished_are_told(named, listener):
    alb = named.start(delay=2, workers=2)
    gone, kept = pairs = named.open(10, listener)
    with ended(pairs):
        named.dns.set(NAME, ADDRESSES[1:])
        assert all(is_told(client) for client, _ in gone)
        assert "cause=deregistered group=app targets=1 tunnels=10 rate=auto delay_ms=2000" in alb.log()
        assert all(is_alive(*pair) for pair in kept)
        assert alb.metric(CLOSED) == 10 and alb.metric(CUT) == 0
        seen = len(named.targets[0].seen)
        for _ in range(4):
            Client(alb, listener).close()
        assert len(named.targets[0].seen) == seen
    wait_until(lambda: named.states() == ["unavailable"], "it to be forgotten")


def test_a_rate_and_the_end_of_the_delay_hold_for_them(named):
    alb = named.start(delay=2, alb="websocket.drain_rate = 4\n", workers=2)
    gone, _ = pairs = named.open(12)
    with ended(pairs):
        wait = in_background(arrivals, [client for client, _ in gone])
        named.dns.set(NAME, ADDRESSES[1:])
        times = [t for t, _ in wait()]
        assert len(times) == 12
        wait_until(lambda: alb.metric(CLOSED) + alb.metric(CUT) == 12, "the end of the delay")
        told = int(alb.metric(CLOSED))
        assert 4 <= told <= 8 and most_in_a_second(times[:told]) <= 4
        assert times[-1] - times[told] < 0.5, "the rest is cut together"
        assert alb.closed(end="deregistration delay over")["matched"] == 12 - told


def test_an_address_that_comes_back_keeps_those_that_are_left(named):
    alb = named.start(delay=100, alb="websocket.drain_rate = 2\n")
    gone, kept = pairs = named.open(6)
    with ended(pairs):
        named.dns.set(NAME, ADDRESSES[1:])
        wait_until(lambda: alb.metric(CLOSED) >= 2, "some to be told")
        named.dns.set(NAME, ADDRESSES)
        wait_until(lambda: "drain end id=1 cause=deregistered" in alb.log(), "the end of the drain")
        told = int(alb.metric(CLOSED))
        assert 2 <= told < 6 and f"closed={told} cut=0" in alb.log()
        named.asked_again(5)  # a second: time for two more
        assert alb.metric(CLOSED) == told and named.states() == ["unavailable"] * 2
        left = untold(gone)
        assert len(left) == 6 - told
        assert all(is_alive(*pair) for pair in left + kept)


@pytest.mark.parametrize("code", [SERVFAIL, NXDOMAIN])
def test_an_answer_without_addresses_drains_nobody(named, code):
    alb = named.start(delay=1)
    pairs = named.open(3)
    with ended(pairs):
        named.dns.fail(NAME, code)
        named.asked_again()
        assert all(is_alive(*pair) for of_one in pairs for pair in of_one)
        assert alb.metric(CLOSED) == 0 and "drain begin" not in alb.log()
