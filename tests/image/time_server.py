"""The cloud's clock beside a machine: answers ARP and NTP at 169.254.169.123, which QEMU's own network does not.

QEMU joins its network and a datagram socket by a hub (`vm.Machine(neighbour=...)`): each datagram is a frame.
"""

import contextlib
import socket
import struct
import threading
import time

ADDRESS = "169.254.169.123"
MAC = bytes.fromhex("525400000123")
ARP, IPV4 = 0x0806, 0x0800
NTP_PORT = 123
SINCE_1900_S = 2208988800


def _arp_reply(frame):
    """Of a question who has our address; else None."""
    operation, asker, asker_ip, target_ip = struct.unpack_from(">6xH6s4s6x4s", frame, 14)
    if operation != 1 or target_ip != socket.inet_aton(ADDRESS):
        return None
    return (asker + MAC + struct.pack(">H", ARP) + struct.pack(">HHBBH", 1, IPV4, 6, 4, 2) +
            MAC + target_ip + asker + asker_ip)


def _stamp(now_s):
    return struct.pack(">II", int(now_s) + SINCE_1900_S, int(now_s % 1 * (1 << 32)))


def _ntp_answer(question, now_s):
    """Of a server of stratum 1."""
    version = question[0] & 0x38
    return (struct.pack(">BBbb", version | 4, 1, question[2] & 0x7f, -20) + struct.pack(">II4s", 0, 0, b"TEST") +
            _stamp(now_s) + question[40:48] + _stamp(now_s) + _stamp(now_s))


def _checksum(header):
    total = sum(struct.unpack(f">{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def _ipv4(source, target, payload):
    """A packet of UDP."""
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, socket.IPPROTO_UDP, 0, source, target)
    return header[:10] + struct.pack(">H", _checksum(header)) + header[12:] + payload


def _ntp_reply(frame, now_s):
    """Of a question to our port; else None."""
    udp = 14 + (frame[14] & 15) * 4
    asker, target = frame[26:30], frame[30:34]
    if target != socket.inet_aton(ADDRESS) or frame[23] != socket.IPPROTO_UDP or len(frame) < udp + 8 + 48:
        return None
    port, to = struct.unpack_from(">HH", frame, udp)
    if to != NTP_PORT:
        return None
    answer = _ntp_answer(frame[udp + 8:udp + 8 + 48], now_s)
    datagram = struct.pack(">HHHH", NTP_PORT, port, 8 + len(answer), 0) + answer
    return frame[6:12] + MAC + struct.pack(">H", IPV4) + _ipv4(target, asker, datagram)


class TimeServer:
    """At a socket in the file system, for one machine."""

    def __init__(self, path):
        self.path, self.asked = path, 0
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(path))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            frame, machine = self.sock.recvfrom(65536)
            reply = self._reply(frame)
            if reply:
                with contextlib.suppress(OSError):  # the machine has ended
                    self.sock.sendto(reply, machine)

    def _reply(self, frame):
        kind = struct.unpack_from(">H", frame, 12)[0] if len(frame) >= 42 else 0
        if kind == ARP:
            return _arp_reply(frame)
        reply = _ntp_reply(frame, time.time()) if kind == IPV4 else None
        self.asked += reply is not None
        return reply
