"""An upgrade that a target does not answer, or answers with 502 or 503, goes to another one; the
client gets its 101 and learns nothing of it."""

import pytest

from harness import free_port, wait_until
from http_wire import read_response
from scripted_target import answer
from sockets import is_closed
from ws_peers import BOTH, TEXT, Client, Upgraded, connect, ws_config
from ws_wire import upgrade_request


def hang_up(_sock, _head, _rest):
    return False


def half_a_head(sock, _head, _rest):
    sock.sendall(b"HTTP/1.1 503 Ser")
    return False


def in_pieces(sock, _head, _rest):
    for piece in (b"HTTP/1.1 50", b"3 No\r\nContent-Len", b"gth: 4\r\n\r\nno", b"pe"):
        sock.sendall(piece)
    return True


def hints_and_503(sock, head, rest):
    sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    return answer(b"nope", "503 No")(sock, head, rest)


def bad_accept(sock, _head, _rest):
    sock.sendall(b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                 b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n")
    return False


# what the first target does, whether another one gets the upgrade, else the status
FIRST = [
    ("hangs up", hang_up, True, None),
    ("503", answer(b"nope", "503 No"), True, None),
    ("502", answer(b"nope", "502 No"), True, None),
    ("503 in pieces", in_pieces, True, None),
    ("503 with a large body", answer(b"n" * 300000, "503 No"), True, None),
    ("503 after a hint", hints_and_503, True, None),
    ("500", answer(b"nope", "500 No"), False, 500),
    ("504", answer(b"nope", "504 No"), False, 504),
    ("429", answer(b"nope", "429 No"), False, 429),
    ("half a head", half_a_head, False, 502),
    ("a bad accept", bad_accept, False, 502),
]


def retries(alb, outcome="sent"):
    return alb.metric(f'alb_retries_total{{target_group="app",outcome="{outcome}"}}')


def ask(alb, listener="http"):
    with connect(alb, listener) as sock:
        sock.sendall(upgrade_request())
        response = read_response(sock)
        assert is_closed(sock)
    return response


@pytest.mark.parametrize("first, moves, status", [row[1:] for row in FIRST],
                         ids=[row[0] for row in FIRST])
def test_what_the_first_target_does(start_alb, start_target, first, moves, status):
    """Round robin begins with either: of two upgrades one meets the bad target first."""
    bad, good = start_target(first), start_target(Upgraded())
    alb = start_alb(ws_config(bad, good))
    seen = []
    for _ in range(2):
        with connect(alb) as sock:
            sock.sendall(upgrade_request())
            seen.append(sock.recv(13))
    refused = [line for line in seen if not line.startswith(b"HTTP/1.1 101 ")]
    assert len(bad.seen) == 1 and len(good.seen) == (2 if moves else 1)
    assert refused == ([] if moves else [b"HTTP/1.1 %d " % status])
    assert retries(alb) == (1 if moves else 0)
    assert alb.metric('alb_websocket_upgrades_total{outcome="failed"}') == len(refused)
    assert len(alb.failed_upgrades()) == len(refused)


@pytest.mark.parametrize("listener", BOTH)
def test_a_refused_connection(start_alb, start_target, listener):
    good = start_target(Upgraded())
    alb = start_alb(ws_config(f"127.0.0.1:{free_port()}", good))
    for _ in range(4):
        with Client(alb, listener) as client:
            origin = good.script.take()
            client.send(TEXT, b"hi")
            assert origin.receive() == (TEXT, True, b"hi")
            origin.send(TEXT, b"ho")
            assert client.receive() == (TEXT, True, b"ho")
            origin.close()
    assert retries(alb) == 2
    assert alb.metric('alb_websocket_upgrades_total{outcome="opened"}') == 4


def test_what_was_said_early_arrives_behind_the_101(start_alb, start_target):
    good = start_target(Upgraded())
    alb = start_alb(ws_config(f"127.0.0.1:{free_port()}", good))
    for _ in range(2):
        with connect(alb) as sock:
            sock.sendall(upgrade_request() + b"\x81\x82\x00\x00\x00\x00hi")
            origin = good.script.take()
            assert origin.receive() == (TEXT, True, b"hi")
            origin.close()


def test_the_log_names_the_target_that_answered(start_alb, start_target):
    bad, good = start_target(answer(b"nope", "503 No")), start_target(Upgraded())
    alb = start_alb(ws_config(bad, good))
    for _ in range(2):
        with Client(alb):
            good.script.take().close()
    wait_until(lambda: len(alb.access_rows()) == 2, "both rows")
    for row in alb.access_rows():
        assert row.split()[4] == good.address and " 101 101 " in row, row
    assert alb.metric(f'alb_target_responses_total{{target_group="app",target="{bad.address}",'
                      'code="5xx"}') == 1, "what it said still counts"


def test_without_another_target_the_503_is_the_answer(start_alb, start_target):
    target = start_target(answer(b"theirs", "503 No", b"Retry-After: 7\r\n"))
    alb = start_alb(ws_config(target))
    response = ask(alb)
    assert (response.status, response.body) == (503, b"theirs")
    assert response.values("Retry-After") == ["7"]
    assert len(target.seen) == 1 and retries(alb, "no_target") == 1
    assert alb.failed_upgrades()[0]["reason"] == "target_status"


def test_when_the_other_target_is_not_there(start_alb, start_target):
    bad = start_target(answer(b"theirs", "503 No"))
    alb = start_alb(ws_config(bad, f"127.0.0.1:{free_port()}"))
    responses = [ask(alb) for _ in range(2)]
    assert sorted(r.status for r in responses) == [502, 503]
    assert sorted(r["reason"] for r in alb.failed_upgrades()) == ["target_status",
                                                                  "target_unreachable"]


def test_each_target_once_and_the_last_answer_counts(start_alb, start_target):
    bad = [start_target(answer(str(i).encode(), "503 No")) for i in range(5)]
    alb = start_alb(ws_config(*bad, group="retry.max = 3"))
    response = ask(alb)
    assert response.status == 503
    assert sorted(len(t.seen) for t in bad) == [0, 1, 1, 1, 1]
    assert len(alb.failed_upgrades()) == 1, "one upgrade, one failure"


def two_status_lines(alb):
    lines = []
    for _ in range(2):
        with connect(alb) as sock:
            sock.sendall(upgrade_request())
            lines.append(sock.recv(12))
    return sorted(lines)


@pytest.mark.parametrize("config", [{"group": "retry.max = 0"}, {"alb": "profile = aws"}])
def test_none_where_there_are_no_retries(start_alb, start_target, config):
    bad, good = start_target(answer(b"nope", "503 No")), start_target(Upgraded())
    alb = start_alb(ws_config(bad, good, **config))
    assert two_status_lines(alb) == [b"HTTP/1.1 101", b"HTTP/1.1 503"]
    assert retries(alb) == 0


def test_a_silent_target_is_waited_for(start_alb, start_target):
    """It may be at work on it."""
    silent = start_target(lambda sock, _head, _rest: sock.recv(1) and False)
    good = start_target(Upgraded())
    alb = start_alb(ws_config(silent, good, alb="idle_timeout.timeout_seconds = 1"))
    assert two_status_lines(alb) == [b"HTTP/1.1 101", b"HTTP/1.1 504"]


def test_a_503_of_a_plain_request_is_an_answer(start_alb, start_target):
    bad = start_target(answer(b"nope", "503 No"))
    alb = start_alb(ws_config(bad, bad.address.replace("127.0.0.1", "127.0.0.2")))
    assert alb.get()[0] == 503
    assert retries(alb) == 0
