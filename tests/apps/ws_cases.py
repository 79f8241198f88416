"""What the conformance run says to an endpoint, right and wrong, as a table: CASES.

The numbers of the groups are those of the Autobahn test suite, which does not run here (it is made
for a Python of long ago); each case is written anew. A case says the same to a server and to
a client: only the masks differ.
"""

import os
import random
from typing import NamedTuple

from ws_peers import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT


class Frame(NamedTuple):
    opcode: int
    payload: bytes = b""
    fin: bool = True
    rsv: int = 0
    is_right: bool = True  # masked as it has to be


class Deflated(NamedTuple):
    """A message, compressed when both sides want that. `is_torn`: its bytes are no such stream."""
    opcode: int
    payload: bytes
    parts: int = 1
    between: tuple = ()  # frames between its parts
    is_torn: bool = False


class Send(NamedTuple):
    items: tuple  # of frames, messages and plain bytes
    chop: int = 0  # bytes that go at once; 0: all


class Listen(NamedTuple):
    """Nothing more is said before the other side has closed, or has had a second for it."""


class Finish(NamedTuple):
    """FIN, a moment after what was said: what an end makes of both at once is a matter of luck."""


class Case(NamedTuple):
    name: str
    steps: tuple
    offer: str = ""  # of a client, for Sec-WebSocket-Extensions
    answer: str = ""  # of a server

    @property
    def is_timed(self):
        return any(isinstance(step, (Listen, Finish)) for step in self.steps)


def send(*items, chop=0):
    return Send(items, chop)


def each(*items, chop=0):
    """One after the other, not all at once."""
    return tuple(Send((item,), chop) for item in items)


def close(code=None, reason=b""):
    return Frame(CLOSE, (b"" if code is None else code.to_bytes(2, "big")) + reason)


def numbered(prefix, rows, **more):
    """Cases of these rows: each a step, or a tuple of them."""
    return [Case(f"{prefix}.{i}", (row,) if isinstance(row, Send) else tuple(row), **more)
            for i, row in enumerate(rows, 1)]


HELLO = Frame(TEXT, b"Hello, world!")
ALIVE = Frame(PING, b"alive?")
SIZES = (0, 1, 125, 126, 127, 128, 65535, 65536)
KB, MB = 1 << 10, 1 << 20


# --- 1: framing ------------------------------------------------------------------------------


def long_form(opcode, payload, width):
    """Its length in more bytes than it needs; masked with zeros, which a client may."""
    form = {2: 126, 8: 127}[width]
    return bytes([0x80 | opcode, 0x80 | form]) + len(payload).to_bytes(width, "big") + bytes(4) + payload


def of_length(n):
    """A frame that says it is so long, and its first bytes."""
    return b"\x82\xff" + n.to_bytes(8, "big") + bytes(4) + b"first"


def framing():
    cases = []
    for part, opcode in enumerate((TEXT, BINARY), 1):
        cases += numbered(f"1.{part}", [
            *(send(Frame(opcode, b"*" * n)) for n in SIZES),
            *(send(Frame(opcode, b"*" * n), chop=1) for n in SIZES[:6]),
            send(Frame(opcode, b"*" * 65536), chop=997)])
    return cases + numbered("1.3", [
        send(long_form(TEXT, b"short", 2), ALIVE), send(long_form(BINARY, b"short", 8), ALIVE),
        send(long_form(PING, b"short", 2), ALIVE),
        *((send(of_length(n)), Listen(), Finish()) for n in (1 << 40, 1 << 63, (1 << 64) - 1)),
        send(HELLO._replace(is_right=False), ALIVE), send(ALIVE._replace(is_right=False), HELLO)])


# --- 2: pings and pongs ------------------------------------------------------------------------


def pings():
    tens = tuple(Frame(PING, b"payload-%d" % i) for i in range(10))
    return numbered("2", [
        send(Frame(PING)), send(Frame(PING, b"Hello")), send(Frame(PING, bytes(range(0xF8, 0x100)))),
        send(Frame(PING, b"\xfe" * 125)), send(Frame(PING, b"\xfe" * 126)),
        send(Frame(PING, b"\xfe" * 125), chop=1), send(Frame(PONG)), send(Frame(PONG, b"unasked")),
        send(Frame(PONG, b"unasked"), ALIVE), send(*tens), send(*tens, chop=1), each(*tens),
        send(*(Frame(PING, b"p" * n) for n in range(126))),
        send(*(Frame(PONG, b"p" * n) for n in range(126)), ALIVE),
        send(Frame(PONG, b"p" * 126), ALIVE), send(Frame(PONG, b"8 bytes!"), chop=1),
        send(*tens, HELLO, *tens, HELLO)])


# --- 3 and 4: what is reserved -------------------------------------------------------------------


def reserved_bits():
    cases = []
    for rsv in range(1, 8):
        cases += numbered(f"3.{rsv}", [
            send(HELLO._replace(rsv=rsv)), send(HELLO, HELLO._replace(rsv=rsv), ALIVE),
            each(HELLO, ALIVE._replace(rsv=rsv), HELLO),
            send(HELLO, Frame(BINARY, b"\0\xff", rsv=rsv), ALIVE, chop=1),
            send(close(1000)._replace(rsv=rsv))])
    return cases


def reserved_opcodes():
    cases = []
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        bad = Frame(opcode, b"reserved opcode")
        cases += numbered(f"4.{opcode}", [
            send(Frame(opcode)), each(HELLO, bad, ALIVE), send(HELLO, bad._replace(fin=False), ALIVE, chop=1)])
    return cases


# --- 5: fragments ----------------------------------------------------------------------------------


def first(payload=b"fragment1", opcode=TEXT):
    return Frame(opcode, payload, fin=False)


def middle(payload=b"fragment"):
    return Frame(CONTINUATION, payload, fin=False)


def last(payload=b"fragment2"):
    return Frame(CONTINUATION, payload)


FRAGMENTS = [
    (Frame(PING, b"fragment1", fin=False), last()),
    (Frame(PONG, b"fragment1", fin=False), last()),
    (close(1000)._replace(fin=False), last()),
    (first(), last()), (first(opcode=BINARY), last()),
    (first(), Frame(PING, b"ping"), last()), (first(), Frame(PONG, b"pong"), last()),
    (last(b"nothing to continue"), HELLO), (middle(b"nothing to continue"), HELLO),
    (first(), last(), middle(b"nothing to continue"), HELLO),
    (middle(), HELLO) * 2, (first(), HELLO), (first(), first()), (first(), Frame(BINARY, b"new")),
    (first(), middle(), Frame(PING, b"1"), middle(), Frame(PING, b"2"), middle(), last(), ALIVE),
    (first(b""), middle(b""), last(b"")), (first(b""), middle(b"middle"), last(b"")),
    (first(b"\xce"), middle(b"\xba\xe1"), middle(b"\xbd"), last(b"\xb9")),
    (first(), ALIVE, close(1000), last()),
    tuple(first() if i == 0 else middle(b"%d" % i) for i in range(40)) + (last(),),
]


def fragments():
    return [case for i, row in enumerate(FRAGMENTS, 1) for case in numbered(
        f"5.{i}", [send(*row), each(*row), send(*row, chop=1)])]


# --- 6: UTF-8 ---------------------------------------------------------------------------------------

VALID = [
    "", "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!", "\u03ba\u1f79\u03c3\u03bc\u03b5",
    "\0", "\x7f", "\x80", "\u07ff", "\u0800", "\u0fff", "\u1000", "\ud7ff", "\ue000", "\ufdd0", "\ufdef",
    "\ufffd", "\ufffe", "\uffff", "\U00010000", "\U0003ffff", "\U0010fffe", "\U0010ffff",
]

INVALID = [
    # a continuation byte without its start, and a start without its continuation
    b"\x80", b"\xbf", b"\x80\xbf", b"\x80\xbf\x80\xbf\x80\xbf", bytes(range(0x80, 0xC0)),
    b"\xc2 ", b"\xdf ", b"\xe1\x80 ", b"\xef\xbf ", b"\xf1\x80\x80 ", b"\xf4\x8f\xbf ",
    b"\xc2", b"\xe1\x80", b"\xf1\x80\x80", b"\xe1 \xf1 ",
    # what no byte of UTF-8 is
    b"\xfe", b"\xff", b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80",
    # longer than they need to be
    b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf",
    b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80",
    # surrogates, and past the end
    b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf", b"\xed\xb0\x80", b"\xed\xbf\xbf",
    b"\xed\xa0\x80\xed\xb0\x80", b"\xed\xaf\xbf\xed\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf7\xbf\xbf\xbf",
]
GREEK = "\u03ba\u1f79\u03c3\u03bc\u03b5".encode()


def up_to_error(text):
    """All up to the first byte after which nothing can make it right; None while something could."""
    for n in range(1, len(text) + 1):
        try:
            text[:n].decode()
        except UnicodeDecodeError as error:
            if "unexpected end" not in error.reason:
                return text[:n]
    return None


def fails_fast(text):
    """In one frame and in fragments of a byte each: what is wrong is there, and more may come."""
    bad = up_to_error(text)
    if bad is None:
        return []
    rest = text[len(bad):]
    whole = b"\x81\xfe" + len(text).to_bytes(2, "big") + bytes(4)
    octets = tuple(middle(bytes([b])) for b in bad)
    return [(send(whole + bad, chop=1), Listen(), send(rest)),
            (send(first(b""), *octets), Listen(), send(middle(rest), last(b"")))]


def utf8():
    cases = []
    for i, text in enumerate(map(str.encode, VALID), 1):
        cases += numbered(f"6.1.{i}", [
            send(Frame(TEXT, text)), send(Frame(TEXT, text), chop=1),
            send(first(b""), *(middle(bytes([b])) for b in text), last(b""))])
    for i, bad in enumerate(INVALID, 1):
        text = GREEK + bad + b"edited" * 20
        cases += numbered(f"6.2.{i}", [
            send(Frame(TEXT, GREEK + bad), ALIVE), send(first(GREEK), middle(bad), last(b"edited"), ALIVE),
            *fails_fast(text)])
    return cases


# --- 7: closing ----------------------------------------------------------------------------------------

GOOD_CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999)
BAD_CODES = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)


def closing():
    cases = numbered("7.1", [
        send(HELLO, close(1000)), send(close(1000), close(1000)), each(close(1000), ALIVE),
        send(close(1000), ALIVE), send(close(1000), HELLO), send(first(), close(1000), last()),
        send(Frame(TEXT, b"b" * 256 * KB), close(1000), ALIVE), send(close(1000), b"no frame at all"),
        (send(HELLO), Finish()), (send(b"\x81\x85"), Finish()), (Finish(),),
        (send(first()), Finish()), (send(close(1000)), Finish())])
    cases += numbered("7.3", [
        send(close()), send(Frame(CLOSE, b"a")), send(close(1000)), send(close(1000, b"Hello World!")),
        send(close(1000, b"*" * 123)), send(close(1000, b"*" * 124)), send(close(1000, b"*" * 123), chop=1),
        send(close(1000, b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited")),
        send(close(1000, GREEK)), send(close(1000, b"\xff")), send(close(1000)._replace(is_right=False))])
    for part, codes in ((7, GOOD_CODES), (9, BAD_CODES)):
        for code in codes:
            cases += numbered(f"7.{part}.{code}", [send(close(code)), send(close(code, b"why"))])
    return cases


# --- 9 and 10: much ------------------------------------------------------------------------------------

BYTES = os.urandom(64 * KB) * 256
LETTERS = b"*" * (16 * MB)


def parts_of(opcode, data, size):
    count = len(data) // size
    return [Frame(opcode if i == 0 else CONTINUATION, data[i * size:(i + 1) * size], i == count - 1)
            for i in range(count)]


def much():
    cases = []
    for part, (opcode, data) in enumerate(((TEXT, LETTERS), (BINARY, BYTES)), 1):
        cases += numbered(f"9.{part}", [send(Frame(opcode, data[:n]))
                                        for n in (64 * KB, 256 * KB, MB, 4 * MB)])
        cases += numbered(f"9.{part + 2}", [send(*parts_of(opcode, data[:n], size)) for n, size in (
            (64 * KB, 64), (256 * KB, KB), (MB, 16 * KB), (MB, 256 * KB), (4 * MB, MB))])
        cases += numbered(f"9.{part + 4}", [send(Frame(opcode, data[:n]), chop=chop) for n, chop in (
            (32 * KB, 64), (256 * KB, KB), (MB, 8 * KB), (4 * MB, 100003))])
        cases += numbered(f"9.{part + 6}", [
            send(*(Frame(opcode, data[:n]) for _ in range(200))) for n in (0, 16, 256, 4 * KB)])
    cases += numbered("9.9", [send(Frame(BINARY, BYTES)), send(*parts_of(TEXT, LETTERS, 4 * MB))])
    return cases + numbered("10.1", [send(*parts_of(TEXT, LETTERS[:1300 * 50], 1300)),
                                     send(*parts_of(BINARY, BYTES[:1300 * 50], 1300), chop=1301)])


# --- 12 and 13: permessage-deflate -----------------------------------------------------------------------

# What a client offers, and what a server makes of an offer of everything.
OFFERS = [
    "permessage-deflate", "permessage-deflate; client_max_window_bits",
    "permessage-deflate; client_no_context_takeover", "permessage-deflate; server_no_context_takeover",
    "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
    "permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=15",
    "permessage-deflate; client_max_window_bits=9; server_max_window_bits=10",
    "permessage-deflate; server_max_window_bits=9, permessage-deflate",
    'permessage-deflate; client_max_window_bits="10"', "x-unknown, permessage-deflate",
    "permessage-deflate; unknown_parameter", "permessage-deflate; server_max_window_bits=99", "x-unknown",
]
ANSWERS = [
    "permessage-deflate", "permessage-deflate; server_no_context_takeover",
    "permessage-deflate; client_no_context_takeover",
    "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
    "permessage-deflate; client_max_window_bits=10", "",
]


def prose(n):
    """Text that can be compressed, the same in each run."""
    words = random.Random(n)
    return b" ".join(words.choice((b"the", b"gate", b"of", b"a", b"fortress", b"%d" % words.randrange(999)))
                     for _ in range(n // 3 + 1))[:n]


TALKS = [
    send(*(Deflated(TEXT, prose(n)) for n in (0, 16, 64, 256, KB))),
    each(*(Deflated(BINARY, prose(n)) for n in (4 * KB, 8 * KB, 32 * KB, 128 * KB))),
    send(*(Deflated(TEXT, prose(KB)) for _ in range(100))),
    send(Deflated(BINARY, BYTES[:200 * KB]), Deflated(TEXT, LETTERS[:MB])),
    send(Deflated(TEXT, prose(8 * KB), 10, (Frame(PING, b"between"),)), HELLO, Deflated(TEXT, prose(KB))),
    send(Deflated(TEXT, prose(300)), HELLO, Deflated(BINARY, prose(301), 3), chop=1),
]
MISTAKES = [
    send(Deflated(TEXT, prose(KB), is_torn=True), ALIVE), send(Frame(TEXT, b"", rsv=4), ALIVE),
    send(first(), last()._replace(rsv=4)), send(Frame(PING, b"x", rsv=4)),
    send(Deflated(TEXT, GREEK + b"\xff"), ALIVE), send(Deflated(TEXT, prose(KB)), close(1000)._replace(rsv=4)),
]


def deflate():
    cases = []
    for i, offer in enumerate(OFFERS):
        said = {"offer": offer, "answer": ANSWERS[i % len(ANSWERS)]}
        cases += numbered(f"12.{i + 1}", TALKS if i < len(ANSWERS) else TALKS[i % 4:][:3], **said)
        if i < 2:
            cases += numbered(f"13.{i + 1}", MISTAKES, **said)
    return cases


CASES = [*framing(), *pings(), *reserved_bits(), *reserved_opcodes(), *fragments(), *utf8(), *closing(),
         *much(), *deflate()]
