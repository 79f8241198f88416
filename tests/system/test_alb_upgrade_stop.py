"""A stop after `alb upgrade`: what the old process still has is stopped with the rest.

Tunnels over TLS stay with the old process. Whoever stops the service knows the new one only.
"""

import contextlib
import json
import os
import pathlib
import signal
import time

import pytest

from drains import arrivals, most_in_a_second, stamps  # noqa: F401
from harness import PATIENCE, wait_until
from test_alb_upgrade import BAD, script
from ws_peers import all_closed, in_background, open_tunnel, ws_config

AT_ONCE = "websocket.drain_rate = 1000\n"

SERVICE = {  # who gets the signal
    "the new one": lambda alb: [alb.pid],
    "each": lambda alb: [alb.pid] + [p.pid for p in alb.before if p.poll() is None],
    "each, the old ones first": lambda alb: [p.pid for p in alb.before if p.poll() is None] + [alb.pid],
}


def upgrade(alb, binary=None):
    code, text = alb.upgrade(binary)
    assert code == 0, text + alb.log()


def ended(popen):
    return lambda: popen.poll() is not None


def stop(alb, who):
    for pid in SERVICE[who](alb):
        os.kill(pid, signal.SIGTERM)


def say_goodbye(client, origin):
    """As a client does that is told to come again."""
    code, reason = client.receive_close()
    assert code == 1012 and reason.startswith(b"restart"), (code, reason)
    client.send_close(1012)
    origin.receive_close()
    origin.send_close(1012)
    origin.close()
    client.close()


@pytest.mark.parametrize("who", SERVICE)
def test_a_stop_drains_the_old_processes_too(start_alb, target, who):
    """Three processes; the last of them ends last: a service manager takes its end for the
    service's."""
    alb = start_alb(ws_config(target, stop="20s", workers=2, alb=AT_ONCE))
    pairs = []
    for _ in range(2):
        pairs += [open_tunnel(alb, target, "https"), open_tunnel(alb, target)]
        upgrade(alb)
    pairs.append(open_tunnel(alb, target, "https"))
    with all_closed([peer for pair in pairs for peer in pair]):
        stop(alb, who)
        for client, origin in pairs[1:]:  # all at once: none waits for another process's end
            say_goodbye(client, origin)
        wait_until(lambda: alb.log().count(" tunnel end ") == len(pairs) - 1, "their ends")
        assert not [p for p in alb.before + [alb.popen] if p.poll() is not None], "there is one left"
        say_goodbye(*pairs[0])
        wait_until(ended(alb.popen), "the service to end")
        wait_until(lambda: [p.poll() for p in alb.before] == [0, 0], "the others to have ended")
    assert "shutdown cut" not in alb.log()


@pytest.mark.parametrize("who", SERVICE)
def test_a_second_stop_cuts_everywhere(start_alb, target, who):
    alb = start_alb(ws_config(target, stop="60s", alb="websocket.drain_rate = 1"))
    pairs = [open_tunnel(alb, target, listener) for listener in ("https", "http") * 3]
    with all_closed([peer for pair in pairs for peer in pair]):
        upgrade(alb)
        old = alb.before[0]
        stop(alb, who)
        wait_until(lambda: alb.log().count("shutdown draining") == 2, "both to drain")
        assert alb.popen.poll() is None and old.poll() is None
        stop(alb, who)
        wait_until(ended(alb.popen), "the service to end")
        wait_until(ended(old), "the old process to end")
        for client, _ in pairs:
            while client.receive() is not None:
                pass


def test_at_the_end_of_the_time_all_is_cut(start_alb, target):
    alb = start_alb(ws_config(target, stop="500ms", alb="websocket.drain_close = cut"))
    pairs = [open_tunnel(alb, target, listener) for listener in ("https", "http")]
    with all_closed([peer for pair in pairs for peer in pair]):
        upgrade(alb)
        began = time.monotonic()
        stop(alb, "the new one")
        for client, _ in pairs:
            assert client.is_at_end()
        for process in (alb.popen, alb.before[0]):
            wait_until(ended(process), "its end")
        assert time.monotonic() - began >= 0.45


@pytest.mark.parametrize("who", SERVICE)
def test_a_rate_is_that_of_all_processes_together(start_alb, target, who):
    rate = 10
    alb = start_alb(ws_config(target, stop="60s", workers=2, alb=f"websocket.drain_rate = {rate}"))
    pairs = []
    for count in (14, 14, 0):
        pairs += [open_tunnel(alb, target, "https") for _ in range(count)]
        pairs += [open_tunnel(alb, target) for _ in range(6 if count else 0)]
        if count:
            upgrade(alb)
    with all_closed([peer for pair in pairs for peer in pair]):
        wait = in_background(arrivals, [client for client, _ in pairs])
        stop(alb, who)
        times = [when for when, _ in wait()]
        assert len(times) == len(pairs)
        assert most_in_a_second(times) <= rate
        assert times[-1] - times[0] < 1.5 * len(pairs) / rate, "and nearly reached"


def test_the_old_process_may_be_stopped_alone(start_alb, target):
    alb = start_alb(ws_config(target, stop="20s", alb=AT_ONCE))
    pairs = [open_tunnel(alb, target, listener) for listener in ("https", "http")]
    with all_closed([peer for pair in pairs for peer in pair]):
        upgrade(alb)
        old = alb.before[0]
        os.kill(old.pid, signal.SIGTERM)
        say_goodbye(*pairs[0])
        wait_until(ended(old), "it to end")
        pairs[1][0].send(1, b"still here")
        assert pairs[1][1].receive()[2] == b"still here"
        assert alb.status()["state"] == "serving"


def test_a_new_process_that_dies_takes_nobody_along(start_alb, target):
    """Whoever is with the old one is told to come again, in its own time."""
    alb = start_alb(ws_config(target, stop="20s", alb=AT_ONCE))
    secure, origin = open_tunnel(alb, target, "https")
    with all_closed([secure, origin]):
        upgrade(alb)
        os.kill(alb.pid, signal.SIGKILL)
        say_goodbye(secure, origin)
        wait_until(ended(alb.before[0]), "the old process to end")


# --- a stop while an upgrade is under way ----------------------------------------------------------


def test_an_upgrade_that_has_only_begun_is_called_off(start_alb, target, tmp_path):
    alb = start_alb(ws_config(target, stop="20s", alb=AT_ONCE))
    secure, origin = open_tunnel(alb, target, "https")
    with all_closed([secure, origin]):
        asked = in_background(alb.upgrade, script(tmp_path, "time.sleep(1000)"))
        wait_until(lambda: "upgrade begins" in alb.log(), "it to begin")
        os.kill(alb.pid, signal.SIGTERM)
        code, text = asked()
        assert code == 1 and "was told to stop" in text
        say_goodbye(secure, origin)
        wait_until(ended(alb.popen), "the service to end")


def test_a_stop_is_carried_out_when_the_upgrade_has_failed(start_alb, target, tmp_path):
    alb = start_alb(ws_config(target, stop="20s", alb=AT_ONCE))
    plain, origin = open_tunnel(alb, target)
    with all_closed([plain, origin]):
        asked = in_background(alb.upgrade, script(tmp_path, BAD["takes nothing"][0]))
        wait_until(lambda: "upgrade ready" in alb.log(), "it to be told to take connections")
        os.kill(alb.pid, signal.SIGTERM)
        code, text = asked()
        assert code == 1 and "did not take a connection" in text
        say_goodbye(plain, origin)
        wait_until(ended(alb.popen), "the service to end")


def stop_whoever_serves(alb):
    """The signal came too late to be told to the new process: it is the service by now."""
    code, text = alb.command("status", "--json")
    if code == 0 and json.loads(text)["state"] == "serving":
        os.kill(json.loads(text)["pid"], signal.SIGTERM)


def left_over(alb):
    """Processes of this configuration, whoever started them."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found += [path] if str(alb.path).encode() in path.read_bytes().split(b"\0") else []
    return found


def test_stops_at_any_moment_of_an_upgrade(start_alb, target):
    """Whoever has the connections by then: each is told, and all processes end."""
    for n in range(int(os.environ.get("UPGRADES", "6"))):
        alb = start_alb(ws_config(target, stop="20s", workers=2, alb=AT_ONCE), name=f"alb{n}")
        pairs = [open_tunnel(alb, target, listener) for listener in ("https", "http") * 4]
        with all_closed([peer for pair in pairs for peer in pair]):
            asked = in_background(alb.command, "upgrade")
            time.sleep(n * 0.01 * PATIENCE)
            os.kill(alb.pid, signal.SIGTERM)
            asked()
            stop_whoever_serves(alb)
            for client, origin in pairs:
                say_goodbye(client, origin)
            wait_until(ended(alb.popen), "the first process to end")
            wait_until(lambda: not left_over(alb), "the second to end")
