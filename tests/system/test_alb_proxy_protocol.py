"""The PROXY protocol in front of a listener: demanded or not expected, never guessed."""

import contextlib
import json
import re
import shutil
import socket
import ssl
import subprocess

import pytest

from balancer import forward_config
from harness import PATIENCE, free_port, wait_until
from http_wire import read_response, request, values
from localhost_cert import CERT, trusting_context
from proxy_wire import AUTHORITY, NOOP, SIGNATURE, endpoint, local, tlv, v1, v2
from scripted_target import answer
from sockets import is_closed, read_until_close
from ws_peers import TEXT, Upgraded, ws_config
from ws_wire import upgrade_request

HTTP_ON = "proxy_protocol = on\n"
REFUSED = 'alb_connections_refused_total{reason="proxy_protocol"}'
ANNOUNCED = 'alb_proxy_protocol_heads_total{address="announced"}'
ADMITTED = 'alb_edge_connections_total{outcome="admitted"}'
OWN = 'alb_proxy_protocol_heads_total{address="own"}'


def config(target, listener=HTTP_ON, edge="allow = 127.0.0.1/32", **more):
    return forward_config(target, edge=edge, **more).replace(
        "default_action = forward app", listener + "default_action = forward app", 1)


HTTPS_LISTENER = """
[listener https]
bind = 127.0.0.1:0
protocol = HTTPS
certificate = {cert}
proxy_protocol = on
default_action = forward app
"""


def last_from(target):
    """X-Forwarded-For of the last request that came to it."""
    return values(target.seen[-1], "X-Forwarded-For")


def exchange(sock, head, req=None):
    sock.sendall(head + (req or request()))
    return read_response(sock)


# --- who the client is ---------------------------------------------------------------------


@pytest.mark.parametrize("head, client", [
    (v1("192.0.2.1"), "192.0.2.1"),
    (v1("2001:db8::7", to="2001:db8::8"), "2001:db8::7"),
    (v2("192.0.2.2"), "192.0.2.2"),
    (v2("2001:db8::9"), "2001:db8::9"),
    (v2("192.0.2.3", with_crc=True, tlvs=tlv(AUTHORITY, b"a.example") + tlv(NOOP, bytes(1000))),
     "192.0.2.3"),
], ids=["v1-4", "v1-6", "v2-4", "v2-6", "v2-tlvs"])
def test_the_announced_address_is_the_client(start_alb, start_target, head, client):
    target = start_target()
    alb = start_alb(config(target, alb="routing.http.xff_client_port.enabled = on"))

    with alb.connect() as sock:
        own = sock.getsockname()
        assert exchange(sock, head).status == 200
        assert exchange(sock, b"").status == 200, "one head a connection"
    shown = f"[{client}]" if ":" in client else client
    assert last_from(target) == [f"{shown}:4711"]
    row = alb.access_row(f" {shown}:4711 ")
    assert row.split(" ")[3] == f"{shown}:4711"
    assert row.endswith(f" via=127.0.0.1:{own[1]}")
    assert alb.metric(ANNOUNCED) == 1 and alb.metric(REFUSED) == 0
    assert values(target.seen[-1], "X-Forwarded-Port") == [str(alb.port())], \
        "the announced destination changes nothing"


@pytest.mark.parametrize("head", [b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ff::1 ::1 1 2\r\n", local(),
                                  local(tlv(NOOP, b"abc")), SIGNATURE + b"\x21\0\0\0",
                                  SIGNATURE + b"\x21\x31\0\xd8" + b"/" * 216])
def test_without_an_announced_address_the_connecting_one_holds(start_alb, start_target, head):
    target = start_target()
    alb = start_alb(config(target))

    with alb.connect() as sock:
        assert exchange(sock, head).status == 200
        row = alb.access_row(f" 127.0.0.1:{sock.getsockname()[1]} ")
    assert last_from(target) == ["127.0.0.1"] and "via=" not in row
    assert (alb.metric(OWN), alb.metric(ANNOUNCED)) == (1, 0)


def test_rules_go_by_the_announced_address(start_alb, start_target):
    alb = start_alb(config(start_target(), more="""
[rule theirs]
listener = http
priority = 1
source-ip = 192.0.2.0/24
action = fixed-response 418
"""))

    with alb.connect() as sock:
        assert exchange(sock, v2("192.0.2.200")).status == 418
    with alb.connect() as sock:
        assert exchange(sock, v2("198.51.100.1")).status == 200


@pytest.mark.parametrize("trust, is_believed", [("192.0.2.0/24", True), ("127.0.0.1", False)])
def test_the_announced_address_is_whom_trust_names(start_alb, start_target, trust, is_believed):
    alb = start_alb(config(start_target(), edge=f"allow = 127.0.0.1\ntrust = {trust}"))

    with alb.connect() as sock:
        exchange(sock, v2("192.0.2.1"), request(fields=b"X-Forwarded-For: 198.51.100.7\r\n"))
    assert (" viewer=198.51.100.7" in alb.access_row("via=")) == is_believed


BY_VIEWER = """
[rule viewer]
listener = {listener}
priority = 1
source-ip = 198.51.100.0/24
action = fixed-response 200 text/plain viewer
[rule announced]
listener = {listener}
priority = 2
source-ip = 192.0.2.0/24
action = fixed-response 200 text/plain announced
[rule peer]
listener = {listener}
priority = 3
source-ip = 127.0.0.1
action = fixed-response 200 text/plain peer
"""


@pytest.mark.parametrize("edge, head, who", [
    # `trust = edge` is the set: the announced hop is in it, or is not
    ("allow = 127.0.0.1 192.0.2.0/24", v2("192.0.2.1"), b"viewer"),
    ("allow = 127.0.0.1 192.0.2.0/24\ncheck_announced = on", v2("192.0.2.1"), b"viewer"),
    ("allow = 127.0.0.1", v2("192.0.2.1"), b"announced"),
    # blocks of its own, whatever the set has
    ("allow = 127.0.0.1\ntrust = 192.0.2.0/24", v1("192.0.2.1"), b"viewer"),
    ("allow = 127.0.0.1\ntrust = 192.0.2.128/25", v1("192.0.2.1"), b"announced"),
    # the balancer itself is not asked, unless it is the hop
    ("allow = 127.0.0.1\ntrust = 127.0.0.1", v2("192.0.2.1"), b"announced"),
    ("allow = 127.0.0.1\ntrust = 127.0.0.1", local(), b"viewer"),
    ("allow = 127.0.0.1\ntrust = 192.0.2.0/24", local(), b"peer"),
    ("allow = 127.0.0.1\ntrust = none", v2("192.0.2.1"), b"announced"),
])
@pytest.mark.parametrize("listener", ["http", "https"])
def test_a_viewer_behind_an_announced_hop_goes_by_trust(start_alb, start_target, listener, edge,
                                                        head, who):
    alb = start_alb(config(start_target(), more=HTTPS_LISTENER + BY_VIEWER.format(listener=listener),
                           edge=edge + "\nsource_ip = viewer"))
    fields = b"X-Forwarded-For: 10.0.0.1, 198.51.100.7\r\n"

    with alb.connect(listener) as sock:
        if listener == "https":
            got = tls_exchange(sock, head, req=request(fields=fields))
        else:
            got = exchange(sock, head, request(fields=fields)).body
    assert got.endswith(who), "who it is for"
    assert ("viewer=198.51.100.7" in alb.access_row(" 200 ")) == (who == b"viewer")


def test_the_vpc_endpoint_is_logged(start_alb, start_target, tmp_path):
    name = "vpce-08d2bf15fac5001c9"
    head = v2("192.0.2.1", tlvs=endpoint(name), with_crc=True)
    log = tmp_path / "connections.log"
    alb = start_alb(config(start_target(), alb="connection_logs.enabled = on\n"
                                               f"connection_logs.file = {log}"))
    with alb.connect() as sock:
        via = f"127.0.0.1:{sock.getsockname()[1]}"
        exchange(sock, head)
    assert alb.access_row("via=").endswith(f" via={via} vpce={name}")
    row = wait_until(lambda: log.exists() and log.read_text(), "a row in the connection log")
    assert row.split(" ")[1:3] == ["192.0.2.1", "4711"]
    assert row.endswith(f" 127.0.0.1 via={via} vpce={name}\n")


def test_the_vpc_endpoint_is_logged_as_json(start_alb, start_target, tmp_path):
    log = tmp_path / "connections.log"
    alb = start_alb(config(start_target(), alb="access_logs.format = json\n"
                           f"connection_logs.enabled = on\nconnection_logs.file = {log}"))
    with alb.connect() as sock:
        via = f"127.0.0.1:{sock.getsockname()[1]}"
        exchange(sock, v2("192.0.2.1", tlvs=endpoint("vpce-1")))
    with alb.connect() as sock:
        exchange(sock, v1("192.0.2.2"))
    with alb.connect() as sock:
        exchange(sock, local())
    rows = wait_until(lambda: len(alb.access_rows()) == 3 and
                      [json.loads(r) for r in alb.access_rows()], "three rows")
    assert [r["client:port"] for r in rows[:2]] == ["192.0.2.1:4711", "192.0.2.2:4711"]
    assert (rows[0]["via"], rows[0]["vpce"], rows[1]["vpce"]) == (via, "vpce-1", None)
    assert "via" not in rows[2]
    wait_until(lambda: log.read_text().count("\n") == 3, "three connections")
    rows = [json.loads(r) for r in log.read_text().splitlines()]
    assert (rows[0]["client_ip"], rows[0]["via"], rows[0]["vpce"]) == ("192.0.2.1", via, "vpce-1")
    assert "vpce" not in rows[1] and "via" not in rows[2]


def test_a_websocket_has_the_announced_client(start_alb, start_target):
    target = start_target(Upgraded())
    alb = start_alb(ws_config(target).replace("default_action", HTTP_ON + "default_action", 1))

    with alb.connect() as sock:
        sock.sendall(v2("192.0.2.1", tlvs=endpoint("vpce-1")) + upgrade_request())
        origin = target.script.take()
        wait_until(lambda: alb.tunnels()["tunnels"], "the tunnel")
        assert alb.tunnels()["tunnels"][0]["client"] == "192.0.2.1:4711"
        origin.close()
        read_until_close(sock)
    assert " vpce=vpce-1 end=" in alb.access_row(" 192.0.2.1:4711 ")


# --- how it comes --------------------------------------------------------------------------


@pytest.mark.parametrize("head", [v1("192.0.2.1"), v2("192.0.2.1", tlvs=tlv(NOOP, bytes(40)))],
                         ids=["v1", "v2"])
def test_a_head_in_many_packets(start_alb, start_target, head):
    target = start_target()
    alb = start_alb(config(target))

    with alb.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(head)):
            sock.sendall(head[i:i + 1])
        assert exchange(sock, b"").status == 200
    assert last_from(target) == ["192.0.2.1"]


def test_the_largest_head(start_alb, start_target):
    target = start_target()
    alb = start_alb(config(target))
    fill = 4096 - 16 - 12 - 3

    with alb.connect() as sock:
        assert exchange(sock, v2("192.0.2.1", tlvs=tlv(NOOP, bytes(fill)))).status == 200
    assert last_from(target) == ["192.0.2.1"]
    with alb.connect() as sock:
        sock.sendall(v2("192.0.2.1", tlvs=tlv(NOOP, bytes(fill + 1)))[:16])
        assert is_closed(sock), "by its length alone"


def test_a_client_that_closes_its_half_behind_the_request(start_alb, start_target):
    alb = start_alb(config(start_target()))

    with alb.connect() as sock:
        sock.sendall(v1("192.0.2.1") + request())
        sock.shutdown(socket.SHUT_WR)
        assert read_response(sock).status == 200


# --- what is no head -----------------------------------------------------------------------


@pytest.mark.parametrize("first, why", [
    (request(), "does not begin with a head"),
    (b"\x16\x03\x01\x02\x00\x01", "does not begin with a head"),
    (b"PROXY TCP4 192.0.2.1 10.0.0.5 1 65536\r\n" + request(), "does not end with two ports"),
    (b"PROXY TCP4 192.0.2.1 10.0.0.5 1 2\n" + request(), "does not end with CR and LF"),
    (b"PROXY UNKNOWN " + b"x" * 120, "more than 107 bytes"),
    (SIGNATURE + b"\x31\x11\0\x0c" + bytes(12), "a version that there is not"),
    (SIGNATURE + b"\x21\x11\xff\xff", "more than 4096 bytes"),
    (v2("192.0.2.1", with_crc=True)[:-1] + b"\x7f" + request(), "checksum"),
])
def test_anything_else_is_closed_and_its_reason_logged(start_alb, start_target, first, why):
    target = start_target()
    alb = start_alb(config(target))

    with alb.connect() as sock:
        sock.sendall(first)
        assert read_until_close(sock) == b"", "not a word"
    wait_until(lambda: alb.metric(REFUSED) == 1, "it to be counted")
    assert "proxy protocol failed peer=127.0.0.1:" in alb.log() and why in alb.log()
    assert not target.seen
    wait_until(lambda: alb.metric("alb_connections_open") == 0, "it to be gone")


def test_a_torn_head_is_closed_in_time(start_alb, start_target):
    alb = start_alb(config(start_target(), HTTP_ON + "proxy_protocol.timeout = 500ms\n"))

    with alb.connect() as torn, alb.connect() as silent:
        torn.sendall(v2("192.0.2.1")[:-1])
        assert is_closed(torn) and is_closed(silent)
    wait_until(lambda: alb.metric(REFUSED) == 1, "the torn one to be counted, and only it")
    assert "did not come in time" in alb.log()


@pytest.mark.parametrize("listener", ["http", "https"])
@pytest.mark.parametrize("first, why", [
    (request(), "it does not begin with a head of the PROXY protocol"),
    (v1("192.0.2.1")[:-3], "it closed before the PROXY head was whole"),
])
def test_a_failed_head_has_a_row_in_the_connection_log(start_alb, start_target, tmp_path, listener,
                                                       first, why):
    log = tmp_path / "connections.log"
    alb = start_alb(config(start_target(), more=HTTPS_LISTENER, alb="connection_logs.enabled = on\n"
                                                                    f"connection_logs.file = {log}"))
    with alb.connect(listener) as sock:
        port = str(sock.getsockname()[1])
        sock.sendall(first)
        with contextlib.suppress(OSError):  # it may have been reset by then
            sock.shutdown(socket.SHUT_WR)
        read_until_close(sock)
    row = wait_until(lambda: log.exists() and log.read_text(), "its row")
    fields = row.split(" ")
    assert fields[1:4] == ["127.0.0.1", port, str(alb.port(listener))]
    assert fields[4:7] == ["-", "-", "-"] and fields[10] == "-", "it came to no handshake"
    assert row.count("\n") == 1 and row.endswith(f' end="{why}"\n') and " via=" not in row


def test_which_ends_have_a_row(start_alb, start_target, tmp_path):
    """Those that have said something; not a probe of the port, nor whom [edge] refuses."""
    log = tmp_path / "connections.log"
    alb = start_alb(config(start_target(), HTTP_ON + "proxy_protocol.timeout = 300ms\n",
                           edge="allow = 127.0.0.1/32\ncheck_announced = on",
                           alb="access_logs.format = json\nconnection_logs.enabled = on\n"
                               f"connection_logs.file = {log}"))
    alb.connect().close()
    for first in (b"", v1("192.0.2.1"), b"PROXY "):
        with alb.connect() as sock:
            sock.sendall(first)
            assert is_closed(sock)
    with alb.connect() as sock:
        assert exchange(sock, local()).status == 200
    rows = wait_until(lambda: log.exists() and log.read_text().count("\n") == 2 and
                      [json.loads(r) for r in log.read_text().splitlines()], "two rows")
    assert [r.get("end") for r in rows] == ["the PROXY head did not come in time", None]
    assert rows[0]["client_ip"] == "127.0.0.1" and rows[0]["timestamp"]


def test_slow_heads_do_not_keep_others_out(start_alb, start_target):
    alb = start_alb(config(start_target()))

    with contextlib.ExitStack() as stack:
        for n in range(200):
            sock = stack.enter_context(alb.connect())
            sock.sendall(v2("192.0.2.1")[:n % 27])
        with alb.connect() as sock:
            assert exchange(sock, v2("192.0.2.1")).status == 200


def test_a_probe_of_the_port_is_no_trouble(start_alb, start_target):
    alb = start_alb(config(start_target()))

    for _ in range(3):
        alb.connect().close()
    with alb.connect() as sock:
        assert exchange(sock, local()).status == 200
    assert alb.metric(REFUSED) == 0 and "proxy protocol failed" not in alb.log()


def test_what_waits_for_a_head_does_not_keep_a_stop_up(start_alb, start_target):
    alb = start_alb(config(start_target(), HTTP_ON + "proxy_protocol.timeout = 1m\n",
                           more=HTTPS_LISTENER + "proxy_protocol.timeout = 1m\n"))

    with alb.connect() as sock, alb.connect("https") as tls:
        sock.sendall(b"PROXY ")
        tls.sendall(b"PROXY ")
        assert alb.stop() == 0
        assert is_closed(sock) and is_closed(tls)


# --- where it is not expected ----------------------------------------------------------------


@pytest.mark.parametrize("head", [v1("192.0.2.1"), v2("192.0.2.1"), local()],
                         ids=["v1", "v2", "local"])
@pytest.mark.parametrize("listener", ["http", "https"])
def test_a_head_that_is_not_expected_is_no_request(start_alb, start_target, listener, head):
    target = start_target()
    alb = start_alb(config(target, "", more=HTTPS_LISTENER.replace(HTTP_ON, "")))

    with alb.connect(listener) as sock:
        sock.sendall(head + request())
        got = read_until_close(sock)
    is_text = listener == "http" or head.startswith(b"PROXY")
    assert got.startswith(b"HTTP/1.1 400 ") if is_text else got == b""
    assert not target.seen
    wait_until(lambda: "proxy_protocol = on" in alb.log(), "the log to name the setting")


def test_a_reload_turns_it_on_for_new_connections(start_alb, start_target):
    target = start_target()
    alb = start_alb(config(target, ""))

    with alb.connect() as before:
        assert exchange(before, b"").status == 200
        alb.configure(config(target))
        dry = alb.ok("reload", "--dry-run")
        assert "proxy_protocol" in dry and "for new connections" in dry
        alb.reload()
        assert exchange(before, b"").status == 200
        with alb.connect() as sock:
            assert exchange(sock, v1("192.0.2.1")).status == 200
    assert last_from(target) == ["192.0.2.1"]


# --- TLS -------------------------------------------------------------------------------------


def tls_exchange(sock, head, in_one=False, req=None):
    """A request over TLS behind the head; with its ClientHello in one packet if that is wanted."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusting_context().wrap_bio(into, out, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    for piece in ([head + out.read()] if in_one else [head, out.read()]):
        sock.sendall(piece)
    while True:
        into.write(sock.recv(65536))
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            sock.sendall(out.read())
    tls.write(req or request())
    sock.sendall(out.read())
    while True:
        try:
            return tls.read(65536)
        except ssl.SSLWantReadError:
            into.write(sock.recv(65536))


@pytest.mark.parametrize("in_one", [True, False], ids=["one packet", "two packets"])
@pytest.mark.parametrize("head", [v1("192.0.2.1"), v2("192.0.2.1", tlvs=endpoint("vpce-1"))],
                         ids=["v1", "v2"])
def test_it_comes_before_tls(start_alb, start_target, tmp_path, head, in_one):
    target = start_target()
    log = tmp_path / "connections.log"
    alb = start_alb(config(target, more=HTTPS_LISTENER, alb="connection_logs.enabled = on\n"
                                                            f"connection_logs.file = {log}"))
    with alb.connect("https") as sock:
        via = f" via=127.0.0.1:{sock.getsockname()[1]}"
        assert tls_exchange(sock, head, in_one).startswith(b"HTTP/1.1 200 ")
    assert last_from(target) == ["192.0.2.1"]
    assert via in alb.access_row("https 2")
    row = wait_until(lambda: log.exists() and log.read_text(), "a row in the connection log")
    assert row.split(" ")[1:3] == ["192.0.2.1", "4711"] and " TLSv1" in row and via in row


LISTENERS = ["http", "https"]
LONG = HTTP_ON + "proxy_protocol.timeout = 60s\n"  # to wait for a head


def is_served(sock, listener):
    """It says now for whom it is, and is answered."""
    if listener == "http":
        return exchange(sock, v1("192.0.2.1")).status == 200
    return tls_exchange(sock, v1("192.0.2.1")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("listener", LISTENERS)
def test_whose_head_is_awaited_is_served_after_an_upgrade(start_alb, start_target, listener):
    alb = start_alb(config(start_target(), LONG, more=HTTPS_LISTENER.replace(HTTP_ON, LONG)))

    with alb.connect(listener) as sock:
        wait_until(lambda: alb.metric(ADMITTED) == 1, "it to be accepted")
        code, text = alb.upgrade()
        assert code == 0, text
        assert is_served(sock, listener)


@pytest.mark.parametrize("listener", LISTENERS)
def test_whose_head_is_awaited_is_served_when_the_listener_has_gone(start_alb, start_target,
                                                                    listener):
    both = config(start_target(), LONG, more=HTTPS_LISTENER.replace(HTTP_ON, LONG))
    alb = start_alb(both)

    with alb.connect(listener) as sock:
        wait_until(lambda: alb.metric(ADMITTED) == 1, "it to be accepted")
        alb.configure(re.sub(rf"\[listener {listener}\][^\[]*", "", both))
        alb.reload()
        wait_until(lambda: f"listener closed name={listener}" in alb.log(), "its sockets to close")
        assert is_served(sock, listener)


def test_no_head_no_handshake(start_alb, start_target):
    alb = start_alb(config(start_target(), more=HTTPS_LISTENER))

    with alb.connect("https") as sock, pytest.raises((ssl.SSLError, OSError)):
        trusting_context().wrap_socket(sock, server_hostname="localhost")
    wait_until(lambda: alb.metric(REFUSED) == 1, "it to be counted")
    assert alb.metric("alb_tls_handshake_errors_total") == 0


def test_a_failed_handshake_names_the_announced_client(start_alb, start_target):
    alb = start_alb(config(start_target(), more=HTTPS_LISTENER))

    with alb.connect("https") as sock:
        sock.sendall(v1("192.0.2.77") + b"\x15nonsense")
        read_until_close(sock)
    wait_until(lambda: "tls failed client=192.0.2.77:4711" in alb.log(), "the log to say so")


# --- who may announce, and whom ---------------------------------------------------------------


def test_the_connecting_address_is_checked_whatever_it_announces(start_alb, start_target):
    target = start_target()
    alb = start_alb(config(target))

    with contextlib.suppress(ConnectionError, TimeoutError), \
            alb.connect(source="127.0.0.2", timeout=1) as sock:
        sock.sendall(v1("127.0.0.1") + request())
        assert read_until_close(sock) == b""
    assert alb.metric('alb_connections_refused_total{reason="edge"}') + \
        alb.metric("alb_edge_dropped_syns_total") > 0, "at accept, or in the kernel"
    assert not target.seen and alb.metric("alb_proxy_protocol_heads_total") == 0


def test_the_announced_address_is_checked_if_that_is_set(start_alb, start_target):
    target = start_target()
    alb = start_alb(config(target, more=HTTPS_LISTENER,
                           edge="allow = 127.0.0.1/32 192.0.2.0/24\ncheck_announced = on"))

    with alb.connect() as sock:
        assert exchange(sock, v2("192.0.2.9")).status == 200
    with alb.connect() as sock:
        assert exchange(sock, local()).status == 200, "nobody is announced"
    for n, listener in enumerate(("http", "https"), 1):
        with alb.connect(listener) as sock:
            sock.sendall(v2("198.51.100.1"))
            assert read_until_close(sock) == b""
        assert alb.metric('alb_connections_refused_total{reason="edge"}') == n
    assert "announced client=198.51.100.1:4711" in alb.log() and len(target.seen) == 2


def test_who_leaves_the_edge_set_is_who_connects(start_alb, start_target):
    """on_leave = close: whom they announce was never in it, and says nothing."""
    target = start_target(Upgraded())
    text = ws_config(target).replace("default_action", HTTP_ON + "default_action", 1)

    def edge(*addresses):
        return text.replace("[edge]\n", "[edge]\non_leave = close\nleave_timeout = 0\n").replace(
            "allow = 127.0.0.0/8", "allow = " + " ".join(addresses))
    alb = start_alb(edge("127.0.0.1", "127.0.0.2"))
    assert "allow = 127.0.0.1 127.0.0.2" in alb.path.read_text()
    with alb.connect() as stays, alb.connect(source="127.0.0.2") as goes:
        for sock in (stays, goes):
            sock.sendall(v2("192.0.2.1") + upgrade_request())
        origins = [target.script.take() for _ in range(2)]
        wait_until(lambda: len(alb.tunnels()["tunnels"]) == 2, "both tunnels")
        alb.configure(edge("127.0.0.1"))
        alb.reload()
        read_until_close(goes)
        assert len(alb.tunnels()["tunnels"]) == 1, "the other one is there"
        for origin in origins:
            origin.close()


@pytest.mark.parametrize("checked, leave", [("", 1), ("check_announced = on\n", 2)])
def test_a_dry_run_knows_who_would_leave(start_alb, start_target, checked, leave):
    target = start_target(Upgraded())
    text = ws_config(target).replace("default_action", HTTP_ON + "default_action", 1)

    def edge(*addresses):
        return text.replace("[edge]\n", "[edge]\non_leave = close\n" + checked).replace(
            "allow = 127.0.0.0/8", "allow = " + " ".join(addresses))
    alb = start_alb(edge("127.0.0.1", "127.0.0.2", "192.0.2.0/24"))
    with alb.connect() as stays, alb.connect() as announces, \
            alb.connect(source="127.0.0.2") as goes:
        for sock, client in ((stays, "192.0.2.1"), (announces, "192.0.2.130"), (goes, "192.0.2.1")):
            sock.sendall(v2(client) + upgrade_request())
        origins = [target.script.take() for _ in range(3)]
        wait_until(lambda: len(alb.tunnels()["tunnels"]) == 3, "the tunnels")
        alb.configure(edge("127.0.0.1", "192.0.2.0/25"))
        found = json.loads(alb.ok("reload", "--dry-run", "--json"))
        assert [(r["reason"], r["tunnels"]) for r in found["reasons"]] == [
            ("peer not in the edge set", leave)]
        for origin in origins:
            origin.close()


# --- another process takes over ----------------------------------------------------------------


def test_what_was_announced_survives_an_upgrade(start_alb, start_target):
    target = start_target()
    alb = start_alb(config(target))

    with alb.connect() as sock:
        via = f" via=127.0.0.1:{sock.getsockname()[1]} vpce=vpce-1"
        assert exchange(sock, v2("192.0.2.1", tlvs=endpoint("vpce-1"))).status == 200
        code, text = alb.upgrade()
        assert code == 0, text
        assert exchange(sock, b"", request(path="/after")).status == 200
    assert last_from(target) == ["192.0.2.1"]
    assert alb.access_row("/after").endswith(via)
    with alb.connect() as sock:
        assert exchange(sock, v2("192.0.2.2")).status == 200


def test_a_tunnels_row_has_it_after_an_upgrade(start_alb, start_target):
    target = start_target(Upgraded())
    alb = start_alb(ws_config(target).replace("default_action", HTTP_ON + "default_action", 1))

    with alb.connect() as sock:
        sock.sendall(v2("192.0.2.1", tlvs=endpoint("vpce-1")) + upgrade_request())
        origin = target.script.take()
        code, text = alb.upgrade()
        assert code == 0, text
        origin.send(TEXT, b"still there")
        origin.close()
        read_until_close(sock)
    assert " vpce=vpce-1 end=" in alb.access_row(" 192.0.2.1:4711 ")


# --- with those that really speak it -----------------------------------------------------------


@pytest.mark.parametrize("listener, scheme", [("http", "http"), ("https", "https")])
def test_curl(start_alb, start_target, listener, scheme):
    target = start_target(answer(b"hello"))
    alb = start_alb(config(target, more=HTTPS_LISTENER))
    host, port = alb.address(listener)

    done = subprocess.run(
        ["curl", "-sS", "--haproxy-protocol", "--cacert", str(CERT), "--resolve",
         f"localhost:{port}:{host}", f"{scheme}://localhost:{port}/"],
        capture_output=True, text=True, timeout=30 * PATIENCE)
    assert done.stdout == "hello", done.stderr
    assert last_from(target) == ["127.0.0.1"] and alb.metric(ANNOUNCED) == 1


HAPROXY = """
defaults
    mode tcp
    timeout connect 10s
    timeout client 10s
    timeout server 10s
listen front
    bind 127.0.0.1:%d
    server alb 127.0.0.1:%d source 127.0.0.1 %s
"""


@pytest.mark.parametrize("options", [
    "send-proxy", "send-proxy-v2",
    "send-proxy-v2-ssl-cn proxy-v2-options crc32c,authority,unique-id,ssl"])
def test_haproxy_in_front(start_alb, start_target, started, tmp_path, options):
    if shutil.which("haproxy", path="/usr/sbin:/usr/bin") is None:
        pytest.skip("haproxy is not installed")
    target = start_target()
    alb = start_alb(config(target))
    port = free_port()
    path = tmp_path / "haproxy.cfg"
    path.write_text(HAPROXY % (port, alb.port(), options))
    haproxy = subprocess.Popen(["/usr/sbin/haproxy", "-db", "-f", path],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def connect():
            with contextlib.suppress(OSError):
                return socket.create_connection(("127.0.0.1", port), 10 * PATIENCE, ("127.0.0.9", 0))
        with wait_until(connect, "haproxy to listen") as sock:
            client = sock.getsockname()
            assert exchange(sock, b"").status == 200
    finally:
        haproxy.terminate()
        haproxy.wait()
    assert last_from(target) == ["127.0.0.9"]
    assert " via=127.0.0.1:" in alb.access_row(f" 127.0.0.9:{client[1]} ")
