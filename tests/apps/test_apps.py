"""Unmodified applications and their own clients do their normal work through alb, over HTTP and
HTTPS, with a reload under way, and are seen in the access log as what they are."""

import asyncio
import hashlib
import json
import subprocess

import pytest
import websockets

from apps import HERE, Client, FastApi, NodeApp, config
from edge_standin import EdgeStandin
from harness import PATIENCE, wait_until

TLS = "protocol = HTTPS\ntls.verify = on\ntls.ca_file = {cert}"
APPS = ["socketio", "ws", "sockjs", "mqtt", "graphql"]


def run_through(alb, started, name, listener):
    client = Client(name, f"{listener}://localhost:{alb.port(listener)}")
    started.append(client)
    client.half()
    alb.reload()
    client.finish()


@pytest.mark.parametrize("app", APPS)
def test_a_javascript_application_works_through_alb(app, tmp_path, start_alb, started):
    server = NodeApp(tmp_path, app).start()
    started.append(server)
    alb = start_alb(config([server.port]))

    run_through(alb, started, app, "http")
    run_through(alb, started, app, "https")
    for kind in ("ws", "wss"):
        row = alb.access_row(f"{kind} 20").split(" ")
        assert row[0] == kind and row[8:10] == ["101", "101"], row
    wait_until(lambda: alb.metric("alb_websocket_tunnels_open") == 0, "the tunnels to end")
    assert not [row for row in alb.access_rows() if row.split(" ")[8][0] == "5"]


@pytest.mark.parametrize("app", ["socketio", "ws", "sockjs"])
def test_a_javascript_application_that_speaks_https_works_through_alb(app, tmp_path, start_alb,
                                                                      started):
    server = NodeApp(tmp_path, app, tls=True).start()
    started.append(server)
    alb = start_alb(config([server.port], TLS))

    run_through(alb, started, app, "https")
    row = alb.access_row("wss 20").split(" ")
    assert row[8:10] == ["101", "101"], row
    wait_until(lambda: alb.metric("alb_websocket_tunnels_open") == 0, "the tunnels to end")
    assert not [row for row in alb.access_rows() if row.split(" ")[8][0] == "5"]
    assert alb.metric("alb_target_tls_errors_total") == 0


APP_COOKIE = "stickiness.enabled = true\nstickiness.type = app_cookie\nstickiness.app_cookie.cookie_name = io"


@pytest.fixture
def socketio_pair(tmp_path, started):
    """The ports of two servers that know nothing of each other."""
    servers = [NodeApp(tmp_path, "socketio", f"socketio-{n}").start() for n in (1, 2)]
    started += servers
    return [server.port for server in servers]


@pytest.mark.parametrize("client", ["polling", "pollingFirst"])
@pytest.mark.parametrize("group", ["stickiness.enabled = true", APP_COOKIE], ids=["lb_cookie", "app_cookie"])
def test_socketio_on_two_servers_with_stickiness(socketio_pair, start_alb, started, client, group):
    alb = start_alb(config(socketio_pair, group))
    run_through(alb, started, client, "http")
    assert not [row for row in alb.access_rows() if row.split(" ")[8][0] in "45"]


@pytest.mark.parametrize("policy, works", [("AllViewer", True), ("none", False)])
def test_socketio_on_two_servers_behind_an_edge(socketio_pair, start_alb, started, tmp_path, policy, works):
    """The wrong policy takes the cookie away, and the session's id in the query before that."""
    alb = start_alb(config(socketio_pair, "stickiness.enabled = true"))
    edge = EdgeStandin(tmp_path, alb, "--policy", policy)
    started.append(edge)
    edge.start()
    client = Client("pollingFirst", edge.url(""))
    started.append(client)
    if works:
        client.half()
        alb.reload()
        client.finish()
        return
    with pytest.raises(AssertionError):
        client.half()


def test_socketio_on_two_servers_without_stickiness(socketio_pair, start_alb, started):
    client = Client("polling", start_alb(config(socketio_pair)).url(""))
    started.append(client)
    with pytest.raises(AssertionError, match="Session ID unknown"):
        client.half()
        client.finish()


def test_socketio_of_a_page_of_another_site(socketio_pair, start_alb):
    """A browser gives it only the cookie that says SameSite=None: the twin is there for that."""
    alb = start_alb(config(socketio_pair, "stickiness.enabled = true"))
    done = subprocess.run(["node", HERE / "cross_site.mjs", f"https://localhost:{alb.port('https')}"],
                          capture_output=True, text=True, timeout=60 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == ["AWSALBCORS"]
    assert not [row for row in alb.access_rows() if row.split(" ")[8][0] in "45"]


def curl(*args):
    done = subprocess.run(["curl", "-sSk", "--max-time", "20", *map(str, args)], capture_output=True, check=True)
    return done.stdout


@pytest.fixture(params=["http", "https"])
def target(request):
    """What the application itself speaks."""
    return request.param


@pytest.fixture
def fastapi(tmp_path, start_alb, started, target):
    server = FastApi(tmp_path, target == "https").start()
    started.append(server)
    return start_alb(config([server.port], TLS if target == "https" else ""))


@pytest.mark.parametrize("listener,target", [("http", "http"), ("https", "http"),
                                             ("https", "https")], indirect=["target"])
def test_fastapi_requests_uploads_and_streams(listener, fastapi, tmp_path):
    url = fastapi.url("", listener, listener)
    item = json.loads(curl(f"{url}/items/7"))
    assert item["item"] == 7 and item["client"] == "127.0.0.1" and item["host"] == url.split("//")[1]
    assert curl("-o", "/dev/null", "-w", "%{http_code}", f"{url}/items/x") == b"422"

    body = tmp_path / "body"
    body.write_bytes(b"0123456789abcdef" * 500000)
    digest = hashlib.sha256(body.read_bytes()).hexdigest()
    assert json.loads(curl("-F", f"file=@{body}", f"{url}/upload"))["sha256"] == digest
    assert json.loads(curl("-T", body, "-H", "Expect: 100-continue", f"{url}/raw"))["sha256"] == digest
    chunked = ["-T", body, "-H", "Transfer-Encoding: chunked", f"{url}/raw"]
    assert json.loads(curl(*chunked))["sha256"] == digest


def test_fastapi_events_come_one_by_one(fastapi):
    """The first event arrives before the second is sent: nothing is held back."""
    with fastapi.connect() as sock:
        sock.sendall(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
        data = b""
        while b"data: 0" not in data:
            data += sock.recv(65536)
        assert b"data: 1" not in data
        while b"\r\n0\r\n\r\n" not in data:
            data += sock.recv(65536)
        assert b"data: 2" in data


def test_fastapi_websocket_with_a_subprotocol(fastapi):
    async def talk():
        async with websockets.connect(fastapi.url("/ws/ann", scheme="ws"), subprotocols=["chat", "other"]) as ws:
            assert ws.subprotocol == "chat"
            for text in ("hello", "x" * 100000, "after"):
                if text == "after":
                    fastapi.reload()
                await ws.send(text)
                assert json.loads(await ws.recv()) == {"name": "ann", "said": text}

    asyncio.run(asyncio.wait_for(talk(), 20))
