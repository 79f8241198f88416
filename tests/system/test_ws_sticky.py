"""A sticky group sets its cookies on the 101, and an upgrade that brings them finds its target."""

import pytest

from http_wire import ask, request, values
from ws_peers import BOTH, Client, Upgraded, ws_config

STICKY = "stickiness.enabled = true\n"


def cookies(head):
    """The Cookie field that a browser sends after this head."""
    pairs = [v.split(";")[0] for v in values(head, "Set-Cookie")]
    return b"Cookie: " + "; ".join(pairs).encode() + b"\r\n" if pairs else b""


def tunnels(targets):
    return [len(t.seen) for t in targets]


@pytest.mark.parametrize("listener", BOTH)
def test_the_101_sets_the_cookies_that_lead_back(start_alb, start_target, listener):
    targets = [start_target(Upgraded()) for _ in range(3)]
    alb = start_alb(ws_config(*targets, group=STICKY, workers=2))
    first = Client(alb, listener)
    names = [v.split("=")[0] for v in values(first.head, "Set-Cookie")]
    assert names == ["AWSALB", "AWSALBCORS"]
    for _ in range(6):
        again = Client(alb, listener, fields=cookies(first.head))
        assert values(again.head, "Set-Cookie"), "renewed on each"
    assert sorted(tunnels(targets)) == [0, 0, 7]


def test_the_cookie_of_a_plain_response_leads_the_upgrade(start_alb, start_target):
    upgraded = Upgraded()

    def script(sock, head, rest):
        if b"websocket" in head:
            return upgraded(sock, head, rest)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        return True
    targets = [start_target(script) for _ in range(2)]
    alb = start_alb(ws_config(*targets, group=STICKY))
    page = ask(alb, request())
    for _ in range(5):
        Client(alb, fields=cookies(page.head))
    assert sorted(tunnels(targets)) == [0, 6]


def test_without_stickiness_there_is_no_cookie(start_alb, start_target):
    targets = [start_target(Upgraded()) for _ in range(2)]
    alb = start_alb(ws_config(*targets))
    for _ in range(4):
        assert not values(Client(alb).head, "Set-Cookie")
    assert tunnels(targets) == [2, 2]


def test_a_cookie_of_a_target_that_left_is_replaced(start_alb, start_target):
    targets = [start_target(Upgraded()) for _ in range(2)]
    alb = start_alb(ws_config(*targets, group=STICKY))
    first = Client(alb)
    left, stays = targets if targets[0].seen else reversed(targets)
    alb.configure(ws_config(stays, group=STICKY))
    alb.reload()
    second = Client(alb, fields=cookies(first.head))
    assert cookies(second.head) not in (b"", cookies(first.head))
    assert (len(left.seen), len(stays.seen)) == (1, 1)
