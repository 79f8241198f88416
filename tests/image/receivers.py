"""What machines send their logs to: journal upload over HTTPS, and syslog over UDP and TCP."""

import http.server
import itertools
import socket
import ssl
import struct
import threading

# More failures at once than systemd has patience for, unless it is told.
REFUSALS = 6


def entries(data):
    """Of the journal's export format: [{field: text}]."""
    found, entry, at = [], {}, 0
    while at < len(data):
        end = data.index(b"\n", at)
        name, has_text, value = data[at:end].partition(b"=")
        at = end + 1
        if name and not has_text:  # what is no line of text has its length before it
            size = struct.unpack_from("<Q", data, at)[0]
            value, at = data[at + 8:at + 8 + size], at + 8 + size + 1
        if name:
            entry[name.decode()] = value.decode(errors="replace")
        elif entry:
            found.append(entry)
            entry = {}
    return [*found, entry] if entry else found


class _Upload(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        data = b"".join(self._chunks())
        self.server.posts += 1
        is_up = self.server.posts > REFUSALS
        if is_up:
            self.server.got.extend(entries(data))
            self.server.names.add(dict(self.connection.getpeercert()["subject"][-1])["commonName"])
        self.send_response(202 if is_up else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _chunks(self):
        while True:
            size = int(self.rfile.readline().partition(b";")[0], 16)
            data = self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return
            yield data

    def log_message(self, *_args):
        """Nobody reads it."""


class JournalReceiver(http.server.ThreadingHTTPServer):
    """Takes the journal of who has a certificate of that authority, and has one of it himself; not at first."""
    daemon_threads = True

    def __init__(self, certificate, authority):
        super().__init__(("127.0.0.1", 0), _Upload)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_REQUIRED
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.port, self.got, self.names, self.posts = self.server_address[1], [], set(), 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, _request, _address):
        """A machine whose plug was pulled."""


class UdpSyslog:
    """A datagram a line, as `lines`."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port, self.lines = self.sock.getsockname()[1], []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            self.lines.append(self.sock.recv(65536).decode(errors="replace"))


class TcpSyslog:
    """All that came over any connection, as `lines`; the first one ends after a line."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.lines, self.connections = self.listener.getsockname()[1], [], 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            sock = self.listener.accept()[0]
            self.connections += 1
            threading.Thread(target=self._read, args=(sock, 1 if self.connections == 1 else None), daemon=True).start()

    def _read(self, sock, count):
        with sock, sock.makefile("r", encoding="utf-8", errors="replace") as stream:
            self.lines.extend(itertools.islice(stream, count))
