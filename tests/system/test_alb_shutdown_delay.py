"""shutdown_delay: /ready is 503 for a while, with all served as before, until the first is told to go."""

import os
import signal
import ssl
import time

import pytest

from drains import is_told
from harness import PATIENCE, wait_until
from http_wire import read_response, request
from test_alb_health_door import DOOR, check
from test_ws_drain_targets import post
from ws_peers import BOTH, TEXT, all_closed, open_tunnel, ws_config

AT_ONCE = "websocket.drain_rate = 1000\n"
STOPS, DRAINS = b"it is shutting down\n", b"it is about to be drained\n"


def config(target, delay, *, alb=AT_ONCE, health=DOOR, stop="20s"):
    return ws_config(target, stop=stop, alb=f"{alb}shutdown_delay = {delay}", more=health)


def waits(alb):
    return lambda: alb.status()["state"] == "waiting"


def ready(alb):
    answer = check(alb, "/ready")
    return answer.status, answer.body


def is_served(alb, target, pairs):
    """Whoever is there, and whoever comes, whether by a request, a WebSocket, or TLS."""
    for client, origin in pairs:
        client.send(TEXT, b"still here")
        assert origin.receive()[2] == b"still here"
    for listener in BOTH:
        new = open_tunnel(alb, target, listener)
        pairs.append(new)
        new[1].send(TEXT, b"hello")
        assert new[0].receive()[2] == b"hello"


def end(pairs):
    for client, origin in pairs:
        assert is_told(client)
        client.send_close(1012)
        origin.receive_close()
        origin.send_close(1012)


def nothing_is_said(pairs):
    """To any client, for now."""
    for client, _ in pairs:
        client.sock.setblocking(False)
        with pytest.raises((BlockingIOError, ssl.SSLWantReadError)):
            client.sock.recv(1)
        client.sock.settimeout(10 * PATIENCE)
    return True


def drain_all(alb):
    return post(alb, "/drain", {"all": True})


def test_who_comes_during_the_delay_is_served_and_nobody_is_told_to_go_before_its_end(start_alb, target):
    alb = start_alb(config(target, "2s"))
    pairs = [open_tunnel(alb, target, listener) for listener in BOTH]
    with all_closed([peer for pair in pairs for peer in pair]):
        began = time.monotonic()
        alb.signal(signal.SIGTERM)
        wait_until(waits(alb), "it to wait")
        assert ready(alb) == (503, STOPS) and check(alb).status == 200
        is_served(alb, target, pairs)
        assert ready(alb) == (503, STOPS)
        assert time.monotonic() - began >= 1.9 or nothing_is_said(pairs)
        end(pairs)
        assert time.monotonic() - began >= 1.9
    assert alb.wait() == 0
    assert alb.log().index("shutdown waits delay_ms=") < alb.log().index("shutdown draining")


def test_it_waits_with_nobody_connected_as_well(start_alb, target):
    """They have yet to come."""
    alb = start_alb(config(target, "1s"))
    began = time.monotonic()
    alb.signal(signal.SIGTERM)
    assert alb.wait() == 0
    assert time.monotonic() - began >= 0.9


def test_a_keep_alive_connection_goes_on(start_alb, target):
    alb = start_alb(config(target, "10m").replace(
        "default_action = forward app", 'default_action = fixed-response 200 text/plain "ok"'))
    with alb.connect() as sock:
        sock.sendall(request())
        read_response(sock)
        alb.signal(signal.SIGTERM)
        wait_until(waits(alb), "it to wait")
        for _ in range(2):
            sock.sendall(request())
            got = read_response(sock)
            assert (got.status, got.values("Connection")) == (200, ["keep-alive"])
        alb.signal(signal.SIGTERM)
    assert alb.wait() == 0


def test_a_second_signal_ends_it_and_a_third_cuts(start_alb, target):
    alb = start_alb(config(target, "10m", alb="websocket.drain_rate = 1\n", stop="1h"))
    pairs = [open_tunnel(alb, target) for _ in range(40)]
    with all_closed([peer for pair in pairs for peer in pair]):
        alb.signal(signal.SIGTERM)
        wait_until(waits(alb), "it to wait")
        assert nothing_is_said(pairs)
        alb.signal(signal.SIGTERM)
        wait_until(lambda: "shutdown draining" in alb.log(), "the drain")
        assert "shutdown cut" not in alb.log() and alb.is_running()
        alb.signal(signal.SIGTERM)
        assert alb.wait() == 0
    assert "shutdown cut" in alb.log()


def test_a_delay_of_0_drains_at_once(start_alb, target):
    for delay in ("0", None):
        text = config(target, "0")
        alb = start_alb(text if delay else text.replace("shutdown_delay = 0", ""), name=f"alb{delay}")
        pairs = [open_tunnel(alb, target)]
        with all_closed([peer for pair in pairs for peer in pair]):
            alb.signal(signal.SIGTERM)
            end(pairs)
        assert alb.wait() == 0
        assert "shutdown waits" not in alb.log()


def test_a_reload_changes_it(start_alb, target):
    alb = start_alb(config(target, "10m"))
    alb.configure(config(target, "0"))
    alb.reload()
    alb.signal(signal.SIGTERM)
    assert alb.wait(5) == 0
    assert "shutdown waits" not in alb.log()


def test_while_it_waits_no_order_is_taken_that_would_outlast_it(start_alb, target):
    alb = start_alb(config(target, "10m"))
    alb.signal(signal.SIGTERM)
    wait_until(waits(alb), "it to wait")
    for words in (("reload",), ("upgrade",), ("drain", "app"), ("undrain", "--all")):
        code, text = alb.command(*words)
        assert code == 1 and "shutting down" in text, words
    alb.signal(signal.SIGTERM)
    assert alb.wait() == 0


# --- upgrades -------------------------------------------------------------------------------------


def test_an_upgrade_does_not_wait_and_a_stop_after_it_tells_nobody_too_early(start_alb, target):
    alb = start_alb(config(target, "1s"))
    secure, origin = open_tunnel(alb, target, "https")
    with all_closed([secure, origin]):
        code, text = alb.upgrade()
        assert code == 0, text
        assert "waits delay_ms" not in alb.log()
        began = time.monotonic()
        alb.signal(signal.SIGTERM)
        end([(secure, origin)])
        assert time.monotonic() - began >= 0.9, "the old process has it, and is told by the new one"
        wait_until(lambda: alb.popen.poll() is not None, "the service to end")
        wait_until(lambda: alb.before[0].poll() is not None, "the old process to end")


def test_an_old_process_that_is_told_alone_does_not_wait(start_alb, target):
    """Nobody new comes to it."""
    alb = start_alb(config(target, "10m"))
    secure, origin = open_tunnel(alb, target, "https")
    with all_closed([secure, origin]):
        alb.upgrade()
        os.kill(alb.before[0].pid, signal.SIGTERM)
        end([(secure, origin)])
        assert alb.status()["state"] == "serving" and ready(alb)[0] == 200


# --- a drain of all -------------------------------------------------------------------------------


def test_a_drain_of_all_waits_as_a_stop_does(start_alb, target):
    alb = start_alb(config(target, "2s", health=DOOR + "ready_needs_target = off\n"))
    pairs = [open_tunnel(alb, target)]
    with all_closed([peer for pair in pairs for peer in pair]):
        began = time.monotonic()
        status, said = drain_all(alb)
        assert status == 200 and (said["targets"], said["tunnels"], said["wait_ms"]) == (1, 1, 2000), said
        assert said["message"].startswith("all target groups drain in 2s: 1 target, 1 WebSocket now")
        assert ready(alb) == (503, DRAINS)
        is_served(alb, target, pairs)
        assert alb.status()["state"] == "serving"
        end(pairs)
        assert time.monotonic() - began >= 1.9
        assert ready(alb) == (503, b"all targets are drained\n"), "whoever came now would get a 503"
    assert "drain waits" in alb.log() and "cause=command" in alb.log()
    alb.ok("undrain", "--all")
    assert ready(alb)[0] == 200


def test_a_second_drain_of_all_ends_it(start_alb, target):
    alb = start_alb(config(target, "10m"))
    pairs = [open_tunnel(alb, target)]
    with all_closed([peer for pair in pairs for peer in pair]):
        alb.ok("drain", "--all")
        assert nothing_is_said(pairs)
        assert "told to come again" in alb.ok("drain", "--all")
        end(pairs)


def test_an_undrain_calls_it_off(start_alb, target):
    alb = start_alb(config(target, "10m"))
    alb.ok("drain", "--all")
    assert ready(alb) == (503, DRAINS)
    assert "will not" in alb.ok("undrain", "--all")
    assert ready(alb)[0] == 200
    assert alb.command("undrain", "--all")[0] == 1


def test_a_drain_of_one_group_does_not_wait(start_alb, target):
    alb = start_alb(config(target, "10m"))
    assert "app drains" in alb.ok("drain", "app")


def test_a_stop_after_a_drain_of_all_does_not_wait_again(start_alb, target):
    alb = start_alb(config(target, "1s"))
    alb.ok("drain", "--all")
    wait_until(lambda: ready(alb) == (503, b"all targets are drained\n"), "the drain")
    alb.signal(signal.SIGTERM)
    assert alb.wait() == 0
    assert "shutdown waits" not in alb.log()


def test_a_stop_in_the_middle_of_its_delay_waits_for_the_rest(start_alb, target):
    alb = start_alb(config(target, "2s"))
    pairs = [open_tunnel(alb, target)]
    with all_closed([peer for pair in pairs for peer in pair]):
        began = time.monotonic()
        alb.ok("drain", "--all")
        alb.signal(signal.SIGTERM)
        wait_until(waits(alb), "it to wait")
        end(pairs)
        assert time.monotonic() - began >= 1.9
    assert alb.wait() == 0
    assert "cause=command" not in alb.log()


def test_a_drain_of_all_ends_the_wait_of_a_stop(start_alb, target):
    alb = start_alb(config(target, "10m"))
    alb.signal(signal.SIGTERM)
    wait_until(waits(alb), "it to wait")
    assert drain_all(alb)[0] == 200
    assert alb.wait() == 0


def test_an_upgrade_takes_a_drain_along_that_waits(start_alb, target):
    alb = start_alb(config(target, "10m"))
    pairs = [open_tunnel(alb, target)]
    with all_closed([peer for pair in pairs for peer in pair]):
        alb.ok("drain", "--all")
        code, text = alb.upgrade()
        assert code == 0, text
        end(pairs)
        assert ready(alb) == (503, b"all targets are drained\n")
