"""An endpoint behind alb does, frame by frame, what it does without: the cases of ws_cases.py, said to
servers and to clients that read RFC 6455 each in its own way, directly and through alb. Whether
an answer is right is the endpoint's affair.

A case that is timed (does the other end fail fast? does it answer what a FIN follows?) is played again when it differs, directly and through
alb, in case it was the machine; no other one is.
"""

import asyncio
import os
import ssl
import sys

import pytest

from apps import HERE
from balancer import Alb
from chat import Wsserver
from harness import PATIENCE, Process, split_address, wait_until
from localhost_cert import CERT, make_certificate
from ws_cases import CASES
from ws_player import LAST, FuzzingServer, Route, play_to_server

AT_ONCE = 300
AGAIN = 3  # times
ROUTES = ["http", "https", "http-pinged", "https-pinged"]  # alb's listeners
DIRECT = {False: "direct", True: "direct-pinged"}  # as slowly, if nobody pings
ENDS = ["wsserver as server", "ws as server", "ws as client", "websockets as client"]

CONFIG = """
[alb]
workers = 2
admin = 127.0.0.1:0
control = {socket}
access_logs.enabled = false
[edge]
allow = 127.0.0.1
[target_group app]
target = %(target)s
health_check.enabled = false
[target_group pinged]
target = %(target)s
health_check.enabled = false
websocket.ping_interval = 100ms
websocket.pong_timeout = 1m
"""
LISTENER = """
[listener %s]
bind = 127.0.0.1:0
protocol = %s
%s
default_action = forward %s
"""


def config(target):
    text = CONFIG % {"target": target}
    for name in ROUTES:
        is_tls, is_pinged = name.startswith("https"), name.endswith("-pinged")
        text += LISTENER % (name, "HTTPS" if is_tls else "HTTP",
                            "certificate = {cert}" if is_tls else "", "pinged" if is_pinged else "app")
    return text


def command(program):
    return ["node", HERE / "ws_ends.mjs"] if program == "ws" else [sys.executable, HERE / "ws_ends.py"]


class EndServer(Process):
    """ws_ends, the server."""

    def __init__(self, folder, program):
        super().__init__(folder, program, *command(program), "server")

    def start(self, wait=True):
        super().start(wait=False)
        port = wait_until(lambda: self.log().strip().isdigit() and self.log(), f"{self.name} to listen", 20)
        self.address = f"127.0.0.1:{int(port)}"
        return self

    def stop(self):
        self.popen.terminate()
        self.popen.wait(10)


# --- what is played, over one route -------------------------------------------------------------


class Servers:
    """An echo server, played to by us."""

    def __init__(self, folder, program):
        if program == "wsserver":
            self.server = Wsserver(folder, max_message_bytes="16m", ping_interval="10m").start()
        else:
            self.server = EndServer(folder, program).start()
        self.target = self.server.address
        self.path = "/t/echo"
        self.context = ssl.create_default_context(cafile=make_certificate())

    def close(self):
        self.server.stop()

    def _route(self, alb, name):
        address = split_address(self.target) if name.startswith("direct") else alb.address(name)
        context = self.context if name.startswith("https") else None
        return Route(address, self.path, context, name.endswith("-pinged"))

    def play(self, alb, name, numbers):
        """{N: transcript}"""
        route, room = self._route(alb, name), asyncio.Semaphore(AT_ONCE)

        async def one(number):
            async with room:
                return number, await play_to_server(CASES[number], route)

        async def go():
            first = [await one(numbers[0])]  # whose TLS session the others resume
            return dict(first + await asyncio.gather(*map(one, numbers[1:])))
        return asyncio.run(go())


class Clients:
    """A client that sends back what comes, played to by a server of ours."""

    def __init__(self, folder, program):
        self.folder, self.program = folder, program
        self.server = FuzzingServer(CASES)
        self.target = self.server.address

    def close(self):
        self.server.close()

    async def _bring(self, url, suffix, numbers):
        with open(self.folder / "clients.log", "ab") as log:
            clients = await asyncio.create_subprocess_exec(
                *command(self.program), "client", url, suffix, str(AT_ONCE), *map(str, numbers),
                stdout=log, stderr=log, env=dict(os.environ, NODE_EXTRA_CA_CERTS=str(CERT)))
        try:
            await asyncio.wait_for(clients.wait(), 60 * PATIENCE)
        finally:
            if clients.returncode is None:
                clients.kill()

    def play(self, alb, name, numbers):
        """{N: transcript}"""
        scheme = "wss" if name.startswith("https") else "ws"
        address = self.target if name.startswith("direct") else f"localhost:{alb.port(name)}"
        url = f"{scheme}://{address}/case"
        suffix = "-pinged" if name.endswith("-pinged") else ""
        return asyncio.run(self.server.serve(self._bring(url, suffix, numbers)))


# --- what is compared -----------------------------------------------------------------------------


def as_it_is(lines):
    return lines


def apart(lines):
    """websockets hands messages to the application, which answers in its own time; control frames
    are answered at once. So those are compared for themselves, and messages when all have come
    back: how many of them are answered before it fails is a matter of luck."""
    control = [line for line in lines if not line.startswith(("text", "binary"))]
    data = [line for line in lines if line.startswith(("text", "binary"))]
    return control + (data if any(repr(LAST) in line for line in data) else [])


class Play:
    """An endpoint, an alb before it, and what it does without that."""

    def __init__(self, folder, end):
        self.program, _, role = end.partition(" as ")
        self.end = (Servers if role == "server" else Clients)(folder, self.program)
        make_certificate()
        self.alb = Alb(folder, config(self.end.target)).start()
        self.view = apart if self.program == "websockets" else as_it_is
        self.alone = {}

    def numbers(self, name):
        """Which cases. All of them, but a library that does a full TLS handshake for each, or is as
        slow as it is strict, gets a part: another one over each route."""
        share = (3 if name.startswith("https") and isinstance(self.end, Clients) else 1)
        share *= 2 if self.program == "websockets" else 1
        return range(ROUTES.index(name) % share, len(CASES), share)

    def take(self, name, numbers):
        takes = self.end.play(self.alb, name, numbers)
        return {n: self.view(takes.get(n, ["never came"])) for n in numbers}

    def take_alone(self, is_pinged, numbers):
        """All that was not played yet."""
        known = self.alone.setdefault(is_pinged, {})
        missing = [n for n in numbers if n not in known]
        if missing:
            known |= self.take(DIRECT[is_pinged], missing)
        return known

    def differences(self, name):
        """{case: (alone, behind alb)}"""
        is_pinged = name.endswith("-pinged")
        numbers = self.numbers(name)
        takes, alone = self.take(name, numbers), self.take_alone(is_pinged, numbers)
        differ = [n for n in numbers if takes[n] != alone[n]]
        for _ in range(AGAIN):
            again = [n for n in differ if CASES[n].is_timed]
            if again:
                takes |= self.take(name, again)
                alone = alone | self.take(DIRECT[is_pinged], again)
                differ = [n for n in differ if takes[n] != alone[n]]
        return {CASES[n].name: (alone[n], takes[n]) for n in differ}

    def close(self):
        code = self.alb.stop()
        self.end.close()
        assert code == 0, self.alb.log()


@pytest.fixture(scope="module", params=ENDS)
def play(request, tmp_path_factory):
    it = Play(tmp_path_factory.mktemp("conformance"), request.param)
    yield it
    it.close()


def shown(differences):
    """The first few, where they begin to differ."""
    rows = []
    for name, (alone, behind) in list(differences.items())[:20]:
        at = next((i for i, (a, b) in enumerate(zip(alone, behind)) if a != b), min(len(alone), len(behind)))
        rows.append(f"{name}: after {at} the same: alone {alone[at:at + 4]}, behind alb {behind[at:at + 4]}")
    return "\n".join(rows)


@pytest.mark.parametrize("route", ROUTES)
def test_every_case_goes_as_it_does_without_alb(play, route):
    before = play.alb.metric("alb_websocket_pings_sent_total")
    differences = play.differences(route)
    assert not differences, f"{len(differences)} differ:\n{shown(differences)}"
    pings = play.alb.metric("alb_websocket_pings_sent_total") - before
    assert pings > len(play.numbers(route)) if route.endswith("-pinged") else pings == 0
    wait_until(lambda: play.alb.metric("alb_websocket_tunnels_open") == 0, "all tunnels to end")
    assert play.alb.metric("alb_websocket_pong_timeouts_total") == 0
