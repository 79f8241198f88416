"""The first day of docs/deploy.md, with its own configurations: observe, one request, see which peer, enforce."""

import re

import pytest

from guides import blocks
from harness import ROOT
from http_wire import read_response, request
from proxy_wire import v2
from secret_files import with_secrets
from sockets import is_closed

CONFIGURATIONS = [b.text for b in blocks(ROOT / "docs/deploy.md") if b.kind == "ini"]
OBSERVES = next(t for t in CONFIGURATIONS if "[alb]" in t and "enforce = observe" in t)
ENFORCES = next(t for t in CONFIGURATIONS if "enforce = enforce" in t)
EDGE, STRANGER = "10.0.3.7", "10.0.9.9"
SECRET = b"X-Origin-Verify: 0123456789abcdef0123456789abcdef\r\n"
VIEWER = b"X-Forwarded-For: 203.0.113.9, 192.0.2.1\r\n"


def here(text, target, folder):
    """The guide's text on this machine: its ports are free ones, and the balancer is 127.0.0.1."""
    text = re.sub(r"bind = 0\.0\.0\.0:\d+", "bind = 127.0.0.1:0", with_secrets(folder, text))
    text = text.replace("10.0.1.10 10.0.2.10", "127.0.0.1").replace("dns:app.internal:9001", target.address)
    text = text.replace("/run/postern/alb.sock", "{socket}")
    return text.replace("[alb]\n", "[alb]\nadmin = 127.0.0.1:0\naccess_logs.file = {access}\n")


def enforced(text):
    """With the second [edge] in place of the first."""
    return re.sub(r"\[edge\]\n.*?\n(?=\n\[)", lambda _: ENFORCES, text, count=1, flags=re.S)


def ask(alb, announced, fields):
    with alb.connect() as sock:
        sock.sendall(v2(announced) + request(fields=fields))
        return read_response(sock).status


@pytest.fixture
def alb(start_alb, start_target, tmp_path):
    target = start_target()
    alb = start_alb(here(OBSERVES, target, tmp_path))
    alb.then = here(enforced(OBSERVES), target, tmp_path)
    return alb


def enforce(alb):
    alb.configure(alb.then)
    alb.reload()


def test_one_request_shows_which_peer_it_is(alb):
    assert ask(alb, EDGE, SECRET) == 200
    assert re.search(rf"^{EDGE} +1 +0 .* edge$", alb.ok("edge", "refused"), re.M)
    assert f"edge would refuse address={EDGE}" in alb.log()


def test_then_only_the_edge_gets_in(alb):
    enforce(alb)
    assert ask(alb, EDGE, SECRET) == 200
    with alb.connect() as sock:
        sock.sendall(v2(STRANGER) + request(fields=SECRET))
        assert is_closed(sock)
    assert f"edge refused address={STRANGER}" in alb.log()


def test_the_secret_is_asked_for_on_both_days(alb):
    assert ask(alb, EDGE, b"") == 403
    enforce(alb)
    assert ask(alb, EDGE, b"") == 403


def test_the_viewer_is_known_from_then_on(alb):
    ask(alb, EDGE, SECRET + VIEWER)
    assert "viewer=" not in alb.access_row(f" {EDGE}:")
    enforce(alb)
    ask(alb, EDGE, SECRET + VIEWER)
    assert "viewer=192.0.2.1" in alb.access_row("viewer=")
