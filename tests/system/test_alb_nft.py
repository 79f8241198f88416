"""`alb nft FILE`: a packet filter for the machine, of the same configuration."""

import contextlib
import ipaddress
import json
import socket
import threading
import time

import pytest

from harness import PATIENCE, run, wait_until
from netns import APPLIANCE, APPLIANCE_6, answer_to_syn

EDGE, EDGE_6, STRANGER = "10.77.0.10", "fd77::10", "10.77.0.66"
SILENCE_S = 1.5  # a SYN is sent again after 1 s

LISTENERS = """
[listener a]
bind = 0.0.0.0:8443
default_action = fixed-response 200 text/plain "x"
[listener b]
bind = [::]:8080
default_action = fixed-response 200 text/plain "x"
[listener c]
bind = 10.77.0.1:8080
default_action = fixed-response 200 text/plain "x"
[listener here]
bind = 127.0.0.1:8081
default_action = fixed-response 200 text/plain "x"
"""


def config(edge, alb="admin = 127.0.0.1:9100", listeners=LISTENERS):
    return f"[alb]\n{alb}\n[edge]\n{edge}\n{listeners}"


@pytest.fixture
def rules_of(tmp_path):
    """rules_of(config) -> the text, from `alb nft`"""
    def make(text, *args):
        path = tmp_path / "alb.ini"
        path.write_text(text)
        code, out, err = run("alb", "nft", path, *args)
        assert code == 0, err
        return out
    return make


@pytest.fixture
def state_of(tmp_path):
    """state_of({block: end}) -> the path of a state file that has these additions."""
    def make(additions):
        path = tmp_path / "alb.state"
        lines = [f"edge {block} until={end}" for block, end in additions.items()]
        path.write_text("\n".join(["postern-alb-state 1", *lines, f"end {len(lines)}"]) + "\n")
        return path
    return make


def load(host, tmp_path, rules):
    """Check them, load them, and load them again in their own place: nft's view of the table."""
    path = tmp_path / "rules.nft"
    path.write_text(rules)
    for args in (("-c", "-f", path), ("-f", path), ("-f", path)):
        code, _, text = host.run("nft", *args)
        assert code == 0, text
    code, text, _ = host.run("nft", "-j", "list", "table", "inet", "postern")
    assert code == 0
    return json.loads(text)["nftables"]


def networks(elements):
    """What nft has made of a set, as disjoint networks in order."""
    found = []
    for e in elements:
        if isinstance(e, str):
            found.append(ipaddress.ip_network(e))
        elif "prefix" in e:
            found.append(ipaddress.ip_network((e["prefix"]["addr"], e["prefix"]["len"])))
        else:
            first, last = map(ipaddress.ip_address, e["range"])
            found += ipaddress.summarize_address_range(first, last)
    return list(ipaddress.collapse_addresses(found))


def sets_of(table):
    return {item["set"]["name"]: networks(item["set"].get("elem", []))
            for item in table if "set" in item}


def collapse(blocks):
    return list(ipaddress.collapse_addresses(map(ipaddress.ip_network, blocks)))


def rule_lines(rules):
    """Those of the ports."""
    return [line.strip() for line in rules.splitlines() if "tcp dport" in line]


def test_the_sets_are_those_of_the_configuration(rules_of, make_net, tmp_path):
    v4 = ["10.0.1.37/32", "10.0.2.0/25", "10.0.2.128/25", "10.0.2.7/32", "192.0.2.0/24"]
    v6 = ["2001:db8::/32", "2001:db8:1::/48", "fd00::1/128"]
    rules = rules_of(config("allow = " + " ".join(v4 + v6)))

    sets = sets_of(load(make_net().appliance, tmp_path, rules))
    assert sets == {"edge4": collapse(v4), "edge6": collapse(v6)}


def test_ports_are_for_the_sets_only(rules_of):
    assert rule_lines(rules_of(config(f"allow = {EDGE} {EDGE_6}"))) == [
        "ip saddr @edge4 tcp dport { 8080, 8443 } accept",
        "ip6 saddr @edge6 tcp dport { 8080 } accept"]


@pytest.mark.parametrize("edge", ["allow = any", f"allow = {EDGE}\nenforce = observe"])
def test_who_is_let_in_by_alb_is_let_in_here(rules_of, edge):
    assert rule_lines(rules_of(config(edge))) == [
        "meta nfproto ipv4 tcp dport { 8080, 8443 } accept",
        "meta nfproto ipv6 tcp dport { 8080 } accept"]


@pytest.mark.parametrize("admin,rule", [
    ("127.0.0.1:9100", None), ("[::1]:9100", None),
    ("10.77.0.1:9100", "ip daddr 10.77.0.1 tcp dport 9100 accept"),
    ("0.0.0.0:9100", "meta nfproto ipv4 tcp dport 9100 accept"),
    ("[::]:9100", "meta nfproto ipv6 tcp dport 9100 accept")])
def test_the_admin_port_is_open_where_it_is_configured_so(rules_of, admin, rule):
    lines = [x for x in rule_lines(rules_of(config("allow = none", alb=f"admin = {admin}")))
             if "9100" in x]
    assert [x.split(" comment")[0] for x in lines] == ([rule] if rule else [])


def test_health_ports_are_for_their_own_sets(rules_of, make_net, tmp_path):
    health = """
[health]
bind = 0.0.0.0:8090
allow = 10.77.0.30/32 fd77::30
"""
    rules = rules_of(config(f"allow = {EDGE}", listeners=LISTENERS + health))

    assert "ip saddr @health4 tcp dport { 8090 } accept" in rule_lines(rules)
    assert "ip saddr @edge4 tcp dport { 8080, 8443 } accept" in rule_lines(rules)
    sets = sets_of(load(make_net().appliance, tmp_path, rules))
    assert sets == {"edge4": collapse([EDGE]), "edge6": [],
                    "health4": collapse(["10.77.0.30"]), "health6": collapse(["fd77::30"])}


def test_a_set_without_blocks_is_loaded_too(rules_of, make_net, tmp_path):
    rules = rules_of(config("allow = none"))

    assert sets_of(load(make_net().appliance, tmp_path, rules)) == {"edge4": [], "edge6": []}


def test_the_same_configuration_gives_the_same_text(rules_of):
    text = config(f"allow = {EDGE} 10.0.0.0/8\nallow = {EDGE_6}")

    assert rules_of(text) == rules_of(text)
    assert rules_of(text) == rules_of(config(f"allow = {EDGE_6} 10.0.0.0/8 {EDGE}"))


def test_fifty_thousand_prefixes(rules_of, make_net, tmp_path):
    blocks = [f"10.{i // 128}.{2 * (i % 128)}.0/24" for i in range(25000)]
    blocks += [f"2001:db8:{i:x}::/64" for i in range(25000)]
    (tmp_path / "many.txt").write_text("\n".join(blocks) + "\n")
    rules = rules_of(config(f"allow_file = {tmp_path}/many.txt"))

    sets = sets_of(load(make_net().appliance, tmp_path, rules))
    assert len(sets["edge4"]) == len(sets["edge6"]) == 25000
    assert sets == {"edge4": collapse(blocks[:25000]), "edge6": collapse(blocks[25000:])}


def test_a_port_that_nobody_knows_yet_is_an_error(tmp_path):
    path = tmp_path / "alb.ini"
    path.write_text(config("allow = none", listeners="[listener a]\nbind = 127.0.0.1:0\n"
                           "default_action = fixed-response 200 text/plain \"x\"\n"))
    code, out, text = run("alb", "nft", path)
    assert code == 1 and out == ""
    assert f"{path}:6: bind: port 0 is any free one, for which there can be no rule" in text


def test_a_bad_file_gives_no_rules(tmp_path):
    path = tmp_path / "alb.ini"
    path.write_text(config("allow = 10.0.0.1/8"))
    code, out, text = run("alb", "nft", path)
    assert code == 1 and out == "" and f"{path}:4: allow:" in text


# --- for a while ------------------------------------------------------------------------------

END, END_TEXT = 1795766400, "2026-11-27T08:00:00Z"


def additions_in(rules):
    return [line for line in rule_lines(rules) if "meta time" in line]


def test_who_was_added_for_a_while_is_there_until_his_end(rules_of, state_of):
    state = state_of({"10.0.9.0/24": END, "2001:db8::/32": END, "10.0.8.0/24": END})

    assert additions_in(rules_of(config(f"allow = {EDGE}", alb=f"state_file = {state}"))) == [
        f"ip saddr {{ 10.0.8.0/24, 10.0.9.0/24 }} meta time < {END} tcp dport {{ 8080, 8443 }} "
        f'accept comment "until {END_TEXT}"',
        f"ip6 saddr {{ 2001:db8::/32 }} meta time < {END} tcp dport {{ 8080 }} "
        f'accept comment "until {END_TEXT}"']


def test_additions_within_one_another_keep_their_own_ends(rules_of, state_of, make_net, tmp_path):
    state = state_of({"10.0.0.0/8": END, "10.0.9.7/32": END, "10.0.9.8/32": END + 7,
                      "10.0.0.0/16": END - 9, EDGE + "/32": END})
    rules = rules_of(config(f"allow = {EDGE}"), "--state-file", state)

    load(make_net().appliance, tmp_path, rules)
    assert [line.split(" tcp")[0] for line in additions_in(rules)] == [
        f"ip saddr {{ 10.0.0.0/16 }} meta time < {END - 9}",
        f"ip saddr {{ 10.0.0.0/8 }} meta time < {END}",
        f"ip saddr {{ 10.0.9.8/32 }} meta time < {END + 7}"]


def test_the_state_file_of_the_command_line_is_used_instead(rules_of, state_of, tmp_path):
    state = state_of({"10.0.9.0/24": END})
    text = config(f"allow = {EDGE}", alb=f"state_file = {state}")

    assert additions_in(rules_of(text)) != []
    assert additions_in(rules_of(text, "--state-file", tmp_path / "none")) == []


def test_what_else_was_said_by_command_does_not_matter(rules_of, tmp_path):
    path = tmp_path / "alb.state"
    path.write_text(f"postern-alb-state 1\nregister chat 10.0.1.12:9001 weight=100\n"
                    f"drain chat 10.0.1.12:9001\nedge 10.0.9.0/24 until={END}\nend 3\n")

    assert len(additions_in(rules_of(config(f"allow = {EDGE}"), "--state-file", path))) == 1


@pytest.mark.parametrize("edge", ["allow = any", f"allow = {EDGE}\nenforce = observe"])
def test_where_all_are_let_in_nobody_is_added(rules_of, state_of, edge):
    state = state_of({"10.0.9.0/24": END})

    assert additions_in(rules_of(config(edge), "--state-file", state)) == []


def test_an_end_beyond_what_the_kernel_counts_is_far_away_all_the_same(
        rules_of, state_of, make_net, tmp_path):
    state = state_of({"10.0.9.0/24": 2**64 - 1, "10.0.8.0/24": 0})
    rules = rules_of(config(f"allow = {EDGE}"), "--state-file", state)

    load(make_net().appliance, tmp_path, rules)
    first, last = additions_in(rules)
    assert "meta time < 0 " in first and "meta time < 18446744073 " in last


def test_as_many_additions_as_there_may_be(rules_of, state_of, make_net, tmp_path):
    blocks = [f"10.1.{i // 250}.{i % 250}/32" for i in range(1000)]
    state = state_of({block: END + i for i, block in enumerate(blocks)})
    rules = rules_of(config(f"allow = {EDGE}"), "--state-file", state)

    load(make_net().appliance, tmp_path, rules)
    assert len(additions_in(rules)) == 1000


def test_a_damaged_state_file_gives_no_rules(tmp_path):
    path, state = tmp_path / "alb.ini", tmp_path / "alb.state"
    path.write_text(config(f"allow = {EDGE}", alb=f"state_file = {state}"))
    state.write_text(f"postern-alb-state 1\nedge 10.0.9.0/24 until={END}\n")

    code, out, text = run("alb", "nft", path)
    assert code == 1 and out == "" and f"{state}:" in text


# --- in force ---------------------------------------------------------------------------------


@contextlib.contextmanager
def listening(host, family, address, port):
    """Somebody who accepts there, and says hello."""
    with host:
        sock = socket.create_server((address, port), family=family)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                conn, _ = sock.accept()
                with conn:
                    conn.sendall(b"hello")
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        sock.shutdown(socket.SHUT_RDWR)
        sock.close()
        thread.join(5)


def hears(host, address, port, timeout=10):
    with host.connect(address, port, timeout=timeout) as sock:
        return sock.recv(10)


def test_the_edge_connects_and_a_stranger_hears_nothing(rules_of, make_net, tmp_path):
    net = make_net()
    edge = net.host("edge", EDGE, EDGE_6)
    stranger = net.host("stranger", STRANGER, "fd77::66")
    load(net.appliance, tmp_path, rules_of(config(f"allow = {EDGE} {EDGE_6}")))

    with contextlib.ExitStack() as stack:
        for family, address, port in ((socket.AF_INET, APPLIANCE, 8080),
                                      (socket.AF_INET6, APPLIANCE_6, 8080),
                                      (socket.AF_INET, APPLIANCE, 22),
                                      (socket.AF_INET, "127.0.0.1", 8081)):
            stack.enter_context(listening(net.appliance, family, address, port))
        assert hears(edge, APPLIANCE, 8080) == b"hello"
        assert hears(edge, APPLIANCE_6, 8080) == b"hello"  # its neighbour discovery goes through
        assert hears(net.appliance, "127.0.0.1", 8081) == b"hello"
        for host, address, port in ((stranger, APPLIANCE, 8080), (stranger, APPLIANCE_6, 8080),
                                    (stranger, APPLIANCE, 9), (edge, APPLIANCE, 22)):
            with pytest.raises(TimeoutError):
                hears(host, address, port, SILENCE_S)


def test_another_set_leaves_connections_that_are_there(rules_of, make_net, tmp_path):
    net = make_net()
    edge = net.host("edge", EDGE, EDGE_6)
    load(net.appliance, tmp_path, rules_of(config(f"allow = {EDGE}")))

    with net.appliance:
        server = socket.create_server((APPLIANCE, 8080))
    with server, edge.connect(APPLIANCE, 8080) as client, server.accept()[0] as peer:
        load(net.appliance, tmp_path, rules_of(config("allow = none")))
        client.settimeout(10)
        peer.sendall(b"still here")
        assert client.recv(20) == b"still here"
        client.sendall(b"so am I")
        peer.settimeout(10)
        assert peer.recv(20) == b"so am I"
        with pytest.raises(TimeoutError):
            edge.connect(APPLIANCE, 8080, timeout=SILENCE_S)


def test_an_added_address_connects_until_its_end(rules_of, state_of, make_net, tmp_path):
    """By the packet filter alone: whoever listens here knows of nothing, and it is not loaded again."""
    net = make_net()
    guest = net.host("guest", STRANGER, "fd77::66")
    other = net.host("other", "10.77.0.67")
    end = int(time.time() + 8 * PATIENCE)
    text = config("allow = none")
    load(net.appliance, tmp_path, rules_of(text))

    with listening(net.appliance, socket.AF_INET, APPLIANCE, 8080), \
            listening(net.appliance, socket.AF_INET6, APPLIANCE_6, 8080):
        assert answer_to_syn(guest, APPLIANCE, 8080) == "silence"
        state = state_of({f"{STRANGER}/32": end, "fd77::66/128": end + 3600})
        load(net.appliance, tmp_path, rules_of(text, "--state-file", state))
        assert hears(guest, APPLIANCE, 8080) == hears(guest, APPLIANCE_6, 8080) == b"hello"
        assert time.time() < end, "too slow to say"
        assert answer_to_syn(other, APPLIANCE, 8080) == "silence"
        wait_until(lambda: answer_to_syn(guest, APPLIANCE, 8080, 0.3) == "silence", "the end")
        assert time.time() >= end
        assert hears(guest, APPLIANCE_6, 8080) == b"hello"  # his other address has an hour


def test_who_is_added_by_command_gets_through_both_filters(
        rules_of, make_net, start_alb_in, tmp_path):
    net = make_net()
    guest = net.host("guest", STRANGER)
    alb = start_alb_in(net.appliance, config(
        "allow = none", alb=f"control = {{socket}}\nstate_file = {tmp_path}/alb.state"))

    def renew():
        load(net.appliance, tmp_path, rules_of(alb.path.read_text()))
    renew()
    assert answer_to_syn(guest, APPLIANCE, 8080) == "silence"
    alb.ok("edge", "add", STRANGER, "--for", "1h")
    renew()
    assert answer_to_syn(guest, APPLIANCE, 8080) == "open"
    alb.ok("edge", "remove", STRANGER)
    renew()
    assert answer_to_syn(guest, APPLIANCE, 8080) == "silence"


def test_a_balancer_keeps_its_state_where_the_command_line_says(make_net, start_alb_in, tmp_path):
    alb = start_alb_in(make_net().appliance, config(
        "allow = none", alb=f"control = {{socket}}\nstate_file = {tmp_path}/one.state"))
    alb.stop()
    alb.args += ["--state-file", str(tmp_path / "other.state")]
    alb.start()
    assert "state_file of the configuration is not used" in alb.log()
    alb.ok("edge", "add", "10.0.9.0/24", "--for", "1h")

    assert "edge 10.0.9.0/24 until=" in (tmp_path / "other.state").read_text()
    assert not (tmp_path / "one.state").exists()
