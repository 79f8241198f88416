"""The access log as others read it: GoAccess, the regular expression that Athena's tables use, and
a splitter of our own that holds each of the 34 fields to its grammar. On rows of every kind."""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import threading
import time

import pytest

import balancer
import localhost_cert
from balancer import forward_config
from harness import free_port
from http_wire import ask, read_head, read_response, request, values
from localhost_cert import trusting_context
from scripted_target import Target, answer
from sockets import is_closed, reset
from ws_wire import echo_script, frame, read_frame, upgrade_request

# --- the three readers -----------------------------------------------------------

WORD, TEXT, COUNT = r"([^ ]*)", r'"([^"]*)"', r"([-0-9]*)"
SECONDS = r"([-.0-9]*)"
# Column for column what the table of the Athena documentation takes: two columns for an address,
# three for the request, the last two for what comes behind the 29th field.
ATHENA = re.compile(" ".join([
    WORD, WORD, WORD, r"([^ ]*):([0-9]*)", r"([^ ]*)[:-]([0-9]*)", SECONDS, SECONDS, SECONDS,
    r"(|[-0-9]*)", r"(-|[-0-9]*)", COUNT, COUNT, r'"([^ ]*) (.*) (- |[^ ]*)"', TEXT,
    r"([A-Z0-9-_]+)", r"([A-Za-z0-9.-]*)", WORD, TEXT, TEXT, TEXT, SECONDS, WORD, TEXT, TEXT,
    r'"([^ ]*)"', r'"([^\s]+?)"', r'"([^\s]+)"', r'"([^ ]*)"', r'"([^ ]*)"']) +
    r" ?([^ ]*)?( .*)?")

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
ADDRESS = r"(?:\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\]):\d+"
TARGET = rf"(?:-|{ADDRESS}|unix:[^ ]+:0)"
SAFE = r'(?:[ !#-\[\]-~]|\\x[0-9A-F]{2})*'
STATUS = r"(?:-|\d{3})"
TOOK = r"(?:-1|\d+\.\d{3})"
REQUEST = (rf"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+ \S+ HTTP/1\.[01]|- https?://[^ ]+:\d+- -)")
CLASSES = "(?:-|Acceptable|Ambiguous|Severe)"
# (name, is it quoted, what it must be)
FIELDS = [
    ("type", False, "https?|wss?"), ("time", False, TIME), ("elb", False, r"app/[^ /]+/[^ /]+"),
    ("client", False, ADDRESS), ("target", False, TARGET), ("request_time", False, TOOK),
    ("target_time", False, TOOK), ("response_time", False, TOOK), ("elb_status", False, r"\d{3}"),
    ("target_status", False, STATUS), ("received", False, r"\d+"), ("sent", False, r"\d+"),
    ("request", True, REQUEST), ("user_agent", True, SAFE), ("cipher", False, r"-|[A-Z0-9_-]+"),
    ("protocol", False, r"-|TLSv1\.[23]"), ("group", False, r"-|[\w-]+"), ("trace", True, SAFE),
    ("domain", True, SAFE), ("certificate", True, SAFE), ("priority", False, r"-|-1|\d+"),
    ("created", False, TIME),
    ("actions", True, "-|forward|redirect|fixed-response"), ("redirect_url", True, SAFE),
    ("error_reason", True, r"-|\w+"), ("targets", True, TARGET), ("statuses", True, STATUS),
    ("class", True, CLASSES), ("reason", True, r"-|\w+"), ("trace_id", False, r"TID_[0-9a-f]{32}"),
    ("host", True, SAFE), ("uri", True, SAFE), ("transform", True, r"-|\w+"),
    ("node", False, r"\d+\.\d+\.\d+\.\d+|[0-9a-f:]+"),
]
EXTRA = re.compile(r'(?: (?:end="[^"]*"|[a-z_]+=[^ "]+))*')


def split_row(row):
    """{name: value} of the 34 fields and "extra"; each is held to its grammar."""
    out, rest = {}, row
    for name, quoted, grammar in FIELDS:
        pattern = f'"({grammar})"' if quoted else f"({grammar})"
        found = re.match(rf"{pattern}(?: |$)", rest)
        assert found, f"field {name} at {rest[:200]!r} of {row!r}"
        out[name] = found[1]
        rest = rest[found.end():]
    assert EXTRA.fullmatch(" " + rest if rest else ""), rest
    out["extra"] = rest
    return out


def read_by_goaccess(path, folder):
    """(lines read, lines it could not read)"""
    out = folder / "goaccess.json"
    subprocess.run(["goaccess", path, "--log-format=AWSALB", "--no-global-config", "-o", out,
                    "--invalid-requests", folder / "invalid"],
                   check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    general = json.loads(out.read_text(errors="replace"))["general"]
    bad = (folder / "invalid").read_text(errors="replace") if (folder / "invalid").exists() else ""
    return general["total_requests"], general["failed_requests"], bad


# --- rows of every kind ------------------------------------------------------------

AGENTS = [b'"', b'" 200 "x', b"a\\", b"\\\"", b"\t tab", b"caf\xc3\xa9 \xff\xfe", b"x" * 9000,
          b'"' * 9000, b"%s%n", b"-", b"' OR 1=1 --", b"\xe2\x80\xa8", b"<script>", b"[::1]:1"]
TARGETS = ['/"', "/a b", "/\\x22", "/%22%0d%0a", "/?q=\"'", "/" + "u" * 15000, "/\xe4\xff", "/-",
           "/a?b?c#d", "//", "/[::1]:80/", "/'\\"]
HOSTS = [b"a.example:8080", b"[::1]", b"[::1]:99", b"LOCALHOST.", b"xn--a"]
TRACES = [b"Root=1-5759e988-bd862e3fe1be46a994272793", b'"; \\', b"x" * 300, b"Self=1;a=b c"]

MORE = """
[target_group gone]
target = 127.0.0.1:{gone}
health_check.enabled = false
[target_group none]
target = 127.0.0.1:1 weight=0
health_check.enabled = false
[target_group unix]
target = unix:{folder}/a.sock
health_check.enabled = false
[listener tls]
bind = 127.0.0.1:0
protocol = HTTPS
certificate = {{cert}}
default_action = forward app
[listener six]
bind = [::1]:0
default_action = forward app
{rules}
"""
RULES = [("/fixed", 'fixed-response 410 text/plain "gone"'), ("/fine", "fixed-response 200"),
         ("/moved", "redirect 301 https://#{host}:443/#{path}?#{query}"),
         ("/refused", "forward gone"), ("/nobody", "forward none"), ("/unix", "forward unix")]


def script(sock, head, rest):
    path = head.split(b" ")[1]
    if values(head, "Upgrade"):
        return echo_script(sock, head, rest)
    if path == b"/garbage":
        sock.sendall(b"not HTTP\r\n\r\n")
        return False
    if path == b"/silent":
        time.sleep(20)
        return False
    if path == b"/cut":
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        return False
    if path == b"/chunks":
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        return True
    return answer(b"" if head.startswith(b"HEAD") else b"ok")(sock, head, rest)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """One balancer, a request of every kind: (path of the log, its rows as split_row() has them)."""
    import harness
    folder = tmp_path_factory.mktemp("log")
    localhost_cert.make_certificate()
    target = Target(script)
    rules = "\n".join(f"[rule r{i}]\nlistener = http\npriority = {i + 1}\npath-pattern = {path}\n"
                      f"action = {action}" for i, (path, action) in enumerate(RULES))
    rules += ("\n[rule r50]\nlistener = http\npriority = 50\npath-pattern = /rewritten\n"
              "url-rewrite = ^/rewritten /new?q=$0\nhost-header-rewrite = .* inside.example\n"
              "action = forward app\n")
    with contextlib.ExitStack() as stack:
        stack.callback(target.close)
        alb = balancer.Alb(folder, forward_config(
            target, edge="allow = 127.0.0.0/8 ::1/128", alb="idle_timeout.timeout_seconds = 1\nname = app/test/50dc6c495c0c9188",
            more=MORE.format(gone=free_port(), folder=folder, rules=rules)))
        stack.callback(alb.stop)
        alb.start()
        started = ask_everything(alb)
        assert alb.stop() == 0
    text = alb.access_path.read_text()
    return alb.access_path, [split_row(r) for r in text.splitlines()], started


def quietly(alb, data, listener=None):
    with contextlib.suppress(EOFError, ConnectionResetError, BrokenPipeError):
        return ask(alb, data, listener)


def waiting(alb, data, end):
    """A request that is never finished: send it and do `end(sock)`."""
    with alb.connect() as sock:
        sock.sendall(data)
        end(sock)


def upgraded(sock):
    sock.sendall(upgrade_request("/ws"))
    read_head(sock)
    sock.sendall(frame(1, b"hello"))
    read_frame(sock)
    sock.sendall(frame(8, b"\x03\xe8"))
    read_frame(sock)
    is_closed(sock)


def ask_everything(alb):
    """Returns how many rows that should give."""
    plain = [request(path=p) for p in
             ("/", "/fixed", "/fine", "/moved", "/refused", "/nobody", "/unix", "/garbage", "/cut",
              "/chunks", "/rewritten", "http://absolute.example/x?y", "http://[::1]:5/")]
    plain += [request(m) for m in ("HEAD", "DELETE", "TRACE", "PROPFIND", "M-SEARCH")]
    plain += [request("POST", "/p", body=b"12345"), request("POST", "/fixed", body=b"x" * 100),
              b"GET /old HTTP/1.0\r\n\r\n", b"GET / HTTP/3.0\r\n\r\n", b"nonsense\r\n\r\n",
              b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1,2\r\n\r\n",
              b"GET /" + b"l" * 17000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x02\x00\r\n\r\n",
              b"GET / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\n\r\n",
              b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
              upgrade_request("/ws").replace(b"Version: 13", b"Version: 12"),
              upgrade_request("/garbage").replace(b"websocket\r\n", b"websocket\r\nX: y\r\n")]
    plain += [request(path="/agent", fields=b"User-Agent: " + a + b"\r\n") for a in AGENTS]
    plain += [request(path=t).replace(t.encode(), t.encode("latin-1")) for t in TARGETS]
    plain += [request(path="/host", host=h) for h in HOSTS]
    plain += [request(path="/trace", fields=b"X-Amzn-Trace-Id: " + t + b"\r\n") for t in TRACES]
    slow = [lambda: waiting(alb, b"GET / HT", lambda s: s.shutdown(socket.SHUT_WR)),
            lambda: waiting(alb, b"GET / HT", reset_soon),
            lambda: waiting(alb, b"GET / HT", is_closed),
            lambda: waiting(alb, request(path="/silent"), reset_soon),
            lambda: waiting(alb, request(path="/silent"), is_closed),
            lambda: waiting(alb, b"POST /silent HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab", is_closed)]
    threads = [threading.Thread(target=f) for f in slow]
    for t in threads:
        t.start()
    for data in plain:
        quietly(alb, data)
    quietly(alb, request(path="/six"), "six")
    with alb.connect() as sock:
        upgraded(sock)
    for path in ("/secret", "/again"):
        assert alb.get(path, listener="tls", tls=True)[0] == 200
    with trusting_context().wrap_socket(alb.connect("tls"), server_hostname="localhost") as sock:
        upgraded(sock)
    with alb.connect() as sock:  # pipelined
        sock.sendall(request(path="/one") + request(path="/two"))
        rest = read_response(sock).rest
        read_response(sock, rest)
    for t in threads:
        t.join()
    return len(plain) + len(slow) + 1 + 1 + 2 + 1 + 2


def reset_soon(sock):
    time.sleep(0.2)
    reset(sock)


def test_every_request_has_one_row_and_every_field_its_form(rows):
    _, split, asked = rows
    assert len(split) == asked


def test_athena_has_no_null_column(rows):
    path, split, _ = rows
    for line in path.read_text().splitlines():
        found = ATHENA.fullmatch(line)
        assert found, line
        assert found[1] and None not in found.groups()[:-1], line


def test_goaccess_reads_every_row(rows, tmp_path):
    if shutil.which("goaccess") is None:
        pytest.skip("goaccess is not installed: make deps")
    # It reads lines in pieces of 4096 bytes, whoever wrote them.
    lines = [row for row in rows[0].read_text().splitlines(True) if len(row) < 4096]
    assert len(lines) > 70
    (tmp_path / "short.log").write_text("".join(lines))
    total, failed, bad = read_by_goaccess(tmp_path / "short.log", tmp_path)
    assert (total, failed) == (len(lines), 0), bad


def only(split, **want):
    found = [r for r in split if all(re.search(v, r[k]) for k, v in want.items())]
    assert len(found) == 1, (want, found)
    return found[0]


# The one row that matches the first, and what else it must have.
EXPECTED = [
    ({"request": r"GET http://localhost:\d+/ HTTP/1.1"},
     {"elb_status": "200", "target_status": "200", "priority": "0", "actions": "forward",
      "group": "app", "extra": ""}),
    ({"request": "GET .*/fixed"}, {"elb_status": "410", "target_status": "-", "target": "-",
                                   "priority": "1", "actions": "fixed-response", "group": "-",
                                   "request_time": "-1", "target_time": "-1",
                                   "response_time": "-1"}),
    ({"request": "/moved"}, {"elb_status": "301", "actions": "redirect", "priority": "3",
                             "redirect_url": r"https://localhost:443/moved"}),
    ({"request": "/refused"}, {"elb_status": "502", "target": ADDRESS, "target_status": "-",
                               "request_time": "-1", "actions": "forward", "group": "gone",
                               "extra": "end=\"target refused the connection\""}),
    ({"request": "/nobody"}, {"elb_status": "503", "target": "-", "actions": "forward",
                              "group": "none"}),
    ({"request": "GET .*/garbage", "extra": "malformed|status|HTTP"}, {"elb_status": "502"}),
    ({"request": "/cut"}, {"elb_status": "502", "target_status": "200", "extra": "end=.*within the response.*"}),
    ({"request": "/rewritten"}, {"host": "inside.example", "uri": r"/new\?q=/rewritten",
                                 "transform": "TransformSuccess", "priority": "50"}),
    ({"request": r"GET http://absolute.example/x\?y HTTP/1.1"}, {"elb_status": "200"}),
    ({"elb_status": "405"}, {"request": r"TRACE http://localhost:\d+/ HTTP/1.1", "actions": "-", "priority": "-"}),
    ({"request": "/old HTTP/1.0"}, {"request": r"GET http://127.0.0.1:\d+/old HTTP/1.0"}),
    ({"extra": "head not whole in time"}, {"elb_status": "408", "received": "8",
                                           "request": r"- http://127.0.0.1:\d+- -"}),
    ({"extra": "closed within the request head"}, {"elb_status": "400", "received": "8"}),
    ({"request": "/silent", "elb_status": "460"}, {"target_status": "-", "request_time": "-1",
                                                   "extra": "end=.*", "sent": "0"}),
    ({"request": "GET .*/silent", "elb_status": "504"}, {"target": ADDRESS, "target_time": "-1"}),
    ({"extra": "no body within"}, {"elb_status": "408"}),
    ({"type": "^ws$", "request": "/ws "}, {"elb_status": "101", "target_status": "101", "actions": "forward",
                        "extra": r"end=.* client_frames=2 target_frames=2 .*"}),
    ({"type": "^wss$"}, {"cipher": "[A-Z0-9_-]{10,}", "protocol": r"TLSv1\.[23]"}),
    ({"request": "/secret"}, {"type": "https", "domain": "localhost|-",
                              "request": r"GET https://127.0.0.1:\d+/secret HTTP/1.1"}),
    ({"request": "/six"}, {"client": r"\[::1\]:\d+", "node": "::1"}),
    ({"request": "/unix"}, {"elb_status": "502", "target": r"unix:.*/a\.sock:0"}),
    ({"request": "/two"}, {"elb_status": "200"}),
]


@pytest.mark.parametrize("which,want", EXPECTED, ids=lambda v: str(v)[:40])
def test_the_row_of(rows, which, want):
    row = only(rows[1], **which)
    for name, grammar in want.items():
        assert re.fullmatch(grammar, row[name]), (name, row)


def test_the_user_agent_is_cut_at_8_kb_and_a_url_is_not(rows):
    agents = [r["user_agent"] for r in rows[1] if "/agent" in r["request"]]
    assert "x" * 8192 in agents and r"\x22" * 8192 in agents
    assert only(rows[1], request="/" + "u" * 15000 + " ")
