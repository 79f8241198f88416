"""A little DNS server for tests: UDP and TCP, answers that can be changed at any time.

    dns = DnsServer(); dns.set("app.test", ["127.0.0.1", "127.0.0.2"], ttl=1)
    dns.fail("app.test", SERVFAIL)

`questions` has (name, type) of all that was asked, in order.
"""

import contextlib
import ipaddress
import socket
import struct
import threading

A, AAAA = 1, 28
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5
SILENT = -1


def both_sockets():
    """Of one port, which has to be free for both."""
    while True:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        try:
            return udp, socket.create_server(udp.getsockname())
        except OSError:
            udp.close()


class DnsServer:
    def __init__(self):
        self.answers, self.questions = {}, []
        self.udp, self.tcp = both_sockets()
        self.port = self.udp.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._serve_udp, daemon=True).start()
        threading.Thread(target=self._serve_tcp, daemon=True).start()

    def set(self, name, addresses, ttl=60):
        ips = [ipaddress.ip_address(a) for a in addresses]
        self.answers[name] = {
            A: (NOERROR, [ip.packed for ip in ips if ip.version == 4], ttl),
            AAAA: (NOERROR, [ip.packed for ip in ips if ip.version == 6], ttl)}

    def fail(self, name, code, kind=None):
        for k in (kind,) if kind else (A, AAAA):
            self.answers[name] = self.answers.get(name, {}) | {k: (code, [], 0)}

    def asked(self, name, kind=A):
        return self.questions.count((name, kind))

    def close(self):
        for sock in (self.udp, self.tcp):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # recvfrom() and accept() would keep it open
            sock.close()

    def _answer(self, query, room):
        ident, flags = struct.unpack("!HH", query[:4])
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind = struct.unpack("!H", query[at + 1:at + 3])[0]
        question = query[12:at + 5]
        name = ".".join(labels)
        self.questions.append((name, kind))
        code, records, ttl = self.answers.get(name, {}).get(kind, (NXDOMAIN, [], 0))
        if code == SILENT:
            return None
        body = b"".join(struct.pack("!HHHIH", 0xC00C, kind, 1, ttl, len(r)) + r for r in records)
        count = len(records)
        truncated = 0
        if 12 + len(question) + len(body) > room:
            truncated, body, count = 0x0200, b"", 0
        head = struct.pack("!HHHHHH", ident, 0x8080 | (flags & 0x0100) | truncated | code,
                           1, count, 0, 0)
        return head + question + body

    def _serve_udp(self):
        with contextlib.suppress(OSError, ValueError):
            while True:
                query, peer = self.udp.recvfrom(4096)
                if not query:  # closed
                    return
                answer = self._answer(query, 1232 if query[11] else 512)
                if answer:
                    self.udp.sendto(answer, peer)

    def _serve_tcp(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.tcp.accept()
                with contextlib.suppress(OSError, struct.error), sock:
                    sock.settimeout(10)
                    while True:
                        size, = struct.unpack("!H", sock.recv(2))
                        answer = self._answer(sock.recv(size), 65535)
                        sock.sendall(struct.pack("!H", len(answer)) + answer)
