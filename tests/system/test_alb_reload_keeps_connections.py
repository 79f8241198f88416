"""A new configuration under running traffic: nothing that it does not concern is touched."""

import threading

from balancer import forward_config
from harness import free_port, wait_until
from http_wire import read_head, read_response, request
from scripted_target import answer
from traffic import traffic


def start_named(start_target, *names):
    return [start_target(answer(name.encode())) for name in names]


def test_a_kept_client_connection_survives_and_sees_the_new_rules(start_alb, start_target):
    a, b = start_named(start_target, "a", "b")
    alb = start_alb(forward_config(a))

    with alb.connect() as sock:
        sock.sendall(request())
        assert read_response(sock).body == b"a"
        alb.configure(forward_config(b))
        alb.reload()
        sock.sendall(request())
        assert read_response(sock).body == b"b"


def test_fifty_reloads_under_load_fail_no_request(start_alb, start_target):
    a, b, c = start_named(start_target, "a", "b", "c")
    configs = [forward_config(a, b), forward_config(b, c), forward_config(a, b, c)]
    alb = start_alb(configs[0].replace("workers = 1", "workers = 2"))
    with traffic(alb, (b"a", b"b", b"c"), clients=4, kept_body=b"x") as load:
        for i in range(50):
            before = load.served
            alb.configure(configs[i % 3].replace("workers = 1", "workers = 2"))
            alb.reload()
            wait_until(lambda: load.served > before + 3, "some requests")
    assert alb.status()["reloads"] == 50


def test_a_bad_file_is_refused_with_every_error_and_changes_nothing(start_alb, start_target):
    a, b = start_named(start_target, "a", "b")
    alb = start_alb(forward_config(a))
    before = alb.status()

    bad = forward_config(b, alb="idle_timeout.timeout_seconds = 0\nwhat = ever")
    alb.configure(bad.replace("forward app", "forward nobody"))
    code, text = alb.command("reload")
    assert code == 1
    lines = alb.path.read_text().splitlines()
    for needle in ("idle_timeout.timeout_seconds = 0", "what = ever",
                   "default_action = forward nobody"):
        assert f"alb.ini:{lines.index(needle) + 1}: " in text, text
    assert alb.get()[2] == b"a"
    after = alb.status()
    assert after["target_groups"] == before["target_groups"]
    assert after["listeners"] == before["listeners"]
    alb.signal(1)
    wait_until(lambda: "reload refused" in alb.log(), "SIGHUP to be refused as well")
    assert alb.get()[2] == b"a"


def test_sighup_reloads(start_alb, start_target):
    a, b = start_named(start_target, "a", "b")
    alb = start_alb(forward_config(a))

    alb.configure(forward_config(b))
    alb.signal(1)
    wait_until(lambda: alb.get()[2] == b"b", "the new target")


def test_a_new_listener_opens_and_a_removed_one_closes(start_alb, start_target):
    target = start_target()
    alb = start_alb(forward_config(target))
    port = free_port()
    more = f"""
[listener two]
bind = 127.0.0.1:{port}
default_action = fixed-response 200 text/plain "two"
"""

    alb.configure(forward_config(target, more=more))
    alb.reload()
    alb.ready["listeners"]["two"] = f"127.0.0.1:{port}"
    assert alb.get(listener="two")[2] == b"two"
    assert alb.get()[2] == b"ok"
    alb.configure(forward_config(target))
    alb.reload()

    def is_refused():
        try:
            alb.connect("two").close()
            return False
        except ConnectionRefusedError:
            return True
    wait_until(is_refused, "it to be closed")
    assert alb.get()[2] == b"ok"


def test_a_listener_that_cannot_open_refuses_the_reload(start_alb, start_target):
    target = start_target()
    alb = start_alb(forward_config(target))

    alb.configure(forward_config(target, more=f"""
[listener two]
bind = {target.address}
default_action = forward app
"""))
    code, text = alb.command("reload")
    assert code == 1
    assert f"{target.address} is in use by another process" in text
    assert alb.get()[2] == b"ok"


def test_a_request_to_a_removed_target_is_finished(start_alb, start_target):
    go_on = threading.Event()

    def slow(sock, _head, _rest):
        go_on.wait(10)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")
        return True
    old, new = start_target(slow), start_target(answer(b"new"))
    alb = start_alb(forward_config(old))

    with alb.connect() as sock:
        sock.sendall(request())
        wait_until(lambda: old.seen, "the target to have the request")
        alb.configure(forward_config(new))
        alb.reload()
        assert alb.get()[2] == b"new"
        go_on.set()
        assert read_response(sock).body == b"slow"
        sock.sendall(request())
        assert read_response(sock).body == b"new"
    wait_until(lambda: not old._open, "its connection to be closed, not kept")


def test_it_is_cut_when_the_delay_is_over(start_alb, start_target):
    def silent(sock, head, _rest):
        if head.startswith(b"GET /half"):
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        return sock.recv(1) != b""
    group = "health_check.enabled = false\nderegistration_delay.timeout_seconds = 1"
    old, new = start_target(silent), start_target(answer(b"new"))
    alb = start_alb(forward_config(old, group=group))

    with alb.connect() as waiting, alb.connect() as half:
        waiting.sendall(request())
        half.sendall(request(path="/half"))
        read_head(half)
        wait_until(lambda: len(old.seen) == 2, "the target to have both")
        alb.configure(forward_config(new, group=group))
        alb.reload()
        assert read_response(waiting).status == 502
        while half.recv(100):
            pass
    assert 'end="deregistration delay over"' in alb.access_row(" 502 - ")
    wait_until(lambda: not old._open, "the target's connections to be closed")


def test_a_target_that_comes_back_within_its_delay_is_used(start_alb, start_target):
    a, b = start_named(start_target, "a", "b")
    alb = start_alb(forward_config(a, b))

    alb.configure(forward_config(b))
    alb.reload()
    assert {alb.get()[2] for _ in range(4)} == {b"b"}
    alb.configure(forward_config(a, b))
    alb.reload()
    assert {alb.get()[2] for _ in range(4)} == {b"a", b"b"}


def test_what_needs_a_restart_is_said(start_alb, start_target):
    target = start_target()
    alb = start_alb(forward_config(target))

    alb.configure(forward_config(target).replace("workers = 1", "workers = 2"))
    code, text = alb.command("reload")
    assert code == 0 and "workers" in text
