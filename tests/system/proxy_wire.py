"""Heads of the PROXY protocol, written here and not by the code under test."""

import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
NOOP, CRC32C, AUTHORITY, AWS = 0x04, 0x03, 0x02, 0xEA


def v1(client, port=4711, to="10.0.0.5", to_port=443):
    family = "TCP6" if ":" in client else "TCP4"
    return f"PROXY {family} {client} {to} {port} {to_port}\r\n".encode()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def tlv(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


def endpoint(name):
    """The TLV of an AWS VPC endpoint."""
    return tlv(AWS, b"\x01" + name.encode())


def v2(client, port=4711, to=None, to_port=443, tlvs=b"", with_crc=False):
    address = ipaddress.ip_address(client)
    to = ipaddress.ip_address(to or ("10.0.0.5" if address.version == 4 else "2001:db8::5"))
    body = address.packed + to.packed + struct.pack("!HH", port, to_port)
    family = 0x11 if address.version == 4 else 0x21
    crc_at = 16 + len(body) + 3
    if with_crc:
        body += tlv(CRC32C, bytes(4))
    body += tlvs
    head = SIGNATURE + struct.pack("!BBH", 0x21, family, len(body)) + body
    if with_crc:
        head = head[:crc_at] + struct.pack("!I", crc32c(head)) + head[crc_at + 4:]
    return head


def local(tlvs=b""):
    """What a network balancer says of a check of its own."""
    return SIGNATURE + struct.pack("!BBH", 0x20, 0, len(tlvs)) + tlvs
