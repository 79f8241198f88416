"""HTTP/1.1 on asyncio streams: heads, and bodies as pieces that are framed anew.

Only as strict as a stand-in for tests must be: what comes from the viewer is a browser's or a test's own, and
what goes to the origin has been made here.
"""

import asyncio
import re

HEAD_MAX = 20480  # of requests and of an origin's response heads alike
NO_BODY = ("none", 0)
CHUNKED = ("chunked", 0)
UNTIL_CLOSE = ("close", 0)


class Malformed(Exception):
    """It is not HTTP/1.1, or cut in the middle."""


class HeadTooLong(Malformed):
    pass


class Head:
    """A request's or response's head. `start` has its three words; fields keep their order and spelling."""

    def __init__(self, start, fields=()):
        self.start, self.fields = list(start), list(fields)

    @classmethod
    def parse(cls, data):
        lines = data.decode("latin-1").split("\r\n")[:-2]
        start = lines[0].split(" ", 2)
        if start[0].startswith("HTTP/") and len(start) == 2:
            start.append("")
        is_response = start[0].startswith("HTTP/1.") and re.fullmatch("[1-9][0-9][0-9]", start[1])
        if len(start) != 3 or not (is_response or start[2].startswith("HTTP/1.")):
            raise Malformed(f"not a head: {lines[0][:80]!r}")
        return cls(start, [cls._field(line) for line in lines[1:]])

    @staticmethod
    def _field(line):
        name, colon, value = line.partition(":")
        if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise Malformed(f"not a field: {line[:80]!r}")
        return name, value.strip(" \t")

    def encode(self):
        lines = [" ".join(self.start)] + [f"{name}: {value}" for name, value in self.fields]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    @property
    def method(self):
        return self.start[0]

    @property
    def target(self):
        return self.start[1]

    @property
    def status(self):
        return int(self.start[1])

    def values(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def get(self, name, default=""):
        return ", ".join(self.values(name)) or default

    def lists(self, name, token):
        return token.lower() in (part.strip().lower() for part in self.get(name).split(","))

    def is_upgrade(self):
        return (self.method == "GET" and self.start[2] == "HTTP/1.1" and self.lists("Connection", "upgrade")
                and self.get("Upgrade").lower() == "websocket")

    def is_kept_alive(self):
        version = self.start[0] if self.start[0].startswith("HTTP/") else self.start[2]
        if version == "HTTP/1.0":
            return self.lists("Connection", "keep-alive")
        return not self.lists("Connection", "close")


async def read_head(reader):
    """The next head; None when the peer has closed in place of one."""
    try:
        data = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise HeadTooLong(f"a head of over {HEAD_MAX} bytes") from error
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise Malformed("closed within a head") from error
    if len(data) > HEAD_MAX:
        raise HeadTooLong(f"a head of {len(data)} bytes")
    return Head.parse(data)


def request_framing(head):
    if head.values("Transfer-Encoding"):
        return CHUNKED
    length = _length(head)
    return ("length", length) if length else NO_BODY


def response_framing(head, method):
    """Of the final response to a request with that method."""
    if method == "HEAD" or head.status in (204, 304):
        return NO_BODY
    if head.values("Transfer-Encoding"):
        if head.get("Transfer-Encoding").lower() != "chunked":
            raise Malformed("a Transfer-Encoding other than chunked")
        return CHUNKED
    length = _length(head)
    return UNTIL_CLOSE if length is None else ("length", length)


def _length(head):
    values = set(head.values("Content-Length"))
    if not values:
        return None
    if len(values) > 1 or not re.fullmatch("[0-9]{1,18}", (value := values.pop())):
        raise Malformed("a bad Content-Length")
    return int(value)


class Body:
    """A body that is read once, piece by piece as they come; Malformed when it is cut.

    Each piece comes within `timeout_s`, when there is one. `is_whole` once all of it was read.
    """

    def __init__(self, reader, framing, timeout_s=None):
        self.reader, self.framing, self.timeout_s = reader, framing, timeout_s
        self.is_whole = framing == NO_BODY

    async def __aiter__(self):
        pieces = _read_pieces(self.reader, self.framing)
        while True:
            async with asyncio.timeout(self.timeout_s):
                piece = await anext(pieces, None)
            if piece is None:
                self.is_whole = True
                return
            yield piece


async def _read_pieces(reader, framing):
    kind, length = framing
    if kind == "length":
        async for piece in _read_length(reader, length):
            yield piece
    elif kind == "chunked":
        async for piece in _read_chunks(reader):
            yield piece
    while kind == "close" and (piece := await reader.read(65536)):
        yield piece


async def _read_length(reader, left):
    while left:
        piece = await reader.read(min(left, 65536))
        if not piece:
            raise Malformed(f"closed {left} bytes before the end of a body")
        left -= len(piece)
        yield piece


async def _read_chunks(reader):
    try:
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            async for piece in _read_length(reader, size):
                yield piece
            await reader.readexactly(2)
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass  # trailers are dropped
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        raise Malformed("a broken chunk") from error


async def write_body(writer, body, timeout_s=None):
    """As chunks when it came in chunks; else as it is. Each piece is taken within `timeout_s`."""
    chunked = body.framing == CHUNKED
    async for piece in body:
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        async with asyncio.timeout(timeout_s):
            await writer.drain()
    if chunked:
        writer.write(b"0\r\n\r\n")
    await writer.drain()
