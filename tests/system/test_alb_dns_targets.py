"""Targets that DNS names: they follow its answers, and stay when it has none."""

import time

import pytest

from balancer import forward_config
from dns_server import AAAA, NXDOMAIN, REFUSED, SERVFAIL, SILENT, DnsServer
from harness import PATIENCE, run, wait_until
from scripted_target import answer, neighbours
from traffic import traffic

NAME = "app.example.test"
QUICK = "health_check.enabled = false\nderegistration_delay.timeout_seconds = 100ms\n"
PATIENT = QUICK.replace("100ms", "60")  # no request is cut, however busy the machine is


@pytest.fixture
def dns(started):
    server = DnsServer()
    started.append(server)
    return server


@pytest.fixture
def hosts(started):
    """Servers of one port, on three addresses of the loopback."""
    made = neighbours(*(answer(str(n).encode()) for n in (1, 2, 3)))
    started.extend(made)
    return made[0].port


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


def clients(alb):
    """As long as this lasts, whichever of the hosts answers."""
    return traffic(alb, (b"1", b"2", b"3"))


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
    with clients(alb):  # while all are new they get the requests
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


def test_changes_lose_no_request(start_alb, dns, hosts):
    dns.set(NAME, ["127.0.0.1"])
    config = dns_config(dns, hosts, group=PATIENT, times="dns.min_interval = 100ms\n"
                        "dns.max_interval = 100ms\n").replace("workers = 1", "workers = 2")
    alb = start_alb(config)
    with clients(alb):
        for ns in ((2,), (1, 3), (3,), (1, 2)) * 3:
            dns.set(NAME, [f"127.0.0.{n}" for n in ns])
            wait_until(lambda: {k for k, v in states(alb).items() if v != "draining"} ==
                       at(hosts, *ns), "the change")
    assert set(states(alb)) == at(hosts, 1, 2, 3)


def test_a_reload_to_a_name_loses_no_request(start_alb, dns, hosts):
    dns.set(NAME, ["127.0.0.2"])
    by_address = forward_config(f"127.0.0.1:{hosts}", group=PATIENT)
    alb = start_alb(by_address)
    with clients(alb):
        for _ in range(5):
            alb.configure(dns_config(dns, hosts, group=PATIENT))
            alb.reload()
            wait_until(lambda: answers(alb, 3) == {"2"}, "the name's address")
            alb.configure(by_address)
            alb.reload()
            wait_until(lambda: answers(alb, 3) == {"1"}, "the file's address")


def test_reloads_while_a_question_is_under_way(start_alb, dns, hosts):
    """What the group had stays until the name has addresses; what is said by command holds."""
    dns.fail(NAME, SILENT)
    by_address = forward_config(f"127.0.0.1:{hosts}", f"127.0.0.2:{hosts}", group=QUICK)
    by_name = dns_config(dns, hosts)
    alb = start_alb(by_address)
    for text in (by_name, by_name, by_address, by_name):
        before = dns.asked(NAME)
        alb.configure(text)
        alb.reload()
        if text == by_name:
            wait_until(lambda: dns.asked(NAME) > before, "a question")
        assert answers(alb) == {"1", "2"}
    assert alb.command("register", "app", f"127.0.0.3:{hosts}")[0] == 0
    assert answers(alb) == {"1", "2", "3"}
    assert alb.command("deregister", "app", f"127.0.0.3:{hosts}")[0] == 0
    assert answers(alb) == {"1", "2"}
    code, text = alb.command("deregister", "app", f"127.0.0.2:{hosts}")
    assert code == 1 and "it goes when DNS has an address for each name of app" in text
    dns.set(NAME, ["127.0.0.3"])
    alb.reload()  # asks anew
    wait_until(lambda: answers(alb) == {"3"}, "the answer")
    dns.fail(NAME, SILENT)
    before = dns.asked(NAME)
    wait_until(lambda: dns.asked(NAME) > before, "a question")
    began = time.monotonic()
    assert alb.stop() == 0
    assert time.monotonic() - began < 4 * PATIENCE


def test_a_name_that_never_was_takes_nothing_away(start_alb, dns, hosts):
    alb = start_alb(forward_config(f"127.0.0.1:{hosts}", group=QUICK))
    alb.configure(dns_config(dns, hosts))
    alb.reload()
    wait_until(lambda: "dns has no address name=app.example.test" in alb.log(), "the warning")
    assert alb.command("register", "app", f"127.0.0.2:{hosts}")[0] == 0  # members are made anew
    assert answers(alb) == {"1", "2"}


def test_a_name_in_two_groups_is_asked_for_once(start_alb, dns, hosts):
    other = f"[target_group other]\ntarget = dns:{NAME}:{hosts}\n{QUICK}"
    dns.set(NAME, ["127.0.0.1"], ttl=60)
    alb = start_alb(dns_config(dns, hosts, times="", more=other))
    assert dns.asked(NAME) == 1

    def both():
        return [{t["target"] for t in g["targets"] if t["state"] != "draining"}
                for g in alb.status()["target_groups"]]
    assert both() == [at(hosts, 1)] * 2
    dns.set(NAME, ["127.0.0.2", "127.0.0.3"])
    alb.reload()
    wait_until(lambda: both() == [at(hosts, 2, 3)] * 2, "the answer in both")


def test_two_names_of_one_address_in_a_group(start_alb, dns, hosts):
    """One target, of the first name that has it; it goes when no name has it any more."""
    two = "two.example.test"
    dns.set(NAME, ["127.0.0.1", "127.0.0.2"])
    dns.set(two, ["127.0.0.2", "127.0.0.3"])
    alb = start_alb(dns_config(dns, hosts, weight="weight=5",
                               group=f"target = dns:{two}:{hosts} weight=9\n{PATIENT}"))

    def of():
        rows = alb.status()["target_groups"][0]["targets"]
        return {t["target"]: (t["origin"], t["weight"]) for t in rows if t["state"] != "draining"}
    first, second = (f"dns:{NAME}:{hosts}", 5), (f"dns:{two}:{hosts}", 9)
    one, shared, three = (f"127.0.0.{n}:{hosts}" for n in (1, 2, 3))
    wait_until(lambda: of() == {one: first, shared: first, three: second}, "both answers")
    with clients(alb):
        dns.set(NAME, ["127.0.0.1"])
        wait_until(lambda: of() == {one: first, shared: second, three: second}, "it to change hands")
        dns.set(two, ["127.0.0.3"])
        wait_until(lambda: of() == {one: first, three: second}, "it to go")
        dns.set(NAME, ["127.0.0.1", "127.0.0.2"])
        wait_until(lambda: of().get(shared) == first, "it to come back")


def test_two_names_of_one_address_in_two_groups(start_alb, dns, hosts):
    """Two targets: each has its own health, counters and end."""
    two, one = "two.example.test", f"127.0.0.1:{hosts}"
    checked = ("health_check.interval_seconds = 100ms\nhealth_check.timeout_seconds = 100ms\n"
               "health_check.matcher = 204\nderegistration_delay.timeout_seconds = 60\n")
    other = (f"[target_group other]\ntarget = dns:{two}:{hosts}\n{checked}[rule other]\n"
             "listener = http\npriority = 1\npath-pattern = /other\naction = forward other\n")
    for name in (NAME, two):
        dns.set(name, ["127.0.0.1"])
    alb = start_alb(dns_config(dns, hosts, more=other))

    def of():
        return [{t["target"]: t["state"] for t in g["targets"]}
                for g in alb.status()["target_groups"]]
    wait_until(lambda: of() == [{one: "unavailable"}, {one: "unhealthy"}], "the checks")
    assert alb.get("/")[0] == alb.get("/other")[0] == 200  # the second fails open
    assert alb.metric(f'alb_target_requests_total{{target_group="app",target="{one}"}}') == 1
    dns.set(two, ["127.0.0.2"])
    wait_until(lambda: of()[1].get(one) == "draining", "it to leave the second group")
    assert of()[0] == {one: "unavailable"}
    assert answers(alb) == {"1"}


def test_an_address_that_is_registered_too(start_alb, dns, hosts):
    dns.set(NAME, ["127.0.0.1"])
    alb = start_alb(dns_config(dns, hosts))
    two = f"127.0.0.2:{hosts}"
    assert alb.command("register", "app", two)[0] == 0
    dns.set(NAME, ["127.0.0.1", "127.0.0.2"])
    wait_until(lambda: {t["origin"] for t in alb.status()["target_groups"][0]["targets"]} ==
               {f"dns:{NAME}:{hosts}"}, "the name to be its origin")
    code, text = alb.command("deregister", "app", two)
    assert code == 0
    assert f"{two} is not registered any more, but stays: it comes from dns:{NAME}" in text
    assert answers(alb) == {"1", "2"}


@pytest.mark.parametrize("cert, status", [("good", 200), ("other_name", 502)])
def test_a_certificate_is_for_the_name(start_alb, start_tls_target, certificates, dns, cert,
                                       status):
    target = start_tls_target(answer(b"tls"), cert=cert)
    verified = ("protocol = HTTPS\ntls.verify = on\n" + QUICK +
                f"tls.ca_file = {certificates.authority}\n")
    dns.set("app.internal", ["127.0.0.1"])
    alb = start_alb(forward_config(f"dns:App.Internal.:{target.port}", group=verified,
                                   alb=f"dns.servers = {dns.address}"))
    assert alb.get()[0] == status
    assert target.sni == ["app.internal"]


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
    dns.set(NAME, ["0.0.0.0", "::"])
    wait_until(lambda: "dns has no address name=app.example.test reason=\"no address that a host "
               "may have\" kept=1" in alb.log(), "the warning")
    assert answers(alb) == {"1"}


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
