"""A parser that neither alb nor its second opinion uses, Node's llhttp, reads all that alb lets
through of the corpora of tests/system as it was meant: at a target, and at a client."""

import json
import re
import subprocess

import pytest

from apps import HERE
from balancer import forward_config
from corpus import CORPUS
from corpus_responses import CUT_SHORT, PASSED, REFUSED
from harness import PATIENCE, Process, wait_until
from http_wire import read_response

MODES = ("monitor", "defensive", "strictest")
UNKNOWN = (b"get", b"FOO")  # methods that llhttp has not in its list


class Server(Process):
    """`seen()`: what it read so far."""

    def __init__(self, folder):
        super().__init__(folder, "server", "node", HERE / "third_parser.mjs", "server")

    def start(self, wait=True):
        super().start(wait=False)
        self.address = "127.0.0.1:" + wait_until(lambda: "\n" in self.log() and self.log(),
                                                 "the server to listen", 20).split("\n")[0]
        return self

    def seen(self):
        return [json.loads(line) for line in self.log().split("\n")[1:-1]]

    def stop(self):
        self.popen.terminate()
        self.popen.wait(10)


def meaning(raw):
    """Of a request in canonical form."""
    head, _, body = raw.partition(b"\r\n\r\n")
    method, url, _ = head.split(b"\r\n")[0].split(b" ")
    if b"\r\nTransfer-Encoding: chunked" in head:
        body = b"".join(re.findall(rb"[0-9a-f]+\r\n(.*?)\r\n(?=[0-9a-f]+\r\n)", body, re.DOTALL))
    return {"method": method.decode(), "url": url.decode(), "body": body.decode("latin-1")}


@pytest.mark.parametrize("mode", MODES)
def test_every_request_that_passes_is_read_as_it_was_meant(mode, tmp_path, start_alb, started):
    server = Server(tmp_path).start()
    started.append(server)
    alb = start_alb(forward_config(server, alb=f"routing.http.desync_mitigation_mode = {mode}"))
    expected = []

    for raw, _class, _reason, statuses, reaches in CORPUS:
        status, goes_out = ((v[MODES.index(mode)] if isinstance(v, tuple) else v)
                            for v in (statuses, reaches))
        if raw.split(b" ")[0] in UNKNOWN:
            continue
        with alb.connect() as sock:
            sock.sendall(raw)
            assert read_response(sock, to_head=raw.startswith(b"HEAD")).status == status, raw
        if status < 400:
            expected.append((meaning(goes_out), raw))
    wait_until(lambda: len(read(server)) == len(expected), "all to be read")
    for got, (meant, raw) in zip(read(server), expected):
        assert got == meant, raw


def read(server):
    """Without bodies that the client never ended: alb has cut those, and the server says so."""
    return [r for r in server.seen() if r != {"broken": "ECONNRESET"} and
            r != {"refused": "HPE_INVALID_EOF_STATE"} and r != {"refused": "ECONNRESET"}]


ROWS = [("GET", raw, 502, None) for raw, _ in REFUSED] + \
       [("GET", raw, 200, None) for raw, _, _ in CUT_SHORT] + \
       [(method, raw, status, body) for method, raw, status, body, _ in PASSED]


def says_row(sock, head, _rest):
    try:
        sock.sendall(ROWS[int(re.match(rb"\w+ /(\d+) ", head)[1])][1])
    except ConnectionError:
        pass  # refused before it was all said
    return True


def test_every_response_that_passes_is_read_as_it_was_meant(start_alb, start_target):
    alb = start_alb(forward_config(start_target(says_row)))

    asked = "".join(f"{row[0]} /{i}\n" for i, row in enumerate(ROWS))
    done = subprocess.run(["node", HERE / "third_parser.mjs", "client", alb.url("")],
                          input=asked, capture_output=True, text=True, timeout=60 * PATIENCE)
    got = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(got) == len(ROWS), done.stderr
    for (_method, raw, status, body), answer in zip(ROWS, got):
        assert answer["status"] == status, (raw[:200], answer)
        if body is not None:
            assert answer["body"] == body.decode(), (raw[:200], answer)
        elif status == 200:
            assert answer["broken"] == "ECONNRESET", (raw[:200], answer)
