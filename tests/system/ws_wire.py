"""WebSocket by hand: the upgrade and frames, at either end (see ws_peers for whole peers)."""

import base64
import hashlib

from sockets import read_exactly

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # of that key (RFC 6455 1.3)


def upgrade_request(path="/ws", fields=b"", host=b"localhost"):
    return (b"GET " + path.encode() + b" HTTP/1.1\r\nHost: " + host +
            b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: " + KEY + b"\r\n" + fields + b"\r\n")


def masked(payload, mask):
    """All at once, as one large number: a byte at a time takes seconds for megabytes."""
    key = (mask * (len(payload) // 4 + 1))[:len(payload)]
    number = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    return number.to_bytes(len(payload), "big")


def frame(opcode, payload=b"", fin=True, mask=b"\x01\x02\x03\x04"):
    """A frame; masked unless `mask` is None."""
    out = bytearray([(0x80 if fin else 0) | opcode])
    bit = 0x80 if mask else 0
    if len(payload) < 126:
        out.append(bit | len(payload))
    elif len(payload) < 65536:
        out += bytes([bit | 126]) + len(payload).to_bytes(2, "big")
    else:
        out += bytes([bit | 127]) + len(payload).to_bytes(8, "big")
    if mask:
        out += mask
        payload = masked(payload, mask)
    return bytes(out) + payload


def read_frame(sock):
    """(opcode, fin, payload), unmasked; None at the end."""
    head = sock.recv(1)
    if not head:
        return None
    head = read_exactly(sock, 2, head)
    length = head[1] & 0x7F
    if length == 126:
        length = int.from_bytes(read_exactly(sock, 2), "big")
    elif length == 127:
        length = int.from_bytes(read_exactly(sock, 8), "big")
    mask = read_exactly(sock, 4) if head[1] & 0x80 else b"\0\0\0\0"
    return head[0] & 0x0F, bool(head[0] & 0x80), masked(read_exactly(sock, length), mask)


def accept_key(head):
    key = [line.split(b":", 1)[1].strip() for line in head.split(b"\r\n")
           if line.lower().startswith(b"sec-websocket-key:")][0]
    guid = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1(key + guid).digest())


def accept_upgrade(sock, head, fields=b""):
    sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                 b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept_key(head) + b"\r\n" +
                 fields + b"\r\n")


def echo_script(sock, head, rest):
    """A target that upgrades and sends every data frame back; answers pings and Close."""
    accept_upgrade(sock, head)
    assert not rest
    while (got := read_frame(sock)) is not None:
        opcode, fin, payload = got
        if opcode == 9:
            opcode = 10
        sock.sendall(frame(opcode, payload, fin, mask=None))
        if opcode == 8:
            break
    return False
