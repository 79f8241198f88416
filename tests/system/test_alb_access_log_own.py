"""Rows of requests that no target sees: what was asked, and a trace id, where the head can be read."""

import re
import shlex

import pytest
from balancer import forward_config
from http_wire import ask, request

RULES = """
[rule fixed]
listener = http
priority = 1
path-pattern = /fixed
action = fixed-response 410

[rule moved]
listener = http
priority = 2
path-pattern = /moved
action = redirect 301 https://#{host}:443/#{path}?#{query}
"""
NEW = r"1-[0-9a-f]{8}-[0-9a-f]{24}"
ROOT = "Root=1-5759e988-bd862e3fe1be46a994272793"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
XFF = b"X-Forwarded-For: " + b", ".join([b"10.0.0.1"] * 31) + b"\r\n"


def traced(text):
    return f"X-Amzn-Trace-Id: {text}\r\n".encode()


# what is sent, the status, field 13 (PORT is ours), field 18
CASES = {
    "fixed response": (request(path="/fixed"), 410, "GET http://localhost:PORT/fixed HTTP/1.1", f"Root={NEW}"),
    "redirect": (request(path="/moved"), 301, "GET http://localhost:PORT/moved HTTP/1.1", f"Root={NEW}"),
    "root": (request(path="/fixed", fields=traced(ROOT)), 410,
             "GET http://localhost:PORT/fixed HTTP/1.1", f"Self={NEW};{ROOT}"),
    "self": (request(path="/moved", fields=traced(f"Self=1-2-3;{ROOT};App=x")), 301,
             "GET http://localhost:PORT/moved HTTP/1.1", f"Self={NEW};{ROOT};App=x"),
    "large": (request(path="/fixed", fields=traced(ROOT) + b"X: " + b"x" * 7200 + b"\r\n"), 410,
              "GET http://localhost:PORT/fixed HTTP/1.1", f"Root={NEW}"),
    "refused upgrade": (request(path="/ws", fields=UPGRADE), 400, "GET http://localhost:PORT/ws HTTP/1.1",
                        f"Root={NEW}"),
    "addresses": (request(fields=XFF), 463, "GET http://localhost:PORT/ HTTP/1.1", f"Root={NEW}"),
    "no target": (request(path="/x"), 503, "GET http://localhost:PORT/x HTTP/1.1", f"Root={NEW}"),
    "coding": (request("POST", "/a?b", b"Transfer-Encoding: gzip\r\n" + traced(ROOT)), 501,
               "POST http://localhost:PORT/a?b HTTP/1.1", f"Self={NEW};{ROOT}"),
    "trace": (request("TRACE", "/t"), 405, "TRACE http://localhost:PORT/t HTTP/1.1", f"Root={NEW}"),
    "absolute": (request("TRACE", "http://h.example/t"), 405, "TRACE http://h.example/t HTTP/1.1", f"Root={NEW}"),
    "connect": (request("CONNECT", "a:80"), 405, "CONNECT http://localhost:PORT HTTP/1.1", f"Root={NEW}"),
    "expectation": (request("POST", "/e", b"Expect: tea\r\n", b"x"), 417,
                    "POST http://localhost:PORT/e HTTP/1.1", f"Root={NEW}"),
    "forged": (request("TRACE", "/t", host=b'a"b'), 405, r"TRACE http://a\\x22b:PORT/t HTTP/1.1", f"Root={NEW}"),
    # What cannot be read has neither.
    "malformed": (b"GET /x HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n" + traced(ROOT) + b"Content-Length: x\r\n\r\n",
                  400, "- http://127.0.0.1:PORT- -", "-"),
    "malformed too": (b"TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 405,
                      "- http://127.0.0.1:PORT- -", "-"),
    "version": (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "- http://127.0.0.1:PORT- -", "-"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_row_of_what_we_answer_ourselves(start_alb, name):
    data, status, asked, trace = CASES[name]
    alb = start_alb(forward_config(more=RULES))

    assert ask(alb, data).status == status
    row = shlex.split(alb.access_row(f" {status} - "), posix=False)
    pattern = asked.replace(".", r"\.").replace("?", r"\?").replace("PORT", str(alb.port()))
    assert re.fullmatch(f'"{pattern}"', row[12]), row[12]
    assert re.fullmatch(f'"{trace}"', row[17]), row[17]


def test_each_has_a_trace_id_of_its_own(start_alb):
    alb = start_alb(forward_config(more=RULES))

    for _ in range(3):
        ask(alb, request(path="/fixed"))
    ask(alb, request(path="/moved"))
    alb.access_row("/moved")
    assert len({re.search(r'"Root=\S+"', row)[0] for row in alb.access_rows()}) == 4
