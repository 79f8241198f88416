"""`alb upgrade`: what has been is known to the process that takes over, too."""

from harness import wait_until
from http_wire import ask
from test_ws_records_ends import PEERS
from ws_peers import BOTH, Upgraded, all_closed, open_tunnel, ws_config
from ws_wire import upgrade_request


def upgrade(alb):
    code, text = alb.upgrade()
    assert code == 0, text + alb.log()


def end(alb, target, how, listener="http"):
    """One more record."""
    before = alb.closed()["all"]
    client, origin = open_tunnel(alb, target, listener)
    with all_closed([client, origin]):
        PEERS[how][0](client, origin)
    wait_until(lambda: alb.closed()["all"] == before + 1, "its record")


def fail(alb, n):
    """One more upgrade that fails, each for a reason of its own."""
    fields = (b"Sec-WebSocket-Protocol: ,\r\n", b"Sec-WebSocket-Key: two\r\n", b"Via: x\r\n")[n % 3]
    data = upgrade_request(f"/failed/{n}", fields).replace(b"Version: 13", b"Version: 12")
    assert ask(alb, data).status >= 400


def rows(alb):
    return alb.closed(order="asc")["closed"]


def test_close_records_go_along(start_alb, target):
    """Over a chain of processes, row by row, whatever is in it."""
    alb = start_alb(ws_config(target))
    for how in PEERS:
        for listener in BOTH:
            end(alb, target, how, listener)
    known = rows(alb)
    assert len(known) == 2 * len(PEERS)
    for n in range(3):
        upgrade(alb)
        wait_until(lambda: len(rows(alb)) >= len(known), "what has been to come")
        assert rows(alb) == known
        end(alb, target, "closed by client")
        known = rows(alb)
        assert len(known) == 2 * len(PEERS) + n + 1
    assert alb.closed(by="target")["matched"] == 2 * sum(by == "target" for _, by, _ in PEERS.values())


def test_a_listener_and_a_target_that_are_gone_are_named(start_alb, start_target, target):
    other = start_target(Upgraded())
    more = "[listener second]\nbind = 127.0.0.1:0\ndefault_action = forward app\n"
    alb = start_alb(ws_config(target, more=more))
    end(alb, target, "closed by client", "second")
    known = rows(alb)
    assert (known[0]["listener"], known[0]["target"]) == ("second", target.address)
    alb.configure(ws_config(other))
    for _ in range(2):
        upgrade(alb)
        wait_until(lambda: rows(alb) == known, "the record")


def test_what_ends_in_the_old_process_is_told_by_the_new_one(start_alb, target):
    alb = start_alb(ws_config(target))
    tunnels = [open_tunnel(alb, target, "https") for _ in range(3)]
    upgrade(alb)
    upgrade(alb)  # two of them in a chain
    first = alb.before[0]
    for n, (client, origin) in enumerate(tunnels):
        client.send_close(4000 + n)
        origin.receive_close()
        origin.close()
        client.close()
        wait_until(lambda: alb.closed()["all"] == n + 1, "its record")
        assert alb.closed()["closed"][0]["from_client"]["close_code"] == 4000 + n
    wait_until(lambda: first.poll() is not None, "the first process to end")
    assert len(rows(alb)) == len(tunnels)


def test_an_old_process_tells_before_it_is_stopped(start_alb, target):
    """By hand, before its tunnels have ended by themselves."""
    alb = start_alb(ws_config(target, stop="300ms", alb="websocket.drain_close = cut"))
    with all_closed(sum([list(open_tunnel(alb, target, "https")) for _ in range(3)], [])):
        upgrade(alb)
        old = alb.before[0]
        old.terminate()
        wait_until(lambda: old.poll() is not None, "it to end")
        wait_until(lambda: alb.closed()["all"] == 3, "the records")
        assert {row["end"] for row in rows(alb)} == {"shutdown"}


def test_failed_upgrades_go_along(start_alb, start_target):
    refusing = start_target()  # answers 200
    alb = start_alb(ws_config(refusing, workers=2))
    n = 0
    for _ in range(3):
        for _ in range(5):
            fail(alb, n)
            n += 1
        assert ask(alb, upgrade_request(f"/refused/{n}")).status >= 200
        n += 1
        known = alb.failed_upgrades()
        upgrade(alb)
        wait_until(lambda: len(alb.failed_upgrades()) == n, "what has been to come")
        assert alb.failed_upgrades() == known
    assert {row["target"] for row in alb.failed_upgrades()} == {"", refusing.address}
