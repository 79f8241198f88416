"""What the system tests stand on: real programs, real sockets, conditions instead of sleeps.

    alb = start_alb(CONFIG)           # a running balancer; ports were bound by port 0
    with alb.connect() as s: ...      # a plain TCP connection to its first listener
    wait_until(lambda: alb.metric("alb_connections_open") == 0, "connections to end")

Programs come from $BIN (build/release/bin); $WRAP, if set, is put in front of each
("valgrind --error-exitcode=9 ...").
"""

import contextlib
import http.client
import json
import os
import pathlib
import select
import shlex
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("BIN", ROOT / "build/release/bin")).resolve()
WRAP = shlex.split(os.environ.get("WRAP", ""))
# Sanitizers and valgrind are slow: the same conditions, more patience.
PATIENCE = float(os.environ.get("PATIENCE", "1"))
CERT = ROOT / "build/test-cert.pem"


def wait_until(condition, what, timeout=10.0):
    """Return the first true value of `condition()`; fail with `what` after the time-out."""
    end = time.monotonic() + timeout * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout * PATIENCE:.0f} s for {what}")
        time.sleep(0.01)


def free_port():
    """For what cannot bind port 0 itself."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def split_address(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


class Process:
    """A program under test: its log is kept in a file and shown when a test fails."""

    def __init__(self, folder, name, *args, env=None):
        self.name, self.folder = name, pathlib.Path(folder)
        self.log_path = self.folder / f"{name}.log"
        self.ready_path = self.folder / f"{name}.ready"
        self.args = [str(a) for a in args]
        self.env = dict(os.environ, **(env or {}))
        self.ready = None
        self.popen = None

    def start(self, wait=True):
        with contextlib.suppress(FileNotFoundError):
            self.ready_path.unlink()
        log = open(self.log_path, "ab")
        self.popen = subprocess.Popen(
            WRAP + self.args, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env,
            cwd=self.folder)
        log.close()
        if wait:
            wait_until(self._is_ready, f"{self.name} to be ready: {self.log()}", 15)
        return self

    def _is_ready(self):
        if self.popen.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.popen.returncode}: {self.log()}")
        if not self.ready_path.exists():
            return False
        self.ready = json.loads(self.ready_path.read_text())
        return True

    @property
    def pid(self):
        # Under a wrapper the program may be a child; the ready file knows.
        return self.ready["pid"] if self.ready else self.popen.pid

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def signal(self, number):
        os.kill(self.pid, number)

    def freeze(self):
        """SIGSTOP, and each thread stands still. SIGCONT lets them go on."""
        def states():
            stats = pathlib.Path(f"/proc/{self.pid}/task").glob("*/stat")
            return {s.read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] for s in stats}
        self.signal(signal.SIGSTOP)
        wait_until(lambda: states() == {"T"}, "it to stand still")

    def cpu_s(self):
        """CPU time of the process so far."""
        stat = pathlib.Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii")
        return sum(map(int, stat.rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    def cpu_ns(self):
        """The same exactly, of the threads that are there."""
        tasks = pathlib.Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)

    def descriptors(self):
        """How many it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def is_running(self):
        return self.popen is not None and self.popen.poll() is None

    def wait(self, timeout=15):
        """Its exit code."""
        return self.popen.wait(timeout * PATIENCE)

    def kill(self):
        """kill -9: no goodbye."""
        if self.is_running():
            self.signal(signal.SIGKILL)
            self.wait()

    def stop(self):
        """SIGTERM twice (do not wait for a drain), and its exit code."""
        code = self._end()
        assert "Sanitizer" not in self.log(), f"{self.name}: a sanitizer has found something"
        return code

    def _end(self):
        if self.is_running():
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.popen.wait(0.3)
            with contextlib.suppress(ProcessLookupError):
                self.signal(signal.SIGTERM)
            try:
                return self.wait()
            except subprocess.TimeoutExpired:
                self.popen.kill()
                raise AssertionError(f"{self.name} did not end: {self.log()[-2000:]}")
        return self.popen.returncode if self.popen else None


class Orphan:
    """A process that another one has started, as if it were a Popen; nobody knows its exit code."""

    returncode = 0

    def __init__(self, pid):
        self.pid = pid
        self.fd = os.pidfd_open(pid)

    def _has_ended(self, timeout):
        ended = select.poll()  # select() takes no descriptor above 1023
        ended.register(self.fd, select.POLLIN)
        return bool(ended.poll(None if timeout is None else timeout * 1000))

    def poll(self):
        return 0 if self._has_ended(0) else None

    def wait(self, timeout=None):
        if not self._has_ended(timeout):
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return 0

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)


class Alb(Process):
    """A running balancer. Its configuration is `path`; rewrite it and reload()."""

    def __init__(self, folder, config, name="alb"):
        self.path = pathlib.Path(folder) / f"{name}.ini"
        self.access_path = pathlib.Path(folder) / f"{name}.access.log"
        self.socket_path = pathlib.Path(folder) / f"{name}.sock"
        super().__init__(folder, name, BIN / "alb", "run", self.path, "--ready-file",
                         pathlib.Path(folder) / f"{name}.ready")
        self.before = []
        self.configure(config)

    def configure(self, config):
        """Write the configuration; {access}, {socket} and {cert} are filled in."""
        text = config.replace("{access}", str(self.access_path))
        text = text.replace("{socket}", str(self.socket_path)).replace("{cert}", str(CERT))
        self.path.write_text(text)

    def address(self, listener=None):
        listeners = self.ready["listeners"]
        return split_address(listeners[listener] if listener else next(iter(listeners.values())))

    def port(self, listener=None):
        return self.address(listener)[1]

    def url(self, path="/", listener=None, scheme="http"):
        host, port = self.address(listener)
        return f"{scheme}://{host}:{port}{path}"

    def connect(self, listener=None, timeout=10, source=None):
        """From the address `source`, if given."""
        return socket.create_connection(self.address(listener), timeout * PATIENCE,
                                        (source, 0) if source else None)

    def get(self, path="/", headers=None, method="GET", body=None, listener=None, tls=False):
        """One request on a connection of its own: (status, headers, body)."""
        host, port = self.address(listener)
        if tls:
            conn = http.client.HTTPSConnection(host, port, timeout=10 * PATIENCE,
                                               context=trusting_context())
        else:
            conn = http.client.HTTPConnection(host, port, timeout=10 * PATIENCE)
        with contextlib.closing(conn):
            conn.request(method, path, body=body, headers=headers or {})
            response = conn.getresponse()
            return response.status, response.headers, response.read()

    def access_rows(self):
        if not self.access_path.exists():
            return []
        return self.access_path.read_text(errors="replace").splitlines()

    def access_row(self, needle):
        """The first row that holds the text, when it has been written."""
        def find():
            return next((r for r in self.access_rows() if needle in r), None)
        return wait_until(find, f"an access log row with {needle!r}")

    def command(self, *args):
        """`alb ARGS --socket ...`: (exit code, output)."""
        done = subprocess.run([BIN / "alb", *args, "--socket", self.socket_path],
                              capture_output=True, text=True, timeout=60 * PATIENCE)
        return done.returncode, done.stdout + done.stderr

    def ok(self, *args):
        """The output of a command that has to succeed."""
        code, text = self.command(*args)
        assert code == 0, text
        return text

    def reload(self):
        self.ok("reload")

    def upgrade(self, binary=None):
        """`alb upgrade`: (exit code, output). From then on this is the new process; those before it
        are in `before`."""
        code, text = self.command("upgrade", *(["--binary", binary] if binary else []))
        if code == 0:
            self.before.append(self.popen)
            self.ready = json.loads(self.ready_path.read_text())
            self.popen = Orphan(self.ready["pid"])
        return code, text

    def stop(self):
        code = super().stop()
        for popen in self.before:
            try:
                popen.wait(15 * PATIENCE)
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait()
                raise AssertionError(f"process {popen.pid} has not ended after its successor")
        return code

    def status(self):
        code, text = self.command("status", "--json")
        assert code == 0, text
        return json.loads(text)

    def metrics(self):
        """{'name{labels}': value}"""
        host, port = split_address(self.ready["admin"])
        conn = http.client.HTTPConnection(host, port, timeout=10 * PATIENCE)
        with contextlib.closing(conn):
            conn.request("GET", "/metrics")
            text = conn.getresponse().read().decode()
        rows = [line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#"]
        return {name: float(value) for name, value in rows}

    def admin_json(self, path):
        """(status, JSON) of a GET at the admin port."""
        host, port = split_address(self.ready["admin"])
        conn = http.client.HTTPConnection(host, port, timeout=30 * PATIENCE)
        with contextlib.closing(conn):
            conn.request("GET", path)
            response = conn.getresponse()
            return response.status, json.loads(response.read())

    def tunnels(self, **query):
        """GET /tunnels: the answer."""
        status, answer = self.admin_json("/tunnels?" + urllib.parse.urlencode(query))
        assert status == 200, answer
        return answer

    def closed(self, **query):
        """GET /closed: the answer."""
        status, answer = self.admin_json("/closed?" + urllib.parse.urlencode(query))
        assert status == 200, answer
        return answer

    def failed_upgrades(self):
        """GET /upgrades/failed: the rows, the newest first."""
        status, answer = self.admin_json("/upgrades/failed")
        assert status == 200 and len(answer["failed"]) == min(answer["all"], 1000)
        return answer["failed"]

    def metric(self, name):
        """A metric's value; the sum when only the name without labels is given."""
        values = self.metrics()
        if name in values:
            return values[name]
        return sum(v for k, v in values.items() if k.split("{")[0] == name)


def run(program, *args, timeout=20):
    """Run to the end: (exit code, stdout, stderr)."""
    done = subprocess.run([BIN / program, *[str(a) for a in args]], capture_output=True, text=True,
                          timeout=timeout * PATIENCE)
    return done.returncode, done.stdout, done.stderr


def make_certificate():
    """A self-signed certificate for localhost, once a build folder."""
    if not CERT.exists():
        CERT.parent.mkdir(parents=True, exist_ok=True)
        key = CERT.with_suffix(f".{os.getpid()}.key")
        crt = CERT.with_suffix(f".{os.getpid()}.crt")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-keyout", key, "-out", crt, "-days", "30", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
            check=True, capture_output=True)
        both = CERT.with_suffix(f".{os.getpid()}.both")
        both.write_bytes(crt.read_bytes() + key.read_bytes())
        both.chmod(0o600)
        both.rename(CERT)
        key.unlink()
        crt.unlink()
    return CERT


def trusting_context():
    return ssl.create_default_context(cafile=make_certificate())


# --- sockets by hand ---------------------------------------------------------


def read_until_close(sock):
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := sock.recv(65536):
            data += chunk
    return data


def read_head(sock):
    """(head, what came behind it)"""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(65536)
        if not chunk:
            break
        data += chunk
    head, _, rest = data.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest


def read_exactly(sock, n, have=b""):
    data = bytearray(have)
    while len(data) < n:
        chunk = sock.recv(min(n - len(data), 1 << 18))
        assert chunk, f"closed after {len(data)} of {n} bytes"
        data += chunk
    return bytes(data)


def stop_listening(listener):
    """Close a listener that a thread accepts from.

    Closing alone leaves it open while the call lasts; and when a signal has the kernel restart that
    call, it goes by the descriptor's number, which may be another test's listener by then: the
    thread took a connection that was not its own, and the other test waited for it in vain.
    """
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)  # ends accept()
    listener.close()


class Target:
    """A scripted target: `script(sock, head, rest)` is called for each request head.

    It may answer, misbehave or stay silent; it returns True to read another head from
    the same connection. `seen` has the heads, as they arrived.
    """

    def __init__(self, script, host="127.0.0.1", port=0):
        self.script = script
        self.seen = []
        self.connections = 0
        self.listener = socket.create_server((host, port), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.address = f"{host}:{self.port}"
        self._open = set()
        self._begin()

    def _begin(self):
        self.acceptor = threading.Thread(target=self._accept, daemon=True)
        self.acceptor.start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        self._open.add(sock)
        with contextlib.suppress(OSError, AssertionError), sock:
            sock.settimeout(30 * PATIENCE)
            while True:
                head, rest = read_head(sock)
                if not head.endswith(b"\r\n\r\n") or len(head) <= 4:
                    break
                self.seen.append(head)
                if not self.script(sock, head, rest):
                    break
        self._open.discard(sock)

    def close(self):
        """Stop listening, and end what is open."""
        stop_listening(self.listener)
        self.acceptor.join(timeout=5)
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def neighbours(*scripts):
    """Targets of one port, at 127.0.0.1, 127.0.0.2 and so on."""
    while True:
        made = [Target(scripts[0])]
        try:
            for n, script in enumerate(scripts[1:], 2):
                made.append(Target(script, f"127.0.0.{n}", made[0].port))
            return made
        except OSError:  # somebody has that port there
            for target in made:
                target.close()


def answer(body=b"ok", status="200 OK", fields=b""):
    """A script that gives every request the same response and keeps the connection."""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n".encode() + fields + b"\r\n"

    def script(sock, _head, _rest):
        sock.sendall(head + body)
        return True
    return script


# --- WebSocket by hand --------------------------------------------------------

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
    import base64
    import hashlib
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


# --- HTTP by hand -------------------------------------------------------------


def forward_config(*targets, alb="", edge="allow = 127.0.0.0/8",
                   group="health_check.enabled = false", more=""):
    """One plain listener in front of one group of these targets."""
    addresses = "\n".join(f"target = {getattr(t, 'address', t)}" for t in targets)
    return f"""
[alb]
workers = 1
admin = 127.0.0.1:0
control = {{socket}}
access_logs.enabled = true
access_logs.file = {{access}}
shutdown_timeout = 5s
{alb}
[edge]
{edge}
[listener http]
bind = 127.0.0.1:0
protocol = HTTP
default_action = forward app
[target_group app]
{addresses}
{group}
{more}
"""


def request(method="GET", path="/", fields=b"", body=b"", host=b"localhost"):
    """A request as bytes; with a Content-Length when there is a body."""
    if body:
        fields += f"Content-Length: {len(body)}\r\n".encode()
    return (f"{method} {path} HTTP/1.1\r\n".encode() + b"Host: " + host + b"\r\n" + fields +
            b"\r\n" + body)


def values(head, name):
    """The values of a field in a head, in order."""
    lines = (line.split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    return [v.strip().decode("latin-1") for n, v in lines if n.lower() == name.lower().encode()]


def read_more(sock, have):
    chunk = sock.recv(65536)
    if not chunk:
        raise EOFError(f"closed behind {have[-200:]!r}")
    return have + chunk


def read_chunks(sock, rest):
    """(body, what came behind it); EOFError when it was cut."""
    body = bytearray()
    while True:
        while b"\r\n" not in rest:
            rest = read_more(sock, rest)
        size, _, rest = rest.partition(b"\r\n")
        n = int(size.split(b";")[0], 16)
        while len(rest) < n + 2:
            rest = read_more(sock, rest)
        assert rest[n:n + 2] == b"\r\n", rest[n:n + 10]
        body += rest[:n]
        rest = rest[n + 2:]
        if n == 0:
            return bytes(body), rest


def read_length(sock, n, rest):
    parts, have = [rest], len(rest)
    while have < n:
        chunk = sock.recv(65536)
        if not chunk:
            raise EOFError(f"closed after {have} of {n} bytes")
        parts.append(chunk)
        have += len(chunk)
    data = b"".join(parts)
    return data[:n], data[n:]


def read_body(sock, head, rest):
    """A request's body: (payload, what came behind it)."""
    if values(head, "Transfer-Encoding"):
        return read_chunks(sock, rest)
    length = values(head, "Content-Length")
    return read_length(sock, int(length[0]), rest) if length else (b"", rest)


class Response:
    def __init__(self, head, body, rest):
        self.head, self.body, self.rest = head, body, rest
        self.status = int(head.split(b" ", 2)[1])

    def values(self, name):
        return values(self.head, name)


def read_response(sock, rest=b"", to_head=False):
    """A whole response; EOFError when it was cut, or nothing came."""
    while b"\r\n\r\n" not in rest:
        rest = read_more(sock, rest)
    head, _, rest = rest.partition(b"\r\n\r\n")
    head += b"\r\n\r\n"
    status = int(head.split(b" ", 2)[1])
    if to_head or status < 200 or status in (204, 304):
        return Response(head, b"", rest)
    if values(head, "Transfer-Encoding") or values(head, "Content-Length"):
        return Response(head, *read_body(sock, head, rest))
    return Response(head, rest + read_until_close(sock), b"")


def ask(alb, data, listener=None, to_head=False):
    """Send these bytes on a connection of their own, and read the response."""
    with alb.connect(listener) as sock:
        sock.sendall(data)
        return read_response(sock, to_head=to_head)


def is_closed(sock):
    """The other side has closed, or does within the socket's time-out."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def packets_in(sock):
    """Segments that its kernel has got for this connection."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return struct.unpack_from("I", info, 140)[0]  # tcpi_segs_in


def reset(sock):
    """Close with RST."""
    import struct
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def grown_kb(pid, before):
    """By how much its memory grew. A sanitizer's own memory says nothing: 0 then."""
    return 0 if PATIENCE > 1 else resident_kb(pid) - before


def resident_kb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")
