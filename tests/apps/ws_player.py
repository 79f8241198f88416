"""Plays the cases of ws_cases.py over raw sockets, and writes down exactly what the other end does.

    took = await play_to_server(case, Route(("127.0.0.1", 8080)))    # we are the client
    takes = await FuzzingServer(cases).serve(clients)                # and the server, at /case/N

A transcript is a list of lines: the handshake's outcome, each frame as it was on the wire (masks
aside), what was no frame, and how TCP ended. Two are equal when nobody could tell the two ends apart.
"""

import asyncio
import contextlib
import hashlib
import socket
import ssl
import zlib
from typing import NamedTuple

from harness import PATIENCE
from http_wire import values
from ws_cases import Deflated, Finish, Frame, Listen, Send
from ws_peers import CLOSE, CONTINUATION, PING, PONG, TEXT
from ws_wire import KEY, accept_key, frame, masked

LISTEN_S = 1.0  # to fail fast is to do so within this
FINISH_S = 0.1
PAUSES, PAUSE_S = 6, 0.15  # in a case that is played slowly
GIVEN_UP = "still open"
LAST = b"this was all"


class Route(NamedTuple):
    """How the other end is reached. `is_pinged`: what is between sends pings of its own, which
    are answered and not written down, and the case is played slowly, to have many of them."""
    address: tuple
    path: str = "/"
    context: ssl.SSLContext | None = None
    is_pinged: bool = False


# --- bytes ------------------------------------------------------------------------------------


class Wire:
    """A connected socket of the running loop."""

    def __init__(self, sock):
        self.sock, self.loop = sock, asyncio.get_running_loop()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def send(self, data):
        """What the other end does not take any more is lost: it has said so, or will."""
        with contextlib.suppress(OSError):
            await self.loop.sock_sendall(self.sock, data)

    async def recv(self):
        return await self.loop.sock_recv(self.sock, 1 << 18)

    async def finish(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()


class TlsWire(Wire):
    """The same with TLS: Python's own streams know no end of one direction only."""

    sessions = {}  # by context: handshakes that are resumed take no time

    def __init__(self, sock, context):
        super().__init__(sock)
        self.context, self.incoming, self.outgoing = context, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.early = []  # read before it was asked for
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost",
                                    session=self.sessions.get(context))

    async def _flush(self):
        if self.outgoing.pending:
            await super().send(self.outgoing.read())

    async def start(self):
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
                await self._flush()
                self.sessions[self.context] = self.tls.session
                return
            await self._flush()
            self.incoming.write(await super().recv())

    async def send(self, data):
        with contextlib.suppress(ssl.SSLError):
            self.tls.write(data)
        await self._flush()

    def _read(self):
        """What has come so far, or b"" at a close_notify; None when more bytes are needed."""
        try:
            return self.tls.read(1 << 18)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLZeroReturnError:
            return b""

    async def recv(self):
        """b"" when TCP ends behind a close_notify; without one it was torn."""
        if self.early:
            return self.early.pop(0)
        while (data := self._read()) is None:
            got = await super().recv()
            if not got:
                raise ConnectionAbortedError("no close_notify")
            self.incoming.write(got)
        while not data and await super().recv():
            pass
        return data

    async def finish(self):
        """OpenSSL has no close_notify go out before what came is read."""
        while data := self._read():
            self.early.append(data)
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            self.tls.unwrap()
        await self._flush()
        await super().finish()


async def connect(route):
    loop = asyncio.get_running_loop()
    sock = socket.socket()
    sock.setblocking(False)
    await loop.sock_connect(sock, route.address)
    if route.context is None:
        return Wire(sock)
    wire = TlsWire(sock, route.context)
    await wire.start()
    return wire


async def read_head(wire):
    data = b""
    while b"\r\n\r\n" not in data:
        got = await wire.recv()
        if not got:
            break
        data += got
    head, _, rest = data.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest


# --- what is said -------------------------------------------------------------------------------


class Encoder:
    """Frames and messages as this end has to send them. `agreed`: the extension in force."""

    def __init__(self, is_client, agreed):
        self.mask = b"\x01\x02\x03\x04" if is_client else None
        self.is_deflating = agreed.startswith("permessage-deflate")
        who = "client" if is_client else "server"
        self.starts_anew = f"{who}_no_context_takeover" in agreed
        bits = f"{who}_max_window_bits="
        self.bits = int(agreed.split(bits)[1].split(";")[0]) if bits in agreed else 15
        self.deflater = None

    def frame(self, f):
        mask = self.mask if f.is_right else (None if self.mask else b"\x01\x02\x03\x04")
        data = frame(f.opcode, f.payload, f.fin, mask)
        return bytes([data[0] | f.rsv << 4]) + data[1:]

    def deflate(self, message):
        if self.deflater is None or self.starts_anew:
            self.deflater = zlib.compressobj(wbits=-self.bits)
        data = self.deflater.compress(message.payload) + self.deflater.flush(zlib.Z_SYNC_FLUSH)
        return (b"\xff\xfe torn" if message.is_torn else b"") + data[:-4]

    def message(self, m):
        data = self.deflate(m) if self.is_deflating else m.payload
        size = -(-len(data) // m.parts) or 1
        for i in range(m.parts):
            rsv = 4 if i == 0 and self.is_deflating else 0
            yield self.frame(Frame(CONTINUATION if i else m.opcode, data[i * size:(i + 1) * size],
                                   i == m.parts - 1, rsv))
            if i < m.parts - 1:
                yield from map(self.frame, m.between)

    def pieces(self, step):
        """What is to be sent at once each."""
        data = []
        for item in step.items:
            if isinstance(item, Deflated):
                data += self.message(item)
            else:
                data.append(item if isinstance(item, bytes) else self.frame(item))
        if not step.chop:
            return data
        data = b"".join(data)
        return [data[i:i + step.chop] for i in range(0, len(data), step.chop)]


# --- what is heard ----------------------------------------------------------------------------------

NAMES = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}


def shown(payload):
    if len(payload) <= 130:
        return repr(bytes(payload))
    return f"{len(payload)} bytes {hashlib.sha1(payload).hexdigest()[:12]}"


def split(data):
    """(first byte, is masked, payload, bytes of the frame); None when it is not whole."""
    if len(data) < 2:
        return None
    n, at = data[1] & 127, 2
    if n > 125:
        wide = 2 if n == 126 else 8
        n, at = int.from_bytes(data[2:2 + wide], "big"), 2 + wide
    is_masked = data[1] >= 128
    end = at + 4 * is_masked + n
    if len(data) < end:
        return None
    payload = bytes(data[end - n:end])
    return data[0], is_masked, masked(payload, bytes(data[at:at + 4])) if is_masked else payload, end


class Messages:
    """Puts messages together again: has_come(payload)."""

    def __init__(self):
        self.inflater = zlib.decompressobj(wbits=-15)
        self.is_deflated, self.parts = False, []

    def add(self, first, payload):
        """The message that ends with this frame, or None."""
        if first & 15 > CONTINUATION:
            self.is_deflated, self.parts = bool(first & 0x40), []
        self.parts.append(payload)
        if not first & 128:
            return None
        data = b"".join(self.parts)
        return self.inflater.decompress(data + b"\0\0\xff\xff") if self.is_deflated else data


class Ear:
    """Reads to the end of TCP. `lines` is the transcript."""

    def __init__(self, wire, rest, on_ping=None):
        self.wire, self.data, self.on_ping = wire, bytearray(rest), on_ping
        self.lines, self.messages = [], Messages()
        self.is_closed = asyncio.Event()  # by a Close, or the end
        self.has_all = asyncio.Event()  # that, or what we said last has come back

    async def hear(self):
        try:
            await self._follow()
            while got := await self.wire.recv():
                self.data += got
                await self._follow()
            end = "FIN"
        except (ConnectionAbortedError, ssl.SSLError) as error:
            end = f"FIN, {error}"
        except OSError:
            end = "RST"
        if self.data:
            self.lines.append("no frame: " + shown(self.data))
        self.lines.append(end)
        self.is_closed.set()
        self.has_all.set()

    async def _follow(self):
        while (got := split(self.data)) is not None:
            first, is_masked, payload, n = got
            del self.data[:n]
            if first == 0x80 | PING and self.on_ping is not None:
                await self.on_ping(payload)
                continue
            name = NAMES.get(first & 15, f"opcode {first & 15}")
            self.lines.append(f"{name}{' rsv=%d' % (first >> 4 & 7) if first & 0x70 else ''}"
                              f"{'' if first & 128 else ' to be continued'}{' masked' if is_masked else ''}"
                              f" {shown(payload)}")
            if first & 15 == CLOSE:
                self.is_closed.set()
            if first & 15 == CLOSE or first & 15 < CLOSE and self.messages.add(first, payload) == LAST:
                self.has_all.set()


# --- a case -------------------------------------------------------------------------------------------


class Player:
    def __init__(self, wire, rest, is_client, agreed, is_pinged):
        self.wire, self.encoder = wire, Encoder(is_client, agreed)
        self.pauses, self.lock = PAUSES if is_pinged else 0, asyncio.Lock()
        self.ear = Ear(wire, rest, self._answer if is_pinged else None)
        self.owed = []  # pings that came while we were within a frame, or what is none
        self.is_within = False

    async def _answer(self, payload):
        self.owed.append(payload)
        if not self.is_within:
            await self._pay()

    async def _pay(self):
        async with self.lock:
            while self.owed:
                await self.wire.send(self.encoder.frame(Frame(PONG, self.owed.pop(0))))

    async def _say(self, step):
        pieces = self.encoder.pieces(step)
        self.is_within = step.chop > 0 or any(isinstance(item, bytes) for item in step.items)
        for i, piece in enumerate(pieces, 1):
            async with self.lock:
                await self.wire.send(piece)
            if step.chop and self.ear.is_closed.is_set():
                break
            if self.pauses > 0 and i * PAUSES >= len(pieces):
                self.pauses -= 1
                await asyncio.sleep(PAUSE_S)
            elif step.chop:
                await asyncio.sleep(0)
        if not isinstance(step.items[-1], bytes):
            self.is_within = False
            await self._pay()

    async def _listen(self):
        try:
            await asyncio.wait_for(self.ear.is_closed.wait(), LISTEN_S * PATIENCE)
        except asyncio.TimeoutError:
            self.ear.lines.append("(nothing for long)")

    async def _play(self, steps):
        """False when a FIN was part of it."""
        for step in steps:
            if isinstance(step, Finish):
                await asyncio.sleep(FINISH_S)
                await self.wire.finish()
                return False
            if isinstance(step, Listen):
                await self._listen()
                if self.ear.is_closed.is_set():
                    break
            else:
                await self._say(step)
        return True

    async def _close(self):
        """A Close of ours behind the echo of all that was said, and FIN when the other end has
        closed too."""
        if not self.ear.is_closed.is_set():
            await self._say(Send((Frame(TEXT, LAST),)))
        await self.ear.has_all.wait()
        await self._say(Send((Frame(CLOSE, b"\x03\xe8"),)))
        await self.ear.is_closed.wait()
        await self.wire.finish()

    async def run(self, steps):
        hearing = asyncio.create_task(self.ear.hear())
        if await self._play(steps):
            await self._close()
        await hearing


async def to_the_end(player, steps):
    """The transcript."""
    try:
        await asyncio.wait_for(player.run(steps), 20 * PATIENCE)
    except asyncio.TimeoutError:
        player.ear.lines.append(GIVEN_UP)
    finally:
        player.wire.close()
    return player.ear.lines


# --- as a client -----------------------------------------------------------------------------------------


def upgrade_request(route, offer):
    fields = f"Sec-WebSocket-Extensions: {offer}\r\n" if offer else ""
    return (f"GET {route.path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY.decode()}\r\n{fields}\r\n").encode()


def extensions(head):
    return ", ".join(values(head, "Sec-WebSocket-Extensions"))


async def play_to_server(case, route):
    wire = await connect(route)
    await wire.send(upgrade_request(route, case.offer))
    head, rest = await read_head(wire)
    status, agreed = head[9:12].decode(), extensions(head)
    if status != "101":
        wire.close()
        return [status]
    player = Player(wire, rest, True, agreed, route.is_pinged)
    return [f"101 {agreed}"] + await to_the_end(player, case.steps)


# --- as a server -----------------------------------------------------------------------------------------


class FuzzingServer:
    """Plays cases[N] to whoever asks for /case/N, or /case/N-pinged through an alb that pings."""

    def __init__(self, cases):
        self.cases, self.takes, self.tasks = cases, {}, set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.listener.setblocking(False)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]

    def close(self):
        self.listener.close()

    async def _accept(self):
        while True:
            sock, _ = await asyncio.get_running_loop().sock_accept(self.listener)
            sock.setblocking(False)
            task = asyncio.create_task(self._serve(Wire(sock)))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _serve(self, wire):
        head, rest = await read_head(wire)
        number, _, kind = head.split(b" ")[1].rpartition(b"/")[2].partition(b"-")
        case, offered = self.cases[int(number)], extensions(head)
        agreed = case.answer if "permessage-deflate" in offered else ""
        fields = f"Sec-WebSocket-Extensions: {agreed}\r\n" if agreed else ""
        await wire.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        b"Sec-WebSocket-Accept: " + accept_key(head) + b"\r\n" + fields.encode() + b"\r\n")
        player = Player(wire, rest, False, agreed, kind == b"pinged")
        self.takes[int(number)] = [f"offers {offered}"] + await to_the_end(player, case.steps)

    async def serve(self, clients):
        """{N: transcript} of all who came while `clients`, which brings them here, went on."""
        self.takes = {}
        accepting = asyncio.create_task(self._accept())
        await clients
        accepting.cancel()
        if self.tasks:
            await asyncio.wait(set(self.tasks))
        return self.takes
