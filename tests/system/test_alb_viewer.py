"""Who a request is for: what an edge that is believed says of the viewer, in rules, in the log and
to targets; and that nothing a stranger says of one changes anything."""

import json
import re

import pytest

from balancer import forward_config
from harness import run
from http_wire import read_response, request, values
from ws_peers import TEXT, open_tunnel, ws_config

EDGE, STRANGER = "127.0.0.2", "127.0.0.3"
SAYS = (b"X-Forwarded-For: 10.9.9.9, 192.0.2.1\r\nX-Forwarded-Proto: https\r\n"
        b"CloudFront-Viewer-Address: 198.51.100.7:4711\r\nCloudFront-Forwarded-Proto: https\r\n")
RULE = """
[rule viewer]
listener = http
priority = 1
source-ip = 192.0.2.0/24 198.51.100.0/24 2001:db8::/32
action = fixed-response 200 text/plain "viewer"
[rule peer]
listener = http
priority = 2
source-ip = 127.0.0.0/8
action = fixed-response 200 text/plain "peer"
"""


def start(start_alb, *edge, alb="", rules=RULE, target="127.0.0.1:1"):
    config = forward_config(target, alb=alb, more=rules, edge="\n".join(edge))
    return start_alb(config)


def ask_from(alb, source, fields=SAYS, path="/"):
    with alb.connect(source=source) as sock:
        sock.sendall(request(path=path, fields=fields))
        return read_response(sock)


ONLY_EDGE = ("allow = 127.0.0.0/8", f"trust = {EDGE}", "source_ip = viewer")
CLOUDFRONT = ("viewer_address = cloudfront-viewer-address",)


@pytest.mark.parametrize("how, fields, body", [
    ((), SAYS, b"viewer"),
    (CLOUDFRONT, SAYS, b"viewer"),
    ((), b"X-Forwarded-For: 127.0.0.1, [2001:db8::1]:99\r\n", b"viewer"),
    ((), b"X-Forwarded-For: 192.0.2.1, 127.0.0.1\r\n", b"peer"),
    (CLOUDFRONT, b"X-Forwarded-For: 192.0.2.1\r\nCloudFront-Viewer-Address: 127.0.0.1:1\r\n", b"peer"),
    # an edge that does not say who it asks for is not the viewer
    ((), b"", b"neither"),
    ((), b"X-Forwarded-For: unknown\r\n", b"neither"),
    ((), b"X-Forwarded-For: 192.0.2.1,\r\n", b"neither"),
    (CLOUDFRONT, b"X-Forwarded-For: 192.0.2.1\r\n", b"neither"),
    (CLOUDFRONT, b"CloudFront-Viewer-Address: 192.0.2.1\r\n", b"neither"),
])
def test_source_ip_goes_by_the_viewer(start_alb, how, fields, body):
    rule = RULE + ("[rule neither]\nlistener = http\npriority = 3\npath-pattern = *\n"
                   "action = fixed-response 200 text/plain neither\n")
    alb = start(start_alb, *ONLY_EDGE, *how, rules=rule)
    assert ask_from(alb, EDGE, fields).body == body
    assert ask_from(alb, STRANGER, fields).body == b"peer"


def test_by_default_source_ip_goes_by_the_peer(start_alb):
    alb = start(start_alb, "allow = 127.0.0.0/8")
    assert ask_from(alb, EDGE).body == b"peer"
    assert "viewer=192.0.2.1" in alb.access_row(" 200 ")


def test_the_log_has_the_viewer_behind_its_other_fields(start_alb):
    alb = start(start_alb, *ONLY_EDGE)
    ask_from(alb, EDGE, path="/a")
    ask_from(alb, EDGE, b"X-Forwarded-For: [2001:db8::1]:99\r\n", path="/b")
    ask_from(alb, EDGE, b"", path="/c")
    ask_from(alb, EDGE, b"X-Forwarded-For: nobody\r\n", path="/d")
    ask_from(alb, STRANGER, path="/e")

    assert alb.access_row("/a ").endswith(" 127.0.0.1 viewer=192.0.2.1")
    assert f" {EDGE}:" in alb.access_row("/a ")
    assert alb.access_row("/b ").endswith(" viewer=[2001:db8::1]:99")
    for path in ("/c ", "/d ", "/e "):
        assert "viewer=" not in alb.access_row(path)
    assert alb.metric("alb_viewer_unreadable_requests_total") == 1


def test_the_log_as_json(start_alb):
    alb = start(start_alb, *ONLY_EDGE, *CLOUDFRONT, alb="access_logs.format = json")
    ask_from(alb, EDGE, path="/a")
    ask_from(alb, STRANGER, path="/b")
    assert json.loads(alb.access_row("/a "))["viewer"] == "198.51.100.7:4711"
    assert "viewer" not in json.loads(alb.access_row("/b "))


def test_a_viewer_is_that_of_its_request_alone(start_alb, start_target):
    alb = start(start_alb, *ONLY_EDGE, target=start_target())
    with alb.connect(source=EDGE) as sock:
        for path, fields in (("/one", SAYS), ("/two", b""), ("/three", SAYS)):
            sock.sendall(request(path=path, fields=fields))
            read_response(sock)
        sock.sendall(b"nonsense\r\n\r\n")
        read_response(sock)
    assert "viewer=" in alb.access_row("/one ") and "viewer=" in alb.access_row("/three ")
    assert "viewer=" not in alb.access_row("/two ")
    assert "viewer=" not in alb.access_row(" 400 ")


@pytest.mark.parametrize("how, says, told", [
    ("", SAYS, "http"),
    ("viewer_proto = hop", SAYS, "http"),
    ("viewer_proto = x-forwarded-proto", SAYS, "https"),
    ("viewer_proto = cloudfront-forwarded-proto", SAYS, "https"),
    ("viewer_proto = x-forwarded-proto", b"CloudFront-Forwarded-Proto: https\r\n", "http"),
    ("viewer_proto = cloudfront-forwarded-proto", b"X-Forwarded-Proto: https\r\n", "http"),
    ("viewer_proto = x-forwarded-proto", b"X-Forwarded-Proto: https\r\n" * 2, "http"),
    ("viewer_proto = x-forwarded-proto", b"X-Forwarded-Proto: https, http\r\n", "http"),
])
def test_targets_are_told_the_viewers_protocol(start_alb, start_target, how, says, told):
    target = start_target()
    alb = start(start_alb, "allow = 127.0.0.0/8", f"trust = {EDGE}", how, rules="", target=target)
    for source, proto in ((EDGE, told), (STRANGER, "http")):
        ask_from(alb, source, says)
        assert values(target.seen[-1], "X-Forwarded-Proto") == [proto]


@pytest.mark.parametrize("mode, stays", [("append", "10.9.9.9, 192.0.2.1, {}"),
                                         ("preserve", "10.9.9.9, 192.0.2.1"), ("remove", None)])
def test_forwarded_for_goes_on_as_its_mode_says_whoever_it_is_from(start_alb, start_target, mode,
                                                                   stays):
    target = start_target()
    alb = start(start_alb, "allow = 127.0.0.0/8", f"trust = {EDGE}", rules="", target=target,
                alb=f"routing.http.xff_header_processing.mode = {mode}")
    for source in (EDGE, STRANGER):
        ask_from(alb, source)
        want = [stays.format(source)] if stays else []
        assert values(target.seen[-1], "X-Forwarded-For") == want


LIES = [
    SAYS,
    b"X-Forwarded-For: 192.0.2.1\r\n" * 3,
    b"X-Forwarded-For: not an address\r\n",
    b"X-Forwarded-For: 192.0.2.1,\r\n 192.0.2.2\r\n",
    b"X_Forwarded_For: 192.0.2.1\r\n",
    b"X-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Host: other.example\r\n",
    b"CloudFront_Viewer_Address: 192.0.2.1:80\r\n",
    b"CloudFront-Viewer-Address:\r\n 192.0.2.1:80\r\n",
    b"Forwarded: for=192.0.2.1;proto=https\r\nX-Real-IP: 192.0.2.1\r\nTrue-Client-IP: 192.0.2.1\r\n",
    b"Connection: X-Forwarded-For, CloudFront-Viewer-Address\r\n" + SAYS,
]


def without_what_differs(row):
    row = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z|:\d+|TID_\w+|Root=[-\w]+|NonCompliant\w+|Acceptable|"
                 r"Ambiguous|MultilineHeader|SuspiciousHeader", "*", row)
    fields = row.split(" ")
    del fields[10:12], fields[5:8]  # bytes; times
    return [f.replace('"*"', '"-"') for f in fields]


@pytest.mark.parametrize("trust", ["trust = none", f"trust = {STRANGER}", ""])
def test_no_word_of_a_stranger_changes_a_decision_or_a_row(start_alb, start_target, trust):
    edge = ("allow = 127.0.0.0/8" if trust else "allow = any", trust, "source_ip = viewer",
            "viewer_proto = x-forwarded-proto")
    target = start_target()
    rule = RULE.replace("127.0.0.0/8", "127.0.0.9")
    alb = start(start_alb, *edge, rules=rule, target=target)
    seen = []
    for n, fields in enumerate([b"", *LIES]):
        got = ask_from(alb, EDGE, fields, path=f"/r{n}")
        told = [values(target.seen[-1], f"X-Forwarded-{n}") for n in ("Proto", "Port")]
        row = without_what_differs(alb.access_row(f"/r{n} ").replace(f"/r{n}", "/"))
        seen.append((got.status, got.body, told, row))
    for fields, got in zip(LIES, seen[1:]):
        assert got == seen[0], fields
    assert alb.metric("alb_viewer_unreadable_requests_total") == 0


def test_whom_to_believe_is_read_again(start_alb):
    alb = start(start_alb, "allow = 127.0.0.0/8", "trust = none", "source_ip = viewer")
    with alb.connect(source=EDGE) as sock:
        sock.sendall(request(fields=SAYS))
        assert read_response(sock).body == b"peer"
        alb.path.write_text(alb.path.read_text().replace("trust = none", f"trust = {EDGE}"))
        assert "edge" in alb.ok("reload", "--dry-run")
        alb.reload()
        sock.sendall(request(fields=SAYS))
        assert read_response(sock).body == b"viewer"


def test_explain_says_who_the_viewer_is(start_alb):
    alb = start(start_alb, *ONLY_EDGE)

    def explain(source, *fields):
        code, out, err = run("alb", "explain", alb.path, "GET", "/", "Host: a", *fields,
                             "--listener", "http", "--from", source)
        assert code == 0, err
        return out
    xff = "X-Forwarded-For: 192.0.2.1"
    assert "viewer    192.0.2.1, which source-ip compares" in explain(EDGE, xff)
    assert "the address is 192.0.2.1\n  it answers" in explain(EDGE, xff)
    assert "not known: no source-ip holds" in explain(EDGE)
    assert "cannot be read" in explain(EDGE, "X-Forwarded-For: you")
    assert "trust does not name the peer" in explain(STRANGER, xff)


def test_the_row_of_a_websocket_has_its_viewer(start_alb, target):
    alb = start_alb(ws_config(target))
    client, origin = open_tunnel(alb, target, fields=b"X-Forwarded-For: 192.0.2.1\r\n")
    client.send(TEXT, b"x")
    origin.receive()
    client.close()
    origin.close()
    assert alb.access_row("client_frames=1").endswith(" viewer=192.0.2.1")


def test_the_viewer_of_a_websocket_goes_along_to_another_process(start_alb, target):
    alb = start_alb(ws_config(target))
    client, origin = open_tunnel(alb, target, fields=b"X-Forwarded-For: 192.0.2.1:7\r\n")
    code, text = alb.upgrade()
    assert code == 0, text
    client.send(TEXT, b"x")
    origin.receive()
    client.close()
    origin.close()
    assert alb.access_row("client_frames=1").endswith(" viewer=192.0.2.1:7")


def test_the_doctor_takes_nobodys_word_for_https_but_a_believed_ones(start_alb):
    rule = """
[rule secure]
listener = http
priority = 1
path-pattern = /*
action = redirect 301 https://#{host}:443/#{path}?#{query}
"""
    alb = start(start_alb, "allow = 127.0.0.0/8", f"trust = {EDGE}", rules=rule)
    ws = b"Connection: Upgrade\r\nUpgrade: websocket\r\nX-Forwarded-Proto: https\r\n"
    assert b"https_redirect_loop" in ask_from(alb, EDGE, ws).body
    assert b"redirected" in ask_from(alb, STRANGER, ws).body
