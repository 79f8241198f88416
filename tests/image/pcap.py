"""What went over a machine's network, of a file that QEMU's filter-dump wrote."""

import dataclasses
import socket
import struct

SYN, ACK = 0x02, 0x10


@dataclasses.dataclass
class Segment:
    """The ends and flags of a TCP segment over IPv4."""
    source: str
    source_port: int
    target: str
    target_port: int
    flags: int


def segments(path):
    """All TCP segments in it, as far as it is written."""
    data = path.read_bytes()
    at, found = 24, []  # behind the file's own header
    while at + 16 <= len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        found.append(_segment(data[at + 16:at + 16 + length]))
        at += 16 + length
    return [segment for segment in found if segment]


def _segment(frame):
    """Of an Ethernet frame; None if it is another thing."""
    if len(frame) < 54 or frame[12:14] != b"\x08\x00" or frame[23] != socket.IPPROTO_TCP:
        return None
    tcp = 14 + (frame[14] & 15) * 4
    source, target = (socket.inet_ntoa(frame[at:at + 4]) for at in (26, 30))
    source_port, target_port = struct.unpack_from(">HH", frame, tcp)
    return Segment(source, source_port, target, target_port, frame[tcp + 13])
