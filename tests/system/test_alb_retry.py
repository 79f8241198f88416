"""A request that a target did not answer at all goes to another one, if it may be sent twice."""

import pytest

from balancer import forward_config
from harness import free_port
from http_wire import read_head, request
from scripted_target import answer
from ws_wire import upgrade_request

OFF = "health_check.enabled = false\n"


def close_at_once(_sock, _head, _rest):
    return False


def one_byte(sock, _head, _rest):
    sock.sendall(b"H")
    return False


def retries(alb, outcome="sent"):
    return alb.metric(f'alb_retries_total{{target_group="app",outcome="{outcome}"}}')


def ask(alb, text):
    with alb.connect() as s:
        s.sendall(text)
        return read_head(s)[0].split(b"\r\n")[0]


def statuses(alb, count=6, method="GET", body=None):
    return [alb.get(method=method, body=body)[0] for _ in range(count)]


def test_a_refused_connection(start_alb, start_target):
    good = start_target(answer(b"good"))
    bad = f"127.0.0.1:{free_port()}"
    alb = start_alb(forward_config(bad, good, group=OFF))

    assert statuses(alb) == [200] * 6
    assert retries(alb) == 3
    row = alb.access_row(" 200 200 ")
    assert row.split()[4] == good.address
    assert alb.metric("alb_requests_total") == 6
    assert alb.metric(f'alb_target_connection_errors_total{{target_group="app",target="{bad}"}}') == 3


def test_a_unix_socket_that_is_not_there(start_alb, start_target, tmp_path):
    alb = start_alb(forward_config(f"unix:{tmp_path}/none", start_target(), group=OFF))

    assert statuses(alb) == [200] * 6
    assert retries(alb) == 3


@pytest.mark.parametrize("text, may", [
    (request("GET"), True), (request("HEAD"), True), (request("DELETE"), True),
    (request("POST"), False), (request("PATCH"), False), (request("PUT", body=b"x"), False),
    (upgrade_request(), True),
], ids=lambda v: v.split(b"\r\n")[0].decode() if isinstance(v, bytes) else str(v))
def test_what_may_be_sent_twice(start_alb, start_target, text, may):
    bad, good = start_target(close_at_once), start_target(answer(b""))
    alb = start_alb(forward_config(bad, good, group=OFF))

    lines = [ask(alb, text), ask(alb, text)]
    assert sum(b" 502" in line for line in lines) == (0 if may else 1)
    assert len(bad.seen) == 1 and len(good.seen) == (2 if may else 1)
    assert retries(alb) == (1 if may else 0)


def test_a_byte_of_an_answer_is_an_answer(start_alb, start_target):
    alb = start_alb(forward_config(start_target(one_byte), start_target(), group=OFF))

    assert sorted(statuses(alb, 4)) == [200, 200, 502, 502]
    assert retries(alb) == 0


def test_only_so_many_tries(start_alb, start_target):
    bad = [start_target(close_at_once) for _ in range(3)]
    alb = start_alb(forward_config(*bad, group=OFF + "retry.max = 1\n"))
    assert alb.get()[0] == 502
    assert [len(t.seen) for t in bad] == [1, 1, 0]
    assert 'end="target closed without an answer"' in alb.access_row(" 502 ")

    alb.configure(forward_config(*bad, group=OFF + "retry.max = 3\n"))
    alb.reload()
    before = sum(len(t.seen) for t in bad)
    assert alb.get()[0] == 502
    assert sum(len(t.seen) for t in bad) - before == 3  # each once
    assert retries(alb, "no_target") == 1


def dead_when_kept(sock, head, _rest):
    """It answers, and at the next request it closes the kept connection without a word."""
    if b"second" in head:
        return False
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    return True


@pytest.mark.parametrize("profile, status, sent", [("postern", 502, 3), ("aws", 502, 2)])
def test_a_kept_connection_that_is_closed(start_alb, start_target, profile, status, sent):
    """Once more to the same target, over a fresh one; not in profile aws."""
    target = start_target(dead_when_kept)
    alb = start_alb(forward_config(target, group=OFF, alb=f"profile = {profile}\n"))

    assert alb.get()[0] == 200
    assert alb.get("/second")[0] == status
    assert len(target.seen) == sent


def test_none_in_profile_aws(start_alb, start_target):
    bad = f"127.0.0.1:{free_port()}"
    alb = start_alb(forward_config(bad, start_target(), group=OFF, alb="profile = aws\n"))

    assert sorted(statuses(alb, 4)) == [200, 200, 502, 502]
    assert retries(alb) == 0


def test_it_follows_the_cookie_to_the_new_target(start_alb, start_target):
    good = start_target(answer(b"good"))
    script = [answer(b"bad")]
    bad = start_target(lambda *request: script[0](*request))
    alb = start_alb(forward_config(bad, good, group=OFF + "stickiness.enabled = true\n"))
    cookie = next(c for _, h, b in (alb.get() for _ in range(2)) if b == b"bad"
                  for c in [h["Set-Cookie"].split(";")[0]])

    script[0] = close_at_once
    status, headers, body = alb.get(headers={"Cookie": cookie})
    assert (status, body) == (200, b"good")
    moved = headers["Set-Cookie"].split(";")[0]
    assert alb.get(headers={"Cookie": moved})[2] == b"good"
