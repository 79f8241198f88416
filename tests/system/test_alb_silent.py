"""Who is not in the edge set finds nothing: no answer from any port, in a network of its own."""

import contextlib
import errno
import pathlib
import re
import socket
import threading
import time

import pytest

from balancer import forward_config
from harness import BIN, PATIENCE, run, wait_until
from http_wire import read_response, request
from localhost_cert import trusting_context
from netns import APPLIANCE, APPLIANCE_6, answer_to_syn
from scripted_target import Target, answer
from ws_peers import TEXT, Client
from ws_wire import echo_script

EDGE, EDGE_6 = "10.77.0.10", "fd77::10"
OTHER = "10.77.0.11"  # of the edge's host, too
STRANGER, STRANGER_6 = "10.77.0.66", "fd77::66"
TARGETS = "10.77.0.20"
MEMBERS = f"allow = {EDGE} {EDGE_6}"
SILENCE_S = 1.5  # a SYN is sent again after 1 s

# listener -> (bind, port, protocol)
PORTS = {
    "http": (APPLIANCE, 8080, "HTTP"), "https": (APPLIANCE, 8443, "HTTPS"),
    "http6": (APPLIANCE_6, 8080, "HTTP"), "https6": (APPLIANCE_6, 8443, "HTTPS"),
}


def listener(name, bind, port, protocol):
    host = {APPLIANCE: "0.0.0.0", APPLIANCE_6: "[::]"}.get(bind, bind)
    certificate = "certificate = {cert}\n" if protocol == "HTTPS" else ""
    return (f"[listener {name}]\nbind = {host}:{port}\nprotocol = {protocol}\n{certificate}"
            "default_action = forward app\n")


def config(target, edge=MEMBERS, ports=PORTS, more=""):
    return f"""
[alb]
workers = 2
admin = 127.0.0.1:0
control = {{socket}}
shutdown_timeout = 1s
access_logs.enabled = true
access_logs.file = {{access}}
[edge]
{edge}
[target_group app]
target = {target.address}
health_check.enabled = false
{more}
""" + "".join(listener(name, *where) for name, where in ports.items())


class Place:
    """Appliance, edge, stranger and a target, each a host of its own."""

    def __init__(self, net, started):
        self.net = net
        self.edge = net.host("edge", EDGE, EDGE_6, OTHER)
        self.stranger = net.host("stranger", STRANGER, STRANGER_6)
        with net.host("targets", TARGETS):
            self.target = Target(echo_or_answer, TARGETS)
        started.append(self.target)

    def open(self, host, name, source=None):
        """A connection from there to this listener, with TLS if it has."""
        address, port, protocol = PORTS[name]
        sock = host.connect(address, port, source=source)
        if protocol == "HTTPS":
            return trusting_context().wrap_socket(sock, server_hostname="localhost")
        return sock

    def is_served(self, host, name, source=None):
        with self.open(host, name, source) as sock:
            return is_answered(sock)

    def is_closed(self, host, name, source=None):
        """Connected, and closed without a byte."""
        try:
            with self.open(host, name, source) as sock:
                return sock.recv(1) == b""
        except ConnectionError:
            return True

    def hears(self, host, name, source=None):
        """What a SYN from there comes to, for a moment."""
        address, port, _ = PORTS[name]
        return answer_to_syn(host, address, port, SILENCE_S, source)


class From:
    """For ws_peers.Client: connects from this host."""

    def __init__(self, place, host):
        self.place, self.host = place, host

    def connect(self, listener, _timeout, _source):
        return self.place.open(self.host, listener)


def echo_or_answer(sock, head, rest):
    return (echo_script if b"Sec-WebSocket-Key" in head else answer(b"target"))(sock, head, rest)


def is_answered(sock):
    sock.sendall(request())
    return read_response(sock).status == 200


@pytest.fixture
def place(make_net, started):
    return Place(make_net(), started)


@pytest.fixture
def start(place, start_alb_in):
    """start(edge=..., before=(), **how): a balancer on the appliance."""
    def begin(edge=MEMBERS, before=(), **how):
        return start_alb_in(place.net.appliance, config(place.target, edge, **how), before=before)
    return begin


def mode(alb):
    return alb.status()["edge_filter"]["mode"]


# --- who hears what ---------------------------------------------------------------------------


def test_a_member_is_served_and_a_stranger_hears_nothing(place, start):
    alb = start()

    assert mode(alb) == "ebpf" and alb.metric('alb_edge_filter{mode="ebpf"}') == 1
    assert alb.metric('alb_edge_filter{mode="accept"}') == 0
    for name in PORTS:
        assert place.is_served(place.edge, name), name
        assert place.hears(place.stranger, name) == "silence", name
    assert alb.metric('alb_edge_dropped_syns_total{family="ipv4"}') >= 2
    assert alb.metric('alb_edge_dropped_syns_total{family="ipv6"}') >= 2
    assert alb.metric('alb_connections_refused_total{reason="edge"}') == 0


def test_observed_strangers_are_served_and_counted(place, start):
    """Live, there and back."""
    alb = start(MEMBERS + "\nenforce = observe")

    for name in PORTS:
        assert place.is_served(place.stranger, name) and place.is_served(place.edge, name)
    assert alb.metric('alb_edge_observed_syns_total{family="ipv4"}') >= 2
    assert alb.metric('alb_edge_observed_syns_total{family="ipv6"}') >= 2
    assert alb.metric("alb_edge_dropped_syns_total") == 0
    alb.configure(config(place.target))
    alb.reload()
    assert place.hears(place.stranger, "http") == "silence"
    alb.configure(config(place.target, MEMBERS + "\nenforce = observe"))
    alb.reload()
    assert place.is_served(place.stranger, "http")


# What a scan sends: flags of TCP.
SCANS = {"SYN": 0x02, "ACK": 0x10, "FIN": 0x01, "NULL": 0x00, "Xmas": 0x29, "SYN+ACK": 0x12}


def tcp_packet(source, target, port, flags):
    """A bare TCP header."""
    head = (40000 + flags).to_bytes(2, "big") + port.to_bytes(2, "big") + bytes(8)
    head += bytes([0x50, flags]) + (1024).to_bytes(2, "big") + bytes(4)
    pseudo = socket.inet_aton(source) + socket.inet_aton(target) + bytes([0, 6, 0, len(head)])
    words = sum(int.from_bytes((pseudo + head)[i:i + 2], "big") for i in range(0, 32, 2))
    words = (words & 0xffff) + (words >> 16)
    checksum = ~((words & 0xffff) + (words >> 16)) & 0xffff
    return head[:16] + checksum.to_bytes(2, "big") + head[18:]


def answers_to_scan(host, source, ports, flags, wait_s):
    """Which ports answer such a packet with anything."""
    with host:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    answered, end = set(), time.monotonic() + wait_s
    with raw:
        raw.bind((source, 0))
        for port in ports:
            raw.sendto(tcp_packet(source, APPLIANCE, port, flags), (APPLIANCE, 0))
        while (left := end - time.monotonic()) > 0:
            raw.settimeout(left)
            with contextlib.suppress(TimeoutError):
                packet = raw.recv(100)
                answered.add(int.from_bytes(packet[20:22], "big"))
            if answered == set(ports):
                break
    return answered


@pytest.mark.parametrize("scan", SCANS)
def test_a_port_scan_finds_nothing_open(place, start, scan):
    """A port at which nobody listens answers with RST (of the kernel, which `alb nft` silences); one
    with a listener does not answer at all, so that it looks filtered."""
    start()
    ports = [8079, 8080, 8443, 8444]

    closed = answers_to_scan(place.stranger, STRANGER, [8079], SCANS[scan], 10)
    assert closed == {8079}, "the scan works"
    assert not answers_to_scan(place.stranger, STRANGER, [8080, 8443], SCANS[scan], 0.5)
    assert answers_to_scan(place.edge, EDGE, ports, SCANS["SYN"], 10) == set(ports)


# --- the set changes ---------------------------------------------------------------------------


class Members(threading.Thread):
    """Members that connect and ask as fast as they can: none may be held up by a lost SYN."""

    def __init__(self, place):
        super().__init__(daemon=True)
        self.place, self.done = place, threading.Event()
        self.served, self.slow, self.failed = 0, 0, []

    def run(self):
        while not self.done.is_set():
            began = time.monotonic()
            try:
                assert self.place.is_served(self.place.edge, "http")
                self.served += 1
            except (OSError, AssertionError, EOFError) as error:
                self.failed.append(repr(error))
            self.slow += time.monotonic() - began > 0.9 * PATIENCE

    def stop(self):
        self.done.set()
        self.join()


def test_the_set_changes_under_load_and_members_stay(place, start):
    """Sets that share the member, in ever other blocks."""
    alb = start(f"{MEMBERS} {OTHER}")
    load = Members(place)
    kept = place.open(place.edge, "https")
    web_socket = Client(From(place, place.edge), "https6")
    leaver = place.open(place.edge, "http", OTHER)
    assert is_answered(leaver)

    load.start()
    for n in range(20):
        block = ["10.77.0.8/29", f"{EDGE}/32", "10.77.0.10/31", "10.77.0.0/26"][n % 4]
        alb.configure(config(place.target, f"allow = {block} {EDGE_6}"))
        alb.reload()
    alb.configure(config(place.target))
    alb.reload()
    wait_until(lambda: load.served > 100, "members to be served", 30)
    load.stop()

    assert not load.failed and not load.slow
    assert is_answered(kept) and is_answered(leaver), "what is open stays"
    web_socket.send(TEXT, b"still here")
    assert web_socket.receive() == (TEXT, True, b"still here")
    assert place.hears(place.edge, "http", OTHER) == "silence", "it has left the set"
    for sock in (kept, leaver, web_socket.sock):
        sock.close()


def test_a_stranger_becomes_a_member_and_a_member_a_stranger(place, start):
    alb = start()

    assert place.hears(place.stranger, "http") == "silence"
    alb.configure(config(place.target, f"allow = {STRANGER} {STRANGER_6}"))
    alb.reload()
    for name in PORTS:
        assert place.is_served(place.stranger, name)
        assert place.hears(place.edge, name) == "silence"


def test_a_refused_reload_leaves_the_set(place, start):
    """The new file's set is fine, its listener is not."""
    alb = start()
    alb.configure(config(place.target, f"allow = {STRANGER}",
                         dict(PORTS, bad=("10.99.0.1", 8081, "HTTP"))))

    code, said = alb.command("reload")
    assert code != 0 and "10.99.0.1" in said
    assert place.is_served(place.edge, "http")
    assert place.hears(place.stranger, "http") == "silence"


def test_anybody_then_some_then_anybody(place, start):
    alb = start("allow = any")

    assert place.is_served(place.stranger, "http6")
    alb.configure(config(place.target))
    alb.reload()
    assert place.hears(place.stranger, "http6") == "silence"
    assert place.is_served(place.edge, "https")
    alb.configure(config(place.target, "allow = any"))
    alb.reload()
    assert place.is_served(place.stranger, "https6")


def test_a_listener_that_a_reload_adds_is_covered_from_its_first_packet(place, start):
    """A stranger tries all the time: the port is refused, then silent, and never open."""
    before = {"http": PORTS["http"]}
    alb = start(ports=before)
    heard, done = set(), threading.Event()

    def try_on():
        while not done.is_set():
            heard.add(answer_to_syn(place.stranger, APPLIANCE, 8443, 0.02))
    threads = [threading.Thread(target=try_on, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for times in range(1, 6):
        alb.configure(config(place.target))
        alb.reload()
        assert place.is_served(place.edge, "https")
        alb.configure(config(place.target, ports=before))
        alb.reload()
        wait_until(lambda: alb.log().count("listener closed name=https ") == times, "it to be closed")
    done.set()
    for thread in threads:
        thread.join()
    assert heard == {"refused", "silence"}
    assert alb.metric('alb_connections_refused_total{reason="edge"}') == 0


def test_a_listener_that_goes_is_silent_for_strangers_too(place, start):
    """While it is being removed its sockets have another program."""
    alb = start()
    alb.configure(config(place.target, ports={"https": PORTS["https"]}))
    alb.reload()

    assert "cannot have a filter" not in alb.log()
    assert answer_to_syn(place.stranger, APPLIANCE, 8080, 0.3) in ("silence", "refused")
    wait_until(lambda: "listener closed name=http6" in alb.log(), "it to be closed")
    alb.configure(config(place.target))
    alb.reload()
    assert place.is_served(place.edge, "http6")
    assert place.hears(place.stranger, "http6") == "silence"


# --- another process takes over ---------------------------------------------------------------


def test_after_an_upgrade_it_is_silent_and_can_be_changed(place, start):
    alb = start()
    web_socket = Client(From(place, place.edge), "http")
    dropped = alb.metric("alb_edge_dropped_syns_total")

    for _ in range(2):
        code, said = alb.upgrade()
        assert code == 0, said
        assert mode(alb) == "ebpf"
        assert place.hears(place.stranger, "https6") == "silence"
        assert place.is_served(place.edge, "https6")
    assert alb.metric("alb_edge_dropped_syns_total") > dropped, "it goes on counting"
    alb.configure(config(place.target, f"allow = {STRANGER} {STRANGER_6}",
                         dict(PORTS, more=(APPLIANCE, 8081, "HTTP"))))
    alb.reload()
    assert answer_to_syn(place.stranger, APPLIANCE, 8081) == "open"
    assert answer_to_syn(place.edge, APPLIANCE, 8081, SILENCE_S) == "silence"
    web_socket.send(TEXT, b"still here")
    assert web_socket.receive() == (TEXT, True, b"still here")
    web_socket.sock.close()


def test_an_upgrade_brings_the_set_of_the_file(place, start):
    alb = start()
    alb.configure(config(place.target, f"allow = {STRANGER} {STRANGER_6}"))

    code, said = alb.upgrade()
    assert code == 0, said
    for name in PORTS:
        assert place.is_served(place.stranger, name)
        assert place.hears(place.edge, name) == "silence"


def test_an_upgrade_that_fails_leaves_the_set(place, start, tmp_path):
    """The new process has read another set, and ends before it takes over."""
    alb = start()
    late = tmp_path / "late"
    late.write_text(f"#!/bin/sh\nexec {BIN}/alb run {alb.path} --ready-file /nowhere/ready\n")
    late.chmod(0o755)
    alb.configure(config(place.target, f"allow = {STRANGER} {STRANGER_6}"))

    code, said = alb.upgrade(late)
    assert code != 0 and "nowhere" in alb.log(), said
    assert place.is_served(place.edge, "http")
    assert place.hears(place.stranger, "http") == "silence"


# --- many blocks -----------------------------------------------------------------------------


def blocks(first, count):
    """Every other /28 of 11.0.0.0/8 and every other /48 of 2001::/16: none can be merged."""
    yield from (f"11.{n >> 11 & 255}.{n >> 3 & 255}.{(n & 7) * 32}/28" for n in range(first, first + count // 2))
    yield from (f"2001:{n >> 14:x}:{(n & 0x3fff) * 2:x}::/48" for n in range(first, first + count // 2))


@pytest.fixture
def block_file(tmp_path):
    """Writes so many blocks, and the members; the configuration's [edge] is `edge`."""
    class File:
        path = tmp_path / "blocks.txt"
        edge = f"allow_file = {path}"

        def write(self, *ranges, members=(EDGE, EDGE_6)):
            lines = [block for first, count in ranges for block in blocks(first, count)]
            self.path.write_text("\n".join([*lines, *members]))
    return File()


def test_fifty_thousand_blocks_come_and_change_quickly(place, start, block_file):
    """The time is that of its processor: whatever else the machine does."""
    block_file.write((0, 50_000))
    alb = start(block_file.edge)
    begun = alb.cpu_s()
    block_file.write((12_500, 50_000), members=(EDGE, EDGE_6, STRANGER))
    alb.reload()
    reloaded = alb.cpu_s() - begun

    assert place.is_served(place.stranger, "http") and place.is_served(place.edge, "https6")
    assert begun < 2 * PATIENCE and reloaded < 2 * PATIENCE, (begun, reloaded)
    print(f"start {begun:.2f} s, reload {reloaded:.2f} s")
    with block_file.path.open("a") as file:
        file.write("\n10.77.0.99")
    before = alb.cpu_s()
    alb.reload()
    print(f"one more: {alb.cpu_s() - before:.2f} s")


def test_a_full_table_refuses_the_reload_and_the_old_set_stays(place, start, block_file):
    block_file.write((0, 400_000))  # 200,000 of a family
    alb = start(block_file.edge)
    block_file.write((150_000, 400_000), members=(STRANGER, STRANGER_6))

    for command in (["reload", "--dry-run"], ["reload"]):
        code, said = alb.command(*command)
        assert code != 0 and "[edge] the old IPv4 blocks (200001) and the new ones (200001) are " in said
        assert "room for 262144" in said and "name fewer, larger ones" in said
    assert place.is_served(place.edge, "http") and place.hears(place.stranger, "http6") == "silence"
    block_file.write((150_000, 100_000))
    alb.reload()
    block_file.write((150_000, 400_000), members=(STRANGER, STRANGER_6))
    alb.reload()
    assert place.is_served(place.stranger, "https") and place.hears(place.edge, "http6") == "silence"


def test_a_set_that_cannot_be_held_is_refused_at_the_start(place, start_alb_in, block_file):
    block_file.write((0, 530_000))
    alb = start_alb_in(place.net.appliance, config(place.target, block_file.edge), wait=False)

    assert alb.wait() == 1
    assert re.search(r"alb.ini:\d+: \[edge\] 265001 IPv4 blocks are too many", alb.log()), alb.log()
