"""A machine with a BIOS: who gets in, what is open, and what the machine says of itself."""

import asyncio
import socket

import localhost_cert
import machines
import pcap


def _port(text):
    """ADDRESS:PORT in the kernel's hexadecimal, and whose it is."""
    address, port = text.split()[0].split(":")
    return address, int(port, 16)


def _is_loopback(address):
    return address == "0100007F" or address == "0" * 24 + "01000000"


async def _talk(door, room):
    async with door.chat("alice", room) as alice, door.chat("bob", room) as bob:
        for one in (alice, bob):
            await one.join(room)
        await alice.publish(room, "good evening")
        return (await bob.next("msg"))["d"]["text"]


def test_it_serves(bios):
    machines.serves(bios)


def test_its_configuration_came_by_credential(bios):
    bios.wait_for(r"configuration found source=credential")
    bios.wait_for(r"configuration in force alb=credential")


def test_a_chat_through_alb(bios):
    assert asyncio.run(_talk(machines.serves(bios), "lobby")) == "good evening"


def test_a_chat_over_tls(bios):
    assert asyncio.run(_talk(machines.serves(bios, "https"), "lobby")) == "good evening"


# The context trusts no other certificate.
def test_tls_is_1_3_with_the_certificate_of_the_secrets_volume(bios):
    machines.serves(bios, "https")
    with socket.create_connection(bios.address("https"), 20) as plain, \
            localhost_cert.trusting_context().wrap_socket(plain, server_hostname="localhost") as tls:
        assert tls.version() == "TLSv1.3"


def test_it_is_ready_for_what_stands_in_front(bios):
    machines.serves(bios)
    assert machines.Door(bios, "health").get("/ready")[0] == 200


def test_a_stranger_is_not_answered(bios):
    machines.serves(bios)
    with socket.create_connection(("127.0.0.1", bios.stranger_port), 10) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        asked = bios.wait_until(lambda: [s for s in pcap.segments(bios.strange_pcap) if s.target_port == 80],
                                "the stranger's SYN", 30)
        # He says it again after a second, and again.
        asked = bios.wait_until(lambda: [s for s in pcap.segments(bios.strange_pcap) if s.target_port == 80][2:],
                                "his third SYN", 60)
    assert all(s.flags & (pcap.SYN | pcap.ACK) == pcap.SYN for s in asked)
    assert not [s for s in pcap.segments(bios.strange_pcap) if s.source.startswith(machines.STRANGER) and
                s.source_port == 80]


def test_other_ports_are_silent_for_the_edge_too(bios):
    machines.serves(bios)
    for what in ("admin", "chat"):
        assert machines.Door(bios, what).get("/", timeout_s=5) is None


def test_nothing_listens_but_what_is_configured(bios):
    facts = machines.facts(bios)
    tcp = [_port(s) for s in facts["tcp"] + facts.get("tcp6", [])]
    assert {port for address, port in tcp if not _is_loopback(address)} == {80, 443, 8090, 8443}
    assert {port for address, port in tcp if _is_loopback(address)} == {9001, 9100}
    # DHCP's client, and nothing else. The clock and the resolver wait for answers at ports that the kernel chose.
    udp = [s for s in facts.get("udp", []) + facts.get("udp6", [])
           if not (s.split()[1] in facts["asks"] and _port(s)[1] > 32767)]
    assert {_port(s)[1] for s in udp} <= {68, 546}


def test_no_unit_has_failed(bios):
    assert "failed" not in machines.facts(bios)


def test_the_root_is_read_only_and_checked(bios):
    facts = machines.facts(bios)
    assert facts["root"][0].startswith("erofs ro,")
    assert "writable" not in facts
    assert "postern.roothash=" in facts["cmdline"][0]


def test_nobody_can_log_in(bios):
    facts = machines.facts(bios)
    assert "has" not in facts, facts["has"]  # no shell for people, no getty, no package manager
    assert "shell" not in facts and "password" not in facts


def test_the_kernel_keeps_tls_records(bios):
    facts = machines.facts(bios)
    assert "tls" in facts["ulp"][0].split(), "before anybody asks for it"
    assert facts["ktls"] == ["1.2", "1.3"]


def test_what_an_edge_would_refuse_is_on_the_console(bios):
    """By the authorities that the image has."""
    assert int(machines.facts(bios)["authorities"][0]) > 100
    refused = r"credential:\d+: warning: {}: a CDN edge refuses /run/postern-secrets/tls/{}.pem: it {}"
    bios.wait_for(refused.format("certificate", "site", "is self-signed; get one of a public authority"))
    bios.wait_for(refused.format("sni_certificate", "lonely", "lacks the certificate of its issuer, CN=between"))
    assert "was not looked at" not in bios.console()


def test_the_services_are_confined(bios):
    facts = machines.facts(bios)
    for unit in ("postern-alb", "postern-wsserver", "postern-configure", "postern-filter"):
        assert float(facts[f"security.{unit}"][0]) <= 2.5, unit


def test_no_row_of_an_access_log_is_left_out(bios):
    """The journal has a limit for each service, and this one has none."""
    assert machines.facts(bios)["rate_limit"] == ["0"]


def test_a_blank_disk_became_the_data_disk(bios):
    assert machines.facts(bios)["data"][0].startswith("ext4 /dev/vd")


def test_time_is_looked_after(bios):
    assert machines.facts(bios)["active"] == ["active", "active"]
