"""`alb register` and `alb deregister`: targets come and go while the file stays as it is."""

import socket
import threading

import pytest

from balancer import forward_config
from harness import PATIENCE, wait_until
from http_wire import read_head, read_response, request
from scripted_target import answer
from sockets import is_closed
from traffic import traffic
from ws_wire import echo_script, frame, read_frame, upgrade_request

STATE = "state_file = alb.state\n"
DELAY = "health_check.enabled = false\nderegistration_delay.timeout_seconds = "


def named(start_target, *names):
    return [start_target(answer(name.encode())) for name in names]


def targets(alb, group=0):
    return {t["target"]: t for t in alb.status()["target_groups"][group]["targets"]}


def ok(alb, *args):
    code, text = alb.command(*args)
    assert code == 0, text
    return text


def refused(alb, *args):
    code, text = alb.command(*args)
    assert code == 1, text
    return text


def answers(alb, n=12):
    return {alb.get()[2] for _ in range(n)}


def test_a_target_comes_and_goes(start_alb, start_target):
    a, b = named(start_target, "a", "b")
    alb = start_alb(forward_config(a, alb=STATE, group=DELAY + "1ms"))

    assert ok(alb, "register", "app", b.address) == (
        f"{b.address} is a target of app now: weight=100\n")
    assert targets(alb)[b.address] == {
        "target": b.address, "state": "unavailable", "reason": "Target.HealthCheckDisabled",
        "description": "Health checks are disabled for this target", "origin": "registered",
        "AnomalyDetection": {"Result": "normal", "MitigationInEffect": "no"},
        "weight": 100, "outstanding": 0, "tunnels": 0}
    assert targets(alb)[a.address]["origin"] == "file"
    assert answers(alb) == {b"a", b"b"}

    assert "drains for 1ms" in ok(alb, "deregister", "app", b.address)
    assert answers(alb) == {b"a"}
    wait_until(lambda: b.address not in targets(alb), "the end of the delay")
    assert not [name for name in alb.metrics() if b.address in name]


def test_the_port_of_the_group(start_alb, start_target):
    a, b = named(start_target, "a", "b")
    alb = start_alb(forward_config(f"127.0.0.1\nport = {a.port}"))
    assert list(targets(alb)) == [a.address]
    text = refused(alb, "register", "app", "127.0.0.1")
    assert f"{a.address} is a target of app already: the configuration file (line " in text
    assert ok(alb, "register", "app", f"127.0.0.2") == (
        f"127.0.0.2:{a.port} is a target of app now: weight=100\n"
        "a restart forgets this: state_file in [alb] says where to keep it\n")


def test_a_change_of_weight(start_alb, start_target):
    a, b = named(start_target, "a", "b")
    alb = start_alb(forward_config(a, alb=STATE))
    ok(alb, "register", "app", b.address, "weight=0")
    assert answers(alb) == {b"a"}
    assert "another weight now: weight=300, it was 0" in ok(
        alb, "register", "app", b.address, "weight=300")
    assert targets(alb)[b.address]["weight"] == 300
    bodies = [alb.get()[2] for _ in range(40)]
    assert bodies.count(b"b") == 30


@pytest.fixture
def refusing(start_alb, start_target):
    a, = named(start_target, "a")
    config = forward_config(a, alb=STATE, more="[target_group other]\n")
    alb = start_alb(config)
    ok(alb, "register", "app", "127.0.0.1:1")
    return alb, a


def test_refusals_name_the_cure(refusing):
    alb, a = refusing
    before = alb.path.with_name("alb.state").read_text()
    for args, want in [
        (("register", "apps", "127.0.0.1:2"),
         "there is no target group apps; there are: app, other"),
        (("deregister", "x" * 40, "127.0.0.1:2"), "there is no target group of that name;"),
        (("register", "app", "localhost:80"), "write IP:port with a port of 1-65535"),
        (("register", "app", "127.0.0.1"), "has no port, and its target group has no `port`"),
        (("register", "app", "224.0.0.1:80"), "is a multicast address"),
        (("register", "app", "x" * 300), "a target has at most 270 characters"),
        (("register", "app", "\xff:80"), "write IP:port"),
        (("register", "app", "dns:app.example.com:80"), "write a DNS name into the configuration"),
        (("register", "app", "127.0.0.1:1"), "with weight=100; say weight=N to change it"),
        (("register", "app", "127.0.0.1:1", "weight=100"), "is a target of app already"),
        (("register", "app", a.address), "the configuration file (line "),
        (("register", "app", a.address, "weight=5"), "change it there and run `alb reload`"),
        (("deregister", "app", "127.0.0.1:2"), "is no target of app: `alb status` lists them"),
        (("deregister", "other", "127.0.0.1:1"), "is no target of other"),
    ]:
        assert want in refused(alb, *args), args
    assert alb.path.with_name("alb.state").read_text() == before
    for args in [("register", "app"), ("deregister", "app"), ("register", "a", "b", "c", "d"),
                 ("register", "app", "127.0.0.1:2", "weight=1000"), ("deregister", "a", "b", "c")]:
        assert alb.command(*args)[0] == 2


def test_the_socket_takes_json_and_nothing_else(refusing):
    alb, _ = refusing

    def post(path, body):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(alb.socket_path))
            sock.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
                         % (path, len(body), body))
            return read_response(sock)

    for body in (b"", b"{}", b"[1]", b'{"target_group":"app"}', b'{"target_group":1,"target":"x"}',
                 b'{"target_group":"app","target":"127.0.0.1:3","weight":1000}',
                 b'{"target_group":"app","target":"127.0.0.1:3","weight":-1}',
                 b'{"target_group":"app","target":"127.0.0.1:3","weight":"5"}',
                 b'{"target_group":"app","target":"127.0.0.1:3","wait":1}',
                 b'{"target_group":"app","target":"127.0.0.1:3","target":"127.0.0.1:3"}'):
        got = post(b"/register", body)
        assert (got.status, b"send JSON:" in got.body) == (400, True), body
    good = b'{"target_group":"app","target":"127.0.0.1:3","weight":5}'
    assert post(b"/deregister", good).status == 400  # it has no weight
    assert post(b"/register", good).body == (
        b'{"ok":true,"message":"127.0.0.1:3 is a target of app now: weight=5","warnings":[]}\n')
    assert post(b"/register", good).status == 409


def test_registered_targets_survive_a_restart_and_kill_9(start_alb, start_target):
    a, b, c = named(start_target, "a", "b", "c")
    alb = start_alb(forward_config(a, c, alb=STATE, group=DELAY + "1ms"))
    ok(alb, "register", "app", b.address, "weight=7")
    alb.kill()  # at once after the answer
    alb.start()
    assert targets(alb)[b.address]["weight"] == 7
    ok(alb, "deregister", "app", c.address)
    alb.kill()
    alb.start()
    assert set(targets(alb)) == {a.address, b.address}
    ok(alb, "deregister", "app", b.address)
    assert alb.stop() == 0
    alb.start()
    assert set(targets(alb)) == {a.address}
    assert "is a target of app again" in ok(alb, "register", "app", c.address)
    assert set(targets(alb)) == {a.address, c.address}
    assert alb.path.with_name("alb.state").read_text() == "postern-alb-state 1\nend 0\n"


def test_kill_9_at_any_moment_leaves_a_whole_file(start_alb, start_target):
    a, = named(start_target, "a")
    alb = start_alb(forward_config(a, alb=STATE))
    for round_ in range(4):
        done = []

        def work():
            for i in range(1000):
                if alb.command("register", "app", f"127.0.{round_}.{i % 250 + 1}:1")[0] != 0:
                    return
                done.append(f"127.0.{round_}.{i % 250 + 1}:1")
        thread = threading.Thread(target=work)
        thread.start()
        wait_until(lambda: len(done) > 3, "some registrations")
        alb.kill()
        thread.join()
        alb.start()
        assert set(done) <= set(targets(alb))


def test_a_damaged_state_file_is_not_overlooked(start_alb, start_target):
    a, = named(start_target, "a")
    alb = start_alb(forward_config(a, alb=STATE))
    ok(alb, "register", "app", "127.0.0.1:1")
    assert alb.stop() == 0
    state = alb.path.with_name("alb.state")
    whole = state.read_text()
    state.write_text(whole.replace("127.0.0.1:1", "127.0.0.1:x"))
    alb.start(wait=False)
    assert alb.wait() == 1
    assert 'alb.state:2: "register app 127.0.0.1:x weight=100": ' in alb.log()
    assert "mend the line, or move the file away to start without" in alb.log()
    assert state.read_text() == whole.replace("127.0.0.1:1", "127.0.0.1:x")
    state.unlink()
    alb.start()


def test_what_cannot_be_kept_is_not_done(start_alb, start_target):
    a, = named(start_target, "a")
    alb = start_alb(forward_config(a, alb="state_file = none/alb.state"))
    text = refused(alb, "register", "app", "127.0.0.1:1")
    assert "cannot write the state file none/alb.state: No such file or directory" in text
    assert list(targets(alb)) == [a.address]


def test_a_target_of_the_file_stays_out_until_the_file_changes(start_alb, start_target):
    a, b = named(start_target, "a", "b")
    both = forward_config(a, b, alb=STATE, group=DELAY + "60")
    alb = start_alb(both)
    assert "stays out until `alb register`" in ok(alb, "deregister", "app", b.address)
    assert refused(alb, "deregister", "app", b.address) == f"{b.address} is deregistered already\n"
    assert targets(alb)[b.address]["state"] == "draining"
    assert targets(alb)[b.address]["reason"] == "Target.DeregistrationInProgress"
    alb.reload()
    assert answers(alb) == {b"a"}
    alb.configure(forward_config(a, alb=STATE, group=DELAY + "60"))
    alb.reload()
    alb.configure(both)
    alb.reload()
    assert answers(alb) == {b"a", b"b"}


def test_a_group_that_vanishes_keeps_its_targets(start_alb, start_target):
    a, b = named(start_target, "a", "b")
    other = "[target_group other]\n" + DELAY + "1ms\n"
    with_other = forward_config(a, alb=STATE, more=other)
    alb = start_alb(with_other)
    ok(alb, "register", "other", b.address)
    alb.configure(forward_config(a, alb=STATE))
    alb.reload()
    assert "target kept though its group is gone group=other" in alb.log()
    assert alb.stop() == 0
    alb.start()
    alb.configure(with_other)
    alb.reload()
    assert list(targets(alb, 1)) == [b.address]
    alb.configure(forward_config(a, alb=STATE))
    alb.reload()
    assert "is forgotten" in ok(alb, "deregister", "other", b.address)
    alb.configure(with_other)
    alb.reload()
    assert targets(alb, 1) == {}


def test_a_draining_target_finishes_and_comes_back_with_its_counters(start_alb, start_target):
    gate = threading.Event()

    def slow(sock, head, _rest):
        if b"/slow" in head:
            assert gate.wait(20 * PATIENCE)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ns")
        return True
    a = start_target(answer(b"a"))
    s = start_target(slow)
    alb = start_alb(forward_config(a, alb=STATE, group=DELAY + "60"))
    ok(alb, "register", "app", s.address)
    counted = f'alb_target_requests_total{{target_group="app",target="{s.address}"}}'
    with alb.connect() as one, alb.connect() as two:
        one.sendall(request(path="/slow"))
        two.sendall(request(path="/slow"))  # one of them is with s, in turn
        wait_until(lambda: b"/slow" in b"".join(s.seen), "the slow request")
        ok(alb, "deregister", "app", s.address)
        assert targets(alb)[s.address]["outstanding"] == 1
        assert answers(alb) == {b"a"}
        gate.set()
        assert sorted(read_response(sock).body for sock in (one, two)) == [b"a", b"s"]
    wait_until(lambda: targets(alb)[s.address]["outstanding"] == 0, "the end of the request")
    assert targets(alb)[s.address]["state"] == "draining"  # for the whole delay
    before = alb.metric(counted)
    ok(alb, "register", "app", s.address)
    assert targets(alb)[s.address]["state"] == "unavailable"
    assert alb.metric(counted) == before == 1
    assert answers(alb) == {b"a", b"s"}


def test_what_still_runs_at_the_end_of_the_delay_is_cut(start_alb, start_target):
    def script(sock, head, rest):
        return echo_script(sock, head, rest) if b"Upgrade" in head else is_closed(sock)
    t, a = start_target(script), start_target(answer(b"a"))
    alb = start_alb(forward_config(f"{a.address} weight=0", group=DELAY + f"{1000 * PATIENCE:.0f}ms",
                                   alb=STATE + "websocket.drain_close = cut\n"))
    ok(alb, "register", "app", t.address, "weight=999")
    with alb.connect() as tunnel, alb.connect() as waiting:
        tunnel.sendall(upgrade_request())
        assert read_head(tunnel)[0].startswith(b"HTTP/1.1 101 ")
        waiting.sendall(request(path="/never"))
        wait_until(lambda: len(t.seen) == 2, "the request")
        ok(alb, "deregister", "app", t.address)
        tunnel.sendall(frame(1, b"still here"))
        assert read_frame(tunnel) == (1, True, b"still here")
        assert read_response(waiting).status == 502
        assert read_frame(tunnel) is None
    assert t.address not in targets(alb)


def test_two_hundred_changes_under_traffic_fail_no_request(start_alb, start_target):
    a, b, c = named(start_target, "a", "b", "c")
    config = forward_config(a, alb=STATE, group=DELAY + "60").replace("workers = 1", "workers = 2")
    alb = start_alb(config)
    failed = []

    def change(target):
        for _ in range(50):
            for verb in ("register", "deregister"):
                code, text = alb.command(verb, "app", target.address)
                if code != 0:
                    failed.append(text)
    changers = [threading.Thread(target=change, args=(t,)) for t in (b, c)]
    with traffic(alb, (b"a", b"b", b"c"), least=50):
        for thread in changers:
            thread.start()
        for i in range(5):
            alb.reload()
        for thread in changers:
            thread.join()
    assert failed == []
    assert targets(alb)[b.address]["state"] == "draining"
