"""Malformed chunks and trailers, in every mode: 400, one row with a reason, both connections end,
and no end of a body reaches the target. What is well formed reaches it in our own chunks."""

import pytest

from balancer import forward_config
from harness import wait_until
from http_wire import read_response
from sockets import is_closed
from test_alb_smuggling_refused import HIDDEN, RawTarget

HEAD = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
WHY = 'end="malformed chunk in the request body"'

FIRST = b"3\r\nabc\r\n"


class Target(RawTarget):
    """Counts the requests of which the first chunk has come."""

    begun = 0

    def _is_whole(self, data):
        self.begun += data.endswith(FIRST)
        return RawTarget._is_whole(data)


BAD = {
    "blank behind the size": b"5 \r\nhello\r\n0\r\n\r\n",
    "blank before the size": b" 5\r\nhello\r\n0\r\n\r\n",
    "tab behind the size": b"5\t\r\nhello\r\n0\r\n\r\n",
    "words behind the size": b"5 junk\r\nhello\r\n0\r\n\r\n",
    "0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "minus": b"-1\r\nhello\r\n0\r\n\r\n",
    "underscore": b"1_0\r\nhello\r\n0\r\n\r\n",
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "only an extension": b";a\r\nhello\r\n0\r\n\r\n",
    "2 to the 64": b"10000000000000000\r\nhello\r\n0\r\n\r\n",
    "22 digits": b"0000000000000000000005\r\nhello\r\n0\r\n\r\n",
    "bare LF behind the size": b"5\nhello\r\n0\r\n\r\n",
    "bare CR behind the size": b"5\rXhello\r\n0\r\n\r\n",
    "bare LF in an extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "bare CR in an extension": b"5;a=b\r\rXXX\r\nhello\r\n0\r\n\r\n",
    "NUL in an extension": b"5;a\0\r\nhello\r\n0\r\n\r\n",
    "blank in an extension": b"5;a b\r\nhello\r\n0\r\n\r\n",
    "long extension": b"5;" + b"a" * 300 + b"\r\nhello\r\n0\r\n\r\n",
    "two bytes behind the data": b"5\r\nhelloXX0\r\n\r\n",
    "bare LF behind the data": b"5\r\nhello\n0\r\n\r\n",
    "nothing behind the data": b"5\r\nhello0\r\n\r\n",
    "bare LF at the end": b"5\r\nhello\r\n0\n\n",
    "CR and another byte at the end": b"5\r\nhello\r\n0\r\n\rX",
    "trailer without a colon": b"0\r\nnonsense\r\n\r\n",
    "trailer without a name": b"0\r\n: a\r\n\r\n",
    "trailer with a blank before the colon": b"0\r\nX : a\r\n\r\n",
    "folded trailer": b"0\r\nX: a\r\n b\r\n\r\n",
    "bare LF in a trailer": b"0\r\nX: a\n\r\n",
    "bare CR in a trailer": b"0\r\nX: a\rb\r\n\r\n",
    "NUL in a trailer": b"0\r\nX: \0\r\n\r\n",
    "endless trailers": b"0\r\n" + b"X: aaaaaaaa\r\n" * 2000 + b"\r\n",
}

GOOD = {
    "extensions": b"5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n",
    "leading zeros": b"0005\r\nhello\r\n000\r\n\r\n",
    "trailers": b"5\r\nhello\r\n0\r\nX-T: a\r\n\r\n",
    "trailers that would change the framing":
        b"5\r\nhello\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n"
        b"X-Forwarded-For: 6.6.6.6\r\nHost: b\r\n\r\n",
}


@pytest.mark.parametrize("mode", ("monitor", "defensive", "strictest"))
def test_every_bad_body(mode, start_alb, started):
    target = Target()
    started.append(target)
    alb = start_alb(forward_config(target, alb=f"routing.http.desync_mitigation_mode = {mode}"))

    for name, body in BAD.items():
        begun = target.begun
        with alb.connect() as sock:
            sock.sendall(HEAD + FIRST)
            wait_until(lambda: target.begun > begun, "the target to have a part of the body")
            sock.sendall(body + HIDDEN)
            got = read_response(sock)
            assert got.status == 400 and got.rest == b"", name
            assert is_closed(sock), name
    wait_until(lambda: len(target.got) == len(BAD), "the target to see the end of each")
    for data in target.got:
        assert FIRST in data and not data.endswith(b"0\r\n\r\n") and b"hidden" not in data, data
    wait_until(lambda: len(alb.access_rows()) == len(BAD), "one row for each")
    assert all(WHY in row and " 400 " in row for row in alb.access_rows())

    for name, body in GOOD.items():
        target.got.clear()
        with alb.connect() as sock:
            sock.sendall(HEAD + body)
            assert read_response(sock).status == 200, name
        assert len(target.got) == 1, name
        head, _, rest = target.got[0].partition(b"\r\n\r\n")
        assert rest == (b"5\r\nhello\r\n0\r\n\r\n"), (name, rest)
        assert b"6.6.6.6" not in head and b"X-T" not in head and head.count(b"Host:") == 1, name
