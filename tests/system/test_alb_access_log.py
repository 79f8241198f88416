"""The access log: its file, and the fields of a row."""

import datetime
import re
import shlex
import signal
import time

import pytest

from balancer import forward_config
from harness import wait_until
from http_wire import ask, read_head, request
from scripted_target import answer
from sockets import is_closed
from ws_wire import echo_script, frame, read_frame, upgrade_request


def test_the_fields_of_a_row(start_alb, start_target):
    target = start_target(answer(b"hello"))
    alb = start_alb(forward_config(target, alb="name = app/test/1"))

    data = request("POST", "/a?b=c", fields=b"User-Agent: me \\ \"x\"\r\n", body=b"12345")
    got = ask(alb, data)
    row = alb.access_row("/a?b=c")
    f = shlex.split(row, posix=False)
    assert f[0] == "http" and f[2] == "app/test/1"
    assert f[3].startswith("127.0.0.1:")
    assert f[4] == target.address
    assert all(re.fullmatch(r"\d+\.\d{3}", x) for x in f[5:8]), f[5:8]
    assert f[8:10] == ["200", "200"]
    assert (int(f[10]), int(f[11])) == (len(data), len(got.head) + len(got.body))
    assert f[12] == f'"POST http://localhost:{alb.port()}/a?b=c HTTP/1.1"'
    assert "app" in row and "Root=1-" in row and "TID_" in row


@pytest.mark.parametrize("version", ("1.0", "1.1", "1.2", "1.9"))
def test_the_version_is_what_was_said(version, start_alb, start_target):
    """1.2 to 1.9 are served as 1.1, which the target is told."""
    target = start_target(answer(b"hello"))
    alb = start_alb(forward_config(target))

    ask(alb, f"GET /v HTTP/{version}\r\nHost: a\r\n\r\n".encode())
    assert f'"GET http://a:{alb.port()}/v HTTP/{version}"' in alb.access_row("/v")
    assert target.seen[0].startswith(b"GET /v HTTP/1.1\r\n")


SLOW_S = 0.25


def slowly(script):
    def slow(*args):
        time.sleep(SLOW_S)
        return script(*args)
    return slow


def test_the_times_of_a_row(start_alb, start_target):
    alb = start_alb(forward_config(start_target(slowly(answer()))))

    began = time.monotonic()
    alb.get("/slow")
    at_most = time.monotonic() - began
    until_sent, until_answered, until_begun = map(float, alb.access_row("/slow").split(" ")[5:8])
    assert SLOW_S - 0.001 <= until_answered <= at_most
    assert until_sent + until_answered + until_begun <= at_most
    counted = alb.metric("alb_group_response_time_seconds_sum")
    assert abs(counted - until_answered) <= 0.001


def test_the_times_of_a_websocket(start_alb, start_target):
    """Field 7 is the time until the 101; field 22 is its beginning and field 2 its end."""
    alb = start_alb(forward_config(start_target(slowly(echo_script))))

    with alb.connect() as sock:
        asked = time.monotonic()
        sock.sendall(upgrade_request("/ws"))
        read_head(sock)
        time.sleep(SLOW_S)
        sock.sendall(frame(8))
        read_frame(sock)
        is_closed(sock)
        lived = time.monotonic() - asked
    row = alb.access_row("/ws")
    until_sent, until_answered, until_begun = map(float, row.split(" ")[5:8])
    ended, began = map(datetime.datetime.fromisoformat, re.findall(r" (\d{4}-\S{21})Z", row))
    assert SLOW_S - 0.001 <= until_answered and max(until_sent, until_begun) < SLOW_S
    took = (ended - began).total_seconds()
    assert until_answered + SLOW_S - 0.002 <= took <= lived + 0.01


def test_a_client_cannot_forge_a_row(start_alb, start_target):
    alb = start_alb(forward_config(start_target()))

    ask(alb, request(path='/"a', fields=b'User-Agent: x" 200 "\xff\r\n'))
    alb.get("/last")
    alb.access_row("/last")
    rows = alb.access_rows()
    assert len(rows) == 2
    assert '"x" 200' not in rows[0]
    assert r'"x\x22 200 \x22\xFF"' in rows[0]


def test_sigusr1_follows_a_rename(start_alb, start_target):
    alb = start_alb(forward_config(start_target()))

    alb.get("/one")
    alb.access_row("/one")
    old = alb.access_path.with_suffix(".1")
    alb.access_path.rename(old)
    alb.get("/two")
    wait_until(lambda: "/two" in old.read_text(), "the row in the renamed file")
    alb.signal(signal.SIGUSR1)
    wait_until(alb.access_path.exists, "the new file")
    alb.get("/three")
    assert alb.access_row("/three")
    assert "/three" not in old.read_text()


def test_no_row_is_lost_at_the_end(start_alb, start_target):
    alb = start_alb(forward_config(start_target()))

    for i in range(50):
        alb.get(f"/n{i}")
    assert alb.stop() == 0
    assert len(alb.access_rows()) == 50
