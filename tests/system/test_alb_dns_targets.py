"""Targets that DNS names: they follow its answers, and stay when it has none."""

import contextlib
import http.client
import threading
import time

import pytest

from dns_server import A, AAAA, NXDOMAIN, REFUSED, SERVFAIL, SILENT, DnsServer
from harness import PATIENCE, Target, answer, forward_config, run, wait_until

NAME = "app.example.test"
QUICK = "health_check.enabled = false\nderegistration_delay.timeout_seconds = 100ms\n"


@pytest.fixture
def dns(started):
    server = DnsServer()
    started.append(server)
    return server


@pytest.fixture
def hosts(started):
    """Servers of one port, on three addresses of the loopback."""
    for _ in range(50):  # the port may be somebody's connection on another address
        first = Target(answer(b"1"), "127.0.0.1")
        started.append(first)
        with contextlib.suppress(OSError):
            for n in (2, 3):
                started.append(Target(answer(str(n).encode()), f"127.0.0.{n}", first.port))
            return first.port
    raise AssertionError("no port is free on three addresses")


def dns_config(dns, port, times="dns.min_interval = 100ms\ndns.max_interval = 200ms\n", group=QUICK,
               more="", weight=""):
    return forward_config(f"dns:{NAME}:{port} {weight}", group=group, more=more,
                          alb=f"dns.servers = {dns.address}\n{times}")


def states(alb):
    return {t["target"]: t["state"] for t in alb.status()["target_groups"][0]["targets"]}


def answers(alb, n=9):
    return {alb.get()[2].decode() for _ in range(n)}


def at(port, *hosts):
    return {f"127.0.0.{n}:{port}" for n in hosts}


def test_targets_follow_the_answers(start_alb, dns, hosts):
    dns.set(NAME, ["127.0.0.1", "127.0.0.2"])
    alb = start_alb(dns_config(dns, hosts, weight="weight=7"))
    rows = alb.status()["target_groups"][0]["targets"]
    assert {r["target"] for r in rows} == at(hosts, 1, 2)
    assert {(r["origin"], r["weight"]) for r in rows} == {(f"dns:{NAME}:{hosts}", 7)}
    assert answers(alb) == {"1", "2"}
    assert f" 127.0.0.1:{hosts} " in alb.access_row("GET")

    dns.set(NAME, ["127.0.0.3", "127.0.0.2"])
    wait_until(lambda: answers(alb) == {"2", "3"}, "the new answer")
    wait_until(lambda: set(states(alb)) == at(hosts, 2, 3), "the end of the delay")
    assert "name=app.example.test addresses=2 new=1 gone=1" in alb.log()
    assert not [name for name in alb.metrics() if f"127.0.0.1:{hosts}" in name]

    code, text = alb.command("deregister", "app", f"127.0.0.2:{hosts}")
    assert code == 1 and f"comes from dns:{NAME}:{hosts}: take it out of the DNS" in text
    code, text = alb.command("register", "app", f"127.0.0.2:{hosts}")
    assert code == 1 and "is a target of app already: it comes from dns:" in text


def test_what_vanishes_drains_and_what_appears_is_checked_first(start_alb, dns, hosts):
    checked = ("health_check.interval_seconds = 100ms\nhealth_check.timeout_seconds = 100ms\n"
               "deregistration_delay.timeout_seconds = 60\n")
    dns.set(NAME, ["127.0.0.1"])
    alb = start_alb(dns_config(dns, hosts, group=checked))
    wait_until(lambda: states(alb) == {f"127.0.0.1:{hosts}": "healthy"}, "the first check")
    dns.set(NAME, ["127.0.0.2"])
    wait_until(lambda: states(alb) == {f"127.0.0.2:{hosts}": "healthy",
                                       f"127.0.0.1:{hosts}": "draining"}, "the change")
    dns.set(NAME, ["127.0.0.1", "127.0.0.2"])
    wait_until(lambda: set(states(alb).values()) == {"healthy"}, "the one that is back")


@pytest.mark.parametrize("code, word", [
    (SERVFAIL, "dns fails"), (REFUSED, "dns fails"), (NXDOMAIN, "dns has no address"),
    (0, "dns has no address")])
def test_without_an_answer_the_last_addresses_stay(start_alb, dns, hosts, code, word):
    dns.set(NAME, ["127.0.0.1", "127.0.0.2"])
    alb = start_alb(dns_config(dns, hosts))
    dns.fail(NAME, code)
    wait_until(lambda: word in alb.log(), "the warning")
    before = dns.asked(NAME)
    wait_until(lambda: dns.asked(NAME) > before + 3, "more questions")
    assert answers(alb) == {"1", "2"}
    dns.set(NAME, ["127.0.0.3"])
    wait_until(lambda: answers(alb) == {"3"}, "DNS to be back")
    assert alb.log().count(word) == 1
    assert alb.log().count("dns answers again") == 1
    outcome = "empty" if code in (0, NXDOMAIN) else "failed"
    assert alb.metric(f'alb_dns_lookups_total{{outcome="{outcome}"}}') >= 4


def test_one_family_that_fails_hides_nothing(start_alb, dns, hosts):
    dns.set(NAME, ["127.0.0.1"])
    dns.fail(NAME, SERVFAIL, AAAA)
    alb = start_alb(dns_config(dns, hosts))
    assert answers(alb) == {"1"}
    dns.set(NAME, ["127.0.0.2", "::1"])
    wait_until(lambda: set(states(alb)) == at(hosts, 2) | {f"[::1]:{hosts}"}, "both families")
    dns.fail(NAME, SERVFAIL, AAAA)
    before = dns.asked(NAME, AAAA)
    wait_until(lambda: dns.asked(NAME, AAAA) > before + 2, "more questions")
    assert set(states(alb)) == at(hosts, 2) | {f"[::1]:{hosts}"}
    assert "dns fails" not in alb.log()


def test_the_time_to_live_is_kept_to(start_alb, dns, hosts):
    dns.set(NAME, ["127.0.0.1"], ttl=1)
    start_alb(dns_config(dns, hosts, times="dns.min_interval = 100ms\n"))
    began = time.monotonic()
    asked = dns.asked(NAME)
    wait_until(lambda: dns.asked(NAME) >= asked + 2, "two more questions")
    assert time.monotonic() - began > 1.0
    dns.set(NAME, ["127.0.0.1"], ttl=3600)
    time_of = dns.asked(NAME)
    wait_until(lambda: dns.asked(NAME) > time_of, "the one that learns of an hour")
    assert dns.asked(NAME) == time_of + 1


def test_a_start_does_not_wait_for_dns_that_is_silent(start_alb, dns, hosts):
    dns.fail(NAME, SILENT)
    alb = start_alb(dns_config(dns, hosts))
    assert "dns has not answered yet" in alb.log()
    assert alb.get()[0] == 503
    assert 'end="no target"' in alb.access_row(" 503 ")
    dns.set(NAME, ["127.0.0.1"])
    wait_until(lambda: alb.get()[0] == 200, "the first answer", 20)


def test_a_reload_to_a_name_loses_no_request(start_alb, dns, hosts):
    dns.set(NAME, ["127.0.0.2"])
    by_address = forward_config(f"127.0.0.1:{hosts}", group=QUICK)
    alb = start_alb(by_address)
    done, failed = threading.Event(), []

    def load():
        conn = http.client.HTTPConnection(*alb.address(), timeout=10 * PATIENCE)
        while not done.is_set():
            conn.request("GET", "/")
            got = conn.getresponse()
            if got.status != 200 or got.read() not in (b"1", b"2"):
                failed.append(got.status)
        conn.close()
    thread = threading.Thread(target=load)
    thread.start()
    for _ in range(5):
        alb.configure(dns_config(dns, hosts))
        alb.reload()
        wait_until(lambda: answers(alb, 3) == {"2"}, "the name's address")
        alb.configure(by_address)
        alb.reload()
        wait_until(lambda: answers(alb, 3) == {"1"}, "the file's address")
    done.set()
    thread.join()
    assert failed == []


def test_many_addresses_are_bounded(start_alb, dns, hosts):
    many = [f"127.1.{i // 200}.{i % 200 + 1}" for i in range(150)]
    dns.set(NAME, many)
    alb = start_alb(dns_config(dns, hosts))
    assert len(states(alb)) == 100
    first = set(states(alb))
    dns.set(NAME, many[::-1] + ["127.0.0.1"])
    before = dns.asked(NAME)
    wait_until(lambda: dns.asked(NAME) > before + 3, "more questions")
    assert set(states(alb)) == first  # the same ones, whatever their order
    assert alb.log().count("has 150 addresses: 100 of them are used") == 1
    dns.set(NAME, ["0.0.0.0", "224.0.0.1", "127.0.0.1"])
    wait_until(lambda: {k for k, v in states(alb).items() if v != "draining"} == at(hosts, 1),
               "those that make sense")


def test_bad_settings_are_refused(tmp_path):
    path = tmp_path / "alb.ini"
    path.write_text("[alb]\ndns.servers = 127.0.0.1:53 localhost\ndns.min_interval = 10m\n"
                    "[edge]\nallow = any\n[listener l]\nbind = 127.0.0.1:0\n"
                    "default_action = forward g\n[target_group g]\ntarget = dns:a_b\n")
    code, _, errors = run("alb", "check", path)
    assert code == 1
    assert 'alb.ini:2: dns.servers: "localhost" is no server: write IP, IP:port or' in errors
    assert "alb.ini:3: dns.min_interval: is more than dns.max_interval" in errors
    assert 'alb.ini:10: target: "dns:a_b" has no port' in errors
