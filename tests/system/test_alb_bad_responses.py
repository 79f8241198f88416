"""Every row of corpus_responses.py, in every mode: what the client gets, one access log row with
the reason, and no target's connection used again of which anything is in doubt."""

import os
import re

import pytest

from balancer import forward_config
from corpus_responses import CUT_SHORT, ENDED, PASSED, PLAIN, REFUSED
from harness import wait_until
from http_wire import read_head, read_response, request
from scripted_target import answer
from sockets import is_closed, read_until_close

MODES = ("monitor", "defensive", "strictest")
pytestmark = pytest.mark.parametrize("mode", MODES)


class Says:
    """A target's script: to /N it says `rows[N]`, to anything else it answers well. Then it
    closes, or keeps the connection, or waits for alb to close it (and notes that)."""

    def __init__(self, rows, then="wait"):
        self.rows, self.then, self.let_go = rows, then, []

    def __call__(self, sock, head, rest):
        row = re.match(rb"\w+ /(\d+) ", head)
        if not row:
            return answer()(sock, head, rest)
        try:
            sock.sendall(self.rows[int(row[1])])
        except ConnectionError:
            pass  # refused before it was all said
        if self.then == "wait":
            is_closed(sock)
            self.let_go.append(row[1])
        return self.then == "keep"


@pytest.fixture
def start(mode, start_alb, start_target):
    """start(script) -> (alb, target); a request is never sent twice."""
    def start(script):
        target = start_target(script)
        return start_alb(forward_config(
            target, alb=f"routing.http.desync_mitigation_mode = {mode}",
            group="health_check.enabled = false\nretry.max = 0")), target
    return start


def fields_of(row):
    return re.findall(r'"[^"]*"|[^" ]+', row)


def check_rows(alb, expected):
    """One for each in order: fields 9 and 10, no class (that is for requests), the reason. The log
    is written now and then, so all are looked at together."""
    def rows_of_table():
        rows = [row for row in alb.access_rows() if "/next HTTP/1.1" not in row]
        return rows if len(rows) == len(expected) else None
    rows = wait_until(rows_of_table, "one row for each")
    for row, (number, *statuses, why) in zip(rows, expected):
        fields = fields_of(row)
        assert f"/{number} HTTP/1.1" in row
        assert [fields[i] for i in (8, 9, 27, 28)] == [*statuses, '"-"', '"-"'], row
        assert re.findall(r' end="([^"]*)"', row) == ([why] if why else []), row


def descriptors(alb):
    return len(os.listdir(f"/proc/{alb.pid}/fd"))


def check_nothing_is_left(alb, before):
    """No connection but the one that the last good answer came over."""
    def quiet():
        outstanding = [t["outstanding"] for g in alb.status()["target_groups"] for t in g["targets"]]
        return (alb.metric("alb_connections_open") == 0 and outstanding == [0] and
                descriptors(alb) <= before + 1)
    wait_until(quiet, "everything to be let go")


def fetch(alb, number, method="GET"):
    with alb.connect() as sock:
        sock.sendall(request(method, f"/{number}"))
        got = read_response(sock, to_head=method == "HEAD")
        assert got.rest == b"" and (got.status != 502 or is_closed(sock)), number
        return got


def test_what_is_no_response_is_a_502(start):
    script = Says([raw for raw, _ in REFUSED])
    alb, target = start(script)
    before = descriptors(alb)

    for i, (raw, why) in enumerate(REFUSED):
        got = fetch(alb, i)
        assert got.status == 502 and got.values("Server") == ["awselb/2.0"], raw[:200]
        assert alb.get("/next")[2] == b"ok", raw[:200]
        assert target.connections == i + 2, "each one let go, and a new one for the next request"
    wait_until(lambda: len(script.let_go) == len(REFUSED), "the target's connections to be closed")
    check_rows(alb, [(i, "502", "-", why) for i, (_, why) in enumerate(REFUSED)])
    check_nothing_is_left(alb, before)


def test_a_body_that_goes_wrong_is_cut_short(start):
    script = Says([raw for raw, _, _ in CUT_SHORT])
    alb, target = start(script)
    before = descriptors(alb)

    for i, (raw, body, why) in enumerate(CUT_SHORT):
        assert read_broken(alb, i) == body, raw[:200]
        assert alb.get("/next")[2] == b"ok", raw[:200]
        assert target.connections == i + 2, raw[:200]
    wait_until(lambda: len(script.let_go) == len(CUT_SHORT), "the target's connections to be closed")
    check_rows(alb, [(i, "502", "200", why) for i, (_, _, why) in enumerate(CUT_SHORT)])
    check_nothing_is_left(alb, before)


def test_a_target_that_ends_within_its_response(start):
    alb, target = start(Says([raw for raw, _ in ENDED], then="close"))
    before = descriptors(alb)

    for i, (raw, gets) in enumerate(ENDED):
        if gets == 502:
            assert fetch(alb, i).status == 502, raw
        else:
            assert read_broken(alb, i) == gets, raw
        assert alb.get("/next")[2] == b"ok", raw
        assert target.connections == i + 2, raw
    check_rows(alb, [(i, "502", "-", "target closed without an answer") if gets == 502 else
                     (i, "502", "200", "target closed within the response")
                     for i, (_, gets) in enumerate(ENDED)])
    check_nothing_is_left(alb, before)


def read_broken(alb, number):
    """The body of a response that breaks off, checked to be one that nobody takes for whole."""
    with alb.connect() as sock:
        sock.sendall(request(path=f"/{number}"))
        head, rest = read_head(sock)
        assert head.startswith(b"HTTP/1.1 200 "), head
        data = rest + read_until_close(sock)
    if b"Transfer-Encoding: chunked\r\n" not in head:
        assert len(data) < int(re.search(rb"Content-Length: (\d+)", head)[1])
        return data
    chunks = re.fullmatch(rb"(?:([0-9a-f]+)\r\n(.*)\r\n)?", data, re.DOTALL)
    assert chunks and (not data or int(chunks[1], 16) == len(chunks[2]) > 0), data
    return chunks[2] or b""


def test_what_has_one_meaning_passes_and_what_is_in_doubt_is_not_kept(start):
    alb, target = start(Says([raw for _, raw, _, _, _ in PASSED], then="keep"))
    before = descriptors(alb)
    connections = 1

    for i, (method, raw, status, body, kept) in enumerate(PASSED):
        got = fetch(alb, i, method)
        assert (got.status, got.body) == (status, body), raw
        assert not got.values("Transfer-Encoding") or not got.values("Content-Length"), raw
        assert alb.get("/next")[2] == b"ok", raw
        connections += not kept
        assert target.connections == connections, raw
    check_rows(alb, [(i, str(row[2]), str(row[2]), None) for i, row in enumerate(PASSED)])
    suspects = sum(not kept for *_, kept in PASSED)
    assert alb.metric("alb_desync_suspects_total") == suspects
    check_nothing_is_left(alb, before)


def test_silence_is_a_504_and_its_connection_is_not_used_again(mode, start_alb, start_target):
    """Before, within and behind the head; all at a time, for the idle timeout passes for each."""
    script = Says([b"", PLAIN[:20], PLAIN[:-1]])
    target = start_target(script)
    alb = start_alb(forward_config(target, alb="idle_timeout.timeout_seconds = 1\n"
                                   f"routing.http.desync_mitigation_mode = {mode}"))

    socks = [alb.connect() for _ in script.rows]
    for i, sock in enumerate(socks):
        sock.sendall(request(path=f"/{i}"))
    for sock in socks[:2]:
        assert read_response(sock).status == 504 and is_closed(sock)
    assert read_until_close(socks[2]).endswith(b"\r\n\r\no")
    wait_until(lambda: len(script.let_go) == 3, "the target's connections to be closed")
    assert alb.get("/next")[2] == b"ok" and target.connections == 4
    assert alb.stop() == 0
    ends = sorted((row.split(" ")[8:10], re.findall('end="([^"]*)"', row)) for row in alb.access_rows())
    nothing = (["504", "-"], ["target did not answer within the idle timeout"])
    assert ends == [(["200", "200"], []), nothing, nothing,
                    (["504", "200"], ["idle timeout within the response"])]
