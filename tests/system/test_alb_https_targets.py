"""HTTPS to targets: requests, bodies, reuse, resumption, and what a certificate has to prove."""

import os
import ssl
import threading

import pytest

from harness import PATIENCE, wait_until
from http_wire import ask, read_body, read_head, read_response, request, values
from scripted_target import answer
from tls_targets import KINDS, groups_config
from tls_versions import each_version, need_1_3
from ws_peers import BINARY, BOTH, CLOSE, TEXT, Client
from ws_wire import echo_script

HANDSHAKES = "alb_target_tls_handshakes_total"
ERRORS = "alb_target_tls_errors_total"


def verify(certificates, name=""):
    return (f"tls.verify = on\ntls.ca_file = {certificates.authority}\n" +
            (f"tls.server_name = {name}\n" if name else ""))


def echo(sock, head, rest):
    body, _ = read_body(sock, head, rest)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    return True


def count(alb, name, **labels):
    """The metric's value, summed over rows that have these labels."""
    wanted = [f'{k}="{v}"' for k, v in labels.items()]
    return sum(v for k, v in alb.metrics().items()
               if k.split("{")[0] == name and all(w in k for w in wanted))


@each_version
def test_requests_share_a_connection_and_the_next_one_resumes(start_alb, start_tls_target, version):
    if version == ssl.TLSVersion.TLSv1_3:
        need_1_3()

    def script(sock, head, rest):
        answer()(sock, head, rest)
        return b"/last" not in head
    target = start_tls_target(script, minimum_version=version, maximum_version=version)
    alb = start_alb(groups_config({"app": [target]}))

    for path in ("/app/1", "/app/2", "/app/last", "/app/4", "/app/5"):
        assert ask(alb, request(path=path)).body == b"ok"
        if path == "/app/last":
            wait_until(lambda: not target._open, "the target to have closed")
    assert target.connections == 2 and target.resumed == [False, True]
    assert target.versions == [version.name.replace("_", ".")] * 2
    assert values(target.seen[0], "Host") and target.sni == [None, None]
    assert count(alb, HANDSHAKES, resumed="no") == 1
    assert count(alb, HANDSHAKES, resumed="yes") == 1
    assert count(alb, ERRORS) == 0


def test_bodies_go_both_ways_with_back_pressure(start_alb, start_tls_target):
    alb = start_alb(groups_config({"app": [start_tls_target(echo)]}))
    body = os.urandom(1 << 20) * 2

    for listener in BOTH:
        status, _, back = alb.get("/app", method="POST", body=body, listener=listener,
                                  tls=listener == "https")
        assert status == 200 and back == body
    with alb.connect() as sock:  # chunks in, chunks out
        chunk = b"10000\r\n" + body[:65536] + b"\r\n"
        sock.sendall(request("POST", "/app", b"Transfer-Encoding: chunked\r\n") + chunk * 16 +
                     b"0\r\n\r\n")
        assert read_response(sock).body == body[:65536] * 16


def test_many_at_a_time(start_alb, start_tls_target):
    target = start_tls_target(echo)
    alb = start_alb(groups_config({"app": [target]}).replace("workers = 1", "workers = 2"))
    wrong = []

    def client(n):
        with alb.connect(timeout=30) as sock:
            for i in range(4):
                body = b"%d-%d " % (n, i) * 3000
                sock.sendall(request("POST", "/app", body=body))
                if read_response(sock).body != body:
                    wrong.append((n, i))
    threads = [threading.Thread(target=client, args=(n,)) for n in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and len(target.seen) == 160
    assert count(alb, HANDSHAKES) == target.connections <= 80


def test_any_certificate_will_do_unless_it_is_verified(start_alb, start_tls_target):
    targets = {kind: [start_tls_target(cert=kind)] for kind in KINDS}
    alb = start_alb(groups_config(targets))

    for kind in KINDS:
        assert alb.get(f"/{kind}")[0] == 200, kind


@each_version
def test_a_target_that_would_like_a_certificate_gets_none(start_alb, start_tls_target, version,
                                                          certificates):
    if version == ssl.TLSVersion.TLSv1_3:
        need_1_3()
    target = start_tls_target(minimum_version=version, maximum_version=version)
    target.context.load_verify_locations(certificates.authority)
    target.context.verify_mode = ssl.CERT_OPTIONAL
    alb = start_alb(groups_config({"app": [target]}))

    assert alb.get("/app")[0] == 200 and len(target.versions) == 1
    target.context.verify_mode = ssl.CERT_REQUIRED
    alb.configure(groups_config({"app": [target]}, more={"app": verify(certificates)}))
    alb.reload()  # another connection
    assert alb.get("/app/x")[0] == 502
    # It hangs up on our request, or on the rest of our handshake: that may overtake its alert.
    late = 'end="target ' if version == ssl.TLSVersion.TLSv1_3 else 'end="the target re'
    assert late in alb.access_row("/app/x")


REFUSED = {
    "other_name": "the target's certificate is for another name",
    "expired": "the target's certificate has expired",
    "early": "the target's certificate is not valid yet",
    "stranger": "the target's certificate is not signed by an authority of tls.ca_file",
}


def test_a_verified_certificate_must_hold_for_requests_and_probes(start_alb, start_tls_target,
                                                                  certificates):
    targets = {kind: [start_tls_target(cert=kind)] for kind in KINDS}
    names = {"by_name": "app.internal", "by_wrong_name": "wrong.internal"}
    targets.update({group: [start_tls_target()] for group in names})
    alb = start_alb(groups_config(
        targets, group="health_check.protocol = HTTPS\n"
        f"health_check.interval_seconds = {2000 * PATIENCE:.0f}ms\n"
        f"health_check.timeout_seconds = {1900 * PATIENCE:.0f}ms",
        more={group: verify(certificates, names.get(group, "")) for group in targets}))

    def states():
        return {g["name"]: g["targets"][0] for g in alb.status()["target_groups"]}
    wait_until(lambda: all(t["state"] in ("healthy", "unhealthy") for t in states().values()),
               "the probes")
    refused = dict(REFUSED, by_wrong_name=REFUSED["other_name"])
    for group, target in states().items():
        assert target["state"] == ("unhealthy" if group in refused else "healthy"), target
        if group in refused:
            assert target["reason"] == "Target.FailedHealthChecks"
            assert target["description"] == f"Health checks failed: {refused[group]}"
    for group in ("good", "by_name"):
        assert alb.get(f"/{group}")[0] == 200, group
    assert targets["by_name"][0].sni[0] == "app.internal"


def test_a_bad_certificate_is_a_502_that_says_what_is_wrong(start_alb, start_tls_target,
                                                            certificates):
    targets = {kind: [start_tls_target(cert=kind)] for kind in REFUSED}
    alb = start_alb(groups_config(targets, more={k: verify(certificates) for k in targets}))

    for kind in REFUSED:
        assert alb.get(f"/{kind}/x")[0] == 502, kind
    for kind, why in REFUSED.items():
        row = alb.access_row(f"/{kind}/x")
        assert " 502 - " in row and f'end="{why}"' in row, row
        assert targets[kind][0].seen == []
        assert count(alb, ERRORS, target=targets[kind][0].address) == 1
    assert count(alb, "alb_target_connection_errors_total") == 0


@pytest.mark.parametrize("listener", BOTH)
def test_a_websocket_goes_over_tls_to_its_target(start_alb, start_tls_target, listener):
    target = start_tls_target(echo_script)
    alb = start_alb(groups_config({"app": [target]}))

    with Client(alb, listener, path="/app/ws") as client:
        for size in (0, 1, 125, 126, 65536, 1 << 20):
            payload = os.urandom(size)
            client.send(BINARY, payload)
            assert client.receive() == (BINARY, True, payload)
        for n in range(100):
            client.send(TEXT, b"%d" % n)
        assert [client.receive()[2] for n in range(100)] == [b"%d" % n for n in range(100)]
        client.send_close(1000)
        assert client.receive()[0] == CLOSE
        assert client.is_at_end()
    kind = "wss" if listener == "https" else "ws"
    assert alb.access_row("/app/ws").startswith(f"{kind} ")
    assert " 101 101 " in alb.access_row("/app/ws")
    assert count(alb, HANDSHAKES) == 1


def test_tunnels_over_tls_survive_a_reload_and_are_closed_at_the_end(start_alb, start_tls_target):
    target = start_tls_target(echo_script)
    config = groups_config({"app": [target]}).replace("timeout = 5s", "timeout = 1s")
    alb = start_alb(config)

    with Client(alb, path="/app") as one, Client(alb, path="/app") as two:
        alb.configure(config.replace("/app*", "/a*"))
        alb.reload()
        for client in (one, two):
            client.send(TEXT, b"still here")
            assert client.receive() == (TEXT, True, b"still here")
        alb.signal(15)
        for client in (one, two):
            code, reason = client.receive_close()
            assert code == 1012 and reason.startswith(b"restart")
    assert alb.wait() == 0


def test_a_body_until_the_end_needs_a_close_notify(start_alb, start_tls_target):
    def script(sock, head, _rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        if b"/app/whole" in head:
            sock.unwrap()
        return False
    alb = start_alb(groups_config({"app": [start_tls_target(script)]}))

    assert ask(alb, request(path="/app/whole")).body == b"all of it"
    with pytest.raises(EOFError):
        ask(alb, request(path="/app/cut"))
    assert ('end="target ended the body without a TLS close_notify"' in
            alb.access_row("/app/cut"))
    with alb.connect() as sock:  # 1.0: a plain end would look like the body's
        sock.sendall(b"GET /app/cut1.0 HTTP/1.0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            while sock.recv(1000):
                pass


def test_what_a_reload_demands_holds_from_the_next_request_on(start_alb, start_tls_target,
                                                              certificates):
    target = start_tls_target(cert="stranger")
    config = groups_config({"app": [target]})
    alb = start_alb(config)

    assert alb.get("/app")[0] == 200
    alb.reload()  # nothing changed: the idle connection serves on
    assert alb.get("/app")[0] == 200 and target.connections == 1
    alb.configure(groups_config({"app": [target]}, more={"app": verify(certificates)}))
    alb.reload()
    assert alb.get("/app")[0] == 502 and target.connections == 2
    alb.configure(config.replace("protocol = HTTPS\nhealth", "health"))
    alb.reload()
    assert alb.get("/app")[0] == 502 and target.connections == 3  # plain HTTP to a TLS target
    alb.configure(config)
    alb.reload()
    assert alb.get("/app")[0] == 200


def test_an_idle_connection_that_the_target_closed_is_replaced_unseen(start_alb, start_tls_target):
    ends = threading.Event()

    def script(sock, head, rest):
        answer()(sock, head, rest)
        if b"/app/first" in head:
            ends.wait(10)
            return False
        return True
    target = start_tls_target(script)
    alb = start_alb(groups_config({"app": [target]}))

    assert alb.get("/app/first")[0] == 200
    ends.set()
    for n in range(5):
        assert alb.get(f"/app/{n}")[0] == 200
    assert target.connections == 2


def test_events_are_not_held_back(start_alb, start_tls_target):
    second = threading.Event()

    def script(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n")
        second.wait(10)
        sock.sendall(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")
        return True
    alb = start_alb(groups_config({"app": [start_tls_target(script)]}))

    with alb.connect() as sock:
        sock.sendall(request(path="/app"))
        _, rest = read_head(sock)
        while b"data: 1" not in rest:
            rest += sock.recv(1000)
        second.set()
        while not rest.endswith(b"0\r\n\r\n"):
            rest += sock.recv(1000)
    assert b"data: 2" in rest
