"""Every row of corpus.py, in every mode: the status, one access log row with class and reason,
what reaches the target to the byte, and whether the connection is kept."""

import re

import pytest

from balancer import forward_config
from corpus import CORPUS
from harness import wait_until
from http_wire import read_response
from sockets import is_closed
from test_alb_smuggling_refused import RawTarget

MODES = ("monitor", "defensive", "strictest")
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
ADDED = re.compile(rb"X-Forwarded-Proto: http\r\nX-Forwarded-Port: \d+\r\n|"
                   rb"X-Amzn-Trace-Id: Root=[-0-9a-f]+\r\n|X-Forwarded-For: 127\.0\.0\.1\r\n|, 127\.0\.0\.1(?=\r\n)")


def said_by_client(data, alb, target):
    """Without what alb adds: its fields, the port behind a Host, the Host that was missing."""
    data = ADDED.sub(b"", data).replace(b"Host: %s\r\n" % target.address.encode(), b"Host: TARGET\r\n")
    return re.sub(rb"(\r\nHost: [^\r]*):%d\r\n" % alb.port(), rb"\1\r\n", data)


def in_mode(value, mode):
    return value[MODES.index(mode)] if isinstance(value, tuple) else value


def is_kept(raw, mode, class_, status):
    if status >= 400 or b"HTTP/1.0\r\n" in raw:
        return False
    return class_ != "Ambiguous" or mode == "monitor"


@pytest.mark.parametrize("mode", MODES)
def test_every_row_of_the_corpus(mode, start_alb, started):
    target = RawTarget()
    started.append(target)
    alb = start_alb(forward_config(target, alb=f"routing.http.desync_mitigation_mode = {mode}"))
    rows = 0

    for raw, class_, reason, statuses, reaches in CORPUS:
        status = in_mode(statuses, mode)
        target.got.clear()
        with alb.connect() as sock:
            sock.sendall(raw)
            got = read_response(sock, to_head=raw.startswith(b"HEAD"))
            assert got.status == status, (raw, got.head)
            if is_kept(raw, mode, class_, status):
                sock.sendall(NEXT)
                assert read_response(sock).status == 200, raw
                rows += 1
                wait_until(lambda: len(target.got) == 2, f"the next request behind {raw}")
            else:
                assert got.rest == b"" and is_closed(sock), raw
        seen = [said_by_client(data, alb, target) for data in target.got]
        assert seen[:1] == ([in_mode(reaches, mode)] if status < 400 else []), raw
        rows += 1
    wait_until(lambda: len(alb.access_rows()) >= rows, "all rows")
    check_rows(alb.access_rows(), mode)


def check_rows(rows, mode):
    """One for each request, in order, with the class and reason, and why it was refused."""
    of_corpus = iter(row for row in rows if "/next" not in row)
    for raw, class_, reason, statuses, _reaches in CORPUS:
        status = in_mode(statuses, mode)
        row = next(of_corpus)
        fields = re.findall(r'"[^"]*"|[^" ]+', row)
        assert (fields[8], fields[27], fields[28]) == (str(status), f'"{class_}"', f'"{reason}"'), (raw, row)
        assert status < 400 or re.search(r' end="[^"]+"', row), (raw, row)
    assert next(of_corpus, None) is None
