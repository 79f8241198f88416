"""websocket.upgrade_rate: so many upgrades a second and group, over all loops; the others are told
when to come again. A target that starts slowly takes its part of them."""

import time

from balancer import forward_config, other_group
from harness import wait_until
from http_wire import read_response
from scripted_target import answer
from sockets import is_closed
from ws_peers import ws_config
from ws_wire import echo_script, upgrade_request

LIMITED = 'alb_upgrades_limited_total{target_group="app"}'


def script(sock, head, rest):
    return (echo_script if b"pgrade: websocket" in head else answer(b"plain"))(sock, head, rest)


def upgrade(alb, listener="http", path="/ws"):
    """(status, Retry-After or None, body) of one that ends at once."""
    with alb.connect(listener) as sock:
        sock.sendall(upgrade_request(path))
        head = sock.recv(65536)
        if head.startswith(b"HTTP/1.1 101"):
            return 101, None, b""
        response = read_response(sock, head)
        assert is_closed(sock)
        after = response.values("Retry-After")
        return response.status, int(after[0]) if after else None, response.body


def test_beyond_the_rate_it_is_503_with_retry_after(start_alb, start_target):
    target = start_target(echo_script)
    alb = start_alb(ws_config(target, group="websocket.upgrade_rate = 5"))
    began = time.monotonic()
    got = [upgrade(alb) for _ in range(15)]
    took = time.monotonic() - began
    opened = [g for g in got if g[0] == 101]
    assert got[:5] == [(101, None, b"")] * 5, "a second's worth at once"
    assert 5 <= len(opened) <= 5 + 5 * took + 1 < 15
    refused = [g for g in got if g[0] != 101]
    for status, after, body in refused:
        assert status == 503 and 1 <= after <= 75
        assert body.startswith(b"WebSocket upgrade failed: rate_limited\n"), body
    assert len({after for _, after, _ in refused}) > 1, "not all at the same time"
    row = alb.failed_upgrades()[0]
    assert (row["reason"], row["status"], row["target"]) == ("rate_limited", 503, "")
    assert row["group"] == "app" and "websocket.upgrade_rate" in row["cure"]
    assert alb.metric(LIMITED) == len(refused)
    assert alb.metric('alb_upgrades_failed_total{reason="rate_limited"}') == len(refused)
    assert alb.metric("alb_requests_without_target_total") == 0
    wait_until(lambda: upgrade(alb)[0] == 101, "room again")


def test_all_loops_share_it(start_alb, start_target):
    alb = start_alb(ws_config(start_target(echo_script), workers=4, group="websocket.upgrade_rate = 20"))
    began = time.monotonic()
    got = [upgrade(alb, "http")[0] for _ in range(80)]
    took = time.monotonic() - began
    assert 20 <= got.count(101) <= 20 + 20 * took + 1


def test_alb_says_it_for_all_groups_and_a_group_for_itself(start_alb, start_target):
    app, other = start_target(echo_script), start_target(echo_script)
    alb = start_alb(ws_config(app, alb="websocket.upgrade_rate = 1",
                              more=other_group(other, "websocket.upgrade_rate = 0")))
    assert {upgrade(alb)[0] for _ in range(8)} == {101, 503}
    assert {upgrade(alb, path="/other")[0] for _ in range(8)} == {101}


def test_plain_requests_do_not_count(start_alb, start_target):
    alb = start_alb(ws_config(start_target(script), group="websocket.upgrade_rate = 1"))
    assert [alb.get()[0] for _ in range(10)] == [200] * 10
    assert upgrade(alb)[0] == 101
    assert upgrade(alb)[0] == 503
    assert alb.get()[0] == 200


def test_a_reload_changes_it(start_alb, start_target):
    config = ws_config(start_target(echo_script), group="websocket.upgrade_rate = 1")
    alb = start_alb(config)
    assert {upgrade(alb)[0] for _ in range(4)} == {101, 503}
    alb.configure(config.replace("upgrade_rate = 1", "upgrade_rate = 0"))
    alb.reload()
    assert {upgrade(alb)[0] for _ in range(20)} == {101}


def start_late(start_alb, start_target, rate):
    """alb, a warm target, and one that has just begun a slow start of 900 seconds."""
    warm, late = start_target(script), start_target(script)
    alb = start_alb(forward_config(
        warm, alb=f"websocket.upgrade_rate = {rate}",
        group="slow_start.duration_seconds = 900\nhealth_check.interval_seconds = 200ms\n"
              "health_check.timeout_seconds = 150ms\nhealth_check.healthy_threshold_count = 2\n"))

    def states():
        return [t["state"] for t in alb.status()["target_groups"][0]["targets"]]
    wait_until(lambda: states() == ["healthy"], "one")
    alb.command("register", "app", late.address)
    wait_until(lambda: states() == ["healthy", "healthy"], "both")
    return alb, warm, late


def upgrades(target):
    return len([head for head in target.seen if b"pgrade: websocket" in head])


def test_without_a_rate_it_takes_its_part_of_the_turns(start_alb, start_target):
    """Nobody is refused, also when only the slow one is left."""
    alb, warm, late = start_late(start_alb, start_target, 0)
    assert [upgrade(alb)[0] for _ in range(60)] == [101] * 60
    assert upgrades(late) <= 2
    alb.command("deregister", "app", warm.address)
    assert [upgrade(alb)[0] for _ in range(20)] == [101] * 20
    assert alb.metric(LIMITED) == 0


def test_a_target_that_starts_slowly_takes_its_part(start_alb, start_target):
    """Of 100 a second for two targets its part grows from 0 to 50 within 900 seconds."""
    alb, warm, late = start_late(start_alb, start_target, 100)
    assert [upgrade(alb)[0] for _ in range(40)] == [101] * 40
    assert upgrades(late) <= 2
    alb.command("deregister", "app", warm.address)
    got = [upgrade(alb) for _ in range(20)]
    assert len([g for g in got if g[0] == 503 and g[1] >= 1]) >= 17
    assert "all targets that could take it start slowly" in got[-1][2].decode()
    assert alb.failed_upgrades()[0]["reason"] == "rate_limited"
    assert alb.metric(LIMITED) >= 17
