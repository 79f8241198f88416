"""The whole chain in namespaces: viewer, edge, private subnet with alb and its targets."""

import asyncio
import itertools
import signal
import threading
import time

import pytest

from chain import EDGE, VIEWER, config
from chat import Chat
from drains import after
from edge_standin import ten_minutes_in
from harness import PATIENCE, wait_until
from http_wire import read_body, read_response, request, values
from netns import APPLIANCE, answer_to_syn
from scripted_target import answer
from traffic import traffic
from ws_peers import PING, PONG, TEXT, Client, Upgraded, all_closed, in_background, is_alive, open_tunnel
from ws_wire import upgrade_request

CURE = (b"Attach the AllViewer origin request policy (or one that forwards every Sec-WebSocket-* header) "
        b"to this path's cache behavior at the CDN.")
STRIPPED = 'alb_upgrades_failed_total{reason="stripped"}'


def ask(edge, data):
    with edge.connect() as sock:
        sock.sendall(data)
        return read_response(sock)


def api(sock, head, rest):
    """A REST service: tells the path, the query and the cookie that it got."""
    read_body(sock, head, rest)
    body = " ".join([head.split(b" ")[1].decode(), *values(head, "Cookie")]).encode()
    return answer(body)(sock, head, b"")


def ws_chain(make_chain, *arguments, **settings):
    """(chain, alb, edge, target): one target that upgrades."""
    chain = make_chain()
    target = chain.start_target(Upgraded())
    alb = chain.start_alb({"ws": ("/*", [target.address])}, **settings)
    return chain, alb, chain.start_edge(*arguments), target


def answer_pings(peer, until):
    while time.monotonic() < until:
        opcode, _, payload = peer.receive()
        assert opcode == PING
        peer.send(PONG, payload)


async def talk(edge):
    """Two people, on whichever nodes they come to."""
    async with Chat(edge.door(), "ann") as ann, Chat(edge.door(), "bob") as bob:
        await ann.join()
        await bob.join()
        await ann.publish("lobby", "hello through the edge")
        message = await bob.next("msg")
        assert message["d"] == {"text": "hello through the edge"}


@pytest.mark.parametrize("policy", ["AllViewer", "AllViewerExceptHostHeader"])
def test_pages_rest_and_websockets_go_through_one_alb(make_chain, policy):
    chain = make_chain()
    nodes = [chain.start_node(n) for n in (0, 1)]
    pages, rest = chain.start_target(answer(b"a page")), chain.start_target(api)
    alb = chain.start_alb({"chat": ("/ws/* /t/*", [node.address for node in nodes]),
                           "rest": ("/api/*", [rest.address]), "pages": ("/ *.html", [pages.address])})
    edge = chain.start_edge("--policy", policy)

    for path in ("/", "/about.html"):
        assert ask(edge, request(path=path)).body == b"a page"
    for method in ("GET", "PUT", "POST", "DELETE", "PATCH"):
        got = ask(edge, request(method, "/api/items/7?q=1", b"Cookie: a=b\r\n", b"" if method == "GET" else b"x"))
        assert (got.status, got.body) == (200, b"/api/items/7?q=1 a=b")
    assert ask(edge, request(path="/elsewhere")).status == 404
    with Client(edge, path="/t/echo") as client:
        client.send(TEXT, b"hello")
        assert client.receive() == (TEXT, True, b"hello")
        client.send_close(1000)
        assert client.receive_close()[0] == 1000
    with chain.viewer:
        asyncio.run(asyncio.wait_for(talk(edge), 20))

    assert values(pages.seen[0], "X-Forwarded-For") == [f"{VIEWER}, {EDGE}"]
    assert values(pages.seen[0], "Host") == ["localhost" if policy == "AllViewer" else APPLIANCE]
    wait_until(lambda: alb.metric("alb_websocket_tunnels_open") == 0, "the tunnels to end")
    # The echo ended within a second and had no subprotocol, which may have been lost at the edge: no other complaint.
    assert [row["reason"] for row in alb.failed_upgrades()] == ["ended_at_once"]


def test_with_the_wrong_policy_the_viewer_reads_what_to_change(make_chain):
    chain, alb, edge, target = ws_chain(make_chain, "--policy", "none")
    got = ask(edge, upgrade_request("/ws?token=1"))
    assert got.status == 400 and got.body.splitlines()[0] == b"WebSocket upgrade failed: stripped"
    assert CURE in got.body
    assert got.values("X-Cache") == ["Error from cloudfront"] and got.values("Cache-Control") == ["no-store"]
    assert alb.metric(STRIPPED) == 1 and alb.failed_upgrades()[0]["edge"] is True
    assert target.seen == []

    right = chain.start_edge(name="right")
    client, origin = open_tunnel(right, target)
    with client, origin:
        assert is_alive(client, origin)


def test_only_the_edge_gets_in(make_chain):
    chain, alb, edge, target = ws_chain(make_chain)
    with Client(edge), target.script.take():
        pass
    assert answer_to_syn(chain.edge, APPLIANCE, 80) == "open"
    with pytest.raises(OSError):  # no way there
        chain.viewer.connect(APPLIANCE, 80)
    if alb.status()["edge_filter"]["mode"] == "accept":  # the kernel's filter could not be had
        with chain.stranger.connect(APPLIANCE, 80) as sock:
            assert sock.recv(1) == b""
    else:
        assert answer_to_syn(chain.stranger, APPLIANCE, 80) == "silence"
    assert len(target.seen) == 1


def test_the_secret_of_the_origin_overwrites_what_a_viewer_guesses(make_chain):
    """And an edge at the same address that does not add it, another customer's, gets nowhere."""
    chain = make_chain()
    secret = chain.folder / "secret"
    secret.touch(mode=0o600)
    secret.write_text("0123456789abcdef0123456789abcdef\n")
    target = chain.start_target(Upgraded())
    alb = chain.start_alb({"ws": ("/*", [target.address])}, edge=f"""allow = {EDGE}/32
secret_header = X-Origin-Verify
secret_file = {secret}""")
    ours = chain.start_edge("--origin-header", f"X-Origin-Verify: @{secret}")
    guess = b"X-Origin-Verify: fedcba9876543210fedcba9876543210\r\n"
    client, origin = open_tunnel(ours, target, fields=guess)
    with client, origin:
        assert is_alive(client, origin)
    assert b"verify" not in target.seen[0].lower()

    theirs = chain.start_edge(name="theirs")
    for fields in (b"", guess):
        assert ask(theirs, request(fields=fields)).status == 403
        assert ask(theirs, upgrade_request(fields=fields)).status == 403
    assert len(target.seen) == 1
    assert alb.failed_upgrades()[0]["reason"] == "secret_not_matched"


def test_the_edge_cuts_a_quiet_websocket(make_chain):
    _, alb, edge, target = ws_chain(make_chain, *ten_minutes_in(2))
    client, origin = open_tunnel(edge, target)
    with client, origin:
        assert is_alive(client, origin)
        assert client.is_at_end() and origin.is_at_end()
    assert "idle: nothing came from the origin" in edge.lines("websocket ended")[0]
    assert 'end="client FIN without a Close"' in alb.access_row(" 101 ")


def test_pings_of_alb_keep_a_quiet_websocket_open(make_chain):
    """Those to the client count: bytes from origin to viewer are what the edge looks for."""
    _, alb, edge, target = ws_chain(make_chain, *ten_minutes_in(2), alb="websocket.ping_interval = 100ms")
    client, origin = open_tunnel(edge, target)
    with client, origin:
        until = time.monotonic() + 3 * PATIENCE
        answering = in_background(answer_pings, origin, until)
        answer_pings(client, until)
        answering()
        assert edge.lines("websocket ended") == []


def test_an_upgrade_that_is_answered_late_comes_again(make_chain):
    """The edge gives up on the first and sends the same upgrade once more. The late answer to the first, when it
    comes, makes no tunnel that stays."""
    chain, upgraded, go_on = make_chain(), Upgraded(), threading.Event()

    def script(sock, head, rest):
        if len(target.seen) == 1:
            go_on.wait(20)
        return upgraded(sock, head, rest)
    target = chain.start_target(script)
    alb = chain.start_alb({"ws": ("/*", [target.address])})
    edge = chain.start_edge("--response-timeout", PATIENCE)
    with Client(edge) as client, upgraded.take() as origin:
        assert len(target.seen) == 2 and target.seen[0] != target.seen[1]
        for name in ("X-Amz-Cf-Id", "Sec-WebSocket-Key"):
            assert values(target.seen[0], name) == values(target.seen[1], name)
        go_on.set()
        with upgraded.take() as late:
            assert late.is_at_end()
        assert is_alive(client, origin)
        wait_until(lambda: alb.metric("alb_websocket_tunnels_open") == 1, "one tunnel to be left")
    assert len(edge.lines("attempt failed")) == 1


def test_a_head_of_20480_bytes_arrives_and_one_byte_more_does_not(make_chain):
    chain = make_chain()
    target = chain.start_target()
    alb = chain.start_alb({"all": ("/*", [target.address])})
    edge = chain.start_edge()
    def of_size(n):
        cookies = b"Cookie: " + b"c" * 15000 + b"\r\nX: "
        return request(fields=cookies + b"x" * (n - len(request()) - len(cookies) - 2) + b"\r\n")
    assert len(of_size(20480)) == 20480
    assert ask(edge, of_size(20480)).status == 200
    assert ask(edge, of_size(20481)).status == 413
    assert len(target.seen) == 1 and len(values(target.seen[0], "Cookie")[0]) == 15000
    assert len(alb.access_rows()) <= 1


def test_the_edge_ends_idle_connections_first(make_chain):
    """However close a request comes to that end: there is no 502 while alb keeps connections for longer."""
    chain = make_chain()
    target = chain.start_target()
    chain.start_alb({"all": ("/*", [target.address])})
    edge = chain.start_edge("--keepalive-timeout", 0.02)
    def enough():
        return len(edge.lines("why='keep-alive time-out'")) > 5 and len(edge.lines("reused=yes")) > 5
    with edge.connect() as sock:
        for ms in itertools.cycle(range(40)):
            sock.sendall(request())
            assert read_response(sock).status == 200
            if ms == 39 and enough():
                break
            time.sleep(ms / 1000)  # what is tried is this distance
    assert not edge.lines("why='closed by the origin'") and not edge.lines("attempt failed")


def test_alb_that_keeps_connections_for_less_than_the_edge_ends_them_under_it(make_chain):
    """What `alb check` warns of."""
    chain = make_chain()
    target = chain.start_target()
    alb = chain.start_alb({"all": ("/*", [target.address])}, alb="idle_timeout.timeout_seconds = 1")
    edge = chain.start_edge()
    assert ask(edge, request()).status == 200
    wait_until(lambda: edge.lines("why='closed by the origin'"), "alb to end it")
    assert "a request that crosses our close becomes a 502" in alb.log()


def test_a_drain_passes_through_the_edge(make_chain):
    _, alb, edge, target = ws_chain(make_chain)
    pairs = [open_tunnel(edge, target) for _ in range(5)]
    with all_closed([peer for pair in pairs for peer in pair]):
        alb.signal(signal.SIGTERM)
        for client, origin in pairs:
            assert after(client.receive_close()) >= 0
            client.send_close(1012)
            assert client.is_at_end()
            assert origin.receive_close() == (1001, b"")
    assert alb.wait() == 0
    assert ask(edge, request()).status == 502


def test_a_reload_and_an_upgrade_lose_nothing_behind_the_edge(make_chain):
    chain = make_chain()
    target, pages = chain.start_target(Upgraded()), chain.start_target(answer(b"a page"))
    groups = {"ws": ("/ws", [target.address]), "pages": ("/*", [pages.address])}
    alb = chain.start_alb(groups)
    edge = chain.start_edge()
    client, origin = open_tunnel(edge, target)
    with client, origin, chain.viewer, traffic(edge, [b"a page"], clients=3):
        for seconds in (61, 62, 63):
            alb.configure(config(groups, alb=f"idle_timeout.timeout_seconds = {seconds}"))
            if seconds == 62:
                assert alb.upgrade()[0] == 0
            else:
                alb.reload()
            assert is_alive(client, origin)
    assert not edge.lines("attempt failed")
