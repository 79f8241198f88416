"""[health]: what stands in front asks whether we live and take new work, by a door of its own."""

import contextlib
import json
import select
import signal
import socket

import pytest

from balancer import forward_config
from harness import PATIENCE, free_port, run, split_address, wait_until
from http_wire import read_head, read_response, request, values
from proxy_wire import NOOP, SIGNATURE, local, tlv, v1, v2
from scripted_target import answer
from sockets import read_until_close
from stopped_threads import stopped_threads

DOOR = "[health]\nbind = 127.0.0.1:0\nallow = 127.0.0.2/32\n"
CHECKER = "127.0.0.2"
PROBED = "health_check.interval_seconds = 200ms\nhealth_check.timeout_seconds = 100ms\n"


def config(target, health=DOOR, edge="allow = 127.0.0.1/32", **more):
    return forward_config(target, edge=edge, more=health, **more)


def connect(alb, source=CHECKER, door=0, timeout=10):
    return socket.create_connection(split_address(alb.ready["health"][door]), timeout * PATIENCE,
                                    (source, 0))


def check(alb, path="/health", head=b"", method="GET", **how):
    """One check: the response."""
    with connect(alb, **how) as sock:
        sock.sendall(head + request(method, path))
        return read_response(sock, to_head=method == "HEAD")


def is_ready(alb):
    return check(alb, "/ready").status == 200


@pytest.mark.parametrize("head", [b"", local(), local(tlv(NOOP, bytes(100))), v1("192.0.2.1"),
                                  v2("192.0.2.1"), b"PROXY UNKNOWN\r\n"],
                         ids=["none", "local", "local-tlv", "v1", "v2", "unknown"])
def test_a_checker_needs_no_secret_and_no_place_in_the_edge_set(start_alb, start_target, head):
    target = start_target()
    alb = start_alb(config(target))

    response = check(alb, head=head)
    assert (response.status, response.body) == (200, b"ok\n")
    assert values(response.head, "Cache-Control") == ["no-store"]
    assert check(alb, "/ready", head=head).body == b"ready\n"
    assert not target.seen


@pytest.mark.parametrize("head", [b"", local()], ids=["none", "local"])
def test_a_checker_needs_no_secret_where_clients_need_one(start_alb, start_target, tmp_path, head):
    path = tmp_path / "secret"
    path.touch(mode=0o600)
    path.write_text("0123456789abcdef\n")
    target = start_target()
    alb = start_alb(config(target, edge="allow = 127.0.0.1/32\nsecret_header = X-Origin-Verify\n"
                                        f"secret_file = {path}"))

    assert check(alb, head=head).status == 200
    assert check(alb, "/ready", head=head).body == b"ready\n"
    with alb.connect() as sock:
        sock.sendall(request())
        assert read_response(sock).status == 403, "a client does"
        sock.sendall(request(fields=b"X-Origin-Verify: 0123456789abcdef\r\n"))
        assert read_response(sock).status == 200
    assert len(target.seen) == 1


def test_client_addresses_preserved(start_alb, start_target):
    """Then clients connect from their own addresses, and checks from the balancer's."""
    alb = start_alb(config(start_target(), edge="allow = 127.0.0.9/32"))

    with alb.connect(source="127.0.0.9") as sock:
        sock.sendall(request())
        assert read_response(sock).status == 200
    assert is_ready(alb)


def test_client_addresses_not_preserved(start_alb, start_target):
    """Then the balancer connects for its clients and says so, and its checks say LOCAL."""
    target = start_target()
    alb = start_alb(config(target, edge="allow = 127.0.0.2/32").replace(
        "default_action", "proxy_protocol = on\ndefault_action", 1))

    with alb.connect(source=CHECKER) as sock:
        sock.sendall(v2("192.0.2.1") + request())
        assert read_response(sock).status == 200
    assert values(target.seen[-1], "X-Forwarded-For") == ["192.0.2.1"]
    assert check(alb, "/ready", head=local()).status == 200


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/", 404), ("GET", "/healthy", 404), ("GET", "/ready/", 404), ("POST", "/nothing", 404),
    ("POST", "/health", 405), ("DELETE", "/ready", 405), ("GET", "/health?verbose", 200),
    ("HEAD", "/ready", 200)])
def test_nothing_else_is_answered(start_alb, start_target, method, path, status):
    response = check(start_alb(config(start_target())), path, method=method)

    assert response.status == status
    assert values(response.head, "Allow") == (["GET, HEAD"] if status == 405 else [])
    assert method != "HEAD" or response.body == b""


def test_http_1_0_and_a_request_in_many_packets(start_alb, start_target):
    alb = start_alb(config(start_target()))

    with connect(alb) as sock:
        sock.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        assert read_until_close(sock).endswith(b"\r\n\r\nok\n")
    with connect(alb) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in local() + request(path="/health"):
            sock.sendall(bytes([byte]))
        assert read_until_close(sock).endswith(b"\r\n\r\nok\n")


@pytest.mark.parametrize("nonsense, status", [
    (b"\x16\x03\x01\r\n\r\n", b" 400 "), (b"GET /health HTTP/1.1\r\nX: " + b"x" * 5000, b" 431 "),
    (SIGNATURE + b"\x31\0\0\0", b""), (b"PROXY TCP4 nonsense\r\n", b"")])
def test_nonsense(start_alb, start_target, nonsense, status):
    alb = start_alb(config(start_target()))

    with connect(alb) as sock:
        sock.sendall(nonsense)
        got = read_until_close(sock)
    assert status in got and (status or got == b"")
    assert check(alb).status == 200


def test_a_stranger_hears_nothing(start_alb, start_target):
    alb = start_alb(config(start_target()))

    for stranger in ("127.0.0.1", "127.0.0.3"):  # the first is in the edge set
        with contextlib.suppress(ConnectionError, TimeoutError), \
                connect(alb, stranger, timeout=1) as sock:
            sock.sendall(request(path="/health"))
            assert read_until_close(sock) == b""
    assert check(alb).status == 200


def tried(alb, source, address):
    """A stranger's try to connect there, in vain."""
    with contextlib.suppress(ConnectionError, TimeoutError), \
            socket.create_connection(address, 1, (source, 0)) as sock:
        assert read_until_close(sock) == b""


@pytest.mark.parametrize("enforce", ["", "\nenforce = observe"])
def test_strangers_are_counted_and_listed(start_alb, start_target, enforce):
    alb = start_alb(config(start_target(), edge="allow = 127.0.0.1/32" + enforce))

    tried(alb, "127.0.0.3", split_address(alb.ready["health"][0]))
    (row,) = json.loads(alb.ok("edge", "refused", "--json"))["refused"]
    assert (row["address"], row["listener"]) == ("127.0.0.3", "[health]") and row["count"] >= 1
    counted = alb.metric("alb_health_dropped_syns_total") + \
        alb.metric('alb_connections_refused_total{reason="health"}')
    assert counted >= row["count"]
    assert alb.metric("alb_edge_dropped_syns_total") == 0
    text = alb.ok("edge", "refused")
    assert "who may ask at [health] is its own allow" in text and "alb edge add" not in text
    assert 'health refused address=127.0.0.3 prefix=127.0.0.0/24 listener=[health]' in alb.log()
    assert 'cure="allow in [health] of the configuration"' in alb.log()


def test_a_stranger_at_both_doors_is_counted_at_each(start_alb, start_target):
    alb = start_alb(config(start_target()))

    def row():
        (only,) = json.loads(alb.ok("edge", "refused", "--json"))["refused"]
        return only
    tried(alb, "127.0.0.3", split_address(alb.ready["health"][0]))
    first = row()
    tried(alb, "127.0.0.3", alb.address())
    second = row()
    assert (first["listener"], second["listener"]) == ("[health]", "http")
    assert second["count"] > first["count"] and row()["count"] == second["count"], "nothing is new"
    assert "alb edge add 127.0.0.3 --for 10m" in alb.ok("edge", "refused")


def test_silent_visitors_are_sent_away(start_alb, start_target):
    alb = start_alb(config(start_target()))

    with connect(alb) as sock:
        assert sock.recv(1) == b""


def test_however_many_are_silent_a_check_is_answered_meanwhile(start_alb, start_target):
    alb = start_alb(config(start_target(), DOOR + f"bind = 127.0.0.1:{free_port()}\n"))

    with contextlib.ExitStack() as stack:
        elsewhere = stack.enter_context(connect(alb, door=1))
        socks = [stack.enter_context(connect(alb)) for _ in range(190)]
        assert check(alb).status == 200
        elsewhere.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody's time was over before
            elsewhere.recv(1)
        assert socks[0].recv(1) == b""


# --- ready ------------------------------------------------------------------------------------


def test_not_ready_without_a_healthy_target(start_alb, start_target):
    target = start_target(answer(status="500 Oops"))
    alb = start_alb(config(target, group=PROBED))

    wait_until(lambda: check(alb, "/ready").body == b"no target of any group is healthy\n",
               "the target to be unhealthy")
    assert check(alb, "/ready").status == 503 and check(alb).status == 200
    target.script = answer()
    wait_until(lambda: is_ready(alb), "it to be healthy")


def test_ready_without_a_healthy_target_if_that_is_set(start_alb, start_target):
    alb = start_alb(config(start_target(answer(status="500 Oops")), group=PROBED,
                           health=DOOR + "ready_needs_target = off\n"))

    def state():
        return alb.status()["target_groups"][0]["targets"][0]["state"]
    wait_until(lambda: state() == "unhealthy", "the target to be unhealthy")
    assert is_ready(alb)


def test_not_ready_while_it_stops(start_alb, start_target):
    def slow(sock, _head, _rest):
        sock.recv(1)  # until it is cut

    target = start_target(slow)
    alb = start_alb(config(target, alb="").replace("shutdown_timeout = 5s", "shutdown_timeout = 3s"))
    with alb.connect() as sock:
        sock.sendall(request())
        wait_until(lambda: target.seen, "the request to arrive")
        alb.signal(signal.SIGTERM)
        wait_until(lambda: check(alb, "/ready").body == b"it is shutting down\n", "it to stop")
        assert check(alb, "/ready").status == 503 and check(alb).status == 200


@pytest.mark.parametrize("workers", [1, 3])
def test_ready_is_answered_while_every_loop_is_busy(start_alb, start_target, workers):
    """As busy as can be: none of them does anything else."""
    alb = start_alb(config(start_target()).replace("workers = 1", f"workers = {workers}"))

    with contextlib.ExitStack() as stack:
        with stopped_threads(alb.pid, "alb-loop-") as stopped:
            assert len(stopped) == workers
            clients = [stack.enter_context(alb.connect()) for _ in range(20)]
            for sock in clients:
                sock.sendall(request())
            for _ in range(20):
                assert is_ready(alb) and check(alb).status == 200
            assert select.select(clients, [], [], 0)[0] == []
        assert all(read_response(sock).status == 200 for sock in clients)


# --- changes ----------------------------------------------------------------------------------


def test_a_reload_opens_and_closes_doors(start_alb, start_target):
    target = start_target()
    one, two = (f"127.0.0.1:{free_port()}" for _ in range(2))
    alb = start_alb(config(target, health=""))
    assert alb.ready["health"] == []

    def configure(*binds, allow=CHECKER):
        lines = "".join(f"bind = {b}\n" for b in binds)
        alb.configure(config(target, health=f"[health]\n{lines}allow = {allow}\n" if binds else ""))
        dry = alb.ok("reload", "--dry-run")
        alb.reload()
        alb.ready["health"] = list(binds)
        return dry

    assert "health" in configure(one)
    assert check(alb).status == 200
    configure(one, two)
    assert check(alb).status == 200 and check(alb, door=1).status == 200
    configure(two, allow="127.0.0.4")
    with contextlib.suppress(ConnectionError, TimeoutError), connect(alb, timeout=1) as sock:
        sock.sendall(request(path="/health"))
        assert read_until_close(sock) == b"", "not for him any more"
    assert check(alb, source="127.0.0.4").status == 200
    alb.ready["health"] = [one]
    with pytest.raises(ConnectionRefusedError):
        connect(alb)
    configure()
    alb.ready["health"] = [two]
    with pytest.raises(ConnectionRefusedError):
        connect(alb, "127.0.0.4")


def test_an_address_that_is_taken_refuses_the_reload(start_alb, start_target):
    target = start_target()
    alb = start_alb(config(target, health=""))

    alb.configure(config(target, health=f"[health]\nbind = {target.address}\nallow = any\n"))
    code, text = alb.command("reload")
    assert code == 1 and "[health] bind" in text and "in use" in text


def test_it_survives_an_upgrade(start_alb, start_target):
    alb = start_alb(config(start_target()))
    before = alb.ready["health"]

    with connect(alb) as waiting:
        code, text = alb.upgrade()
        assert code == 0, text
        assert alb.ready["health"] == before and is_ready(alb)
        waiting.sendall(request(path="/health"))
        assert b" 200 OK" in read_head(waiting)[0], "it was connected before"


def test_a_process_that_is_replaced_ends_after_the_last_check_that_it_has(start_alb, start_target):
    alb = start_alb(config(start_target()))

    with connect(alb) as waiting:
        for _ in range(2):  # the first has nothing else to do while the second takes over
            code, text = alb.upgrade()
            assert code == 0, text
        assert alb.before[0].poll() is None
        waiting.sendall(request(path="/health"))
        assert b" 200 OK" in read_head(waiting)[0]
    wait_until(lambda: alb.before[0].poll() is not None, "the first to end")


@pytest.mark.parametrize("health, error", [
    ("[health]\nbind = 127.0.0.1:1\n", "[health] has no allow"),
    ("[health]\nallow = any\n", "[health] has no bind"),
    ("[health]\nbind = 127.0.0.1:x\nallow = any\n", "bind: "),
    ("[health]\nbind = 127.0.0.1:9\nallow = any 10.0.0.1\n", "stands alone"),
    ("[health]\nbind = 127.0.0.1:9\nallow = 10.0.0.300\n", "allow: "),
    ("[health]\nbind = 127.0.0.1:80\nallow = any\n", "of [listener http]; choose another port"),
    ("[health]\nbind = 0.0.0.0:80\nallow = any\n", "of [listener http]; choose another port"),
    ("[health]\nbind = 127.0.0.1:9\nbind = 127.0.0.1:9\nallow = any\n", "another line here"),
])
def test_what_the_section_may_not_say(tmp_path, health, error):
    path = tmp_path / "alb.ini"
    path.write_text(forward_config("127.0.0.1:1", more=health).replace(
        "[listener http]\nbind = 127.0.0.1:0", "[listener http]\nbind = 127.0.0.1:80").replace(
            "{socket}", "").replace("{access}", "-"))
    code, _, text = run("alb", "check", path)
    assert code == 1 and error in text
