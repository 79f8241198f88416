"""How fast, in which order and until when a drain closes WebSockets."""

import signal
import time

import pytest

from drains import (CLOSED, CUT, DELAY, OTHER, arrivals, drain_began,  # noqa: F401
                    most_in_a_second, stamps)
from harness import PATIENCE, stall_room, stood_still, wait_until
from sockets import read_exactly
from ws_peers import BINARY, BOTH, TEXT, Upgraded, all_closed, in_background, open_tunnel, ws_config
from ws_wire import frame


def is_nearly_sorted(numbers, distance):
    return all(abs(number - place) <= distance for place, number in enumerate(numbers))


@pytest.mark.parametrize("rate,count", [(7, 30), (40, 150)])
def test_a_rate_is_not_exceeded_in_any_second(start_alb, target, rate, count):
    alb = start_alb(ws_config(target, alb=f"websocket.drain_rate = {rate}\n", group=DELAY % 60,
                              workers=2))
    pairs = [open_tunnel(alb, target, BOTH[i % 10 == 0]) for i in range(count)]
    with all_closed([peer for pair in pairs for peer in pair]):
        wait = in_background(arrivals, [client for client, _ in pairs])
        text = alb.ok("drain", "app")
        assert f"{rate} a second at most; about 0 will be cut" in text
        times = [t for t, _ in wait()]
        assert len(times) == count == alb.metric(CLOSED)
        assert most_in_a_second(times) <= rate
        assert times[-1] - times[0] < 1.3 * count / rate, "and nearly reached"


def test_a_reload_that_takes_a_target_out_goes_by_its_own_settings(start_alb, start_target):
    targets = [start_target(Upgraded()) for _ in range(2)]
    alb = start_alb(ws_config(*targets, group=DELAY % 2))
    pairs = [open_tunnel(alb, targets[i % 2]) for i in range(20)]
    with all_closed([peer for pair in pairs for peer in pair]):
        alb.configure(ws_config(targets[0], alb="websocket.drain_rate = 5\n", group=DELAY % 60))
        wait = in_background(arrivals, [client for client, _ in pairs[1::2]])
        alb.reload()
        assert most_in_a_second([t for t, _ in wait()]) <= 5
        assert "tunnels=10 rate=5 delay_ms=60000 " in alb.log()


def test_a_stop_keeps_the_rate_and_cuts_what_is_left(start_alb, target):
    alb = start_alb(ws_config(target, alb="websocket.drain_rate = 10\n", workers=2, stop="2s"))
    pairs = [open_tunnel(alb, target) for _ in range(60)]
    with all_closed([peer for pair in pairs for peer in pair]):
        wait, asked = in_background(arrivals, [client for client, _ in pairs]), time.monotonic()
        alb.signal(signal.SIGTERM)
        times = [t for t, _ in wait()]
        assert len(times) == 60
    assert alb.wait() == 0
    begin = next(row for row in alb.log().splitlines() if "drain begin" in row)
    assert "cause=shutdown" in begin and "tunnels=60 rate=10 " in begin
    announced = int(begin.rsplit("cut_at_end=", 1)[1])
    end = next(row for row in alb.log().splitlines() if "drain end" in row)
    cut = int(end.rsplit("cut=", 1)[1])
    told = times[:60 - cut]
    lost = 10 * stood_still(asked)  # a rate makes up for nothing
    assert 15 - lost <= len(told) <= 20 and most_in_a_second(told) <= 10
    assert times[-1] - times[60 - cut] < 0.15 + stall_room(asked), "the rest is cut together, with a last Close"
    assert 38 <= announced <= 43 and abs(announced - cut) <= 3 + lost, (begin, end)


def test_auto_spreads_over_the_delay(start_alb, target):
    alb = start_alb(ws_config(target, group=DELAY % 4, workers=2))
    pairs = [open_tunnel(alb, target) for _ in range(100)]
    with all_closed([peer for pair in pairs for peer in pair]):
        wait, asked = in_background(arrivals, [client for client, _ in pairs]), time.monotonic()
        assert "100 WebSockets, told to come again over 3600ms" in alb.ok("drain", "app")
        began = drain_began(alb)
        times = [t - began for t, _ in wait()]
        assert len(times) == 100
        room = stall_room(asked)
        assert times[-1] < 3.6 + room, "0.9 of the delay"
        assert times[-1] > 3.2 and times[0] < 0.25 + room
        gaps = [b - a for a, b in zip(times, times[1:])]
        assert max(gaps) < 0.15 + room, gaps


# Ten a second: a loop may be late by half of the space between two, and keeps its place.
@pytest.mark.parametrize("listener", BOTH)
@pytest.mark.parametrize("workers", [1, 2])
def test_the_oldest_first(start_alb, target, workers, listener):
    alb = start_alb(ws_config(target, alb="websocket.drain_rate = 10\n", group=DELAY % 60,
                              workers=workers))
    pairs = []
    for _ in range(14):
        pairs.append(open_tunnel(alb, target, listener))
        time.sleep(0.01)
    with all_closed([peer for pair in pairs for peer in pair]):
        wait = in_background(arrivals, [client for client, _ in pairs])
        alb.ok("drain", "app")
        assert is_nearly_sorted([n for _, n in wait()], 2)


@pytest.mark.parametrize("listener", BOTH)
@pytest.mark.parametrize("workers", [1, 2])
def test_the_idlest_first(start_alb, target, workers, listener):
    alb = start_alb(ws_config(
        target, alb="websocket.drain_rate = 10\nwebsocket.drain_order = idlest\n",
        group=DELAY % 60, workers=workers))
    pairs = [open_tunnel(alb, target, listener) for _ in range(14)]
    with all_closed([peer for pair in pairs for peer in pair]):
        for number in range(13, -1, -1):  # number 0 has moved last
            pairs[number][number % 2].send(TEXT, b"x")
            assert pairs[number][1 - number % 2].receive()[2] == b"x"
            time.sleep(0.01)
        wait = in_background(arrivals, [client for client, _ in pairs])
        alb.ok("drain", "app")
        assert is_nearly_sorted([13 - n for _, n in wait()], 2)


def test_two_drains_each_have_a_pace_of_their_own(start_alb, start_target):
    one, two = start_target(Upgraded()), start_target(Upgraded())
    alb = start_alb(ws_config(one, alb="websocket.drain_rate = 10\n", group=DELAY % 60, workers=2,
                              more=OTHER % two.address))
    pairs = [open_tunnel(alb, one) for _ in range(20)]
    others = [open_tunnel(alb, two, path="/other") for _ in range(20)]
    with all_closed([peer for pair in pairs + others for peer in pair]):
        waits = [in_background(arrivals, [client for client, _ in some])
                 for some in (pairs, others)]
        alb.ok("drain", "app")
        alb.ok("drain", "other", two.address)
        times = [[t for t, _ in wait()] for wait in waits]
        assert all(len(t) == 20 and most_in_a_second(t) <= 10 for t in times)
        assert max(t[-1] for t in times) - min(t[0] for t in times) < 2.8, "side by side"


def test_one_command_for_all_groups_keeps_one_rate(start_alb, start_target):
    one, two = start_target(Upgraded()), start_target(Upgraded())
    alb = start_alb(ws_config(one, alb="websocket.drain_rate = 10\n", group=DELAY % 60, workers=2,
                              more=OTHER % two.address))
    pairs = [open_tunnel(alb, one) for _ in range(10)]
    pairs += [open_tunnel(alb, two, path="/other") for _ in range(10)]
    with all_closed([peer for pair in pairs for peer in pair]):
        wait = in_background(arrivals, [client for client, _ in pairs])
        assert "20 WebSockets" in alb.ok("drain", "--all")
        times = [t for t, _ in wait()]
        assert len(times) == 20 and most_in_a_second(times) <= 10


@pytest.mark.parametrize("workers", [1, 2])
def test_with_a_rate_one_inside_a_frame_is_passed_over_until_its_boundary(start_alb, target,
                                                                          workers):
    """Else its Close would go out in a second that has had its share."""
    alb = start_alb(ws_config(target, alb="websocket.drain_rate = 5\n", group=DELAY % 60,
                              workers=workers))
    torn = [open_tunnel(alb, target) for _ in range(5)]
    for client, origin in torn:
        origin.sendall(b"\x82\x0ahalf")
        assert read_exactly(client, 6) == b"\x82\x0ahalf"
    whole = [open_tunnel(alb, target) for _ in range(5)]
    with all_closed([peer for pair in torn + whole for peer in pair]):
        wait = in_background(arrivals, [client for client, _ in whole])
        alb.ok("drain", "app")
        times = [t for t, _ in wait()]
        assert len(times) == 5
        assert alb.metric(CLOSED) == 5
        for _, origin in torn:
            origin.sendall(b"frames")
        for client, _ in torn:
            client.sock.settimeout(10)
            assert read_exactly(client, 6) == b"frames"
        later = [t for t, _ in arrivals([client for client, _ in torn])]
        assert len(later) == 5
        assert most_in_a_second(times + later) <= 5


@pytest.mark.parametrize("workers", [1, 2])
def test_those_who_leave_the_edge_set_go_by_the_rate_too(start_alb, target, workers):
    """Also who is inside a frame when his turn comes; and whoever is back by then stays."""
    def edge(*addresses):
        text = ws_config(target, alb="websocket.drain_rate = 5\n", workers=workers)
        return text.replace("allow = 127.0.0.0/8", "on_leave = close\nleave_timeout = 60s\n"
                            "allow = 127.0.0.1 " + " ".join(addresses))
    alb = start_alb(edge("127.0.0.2", "127.0.0.3"))
    torn = [open_tunnel(alb, target, source="127.0.0.2") for _ in range(3)]
    torn.append(open_tunnel(alb, target, source="127.0.0.3"))  # who is back
    for client, origin in torn:
        origin.sendall(b"\x82\x0ahalf")
        assert read_exactly(client, 6) == b"\x82\x0ahalf"
    whole = [open_tunnel(alb, target, source="127.0.0.2") for _ in range(8)]
    with all_closed([peer for pair in torn + whole for peer in pair]):
        wait = in_background(arrivals, [client for client, _ in whole], 20, 1001)
        alb.configure(edge())
        alb.reload()
        times = [t for t, _ in wait()]
        assert len(times) == 8 == alb.metric(CLOSED)
        assert "cause=left group=* targets=0 tunnels=12 rate=5 delay_ms=60000 " in alb.log()
        alb.configure(edge("127.0.0.3"))
        alb.reload()
        for client, origin in torn:
            origin.sendall(b"frames")
            client.sock.settimeout(10)
            assert read_exactly(client, 6) == b"frames"
        later = [t for t, _ in arrivals([client for client, _ in torn[:3]], code=1001)]
        assert len(later) == 3 and most_in_a_second(times + later) <= 5
        back, its_origin = torn[3]
        its_origin.send(TEXT, b"down")
        assert back.receive() == (TEXT, True, b"down") and alb.metric(CLOSED) == 11


@pytest.mark.parametrize("listener", BOTH)
def test_with_a_rate_a_stream_without_a_pause_is_told_between_two_frames(start_alb, target,
                                                                         listener):
    alb = start_alb(ws_config(target, alb="websocket.drain_rate = 20\n", group=DELAY % 60))
    client, origin = open_tunnel(alb, target, listener)
    calm = [open_tunnel(alb, target) for _ in range(10)]
    big = frame(BINARY, b"b" * 300000, mask=None)

    def stream():
        try:
            while True:
                origin.sendall(big)
        except OSError:
            return True
    in_background(stream)
    with all_closed([peer for pair in calm for peer in pair]):
        assert client.receive()[0] == BINARY
        alb.ok("drain", "app")
        while (got := client.receive())[0] == BINARY:
            assert len(got[2]) == 300000
        assert got[0] == 8 and got[2][:2] == b"\x03\xf4"
    client.close()
    origin.close()


def test_a_loop_with_thousands_is_not_held_up(start_alb, start_target):
    """Others are served meanwhile, each at once. What the program computes between a message and its
    arrival is counted, so that the machine's own pauses are not."""
    one, two = start_target(Upgraded()), start_target(Upgraded())
    count, took = 1500, []
    alb = start_alb(ws_config(one, group=DELAY % 4, more=OTHER % two.address))
    pairs = [open_tunnel(alb, one) for _ in range(count)]
    client, origin = open_tunnel(alb, two, path="/other")
    with all_closed([peer for pair in pairs for peer in pair]):
        alb.ok("drain", "app")
        while alb.metric(CLOSED) < count:
            for _ in range(100):
                began = alb.cpu_ns()
                client.send(TEXT, b"x")
                assert origin.receive() == (TEXT, True, b"x")
                took.append(alb.cpu_ns() - began)
        assert len(took) > 1000 and max(took) < 10e6 * PATIENCE, max(took)
    client.close()
    origin.close()


def test_thousands_that_are_cut_do_not_hold_up_a_loop(start_alb, start_target):
    """At the end of the delay too a few are ended in each turn: others are served between them.
    Were all ended in one turn, only the echo before it could see some of them gone."""
    one, two = start_target(Upgraded()), start_target(Upgraded())
    alb = start_alb(ws_config(one, alb="websocket.drain_close = cut\n", group=DELAY % "500ms",
                              more=OTHER % two.address))
    pairs = [open_tunnel(alb, one) for _ in range(2500)]
    client, origin = open_tunnel(alb, two, path="/other")
    with all_closed([peer for pair in pairs for peer in pair]):
        alb.ok("drain", "app")
        seen = set()

        def echo():
            client.send(TEXT, b"x")
            assert origin.receive() == (TEXT, True, b"x")
            seen.add(alb.metric(CUT))
            return 2500 in seen
        end = time.monotonic() + 10 * PATIENCE
        while not echo():  # without a pause: all takes less than a tenth of a second
            assert time.monotonic() < end, "all to be cut"
        assert len(seen - {0, 2500}) >= 2, seen
    client.close()
    origin.close()


def test_a_rate_of_a_group_of_its_own(start_alb, start_target):
    one, two = start_target(Upgraded()), start_target(Upgraded())
    alb = start_alb(ws_config(one, alb="websocket.drain_rate = 1\n", group=DELAY % 60,
                              more=(OTHER % two.address).replace(
                                  "health_check", "websocket.drain_rate = 30\nhealth_check")))
    pairs = [open_tunnel(alb, two, path="/other") for _ in range(15)]
    with all_closed([peer for pair in pairs for peer in pair]):
        wait = in_background(arrivals, [client for client, _ in pairs])
        assert "30 a second" in alb.ok("drain", "other")
        times = [t for t, _ in wait()]
        assert times[-1] - times[0] < 2


def test_the_log_says_how_far_it_is(start_alb, target):
    alb = start_alb(ws_config(target, alb="websocket.drain_rate = 1\n", group=DELAY % 60))
    pairs = [open_tunnel(alb, target) for _ in range(20)]
    with all_closed([peer for pair in pairs for peer in pair]):
        alb.ok("drain", "app")
        wait_until(lambda: "drain progress id=1 cause=command group=app closed=10 left=10 open="
                   in alb.log() or "closed=11 left=9" in alb.log(), "10 seconds to go by", 15)
